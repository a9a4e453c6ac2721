"""One journal entry as the handlers see it (待投影的一条入账)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from msgspec import Raw, Struct

from plumbline.domain.basics.calendar import SHANGHAI
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.exchange.messages.header import Message
from plumbline.supervision.projection.facts import FactState
from plumbline.supervision.projection.reminders import remind
from plumbline.supervision.projection.table import Row


class Arrival(Struct, frozen=True, kw_only=True):
    """Message and provenance of one entry. `now` of every rule is `logged_at`: the projector never reads a clock."""

    entry: str
    #: Position in the whole log, through all epochs.
    idx: int
    uid: uuid.UUID
    sender: str
    key_id: str
    attestation: str
    arrived_at: datetime
    logged_at: datetime
    message: Message
    #: Keys of the origin signatures that the entry carries beside its transport key.
    origin_keys: tuple[str, ...] = ()
    #: The message as JSON, curves without their points.
    body: Raw
    #: Of a test: `ordinal/channel` → row of each curve, where they have been made already.
    curves: dict[str, Row] | None = None

    @property
    def kind(self) -> str:
        """Wire name of the message type."""
        return str(self.message.__struct_config__.tag)

    def provenance(self, version: int = 1, body: dict[str, Any] | None = None) -> Row:
        """The columns that every F row carries."""
        return {
            "entry": self.entry,
            "idx": self.idx,
            "sender": self.sender,
            "key_id": self.key_id,
            "attestation": self.attestation,
            "occurred_at": self.message.occurred_at,
            "arrived_at": self.arrived_at,
            "logged_at": self.logged_at,
            "version": version,
            "body": body if body is not None else self.body,
        }


class NotTakenOver(Exception):
    """The entry stays in the log and changes nothing: its finding and its event are all that is stored of it."""

    def __init__(self, finding: Finding, subject_kind: str, institution: str | None = None) -> None:
        super().__init__(finding.code)
        self.finding = finding
        self.subject_kind = subject_kind
        self.institution = institution


@dataclass(slots=True)
class Projection:
    """What a handler works with: the state, and a place to leave findings."""

    state: FactState
    arrival: Arrival

    def put_object(
        self,
        table: str,
        columns: Row,
        *,
        key: str | None = None,
        body: dict[str, Any] | None = None,
        initial: Row | None = None,
    ) -> str:
        """Write the object that this entry creates, or its next version when the entry supersedes one. Returns the object's id.

        `initial` holds what later entries fill in (receipts of a sample, the report of a number): a new
        version keeps it.
        """
        message = self.arrival.message
        if message.supersedes is not None:
            return self._next_version(table, columns, body, key)
        if key is not None and (current := self.state.get(table, key)) is not None:
            # An object with a name of its own that is registered again: what stood there before is kept.
            return self._put_version(table, current, columns, body)
        object_id = key or self.arrival.entry
        if key is None:
            self.state.expect_new(table, object_id)
        self.state.put(table, object_id, self.arrival.provenance(body=body) | columns | (initial or {}))
        return object_id

    def superseded(self, table: str) -> Row | None:
        """The current row of the object of which this entry says that it is a new version."""
        earlier = self.state.get("event", self.arrival.message.supersedes)
        return self.state.get(table, earlier["subject"]) if earlier else None

    def _next_version(self, table: str, columns: Row, body: dict[str, Any] | None, key: str | None) -> str:
        arrival, current = self.arrival, self.superseded(table)
        if current is None or key not in (None, current["id"]):
            raise _not_taken_over(table, "unknown_version", "要替代的那一条不存在", "核对 supersedes")
        if current["sender"] != arrival.sender:
            sentence = "要替代的那一条是别的单位报送的"
            raise _not_taken_over(table, "foreign_version", sentence, "只能更正本单位的记录")
        if current["entry"] != arrival.message.supersedes:
            sentence = "有人先改了这一条，这次修改没有采用"
            raise _not_taken_over(table, "conflict", sentence, "在新版本上重新修改")
        return self._put_version(table, current, columns, body)

    def _put_version(self, table: str, current: Row, columns: Row, body: dict[str, Any] | None) -> str:
        """The next version of an object, and the one before it in its change history."""
        arrival, version = self.arrival, current["version"] + 1
        values = arrival.provenance(version, body)
        self.state.put(
            "version",
            f"{current['id']}/{version}",
            {
                "object": current["id"],
                "object_kind": table,
                "version": version,
                "entry": arrival.entry,
                "idx": arrival.idx,
                "reason": arrival.message.reason,
                "before": current["body"],
                "after": values["body"],
                "sender": arrival.sender,
                "key_id": arrival.key_id,
                "attestation": arrival.attestation,
                "logged_at": arrival.logged_at,
                **self._sight_of_version(table, current | columns),
            },
        )
        self.state.put(table, current["id"], values | columns)
        return str(current["id"])

    def _sight_of_version(self, table: str, row: Row) -> Row:
        """Who reads the history of an object: whoever reads the row as it now is. What an institution did is its own, a
        witnessing goes with its sample, a review and a correction with their run."""
        parent, column = _PARENTS.get(table, (table, "id"))
        placed = row if column == "id" else self.state.get(parent, row[column]) or row
        holder = placed.get("institution") or row.get("party")
        division = row["division"] if table in _DIVIDED else None
        return {
            "about": row.get("about")
            or placed.get("institution")
            or row.get("sample")
            or holder
            or row["id"],
            "project": row["id"] if table == "project" else placed.get("project"),
            "jurisdiction": placed.get("jurisdiction") or division or self.division_of(holder),
        }

    def find(self, finding: Finding, subject_kind: str, subject: str, institution: str | None = None) -> None:
        """Store a finding; its id is uuid5(entry uid, code, subject), so that a rebuild gives the same one."""
        arrival = self.arrival
        name = f"{arrival.sender}\0{finding.code}\0{subject}\0{finding.facts.get('tag', '')}"
        key = str(uuid.uuid5(arrival.uid, name))
        self.state.put(
            "finding",
            key,
            {
                "idx": arrival.idx,
                "entry": arrival.entry,
                "code": finding.code,
                "clause": finding.clause,
                "severity": finding.severity.value,
                "subject_kind": subject_kind,
                "subject": subject,
                "institution": institution,
                **self._sight_of(subject_kind, subject, institution),
                "sentence": finding.sentence,
                "remedy": finding.remedy,
                "facts": dict(finding.facts),
                "logged_at": arrival.logged_at,
            },
        )
        if finding.severity.rank >= Severity.WARNING.rank:
            remind(self.state, subject_kind, subject)
        if institution:
            self.count(institution, "findings")

    def _sight_of(self, kind: str, subject: str, institution: str | None) -> Row:
        """Who a finding is for: the institution that it names, else those who were given the sample; the officers of the place."""
        row = (self.state.get(kind, subject) if kind in _PLACED else None) or {}
        if kind == "witnessing":
            row = self.state.get("sample", row.get("sample")) or row
        place = row.get("jurisdiction") or self.division_of(institution or self.arrival.sender)
        about = row.get("sample") or row.get("id") or subject
        project = subject if kind == "project" else row.get("project")
        return {"about": institution or about, "project": project, "jurisdiction": place}

    def division_of(self, party: str | None) -> str | None:
        """Division of a party on record."""
        row = self.state.get("party", party)
        return row["division"] if row else None

    def jurisdiction(self, project: str | None, party: str | None) -> str | None:
        """Whose officers see a record (辖区): those of the project's division; of the party's while the project is unknown.

        It is as of the entry: a project that moves to another division leaves its earlier records behind.
        """
        row = self.state.get("project", project)
        return row["division"] if row and row["division"] else self.division_of(party)

    def bring_before(self, subject: str | None, *holders: str | None) -> None:
        """From now on these parties see the object."""
        for holder in dict.fromkeys(holders):
            if subject and holder:
                self.state.put("reach", f"{subject}/{holder}", {"object": subject, "holder": holder})

    def make_known(self, party: str | None, *holders: str | None) -> None:
        """From now on the holders see people and instruments of a party that worked with them.

        Only what a party did itself makes it known: naming somebody in a message does not.
        """
        for holder in dict.fromkeys(holders):
            if party and holder:
                self.state.put("partner", f"{party}/{holder}", {"party": party, "holder": holder})

    def works_in(self, party: str | None, division: str | None) -> None:
        """The party did something in a division: its officers see the directory entries of the party."""
        if party and division:
            self.state.put("presence", f"{party}/{division}", {"party": party, "division": division})

    def count(self, institution: str, column: str, amount: int = 1) -> None:
        """Add to the institution's roll-up of the day (Asia/Shanghai)."""
        day, key = day_of(institution, self.arrival.logged_at)
        row = self.state.get("institution_day", key)
        if row is None:
            row = {"institution": institution, "day": day} | _NO_COUNTS
            self.state.put("institution_day", key, row | {column: amount})
        else:
            self.state.put("institution_day", key, {column: row[column] + amount})


@lru_cache(maxsize=1024)
def day_of(institution: str, at: datetime) -> tuple[date, str]:
    """The day in China of an instant, and the key of the institution's roll-up of it."""
    day = at.astimezone(SHANGHAI).date()
    return day, f"{institution}/{day.isoformat()}"


_NO_COUNTS = dict.fromkeys(("runs", "curves", "applications", "registrations", "findings"), 0)
#: Tables whose rows are seen with those of another one: its name, and the column that names the row.
_PARENTS = {"witnessing": ("sample", "sample"), "correction": ("run", "run"), "review": ("run", "run")}
#: Tables whose rows say themselves in which division they are.
_DIVIDED = frozenset({"project", "party", "filing"})
#: Kinds of subject whose row says in which division it is.
_PLACED = frozenset(
    {
        "sample",
        "witnessing",
        "commission",
        "contract",
        "receipt",
        "run",
        "application",
        "code",
        "registration",
    }
)


def _not_taken_over(table: str, name: str, sentence: str, remedy: str) -> NotTakenOver:
    finding = Finding(
        code=f"edit.{name}",
        clause="BJ 6.1.2",
        sentence=sentence,
        severity=Severity.WARNING,
        facts={},
        remedy=remedy,
    )
    return NotTakenOver(finding, table)
