"""Sending checkpoints to a cosigner (送联署): one request, one proof, whatever was missed meanwhile (PROTOCOL §2.6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg

from plumbline.evidence.checkpoint import Cosignature, cosignature_time, parse_cosigner, parse_note
from plumbline.evidence.note import NoteError, encode_base64
from plumbline.evidence.paths import consistency_path
from plumbline.evidence.witnessing import ADD_CHECKPOINT, SIZE_TYPE, format_request, parse_size
from plumbline.supervision.fetch import Fetcher, FetchUnreadable
from plumbline.supervision.journal.cosigners import MAX_ANSWER, Configured
from plumbline.supervision.journal.heads import source_of

#: A cosigner has so long for its whole answer.
TIMEOUT_S = 10.0
_NEWEST = """
SELECT h.epoch, h.size AS head, c.origin, c.size, c.note
  FROM journal.head h JOIN journal.checkpoint c ON c.origin = h.origin || '/' || h.epoch
 ORDER BY c.size DESC LIMIT 1
"""
#: What every key of a cosigner has signed: one without a signature counts as 0.
_LAST = """
SELECT COALESCE(min(COALESCE(s.size, 0)), 0)
  FROM unnest(%s::bytea[]) AS k (key_id)
  LEFT JOIN LATERAL (SELECT max(size) AS size FROM journal.cosignature WHERE origin = %s AND name = %s AND key_id = k.key_id) s ON true
"""
_KEEP = """
INSERT INTO journal.cosignature (origin, size, name, key_id, line, cosigned_at) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
#: Listed keys that the log accepts no longer.
_ENDED = "SELECT key FROM fact.cosigner WHERE name = %s AND key = ANY(%s) GROUP BY key HAVING bool_and(retired_at IS NOT NULL)"
_WORDS = {
    400: "联署方说请求不对",
    403: "联署方不认得日志的签名公钥：请它用 plumbline cosign trust 加上",
    404: "联署方没有跟随这个日志（每一期是一个日志）：请它用 plumbline cosign trust 加上公钥",
    422: "联署方说证明不成立：日志可能被改写，请立即核对",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    media_type: str
    text: str


class NotCosigned(RuntimeError):
    """A checkpoint was not cosigned; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint was cosigned, with at least one of the cosigner's keys."""

    at: datetime
    #: Which of its keys did not sign, in one plain sentence; empty when all did.
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The newest published checkpoint of the open epoch, and the size of the committed head."""

    epoch: int
    head: int
    origin: str
    size: int
    note: str


def newest_published(conn: psycopg.Connection) -> Published | None:
    """None before the first checkpoint of an epoch. `conn` has no row factory."""
    row = conn.execute(_NEWEST).fetchone()
    return Published(epoch=row[0], head=row[1], origin=row[2], size=row[3], note=row[4]) if row else None


def last_cosigned(conn: psycopg.Connection, origin: str, cosigner: Configured) -> int:
    """The largest size of a log that all keys of this cosigner have signed, as far as is stored here."""
    row = conn.execute(_LAST, [cosigner.key_ids, origin, cosigner.name]).fetchone()
    return int(row[0]) if row else 0


def in_use(conn: psycopg.Connection, cosigner: Configured) -> Configured | None:
    """The cosigner with those of its keys that the log has not retired, None without any: a list may follow an entry late, and what is
    kept is never taken back."""
    ended = {key for (key,) in conn.execute(_ENDED, [cosigner.name, list(cosigner.keys)]).fetchall()}
    kept = tuple(each for each in cosigner.keys if each not in ended)
    return replace(cosigner, keys=kept) if kept else None


def cosign(conn: psycopg.Connection, http: Fetcher, cosigner: Configured, point: Published) -> Cosigned:
    """Have a checkpoint cosigned and keep the signatures; raises :class:`NotCosigned`, or :class:`FetchFailed` when out of reach.

    One proof reaches from whatever the cosigner saw last, so that an outage of days is made up for by one request.
    """
    old = min(last_cosigned(conn, point.origin, cosigner), point.size)
    answer = _ask(conn, http, cosigner, point, old)
    if answer.status == 409 and answer.media_type.startswith(SIZE_TYPE):
        seen = _size(answer)
        now = newest_published(conn) if seen > point.size else None
        if now is not None and now.origin == point.origin and now.head >= seen:
            raise NotCosigned("联署方已有更新的检查点，由另一个后台进程送去，下一轮再看")
        if seen > point.size:
            raise NotCosigned(f"联署方联署过 {seen} 条，这里只有 {point.size} 条：数据库可能被恢复到了以前")
        if seen == old:
            raise NotCosigned(f"联署方在 {seen} 条处见过另一个根：日志分了叉，请立即核对")
        answer = _ask(conn, http, cosigner, point, seen)
    if answer.status != 200:
        raise NotCosigned(_WORDS.get(answer.status, f"联署方答复 {answer.status}"))
    given = _verified(answer.text, cosigner, point)
    for key_id, line, each in given:
        conn.execute(_KEEP, [point.origin, point.size, cosigner.name, key_id, line, each.at])
    return Cosigned(given[0][2].at, _missing(cosigner, {key_id for key_id, _, _ in given}))


def _missing(cosigner: Configured, signed: Collection[bytes]) -> str:
    """What is to be said of keys that are listed and did not sign. Whose other key signed is not behind: cosigners count by name."""
    keys = [parse_cosigner(each) for each in cosigner.keys]
    told = [f"{each.algorithm_name}（{each.key_id.hex()}）" for each in keys if each.key_id not in signed]
    if not told:
        return ""
    return f"没有用登记的 {'、'.join(told)}签名：它可能换了这把密钥，请核对后用 cosigners add 换上"


def _ask(
    conn: psycopg.Connection, http: Fetcher, cosigner: Configured, point: Published, old: int
) -> _Answer:
    path = consistency_path(old, point.size, source_of(conn, point.epoch, point.size))
    body, url = format_request(old, path, point.note), cosigner.url + ADD_CHECKPOINT
    try:
        answer = http.fetch(url, content=body, timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER)
        return _Answer(answer.status, answer.media_type, answer.text())
    except FetchUnreadable as odd:
        raise NotCosigned(f"联署方的答复读不懂（{odd}）") from None


def _size(answer: _Answer) -> int:
    try:
        return parse_size(answer.text)
    except NoteError as error:
        raise NotCosigned("联署方的答复读不懂") from error


def _verified(text: str, cosigner: Configured, point: Published) -> list[tuple[bytes, str, Cosignature]]:
    """Key id and line of each configured key that signed, checked over our own checkpoint; other keys' lines are left aside."""
    try:
        found = parse_note(point.note + text).verified_by([parse_cosigner(each) for each in cosigner.keys])
    except NoteError as error:
        raise NotCosigned(f"联署方的签名不成立：{error}") from error
    if not found:
        raise NotCosigned("联署方没有用登记的密钥签名：它可能换了密钥，请核对后用 cosigners add 换上")
    return [
        (
            verifier.key_id,
            f"— {verifier.name} {encode_base64(verifier.key_id + signature)}\n",
            Cosignature(verifier.name, cosignature_time(signature)),
        )
        for verifier, signature in found
    ]
