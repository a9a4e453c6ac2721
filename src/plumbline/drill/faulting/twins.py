"""Two of everything (两个网关), partitions that are missing (缺分区), heads of another time (水位): one history, nothing twice."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from plumbline.drill.faulting.course import Course, Told
from plumbline.drill.kill import chain
from plumbline.drill.kill.invariants import find_decisions, find_message
from plumbline.drill.kill.ledger import Upload, number_taken, received
from plumbline.embedded.identity import choose_identity
from plumbline.evidence.mark import HeadMark
from plumbline.exchange.encode import encode_message
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.uids import new_uid
from plumbline.sdk.client import Outgoing
from plumbline.sdk.client.problems import Refused
from plumbline.supervision.boot import reopen
from plumbline.supervision.journal.setup import partition_name
from plumbline.supervision.run import EachSecond

_RACES = 40
#: A message of so many months ago: its partition holds nothing, and the door still takes it.
_MONTHS_AGO = 9


def _at_once(course: Course, uploads: list[Upload]) -> list[Told]:
    """One attempt each, at the same moment, at one gateway each."""
    barrier, told = threading.Barrier(len(uploads)), [Told(status=0)] * len(uploads)

    def run(number: int) -> None:
        barrier.wait(30)
        told[number] = course.attempt(uploads[number], number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(uploads))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return told


def same_message(course: Course) -> None:
    """The same bytes to both gateways at once: one entry, the same place, both receipts good."""
    for _ in range(_RACES):
        first = course.ledger.message(received(course.site, course.ledger.serial()))
        second = course.ledger.add(Upload(what="message", data=first.data, uid=first.uid))
        told = _at_once(course, [first, second])
        if not course.require(all(each.is_taken for each in told), f"没有都答复已收：{told}"):
            continue
        places = {(each.answer or {})["index"] for each in (first, second)}
        entries = {(each.answer or {})["entry"] for each in (first, second)}
        course.require(len(places) == len(entries) == 1, f"两张回执说的不是同一条：{places}")
        course.require(find_message(course.site, first) == 1, "同一条消息入账不是一次")
        course.count("同时送到两个网关")


def two_contents(course: Course) -> None:
    """One uid with two contents at once: one of them is taken, the other is told why not."""
    for _ in range(_RACES // 2):
        serial = course.ledger.serial()
        message = received(course.site, serial)
        other = type(message)(**{**_fields(message), "site": "S2"})
        pair = [
            course.ledger.add(Upload(what="message", data=encode_message(each), uid=str(each.uid)))
            for each in (message, other)
        ]
        _one_wins(course, pair, "uid-conflict")


def _fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def one_claim(course: Course) -> None:
    """One report number in two messages at once: one of them is taken."""
    for _ in range(_RACES // 2):
        serial = course.ledger.serial()
        pair = [course.ledger.message(number_taken(course.site, serial)) for _ in range(2)]
        _one_wins(course, pair, "claim-lost")


def _one_wins(course: Course, pair: list[Upload], slug: str) -> None:
    told = _at_once(course, pair)
    slugs = sorted(each.slug for each in told)
    course.require(slugs == ["", slug], f"应有一条收下、一条答复 {slug}，实为 {told}")
    course.require(sum(find_message(course.site, each) for each in pair) == 1, "不是正好一条入账")
    course.count("同时送到两个网关")


def held_in_transaction(course: Course) -> None:
    """A gateway that stands still with the head locked: the database ends its session, the other goes on, it acknowledges nothing."""
    _held(course, "append.before_commit", goes_on=False)


def held_before_signing(course: Course) -> None:
    """A gateway that stands still after its commit, while the other signs a larger head: its receipt is still one of the same log."""
    _held(course, "append.after_commit", goes_on=True)


def _held(course: Course, point: str, *, goes_on: bool) -> None:
    site, upload = course.site, course.ledger.next(course.site)
    site.wait(lambda: site.arm("gateway-0", {point: "hold"}) is not None, "网关 0 接受故障点")
    future = course.in_background(course.attempt, upload, 0)
    try:
        site.wait(lambda: point in (site.arm("gateway-0", None) or []), f"网关 0 停在 {point}")
        others = [course.ledger.next(site) for _ in range(3)]
        for each in others:
            course.delivered(each, 1)
    finally:
        site.arm("gateway-0", {})
    site.wait(future.done, "停住的网关答复")
    told = future.result()
    course.require(told.is_taken == goes_on, f"停住的网关放开以后答复 {told}")
    course.delivered(upload)
    course.require(find_message(site, upload) == 1, "不是正好一条入账")


def two_workers(course: Course) -> None:
    """Two workers and two projectors: each application gets one decision, each entry is projected once."""
    entries = []
    for _ in range(6):
        upload = course.ledger.message(chain.applied(course.site, course.ledger.serial()))
        course.delivered(upload)
        entries.append(str((upload.answer or {})["entry"]))
    for entry in entries:
        course.site.wait(partial(chain.state_of, course.site, entry), "申请得到决定")
        course.site.wait(partial(find_decisions, course.site, entry), "决定入账")
    course.site.settle()
    made = [find_decisions(course.site, entry) for entry in entries]
    course.require(made == [1] * len(entries), f"每份申请的决定数：{made}")


def second_supervisor(course: Course) -> None:
    """Somebody starts the platform a second time on the same folder: refused in one sentence, and nothing of the first is touched."""
    before, data_dir = course.pids(), course.site.platform.data_dir
    argv = [sys.executable, "-m", "plumbline.cli", "supervision", "serve", "--data-dir", str(data_dir)]
    done = subprocess.run(
        [*argv, "--port", "0"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    course.require(done.returncode != 0, "同一个数据目录起了第二套")
    course.require(str(data_dir) in said and "另一个" in said, f"拒绝的话没有说清：{said[-200:]}")
    course.require("Traceback" not in said, "拒绝的话是一段程序出错")
    course.some(3)
    course.require(course.pids() == before, "第一套的进程重新启动过")


def killed_job(course: Course) -> None:
    """A job that a page ordered, its process killed in the middle: it is done again by itself, and settled once."""
    site, job = course.site, uuid.uuid4().hex
    principal = {"role": "officer", "account": f"drill-{job[:8]}", "division": "610300"}
    state = "SELECT state, problem, finished_at IS NOT NULL FROM ops.job WHERE id = %s"
    with course.as_owner() as conn:
        with conn.transaction():
            conn.execute(
                "LOCK TABLE web.accounts_account IN ACCESS EXCLUSIVE MODE"
            )  # what the job reads first
            with psycopg.connect(site.platform.conninfo("plumb_web")) as web:
                web.execute(
                    "INSERT INTO ops.job (id, kind, owner, principal) VALUES (%s, 'list_export', 'drill', %s::jsonb)",
                    [job, json.dumps(principal)],
                )
            site.wait(lambda: site.rows(state, job, role="plumb_web")[0][0] == "running", "任务开始办")
            killed = site.wait(
                lambda: [pid for pid in _jobs(site.platform.data_dir) if _killed(pid)], "任务的进程"
            )
            course.count("杀死的任务进程", len(killed))
        began = time.monotonic()
    site.wait(lambda: site.rows(state, job, role="plumb_web")[0][2], "任务办完", 120)
    course.count("任务补办用了几秒（最多 120）", int(time.monotonic() - began))
    told = site.rows(state, job, role="plumb_web")[0]
    course.require(told[0] == "failed" and "停用" in told[1], f"补办的结果不是这个人该得到的：{told}")


def _jobs(data_dir: Path) -> list[int]:
    """Processes that do jobs of this platform."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                around = (entry / "environ").read_bytes()
                if b"plumbline.supervision.jobs" in words and str(data_dir).encode() in around:
                    found.append(int(entry.name))
    return found


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


# Partitions ---------------------------------------------------------------------------------------------


def _keeper(course: Course) -> EachSecond:
    """What the supervising process looks after each minute, its clock a minute on."""
    now = [0.0]
    each = EachSecond(course.site.platform, None, course.site.told.append, clock=lambda: now[0])
    now[0] = 1e6
    return each


def _detach(course: Course, name: str, *, drop: bool) -> None:
    with course.as_owner() as conn:
        table = sql.Identifier("journal", name)
        conn.execute(sql.SQL("ALTER TABLE journal.entry DETACH PARTITION {}").format(table))
        if drop:
            conn.execute(sql.SQL("DROP TABLE {}").format(table))


def month_of_one(course: Course) -> None:
    """A message whose month is missing is refused for itself; what came with it is taken; the supervising process makes the month."""
    site, then = course.site, datetime.now(UTC) - timedelta(days=30 * _MONTHS_AGO)
    _detach(course, partition_name(then.year, then.month), drop=True)
    message = received(site, course.ledger.serial())
    old = type(message)(**{**_fields(message), "uid": new_uid(then)})
    late = course.ledger.add(Upload(what="message", data=encode_message(old), uid=str(old.uid)))
    others = [course.ledger.next(site) for _ in range(4)]
    _together(course, [others[0], others[1], late, others[2], others[3]], late)
    course.must_come_again(late, "没有这个月份的分区时，", saying="月份")
    _keeper(course)()
    told = course.attempt(late)
    course.require(told.is_taken, f"看护进程看过以后，这条消息仍然收不下：{told}")
    course.require(find_message(site, late) == told.is_taken, "不是正好一条入账")


def _together(course: Course, uploads: list[Upload], late: Upload) -> None:
    """Several in one request, of which one has no partition."""
    site = course.site
    outgoing = [
        Outgoing(data=each.data, origin=[sign_origin(site.origin_key, each.data)], personal=each.personal)
        for each in uploads
    ]
    with site.client(0) as client:
        try:
            answers = client.send_many(outgoing)
        except (Refused, httpx.HTTPError, RuntimeError) as error:
            course.require(False, f"缺一个月份，同来的都没有收下：{error}")
            return
    for upload, answer in zip(uploads, answers, strict=True):
        upload.attempts += 1
        if upload is late:
            course.require(isinstance(answer, Refused), "没有分区的消息答复已收")
        elif isinstance(answer, Refused):
            course.require(False, f"缺一个月份，同来的别的消息被拒：{answer.slug}")
        else:
            upload.answer = answer.body


def this_month(course: Course) -> None:
    """This month's partition is away with all that is in it: nothing is acknowledged, nothing is lost, and it comes back."""
    site, now = course.site, datetime.now(UTC)
    known = course.some(2)
    size = course.size()
    _detach(course, partition_name(now.year, now.month), drop=False)
    wanted = [course.ledger.next(site), course.ledger.file(1234)]
    for upload in (*wanted, known[0]):
        if upload.what == "message":
            course.must_come_again(upload, "本月的分区不在时，")
        else:
            told = course.attempt(upload)
            course.require(upload in known or told.is_come_again, f"本月的分区不在时，文件的答复：{told}")
    course.require(course.size() == size, "分区不在时日志变长了")
    _keeper(course)()
    for upload in wanted:
        course.delivered(upload)
    course.require(course.size() == size + len(wanted), "分区回来以后条数不对")


def month_of_codes(course: Course) -> None:
    """The month of the codes is missing: a reservation waits, and is projected as soon as the partition is there."""
    site, now = course.site, datetime.now(UTC)
    upload = course.ledger.message(chain.applied(site, course.ledger.serial()))
    course.delivered(upload)
    application = str((upload.answer or {})["entry"])
    site.wait(lambda: (chain.state_of(site, application) or ("",))[0] == "withheld", "暂不发放")
    with course.as_owner() as conn:
        conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("fact", f"code_{now:%y%m}")))
    chain.release(site, application)
    parked = "SELECT count(*) FROM fact.parked"
    site.wait(lambda: site.rows(parked)[0][0], "没有分区的发码搁置")
    course.some(2)  # it holds up nobody else
    _keeper(course)()
    course.require(site.rows(parked)[0][0] == 0, "分区建成以后，搁置的没有补上")
    site.wait(lambda: (chain.state_of(site, application) or ("",))[0] == "reserved", "发码")


# Heads --------------------------------------------------------------------------------------------------


def _register_hosts(course: Course) -> None:
    """Two signing hosts, each with a mark of its own; from now on each asks the other."""
    site, marks = course.site, course.site.platform.folder("marks")
    shutil.copyfile(marks / "local.mark", marks / "second.mark")
    site.hosts = {"gateway-1": "second"}
    with course.as_owner() as conn:
        for host, port in zip(("local", "second"), site.ports, strict=True):
            conn.execute(
                "INSERT INTO ops.signing_host (host, mark_url) VALUES (%s, %s) ON CONFLICT (host) DO NOTHING",
                [host, f"http://127.0.0.1:{port}/x/v1/log/mark"],
            )
    _restart(course)


def _restart(course: Course, swap: Path | None = None) -> None:
    """Stop everything, put other files of the database into place, start everything at the same addresses."""
    site, cluster = course.site, course.site.cluster
    assert cluster is not None
    site.stop()
    cluster.stop()
    if swap is not None:
        pgdata = cluster.folder.pgdata
        shutil.rmtree(pgdata)
        shutil.copytree(swap, pgdata)
        choose_identity().own(pgdata)
    site.running = cluster.start()
    site.platform = reopen(site.platform.data_dir, site.running)
    site.start(gateways=len(site.ports))


def _copy(course: Course, name: str) -> Path:
    """A cold copy of the database's files as they are; the platform goes on afterwards."""
    site, cluster = course.site, course.site.cluster
    assert cluster is not None
    site.stop()
    cluster.stop()
    target = site.platform.data_dir / name
    shutil.copytree(cluster.folder.pgdata, target)
    site.running = cluster.start()
    site.platform = reopen(site.platform.data_dir, site.running)
    site.start(gateways=len(site.ports))
    return target


def _mark(course: Course, host: str = "local") -> Path:
    return course.site.platform.folder("marks") / f"{host}.mark"


def _signs_nothing(course: Course, what: str, gateways: tuple[int, ...]) -> None:
    """Refused in plain words, the log does not grow, and no checkpoint is given."""
    size = course.size()
    for number in gateways:
        # numbered so that a bug's entry does not stand in the way of what is sent afterwards
        probe = Upload(what="message", data=_probe(course), uid=str(uuid.uuid4()))
        course.must_come_again(probe, what, number)
    course.require(course.size() == size, f"{what}日志变长了")


def _probe(course: Course) -> bytes:
    return encode_message(received(course.site, course.ledger.serial()))


def database_before(course: Course) -> None:
    """The database of an earlier moment, the mark of now: refused until the newer database is back."""
    course.some(4)
    old = _copy(course, "old")
    course.some(6)
    new = _copy(course, "new")
    _restart(course, old)
    _signs_nothing(course, "数据库回到以前，", (0, 1))
    course.require(
        "恢复到了以前" in course.attempt(Upload(what="message", data=_probe(course)), 0).words,
        "没有说数据库回到了以前",
    )
    _restart(course, new)
    course.some(3)
    shutil.rmtree(old)
    shutil.rmtree(new)


def mark_before(course: Course) -> None:
    """The mark of an earlier moment, the database of now: it is the same history, and goes on."""
    course.some(2)
    kept = _mark(course).read_bytes()
    course.some(5)
    course.site.stop()
    _mark(course).write_bytes(kept)
    course.site.start(gateways=len(course.site.ports))
    course.some(3)
    mark = HeadMark(_mark(course)).read()
    course.require(mark is not None and mark.size == course.head(), "水位没有跟上日志")


def both_before(course: Course) -> None:
    """Database and own mark of the same earlier moment: only the other host knows better, and it is asked."""
    _register_hosts(course)
    course.some(4)
    old, kept = _copy(course, "old"), _mark(course).read_bytes()
    for _ in range(4):
        course.delivered(course.ledger.next(course.site), 1)
    new = _copy(course, "new")
    newest = _mark(course).read_bytes()
    course.site.stop()
    _mark(course).write_bytes(kept)
    _restart(course, old)
    _signs_nothing(course, "数据库和本机水位一起回到以前，", (0, 1))
    course.site.stop()
    _mark(course).write_bytes(newest)
    _restart(course, new)
    course.some(3)
    shutil.rmtree(old)
    shutil.rmtree(new)


def mark_gone(course: Course) -> None:
    """The mark is lost, or damaged: nothing is signed; with the mark back it goes on."""
    site = course.site
    course.some(2)
    kept = _mark(course).read_bytes()
    for what in (b"", kept[:-3] + b"00\n", None, kept):
        site.stop()
        if what is None:
            _mark(course).unlink()
        else:
            _mark(course).write_bytes(what)
        site.start(gateways=len(site.ports))
        if what != kept:
            _signs_nothing(course, "水位读不出来，" if what is not None else "水位不在，", (0,))
    course.some(2)


TWINS = {
    "两个网关：同一条消息同时送到": same_message,
    "两个网关：同一个 uid 两份内容": two_contents,
    "两个网关：同一个报告编号": one_claim,
    "两个网关：一个停在事务里": held_in_transaction,
    "两个网关：一个停在签名前": held_before_signing,
    "两个后台、两个投影": two_workers,
    "被杀死的任务：自己补办": killed_job,
    "同一个数据目录启动两次": second_supervisor,
    "缺分区：一条消息的月份": month_of_one,
    "缺分区：本月": this_month,
    "缺分区：监管码的月份": month_of_codes,
}
HEADS = {
    "水位：数据库回到以前": database_before,
    "水位：本机水位回到以前": mark_before,
    "水位：数据库和本机水位一起回到以前": both_before,
    "水位：不在或损坏": mark_gone,
}
