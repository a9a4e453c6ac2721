"""Cosigners against the log (联署方的核对): the operator's list, the rows that pages read, and every cosignature; a part of the audit.

The list and the rows can be edited by whoever holds the host; which key was accepted from where on only the log says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import psycopg

from plumbline.domain.basics.calendar import local_text
from plumbline.evidence.checkpoint import parse_note
from plumbline.evidence.cosignature import cosignature_time
from plumbline.evidence.note import NoteError, NoteVerifier, encode_base64
from plumbline.evidence.position import place_text, position_of
from plumbline.supervision.journal.acceptances import Acceptance, Acceptances
from plumbline.supervision.journal.cosigners import Configured

#: The entry comes first and the list follows it at once: what was decided so short a time ago may be on its way.
_FOLLOWS = timedelta(seconds=60)
#: How far a cosigner's clock may be wrong before its word is held against it.
_OTHER_CLOCK = timedelta(hours=1)
#: How many sentences of a kind are told word for word.
NAMED = 20
_ROWS = """
SELECT o.name, o.trust_domain, o.is_external, o.size,
       EXISTS (SELECT 1 FROM journal.cosignature s WHERE s.name = o.name AND s.origin = o.origin AND s.size = o.size)
  FROM ops.cosigner o ORDER BY o.name
"""
_COSIGNED = """
SELECT s.origin, s.size, s.name, s.key_id, s.line, s.cosigned_at, s.received_at, c.note
  FROM journal.cosignature s LEFT JOIN journal.checkpoint c ON c.origin = s.origin AND c.size = s.size
 ORDER BY s.origin, s.size, s.name, s.key_id
"""


class _Told:
    """Sentences by kind: the first ones of each word for word, the rest counted. Tables of any length make a report that can be read."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._count = Counter[str]()

    def add(self, kind: str, sentence: str) -> None:
        """One more."""
        self._count[kind] += 1
        if self._count[kind] <= NAMED:
            self._found.setdefault(kind, []).append(sentence)

    def sentences(self) -> list[str]:
        """What was named, and how many more there are of each kind."""
        told = [each for found in self._found.values() for each in found]
        more = [(kind, count) for kind, count in self._count.items() if count > NAMED]
        return told + [f"{kind}：共 {count} 处，以上写明了 {NAMED} 处" for kind, count in more]


def cosigner_problems(
    conn: psycopg.Connection, listed: Sequence[Configured] | None, accepted: Acceptances
) -> list[str]:
    """Where list, rows and cosignatures are not what the log says. `listed` is None where the list is not known."""
    # The list was read before the walk, which may take longer than the list takes to follow an entry: as of its beginning.
    now = conn.execute("SELECT now()").fetchone()
    assert now is not None
    told = _Told()
    if listed is not None:
        for each in _list_problems(listed, accepted, now[0]):
            told.add("联署方名单与日志不同", each)
    for each in _row_problems(conn, accepted):
        told.add("ops.cosigner 与日志不同", each)
    for each in _missing_rows(conn, listed, accepted, now[0]):
        told.add("ops.cosigner 里缺少的联署方", each)
    for kind, each in _cosignature_problems(conn, accepted):
        told.add(f"联署{kind}", each)
    return told.sentences()


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


def _missing_rows(
    conn: psycopg.Connection, listed: Sequence[Configured] | None, accepted: Acceptances, now: datetime
) -> list[str]:
    """Who is accepted and on the list has a row: without it no code waits for that cosigner, and no page names it."""
    rows = {name for (name,) in conn.execute("SELECT name FROM ops.cosigner").fetchall()}
    names = None if listed is None else {each.name for each in listed}
    gone: dict[str, str] = {}
    for each in accepted.standing():
        is_known = names is None or each.name in names
        if is_known and each.name not in rows and now - each.logged_at > _FOLLOWS:
            gone.setdefault(each.name, each.place)
    return [
        f"联署方 {name}（ops.cosigner）：日志{place}接受了它，表里没有它的一行：被删去，或后台进程没有运行；重新启动后台进程就补上"
        for name, place in gone.items()
    ]


def _cosignature_problems(conn: psycopg.Connection, accepted: Acceptances) -> Iterator[tuple[str, str]]:
    """Stored cosignatures must belong to a published checkpoint, say what their columns say, and be signed by a key that was accepted,
    and at a time at which it was not retired. Each with what is wrong and the sentence.

    That one was taken away is seen by its cosigner alone.
    """
    keys: dict[tuple[str, bytes], list[tuple[Acceptance, NoteVerifier]]] = {}
    for each in accepted:
        verifier = each.verifier
        keys.setdefault((each.name, verifier.key_id), []).append((each, verifier))
    with conn.cursor(name="cosignatures") as rows:
        rows.execute(_COSIGNED)
        for origin, size, name, key_id, line, at, received, note in rows:
            known = keys.get((name, bytes(key_id)), [])
            if note is None:
                wrong = "没有这样的检查点"
            elif not _says(note, line, name, bytes(key_id), at):
                wrong = "名称、密钥、时间与签名行不符，或签名行读不懂"
            elif not known:
                wrong = "日志里没有接受过这把公钥"
            elif not any(_holds(note, line, verifier) for _, verifier in known):
                wrong = "不是它的密钥签的"
            elif (
                ended := ended_before(
                    [each for each, _ in known], at, _position(origin, size), origin, received
                )
            ) is not None:
                wrong = f"写着 {local_text(at)} 签，这把公钥在日志第 {place_text(ended)} 条已经停用"
                yield "签于停用以后", f"{name} 对 {size} 条的联署：{wrong}"
                continue
            else:
                continue
            yield wrong, f"{name} 对 {size} 条的联署：{wrong}"


def _position(origin: str, size: int) -> int:
    """The position right after the checkpoint's last entry; 0 for an origin that names no epoch."""
    epoch = origin.rpartition("/")[2]
    try:
        return position_of(int(epoch), size)
    except ValueError:
        return 0


def ended_before(
    known: Iterable[Acceptance], at: datetime, position: int, origin: str, received: datetime | None = None
) -> int | None:
    """Where the key was retired before it signed at `at`; None while one of its acceptances stood then. `position` is the one right after
    the checkpoint's last entry.

    A checkpoint that covers the retirement was certainly signed after it, which the worker may do until it has read the list. For one
    that does not, or that the worker received in that moment, there is only the cosigner's clock, which may be wrong: within an hour
    nobody is accused. In a demonstration the log's time may be another than the cosigner's, so that the place alone counts.
    """
    last = None
    for each in known:
        if each.retired_at is None or each.retired_position is None:
            return None
        covers = position > each.retired_position
        is_soon = received is not None and received - each.retired_at <= _FOLLOWS
        if at - each.retired_at <= (_FOLLOWS if covers and not is_soon else _OTHER_CLOCK):
            return None
        if not covers and origin.startswith("demo."):
            return None
        last = each.retired_position
    return last


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
