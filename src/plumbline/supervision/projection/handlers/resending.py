"""Requests to send again, and what the parties say to them (补传的投影): after a restore, or when something was lost on the way."""

from __future__ import annotations

from typing import cast

from plumbline.exchange.messages import platform as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import is_platform, refused


def ask(p: Projection) -> str:
    """A request of the platform to one party on record."""
    m = cast(messages.RetransmitRequested, p.arrival.message)
    if not is_platform(p) or p.state.get("party", m.party) is None:
        sentence = "补传请求不是平台发出的，或请的单位没有登记，没有采用"
        found = refused("exchange.foreign_request", "CECS 6.0.4", sentence, "由平台管理员重新请求")
        raise NotTakenOver(found, "retransmission")
    told = {"party": m.party, "stage": "asked", "resent": 0, "present": 0, "not_held": 0, "answered_at": None}
    return p.put_object("retransmission", told)


def answer(p: Projection) -> str:
    """The party that was asked says which codes it was given, and how it went; nobody answers for another."""
    m = cast(messages.RetransmitAnswered, p.arrival.message)
    row = p.state.get("retransmission", m.request)
    if row is None or row["party"] != p.arrival.sender:
        sentence = "答复的补传请求没有，或不是发给本单位的，没有采用"
        found = refused("exchange.foreign_answer", "CECS 6.0.4", sentence, "核对变更通知里的请求编号")
        raise NotTakenOver(found, "retransmission", p.arrival.sender)
    for each in m.codes:
        shown = {"institution": p.arrival.sender, "application": each.application, "claims": each.claims}
        p.state.put("shown_code", f"{p.arrival.sender}/{each.application}", shown)
    changed = {
        "stage": m.stage,
        "resent": m.resent,
        "present": m.present,
        "not_held": row["not_held"] + len(m.not_held),
        "answered_at": p.arrival.logged_at,
    }
    p.state.put("retransmission", m.request, changed)
    return m.request


HANDLERS = {"retransmit.requested": ask, "retransmit.answered": answer}
