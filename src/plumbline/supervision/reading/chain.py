"""The custody chain of one report (保管链): eight kinds of step in the order of events, each with its record
or the lack of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from plumbline.supervision.pages.view_models import Interval, KeyPicture, StepState, TraceStep
from plumbline.supervision.pages.wording import PICTURE_TITLES, PictureKind, StepKind
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.files import key_picture
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.proofs import CheckpointFacts, chip, cosigned_by
from plumbline.supervision.reading.report_facts import CustodyFacts, ReportFacts, SampleRecord
from plumbline.web.formats import grouped_number, local_time, log_place

#: Pictures that a step should have; a record that lacks one shows it as missing.
EXPECTED = {
    StepKind.SAMPLING: (PictureKind.PLACARD, PictureKind.SEALED_SAMPLE, PictureKind.SAMPLER),
    StepKind.WITNESSING: (PictureKind.WITNESS,),
    StepKind.TEST: (PictureKind.PRESS_START, PictureKind.BREAK),
}
_FACES = {"passed": "人脸核验通过", "alternative": "人脸核验用替代方式", "not_done": "没有做人脸核验"}
#: What became of the report, where that is not plainly in order.
_REPORT_STATES = {
    "withheld": StepState.BAD,
    "applied": StepState.WARN,
    "released": StepState.WARN,
    "withdrawn": StepState.WARN,
    "superseded": StepState.WARN,
}


class Custody:
    """Makes the steps of samples; `visible` are the findings that this reader may see."""

    def __init__(
        self,
        facts: CustodyFacts,
        names: Names,
        checkpoint: CheckpointFacts | None,
        stored: Mapping[str, str],
        visible: list[Row],
    ) -> None:
        self._facts = facts
        self._names = names
        self._covered = checkpoint.covered if checkpoint else 0
        self._checkpoint = checkpoint
        self._stored = stored
        self._findings = visible

    def sample_chain(self) -> tuple[TraceStep, ...]:
        """Contract, commission and what happened to each sample."""
        steps = [self._contract()]
        for sample in self._facts.samples:
            steps += _with_commission(self._sample_steps(sample), self._commission())
        return tuple(steps)

    def _sample_steps(self, sample: SampleRecord) -> list[TraceStep]:
        return [self._sampling(sample), self._witnessing(sample), self._receipt(sample), self._test(sample)]

    def _step(self, kind: StepKind, record: Row, **parts: Any) -> TraceStep:
        """A recorded step: its proof from its entry, its state from the findings about it."""
        entry = self._facts.events.get(record["entry"])
        roles = (self._facts.parties.get(record["sender"]) or {}).get("roles") or []
        proof = chip(
            entry,
            covered=self._covered,
            roles=roles,
            is_machine=kind is StepKind.TEST,
            is_keyed=record.get("data_origin") == "keyed",
        )
        state = parts.pop("state", StepState.OK)
        return TraceStep(kind=kind, state=state, proof=proof, source=proof.source if proof else "", **parts)

    def _missing(self, kind: StepKind, reason: str, *, note: str = "") -> TraceStep:
        return TraceStep(kind=kind, state=StepState.MISSING, reason_if_missing=reason, title_note=note)

    def _contract(self) -> TraceStep:
        contract = self._facts.contract
        if contract is None:
            return self._missing(StepKind.CONTRACT, "委托单引用的合同没有报送。")
        client = self._facts.parties.get(contract["client"])
        return self._step(
            StepKind.CONTRACT,
            contract,
            when=contract["occurred_at"],
            who=client["name"] if client else "委托单位没有登记",
            what=f"合同 {contract['number']}，{contract['body']['signed_on']} 签订",
        )

    def _commission(self) -> TraceStep:
        commission = self._facts.commission
        if commission is None:
            return self._missing(StepKind.COMMISSION, "报告引用的委托单没有报送。")
        submitter = commission["body"].get("submitter")
        client = self._facts.parties.get(self._facts.contract["client"]) if self._facts.contract else None
        who = self._names.name(submitter) + " · 送检" if submitter else (client["name"] if client else "")
        category = words.TEST_CATEGORIES.get(commission["test_category"]) or str(commission["test_category"])
        about = [f"委托 {commission['number']}", category, *_asked(self._facts)]
        return self._step(
            StepKind.COMMISSION, commission, when=commission["occurred_at"], who=who, what="，".join(about)
        )

    def _sampling(self, sample: SampleRecord) -> TraceStep:
        record = sample.row
        if record is None:
            return self._missing(StepKind.SAMPLING, f"样品 {sample.id[:8]}… 的取样记录没有报送。")
        body = record["body"]
        made, entered = record["made_at"], record["occurred_at"]
        late = self._finding("custody.late_registration", sample.id)
        where = [body.get("unit_work") or "", record["structural_part"], _position(body)]
        return self._step(
            StepKind.SAMPLING,
            record,
            url=f"/samples/{sample.id}/",
            state=self._state(
                sample.id,
                (
                    "custody.late_registration",
                    "custody.unconfirmed_sampler",
                    "custody.reused_tag",
                    "custody.unissued_tag",
                ),
            ),
            when=entered,
            who=self._names.with_certificate(record["sampler"], "取样员"),
            what=f"{len(record['tags'])} 件，标识 {_tags(record['tags'])}，{local_time(made, 'short')} 成型",
            where="，".join(part for part in where if part),
            interval_before=Interval(
                text=words.after("成型", entered - made), breach=_overrun("成型到登记", late)
            ),
            pictures=self._pictures(StepKind.SAMPLING, body),
        )

    def _witnessing(self, sample: SampleRecord) -> TraceStep:
        record, category = sample.witnessing, (self._facts.commission or {}).get("test_category", "")
        if record is None:
            body = (sample.row or {}).get("body", {})
            said = body.get("unwitnessed_because") or body.get("missing_pictures")
            asked = (
                "委托类别是见证取样，应当有。"
                if category in ("witnessed", "doubled_retest", "parallel")
                else "这个委托类别不要求见证。"
            )
            return self._missing(
                StepKind.WITNESSING,
                f"这组样品没有见证记录，{asked}" + (f"取样人说明：{said}" if said else ""),
            )
        body, entered = record["body"], (sample.row or record)["occurred_at"]
        late = self._finding("custody.late_witnessing", sample.id)
        seal = f"封志 {record['seal']} 已加封" if record["seal"] else "没有封志"
        face = _FACES.get(body.get("face_verification", ""), "")
        return self._step(
            StepKind.WITNESSING,
            record,
            state=self._state(sample.id, ("custody.late_witnessing", "custody.unconfirmed_witness")),
            when=record["witnessed_at"],
            who=self._names.with_certificate(record["witness"], "见证员"),
            what="，".join(part for part in (seal, face) if part),
            where=_position(body),
            interval_before=Interval(
                text=words.after("取样登记", record["witnessed_at"] - entered),
                breach=_overrun("取样登记到见证", late),
            ),
            pictures=self._pictures(StepKind.WITNESSING, body),
        )

    def _receipt(self, sample: SampleRecord) -> TraceStep:
        if not sample.receipts:
            return self._missing(StepKind.RECEIPT, "机构没有报送收样记录。")
        record = sample.receipts[-1]
        body = record["body"]
        scanned = body["scanned"]
        broken = [scan["tag"] for scan in scanned if not scan["seal_intact"]]
        seals = f"封志破损 {'、'.join(broken)}" if broken else "封志完好"
        what = (
            f"逐件扫码 {len(scanned)} 件，{seals}，见证人员{'在场' if body['witness_present'] else '不在场'}"
        )
        if not record["accepted"]:
            what = f"拒收：{body.get('refusal') or '没有写原因'}"
        before = sample.witnessing or sample.row
        word = "见证" if sample.witnessing else "取样"
        return self._step(
            StepKind.RECEIPT,
            record,
            state=self._state(
                sample.id,
                (
                    "custody.wrong_tag",
                    "custody.unscanned_tag",
                    "custody.broken_tag",
                    "custody.absent_witness",
                    "custody.second_receipt",
                ),
            ),
            when=record["occurred_at"],
            who=f"{self._names.name(body['receiver'])} · 收样员",
            what=what,
            where=f"检测场所 {record['site']}",
            interval_before=Interval(text=words.after(word, record["occurred_at"] - before["occurred_at"]))
            if before
            else None,
            pictures=self._pictures(StepKind.RECEIPT, body),
            title_note=f"第 {len(sample.receipts)} 次收样" if len(sample.receipts) > 1 else "",
        )

    def _test(self, sample: SampleRecord) -> TraceStep:
        if not sample.runs:
            return self._missing(StepKind.TEST, "报告没有列出这组样品的试验记录。")
        record = sample.runs[-1]
        body = record["body"]
        machine = self._facts.instruments.get(f"{record['institution']}/{record['instrument']}")
        what = [_machine(record, machine), f"{len(body['specimens'])} 件"]
        what += (
            ["人工录入" + (f"，{body['keyed_because']}" if body.get("keyed_because") else "")]
            if record["data_origin"] == "keyed"
            else []
        )
        what += [f"另有 {len(sample.other_runs)} 次试验没有列入报告"] if sample.other_runs else []
        return self._step(
            StepKind.TEST,
            record,
            url=f"/tests/{record['id']}/",
            state=self._state(record["id"]),
            when=record["started_at"],
            who=self._names.with_certificate(record["technician"], "检测员"),
            what="，".join(what),
            where=_climate(body),
            interval_before=self._age(sample, record),
            pictures=self._pictures(StepKind.TEST, body),
            title_note=f"{len(sample.runs)} 次" if len(sample.runs) > 1 else "",
        )

    def _age(self, sample: SampleRecord, run: Row) -> Interval | None:
        if sample.row and sample.row["required_age_d"]:
            found = self._finding("custody.late_test", run["id"]) or self._finding(
                "custody.early_test", run["id"]
            )
            age = run["started_at"] - sample.row["made_at"]
            kind = words.CURING.get(sample.row["curing"], "")
            text = (
                f"龄期 {words.span(age)}，要求 {sample.row['required_age_d']} 天{'，' + kind if kind else ''}"
            )
            return Interval(
                text=text, breach=f"{text}，{found['facts'].get('tolerance', '')} 以外" if found else None
            )
        if sample.receipts:
            return Interval(text=words.after("收样", run["started_at"] - sample.receipts[-1]["occurred_at"]))
        return None

    def _finding(self, code: str, subject: str) -> Row | None:
        return next(
            (each for each in self._findings if each["code"] == code and each["subject"] == subject), None
        )

    def _state(self, subject: str, codes: tuple[str, ...] = ()) -> StepState:
        """The worst of what was found about the step, as this reader may see it."""
        about = [
            each["severity"]
            for each in self._findings
            if each["subject"] == subject and (not codes or each["code"] in codes)
        ]
        if "severe" in about or "block" in about:
            return StepState.BAD
        return StepState.WARN if "warning" in about else StepState.OK

    def _pictures(self, kind: StepKind, body: Row) -> tuple[KeyPicture, ...]:
        """The step's pictures, and the expected ones that it lacks."""
        known = {each.value for each in PictureKind}
        taken = [each for each in body.get("pictures") or []]
        shown = [key_picture(each, self._facts.address, self._stored) for each in taken]
        have = {each["picture"] for each in taken if each["picture"] in known}
        reason = body.get("missing_pictures") or ""
        shown += [
            KeyPicture(kind=each, caption=PICTURE_TITLES[each], missing_reason=reason)
            for each in EXPECTED.get(kind, ())
            if each.value not in have
        ]
        return tuple(shown)


class Chain(Custody):
    """Makes the steps of one report."""

    def __init__(
        self,
        facts: ReportFacts,
        names: Names,
        checkpoint: CheckpointFacts | None,
        stored: Mapping[str, str],
        visible: list[Row],
    ) -> None:
        super().__init__(facts, names, checkpoint, stored, visible)
        self._of = facts

    def steps(self) -> tuple[TraceStep, ...]:
        """All steps; several samples repeat the steps between contract and report."""
        samples = self._facts.samples
        several = len(samples) > 1
        chain = [self._contract()]
        commission = self._commission()
        for number, sample in enumerate(samples, start=1):
            part = self._sample_steps(sample)
            if several:
                part = [
                    replace(step, title_note=f"样品 {number} {step.title_note}".strip(), place=number)
                    for step in part
                ]
            chain += part if number > 1 else _with_commission(part, commission)
        if not samples:
            chain += [commission, *(self._missing(kind, "报告没有列出样品。") for kind in _SAMPLE_KINDS)]
        return (*chain, self._report(), self._evidence())

    def _report(self) -> TraceStep:
        record = self._of.application
        body, state = record["body"], record["state"]
        reviewer, approver = self._names.name(body["reviewer"]), self._names.name(body["approver"])
        finished = max((run["finished_at"] for run in self._of.runs), default=None)
        approved = datetime.fromisoformat(body["approved_at"])
        shown = _REPORT_STATES.get(state, StepState.OK)
        if record["body"]["reviewer"] == record["body"]["approver"]:
            shown = StepState.WARN if shown is StepState.OK else shown
        return self._step(
            StepKind.REPORT,
            record,
            state=shown,
            when=approved,
            who=f"审核 {reviewer} · 批准 {approver}",
            what=_standing(self._of),
            interval_before=Interval(text=words.after("试验", approved - finished)) if finished else None,
        )

    def _evidence(self) -> TraceStep:
        record = self._of.registration or self._of.application
        entry = self._facts.events.get(record["entry"])
        if entry is None:
            return self._missing(StepKind.EVIDENCE, "日志里还没有这份报告。")
        what = "还没有检查点覆盖这一条"
        if self._checkpoint and entry["idx"] < self._checkpoint.covered:
            cosigned = cosigned_by(settings.PLUMBLINE_PLATFORM.origin, entry["idx"])
            what = f"检查点 {grouped_number(self._checkpoint.size)} 条，{cosigned.text}"
        word = "登记" if self._of.registration else "申请"
        return replace(
            self._step(
                StepKind.EVIDENCE,
                record,
                when=entry["logged_at"],
                who=f"日志序号 {log_place(entry['idx'])}",
                what=what,
            ),
            source="本平台 · 日志密钥",
            interval_before=Interval(
                text=words.after(f"{word}收到", entry["logged_at"] - entry["arrived_at"])
            ),
        )


_SAMPLE_KINDS = (StepKind.SAMPLING, StepKind.WITNESSING, StepKind.RECEIPT, StepKind.TEST)


def _with_commission(part: list[TraceStep], commission: TraceStep) -> list[TraceStep]:
    """The commission where it happened: before the sampling when it was earlier, else before the receipt."""
    sampled = part[0].when
    if commission.when is None or sampled is None or commission.when <= sampled:
        return [commission, *part]
    said = replace(commission, interval_before=Interval(text=words.after("取样", commission.when - sampled)))
    return [*part[:2], said, *part[2:]]


def _asked(facts: CustodyFacts) -> list[str]:
    """Grade, curing and age of the first sample: what was asked to be tested."""
    first = next((sample.row for sample in facts.samples if sample.row), None)
    if first is None:
        return []
    age = (
        f"{words.CURING.get(first['curing'], '')} {first['required_age_d']} d".strip()
        if first["required_age_d"]
        else ""
    )
    return [part for part in (first["grade"] or "", age) if part]


def _tags(tags: list[str]) -> str:
    return tags[0] if len(tags) == 1 else f"{tags[0]} 至 {tags[-1]}" if len(tags) > 2 else "、".join(tags)


def _position(body: Row) -> str:
    place = body.get("position")
    if not place:
        return ""
    mocked = "，定位是模拟的" if place.get("mocked") else ""
    return f"定位 {place['longitude']}, {place['latitude']}{mocked}"


def _climate(body: Row) -> str:
    room = body.get("environment") or {}
    parts = [
        f"{room['temperature_C']} °C" if room.get("temperature_C") else "",
        f"湿度 {room['humidity_pct']} %" if room.get("humidity_pct") else "",
    ]
    return "，".join(part for part in parts if part)


def _machine(run: Row, machine: Row | None) -> str:
    if machine is None:
        return f"仪器 {run['instrument']} 没有登记"
    if machine["idx"] > run["idx"]:  # calibrated anew or registered since: that says nothing of this test
        return f"{machine['name']} {run['instrument']}"
    return f"{machine['name']} {run['instrument']}，校准至 {machine['calibrated_until'].isoformat()}"


def _standing(facts: ReportFacts) -> str:
    """What became of the application, in one line."""
    state, reasons = facts.application["state"], facts.application["reasons"] or []
    if state == "withheld":
        return f"暂不发码，{len(reasons)} 条原因：" + "；".join(reason["sentence"] for reason in reasons)
    if state in ("applied", "released"):
        return "已申请监管码，正在判定"
    if state == "reserved":
        return "监管码已预留，终稿还没有登记"
    if state == "expired":
        return "预留的监管码过期没有使用"
    registered = facts.registration
    if registered is None:
        return "监管码已发"
    signed = {True: "签章查验通过", False: "签章没有通过查验", None: "签章正在查验"}[
        registered["accepted"] if registered["examined"] else None
    ]
    said = f"终稿 {local_time(registered['logged_at'], 'short')} 登记，{signed}"
    if state == "withdrawn":
        when = local_time(registered["withdrawn_at"], "short") if registered["withdrawn_at"] else ""
        return f"{said}，{when} 撤回：{registered['withdrawn_because'] or '没有写原因'}"
    return f"{said}，已被新版替代" if state == "superseded" else said


def _overrun(what: str, late: Row | None) -> str | None:
    """成型到登记 34 分钟，限 30 分钟，超 4 分钟; None when it was in time or may not be told to this
    reader."""
    if late is None:
        return None
    taken, limit = (timedelta(seconds=int(late["facts"][name])) for name in ("taken_s", "limit_s"))
    return f"{what} {words.span(taken)}，限 {words.span(limit)}，超 {words.span(taken - limit)}"
