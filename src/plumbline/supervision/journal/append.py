"""The append protocol (入账协议): entries, claims, personal parts, head, leaves, commit; then, never before, the signature.

PROTOCOL §2 step by step. Many processes may append at once; the head row is the only thing that orders them. Nothing but the head,
leaves and nodes is written under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from psycopg import errors

from plumbline.evidence.leaf import Leaf, leaf_hash, us_from_instant
from plumbline.evidence.position import position_of
from plumbline.evidence.receipt import make_receipt
from plumbline.evidence.tree import batch_inclusion_paths
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.problems import Problem
from plumbline.supervision.journal import columns
from plumbline.supervision.journal.clock import (
    CORRECTED_WITHIN,
    NEWEST_CONFIRMED,
    Clock,
    ClockProblem,
    ClockWatch,
    Confirmed,
    SystemClock,
    boot_id,
    require_same_time,
)
from plumbline.supervision.journal.demo_clock import read_demo_clock
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.heads import (
    CheckpointSigner,
    HeadRow,
    SigningStopped,
    extends,
    read_head,
    stored_leaves,
)
from plumbline.supervision.journal.model import Accepted, Outcome, Pending
from plumbline.supervision.journal.own_acts import OwnActs
from plumbline.supervision.journal.receipts import receipts_of, signed_head
from plumbline.supervision.journal.replication import Doubts

MAX_BATCH = 64


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A pending submission with its leaf in the batch that was just committed."""

    pending: Pending
    leaf: Leaf
    index: int
    #: Of the leaf.
    hash: bytes


class Journal:
    """The one way into the journal, for gateway, web and worker alike.

    Contract: when `append` returns :class:`Accepted` for a submission, its bytes and its leaf are committed with
    `synchronous_commit = on` and the receipt's checkpoint is remembered by this host's mark. A returned :class:`Problem` means that
    nothing of that submission was stored. When `append` raises, the outcome of the batch is unknown: the connection is closed, nothing
    was signed, and a retry with the same uid is safe. One instance belongs to one thread.
    """

    def __init__(self, conninfo: str, signer: CheckpointSigner, clock: Clock | None = None) -> None:
        self._conninfo = conninfo
        self._signer = signer
        self._clock = clock or SystemClock()
        self._watch = ClockWatch(self._clock.now())
        self._conn: psycopg.Connection | None = None
        self._last_seen: HeadRow | None = None
        self._doubts: Doubts | None = None
        self._opening = False
        self._correction: ClockCorrected | None = None
        self._own: OwnActs | None = None

    def close(self) -> None:
        """Drop the connection."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        if self._own is not None:
            self._own.close()
            self._own = None

    def _connection(self) -> psycopg.Connection:
        if self._conn is None or self._conn.closed:
            conn = psycopg.connect(self._conninfo, autocommit=True)
            columns.teach(conn)
            self._doubts = Doubts(conn)
            try:
                self._last_seen = self._signer.check_start(conn)
            except BaseException:  # a connection that was not checked is never used
                conn.close()
                raise
            self._conn = conn
        elif self._signer.peers_are_due:
            self._signer.check_peers(self._conn)
        return self._conn

    def append(
        self, batch: Sequence[Pending], *, opening: bool = False, correction: ClockCorrected | None = None
    ) -> list[Outcome]:
        """Place at most 64 submissions; results in the order given. Halves the batch on a database error of one of them.

        `opening`: the batch is the first leaf of an epoch, which nothing else can be. `correction`: it is this one message, at which
        alone the time of the log steps back.
        """
        self._opening, self._correction = opening, correction
        if len(batch) > (MAX_BATCH if correction is None else 1):
            raise ValueError(f"a batch holds at most {MAX_BATCH}, a correction is one alone")
        unique, repeats, outcomes = _resolve_within_batch(batch)
        made = self._append_halving(unique)
        made = self._keep_own_acts(unique, made)
        for pending, outcome in zip(unique, made, strict=True):
            outcomes[id(pending)] = outcome
        for pending, first in repeats:
            outcomes[id(pending)] = _as_repeat(outcomes[id(first)])
        return [outcomes[id(pending)] for pending in batch]

    def _keep_own_acts(self, batch: list[Pending], made: list[Outcome]) -> list[Outcome]:
        """Before it is answered, what the platform itself decided is kept outside the database too."""
        if self._own is None:
            demo = self._last_seen is not None and self._last_seen.origin.startswith("demo.")
            self._own = OwnActs(self._signer.own_acts, synced=not demo)
        return self._own.keep_or_tell(batch, made)

    def _append_halving(self, batch: list[Pending]) -> list[Outcome]:
        if not batch:
            return []
        try:
            return self._append_once(batch)
        except Problem as problem:  # the clock: the transaction is rolled back, nothing was stored
            return [problem] * len(batch)
        except (
            SigningStopped,  # checked again from the start when the next connection is made
            errors.LockNotAvailable,
            errors.QueryCanceled,
            errors.OperationalError,
            errors.InterfaceError,
        ):
            self.close()
            raise
        except psycopg.Error as error:
            if self._conn is not None and self._conn.closed:
                raise
            if len(batch) == 1:
                return [self._refused_by_database(batch[0], error)]
            middle = len(batch) // 2
            return self._append_halving(batch[:middle]) + self._append_halving(batch[middle:])

    @staticmethod
    def _refused_by_database(pending: Pending, error: psycopg.Error) -> Problem:
        if isinstance(error, errors.CheckViolation) and "no partition" in str(error):
            return Problem(slug="unavailable", detail="这个月份的账册还没有建好", retry_after_s=60)
        return Problem(slug="internal", detail=f"数据库拒收：{error.sqlstate}")

    def _append_once(self, batch: list[Pending]) -> list[Outcome]:
        conn = self._connection()
        batch = self._in_demo_time(conn, batch)
        hit("append.before_begin")
        before = after = None
        placed: list[_Placed] = []
        assert self._doubts is not None
        self._doubts.clear()
        for pending in batch:  # here, where nobody waits for the head
            pending.take_digests()
        with conn.transaction():
            new, lost = _insert_entries_and_claims(conn, batch)
            if new:
                _insert_personal(conn, new)
                hit("append.after_personal")
                before = read_head(conn, lock=True, first="RELEASE SAVEPOINT b")
                if (before.size == 0) != self._opening:
                    opened = "已经开启" if before.size else "还没有开启，请执行 plumbline log resume"
                    raise SigningStopped(f"日志第 {before.epoch} 期{opened}")
                after, placed = self._write_leaves(conn, before, new)
                hit("append.before_commit")
        self._doubts.require_none()
        hit("append.after_commit")
        outcomes: dict[int, Outcome] = {
            id(p): Problem(slug="claim-lost", detail=detail) for p, detail in lost
        }
        if before is not None and after is not None:
            outcomes |= self._receipts(conn, before, after, placed)
        stored = [p for p in batch if id(p) not in outcomes]
        outcomes |= self._already_stored(conn, stored)
        return [outcomes[id(pending)] for pending in batch]

    def present(self) -> datetime | None:
        """A demo's present as its clock is set; None in every other log, where it is the host's time."""
        conn = self._connection()
        if self._last_seen is None or not self._last_seen.origin.startswith("demo."):
            return None
        return read_demo_clock(conn).now()

    def _in_demo_time(self, conn: psycopg.Connection, batch: list[Pending]) -> list[Pending]:
        """While a demo's past is being told, what states no time happens at the log's newest: today would end the story."""
        if self._last_seen is None or not self._last_seen.origin.startswith("demo."):
            return batch
        if all(p.stated_at is not None for p in batch):
            return batch
        story = read_demo_clock(conn).story
        return [replace(p, stated_at=p.stated_at or story) for p in batch] if story else batch

    def _write_leaves(
        self, conn: psycopg.Connection, before: HeadRow, new: list[Pending]
    ) -> tuple[HeadRow, list[_Placed]]:
        """Under the head lock: times, leaves, nodes, the new head."""
        hit("append.after_head_lock")
        times = self._times(conn, before, new)
        placed = []
        for offset, (pending, logged_at) in enumerate(zip(new, times, strict=True)):
            leaf = Leaf(
                sender_id=pending.sender_id,
                uid=pending.uid,
                arrived_at_us=us_from_instant(pending.stated_at or pending.arrived_at),
                logged_at_us=us_from_instant(logged_at),
                envelope_sha256=pending.digests[0],
                message_sha256=pending.digests[1],
                message_sm3=pending.digests[2],
            )
            placed.append(
                _Placed(pending=pending, leaf=leaf, index=before.size + offset, hash=leaf_hash(leaf.encode()))
            )
        grown = before.frontier.append([each.hash for each in placed])
        if grown.nodes:
            nodes = [(before.epoch, node.level, node.start, node.hash) for node in grown.nodes]
            _copy(conn, "journal.node (epoch, level, start, hash)", ["int4", "int4", "int8", "bytea"], nodes)
        after = before.grown(grown.frontier, times[-1])
        leaves = [
            before.epoch,
            columns.wholes(each.index for each in placed),
            columns.uuids(each.pending.uid for each in placed),
            columns.byte_strings(each.pending.sender_id for each in placed),
            columns.instants(times),
            columns.byte_strings(each.hash for each in placed),
        ]
        head = [after.size, after.root, after.frontier.encode(), after.last_time, before.size]
        if self._correction is None:
            changed = conn.execute(_GROW, [*leaves, *head])
        else:  # one after the other: the head's trigger looks for the leaf that lets time step back
            conn.execute(_LEAVES, leaves)
            changed = conn.execute(_HEAD, head)
        if changed.rowcount != 1:
            raise RuntimeError("the head moved under its lock")
        hit("append.after_leaves")
        return after, placed

    def _times(self, conn: psycopg.Connection, before: HeadRow, new: list[Pending]) -> list[datetime]:
        """`logged_at` of each entry: PostgreSQL's clock under the lock, or the stated times of a demo log, never going back but at a
        correction."""
        if self._correction is not None:
            return [self._corrected(conn, before, self._correction)]
        if before.origin.startswith("demo.") and all(p.stated_at is not None for p in new):
            times, latest = [], before.last_time
            for pending in new:
                assert pending.stated_at is not None
                latest = max(latest, pending.stated_at)
                times.append(latest)
            return times
        row = conn.execute(_CLOCKS, {"boot": boot_id()}).fetchone()
        assert row is not None
        now, ahead = row[0], row[1]
        if self._opening and before.last_time > now + ahead:
            # What was kept ends in a time that is yet to come: nothing but the opening can be entered before it is corrected.
            return [before.last_time] * len(new)
        try:
            # The watch looks at the clocks as they are; what a demo puts forward is no step of them.
            at = self._watch.check(
                now, before.last_time - ahead, self._clock.now(), confirmed=Confirmed.of(row[2:6])
            )
        except ClockProblem as error:
            raise Problem(slug="clock-off", detail=str(error), retry_after_s=30) from None
        return [at + ahead] * len(new)

    def _corrected(self, conn: psycopg.Connection, before: HeadRow, told: ClockCorrected) -> datetime:
        """The time that a correction goes back to: the present still, and the log as it was when two persons looked at it."""
        row = conn.execute(_CLOCKS, {"boot": boot_id()}).fetchone()
        assert row is not None
        now = row[0] + row[1]
        try:
            require_same_time(row[0], self._clock.now())
        except ClockProblem as error:
            raise Problem(slug="clock-off", detail=str(error), retry_after_s=30) from None
        if (told.position, told.last_wrong) != (position_of(before.epoch, before.size), before.last_time):
            raise Problem(slug="unavailable", detail="日志头在这期间动了，请重新执行", retry_after_s=5)
        if not timedelta(0) <= now - told.corrected_to <= CORRECTED_WITHIN:
            raise Problem(slug="unavailable", detail="确认得太久，时间已经过去，请重新执行", retry_after_s=5)
        return told.corrected_to

    def _receipts(
        self, conn: psycopg.Connection, before: HeadRow, after: HeadRow, placed: list[_Placed]
    ) -> dict[int, Outcome]:
        if self._last_seen is not None and before != self._last_seen:
            if self._last_seen.epoch != before.epoch:
                raise SigningStopped(f"日志已经另开第 {before.epoch} 期，请重试")
            if not extends(conn, self._last_seen, before):
                raise SigningStopped("日志头不是本机上次所见的后继：日志被改写")
        note = self._signer.sign_if_largest(after)
        self._last_seen = after
        hashes = [each.hash for each in placed]
        if note is None:  # another process of this host has signed a larger head meanwhile
            head, note = signed_head(conn, self._signer)
            if head.epoch != after.epoch:
                return self._already_stored(conn, [each.pending for each in placed], duplicate=False)
            # What came in meanwhile stands right behind the batch: all of it together grows from the same frontier.
            hashes += stored_leaves(conn, after, head)
            if before.frontier.append(hashes).frontier.root() != head.root:
                raise SigningStopped("日志头与存着的叶子对不上：日志被改写")
        else:
            hit("append.after_sign")
        paths = batch_inclusion_paths(before.frontier, hashes)[: len(placed)]
        return {
            id(each.pending): Accepted(
                entry=each.pending.entry,
                epoch=after.epoch,
                index=each.index,
                logged_at=datetime.fromtimestamp(each.leaf.logged_at_us / 1e6, tz=UTC),
                receipt=make_receipt(each.leaf, each.index, path, note),
                duplicate=False,
            )
            for each, path in zip(placed, paths, strict=True)
        }

    def _already_stored(
        self, conn: psycopg.Connection, batch: list[Pending], *, duplicate: bool = True
    ) -> dict[int, Outcome]:
        """Entries that the journal holds already: the stored receipt, or 409 when the message differs."""
        if not batch:
            return {}
        found = receipts_of(conn, self._signer, [p.identity for p in batch])
        outcomes: dict[int, Outcome] = {}
        for pending in batch:
            stored = found[pending.identity]
            if stored.message_sha256 != pending.digest:
                outcomes[id(pending)] = Problem(
                    slug="uid-conflict",
                    detail=f"uid {pending.uid} 已于 {stored.logged_at:%Y-%m-%d %H:%M} 用于另一份内容",
                )
            else:
                outcomes[id(pending)] = stored.accepted(duplicate=duplicate)
        return outcomes


def _resolve_within_batch(
    batch: Sequence[Pending],
) -> tuple[list[Pending], list[tuple[Pending, Pending]], dict[int, Outcome]]:
    """(first of each identity in log order, repeats with their first, conflicts)."""
    first: dict[tuple[object, bytes], Pending] = {}
    repeats: list[tuple[Pending, Pending]] = []
    outcomes: dict[int, Outcome] = {}
    for pending in batch:
        known = first.setdefault(pending.identity, pending)
        if known is pending:
            continue
        if known.digest == pending.digest:
            repeats.append((pending, known))
        else:
            outcomes[id(pending)] = Problem(
                slug="uid-conflict", detail=f"uid {pending.uid} 在同一批里用于两份内容"
            )
    ordered = list(
        first.values()
    )  # the log keeps the order of arrival; rows are inserted in the order of keys
    if all(p.stated_at is not None for p in ordered):
        ordered.sort(key=lambda p: p.stated_at or p.arrived_at)
    return ordered, repeats, outcomes


def _as_repeat(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Problem):
        return outcome
    return Accepted(
        entry=outcome.entry,
        epoch=outcome.epoch,
        index=outcome.index,
        logged_at=outcome.logged_at,
        receipt=outcome.receipt,
        duplicate=True,
    )


#: Leaves and head in one statement (`_GROW`): every trip to the database under the head's lock holds up all who append.
_LEAVES = """
INSERT INTO journal.leaf (epoch, idx, uid, sender_id, logged_at, leaf_hash)
  SELECT %b::int4, * FROM unnest(%b::int8[], %b::uuid[], %b::bytea[], %b::timestamptz[], %b::bytea[])"""
_HEAD = (
    "UPDATE journal.head SET size = %b, root = %b, frontier = %b, last_time = %b WHERE single AND size = %b"
)
_GROW = f"WITH leaves AS ({_LEAVES}) {_HEAD}"
#: The database's clock, how far a demo's runs ahead of it, and when a person last held it against another one.
_CLOCKS = f"""
SELECT clock_timestamp(), COALESCE((SELECT ahead FROM ops.demo_clock), '0'), c.at, c.boot, c.since_boot, c.elsewhere
  FROM (SELECT 1) one LEFT JOIN ({NEWEST_CONFIRMED}) c ON true
"""
_CLAIM = """
INSERT INTO journal.claim (kind, value, entry)
SELECT kind, value, entry FROM unnest(%b::text[], %b::text[], %b::bytea[]) WITH ORDINALITY t(kind, value, entry, n) ORDER BY n
ON CONFLICT DO NOTHING RETURNING kind, value, entry
"""
#: Up to so many bytes a batch goes as one statement, on one trip; more of them by COPY, which holds no second copy of them.
_AT_ONCE_BYTES = 1024 * 1024
_ENTRY_COLUMNS = "uid, sender_id, key_id, envelope, message, arrived_at"
_ENTRY_TYPES = ["uuid", "bytea", "text", "bytea", "bytea", "timestamptz"]
_ENTRIES = (
    f"INSERT INTO journal.entry ({_ENTRY_COLUMNS}) "
    f"SELECT * FROM unnest({', '.join(f'%b::{kind}[]' for kind in _ENTRY_TYPES)})"
).encode()


def _copy(
    conn: psycopg.Connection, target: str, types: list[str], rows: Sequence[tuple[object, ...]]
) -> None:
    with conn.cursor().copy(f"COPY {target} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _entry_row(p: Pending) -> tuple[object, ...]:
    return p.uid, p.sender_id, p.key_id, p.envelope, p.message, p.stated_at or p.arrived_at


def _entry_columns(batch: Sequence[Pending]) -> list[columns.Column]:
    """The rows of a batch as unnest() takes them."""
    return [
        columns.uuids(p.uid for p in batch),
        columns.byte_strings(p.sender_id for p in batch),
        columns.texts(p.key_id for p in batch),
        columns.byte_strings(p.envelope for p in batch),
        columns.byte_strings(p.message for p in batch),
        columns.instants(p.stated_at or p.arrived_at for p in batch),
    ]


def _insert_entries_and_claims(
    conn: psycopg.Connection, batch: list[Pending]
) -> tuple[list[Pending], list[tuple[Pending, str]]]:
    """(entries that are new and hold all their claims, losers of a claim with the value)."""
    remaining: list[Pending] = list(batch)
    lost: list[tuple[Pending, str]] = []
    while True:
        # One trip for both; not prepared, because a prepared statement is one alone.
        conn.execute("SET LOCAL synchronous_commit = on; SAVEPOINT b", prepare=False)
        new = _insert_entries(conn, remaining)
        hit("append.after_entries")
        losers = _insert_claims(conn, new)
        if not losers:
            hit("append.after_claims")
            return new, lost
        conn.execute("ROLLBACK TO SAVEPOINT b")
        lost += losers
        gone = {id(p) for p, _ in losers}
        remaining = [p for p in remaining if id(p) not in gone]
        if not remaining:
            return [], lost


def _insert_entries(conn: psycopg.Connection, batch: list[Pending]) -> list[Pending]:
    """All at once first, which is cheaper; ON CONFLICT only after a repeat was met. Savepoint `b` is fresh."""
    ordered = sorted(batch, key=lambda p: (p.uid.bytes, p.sender_id))
    try:
        if sum(len(p.envelope) + len(p.message) for p in ordered) > _AT_ONCE_BYTES:
            rows = [_entry_row(p) for p in ordered]
            _copy(conn, f"journal.entry ({_ENTRY_COLUMNS})", _ENTRY_TYPES, rows)
        else:
            conn.execute(_ENTRIES, _entry_columns(ordered))
        return batch
    except errors.UniqueViolation:
        conn.execute("ROLLBACK TO SAVEPOINT b")
    new: set[tuple[object, bytes]] = set()
    with conn.cursor() as cur:
        for pending in ordered:
            cur.execute(
                f"INSERT INTO journal.entry ({_ENTRY_COLUMNS}) "
                f"VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING uid".encode(),
                _entry_row(pending),
            )
            if cur.fetchone():
                new.add(pending.identity)
    return [p for p in batch if p.identity in new]


def _insert_claims(conn: psycopg.Connection, new: list[Pending]) -> list[tuple[Pending, str]]:
    wanted = sorted((kind, value, p.entry, index) for index, p in enumerate(new) for kind, value in p.claims)
    if not wanted:
        return []
    # In one order everywhere, so that nobody waits for another in a circle.
    kinds, values, entries, _ = zip(*wanted, strict=True)
    held_by = [columns.texts(kinds), columns.texts(values), columns.byte_strings(entries)]
    won = conn.execute(_CLAIM, held_by).fetchall()
    held, losers = {(kind, value, bytes(entry)) for kind, value, entry in won}, dict[int, str]()
    for kind, value, entry, index in wanted:
        if (kind, value, entry) not in held:
            losers[index] = value
        held.discard((kind, value, entry))
    return [(new[index], value) for index, value in losers.items()]


def _insert_personal(conn: psycopg.Connection, new: list[Pending]) -> None:
    records = sorted(((r, p) for p in new for r in p.personal), key=lambda pair: pair[0].digest)
    for record, pending in records:
        conn.execute(
            "INSERT INTO ops.personal (digest, subject, nonce, ciphertext, arrived_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [record.digest, record.subject, record.nonce, record.ciphertext, pending.arrived_at],
        )


__all__ = ["MAX_BATCH", "Journal"]
