"""Cosigners key by key on the status page (联署方的密钥): where the log accepted and retired each, and how far each has signed."""

from __future__ import annotations

from collections.abc import Mapping

from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.evidence.position import place_of
from plumbline.supervision.journal.heads import log_origin
from plumbline.supervision.pages.view_models import CosignerKeyRow, EntryPlace
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.database import Row, row, rows

#: How many acceptances the page shows: those that stand first, then the newest.
SHOWN = 60
#: How many cosignatures of a log are looked through for a key's newest: one a second and cosigner is stored.
_LOOKED = 2000
_ACCEPTED = """
SELECT name, key, trust_domain, is_external, idx, logged_at, retired_idx, retired_at, count(*) OVER () AS every
  FROM fact.cosigner ORDER BY retired_idx IS NOT NULL, retired_idx DESC NULLS FIRST, name, algorithm LIMIT %s
"""
_NEWEST = """
SELECT k.number, s.size, s.cosigned_at
  FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::text[], %s::bytea[]) AS k (number, origin, below, name, key_id)
 CROSS JOIN LATERAL (
       SELECT n.size, n.cosigned_at
         FROM (SELECT * FROM journal.cosignature c WHERE c.origin = k.origin AND c.size <= k.below ORDER BY c.size DESC LIMIT %s) n
        WHERE n.name = k.name AND n.key_id = k.key_id ORDER BY n.size DESC LIMIT 1) s
"""


def key_rows(cosigners: Mapping[str, Row]) -> tuple[tuple[CosignerKeyRow, ...], int]:
    """The keys that the log ever accepted, and how many there are; `cosigners`: what the worker keeps of each, by name."""
    accepted = rows(_ACCEPTED, [SHOWN])
    if not accepted:
        return (), 0
    head = row("SELECT origin, epoch, size FROM journal.head", []) or {"origin": "", "epoch": 1, "size": 0}
    signed, receipts = _signed(accepted, head), _receipts(accepted)
    made = []
    for number, each in enumerate(accepted):
        newest = signed.get(number)
        tone, standing = standing_of(each, newest, cosigners.get(each["name"]))
        verifier = parse_cosigner(each["key"])
        made.append(
            CosignerKeyRow(
                name=each["name"],
                trust_domain=each["trust_domain"],
                is_external=each["is_external"],
                algorithm=verifier.algorithm_name,
                key_id=verifier.key_id.hex(),
                tone=tone,
                standing=standing,
                accepted=EntryPlace(
                    index=each["idx"], at=each["logged_at"], url=receipts.get(each["idx"], "")
                ),
                retired=EntryPlace(
                    index=each["retired_idx"],
                    at=each["retired_at"],
                    url=receipts.get(each["retired_idx"], ""),
                )
                if each["retired_at"]
                else None,
                signed_size=newest["size"] if newest else None,
                signed_at=newest["cosigned_at"] if newest else None,
            )
        )
    return tuple(made), accepted[0]["every"]


def standing_of(accepted: Row, newest: Row | None, cosigner: Row | None) -> tuple[Tone, str]:
    """What is true of one key: retired, not asked, not signing with the others, or in use."""
    if accepted["retired_at"]:
        return Tone.OFF, "已停用"
    if cosigner is None:
        return Tone.WARN, "没有在送联署"
    if newest is None:
        return Tone.WARN, "近来没有签过"
    if newest["size"] < cosigner["size"]:
        return Tone.WARN, "这一把没有签"
    return Tone.OK, "在用"


def _signed(accepted: list[Row], head: Row) -> dict[int, Row]:
    """The newest cosignature of each key, of the log that is open, or of the one in which the key was retired, up to its retirement."""
    asked: list[tuple[int, str, int, str, bytes]] = []
    for number, each in enumerate(accepted):
        # Up to a minute after a retirement the worker may still send to the key: a few checkpoints.
        epoch, below = (head["epoch"], head["size"])
        if each["retired_idx"] is not None:
            epoch, below = place_of(each["retired_idx"] + 100)
        key_id = parse_cosigner(each["key"]).key_id
        asked.append((number, log_origin(head["origin"], epoch), below, each["name"], key_id))
    found = rows(_NEWEST, [*(list(each) for each in zip(*asked, strict=True)), _LOOKED])
    return {each["number"]: each for each in found}


def _receipts(accepted: list[Row]) -> dict[int, str]:
    """Where the receipts of the entries are fetched, by position."""
    places = {each[name] for each in accepted for name in ("idx", "retired_idx")} - {None}
    found = rows("SELECT idx, sender, uid FROM ops.cosigner_entries(%s)", [sorted(places)])
    return {each["idx"]: f"/x/v1/receipts/{each['sender']}/{each['uid']}" for each in found}
