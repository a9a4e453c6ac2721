"""Messages without a table of their own (其余消息的投影): kept whole, beside the project, sample or test that they are about."""

from __future__ import annotations

from typing import Any

from plumbline.supervision.projection.arrival import Projection
from plumbline.supervision.projection.handlers.standing import (
    foreign_sender,
    is_authority,
    may_speak_for,
    project_parties,
)
from plumbline.supervision.projection.table import Row

#: Kind of message → the field that names what it is about, its table, and the words for it.
_ABOUT = {
    "schedule.submitted": ("project", "project", "检测计划"),
    "schedule.approved": ("schedule", "record", "检测计划审批"),
    "pour.recorded": ("project", "project", "浇筑记录"),
    "arrival.recorded": ("project", "project", "进场记录"),
    "insitu.registered": ("project", "project", "实体检测项目"),
    "duty.appointed": ("project", "project", "到岗预约"),
    "checkin.recorded": ("project", "project", "签到"),
    "curing.recorded": ("sample", "sample", "养护出入"),
    "sample.transferred": ("sample", "sample", "样品流转"),
    "retained.disposed": ("sample", "sample", "留样处置"),
    "environment.recorded": ("sample", "sample", "温湿度记录"),
    "nonconformity.notified": ("run", "run", "不合格告知"),
    "nonconformity.disposed": ("run", "run", "不合格处置"),
    "instrument.checked": ("instrument", "instrument", "期间核查"),
}


def keep(p: Projection) -> str:
    """The fact whole. It stands on the page of what it is about when its sender has a part in that, and is told when not."""
    kind, message = p.arrival.kind, p.arrival.message
    bound: Row = dict.fromkeys(("subject", "project", "about", "jurisdiction"))
    if kind in _ABOUT:
        name, table, words = _ABOUT[kind]
        row = p.state.get(table, _key(p, table, getattr(message, name)))
        if row is not None and _has_a_part(p, table, row):
            bound = _bound(p, table, row)
        elif row is not None:
            remedy = "由本工程的参建单位或受委托的机构报送"
            p.find(foreign_sender(words, remedy), kind, p.arrival.entry, p.arrival.sender)
    return p.put_object("record", {"kind": kind, **bound})


def _key(p: Projection, table: str, name: Any) -> str | None:
    """Key of the row that a message names; an institution names its instruments by their own number."""
    return f"{p.arrival.sender}/{name}" if table == "instrument" and name else name


def _has_a_part(p: Projection, table: str, row: Row) -> bool:
    """Whether the sender is the authority, one of those who build the project, or the institution that was given the work."""
    if is_authority(p):
        return True
    if table in ("run", "instrument"):
        return may_speak_for(p, row["institution"]) or _builds(p, row.get("project"))
    commission = p.state.get("commission", row.get("commission")) if table == "sample" else None
    given = commission is not None and commission["institution"] == p.arrival.sender
    return given or _builds(p, row["id"] if table == "project" else row["project"])


def _builds(p: Projection, project: str | None) -> bool:
    return p.arrival.sender in project_parties(p, project).values()


def _bound(p: Projection, table: str, row: Row) -> Row:
    project = row["id"] if table == "project" else row.get("project")
    holder = row.get("institution")
    return {
        "subject": row["id"],
        "project": project,
        "about": row.get("about") or holder or row["id"],
        "jurisdiction": row.get("jurisdiction") or p.jurisdiction(project, holder or p.arrival.sender),
    }
