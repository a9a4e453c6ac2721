"""One enrolled city for all service tests, honest chains to depart from, and requests with every header in one's hands (服务测试夹具)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from psycopg.rows import dict_row

from plumbline.demo.cast import Cast, build_cast
from plumbline.demo.city import cube_plan
from plumbline.demo.clients import Clients, open_clients
from plumbline.demo.enrolment import Enrolment, certificate_sha256
from plumbline.demo.keys import party_keys
from plumbline.demo.measure import cube
from plumbline.demo.plan import Plan
from plumbline.demo.printing import Issued, print_job, signed_report
from plumbline.demo.results import cube_result
from plumbline.demo.story import SEED, StationSender, enrol_cast
from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.embedded.ports import free_port
from plumbline.exchange.encode import encode_batch, encode_submission
from plumbline.exchange.messages import custody, project, registry, reports, testing
from plumbline.exchange.messages.header import Environment
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer, Signer, Target, sign_request
from plumbline.sdk.client import Client, Sent
from plumbline.sdk.client.stamp import stamp
from plumbline.supervision.config import ROLES, Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, public_bytes
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.worker.__main__ import make_worker

#: With importlib mode pytest adds no folder to the path: the helpers beside these tests are found by it.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("browsing", "key_forms", "traces", "acts_of_parties", "acts_of_people")
EDITION = "GB/T 50081-2019"
STRENGTHS = (36.1, 35.4, 37.0)
_serial = itertools.count(1)


def wait_for(found: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What `found` gives as soon as it is true; AssertionError after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


@dataclass(frozen=True, kw_only=True)
class Party:
    """A sender with its own keys."""

    party: str
    transport: Signer
    origin: Ed25519Signer


@dataclass(kw_only=True)
class World:
    """The running platform with the cast enrolled, and a second institution: the stranger."""

    platform: Platform
    url: str
    cast: Cast
    enrolment: Enrolment
    clients: Clients
    desk: StationSender
    station: str
    parties: dict[str, Party] = field(default_factory=dict)
    #: Helpers that tests need; importlib mode lets no test import a conftest.
    refused: Callable[..., dict[str, Any]] = field(default_factory=lambda: problem)
    wait_for: Callable[..., Any] = field(default_factory=lambda: wait_for)
    new_signer: Callable[[str], Ed25519Signer] = field(default_factory=lambda: new_signer)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=40, trust_env=False))

    def rows(self, statement: str, values: list[object] | None = None) -> list[dict[str, Any]]:
        """Rows as the projector's role sees them."""
        with psycopg.connect(self.platform.conninfo("plumb_projector"), row_factory=dict_row) as conn:
            return conn.execute(statement.encode(), values).fetchall()

    def size(self) -> int:
        """Entries in the log, but for the seals of the audit trail, which the worker makes when it is time."""
        counted = 'SELECT count(*) AS n FROM journal.entry WHERE position(\'"kind":"trail.sealed"\'::bytea IN message) = 0'
        return int(self.rows(counted)[0]["n"])

    def settle(self) -> None:
        """Wait until everything in the log is projected."""
        size = int(self.rows("SELECT size FROM journal.head")[0]["size"])
        wait_for(lambda: self.rows("SELECT pos FROM fact.position")[0]["pos"] >= size)

    def findings(self, entry: str) -> set[str]:
        """Codes of the findings that an entry gave rise to."""
        self.settle()
        return {row["code"] for row in self.rows("SELECT code FROM fact.finding WHERE entry = %s", [entry])}

    def project(self, works: str = "riverside") -> str:
        """Entry id of a project."""
        return self.enrolment.projects[works]

    def message(self, party: str, kind: type, at: datetime | None = None, /, **fields: Any) -> Any:
        """A message of a party, with a fresh uid of now."""
        now = datetime.now(UTC)
        return stamp(kind, sender=self.parties[party].party, at=at or now, uid_at=now, **fields)

    def client(self, party: str, url: str | None = None) -> Client:
        """The SDK's client of a party, without retries."""
        who = self.parties[party]
        return Client(
            url or self.url,
            sender=who.party,
            transport=who.transport,
            origin=who.origin,
            http=self.http,
            retries=0,
        )

    def send(
        self, party: str, kind: type, at: datetime | None = None, /, *, wait_s: float = 15, **fields: Any
    ) -> Sent:
        """Make and send; the answer holds the findings."""
        return self.client(party).send(self.message(party, kind, at, **fields), wait_s=wait_s)

    def by_station(self, kind: type, **fields: Any) -> Any:
        """A message of the station's own desk; durable on return."""
        now = datetime.now(UTC)
        return self.desk(stamp(kind, sender=self.station, at=now, **fields))

    def post(self, data: bytes, who: Party, **options: Any) -> httpx.Response:
        """POST message bytes as a submission, signed by hand; see :meth:`request`."""
        origin = options.pop("origin", [sign_origin(who.origin, data)])
        body = options.pop("body", None) or encode_submission(
            data, origin=origin, personal=options.pop("personal", ())
        )
        return self.request("POST", "/x/v1/entries", who, body, data, **options)

    def post_many(self, parts: list[bytes], who: Party, **options: Any) -> httpx.Response:
        """POST several messages in one request, signed by hand; see :meth:`request`."""
        bodies = [encode_submission(data, origin=[sign_origin(who.origin, data)]) for data in parts]
        covered = request_bytes(places_of(parts)[0], len(parts))
        return self.request("POST", "/x/v1/batches", who, encode_batch(bodies), covered, **options)

    def request(
        self,
        method: str,
        path: str,
        who: Party,
        body: bytes = b"",
        message: bytes | None = None,
        **options: Any,
    ) -> httpx.Response:
        """A signed request; `change` may spoil headers, `sent` replaces the body after signing, `age` shifts created."""
        url = options.pop("url", self.url)
        headers = sign_request(
            options.pop("signer", who.transport),
            Target(method=method, uri=url + path),
            body,
            body if message is None else message,
            created=int(time.time() - options.pop("age", 0)),
            nonce=options.pop("nonce", ""),
        )
        headers |= options.pop("headers", {})
        change = options.pop("change", None)
        if change:
            headers = change(headers)
        sent = options.pop("sent", body)
        assert not options, options
        return self.http.request(method, url + path, content=sent, headers=headers)

    def enrol(self, name: str, roles: list[str], division: str = "610300") -> Party:
        """A further party with keys of its own, enrolled by the station."""
        body = f"91610300MA6XT{next(_serial):04d}"
        uscc = body + uscc_check_character(body)
        party = party_id(uscc).hex()
        made = Party(
            party=party, transport=new_signer(f"{name}.transport"), origin=new_signer(f"{name}.origin")
        )
        self.by_station(
            registry.PartyRegistered,
            party=party,
            uscc=uscc,
            name=f"{name} 检测有限公司",
            roles=roles,
            division=division,
        )
        self.enrol_key(party, made.transport, "transport")
        self.enrol_key(party, made.origin, "origin")
        self.parties[name] = made
        self.settle()
        return made

    def enrol_key(self, party: str, signer: Any, use: str, **changes: Any) -> None:
        """Enrol an Ed25519 key."""
        now = datetime.now(UTC)
        fields = {"valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=300)} | changes
        self.by_station(
            registry.KeyEnrolled,
            party=party,
            key_id=signer.key_id,
            algorithm="ed25519",
            use=use,
            public_key=b64(public_bytes(signer.key)),
            **fields,
        )

    def case(self, **changes: Any) -> CaseFile:
        """A new honest report of cubes, nothing sent yet."""
        number = next(_serial)
        now = datetime.now(UTC)
        made = (now - timedelta(days=changes.pop("days_ago", 32))).replace(
            hour=2, minute=0, second=0, microsecond=0
        )
        plan = cube_plan(
            {
                "key": f"svc/{number}",
                "project": "riverside",
                "unit_work": "1# 楼",
                "part": "三层柱",
                "technician": "technician",
            },
            seed=7_000 + number % 5,
            made=made,
            age=28,
            grade="C30",
            strengths=changes.pop("strengths", STRENGTHS),
            start=made + timedelta(days=28),
        )
        return CaseFile(world=self, plan=replace(plan, **changes), serial=number)


def b64(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


def new_signer(name: str) -> Ed25519Signer:
    """A fresh key."""
    key = ed25519.Ed25519PrivateKey.generate()
    return Ed25519Signer(f"{name}.{public_bytes(key).hex()[:8]}", key)


@dataclass(kw_only=True)
class CaseFile:
    """The steps of one report; each may be changed, left out or repeated. Ids of what was sent are in `ids`."""

    world: World
    plan: Plan
    serial: int
    ids: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)

    @property
    def tags(self) -> list[str]:
        """Tags of the three specimens."""
        return [f"SV{os.getpid() % 1000:03d}{self.serial:05d}{i}" for i in (1, 2, 3)]

    @property
    def number(self) -> str:
        """Report number."""
        return f"SV-HNT-2026-{self.serial:06d}"

    def _send(
        self, step: str, party: str, kind: type, at: datetime, fields: dict[str, Any], changes: dict[str, Any]
    ) -> Sent:
        party = changes.pop("party", party)
        got = self.world.send(party, kind, changes.pop("at", at), **(fields | changes))
        self.ids[step], self.sent[step] = got.entry, got
        return got

    def issue_tags(self, **changes: Any) -> Sent:
        """Tags handed out."""
        fields = {
            "project": self.world.project(),
            "tags": self.tags,
            "medium": "qr",
            "issued_to": self.world.cast.person("sampler"),
        }
        return self._send(
            "tags",
            "contractor",
            project.TagIssued,
            self.plan.times.made - timedelta(hours=1),
            fields,
            changes,
        )

    def sample(self, **changes: Any) -> Sent:
        """Sampling of the group."""
        tags = changes.pop("tags", self.tags)
        fields = {
            "project": self.world.project(),
            "sample_kind": "concrete_cube",
            "unit_work": self.plan.unit_work,
            "structural_part": self.plan.part,
            "grade": "C30",
            "curing": "standard",
            "required_age_d": 28,
            "made_at": self.plan.times.made,
            "sampler": self.world.cast.person("sampler"),
            "specimens": [custody.SpecimenMade(ordinal=i, tag=tag) for i, tag in enumerate(tags, 1)],
        }
        return self._send(
            "sample", "contractor", custody.SamplingRecorded, self.plan.times.entered, fields, changes
        )

    def witness(self, **changes: Any) -> Sent:
        """Witnessing."""
        at = self.plan.times.witnessed
        fields = {
            "sample": self.ids["sample"],
            "witness": self.world.cast.person("witness"),
            "witnessed_at": at,
        }
        return self._send(
            "witnessing", "resident_engineer_firm", custody.WitnessingRecorded, at, fields, changes
        )

    def commission(self, **changes: Any) -> Sent:
        """Contract, when there is none yet, and commission."""
        at = self.plan.times.commissioned
        fields = {
            "contract": changes.pop("contract", None) or contract_of(self.world, at - timedelta(days=2)),
            "institution": self.world.parties["institution"].party,
            "number": f"SV-WT-2026-{self.serial:06d}",
            "test_category": "witnessed",
            "samples": [self.ids["sample"]],
            "requests": [
                custody.RequestedWork(
                    category="concrete_cube",
                    parameters=["concrete_cube.compressive"],
                    method="concrete_cube",
                    edition=EDITION,
                )
            ],
        }
        return self._send("commission", "owner", custody.CommissionPlaced, at, fields, changes)

    def receive(self, **changes: Any) -> Sent:
        """Reception."""
        tags = changes.pop("tags", self.tags)
        fields = {
            "commission": self.ids["commission"],
            "sample": self.ids["sample"],
            "site": self.world.cast.site,
            "receiver": self.world.cast.person("receiver"),
            "accepted": True,
            "witness_present": True,
            "scanned": [custody.TagScanned(tag=tag, seal_intact=True, condition="完好") for tag in tags],
        }
        return self._send(
            "receipt", "institution", custody.ReceiptRecorded, self.plan.times.received, fields, changes
        )

    def take_number(self, **changes: Any) -> Sent:
        """The report's number."""
        fields = {
            "document_kind": "report",
            "prefix": "SVT",
            "site": self.world.cast.site,
            "year": 2026,
            "serial": self.serial,
            "number": self.number,
            "commission": self.ids["commission"],
        }
        return self._send(
            "number", "institution", reports.NumberTaken, self.plan.times.received, fields, changes
        )

    def specimens(self, *, with_curve: bool = True) -> list[Any]:
        """The three cubes as measured."""
        return [
            cube(recording, ordinal=i, tag=tag, started_at=start, with_curve=with_curve)
            for i, (recording, tag, start) in enumerate(
                zip(self.plan.recordings(), self.tags, self.plan.times.tested, strict=True), 1
            )
        ]

    def run_fields(self, *, with_curve: bool = True) -> dict[str, Any]:
        """Fields of the run as it was."""
        runs = [each.run for each in self.specimens(with_curve=with_curve)]
        return {
            "commission": self.ids["commission"],
            "sample": self.ids["sample"],
            "site": self.world.cast.site,
            "category": "concrete_cube",
            "parameters": ["concrete_cube.compressive"],
            "method": "concrete_cube",
            "edition": EDITION,
            "instrument": "YE-2000-06",
            "technician": self.world.cast.person("technician"),
            "data_origin": "acquired",
            "started_at": self.plan.times.tested[0],
            "finished_at": max(each.finished_at for each in runs),
            "environment": Environment(temperature_C="20.5", humidity_pct="62"),
            "grade": "C30",
            "specimens": runs,
        }

    def test(self, **changes: Any) -> Sent:
        """The test with its curves."""
        fields = self.run_fields(with_curve=changes.pop("with_curve", True))
        return self._send(
            "run", "institution", testing.RunRecorded, self.plan.times.finished, fields, changes
        )

    def review(self) -> None:
        """Review and approval."""
        for step, person, at in (
            ("review", "reviewer", self.plan.times.reviewed),
            ("approval", "approver", self.plan.times.approved),
        ):
            fields = {
                "run": self.ids["run"],
                "step": step,
                "person": self.world.cast.person(person),
                "decision": "accepted",
            }
            self._send(step, "institution", testing.ReviewRecorded, at, fields, {})

    def application(self, **changes: Any) -> reports.ReportApplied:
        """The structured report, not sent."""
        result = cube_result(self.specimens(with_curve=False), "C30", EDITION)
        fields = {
            "commission": self.ids["commission"],
            "number_entry": self.ids["number"],
            "number": self.number,
            "title": "混凝土立方体抗压强度检测报告",
            "site": self.world.cast.site,
            "category": "concrete_cube",
            "samples": [self.ids["sample"]],
            "parameters": result.with_run(self.ids.get("run", "0" * 32)),
            "conclusion": result.conclusion,
            "conclusion_text": result.conclusion_text,
            "tested_by": [self.world.cast.person("technician")],
            "reviewer": self.world.cast.person("reviewer"),
            "reviewed_at": self.plan.times.reviewed,
            "approver": self.world.cast.person("approver"),
            "approved_at": self.plan.times.approved,
            "issued_on": self.plan.times.applied.date().isoformat(),
        }
        return self.world.message(
            "institution", reports.ReportApplied, self.plan.times.applied, **(fields | changes)
        )

    def apply(self, **changes: Any) -> dict[str, Any]:
        """Apply and return the decision."""
        got = self.world.client(changes.pop("party", "institution")).send(
            self.application(**changes), wait_s=25
        )
        self.ids["application"], self.sent["application"] = got.entry, got
        assert got.result is not None and got.result["projected"], got.body
        return dict(got.result["decision"])

    def until_tested(self) -> CaseFile:
        """Every step up to the approval, honestly."""
        (
            self.issue_tags(),
            self.sample(),
            self.witness(),
            self.commission(),
            self.receive(),
            self.take_number(),
        )
        self.test()
        self.review()
        return self

    def printed(self, decision: dict[str, Any]) -> bytes:
        """The final PDF, signed by the institution's own key."""
        specimens = self.specimens()
        issued = Issued(
            number=self.number,
            commission_number=f"SV-WT-2026-{self.serial:06d}",
            code=decision["code"],
            claims=decision["claims"],
            edition=EDITION,
            tags=self.tags,
            specimens=specimens,
            result=cube_result(specimens, "C30", EDITION),
        )
        return signed_report(print_job(self.plan, self.world.cast, issued, self.world.clients)).pdf

    def register(self, pdf: bytes, code: str, *, upload: bool = True, **changes: Any) -> Sent:
        """Register final bytes for a code."""
        if upload:
            self.world.client("institution").upload(pdf, "application/pdf")
        fields = {
            "application": self.ids["application"],
            "code": code,
            "pdf_sha256": hashlib.sha256(pdf).hexdigest(),
            "pdf_bytes": len(pdf),
            "pages": 1,
            "signed_at": self.plan.times.applied,
            "certificate_sha256": certificate_sha256(self.world.clients.keys),
        }
        return self._send(
            "registration",
            "institution",
            reports.ReportRegistered,
            self.plan.times.registered,
            fields,
            changes,
        )


#: By data folder: an object's id is given again to the next world of the session.
_contracts: dict[str, str] = {}


def contract_of(world: World, at: datetime) -> str:
    """The project's contract, signed once."""
    folder = str(world.platform.data_dir)
    if folder not in _contracts:
        _contracts[folder] = world.send(
            "institution",
            project.ContractSigned,
            at,
            project=world.project(),
            number=f"SV-HT-{os.getpid()}",
            client=world.parties["owner"].party,
            client_role="owner",
            institution=world.parties["institution"].party,
            signed_on=at.date().isoformat(),
            scope=[project.ScopeLine(category="concrete_cube", parameters=["concrete_cube.compressive"])],
        ).entry
    return _contracts[folder]


@dataclass(kw_only=True)
class QuietWorld(World):
    """The same city on a platform without processes: messages go straight into the journal, projector and worker are called."""

    stated: bool = False
    _journal: Journal | None = None
    _workers: list[Any] = field(default_factory=list)

    def append(self, message: Any, who: Party, stated_at: datetime | None = None) -> Sent:
        """Append one message as if the gateway had taken it."""
        if self._journal is None:
            keys = PlatformKeys.load(self.platform.folder("keys"))
            signer = CheckpointSigner(keys.log, self.platform.folder("marks"))
            self._journal = Journal(self.platform.conninfo("plumb_gateway"), signer)
        pending = pending_from(message, who.origin, channel="internal", stated_at=stated_at)
        got = self._journal.append([pending])[0]
        if isinstance(got, Problem):
            raise got
        return Sent(
            entry=got.entry.hex(),
            epoch=got.epoch,
            index=got.index,
            logged_at=got.logged_at,
            duplicate=got.duplicate,
            receipt=got.receipt,
            result=None,
            body={},
        )

    def send(
        self, party: str, kind: type, at: datetime | None = None, /, *, wait_s: float = 0, **fields: Any
    ) -> Sent:
        """Append a message of a party."""
        message = self.message(party, kind, at, **fields)
        return self.append(message, self.parties[party], at if self.stated else None)

    def apply(self, case: CaseFile, **changes: Any) -> str:
        """Append the application; returns its entry id."""
        at = case.plan.times.applied if self.stated else None
        got = self.append(case.application(**changes), self.parties["institution"], at)
        case.ids["application"] = got.entry
        return got.entry

    def project_all(self) -> int:
        """Run a projector until nothing is left."""
        projector = Projector(self.platform.conninfo("plumb_projector"))
        try:
            return projector.catch_up()
        finally:
            projector.close()

    def settle(self) -> None:
        """Project what is there."""
        self.project_all()

    def worker(self) -> Any:
        """A worker of this platform, closed with it."""
        made = make_worker(self.platform)[0]
        self._workers.append(made)
        return made

    def conninfo(self) -> dict[str, str]:
        """Connection strings by role."""
        return {role: self.platform.conninfo(role) for role in ROLES}

    def tamper(self, *statements: str) -> None:
        """What an administrator of the database can do and should not."""
        with psycopg.connect(self.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            for table in ("entry", "leaf", "node", "head", "claim", "checkpoint"):
                conn.execute(f"ALTER TABLE journal.{table} DISABLE TRIGGER ALL".encode())
            for statement in statements:
                conn.execute(statement.encode())

    def close(self) -> None:
        """Close what is open."""
        for worker in self._workers:
            worker.sender._journal.close()
        if self._journal is not None:
            self._journal.close()
        self.http.close()
        self.desk.close()


def make_world(tested: Any, kind: type[World] = World) -> World:
    """Enrol the cast on a platform."""
    now = datetime.now(UTC)
    platform = tested.platform
    cast = build_cast(SEED, now.date())
    enrolment = enrol_cast(platform, at=now - timedelta(days=110), stated=True, today=now.date())
    world = kind(
        platform=platform,
        url=tested.url,
        cast=cast,
        enrolment=enrolment,
        clients=open_clients(cast, platform.data_dir, tested.url),
        desk=StationSender(platform),
        station=party_id("12610300MB2960001Y").hex(),
    )
    for name in ("institution", "contractor", "owner", "resident_engineer_firm"):
        keys = party_keys(cast, platform.data_dir, name)  # type: ignore[arg-type]
        world.parties[name] = Party(party=cast.party(name), transport=keys.transport, origin=keys.origin)  # type: ignore[arg-type]
    return world


@pytest.fixture(scope="session")
def world(running_platform: Any) -> Iterator[World]:
    """The city on the running platform."""
    made = make_world(running_platform)
    made.settle()
    made.enrol("stranger", ["institution"])
    yield made
    made.http.close()
    made.desk.close()
    made.clients.__exit__(None, None, None)


@pytest.fixture
def quiet_world(quiet_platform: Any) -> Iterator[QuietWorld]:
    """The city on a platform without processes, everything projected."""
    made = make_world(quiet_platform, QuietWorld)
    assert isinstance(made, QuietWorld)
    made.settle()
    yield made
    made.close()


@pytest.fixture(scope="session")
def tested_case(world: World) -> CaseFile:
    """A report ready to be applied for; read-only for tests."""
    return world.case().until_tested()


@pytest.fixture(scope="session")
def genuine(world: World) -> tuple[CaseFile, dict[str, Any], bytes]:
    """A registered report: its case, the decision with the code, the PDF."""
    case = world.case().until_tested()
    decision = case.apply()
    assert decision["state"] == "reserved", decision
    pdf = case.printed(decision)
    case.register(pdf, decision["code"])
    wait_for(
        lambda: world.rows(
            "SELECT 1 FROM fact.registration WHERE id = %s AND examined", [case.ids["registration"]]
        )
    )
    return case, decision, pdf


@pytest.fixture(scope="session")
def _administrators(running_platform: Any) -> dict[str, list[str]]:
    from browsing import named_administrators

    return named_administrators(running_platform)


@pytest.fixture(scope="module")
def office(running_platform: Any, _administrators: dict[str, list[str]]) -> Iterator[Any]:
    """The three administrators, signed in for this file."""
    from browsing import open_office

    with open_office(running_platform.url, _administrators) as made:
        yield made


@contextmanager
def _gateway_process(
    platform: Platform,
    *,
    tls: tuple[Path, Path, Path] | None = None,
    bounds: Sequence[str] = (),
    **env: str,
) -> Iterator[str]:
    """One more gateway with its own limits on its own port; yields its public address. `bounds`: of the system, as prlimit takes them."""
    port = free_port()
    scheme = "https" if tls else "http"
    url = f"{scheme}://127.0.0.1:{port}"
    command = ["prlimit", *bounds, "--"] if bounds else []
    command += [
        sys.executable,
        "-m",
        "granian",
        "--no-ws",
        "--log-level",
        "warning",
        "--workers",
        "1",
        "--interface",
        "asgi",
    ]
    command += ["--factory", "--host", "127.0.0.1", "--port", str(port)]
    if tls:
        command += ["--ssl-certificate", str(tls[0]), "--ssl-keyfile", str(tls[1])]
    full = os.environ | platform.environment() | {"PLUMB_PUBLIC_URL": url} | env
    log = (platform.folder("logs") / f"extra-{port}.log").open("wb")
    process = subprocess.Popen(
        [*command, "plumbline.supervision.gateway.app:application"], env=full, stdout=log, stderr=log
    )
    try:
        wait_for(lambda: _alive(url, tls), 30)
        yield url
    finally:
        process.terminate()
        process.wait(15)
        log.close()


def _alive(url: str, tls: tuple[Path, Path, Path] | None) -> bool:
    verify = ssl.create_default_context(cafile=str(tls[2])) if tls else True
    try:
        with httpx.Client(verify=verify, trust_env=False, timeout=2) as http:
            return http.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def gateway_process() -> Callable[..., Any]:
    """See :func:`_gateway_process`."""
    return _gateway_process


@pytest.fixture(scope="session")
def strict_gateway(world: World) -> Iterator[str]:
    """A second gateway of the same platform with small limits and a short memory of keys."""
    limits = {"PLUMB_RATE": "2", "PLUMB_LOOKUP_RATE": "2", "PLUMB_QUEUE": "2", "PLUMB_KEY_CACHE_S": "0.2"}
    with _gateway_process(world.platform, **limits) as url:
        yield url


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem details of a refusal, checked for what every one must say."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = msgspec.json.decode(answer.content)
    assert body["type"] == f"/x/problems/{slug}", body
    assert body["title"] and body["remedy"] and body["detail"] and body["instance"].startswith("E-")
    return body
