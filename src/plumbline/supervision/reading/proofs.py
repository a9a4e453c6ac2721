"""Proof chips (存证标签): what proves an entry, and whether a checkpoint covers its place in the log."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plumbline.evidence.position import place_of, position_of
from plumbline.supervision.pages.view_models import ProofChip
from plumbline.supervision.pages.wording import ProofState
from plumbline.supervision.reading.database import row, rows
from plumbline.supervision.reading.words import PARTY_ROLES, PROOF_KINDS

_NOTES = {
    "transport": "只有传输签名，没有源头签名：能证明是这家单位报送的，不能证明是哪台设备、哪个人。",
    "session": "由平台的网页密钥代为签名，不是本人或本单位的签名。",
    "internal": "由平台自己记录，用平台密钥签名。",
}
KEYED_NOTE = "数值是人工录入的，不是试验机直接采集的。"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """The newest checkpoint: what the log's root commits to."""

    origin: str
    size: int
    #: Root hash, hexadecimal.
    root: str
    #: Position below which a checkpoint covers every entry: former epochs have their closing one.
    covered: int
    #: Log time of the last entry below it; a C2SP checkpoint carries no time of its own.
    at: datetime | None = None


_NEWEST = """
SELECT h.epoch, c.origin, c.size, c.note, l.logged_at
  FROM journal.head h JOIN journal.checkpoint c ON c.origin = h.origin || '/' || h.epoch
  LEFT JOIN journal.leaf l ON l.epoch = h.epoch AND l.idx = c.size - 1
 ORDER BY c.size DESC LIMIT 1
"""
#: Right after an epoch was opened: the former one's closing checkpoint.
_CLOSING = """
SELECT e.epoch, split_part(e.closing, E'\\n', 1) AS origin, 0 AS size, e.closing AS note, l.logged_at
  FROM journal.epoch e LEFT JOIN journal.leaf l ON l.epoch = e.kept_epoch AND l.idx = e.kept_size - 1
 WHERE e.closing IS NOT NULL ORDER BY e.epoch DESC LIMIT 1
"""


def newest_checkpoint() -> CheckpointFacts | None:
    """The largest checkpoint on record, or None before the first."""
    found = row(_NEWEST, []) or row(_CLOSING, [])
    if found is None:
        return None
    _, size, root = found["note"].split("\n")[:3]
    return CheckpointFacts(
        origin=found["origin"],
        size=int(size),
        root=base64.b64decode(root).hex(),
        covered=position_of(found["epoch"], found["size"]),
        at=found["logged_at"],
    )


#: Cosigners that have signed a checkpoint over the entry at this index of the log of this name.
COSIGNED = """
SELECT o.name, o.trust_domain, o.is_external FROM ops.cosigner o
 WHERE EXISTS (SELECT 1 FROM journal.cosignature s WHERE s.origin = %s AND s.size > %s AND s.name = o.name)
 ORDER BY o.name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignedBy:
    """Who has cosigned a checkpoint over an entry, of the cosigners that the platform has."""

    #: (name, trust domain)
    names: tuple[tuple[str, str], ...] = ()
    external: int = 0

    @property
    def text(self) -> str:
        """One phrase for the chain."""
        told = f"由 {'、'.join(name for name, _ in self.names)} 联署" if self.names else ""
        return told if self.external else "，".join(filter(None, (told, "尚无外部联署")))


def cosigned_by(log: str, position: int) -> CosignedBy:
    """Who has cosigned the entry at a position of the log of this name; each epoch is a log of its own to them."""
    epoch, index = place_of(position)
    found = rows(COSIGNED, [f"{log}/{epoch}", index])
    return CosignedBy(
        names=tuple((each["name"], each["trust_domain"]) for each in found),
        external=sum(each["is_external"] for each in found),
    )


def proof_state(attestation: str, idx: int, covered: int, *, is_keyed: bool = False) -> ProofState:
    """The state of an entry at ``idx`` when the newest checkpoint covers ``covered`` entries."""
    if is_keyed:
        return ProofState.UNSIGNED
    if attestation == "hmac":
        return ProofState.SYMMETRIC
    return ProofState.LOGGED if idx < covered else ProofState.AWAITING_CHECKPOINT


def source_text(attestation: str, roles: list[str], *, is_machine: bool = False) -> str:
    """Where a claim comes from: 机构 LIMS · 源头签名, 采集程序 · 源头签名, 施工单位 · 传输签名, 网页 ·
    平台代录."""
    if attestation == "session":
        return "网页 · 平台代录"
    if attestation == "internal":
        return "本平台 · 平台签名"
    who = next((PARTY_ROLES[role] for role in PARTY_ROLES if role in roles), "其他单位")
    if is_machine and attestation == "origin":
        who = "采集程序"
    return f"{who} · {PROOF_KINDS.get(attestation, attestation)}"


def chip(
    entry: dict[str, Any] | None,
    *,
    covered: int,
    roles: list[str] | None = None,
    is_machine: bool = False,
    is_keyed: bool = False,
) -> ProofChip | None:
    """The chip of an entry (its uid, sender, key and times); None without one."""
    if entry is None:
        return None
    attestation = entry["attestation"]
    note = KEYED_NOTE if is_keyed else _NOTES.get(attestation, "")
    return ProofChip(
        state=proof_state(attestation, entry["idx"], covered, is_keyed=is_keyed),
        source=source_text(attestation, roles or [], is_machine=is_machine),
        logged_at=entry["logged_at"],
        signer=f"{PROOF_KINDS.get(attestation, attestation)}，密钥 {entry['key_id']}",
        receipt_url=f"/x/v1/receipts/{entry['sender']}/{entry['uid']}",
        log_index=entry["idx"],
        note=note,
    )
