"""Which entries belong to a report (报告涉及的条目): read from schema fact, from the application back to entry 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import DictRow

#: Kinds that are taken when their subject belongs to the report. `person.registered` is not among them: the
#: chain names people by number, and whoever checks it needs no more.
_OF_OBJECTS = (
    "report.applied",
    "code.reserved",
    "code.withheld",
    "code.released",
    "clock.deadline_passed",
    "report.registered",
    "report.examined",
    "report.withdrawn",
    "number.taken",
    "number.voided",
    "commission.placed",
    "contract.signed",
    "project.registered",
    "sampling.recorded",
    "witnessing.recorded",
    "receipt.recorded",
    "run.recorded",
    "evaluation.computed",
    "review.recorded",
    "value.corrected",
)
_OF_PARTIES = ("log.opened", "party.registered")
_OF_KEYS = ("key.enrolled", "key.revoked")
#: The first entry of every epoch: the genesis, and what each later one continues.
_ORIGIN = "SELECT v.* FROM fact.epoch e JOIN fact.event v ON v.id = e.entry"
#: Corrections of the clock that speak of entries at these positions.
_CORRECTED = """
SELECT v.* FROM fact.clock_correction c JOIN fact.event v ON v.id = c.entry
 WHERE EXISTS (SELECT 1 FROM unnest(%s::bigint[]) t (idx) WHERE t.idx >= c.wrong_from AND t.idx < c.idx)
"""


class ApplicationUnknown(LookupError):
    """There is no such application."""


@dataclass(slots=True)
class Collected:
    """The application's row and the events of its chain, by entry id."""

    application: dict[str, Any]
    #: How many entries of the log the facts were made from: what came later is not known here.
    size: int
    #: No entry is parked, so that the facts say everything up to `size`.
    is_complete: bool
    code: dict[str, Any] | None = None
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[dict[str, Any]]:
        """The events in the order of the log."""
        return sorted(self.events.values(), key=lambda event: event["idx"])


class Collector:
    """Reads over one connection as `plumb_worker`; rows are dictionaries."""

    def __init__(self, conn: psycopg.Connection[DictRow]) -> None:
        self._conn = conn

    def collect(self, application_id: str) -> Collected:
        """The chain of an application, but for its keys; raises :class:`ApplicationUnknown`."""
        application = self._one("SELECT * FROM fact.application WHERE id = %s", application_id)
        if application is None:
            raise ApplicationUnknown(application_id)
        found = Collected(application, *self._position())
        objects = {application_id, *self._issue_objects(found), *self._work_objects(application)}
        self._take(found, objects, _OF_OBJECTS)
        parties = {event["sender"] for event in found.events.values()} | {application["institution"]}
        self.add_parties(found, parties)
        self._take_rows(found, self._rows(_ORIGIN, None))
        self._take_rows(found, self._rows(_CORRECTED, [event["idx"] for event in found.events.values()]))
        return found

    def _position(self) -> tuple[int, bool]:
        row = self._conn.execute(
            "SELECT pos, EXISTS (SELECT 1 FROM fact.parked) AS parked FROM fact.position WHERE id = 'projector'"
        ).fetchone()
        assert row is not None
        return row["pos"], not row["parked"]

    def add_parties(self, found: Collected, parties: Iterable[str]) -> None:
        """Registrations of parties, and of whoever registered them."""
        known: set[str] = set()
        while wanted := set(parties) - known:
            self._take(found, wanted, _OF_PARTIES)
            known |= wanted
            parties = {event["sender"] for event in found.events.values()}

    def add_keys(self, found: Collected, key_ids: Iterable[str]) -> None:
        """Enrolments and revocations of keys, and registrations of whoever made them."""
        self._take(found, set(key_ids), _OF_KEYS)
        self.add_parties(found, {event["sender"] for event in found.events.values()})

    def _issue_objects(self, found: Collected) -> set[str]:
        """Number, registration, and the version that took this one's place."""
        application = found.application
        objects = {application["body"]["number_entry"]}
        if application["code"] is None:
            return objects
        found.code = self._one("SELECT * FROM fact.code WHERE id = %s", application["code"])
        code = found.code
        if code and code["registration"]:
            objects.add(code["registration"])
        if code and code["replaced_by"]:
            newer = self._one("SELECT * FROM fact.code WHERE id = %s", code["replaced_by"])
            if newer:
                objects |= {newer["application"], newer["registration"]} - {None}
        return objects

    def _work_objects(self, application: dict[str, Any]) -> set[str]:
        """Commission, contract, project, samples and everything that happened to them, runs and their reviews."""
        body = application["body"]
        runs = {run for parameter in body["parameters"] for run in parameter["runs"]}
        samples = set(body["samples"])
        objects = {body["commission"], *runs, *samples}
        commission = self._one("SELECT * FROM fact.commission WHERE id = %s", body["commission"])
        contract = self._one(
            "SELECT * FROM fact.contract WHERE id = %s", commission["contract"] if commission else None
        )
        objects |= {row[name] for row, name in ((commission, "contract"), (contract, "project")) if row}
        by_sample = [
            "SELECT id FROM fact.witnessing WHERE sample = ANY(%s)",
            "SELECT id FROM fact.receipt WHERE sample = ANY(%s)",
        ]
        by_run = [
            "SELECT id FROM fact.review WHERE run = ANY(%s)",
            "SELECT id FROM fact.correction WHERE run = ANY(%s)",
        ]
        for statements, keys in ((by_sample, samples), (by_run, runs)):
            for statement in statements:
                objects |= {row["id"] for row in self._rows(statement, sorted(keys))}
        return objects - {None}

    def _take(self, found: Collected, subjects: Iterable[str], kinds: tuple[str, ...]) -> None:
        rows = self._conn.execute(
            "SELECT * FROM fact.event WHERE subject = ANY(%s) AND kind = ANY(%s)",
            [sorted(subjects), list(kinds)],
        ).fetchall()
        self._take_rows(found, rows)

    def _take_rows(self, found: Collected, rows: Iterable[dict[str, Any]]) -> None:
        found.events |= {row["id"]: row for row in rows}

    def _one(self, statement: str, key: str | None) -> dict[str, Any] | None:
        return self._conn.execute(statement.encode(), [key]).fetchone() if key else None

    def _rows(self, statement: str, key: list[Any] | None) -> list[dict[str, Any]]:
        return self._conn.execute(statement.encode(), [key] if key is not None else None).fetchall()
