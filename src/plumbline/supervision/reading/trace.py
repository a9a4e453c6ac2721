"""The trace page of one report (报告追溯页): chain, curves, three answers, findings, evidence, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings

from plumbline.domain.reporting.code import format_code
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.pages.view_models import (
    Chip,
    EvidenceBlock,
    History,
    ProofChip,
    ReportHead,
    TracePage,
    VerdictBlock,
    VersionInfo,
)
from plumbline.supervision.pages.wording import ProofState, Tone
from plumbline.supervision.reading import judged, verdicts
from plumbline.supervision.reading.chain import Chain
from plumbline.supervision.reading.curve_panels import panels, why_no_panel
from plumbline.supervision.reading.database import Row, row
from plumbline.supervision.reading.files import pictures_of, stored_files
from plumbline.supervision.reading.history import correction_of, entry_of, ids_named
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.proofs import (
    CheckpointFacts,
    CosignedBy,
    chip,
    cosigned_by,
    newest_checkpoint,
)
from plumbline.supervision.reading.report_facts import ReportFacts, load, resolve

#: What whoever checks a bundle types; the trust roots are their own.
VERIFY_COMMAND = "plumbline verify 案卷包.zip --trust trust.txt --trust 根证书.pem"
#: Kind of object → what its versions are called in the history of a report.
_OBJECTS = {
    "sample": "取样", "witnessing": "见证", "receipt": "收样", "run": "试验", "application": "报告", "commission": "委托",
    "registration": "登记", "contract": "合同",
}  # fmt: skip


def trace_page(principal: Principal, number: str) -> TracePage | None:
    """The page, or None for what is not there or not in the reader's scope."""
    application = resolve(principal, number)
    facts = load(application) if application else None
    return assembled(facts, principal) if facts else None


def assembled(facts: ReportFacts, principal: Principal) -> TracePage:
    """The page from its facts. Unconfirmed findings are for the officer and the institution concerned."""
    checkpoint = newest_checkpoint()
    names = Names(principal.role)
    names.load(facts.people() | ids_named(facts.versions))
    visible = facts.findings if principal.sees_unconfirmed_findings else []
    final = (facts.registration or {}).get("pdf_sha256") or ""
    stored = stored_files([final] * bool(final) + [each["sha256"] for each in pictures_of(facts)])
    panel = judged.panel(
        [*visible, *_notes(facts, principal)], _judged(facts) if principal.sees_unconfirmed_findings else []
    )
    verdict = _verdict(facts, principal, visible)
    return TracePage(
        head=_head(facts, verdict, visible, stored),
        steps=Chain(facts, names, checkpoint, stored, visible).steps(),
        panels=panels(facts),
        verdict=verdict,
        findings=panel,
        evidence=_evidence(facts, checkpoint),
        version=_version(facts),
        history=_history(facts, names, checkpoint.covered if checkpoint else 0),
        pending_note=_pending(facts),
        curves_missing_reason=why_no_panel(facts),
    )


def _first_sample(facts: ReportFacts) -> Row | None:
    return next((sample.row for sample in facts.samples if sample.row), None)


def _institution(facts: ReportFacts) -> str:
    return facts.institution["name"] if facts.institution else "没有登记的机构"


def _recomputed(facts: ReportFacts, *, with_findings: bool) -> str:
    """One sentence: what the platform's recomputation of the runs gave."""
    found = [facts.evaluations.get(run["id"]) for run in facts.runs]
    if not found or any(each is None for each in found):
        return "平台还没有复算。"
    why = next(
        (each["body"].get("because") for each in found if each and each["outcome"] != "computed"), None
    )
    if why:
        return f"平台没有复算：{why.rstrip('。')}。"
    notes = facts.application["reasons"] or []
    differs = [each for each in notes if each["code"] == "methods.different_value"]
    if differs and with_findings:
        return f"平台复算与机构不一致：{differs[0]['sentence']}"
    return "平台用原始荷载复算，与机构一致。" if not differs else "平台已复算。"


def _verdict(facts: ReportFacts, principal: Principal, visible: list[Row]) -> VerdictBlock:
    application = facts.application
    said = verdicts.reported(application["category"], application["body"], _first_sample(facts))
    is_open = principal.sees_unconfirmed_findings
    unique = {(each["code"], each["sentence"]): each["severity"] for each in visible}
    return VerdictBlock(
        authenticity=verdicts.authenticity_answer(
            application, facts.registration, _institution(facts), application["reasons"] or []
        ),
        result=verdicts.result_answer(said, _recomputed(facts, with_findings=is_open)),
        process=verdicts.process_answer(list(unique.values()), is_visible=is_open),
    )


def _head(
    facts: ReportFacts, verdict: VerdictBlock, visible: list[Row], stored: Mapping[str, str]
) -> ReportHead:
    application = facts.application
    said = verdicts.reported(application["category"], application["body"], _first_sample(facts))
    real = verdict.authenticity
    chips = [Chip(tone=real.tone, text=real.headline, icon=verdict.authenticity_icon)]
    if application["state"] == "registered":
        chips.append(verdicts.result_chip(said, "registered"))
    serious = {
        (each["code"], each["sentence"]) for each in visible if each["severity"] in ("warning", "severe")
    }
    if serious:
        chips.append(Chip(tone=Tone.WARN, text=f"过程提醒 {len(serious)}", icon="alert-triangle"))
    code = application["code"]
    parts = dict.fromkeys(sample.row["structural_part"] for sample in facts.samples if sample.row)
    final = facts.registration or {}
    is_given = bool(final.get("accepted")) and stored.get(final["pdf_sha256"]) == ""
    return ReportHead(
        title=application["title"],
        number=application["number"],
        code=format_code(code) if code else "",
        project=facts.project["name"] if facts.project else "工程没有登记",
        part="，".join(parts),
        institution=_institution(facts),
        project_url=f"/projects/{facts.project['id']}/" if facts.project else "",
        institution_url=f"/institutions/{facts.institution['id']}/" if facts.institution else "",
        chips=tuple(chips),
        document_url=f"/v/{code}/document" if code and is_given else None,
        verification_url=f"/v/{code}" if code else None,
    )


def _notes(facts: ReportFacts, principal: Principal) -> list[Row]:
    """Remarks of the gate; the reasons of a withheld code are findings already, and a decision that the parties may read."""
    reasons = facts.application["reasons"] or []
    if facts.application["state"] == "withheld":
        severity = "block"
    elif not principal.sees_unconfirmed_findings:
        return []
    else:
        severity = "notice"
    return [{**each, "severity": severity} for each in reasons]


def _judged(facts: ReportFacts) -> Iterator[judged.JudgedRule]:
    """The rules that had something to judge in this report."""
    if facts.application["decided_idx"] is not None:
        yield from judged.GATE_RULES
    rows = [sample for sample in facts.samples if sample.row]
    if rows:
        yield from judged.SAMPLING_RULES
    if any(sample.witnessing for sample in rows):
        yield from judged.WITNESSING_RULES
    if facts.commission:
        yield from judged.COMMISSION_RULES
    if any(sample.receipts for sample in rows):
        yield from judged.RECEIPT_RULES
    if facts.runs:
        yield from judged.RUN_RULES
    if any(
        sample.runs and sample.row and sample.row["required_age_d"] and sample.row["curing"] == "standard"
        for sample in rows
    ):
        yield from judged.AGE_RULES
    if facts.curves:
        yield from judged.CURVE_RULES
    if any(each["outcome"] == "computed" for each in facts.evaluations.values()):
        yield from judged.RECOMPUTED_RULES
    if facts.registration and facts.registration["examined"]:
        yield from judged.EXAMINED_RULES


def _evidence(facts: ReportFacts, checkpoint: CheckpointFacts | None) -> EvidenceBlock:
    record = facts.registration or facts.application
    entry = facts.events.get(record["entry"])
    roles = (facts.parties.get(record["sender"]) or {}).get("roles") or []
    proof = chip(entry, covered=checkpoint.covered if checkpoint else 0, roles=roles)
    origin = checkpoint.origin if checkpoint else settings.PLUMBLINE_PLATFORM.origin
    cosigned = cosigned_by(settings.PLUMBLINE_PLATFORM.origin, entry["idx"]) if entry else CosignedBy()
    return EvidenceBlock(
        cosigners=cosigned.names,
        external_cosigners=cosigned.external,
        proof=proof or ProofChip(state=ProofState.AWAITING_CHECKPOINT),
        origin=origin,
        log_index=entry["idx"] if entry else None,
        checkpoint_size=checkpoint.size if checkpoint else None,
        checkpoint_at=checkpoint.at if checkpoint else None,
        root=checkpoint.root if checkpoint else "",
        verify_command=VERIFY_COMMAND if entry else "",
        receipt_url=proof.receipt_url if proof else None,
        bundle_url=f"/reports/{facts.id}/bundle.zip" if entry else None,
    )


def _version(facts: ReportFacts) -> VersionInfo:
    application, code = facts.application, facts.code
    number, state = int(application["body"].get("version", 1)), application["state"]
    registration = facts.registration or {}
    if state == "superseded" and code and code["replaced_by"]:
        newer = row("SELECT application FROM fact.code WHERE id = %s", [code["replaced_by"]])
        url = f"/reports/{newer['application']}/" if newer else None
        return VersionInfo(number=number, standing="已有新版", tone=Tone.WARN, newer_url=url)
    if state == "withdrawn":
        return VersionInfo(
            number=number,
            standing=f"已撤回，原因：{registration.get('withdrawn_because') or '没有写'}",
            tone=Tone.WARN,
        )
    earlier = application["body"].get("replaces_code")
    standing = "未更正、未撤回" if state == "registered" else "还没有登记"
    if earlier:
        standing = f"替代 {format_code(earlier)}，{standing}"
    return VersionInfo(number=number, standing=standing)


def _history(facts: ReportFacts, names: Names, covered: int) -> History:
    """What was changed in any record of the report, newest first."""
    known = {key: party["name"] for key, party in facts.parties.items()} | names.known()
    entries = [
        entry_of(each, known, covered, f"{_OBJECTS.get(each['object_kind'], '记录')} 第 {each['version']} 版")
        for each in facts.versions
    ]
    entries += [correction_of(each, names, facts.events, covered) for each in facts.corrections]
    return History(entries=tuple(sorted(entries, key=lambda each: each.at, reverse=True)))


def _pending(facts: ReportFacts) -> str:
    if facts.parked:
        places = "、".join(map(str, facts.parked[:5]))
        return f"关于这份报告有 {len(facts.parked)} 条记录正在核对（日志序号 {places}），页面上可能还缺一步。"
    if facts.application["state"] in ("applied", "released"):
        return "机构刚申请监管码，平台正在判定，通常几秒钟。"
    return ""
