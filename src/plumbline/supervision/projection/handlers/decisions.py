"""Decisions of the platform (平台决定的投影): reserved, withheld, released codes; examination of final PDFs; deadlines."""

from __future__ import annotations

from typing import cast

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.exchange.messages import platform as platform_messages
from plumbline.exchange.messages import reports as messages
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import is_platform, refused
from plumbline.supervision.projection.table import Row


def _reasons(reasons: list[messages.GateReason]) -> list[dict[str, str | None]]:
    return [{"code": r.code, "clause": r.clause, "sentence": r.sentence, "remedy": r.remedy} for r in reasons]


def _stale(sentence: str) -> NotTakenOver:
    """A decision that does not fit its object as it stands now: kept in the log, and without effect."""
    return NotTakenOver(
        refused("reporting.stale_decision", "CECS 4.1.2-a", sentence, "由平台对现在的版本重新作出决定"),
        "application",
    )


def _undecided(p: Projection, application: str) -> Row:
    """The application that a decision judged.

    The decision's uid is derived from state and time of the version that was judged, so that a decision on
    an earlier version, or a second one, is told apart and has no effect.
    """
    row = p.state.get("application", application)
    if row is None or not is_platform(p):
        raise _stale("这个决定没有对应的申请，或不是平台作出的，没有采用")
    judged = derived_uid("code.decision", row["state"], row["id"], row["logged_at"])
    if row["state"] not in ("applied", "released") or p.arrival.uid != judged:
        raise _stale("这个决定针对的不是申请现在的版本，没有采用")
    return row


def reserve_code(p: Projection) -> str:
    """The code exists from here on, reserved and not yet valid. What was released keeps the reasons that stood against it."""
    m = cast(messages.CodeReserved, p.arrival.message)
    row = _undecided(p, m.application)
    if m.institution != row["institution"] or p.state.get("code", m.code) is not None:
        raise _stale(f"监管码 {m.code} 已经用过，或申请是别的机构的，没有采用")
    kept = (row["reasons"] or []) if row["state"] == "released" else []
    p.state.put(
        "code",
        m.code,
        p.arrival.provenance()
        | {
            "application": m.application,
            "institution": m.institution,
            "state": "reserved",
            "claims": m.claims,
            "dies_at": m.dies_at,
            "project": row["project"],
            "jurisdiction": row["jurisdiction"],
        },
    )
    p.state.put(
        "application",
        m.application,
        {
            "state": "reserved",
            "code": m.code,
            "reasons": [*kept, *_reasons(m.notes)],
            "decided_idx": p.arrival.idx,
        },
    )
    return m.application


def withhold_code(p: Projection) -> str:
    """The application stays without code; every reason is kept and shown."""
    m = cast(messages.CodeWithheld, p.arrival.message)
    row = _undecided(p, m.application)
    if row["state"] != "applied" or m.institution != row["institution"]:
        raise _stale("已经人工放行的申请不再暂不发放，没有采用")
    p.state.put(
        "application",
        m.application,
        {"state": "withheld", "reasons": _reasons(m.reasons), "decided_idx": p.arrival.idx},
    )
    for reason in m.reasons:
        p.find(
            Finding(
                code=reason.code,
                clause=reason.clause,
                sentence=reason.sentence,
                severity=Severity.BLOCK,
                facts={},
                remedy=reason.remedy or "",
            ),
            "application",
            m.application,
            m.institution,
        )
    return m.application


def release_code(p: Projection) -> str:
    """An officer's release: the application waits for the gate again, which then reserves with the mark.

    Two different officers of the sender answer for it; the sender is the station of the project's division.
    """
    m = cast(messages.CodeReleased, p.arrival.message)
    row = p.state.get("application", m.application)
    if row is None or row["state"] != "withheld":
        raise _not_released("这份申请不在暂不发放的状态")
    if m.officer == m.second_officer:
        raise _not_released("经办人和复核人是同一个人")
    if not _is_station_of(p, row["division"]):
        raise _not_released("放行的单位不是工程所在地的监督站")
    if not (_is_officer(p, m.officer) and _is_officer(p, m.second_officer)):
        raise _not_released("经办人或复核人不是本监督站登记的监督人员")
    mark = {
        "code": "reporting.released_code",
        "clause": "CECS 4.1.2-a",
        "sentence": f"人工放行：{m.because}"[:2000],
        "remedy": None,
    }
    reasons = [*(row["reasons"] or []), mark]
    p.state.put("application", m.application, {"state": "released", "reasons": reasons})
    return m.application


def _not_released(sentence: str) -> NotTakenOver:
    finding = refused(
        "reporting.unfounded_release",
        "CECS 4.1.2-a",
        f"{sentence}，没有放行",
        "由工程所在地监督站的两名监督人员放行",
    )
    return NotTakenOver(finding, "application")


def _is_station_of(p: Projection, division: str | None) -> bool:
    """Whether the sender is a station whose division holds this one: 610300 holds 610302."""
    sender = p.state.get("party", p.arrival.sender)
    if sender is None or "station" not in sender["roles"]:
        return False
    place = str(sender["division"])
    while len(place) > 2 and place.endswith("00"):
        place = place[:-2]
    return division is not None and division.startswith(place)


def _is_officer(p: Projection, person: str) -> bool:
    row, on = p.state.get("person", person), local_date(p.arrival.logged_at)
    return (
        row is not None
        and row["party"] == p.arrival.sender
        and "officer" in row["roles"]
        and row["valid_from"] <= on
        and (row["valid_until"] is None or on <= row["valid_until"])
    )


def record_examination(p: Projection) -> str:
    """What the worker found in the registered PDF."""
    m = cast(messages.ReportExamined, p.arrival.message)
    row = p.state.get("registration", m.registration)
    if row is None or row["examined"] or not is_platform(p):
        raise _stale("这份查验没有对应的待查终稿，或不是平台作出的，没有采用")
    p.state.put(
        "registration",
        m.registration,
        {
            "examined": True,
            "accepted": m.accepted,
            "root_kind": m.root_kind,
            "signer": m.signer,
            "examination": _reasons(m.problems),
        },
    )
    application = p.state.get("application", row["application"])
    if application is not None and application["gap"] == "unexamined":
        p.state.put("application", application["id"], {"gap": None if m.accepted else "unsound"})
    if not m.accepted:
        text = "；".join(r.sentence for r in m.problems) or "签章没有通过查验"
        p.find(
            Finding(
                code="reporting.unsound_pdf",
                clause="CECS 4.1.2-c",
                sentence=f"登记的终稿没有通过查验：{text}"[:500],
                severity=Severity.SEVERE,
                facts={},
                remedy="重新签章后以新版本申请",
            ),
            "registration",
            m.registration,
            row["institution"],
        )
    return m.registration


def pass_deadline(p: Projection) -> str:
    """What time alone brought about: a reserved code that nobody used dies."""
    m = cast(platform_messages.DeadlinePassed, p.arrival.message)
    if m.rule != "code.unused":
        return m.subject
    row = p.state.get("application", m.subject)
    code = p.state.get("code", row["code"]) if row else None
    if row is None or code is None or row["state"] != "reserved" or not is_platform(p):
        raise _stale("期限已过的申请现在没有等待登记的监管码，没有采用")
    due = derived_uid("clock.deadline_passed", m.rule, m.subject, code["dies_at"])
    if m.due_at != code["dies_at"] or p.arrival.uid != due:
        raise _stale("期限不是现在这个监管码的期限，没有采用")
    p.state.put("application", m.subject, {"state": "expired"})
    p.state.put("code", row["code"], {"state": "expired"})
    return m.subject


HANDLERS = {
    "code.reserved": reserve_code,
    "code.withheld": withhold_code,
    "code.released": release_code,
    "report.examined": record_examination,
    "clock.deadline_passed": pass_deadline,
}
