"""What happens in the drill of recovery (恢复演练的情节): several targets, and the same promise after each."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from plumbline.drill.kill.ledger import number_taken, registered_person
from plumbline.drill.kill.site import NotBack, open_site
from plumbline.drill.outcome import Outcome
from plumbline.drill.restoring.bugs import BUGS, Bug, put_in
from plumbline.drill.restoring.judging import in_order, present_once, resent_anew, set_breaches
from plumbline.drill.restoring.senders import Sender, enrol_key, new_key
from plumbline.drill.restoring.stage import PATIENCE_S, Report, Stage
from plumbline.embedded.scratch import scratch
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.exchange.messages.registry import KeyRevoked
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.sdk.client import Refused, receipt_check
from plumbline.sdk.client.receipt_check import Log
from plumbline.sdk.client.receipt_check import Report as Checked
from plumbline.supervision.config import ROLES
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.projection.rebuild import audit_projection

#: Answers take seconds; what a bug keeps from coming is not waited for longer.
_BUG_WITHIN_S = 90.0
_BY = ("--by", "演练值班员", "--because", "演练：从备份恢复", "--yes")


@dataclass(slots=True)
class Story:
    """The scenes on one stage, with their figures and breaches."""

    stage: Stage
    messages: int
    dice: random.Random
    counts: dict[str, int | float | str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    scene: str = ""
    #: How long all clients may take together; a bug may keep them from it for ever.
    within_s: float = 600.0
    #: With a bug put in, one breach is enough: what comes after it is not waited for.
    is_spoilt: bool = False
    #: How many requests there have to be, those of earlier scenes with them.
    wanted: int = 0

    def play(self, name: str) -> None:
        """A scene; a platform or a client that does not come to an end is a breach too."""
        try:
            SCENES[name](self)
        except NotBack as error:
            self.broken.append(f"{self.scene}：{error}")

    def require(self, held: object, sentence: str) -> None:
        """A promise."""
        if not held:
            self.broken.append(f"{self.scene}：{sentence}")

    def breaches(self, found: list[str]) -> None:
        """What a comparison found."""
        self.broken += [f"{self.scene}：{each}" for each in found]

    def count(self, name: str, value: int) -> None:
        """A figure of the scene."""
        self.counts[f"{self.scene} {name}"] = value

    # Scenes -------------------------------------------------------------------------------------------

    def nothing_lost(self) -> None:
        """Recovery to the end of the archive: nobody has to do anything, and nobody is asked in vain."""
        stage = self.stage
        stage.site.start(gateways=1)
        self._send(self.messages // 4)
        backup = stage.recovery.base_backup()
        self._send(self.messages // 4)
        self._go_back(backup, "")
        lost = self._lost()
        self.require(not lost, f"恢复到最后，还缺 {len(lost)} 条")
        plan = stage.log("resume")
        self.require(plan.returncode == 1 and "不需要另开" in plan.stderr, "什么也没缺，却可以另开一期")
        asked = stage.command("retransmit", "ask", *_BY)
        self.require(asked.returncode == 2 and "没有缺少的段" in asked.stderr, "什么也没缺，却请求了补传")
        stage.site.start(gateways=1)
        self._ask("--days", "2")
        self._await_answers()
        resent = sum(len(each.resent) for who in stage.senders for each in who.answered)
        self.require(resent == 0, f"什么也没缺，却补了 {resent} 条")
        self._verify({})
        stage.site.stop()

    def between_messages(self) -> None:
        """The target is a moment with a name between two deliveries: the smallest recovery there is."""
        stage = self.stage
        stage.site.start(gateways=1)
        backup = stage.recovery.base_backup()
        self._send(self.messages // 2)
        stage.site.settle()
        stage.recovery.point("moment")
        before = {name for each in stage.senders for name in _names(each)}
        self._send(self.messages // 2)
        after = {name for each in stage.senders for name in _names(each)} - before
        self._go_back(backup, "recovery_target_name = 'moment'")
        lost = self._lost()
        self.breaches(set_breaches("恢复以后缺的", map(str, after), map(str, lost)))
        self._recover(lost)
        stage.site.stop()

    def between_steps(self) -> None:
        """The target lies between the steps of reports: each gets the code again that stands on its paper."""
        stage = self.stage
        stage.site.start(gateways=1)
        reports = [Report() for _ in range(4)]
        with stage.house.client(stage.site) as client:
            for number in range(3):
                reports[number] = stage.apply(client)
            stage.reserve(client, reports[0])
            stage.register(client, reports[0])
            stage.reserve(client, reports[1])
            backup = stage.recovery.base_backup()
            self._send(self.messages // 4)
            stage.site.settle()
            stage.recovery.point("between")
            before = {name for each in stage.senders for name in _names(each)}
            stage.register(client, reports[1])
            stage.reserve(client, reports[2])
            stage.register(client, reports[2])
            reports[3] = stage.apply(client)
            stage.reserve(client, reports[3])
            stage.register(client, reports[3])
            self._send(self.messages // 2)
        self._go_back(backup, "recovery_target_name = 'between'")
        lost = self._lost()
        after = {name for each in stage.senders for name in _names(each)} - before
        self.breaches(set_breaches("恢复以后缺的", map(str, after), map(str, lost)))
        self._recover(lost)
        self._same_codes(reports)
        stage.site.stop()

    def keys_and_destruction(self) -> None:
        """The backup knows nothing of a changed key, of a revoked one, nor of a destroyed person."""
        stage, site = self.stage, self.stage.site
        site.start(gateways=1)
        subject, later = f"{9001:032x}", f"{9002:032x}"
        with stage.house.client(site) as client:
            self._person(client, subject)
            backup = stage.recovery.base_backup()
            site.settle()
            stage.recovery.point("keys")
            self._person(client, later)
        who = stage.contractor
        old = (who.transport, who.origin)
        self._send(self.messages // 8)
        fresh = (new_key("transport"), new_key("origin"))
        for use, key in zip(("transport", "origin"), fresh, strict=True):
            enrol_key(site, who.party, key, use)
        site.settle()
        who.transport, who.origin = fresh
        self._send(self.messages // 8)
        for key in old:
            site.desk(site.message(site.station, KeyRevoked, key_id=key.key_id, because="演练换钥"))
        for each in (subject, later):
            told = stage.command("destroy", each, "--because", "演练销毁", "--yes")
            self.require(told.returncode == 0, f"销毁没有成：{told.stderr}")
        self._go_back(backup, "recovery_target_name = 'keys'")
        lost = self._lost()
        self.require(lost, "应当有缺的")
        self._recover(lost)
        self._keys_stand(who, old)
        self._destroyed_stay((subject, later))
        site.stop()

    def in_flight(self) -> None:
        """The target lies anywhere in the WAL while many send; nobody knows the range: receipts of the last days are compared."""
        stage = self.stage
        stage.site.start(gateways=2)
        backup = stage.recovery.base_backup()
        flying = [stage.in_background(stage.traffic, self.messages, number) for number in range(3)]
        stage.site.wait(lambda: len(stage.house.acknowledged) > self.messages, "报送了一些")
        time.sleep(self.dice.random() * 0.3)
        target = stage.recovery.now()
        for each in flying:
            stage.tend_until(each, "报送完")
        self._go_back(backup, f"recovery_target_lsn = '{target}'")
        lost = self._lost()
        self.require(lost, "恢复到报送途中，却什么也没缺")
        self._recover(lost, "--days", "2")
        stage.site.stop()

    # Steps --------------------------------------------------------------------------------------------

    def _send(self, count: int) -> None:
        self.stage.tend_until(self.stage.in_background(self.stage.traffic, count), "报送")

    def _person(self, client: Any, subject: str) -> None:
        record = make_record(subject, PersonalFields(name=f"演练{subject[-4:]}"))
        self.stage.house.send(client, registered_person(self.stage.site, record), (record,))

    def _go_back(self, backup: Path, target: str) -> None:
        """Everything dies; the base backup is recovered to the target, and the platform prepared as at every start."""
        stage = self.stage
        stage.site.stop()
        stage.recovery.crash()
        stage.recovery.restore(backup, target)
        stage.prepare()

    def _lost(self) -> set[tuple[str, str]]:
        """What was acknowledged and is not in the restored journal, read from the journal itself."""
        there = {(sender, uid) for sender, uid, _, _ in self.stage.stored()}
        return set(self.stage.acknowledged()) - there

    def _recover(self, lost: set[tuple[str, str]], *how: str) -> None:
        """Signing has stopped; the epoch is opened; the list is right; all are asked; all answer by themselves."""
        stage = self.stage
        self.count("缺少（报送方的）", len(lost))
        stage.site.start(gateways=1)
        self._signing_stopped()
        size = stage.site.rows("SELECT size FROM journal.head")[0][0]
        plan = stage.log("resume")
        self.require(
            plan.returncode == 2 and "缺少：" in plan.stdout, f"另开一期没有说缺少：{plan.stderr[-200:]}"
        )
        opened = stage.log("resume", *_BY)
        self.require(opened.returncode == 0, f"没有另开：{opened.stderr[-300:]}")
        self.counts[f"{self.scene} 恢复后的日志条数"] = size
        listed = [name for who in stage.senders for name in self._list(who)]
        self.breaches(set_breaches("回执对账列出的", _entries(stage, lost), listed))
        if self.is_spoilt and self.broken:
            return
        self._bad_questions()
        self._ask(*how)
        self._await_answers()
        resent = [entry for who in stage.senders for each in who.answered for entry in each.resent]
        own = [entry for entry in resent if entry in _entries(stage, lost)]
        self.breaches(set_breaches("客户端补传的", _entries(stage, lost), own))
        refused = {
            entry: why
            for who in stage.senders
            for each in who.answered
            for entry, why in each.not_held.items()
        }
        self.require(not refused, f"有 {len(refused)} 条没有补成：{next(iter(refused.items()), '')}")
        self.count("补传", len(own))
        self._verify({entry for entry in _entries(stage, lost)})

    def _signing_stopped(self) -> None:
        stage = self.stage
        # The institution's keys are older than every backup.
        with stage.house.client(stage.site, retries=0) as client:
            try:
                client.send(number_taken(stage.site, 999_999))
                self.require(False, "恢复到以前，却还在签名收件")
            except Refused as refusal:
                self.require(refusal.status == 503, f"应当答复 503，却是 {refusal.status} {refusal}")

    def _list(self, who: Sender) -> list[str]:
        """What the sender's own receipts say is missing."""
        return [each.entry for each in self._checked(who).faults if each.kind == "missing"]

    def _checked(self, who: Sender) -> Checked:
        site = self.stage.site
        trust = (site.platform.data_dir / "trust.txt").read_text("utf-8").splitlines()
        keys = [line for line in trust if line.startswith(site.platform.origin)]
        url = f"http://127.0.0.1:{site.ports[0]}"
        with httpx.Client(trust_env=False, timeout=60) as http:
            log = Log(url, http, [parse_verifier(key) for key in keys])
            future = self.stage.in_background(receipt_check.check_receipts, who.receipts.kept(), log)
            found: Checked = self.stage.tend_until(future, "回执对账")
        return found

    def _bad_questions(self) -> None:
        """What cannot be asked is refused with the reason."""
        for options, told in (
            (("--epoch", "9", "--first", "1"), "没有缺少的段"),
            (("--epoch", "1", "--first", "0"), "还在"),
            (("--days", "0"), "不在 1 到"),
            (("--party", "0" * 32), "不是有报送密钥的单位"),
        ):
            answer = self.stage.command("retransmit", "ask", *options, *_BY)
            self.require(
                answer.returncode == 2 and told in answer.stderr, f"写错的请求没有挡住：{' '.join(options)}"
            )

    def _ask(self, *how: str) -> None:
        asked_before = self.stage.site.rows("SELECT count(*) FROM fact.retransmission")[0][0]
        self.wanted = asked_before + len(self.stage.senders)
        asked = self.stage.command("retransmit", "ask", *how, *_BY)
        self.require(asked.returncode == 0, f"请求补传没有成：{asked.stderr[-300:]}")

    def _await_answers(self) -> None:
        """The clients' own programs run until every request of the day is answered."""
        stage, stop = self.stage, threading.Event()
        for who in stage.senders:
            who.answered, who.errors = [], []
        running = [
            stage.in_background(who.answer_until, stage.site, stop, PATIENCE_S) for who in stage.senders
        ]
        began = time.monotonic()
        try:
            stage.site.wait(
                lambda: stage.site.rows(
                    "SELECT 1 FROM fact.retransmission HAVING count(*) = %s AND bool_and(stage = 'done')",
                    self.wanted,
                ),
                "各单位答复补传",
                self.within_s,
            )
        finally:
            stop.set()
            for each in running:
                stage.tend_until(each, "客户端停下")
        self.counts[f"{self.scene} 补传用时（秒）"] = round(time.monotonic() - began, 1)
        for who in stage.senders:
            self.require(not who.errors, f"{who.name} 的客户端出错：{who.errors[:1]}")
            self.require(
                len(who.answered) == 1, f"{who.name} 看到 {len(who.answered)} 个请求，应当只有自己的一个"
            )

    def _verify(self, lost: Any) -> None:
        """Everything acknowledged is there once; old receipts are of the earlier epoch; all audits are clean."""
        stage, site = self.stage, self.stage.site
        site.settle()
        stored = stage.stored()
        self.breaches(present_once(stage.acknowledged(), [each[:3] for each in stored]))
        for who in stage.senders:
            names = [each.entry for each in who.acknowledged] + [
                entry for entry in who.receipts if entry not in {each.entry for each in who.acknowledged}
            ]
            journaled = [
                row[0] for row in site.rows("SELECT id FROM fact.event WHERE sender = %s", who.party)
            ]
            if who is stage.contractor:
                self.breaches(resent_anew(names, journaled))
            found = self._checked(who)
            self.require(
                not found.faults,
                f"{who.name} 的回执对不上：{found.faults[0].sentence if found.faults else ''}",
            )
            mine = {each for each in lost if each in set(names)}
            self.require(
                mine <= set(found.resent),
                f"{who.name} 的旧回执有 {len(mine - set(found.resent))} 份没有说成补传的",
            )
        places = {row[0]: row[1] for row in site.rows("SELECT id, idx FROM fact.event")}
        self.breaches(in_order(places, stage.pairs))
        self.breaches(audit_log(site.platform.conninfo("plumb_gateway"), site.platform.folder("marks")))
        different = audit_projection({role: site.platform.conninfo(role) for role in ROLES})
        self.breaches([f"投影与重建不同：{each.sentence}" for each in different])
        parked = site.rows("SELECT count(*) FROM fact.parked")[0][0]
        self.require(parked == 0, f"停放了 {parked} 条")

    def _same_codes(self, reports: list[Report]) -> None:
        for number, report in enumerate(reports, 1):
            found = self.stage.site.rows(
                "SELECT a.state, a.code, c.state FROM fact.application a LEFT JOIN fact.code c ON c.id = a.code WHERE a.id = %s",
                report.application,
            )
            want = ("registered", report.code, "registered")
            self.require(
                bool(found) and tuple(found[0]) == want, f"第 {number} 份报告应是 {want}，却是 {found[:1]}"
            )
        self.count("报告（三步之间）", len(reports))

    def _keys_stand(self, who: Sender, old: tuple[Any, Any]) -> None:
        """What was revoked stays revoked, though the backup is older."""
        former = Sender(who.name, who.party, old[0], old[1], self.stage.folder / "former")
        with former.client(self.stage.site, retries=0) as client:
            try:
                client.send(self.stage._pour(1))
                self.require(False, "停用过的密钥在恢复以后又能用了")
            except Refused as refusal:
                self.require(refusal.slug == "key-revoked", f"停用过的密钥被拒的原因不对：{refusal}")
        former.close()

    def _destroyed_stay(self, subjects: tuple[str, ...]) -> None:
        vault = Vault(self.stage.site.platform.folder("subjects"))
        entered = [json.loads(message) for _, _, message, _ in self.stage.stored()]
        destroyed = [each["subject"] for each in entered if each["kind"] == "subject.destroyed"]
        for each in subjects:
            self.require(vault.is_destroyed(each), f"销毁过的 {each} 又回来了")
            times = destroyed.count(each)
            self.require(times == 1, f"{each} 的销毁在日志里有 {times} 条")


def _names(who: Sender) -> list[tuple[str, str]]:
    return [(each.sender, each.uid) for each in who.acknowledged]


def _entries(stage: Stage, lost: set[tuple[str, str]]) -> list[str]:
    """Entry ids of senders' names."""
    known = {(each.sender, each.uid): each.entry for who in stage.senders for each in who.acknowledged}
    return [known[name] for name in lost]


SCENES: dict[str, Callable[[Story], None]] = {
    "什么也没缺": Story.nothing_lost,
    "两次报送之间": Story.between_messages,
    "报告三步之间": Story.between_steps,
    "换钥、停用与销毁": Story.keys_and_destruction,
    "正在报送": Story.in_flight,
}


@contextmanager
def open_stage() -> Iterator[Stage]:
    """A platform of its own with two senders and an archive."""
    with tempfile.TemporaryDirectory(prefix="plr-", dir=scratch()) as folder, open_site() as site:
        Path(folder).chmod(0o755)
        stage = Stage(site, Path(folder))
        try:
            yield stage
        finally:
            stage.close()


def _found(bug: Bug, seed: int) -> str:
    """The first breach that a scene shows with the bug put in; empty when it went unnoticed."""
    print(f"恢复演练：故意的缺陷“{bug.title}”", flush=True)
    with open_stage() as stage, put_in(bug):
        attempt = Story(
            stage,
            24,
            random.Random(seed),  # noqa: S311 - a seeded story, no secret
            scene=bug.title,
            within_s=_BUG_WITHIN_S,
            is_spoilt=True,
        )
        attempt.play(bug.scene)
    print(f"  {attempt.broken[0] if attempt.broken else '没有发现'}", flush=True)
    return attempt.broken[0] if attempt.broken else ""


def run_story(arguments: argparse.Namespace) -> Outcome:
    """Every scene on one stage, one epoch after another; then the bugs that were put in on purpose, which must be found."""
    began = time.monotonic()
    chosen = {
        name: scene
        for name, scene in SCENES.items()
        if not arguments.only or any(each in name for each in arguments.only)
    }
    with open_stage() as stage:
        story = Story(stage, arguments.messages, random.Random(arguments.seed))  # noqa: S311 - a seeded story, no secret
        for name in chosen:
            print(f"恢复演练：{name}", flush=True)
            story.scene = name
            story.play(name)
        story.counts["答复过的消息"] = len(stage.acknowledged())
    counts, broken = story.counts, story.broken
    bugs = () if arguments.no_bugs else [bug for bug in BUGS if bug.scene in chosen]
    told = {bug.title: _found(bug, arguments.seed) for bug in bugs}
    broken += [f"故意的缺陷“{title}”没有发现" for title, found in told.items() if not found]
    counts |= {"故意的缺陷": len(bugs), "发现": sum(map(bool, told.values()))}
    counts |= {f"缺陷“{title}”的发现": found for title, found in told.items() if found}
    return Outcome(
        drill="restore",
        seed=arguments.seed,
        seconds=time.monotonic() - began,
        counts=counts,
        broken=tuple(broken),
        left_out=(
            "连水位一起恢复（整台主机）在 plumbline drill cosign",
            "文件夹与数据库一起恢复到以前：只恢复数据库",
        ),
    )
