"""Which reports and entries a volume is to hold (合订案卷包的范围): read in one moment of the facts, kept as places only."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import DictRow

from plumbline.evidence.position import place_of
from plumbline.exchange.submission import decode_envelope
from plumbline.sdk.bundle.volume_format import MAX_REPORTS, LeftOut, Scope
from plumbline.supervision.access.principals import division_range
from plumbline.supervision.dossier.build import BundleIncomplete
from plumbline.supervision.dossier.collect import Collected, Collector

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_REPORTS = (
    "SELECT a.id, a.number FROM fact.application a JOIN fact.event e ON e.id = a.id WHERE {conditions} "
    "ORDER BY e.idx LIMIT {most}"
)
_DESTROYED = (
    "SELECT v.*, r.body->>'subject' AS person FROM fact.record r JOIN fact.event v ON v.id = r.id "
    "WHERE r.kind = 'subject.destroyed' ORDER BY v.idx"
)
_ENTRY = "SELECT message, envelope FROM journal.entry WHERE uid = %s AND sender_id = %s"
_NAMED = re.compile(rb'"([0-9a-f]{32})"')


class VolumeRefused(ValueError):
    """A volume that is not made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an entry is found."""

    uid: uuid.UUID
    sender: bytes
    kind: str

    @property
    def identity(self) -> tuple[uuid.UUID, bytes]:
        """As receipts are asked for."""
        return self.uid, self.sender


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReport:
    """One report: its names, its registered file, and the positions of its entries in the order of the log."""

    application: str
    code: str | None
    number: str
    pdf_sha256: str | None
    positions: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything that a volume is to hold, as of the first `size` entries; `is_complete` unless an entry is parked."""

    scope: Scope
    size: int
    is_complete: bool
    reports: list[PlannedReport] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    uses: Counter[int] = field(default_factory=Counter)

    @property
    def shared(self) -> frozenset[tuple[int, int]]:
        """Places of entries that several reports need."""
        return frozenset(place_of(position) for position, count in self.uses.items() if count > 1)


#: Ids of applications → of those that the reader may see, whether this is so of everything that they name.
Visible = Callable[[Sequence[str]], Mapping[str, bool]]
#: Instead of the number of a report that the reader may not know of.
_UNTOLD = "不公开"


class Planner:
    """Reads over one connection as `plumb_worker`, within the snapshot that the caller opened; rows are dictionaries."""

    def __init__(self, conn: psycopg.Connection[DictRow], web_key: str) -> None:
        self._conn = conn
        self._collector = Collector(conn)
        #: The key of the statement must be proven by every report.
        self._web_key = web_key
        self._keys: dict[int, frozenset[str]] = {}
        self._named: dict[int, frozenset[str]] = {}
        self._destroyed: dict[str, list[dict[str, Any]]] = {}

    def plan(self, scope: Scope, visible: Visible, told: Callable[[int, int], None]) -> Plan:
        """The plan of a scope; raises :class:`VolumeRefused` for none or too many reports."""
        position = self._conn.execute(
            "SELECT pos, EXISTS (SELECT 1 FROM fact.parked) AS parked FROM fact.position WHERE id = 'projector'"
        ).fetchone()
        assert position is not None
        plan = Plan(scope=scope, size=position["pos"], is_complete=not position["parked"])
        for row in self._conn.execute(_DESTROYED).fetchall():
            self._destroyed.setdefault(row["person"], []).append(row)
        rows = self._applications(scope)
        seen = visible([row["id"] for row in rows])
        for done, row in enumerate(rows, 1):
            if seen.get(row["id"]):
                self._take(plan, row["id"])
            else:
                number = row["number"] if row["id"] in seen else _UNTOLD
                plan.left_out.append(LeftOut(application=row["id"], number=number, because="foreign"))
            told(done, len(rows))
        if not plan.reports:
            raise VolumeRefused("这个范围里没有可以随包的报告，没有出具")
        return plan

    def _applications(self, scope: Scope) -> list[dict[str, Any]]:
        conditions, values = ["true"], list[object]()
        for column, value in (("project", scope.project), ("institution", scope.institution)):
            if value is not None:
                conditions.append(f"a.{column} = %s")
                values.append(value)
        if scope.division is not None:
            conditions.append("a.jurisdiction >= %s AND a.jurisdiction < %s")
            values += division_range(scope.division)
        if scope.year is not None:
            conditions.append("e.logged_at >= %s AND e.logged_at < %s")
            values += [datetime(scope.year + after, 1, 1, tzinfo=_SHANGHAI) for after in (0, 1)]
        statement = _REPORTS.format(conditions=" AND ".join(conditions), most=MAX_REPORTS + 1)
        rows = self._conn.execute(statement.encode(), values).fetchall()
        if len(rows) > MAX_REPORTS:
            raise VolumeRefused(
                f"这个范围里的报告超过 {MAX_REPORTS} 份，一个包放不下；请按机构或按工程分开出具"
            )
        return rows

    def _take(self, plan: Plan, application: str) -> None:
        found = self._collector.collect(application)
        # Enrolments are entries too, with keys of their own: the web key of entry 0 in the end.
        self._collector.add_keys(found, self._key_ids(found) | {self._web_key})
        ids = self._key_ids(found)
        self._add_destroyed(found)
        self._collector.add_keys(found, ids | self._key_ids(found))
        for event in found.events.values():
            plan.entries.setdefault(
                event["idx"], Entry(event["uid"], bytes.fromhex(event["sender"]), event["kind"])
            )
        positions = tuple(event["idx"] for event in found.in_order)
        plan.uses.update(positions)
        report = PlannedReport(
            application=found.application["id"],
            code=found.application["code"],
            number=found.application["number"],
            pdf_sha256=found.code["pdf_sha256"] if found.code else None,
            positions=positions,
        )
        plan.reports.append(report)

    def _add_destroyed(self, found: Collected) -> None:
        """Destructions of personal data of people whom the report names."""
        if not self._destroyed:
            return
        named = {name for event in found.events.values() for name in self._named[event["idx"]]}
        for subject in named & self._destroyed.keys():
            found.events |= {row["id"]: row for row in self._destroyed[subject]}
        self._collector.add_parties(found, {event["sender"] for event in found.events.values()})

    def _key_ids(self, found: Collected) -> set[str]:
        """Every key that a signature of these entries names; each entry is read once, however many reports need it."""
        ids: set[str] = set()
        for event in found.events.values():
            if event["idx"] not in self._keys:
                self._look_into(event)
            ids |= self._keys[event["idx"]]
        return ids

    def _look_into(self, event: dict[str, Any]) -> None:
        message, envelope = read_entry(self._conn, event["uid"], bytes.fromhex(event["sender"]))
        read = decode_envelope(envelope)
        self._keys[event["idx"]] = frozenset({read.key_id, *(each.key_id for each in read.origin)})
        named = (each.decode() for each in _NAMED.findall(message)) if self._destroyed else ()
        self._named[event["idx"]] = frozenset(each for each in named if each in self._destroyed)


def read_entry(conn: psycopg.Connection[Any], uid: uuid.UUID, sender: bytes) -> tuple[bytes, bytes]:
    """(message, envelope) as they arrived; rows are dictionaries."""
    row = conn.execute(_ENTRY, [uid, sender]).fetchone()
    if row is None:
        raise BundleIncomplete(f"总账里没有 {uid} 这一条")
    return bytes(row["message"]), bytes(row["envelope"])
