"""Asking the senders to send again (请求补传): after a restore the platform lacks what it acknowledged, and says which part.

What is missing is known from the epoch that was opened: everything that an ended epoch was signed for beyond what was kept. Where nobody
knows (no mark, no cosigner), the senders are asked to compare their receipts of some days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row, tuple_row

from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import LostRange, RetransmitRequested
from plumbline.exchange.messages.registry import KeyRevoked, PartySuspended
from plumbline.exchange.messages.reports import CodeReleased
from plumbline.exchange.named import named_entries
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender

MAX_DAYS = 400
_EPOCHS = "SELECT epoch, kept_epoch, kept_size, signed FROM journal.epoch WHERE epoch > 1 ORDER BY epoch"
#: Of each: why the door would refuse whatever it sent (`gateway/directory.py`), so that nobody waits for it. A shared secret that was lost
#: with the database is not seen here: nobody but the gateway may look at those.
_SENDERS = """
SELECT p.id, p.name,
       CASE WHEN p.suspended_at IS NOT NULL THEN '已停用：' || p.suspended_because
            WHEN NOT bool_or(k.revoked_at IS NULL AND k.valid_from <= clock_timestamp() AND clock_timestamp() < k.valid_until)
            THEN '没有有效的报送密钥' ELSE '' END AS mute
  FROM fact.party p JOIN fact.key k ON k.party = p.id
 WHERE k.use IN ('transport', 'origin') AND NOT 'platform' = ANY (p.roles) GROUP BY p.id ORDER BY p.id
"""
_STATUS = """
SELECT t.id, t.party, p.name, t.stage, t.resent, t.present, t.not_held, t.logged_at, t.answered_at
  FROM fact.retransmission t LEFT JOIN fact.party p ON p.id = t.party ORDER BY t.idx
"""


#: Files whose stored copies the patrol found damaged, by who brought them.
_DAMAGED = (
    "SELECT encode(uploaded_by, 'hex'), encode(sha256, 'hex') FROM ops.file WHERE damage <> '' ORDER BY 1, 2"
)
#: So many files one request names.
FILES_A_REQUEST = 200


class NothingToAsk(ValueError):
    """No request is made; the message names what is wrong and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSender:
    """A party that has, or had, a key to send with."""

    party: str
    name: str
    #: Why nothing that it sends is taken now; empty when it can send.
    mute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: ranges of ended epochs, everything since an instant, or files by hash; the parties, and why."""

    ranges: tuple[LostRange, ...]
    since: datetime | None
    #: Party id → name.
    parties: dict[str, str]
    because: str
    #: Party id → SHA-256 of the files that it brought.
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: Files that nobody can be asked for, who brought them cannot send.
    orphans: Sequence[str] = ()
    #: Who is not asked, since it could not answer.
    mute: Sequence[KnownSender] = ()


def lost_ranges(conn: psycopg.Connection[Any]) -> list[LostRange]:
    """What ended epochs were signed for and the database lacks, one range an epoch, in order."""
    ranges: dict[int, LostRange] = {}
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(_EPOCHS).fetchall()
    for _, kept_epoch, kept_size, signed in rows:
        ends = {int(each["epoch"]): int(each["size"]) for each in signed}
        for number in sorted({kept_epoch, *ends}):
            first = kept_size if number == kept_epoch else 0
            end = ends.get(number)
            if end is None or end > first:
                ranges[number] = LostRange(epoch=number, first=first, end=end)
    return [ranges[number] for number in sorted(ranges)]


def senders(conn: psycopg.Connection) -> dict[str, KnownSender]:
    """Everybody who has, or had, a key to send with, by party id."""
    rows = conn.execute(_SENDERS).fetchall()
    return {party: KnownSender(party=party, name=name, mute=mute) for party, name, mute in rows}


def plan(
    conn: psycopg.Connection,
    *,
    parties: Sequence[str] = (),
    days: int | None = None,
    only: tuple[int, int, int | None] | None = None,
    because: str,
) -> Wanted:
    """What would be asked of whom. `only` narrows it to (epoch, first, end). Raises :class:`NothingToAsk`."""
    asked, mute = _asked(parties, senders(conn))
    if not asked:
        raise NothingToAsk(_nobody(mute))
    if days is not None:
        if not 1 <= days <= MAX_DAYS:
            raise NothingToAsk(f"--days：{days} 不在 1 到 {MAX_DAYS} 之间；更早的内容平台也不再收")
        return Wanted(
            ranges=(),
            since=datetime.now(UTC) - timedelta(days=days),
            parties=asked,
            because=because,
            mute=mute,
        )
    lost = lost_ranges(conn)
    if not lost:
        raise NothingToAsk(
            "日志没有缺少的段：没有另开过一期，或另开时什么也不缺。不知道缺什么时，用 --days 请各单位对照最近几天的回执"
        )
    # Without an end: whoever holds a receipt for more than this host remembers sends that too.
    open_ended = [LostRange(epoch=each.epoch, first=each.first) for each in lost]
    return Wanted(
        ranges=tuple(open_ended if only is None else [_narrowed(lost, *only)]),
        since=None,
        parties=asked,
        because=because,
        mute=mute,
    )


def _asked(
    parties: Sequence[str], known: Mapping[str, KnownSender]
) -> tuple[dict[str, str], list[KnownSender]]:
    """(party id → name of those who can answer, those who cannot) among the parties that were named, or among all."""
    _require_known(parties, known)
    meant = [known[each] for each in parties or known]
    return {each.party: each.name for each in meant if not each.mute}, [each for each in meant if each.mute]


def _nobody(mute: Sequence[KnownSender]) -> str:
    """Why there is nobody to ask."""
    if not mute:
        return "没有一个单位登记过报送密钥，没有人可请"
    told = "、".join(f"{each.name}（{each.mute}）" for each in mute[:20])
    later = "恢复使用或换了密钥以后再请；恢复备份以后先执行 plumbline retransmit own，补入平台自己的决定"
    return f"{told}现在不能报送，请了也答复不了；{later}"


def _require_known(parties: Sequence[str], known: Mapping[str, KnownSender]) -> None:
    if unknown := [each for each in parties if each not in known]:
        raise NothingToAsk(
            f"--party：{unknown[0]} 不是有报送密钥的单位。请写单位编号（32 位十六进制），plumbline retransmit status 列出各单位"
        )


def plan_files(
    conn: psycopg.Connection,
    damaged: Sequence[tuple[str, str]],
    *,
    parties: Sequence[str] = (),
    because: str,
) -> Wanted:
    """Who is asked for the files of `damaged`, (party, SHA-256) each. Raises :class:`NothingToAsk`."""
    files: dict[str, list[str]] = {}
    can_send, mute = _asked(parties, senders(conn))
    for party, digest in damaged:
        if not parties or party in parties:
            files.setdefault(party, []).append(digest)
    orphans = [each for party in files.keys() - can_send.keys() for each in files[party]]
    wanted = {party: can_send[party] for party in files if party in can_send}
    if not wanted:
        whose = "这些单位上传的" if parties else ""
        told = "上传的单位现在不能报送，请从备份放回" if orphans else f"巡检没有查出{whose}坏了的文件"
        raise NothingToAsk(told)
    return Wanted(
        ranges=(),
        since=None,
        parties=wanted,
        because=because,
        files={party: files[party] for party in wanted},
        orphans=orphans,
        mute=[each for each in mute if each.party in files],
    )


def damaged_files(conninfo: str) -> list[tuple[str, str]]:
    """(party that brought it, SHA-256) of every file whose stored copy the patrol found damaged; `conninfo` is the worker's."""
    with psycopg.connect(conninfo) as conn:
        return conn.execute(_DAMAGED).fetchall()


def _narrowed(lost: list[LostRange], epoch: int, first: int, end: int | None) -> LostRange:
    """The part of the lost ranges that was named; it must lie within what is lost."""
    told = next((each for each in lost if each.epoch == epoch), None)
    words = "、".join(f"第 {each.epoch} 期 {each.first}–{each.end or ''}" for each in lost)
    if told is None:
        raise NothingToAsk(f"--epoch：第 {epoch} 期没有缺少的段；缺的是 {words}")
    if end is not None and end <= first:
        raise NothingToAsk(f"--first、--end：{first} 到 {end} 是空的；缺的是 {words}")
    if first < told.first:
        raise NothingToAsk(f"--first：第 {epoch} 期第 {first} 条还在，不必补传；缺的是 {words}")
    if told.end is not None and max(first + 1, end or 0) > told.end:
        raise NothingToAsk(
            f"--end：第 {epoch} 期只签到 {told.end} 条，{end or first} 还没有发生；缺的是 {words}"
        )
    return LostRange(epoch=epoch, first=first, end=end if end is not None else told.end)


def ask(
    sender: PlatformSender, wanted: Wanted, *, operator: str, anchor: datetime, epoch: int
) -> list[tuple[str, Accepted | Problem]]:
    """One entry a party, in one transaction each; asked twice for the same, it is the same entry.

    `anchor`: when the present epoch was opened (or the day, where nobody knows the range): the uid is derived from it and from
    `epoch`, the present one, so that a second loss on the same day is asked about anew.
    """
    made: list[tuple[str, Accepted | Problem]] = []
    for party, files in _parts(wanted):
        what = [wanted.ranges, wanted.since and wanted.since.date(), epoch, *files]
        message = RetransmitRequested(
            v=1,
            uid=derived_uid("retransmit.requested", msgspec.json.encode(what).decode(), party, anchor),
            sender=operator,
            occurred_at=anchor,
            party=party,
            entries=[],
            ranges=list(wanted.ranges),
            since=_midnight(wanted.since),
            files=files,
            because=wanted.because,
        )
        try:
            made.append((party, sender.submit(message)))
        except Problem as problem:
            made.append((party, problem))
    return made


def _parts(wanted: Wanted) -> Iterator[tuple[str, list[str]]]:
    """Each party, with as many files as one request names."""
    for party in wanted.parties:
        files = list(wanted.files.get(party, ()))
        for start in range(0, max(1, len(files)), FILES_A_REQUEST):
            yield party, files[start : start + FILES_A_REQUEST]


def is_ready(conn: psycopg.Connection[Any], message: Message) -> bool:
    """Whether what an act of the platform is about stands in the tables again: the entries that it names, for a release the withheld
    application, for a revocation or suspension the key or party, which somebody else may have to send first: entered before, it would
    stop nothing."""
    named = sorted(set(named_entries(message)))
    rows = conn.execute("SELECT id FROM fact.event WHERE id = ANY(%s)", [named]).fetchall()
    if len(rows) < len(named):
        return False
    if isinstance(message, CodeReleased):
        state = "SELECT 1 FROM fact.application WHERE id = %s AND state = 'withheld'"
        return conn.execute(state, [message.application]).fetchone() is not None
    if isinstance(message, KeyRevoked):
        return conn.execute("SELECT 1 FROM fact.key WHERE id = %s", [message.key_id]).fetchone() is not None
    if isinstance(message, PartySuspended):
        return conn.execute("SELECT 1 FROM fact.party WHERE id = %s", [message.party]).fetchone() is not None
    return True


def _midnight(at: datetime | None) -> datetime | None:
    """The beginning of the day, so that asking twice on one day is the same request."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0) if at else None


def present_epoch(conn: psycopg.Connection[Any]) -> int:
    """The epoch that is written now."""
    with conn.cursor(row_factory=tuple_row) as cur:
        row = cur.execute("SELECT epoch FROM journal.head").fetchone()
    return int(row[0]) if row else 1


def anchor_of(conn: psycopg.Connection) -> datetime:
    """When the present epoch began: the instant of its first entry."""
    row = conn.execute(
        "SELECT l.logged_at FROM journal.leaf l JOIN journal.head h USING (epoch) WHERE l.idx = 0"
    ).fetchone()
    if row is None:
        raise NothingToAsk("这一期日志还没有开启：请先执行 plumbline log resume")
    at: datetime = row[0]
    return at


def standing(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """Every request and how far its party has answered, oldest first."""
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(_STATUS).fetchall()
