"""Cosigners against the log (联署方的核对): the operator's list, the rows that pages read, and every cosignature; a part of the audit.

The list and the rows can be edited by whoever holds the host; which key was accepted from where on only the log says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg

from plumbline.evidence.checkpoint import parse_note
from plumbline.evidence.cosignature import cosignature_time
from plumbline.evidence.note import NoteError, NoteVerifier, encode_base64
from plumbline.supervision.journal.acceptances import Acceptances
from plumbline.supervision.journal.cosigners import Configured

#: The entry comes first and the list follows it at once: what was decided so short a time ago may be on its way.
_FOLLOWS = timedelta(seconds=60)
_ROWS = """
SELECT o.name, o.trust_domain, o.is_external, o.size,
       EXISTS (SELECT 1 FROM journal.cosignature s WHERE s.name = o.name AND s.origin = o.origin AND s.size = o.size)
  FROM ops.cosigner o ORDER BY o.name
"""
_COSIGNED = """
SELECT s.size, s.name, s.key_id, s.line, s.cosigned_at, c.note
  FROM journal.cosignature s LEFT JOIN journal.checkpoint c ON c.origin = s.origin AND c.size = s.size
 ORDER BY s.origin, s.size, s.name, s.key_id
"""


def cosigner_problems(
    conn: psycopg.Connection, listed: Sequence[Configured] | None, accepted: Acceptances
) -> list[str]:
    """Where list, rows and cosignatures are not what the log says. `listed` is None where the list is not known."""
    # The list was read before the walk, which may take longer than the list takes to follow an entry: as of its beginning.
    now = conn.execute("SELECT now()").fetchone()
    assert now is not None
    found = [] if listed is None else _list_problems(listed, accepted, now[0])
    return found + _row_problems(conn, accepted) + _cosignature_problems(conn, accepted)


def _list_problems(listed: Sequence[Configured], accepted: Acceptances, now: datetime) -> list[str]:
    """The operator's list holds the keys that the log accepts, with the trust domains that it says, and no other."""
    found = []
    for each in listed:
        for key in each.keys:
            known = [told for told in accepted if told.key == key]
            # What a later entry replaced counts no more: an edit back to it shows.
            current = [told for told in known if not _is_past(told.retired_at, now)]
            if not known:
                found.append(
                    f"联署方名单里的 {each.name}（公钥 {_short(key)}）：日志里没有接受它的条目，请用 cosigners add 补记，或删去"
                )
            elif not current:
                found.append(f"联署方名单里的 {each.name}（公钥 {_short(key)}）：日志里已经停用")
            elif not any(told.says(each.name, each.trust_domain, each.external) for told in current):
                found.append(
                    f"联署方名单里的 {each.name}：信任域或内外与日志{current[-1].place}说的不同（{current[-1].trust_domain}）"
                )
    there = {key for each in listed for key in each.keys}
    found += [
        f"日志{each.place}接受的联署方 {each.name}（公钥 {_short(each.key)}）不在名单里"
        for each in accepted.standing()
        if each.key not in there and now - each.logged_at > _FOLLOWS
    ]
    return found


def _is_past(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at > _FOLLOWS


def _row_problems(conn: psycopg.Connection, accepted: Acceptances) -> list[str]:
    """What pages and the gate read of a cosigner: trust domain and external as accepted, progress as signed."""
    found = []
    for name, trust_domain, external, size, is_signed in conn.execute(_ROWS).fetchall():
        told = [each for each in accepted if each.name == name]
        if not told:
            found.append(f"联署方 {name}（ops.cosigner）：日志里没有接受它的条目")
        elif not any(each.says(name, trust_domain, external) for each in told):
            found.append(
                f"联署方 {name}（ops.cosigner）的信任域或内外与日志{told[-1].place}说的不同（{told[-1].trust_domain}）"
            )
        if size and not is_signed:
            found.append(f"联署方 {name}（ops.cosigner）写着联署到 {size} 条，没有这个联署")
    return found


def _cosignature_problems(conn: psycopg.Connection, accepted: Acceptances) -> list[str]:
    """Stored cosignatures must belong to a published checkpoint, say what their columns say, and be signed by a key that was accepted.

    That one was taken away is seen by its cosigner alone.
    """
    every = [each.verifier for each in accepted]
    keys: dict[tuple[str, bytes], NoteVerifier] = {(each.name, each.key_id): each for each in every}
    found = []
    with conn.cursor(name="cosignatures") as rows:
        rows.execute(_COSIGNED)
        for size, name, key_id, line, at, note in rows:
            key = keys.get((name, bytes(key_id)))
            if note is None:
                found.append(f"{name} 对 {size} 条的联署：没有这样的检查点")
            elif not _says(note, line, name, bytes(key_id), at):
                found.append(f"{name} 对 {size} 条的联署：名称、密钥、时间与签名行不符，或签名行读不懂")
            elif key is None:
                found.append(f"{name} 对 {size} 条的联署：日志里没有接受过这把公钥")
            elif not _holds(note, line, key):
                found.append(f"{name} 对 {size} 条的联署：不是它的密钥签的")
    return found


def _says(note: str, line: str, name: str, key_id: bytes, at: datetime) -> bool:
    """Whether the line is one signature line, by this name and key, at this time."""
    try:
        before, after = parse_note(note).signatures, parse_note(note + line).signatures
        added = after[len(before) :]
        return (
            after[: len(before)] == before
            and [(each.name, each.key_id) for each in added] == [(name, key_id)]
            and note + line == f"{note}— {name} {encode_base64(key_id + added[0].signature)}\n"
            and cosignature_time(added[0].signature) == at
        )
    except (NoteError, ValueError):
        return False


def _holds(note: str, line: str, verifier: NoteVerifier) -> bool:
    try:
        return bool(parse_note(note + line).verified_by([verifier]))
    except (NoteError, ValueError):
        return False


def _short(key: str) -> str:
    """A key's hash: enough to tell two apart."""
    return key.split("+", 2)[1]
