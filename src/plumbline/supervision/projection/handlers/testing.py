"""Runs with their curves, corrections, reviews, recomputation (试验类投影)."""

from __future__ import annotations

from typing import cast

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.custody.timing import AgeFacts, age_outside_window
from plumbline.exchange.messages import platform as platform_messages
from plumbline.exchange.messages import testing as messages
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.curve_rows import curve_rows
from plumbline.supervision.projection.handlers.custody import foreign_commission
from plumbline.supervision.projection.handlers.standing import (
    carries_commission,
    foreign_sender,
    is_platform,
    refused,
    unknown_object,
    works_on,
)
from plumbline.supervision.projection.table import Row, body_of
from plumbline.supervision.rules import parameters


def _replace_curves(p: Projection, run: str, before: Row | None, rows: dict[str, Row]) -> None:
    """Curves stand under the run's own id; those of its earlier version go, they are in the log for ever."""
    for specimen in body_of(before)["specimens"] if before else ():
        for channel in (specimen.get("curve") or {}).get("channels", []):
            p.state.delete("curve", f"{run}/{specimen['ordinal']}/{channel['channel']}")
    for name, row in rows.items():
        p.state.put("curve", f"{run}/{name}", row | {"run": run})


def record_run(p: Projection) -> str:
    """A test: a run without sample, before its receipt, out of calibration or outside the age window is stored with its finding."""
    m = cast(messages.RunRecorded, p.arrival.message)
    institution = p.arrival.sender
    sample, before = p.state.get("sample", m.sample), p.superseded("run")
    rows = p.arrival.curves if p.arrival.curves is not None else curve_rows(m)
    counts = [row["points"] for row in rows.values() if row["channel"] in ("force", "stress")]
    run = p.put_object(
        "run",
        {
            "commission": m.commission,
            "sample": m.sample,
            "project": sample["project"] if sample else None,
            "institution": institution,
            "site": m.site,
            "category": m.category,
            "parameters": m.parameters,
            "method": m.method,
            "edition": m.edition,
            "instrument": m.instrument,
            "technician": m.technician,
            "data_origin": m.data_origin,
            "started_at": m.started_at,
            "finished_at": m.finished_at,
            "discarded": m.discarded,
            "curves": len(counts),
            "points": min(counts, default=0),
            "evaluated": m.discarded,
            "jurisdiction": p.jurisdiction(sample["project"] if sample else None, institution),
        },
    )
    _replace_curves(p, run, before, rows)
    if before is None:
        p.count(institution, "runs")
        p.count(institution, "curves", len(counts))
    for finding in [*foreign_commission(p, m.commission), *_run_findings(p, m, sample)]:
        p.find(finding, "run", run, institution)
    _bind_to_sample(p, m, run, before)
    return run


def _bind_to_sample(p: Projection, m: messages.RunRecorded, run: str, before: Row | None) -> None:
    """A sample lists the runs of the institution that its commission names; a corrected run leaves the sample that it named before."""
    if before is not None and before["sample"] != m.sample:
        former = p.state.get("sample", before["sample"])
        if former is not None:
            left = [each for each in former["runs"] or [] if each != run]
            p.state.put("sample", before["sample"], {"runs": left})
    sample = p.state.get("sample", m.sample)
    known = (sample["runs"] or []) if sample else []
    if sample is None or run in known:
        return
    if carries_commission(p, m.commission, sample):
        p.state.put("sample", m.sample, {"runs": [*known, run]})
        works_on(p, sample["project"])


def _run_findings(p: Projection, m: messages.RunRecorded, sample: Row | None) -> list[Finding]:
    if sample is None:
        sentence = f"试验引用的样品 {m.sample[:8]}… 没有记录"
        return [
            refused(
                "custody.unknown_object", "CECS 3.0.3", sentence, "先报送取样，再报送试验", sample=m.sample
            )
        ]
    found = []
    if not sample["receipts"]:
        found.append(
            Finding(
                code="testing.without_receipt",
                clause="CECS 3.0.3",
                sentence="样品没有收样记录就做了试验",
                severity=Severity.WARNING,
                facts={"sample": m.sample},
                remedy="补报收样记录并说明原因",
            )
        )
    found += _specimen_findings(m, sample["tags"])
    found += _instrument_findings(m, p.state.get("instrument", f"{p.arrival.sender}/{m.instrument}"))
    if sample["required_age_d"] and sample["made_at"]:
        facts = AgeFacts(
            subject="本组试件",
            made_at=sample["made_at"],
            tested_at=m.started_at,
            required_age_d=sample["required_age_d"],
            standard_cured=sample["curing"] == "standard",
        )
        project = p.state.get("project", sample["project"])
        found += age_outside_window(facts, parameters(), project["division"] if project else "CN")
    return found


def _specimen_findings(m: messages.RunRecorded, tags: list[str]) -> list[Finding]:
    """Specimens with a tag that is not the sample's, or with an ordinal that stands twice."""
    found = []
    if wrong := "、".join(each.tag for each in m.specimens if each.tag not in tags):
        sentence = f"试验的标识 {wrong} 不属于这组样品"
        found.append(refused("testing.wrong_tag", "BJ 7.1.2-h", sentence, "核对试件与样品", tag=wrong))
    ordinals = [each.ordinal for each in m.specimens]
    if len(set(ordinals)) != len(ordinals):
        sentence = "同一次试验里有两个试件用了同一个序号，只保留了后一条曲线"
        remedy, told = "每个试件一个序号，更正后重新报送", "、".join(map(str, ordinals))
        found.append(refused("testing.repeated_ordinal", "CECS 2.0.5", sentence, remedy, ordinals=told))
    return found


def _instrument_findings(m: messages.RunRecorded, instrument: Row | None) -> list[Finding]:
    """An instrument that nobody registered, or whose calibration had run out on the day of the test in China."""
    if instrument is None:
        return [
            Finding(
                code="testing.unknown_instrument",
                clause="CECS 4.1.1-7",
                sentence=f"仪器 {m.instrument} 没有登记",
                severity=Severity.WARNING,
                facts={"instrument": m.instrument},
                remedy="登记仪器及其校准证书",
            )
        ]
    if instrument["calibrated_until"] >= local_date(m.started_at):
        return []
    until = instrument["calibrated_until"].isoformat()
    sentence = f"仪器 {m.instrument} 的校准有效期到 {until}，试验在这之后"
    remedy = "补报新的校准证书，或重新试验"
    facts = {"instrument": m.instrument, "until": until}
    return [refused("testing.lapsed_instrument", "CECS 4.1.1-7", sentence, remedy, **facts)]


def _own_run(p: Projection, run: str, what: str) -> bool:
    """Whether a step concerns a run of the sender; what does not is kept with a finding and bound to no run."""
    row = p.state.get("run", run)
    if row is not None and row["institution"] == p.arrival.sender:
        return True
    if row is None:
        finding = unknown_object("试验", run, what)
    else:
        finding = foreign_sender(what, "只能对本机构的试验更正、审核或批准")
    p.find(finding, p.arrival.kind, p.arrival.entry, p.arrival.sender)
    return False


def correct_value(p: Projection) -> str:
    """A correction stands beside the immutable curve."""
    m = cast(messages.ValueCorrected, p.arrival.message)
    run = m.run if _own_run(p, m.run, "人工更正") else None
    return p.put_object("correction", {"run": run, "ordinal": m.ordinal, "symbol": m.symbol})


def record_review(p: Projection) -> str:
    """A reviewer's or approver's step."""
    m = cast(messages.ReviewRecorded, p.arrival.message)
    run = m.run if _own_run(p, m.run, "审核或批准") else None
    return p.put_object("review", {"run": run, "step": m.step, "person": m.person, "decision": m.decision})


def record_evaluation(p: Projection) -> str:
    """The platform's recomputation; what it found becomes findings on the run.

    Its uid is derived from the version that was computed: one of an earlier version of the run has no effect.
    """
    m = cast(platform_messages.EvaluationComputed, p.arrival.message)
    run = p.state.get("run", m.run)
    if run is not None:
        computed = derived_uid("evaluation.computed", run["method"], run["entry"], run["logged_at"])
        if run["evaluated"] or p.arrival.uid != computed or not is_platform(p):
            sentence = "这次复算针对的不是试验现在的版本，没有采用"
            finding = refused("testing.stale_evaluation", "BJ 6.1.2", sentence, "由平台对现在的版本重新复算")
            raise NotTakenOver(finding, "run")
    p.state.put(
        "evaluation",
        m.run,
        p.arrival.provenance()
        | {"verdict": m.verdict, "outcome": m.outcome, "method": m.method, "edition": m.edition},
    )
    if run is not None:
        p.state.put("run", m.run, {"evaluated": True})
    for reason in m.findings:
        finding = Finding(
            code=reason.code,
            clause=reason.clause,
            sentence=reason.sentence,
            severity=Severity.NOTICE,
            facts={},
            remedy=reason.remedy or "",
        )
        p.find(finding, "run", m.run, run["institution"] if run else None)
    return m.run


HANDLERS = {
    "run.recorded": record_run,
    "value.corrected": correct_value,
    "review.recorded": record_review,
    "evaluation.computed": record_evaluation,
}
