"""Cosigners' keys (联署方公钥的投影): accepted, replaced and retired by the platform alone; one row an acceptance, none ever goes."""

from __future__ import annotations

from typing import cast

from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.evidence.note import NoteError
from plumbline.exchange.messages import registry as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import is_platform, refused
from plumbline.supervision.projection.table import Row

#: What was uploaded is neither changed nor lost.
_CLAUSE = "BJ 4.1.7-a"


def accept_cosigner(p: Projection) -> str:
    """A key from this entry on; the acceptance that it replaces ends here."""
    m = cast(messages.CosignerAccepted, p.arrival.message)
    try:
        verifier = parse_cosigner(m.key)
    except NoteError:
        raise _not_taken(p, "不是联署方的公钥", "请联署方重新给出公钥") from None
    if verifier.name != m.name or m.supersedes is not None or not is_platform(p):
        raise _not_taken(p, "名称与公钥不符，或不是平台自己接受的", "由平台运营单位重新接受")
    if m.former is not None:
        _end(p, _standing(p, m.former, m.name), m.because)
    return p.put_object(
        "cosigner",
        {
            "name": m.name,
            "key": m.key,
            "algorithm": verifier.algorithm,
            "trust_domain": m.trust_domain,
            "is_external": m.external,
            "valid_from": m.valid_from,
            "because": m.because,
            "retired_idx": None,
            "retired_at": None,
            "retired_because": None,
        },
    )


def retire_cosigner(p: Projection) -> str:
    """The end of an acceptance; what the key signed before stays."""
    m = cast(messages.CosignerRetired, p.arrival.message)
    former = _standing(p, m.acceptance, m.name)
    if former["key"] != m.key or m.supersedes is not None:
        raise _not_taken(p, "要停用的公钥不是那一条接受的，或这一条要替代别的", "核对接受它的入账编号")
    _end(p, former, m.because)
    return m.acceptance


def _standing(p: Projection, acceptance: str, name: str) -> Row:
    row = p.state.get("cosigner", acceptance)
    if row is None or row["name"] != name or row["retired_idx"] is not None or not is_platform(p):
        raise _not_taken(p, "要停用或取代的接受不存在、已停用，或不由报送单位管", "核对接受它的入账编号")
    return row


def _end(p: Projection, row: Row, because: str) -> None:
    ended = {
        "retired_idx": p.arrival.idx,
        "retired_at": p.arrival.logged_at,
        "retired_because": because,
    }
    p.state.put("cosigner", row["id"], ended)


def _not_taken(p: Projection, what: str, remedy: str) -> NotTakenOver:
    finding = refused("registry.unsupported_cosigner", _CLAUSE, f"联署方：{what}，没有采用", remedy)
    return NotTakenOver(finding, "party", p.arrival.sender)


HANDLERS = {"cosigner.accepted": accept_cosigner, "cosigner.retired": retire_cosigner}
