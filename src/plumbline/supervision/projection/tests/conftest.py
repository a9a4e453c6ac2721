"""A quiet platform whose log the tests write themselves: a small cast, honest steps to depart from, and the projector at hand."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import dict_row

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.exchange.messages import custody, platform, project, registry, reports, testing
from plumbline.exchange.uids import derived_uid, new_uid
from plumbline.supervision.journal.keys import public_bytes
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.projector import Projector

STATION = party_id("12610300MB2960001Y").hex()
_BODIES = {
    "institution": "91610300MA6XPR017",
    "stranger": "91610300MA6XPR018",
    "owner": "91610300MA6XPR203",
    "contractor": "91610300MA6XPR305",
    "resident_engineer_firm": "91610300MA6XPR407",
}
_DAY = timedelta(days=1)


def _uscc(body: str) -> str:
    return body + uscc_check_character(body)


def _ref(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@dataclass
class Ledger:
    """Writes entries in any party's name, projects, and looks."""

    tested: Any
    at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(days=40))
    ids: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.journal = self.tested.journal()
        self.conninfo = self.tested.conninfo()
        self.projector = Projector(self.conninfo["plumb_projector"])

    def party(self, name: str) -> str:
        """Party id of a member of the cast, or the id itself."""
        if name == "station":
            return STATION
        return party_id(_uscc(_BODIES[name])).hex() if name in _BODIES else name

    def person(self, name: str) -> str:
        """Person id."""
        return _ref(f"person {name}")

    def message(self, sender: str, kind: type, **fields: Any) -> Any:
        """A message of the story's present moment; `uid` may be given."""
        self.at += timedelta(seconds=1)
        header = {"v": 1, "uid": new_uid(self.at), "sender": self.party(sender), "occurred_at": self.at}
        return kind(**(header | fields))

    def send(self, sender: str, kind: type, /, **fields: Any) -> str:
        """Append an entry; returns its id."""
        return self.append(self.message(sender, kind, **fields))

    def append(self, message: Any, signer: Any = None) -> str:
        """Append a message, logged at the moment that it states; signed by the platform's key unless told otherwise."""
        pending = pending_from(
            message, signer or self.tested.keys.signer("web"), channel="internal", stated_at=self.at
        )
        (accepted,) = self.journal.append([pending])
        entry = accepted.entry.hex()
        self.indexes[entry] = accepted.index
        return entry

    def project(self) -> None:
        """Project everything."""
        self.projector.catch_up()

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Rows as the projector's role sees them."""
        with psycopg.connect(self.conninfo["plumb_projector"], row_factory=dict_row) as conn:
            return conn.execute(statement.encode(), list(values)).fetchall()

    def row(self, table: str, key: str) -> dict[str, Any] | None:
        """One row, after projecting."""
        self.project()
        found = self.rows(f"SELECT * FROM fact.{table} WHERE id = %s", key)
        return found[0] if found else None

    def findings(self, entry: str) -> set[str]:
        """Codes of an entry's findings, after projecting."""
        self.project()
        return {row["code"] for row in self.rows("SELECT code FROM fact.finding WHERE entry = %s", entry)}

    def parked(self) -> list[int]:
        """Indexes of parked entries, after projecting."""
        self.project()
        return [row["idx"] for row in self.rows("SELECT idx FROM fact.parked ORDER BY idx")]

    # -- registration ---------------------------------------------------------------------------------------

    def register(self, name: str, /, roles: list[str], sender: str = "station", **changes: Any) -> str:
        """A party of the cast."""
        fields = {
            "party": self.party(name),
            "uscc": _uscc(_BODIES[name]),
            "name": f"{name} 公司",
            "roles": roles,
            "division": "610300",
        }
        return self.send(sender, registry.PartyRegistered, **(fields | changes))

    def register_person(
        self, name: str, party: str, role: str, sender: str = "station", **changes: Any
    ) -> str:
        """A person of a party."""
        fields = {
            "person": self.person(name),
            "party": self.party(party),
            "roles": [role],
            "valid_from": "2020-01-01",
            "personal": hashlib.sha256(name.encode()).hexdigest(),
        }
        return self.send(sender, registry.PersonRegistered, **(fields | changes))

    def enrol_key(
        self, party: str, key_id: str, use: str = "transport", sender: str = "station", **changes: Any
    ) -> str:
        """A key with fresh material."""
        material = base64.b64encode(public_bytes(Ed25519PrivateKey.generate())).decode()
        fields = {
            "party": self.party(party),
            "key_id": key_id,
            "algorithm": "ed25519",
            "use": use,
            "public_key": material,
            "valid_from": self.at - _DAY,
            "valid_until": self.at + 300 * _DAY,
        }
        return self.send(sender, registry.KeyEnrolled, **(fields | changes))

    def cast(self) -> Ledger:
        """Everybody and everything that an honest report needs."""
        for name in _BODIES:
            self.register(name, ["institution" if name == "stranger" else name])
        for name, party in (("sampler", "contractor"), ("witness", "resident_engineer_firm")):
            self.register_person(name, party, name)
        for name in ("reviewer", "approver", "technician"):
            self.register_person(name, "institution", name)
        institution = self.party("institution")
        self.send(
            "station",
            registry.SiteRegistered,
            institution=institution,
            site="S1",
            name="场所",
            address="路",
            division="610300",
        )
        self.ids["capability"] = self.send(
            "station",
            registry.CapabilityApproved,
            institution=institution,
            site="S1",
            category="concrete_cube",
            parameters=["concrete_cube.compressive"],
            valid_from="2020-01-01",
            valid_until="2035-01-01",
        )
        self.ids["project"] = self.new_project()
        self.ids["contract"] = self.send(
            "institution",
            project.ContractSigned,
            project=self.ids["project"],
            number="HT-1",
            client=self.party("owner"),
            client_role="owner",
            institution=institution,
            signed_on="2026-01-01",
            scope=[],
        )
        return self

    def new_project(self, **changes: Any) -> str:
        """A project of the cast's owner, contractor and resident engineer."""
        fields = {
            "name": "工程",
            "code": f"P{next(self.serial)}",
            "division": "610300",
            "owner": self.party("owner"),
            "contractor": self.party("contractor"),
            "resident_engineer_firm": self.party("resident_engineer_firm"),
        }
        return self.send("station", project.ProjectRegistered, **(fields | changes))

    # -- the steps of a report ------------------------------------------------------------------------------

    def issue_tags(self, sender: str = "contractor", **changes: Any) -> str:
        """Tags T1 to T3 of this ledger."""
        fields = {
            "project": self.ids["project"],
            "tags": ["T1", "T2", "T3"],
            "medium": "qr",
            "issued_to": self.person("sampler"),
        }
        return self.send(sender, project.TagIssued, **(fields | changes))

    def sample(
        self, sender: str = "contractor", tags: tuple[str, ...] = ("T1", "T2", "T3"), **changes: Any
    ) -> str:
        """Sampling of a group."""
        fields = {
            "project": self.ids["project"],
            "sample_kind": "concrete_cube",
            "structural_part": "柱",
            "grade": "C30",
            "made_at": self.at,
            "sampler": self.person("sampler"),
            "specimens": [custody.SpecimenMade(ordinal=i, tag=tag) for i, tag in enumerate(tags, 1)],
        }
        return self._kept("sample", sender, custody.SamplingRecorded, fields | changes)

    def witness(self, sender: str = "resident_engineer_firm", **changes: Any) -> str:
        """Witnessing."""
        fields = {"sample": self.ids["sample"], "witness": self.person("witness"), "witnessed_at": self.at}
        return self._kept("witnessing", sender, custody.WitnessingRecorded, fields | changes)

    def commission(self, sender: str = "owner", **changes: Any) -> str:
        """Commission of the sample."""
        fields = {
            "contract": self.ids["contract"],
            "institution": self.party("institution"),
            "number": f"WT-{next(self.serial)}",
            "test_category": "witnessed",
            "samples": [self.ids["sample"]],
            "requests": [],
        }
        return self._kept("commission", sender, custody.CommissionPlaced, fields | changes)

    def receive(self, sender: str = "institution", **changes: Any) -> str:
        """Reception."""
        fields = {
            "commission": self.ids["commission"],
            "sample": self.ids["sample"],
            "site": "S1",
            "receiver": self.person("technician"),
            "scanned": [
                custody.TagScanned(tag=t, seal_intact=True, condition="完好") for t in ("T1", "T2", "T3")
            ],
            "accepted": True,
            "witness_present": True,
        }
        return self._kept("receipt", sender, custody.ReceiptRecorded, fields | changes)

    def run(
        self,
        sender: str = "institution",
        points: int = 4,
        ordinals: tuple[int, ...] = (1, 2, 3),
        **changes: Any,
    ) -> str:
        """A test with force curves of `points` points."""
        fields = {
            "commission": self.ids["commission"],
            "sample": self.ids["sample"],
            "site": "S1",
            "category": "concrete_cube",
            "parameters": ["concrete_cube.compressive"],
            "method": "concrete_cube",
            "edition": "GB/T 50081-2019",
            "instrument": "YE-1",
            "technician": self.person("technician"),
            "data_origin": "acquired",
            "started_at": self.at,
            "finished_at": self.at + timedelta(seconds=1),
            "specimens": [self._specimen(i, points) for i in ordinals],
        }
        return self._kept("run", sender, testing.RunRecorded, fields | changes)

    def _specimen(self, ordinal: int, points: int) -> testing.SpecimenRun:
        channel = testing.CurveChannel(
            channel="force",
            unit="kN",
            scale="0.1",
            count=points,
            period_us=1000,
            values=list(range(points)),
        )
        return testing.SpecimenRun(
            ordinal=ordinal,
            tag=f"T{ordinal}",
            started_at=self.at,
            finished_at=self.at,
            readings=[],
            curve=testing.Curve(started_at=self.at, sampling_rate_hz="1000", channels=[channel]),
        )

    def take_number(self, **changes: Any) -> str:
        """A report number."""
        serial = next(self.serial)
        self.ids["number_text"] = f"R-{serial}"
        fields = {
            "document_kind": "report",
            "prefix": "R",
            "site": "S1",
            "year": 2026,
            "serial": serial,
            "number": self.ids["number_text"],
        }
        return self._kept("number", "institution", reports.NumberTaken, fields | changes)

    def application_message(self, sender: str = "institution", **changes: Any) -> reports.ReportApplied:
        """The structured report, not sent."""
        value = reports.ReportedValue(symbol="value", name="抗压强度", value="38.5", unit="MPa")
        parameter = reports.ReportedParameter(
            parameter="concrete_cube.compressive",
            method="concrete_cube",
            edition="GB/T 50081-2019",
            runs=[self.ids["run"]],
            values=[value],
            conclusion="PASS",
        )
        fields = {
            "commission": self.ids["commission"],
            "number_entry": self.ids["number"],
            "number": self.ids["number_text"],
            "title": "报告",
            "site": "S1",
            "category": "concrete_cube",
            "samples": [self.ids["sample"]],
            "parameters": [parameter],
            "conclusion": "PASS",
            "conclusion_text": "合格",
            "tested_by": [self.person("technician")],
            "reviewer": self.person("reviewer"),
            "reviewed_at": self.at + timedelta(seconds=2),
            "approver": self.person("approver"),
            "approved_at": self.at + timedelta(seconds=3),
            "issued_on": "2026-11-01",
        }
        self.at += timedelta(seconds=5)
        return self.message(sender, reports.ReportApplied, **(fields | changes))

    def apply(self, **changes: Any) -> str:
        """Application for a code."""
        self.ids["application"] = self.append(self.application_message(**changes))
        return self.ids["application"]

    def until_tested(self) -> Ledger:
        """Every step up to the test and the number, honestly."""
        for step in (self.issue_tags, self.sample, self.witness, self.commission, self.receive, self.run):
            step()
        self.take_number()
        return self

    def _kept(self, name: str, sender: str, kind: type, fields: dict[str, Any]) -> str:
        entry = self.send(sender, kind, **fields)
        if "supersedes" not in fields:
            self.ids[name] = entry
        return entry

    # -- decisions of the platform --------------------------------------------------------------------------

    def decision_uid(self) -> Any:
        """The uid of a decision on the application as it stands now."""
        row = self.row("application", self.ids["application"])
        assert row is not None
        return derived_uid("code.decision", row["state"], row["id"], row["logged_at"])

    def reserve(self, code: str = "2611HC0AAAAAAAAAAAAAA", **changes: Any) -> str:
        """A code reserved for the application."""
        uid = changes.pop("uid", None) or self.decision_uid()
        fields = {
            "uid": uid,
            "application": self.ids["application"],
            "institution": self.party("institution"),
            "code": code,
            "claims": "AAAAAAAA",
            "dies_at": self.at + 30 * _DAY,
        }
        return self.send(changes.pop("sender", "station"), reports.CodeReserved, **(fields | changes))

    def withhold(self, **changes: Any) -> str:
        """The refusal of a code."""
        reason = reports.GateReason(code="gate.missing_test", clause="CECS-E 4.1.2", sentence="没有试验")
        uid = changes.pop("uid", None) or self.decision_uid()
        fields = {
            "uid": uid,
            "application": self.ids["application"],
            "institution": self.party("institution"),
            "reasons": [reason],
        }
        return self.send("station", reports.CodeWithheld, **(fields | changes))

    def expire(self, due_at: datetime, **changes: Any) -> str:
        """The deadline of a reserved code."""
        application = self.ids["application"]
        fields = {
            "uid": derived_uid("clock.deadline_passed", "code.unused", application, due_at),
            "rule": "code.unused",
            "subject": application,
            "due_at": due_at,
        }
        return self.send("station", platform.DeadlinePassed, **(fields | changes))

    def register_report(self, code: str = "2611HC0AAAAAAAAAAAAAA", **changes: Any) -> str:
        """Registration of final bytes."""
        fields = {
            "application": self.ids["application"],
            "code": code,
            "pdf_sha256": "ab" * 32,
            "pdf_bytes": 10,
            "pages": 1,
            "signed_at": self.at,
            "certificate_sha256": "cd" * 32,
        }
        return self._kept("registration", "institution", reports.ReportRegistered, fields | changes)


@pytest.fixture
def log(quiet_platform: Any) -> Iterator[Ledger]:
    """The platform's log with nobody enrolled yet."""
    made = Ledger(quiet_platform)
    made.project()
    yield made
    made.projector.close()


@pytest.fixture
def city(log: Ledger) -> Ledger:
    """The log with the cast enrolled."""
    return log.cast()


@pytest.fixture
def tested(city: Ledger) -> Ledger:
    """A report ready to be applied for."""
    return city.until_tested()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], None]]:
    """Make the handler of a kind fail; what it gives mends it again."""
    from plumbline.supervision.projection.handlers import HANDLERS

    def broken(kind: str) -> Callable[[], None]:
        former = HANDLERS[kind]

        def fail(_: Any) -> str:
            raise RuntimeError("测试中的故障")

        monkeypatch.setitem(HANDLERS, kind, fail)
        return lambda: monkeypatch.setitem(HANDLERS, kind, former)

    return broken
