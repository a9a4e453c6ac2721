"""The exchange monitor's writer (数据交换监控的记录): who asked the gateway to store what, and what it was told.

A request is only noted down in memory; a task of its own writes the notes in batches through its own connection. It holds no upload
up and fails none: when it cannot keep pace, or the database is lost, notes are dropped and counted in the process log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb
from starlette.requests import Request

from plumbline.exchange.masking import Headline, Kept, headline, kept_message, masked_text
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.gateway.door import Received
from plumbline.supervision.gateway.limits import RateLimit

BATCH, PAUSE_S = 500, 0.5
#: Notes that wait; beyond it new ones are dropped. Bodies wait up to a number of bytes.
LAST_EVERY_S = 5.0
MOST_WAITING, MOST_WAITING_BYTES = 20_000, 32 * 1024 * 1024
SWEEP_EVERY_S, SWEEP_AT_ONCE = 30.0, 20_000
KEEP_ROWS, MOST_ROWS = timedelta(days=90), 3_000_000
KEEP_BODIES, MOST_BODIES = timedelta(days=14), 4_000
_KEY_ID = re.compile(r'keyid="([a-z0-9][a-z0-9.:-]{3,79})"')
_KIND = re.compile(r"[a-z][a-z_]{0,39}\.[a-z_]{1,39}")
#: Request lines that help to find an error; the rest is nobody's business.
_SHOWN = (
    "signature-input",
    "content-digest",
    "plumb-message-digest",
    "content-type",
    "content-length",
    "date",
    "user-agent",
)
_INSERT = "INSERT INTO ops.exchange_request SELECT r.* FROM jsonb_populate_recordset(NULL::ops.exchange_request, %s) r"
_BODY = "INSERT INTO ops.exchange_body (request, holder, body, masked) VALUES (%s, %s, %s, %s)"
_LAST = (
    "INSERT INTO ops.exchange_last (holder, kind, request, at, body) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (holder, kind) DO UPDATE SET request = excluded.request, at = excluded.at, body = excluded.body "
    "WHERE ops.exchange_last.request < excluded.request"
)
_log = logging.getLogger("plumbline.gateway")


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint says of a request that it took: left in `request.state.stored`."""

    kind: str
    uid: str = ""
    entry: str = ""
    outcome: str = "accepted"
    #: When it was taken (perf_counter): a sender may wait for the projection beyond that.
    at: float = msgspec.field(default_factory=time.perf_counter)


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    received: Received | None
    #: The header that names the key.
    signed: str
    #: Of what was refused: method and path, then the header lines that help to find the error.
    asked: tuple[str, ...]
    size: int
    status: int
    ms: float
    stored: Stored | None
    problem: Problem | None
    number: str
    body: bytes = b""


@dataclass(slots=True)
class Monitor:
    """Notes of one gateway process, and the task that writes them."""

    conninfo: str
    operator: str
    dropped: int = 0
    _notes: deque[_Note] = field(default_factory=deque)
    _waiting_bytes: int = 0
    _task: asyncio.Task[None] | None = None
    _swept: float = 0.0
    #: Sender and kind → when its last accepted message was kept.
    _lasts: dict[tuple[str, str], float] = field(default_factory=dict)
    #: Refusals, by sender, and those that nobody signed for together: a flood is not written down whole, so that it does not
    #: push everybody else's requests out of the monitor.
    _refusals: RateLimit = field(default_factory=lambda: RateLimit(5, 1000))

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, then end."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(psycopg.Error, OSError):
            while self._notes:
                await self._flush(None)

    def note(
        self,
        request: Request,
        *,
        began: float,
        status: int,
        problem: Problem | None,
        number: str,
        part: tuple[Received, Stored | None] | None = None,
    ) -> None:
        """Remember one request, or one message of a request of several (`part`); never raises, never waits."""
        try:
            received, stored = _left(request, "received"), _left(request, "stored")
            self._note(request, began, status, (problem, number), part or (received, stored))
        except Exception:  # whatever happens here, the sender gets its answer
            _log.exception("a request is not in the exchange monitor")

    def _note(
        self,
        request: Request,
        began: float,
        status: int,
        told: tuple[Problem | None, str],
        part: tuple[Received | None, Stored | None],
    ) -> None:
        (problem, number), (received, stored) = told, part
        if problem is not None and not self._has_room_for(received):
            self.dropped += 1
            return
        if len(self._notes) >= MOST_WAITING:
            self.dropped += 1
            return
        body = received.body if received else b""
        if stored is None and problem is None:
            stored = Stored(kind="file")
        is_kept = self._waiting_bytes + len(body) <= MOST_WAITING_BYTES
        self._waiting_bytes += len(body) if is_kept else 0
        self._notes.append(
            _Note(
                at=datetime.now(UTC),
                received=received,
                signed=_signed(request, received),
                asked=_asked(request) if problem else (),
                size=len(body) or _announced(request),
                status=status,
                ms=((stored.at if stored else time.perf_counter()) - began) * 1000,
                stored=stored,
                problem=problem,
                number=number,
                body=body if is_kept else b"",
            )
        )

    def _has_room_for(self, received: Received | None) -> bool:
        """Whether one more refusal of this sender is written down."""
        seen = received.seen if received else None
        try:
            self._refusals.take(seen.key.party if seen and seen.key and seen.is_identified else "")
        except Problem:
            return False
        return True

    async def _run(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True) as conn:
                    # nobody was promised these rows: they need not be on the disk before the next batch
                    await conn.execute("SET synchronous_commit = off")
                    while True:
                        await asyncio.sleep(PAUSE_S)
                        while self._notes:
                            await self._flush(conn)
                        await self._sweep(conn)
            except (psycopg.Error, OSError) as error:
                _log.warning("the exchange monitor cannot write: %s", type(error).__name__)
                await asyncio.sleep(2)
            except Exception:  # whatever one batch held, the next ones are written
                _log.exception("the exchange monitor could not write a batch")

    async def _flush(self, conn: psycopg.AsyncConnection[Any] | None) -> None:
        """Write up to a batch; it leaves the queue before it is written, so that a row that fails is not tried for ever."""
        batch = [self._notes.popleft() for _ in range(min(BATCH, len(self._notes)))]
        self._waiting_bytes -= sum(len(each.body) for each in batch)
        if self.dropped:
            _log.warning("%d requests are not in the exchange monitor", self.dropped)
            self.dropped = 0
        try:
            rows = await asyncio.to_thread(self._rows, batch)
            if conn is None:
                async with await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True) as own:
                    await _write(own, rows)
            else:
                await _write(conn, rows)
        except Exception:
            self.dropped += len(batch)
            raise

    def _rows(self, batch: list[_Note]) -> list[_Written]:
        """Rows of a batch. Of what was taken only the last of a sender and kind is read again, and that not every second."""
        written = [_Written(_row(each, self.operator)) for each in batch]
        for note, each in zip(reversed(batch), reversed(written), strict=True):
            if not (each.row["is_proved"] and note.body):
                continue  # of what nobody is known to have signed the content is not kept: it may be anybody's
            if len(self._lasts) > MOST_WAITING:
                self._lasts.clear()
            place, now = (each.row["holder"], each.row["kind"]), time.monotonic()
            if note.stored is None:
                each.kept = kept_message(note.body)
            elif each.row["outcome"] == "accepted" and self._lasts.get(place, 0.0) < now - LAST_EVERY_S:
                self._lasts[place] = now
                each.kept, each.is_last = kept_message(note.body), True
        return written

    async def _sweep(self, conn: psycopg.AsyncConnection[Any]) -> None:
        if time.monotonic() - self._swept < SWEEP_EVERY_S:
            return
        self._swept, now = time.monotonic(), datetime.now(UTC)
        counted = await conn.execute(
            "SELECT reltuples > %s FROM pg_class WHERE oid = 'ops.exchange_request'::regclass", [MOST_ROWS]
        )
        row = await counted.fetchone()
        # the bound is known before: a look at the oldest rows alone
        before = now if row and row[0] else now - KEEP_ROWS
        await conn.execute(
            "DELETE FROM ops.exchange_request WHERE id IN "
            "(SELECT id FROM ops.exchange_request WHERE id < %s ORDER BY id LIMIT %s)",
            [_first_of(before), SWEEP_AT_ONCE],
        )
        await conn.execute(
            "DELETE FROM ops.exchange_body WHERE request < %s OR request IN "
            "(SELECT request FROM ops.exchange_body ORDER BY request DESC OFFSET %s)",
            [_first_of(now - KEEP_BODIES), MOST_BODIES],
        )


def _left(request: Request, name: str) -> Any:
    """What was left in `request.state` by this name, None for nothing; State itself makes a failure of what is absent, which is dear."""
    return request.scope.get("state", {}).get(name)


def _signed(request: Request, received: Received | None) -> str:
    """The header that names the key."""
    headers = request.headers if received is None else received.headers
    return headers.get("signature-input", "")[:2000]


def _asked(request: Request) -> tuple[str, ...]:
    lines = [f"{name}: {request.headers[name]}" for name in _SHOWN if name in request.headers]
    return f"{request.method} {request.url.path}"[:200], *lines


def _announced(request: Request) -> int:
    told = request.headers.get("content-length", "0")
    return min(int(told), 2**50) if told.isascii() and told.isdigit() and len(told) < 16 else 0


def _first_of(at: datetime) -> uuid.UUID:
    """The smallest uid of an instant."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


@dataclass(slots=True)
class _Written:
    row: dict[str, Any]
    kept: Kept | None = None
    #: Kept as the last one that its sender got through, not as a refused one.
    is_last: bool = False


def _row(note: _Note, operator: str) -> dict[str, Any]:
    """The row of a note."""
    seen = note.received.seen if note.received else None
    key, is_proved = (seen.key, seen.is_proved) if seen else (None, False)
    said = Headline(kind=note.stored.kind, uid=note.stored.uid) if note.stored else _headline(note)
    claimed = _KEY_ID.search(note.signed)
    return {
        "id": new_uid(note.at),
        "at": note.at,
        # a party that is not on record yet is seen by the officers of the platform only
        "holder": key.party if key and key.is_registered else operator,
        "is_known": key is not None and key.is_registered,
        "is_proved": is_proved,
        "key_id": masked_text(claimed[1]) if claimed else "",
        "kind": said.kind,
        "uid": said.uid,
        "bytes": note.size,
        "outcome": note.stored.outcome if note.stored else "refused",
        "status": note.status,
        "number": note.number,
        "entry": note.stored.entry if note.stored else "",
        "ms": note.ms,
        **_answer(note),
    }


def _answer(note: _Note) -> dict[str, Any]:
    """What was told and, of a refusal, the request lines that help to find the error."""
    if note.problem is None:
        return dict.fromkeys(("slug", "pointer", "reason", "remedy", "detail"), "") | {"lines": []}
    problem, kind = note.problem, note.problem.kind
    first = problem.errors[0] if problem.errors else None
    return {
        "slug": problem.slug,
        "pointer": _told(first.pointer if first else ""),
        "reason": _told(first.reason if first else kind.title),
        "remedy": _told(first.remedy if first else kind.remedy),
        "detail": _told(problem.detail),
        "lines": [_told(line) for line in note.asked],
    }


def _headline(note: _Note) -> Headline:
    said = headline(note.body)
    if note.asked and note.asked[0].partition(" ")[2].startswith("/x/v1/files"):
        return Headline(kind="file")
    try:
        uid = str(uuid.UUID(said.uid))
    except ValueError:
        uid = ""
    return Headline(kind=said.kind if _KIND.fullmatch(said.kind) else "", uid=uid)


def _told(text: str) -> str:
    """What may be repeated of a refusal: it may quote what was sent."""
    return masked_text(text.replace("\0", "").encode("utf-8", "replace").decode())[:500]


def _dumps(rows: object) -> bytes:
    return msgspec.json.encode(rows)


async def _write(conn: psycopg.AsyncConnection[Any], batch: list[_Written]) -> None:
    async with conn.transaction(), conn.cursor() as cur:
        # one statement for all: COPY is not to be had under row security
        await cur.execute(_INSERT.encode(), [Jsonb([each.row for each in batch], dumps=_dumps)])
        bodies, lasts = [], []
        # in one order in every process, so that none waits for another in a circle
        for each in sorted(batch, key=lambda written: (written.row["holder"], written.row["kind"])):
            row, kept = each.row, each.kept
            if kept is not None and each.is_last:
                lasts.append((row["holder"], row["kind"], row["id"], row["at"], kept.data))
            elif kept is not None:
                bodies.append((row["id"], row["holder"], kept.data, kept.masked))
        if bodies:
            await cur.executemany(_BODY, bodies)
        if lasts:
            await cur.executemany(_LAST, lasts)
