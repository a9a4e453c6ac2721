"""Numbers, applications, registration and what follows (报告类投影)."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.exchange.messages import platform as platform_messages
from plumbline.exchange.messages import reports as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.reminders import mention
from plumbline.supervision.projection.table import Row, body_of

#: From this age on a cube is compared with its grade; in days, and in per cent of the grade.
_GROWN_D, _WHOLE = 28, Decimal(100)


def take_number(p: Projection) -> str:
    """A number of a series, taken at acceptance."""
    m = cast(messages.NumberTaken, p.arrival.message)
    return p.put_object(
        "number",
        {
            "institution": m.sender,
            "document_kind": m.document_kind,
            "prefix": m.prefix,
            "site": m.site,
            "year": m.year,
            "serial": m.serial,
            "number": m.number,
            "commission": m.commission,
            "jurisdiction": p.division_of(m.sender),
        },
        initial={"voided": None, "report": None},
    )


def void_number(p: Projection) -> str:
    """A number that will not be used; only its holder may void it."""
    m = cast(messages.NumberVoided, p.arrival.message)
    row = p.state.get("number", m.number_entry)
    if row is not None and row["institution"] == m.sender:
        p.state.put("number", m.number_entry, {"voided": m.because})
    return m.number_entry


def apply_for_code(p: Projection) -> str:
    """The structured report waits for the decision of the gate."""
    m = cast(messages.ReportApplied, p.arrival.message)
    decided = p.superseded("application")
    own = decided is not None and decided["sender"] == m.sender
    if decided is not None and own and decided["state"] not in ("applied", "withheld"):
        sentence = "这份申请已经有监管码，不能再改"
        raise _too_late(p, "application", sentence, "以新版本申请，用 replaces_code 指明旧码")
    commission = p.state.get("commission", m.commission)
    # Somebody else's commission gives no project: the report stays with its sender, and the gate withholds its code.
    is_given = commission is not None and commission["institution"] == m.sender
    project = p.state.get("project", commission["project"]) if commission is not None and is_given else None
    number = p.state.get("number", m.number_entry)
    application = p.put_object(
        "application",
        {
            "commission": m.commission,
            "institution": m.sender,
            "number": m.number,
            "category": m.category,
            "title": m.title,
            "conclusion": m.conclusion,
            "project": project["id"] if project else None,
            "division": project["division"] if project else None,
            "jurisdiction": p.jurisdiction(project["id"] if project else None, m.sender),
            "state": "applied",
            "code": None,
            "reasons": None,
            "decided_idx": None,
            "registered_at": None,
            "registered_idx": None,
            "outcome": _outcome(m, p.state.get("sample", m.samples[0]) if m.samples else None),
            "gap": _gap(p, m),
        },
    )
    runs = [run for parameter in m.parameters for run in parameter.runs]
    mention(p.state, application, [m.commission, *m.samples, *runs])
    p.count(m.sender, "applications")
    for finding in _number_findings(m, number, application):
        p.find(finding, "application", application, m.sender)
    if number is not None and number["institution"] == m.sender and number["number"] == m.number:
        p.state.put("number", m.number_entry, {"report": application})
    return application


def _outcome(m: messages.ReportApplied, sample: Row | None) -> str:
    """What the material did, for the lists: failed, passed, void, not judged; a grown-up cube below its grade failed."""
    if m.conclusion == "FAIL":
        return "failed"
    age = (sample["required_age_d"] if sample else None) or _GROWN_D
    values = [value for parameter in m.parameters for value in parameter.values]
    below = (each for each in values if each.symbol == "percent_of_grade" and each.value is not None)
    if age >= _GROWN_D and any(Decimal(each.value or "0") < _WHOLE for each in below):
        return "failed"
    return {"PASS": "passed", "VOID": "void"}.get(m.conclusion, "not_judged")


def _gap(p: Projection, m: messages.ReportApplied) -> str | None:
    """Why the origin of what the report says cannot be shown to a third party; None when it can."""
    if p.arrival.attestation == "hmac":
        return "hmac"
    runs = (p.state.get("run", run) for parameter in m.parameters for run in parameter.runs)
    return "keyed" if any(run is not None and run["data_origin"] == "keyed" for run in runs) else None


def _number_findings(m: messages.ReportApplied, number: Row | None, application: str) -> list[Finding]:
    """What is wrong with the number of a report: never taken, another institution's, voided, or used before."""
    if number is None or number["institution"] != m.sender or number["number"] != m.number:
        found = ("reporting.foreign_number", f"报告编号 {m.number} 不是本机构受理时取的号", "先取号，再申请")
    elif number["voided"]:
        found = ("reporting.voided_number", f"报告编号 {m.number} 已经作废", "换一个取过的号")
    elif number["report"] not in (None, application) and m.replaces_code is None:
        sentence = f"报告编号 {m.number} 已经用于另一份申请"
        found = ("reporting.repeated_number", sentence, "一份报告一个号；换版请用 replaces_code 指明旧码")
    else:
        return []
    code, sentence, remedy = found
    severity = Severity.WARNING if code == "reporting.foreign_number" else Severity.SEVERE
    return [
        Finding(
            code=code,
            clause="JJ 三(五)-c",
            sentence=sentence,
            severity=severity,
            facts={"number": m.number},
            remedy=remedy,
        )
    ]


def _too_late(p: Projection, kind: str, sentence: str, remedy: str) -> NotTakenOver:
    """A new version of what is decided already: stored as an entry, told as a finding, and not taken over."""
    finding = Finding(
        code="edit.decided",
        clause="BJ 6.1.2",
        sentence=sentence,
        severity=Severity.WARNING,
        facts={},
        remedy=remedy,
    )
    return NotTakenOver(finding, kind, p.arrival.sender)


def _registration_problem(
    p: Projection, m: messages.ReportRegistered, code: Row | None, application: Row | None
) -> tuple[str, str] | None:
    """Why a registration does not fit its code: a finding's code and sentence; None when it does."""
    if code is None or application is None:
        return ("reporting.unknown_code", f"监管码 {m.code} 没有预留给这份报告")
    if code["application"] != m.application or application["institution"] != m.sender:
        return ("reporting.foreign_code", f"监管码 {m.code} 是预留给别的报告的")
    if code["state"] != "reserved" or application["code"] != m.code:
        sentence = f"监管码 {m.code} 现在的状态是 {code['state']}，或不再是这份申请的码，不能登记"
        return ("reporting.dead_code", sentence)
    if code["dies_at"] and p.arrival.logged_at > code["dies_at"]:
        return ("reporting.dead_code", f"监管码 {m.code} 预留已过期")
    return None


def register_report(p: Projection) -> str:
    """The final bytes: the code becomes valid. A registration that does not fit its code is stored, and the code stays as it was."""
    m = cast(messages.ReportRegistered, p.arrival.message)
    if m.supersedes is not None:
        sentence = "登记的终稿不能改，这次登记没有采用"
        raise _too_late(p, "registration", sentence, "撤回后以新版本申请和登记")
    code, application = p.state.get("code", m.code), p.state.get("application", m.application)
    problem = _registration_problem(p, m, code, application)
    state = "refused" if problem else "registered"
    is_own = application is not None and application["institution"] == m.sender
    project = application["project"] if application is not None and is_own else None
    key = p.put_object(
        "registration",
        {
            "application": m.application,
            "code": m.code,
            "institution": m.sender,
            "pdf_sha256": m.pdf_sha256,
            "state": state,
            "examined": problem is not None,
            "accepted": None,
            "project": project,
            "jurisdiction": p.jurisdiction(project, m.sender),
        },
    )
    if problem:
        p.find(
            Finding(
                code=problem[0],
                clause="CECS 4.1.2-a",
                sentence=problem[1],
                severity=Severity.SEVERE,
                facts={"code": m.code},
                remedy="按手册三步办理：申请、印码签章、登记",
            ),
            "registration",
            key,
            m.sender,
        )
        return key
    p.state.put("code", m.code, {"state": "registered", "registration": key, "pdf_sha256": m.pdf_sha256})
    assert application is not None
    p.state.put(
        "application",
        m.application,
        {
            "state": "registered",
            "registered_at": p.arrival.logged_at,
            "registered_idx": p.arrival.idx,
            "gap": application["gap"] or ("hmac" if p.arrival.attestation == "hmac" else "unexamined"),
        },
    )
    p.count(m.sender, "registrations")
    _supersede(p, body_of(application).get("replaces_code"), m.code, m.sender)
    return key


def _supersede(p: Projection, replaced: str | None, code: str, sender: str) -> None:
    earlier = p.state.get("code", replaced)
    if earlier is None or earlier["institution"] != sender or earlier["state"] != "registered":
        return
    p.state.put("code", str(replaced), {"state": "superseded", "replaced_by": code})
    p.state.put("registration", earlier["registration"], {"state": "superseded"})
    p.state.put("application", earlier["application"], {"state": "superseded"})


def withdraw_report(p: Projection) -> str:
    """The institution takes a registered report back, with reason."""
    m = cast(messages.ReportWithdrawn, p.arrival.message)
    row = p.state.get("registration", m.registration)
    if row is None or row["institution"] != m.sender or row["state"] not in ("registered", "superseded"):
        p.find(
            Finding(
                code="reporting.foreign_withdrawal",
                clause="CECS 4.1.2-a",
                sentence="要撤回的报告不是本机构登记的，没有采用",
                severity=Severity.WARNING,
                facts={"registration": m.registration},
                remedy="核对登记编号",
            ),
            "registration",
            m.registration,
            m.sender,
        )
        return m.registration
    p.state.put(
        "registration",
        m.registration,
        {"state": "withdrawn", "withdrawn_because": m.because, "withdrawn_at": p.arrival.logged_at},
    )
    p.state.put("code", row["code"], {"state": "withdrawn"})
    p.state.put("application", row["application"], {"state": "withdrawn"})
    return m.registration


def file_complaint(p: Projection) -> str:
    """A paper does not agree with the registered report."""
    m = cast(messages.ComplaintFiled, p.arrival.message)
    key = p.put_object("complaint", {"code": m.code, "differs": list(m.differs)})
    code = p.state.get("code", m.code)
    p.find(
        Finding(
            code="reporting.paper_differs",
            clause="GX 十五",
            sentence=f"有人反映监管码 {m.code} 的纸面与登记内容不一致",
            severity=Severity.WARNING,
            facts={"differs": "、".join(m.differs)},
            remedy="联系举报人取得纸面核对",
        ),
        "code",
        m.code,
        code["institution"] if code else None,
    )
    return key


def store_blob(p: Projection) -> str:
    """A file is durable."""
    m = cast(platform_messages.BlobStored, p.arrival.message)
    p.state.put("blob", m.sha256, p.arrival.provenance() | {"bytes": m.bytes, "media_type": m.media_type})
    return m.sha256


HANDLERS = {
    "number.taken": take_number,
    "number.voided": void_number,
    "report.applied": apply_for_code,
    "report.registered": register_report,
    "report.withdrawn": withdraw_report,
    "complaint.filed": file_complaint,
    "blob.stored": store_blob,
}
