"""Three neighbours who must not see one another (互不相见的三家): two in one city, one in another, each with a whole report full of
strings that stand nowhere else."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from django.core.signing import TimestampSigner
from PIL import Image

from plumbline.demo.enrolment import Enrolment
from plumbline.exchange.messages import custody, project, registry
from plumbline.exchange.messages.header import Picture
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.sdk.client.stamp import stamp
from plumbline.supervision.access.principals import PUBLIC, Principal, Role

SITE_ROLES = ("owner", "contractor", "resident_engineer_firm")
PARTIES = ("institution", *SITE_ROLES)
HOME, ABROAD = "610300", "620100"


@dataclass(frozen=True)
class Players:
    """The cast of one neighbour: the demo's, with people of its own."""

    base: Any
    people: dict[str, str]

    def person(self, key: str) -> str:
        """Person id."""
        return self.people[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


@dataclass(kw_only=True)
class Neighbour:
    """One institution with one project and one registered report; `token` stands in every text of it."""

    name: str
    token: str
    division: str
    world: Any
    case: Any = None
    code: str = ""
    project: str = ""
    picture: str = ""
    pdf: bytes = b""
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def parties(self) -> dict[str, str]:
        """Role → party id."""
        return {role: self.world.parties[role].party for role in PARTIES}

    @property
    def instrument(self) -> str:
        """Code of its machine."""
        return f"{self.token}-06"

    def canaries(self) -> set[str]:
        """Strings that nobody else may read: the token, ids of its objects and parties, its numbers and its code."""
        return {
            self.token,
            self.project,
            self.picture,
            self.code,
            self.case.number,
            *self.ids.values(),
            *self.parties.values(),
            *self.world.cast.people.values(),
        }

    def principal(self, role: str) -> Principal:
        """Somebody of this neighbour, as a session holds them."""
        kind = Role.INSTITUTION if role == "institution" else Role.PARTY
        return Principal(
            role=kind, party=self.parties[role], organisation=f"{self.token} {role}", division=self.division
        )


@dataclass(kw_only=True)
class Street:
    """The three, everybody who reads, and who may see whom."""

    world: Any
    homes: dict[str, Neighbour]
    key: str
    #: Session keys by reader.
    sessions: dict[str, str] = field(default_factory=dict)

    def principals(self) -> dict[str, Principal]:
        """Name → principal: all roles of every neighbour, the officer of each city, one without a region, the public."""
        found = {f"{h.name} {role}": h.principal(role) for h in self.homes.values() for role in PARTIES}
        for where, division in (("home", HOME), ("abroad", ABROAD), ("nowhere", "")):
            found[f"officer {where}"] = Principal(
                role=Role.OFFICER, party=self.world.station, organisation="监督站", division=division
            )
        return found | {"public": PUBLIC}

    def sees(self, name: str, home: Neighbour) -> bool:
        """Whether a principal may see a neighbour's records."""
        if name.startswith("officer"):
            return home.division == {"officer home": HOME, "officer abroad": ABROAD}.get(name)
        return name.split()[0] == home.name

    def strangers(self, name: str) -> list[Neighbour]:
        """The neighbours whom a principal must not see."""
        return [home for home in self.homes.values() if not self.sees(name, home)]

    def _begin_session(self, name: str) -> str:
        """A stored session of a principal, as the role cards of the demo begin one; returns its key."""
        stored = {"principal": self.principals()[name].as_session(), "live": f"session of {name}"}
        signer = TimestampSigner(key=self.key, salt="django.contrib.sessions.SessionStore", fallback_keys=[])
        key = secrets.token_hex(16)
        with psycopg.connect(self.world.platform.conninfo("plumb_web")) as conn:
            conn.execute(
                "INSERT INTO web.django_session (session_key, session_data, expire_date) VALUES (%s, %s, now() + interval '1 day')",
                [key, signer.sign_object(stored, compress=True)],
            )
        return key

    def get(self, name: str, address: str, **options: Any) -> httpx.Response:
        """Ask web through the gateway with the session of a principal."""
        if name not in self.sessions:
            self.sessions[name] = self._begin_session(name)
        cookies = f"plumb_session={self.sessions[name]}"
        method = options.pop("method", "GET")
        return self.world.http.request(
            method, self.world.url + address, headers={"cookie": cookies}, **options
        )


@contextmanager
def suspended(street: Street, home: Neighbour, *roles: str) -> Iterator[None]:
    """Some parties of a neighbour are suspended until the end of the block."""
    decided = {"decided_by": "1a" * 16, "seconded_by": "2b" * 16}
    asked = "SELECT suspension FROM fact.party WHERE id = ANY(%s) AND suspension IS NOT NULL"
    parties = [home.parties[role] for role in roles]

    def stopped() -> list[Any]:
        return list(street.world.rows(asked, [parties]))

    for party in parties:
        street.world.by_station(registry.PartySuspended, party=party, because="停用一项", **decided)
    street.world.wait_for(lambda: len(stopped()) == len(parties), 60)
    try:
        yield
    finally:
        for party in parties:
            (row,) = street.world.rows(asked, [[party]])
            street.world.by_station(
                registry.PartyReinstated, party=party, suspension=row["suspension"], because="恢复", **decided
            )
        street.world.wait_for(lambda: not stopped(), 60)


@pytest.fixture
def suspend() -> Any:
    """See :func:`suspended`."""
    return suspended


def _register_people(home: Neighbour) -> None:
    world, now = home.world, datetime.now(UTC)
    for person in world.cast.base.people.values():
        ref = world.cast.people[person.key]
        record = make_record(ref, PersonalFields(name=f"{home.token}{person.key}"))
        message = stamp(
            registry.PersonRegistered,
            sender=world.station,
            at=now,
            person=ref,
            party=home.parties[person.employer],
            roles=list(person.roles),
            certificate_number=f"{home.token}-{person.key}",
            scope=list(person.scope),
            sites=[world.cast.site] if person.employer == "institution" else [],
            valid_from=world.cast.valid_from.isoformat(),
            valid_until=world.cast.valid_until.isoformat(),
            personal=record.ref,
        )
        world.desk(message, [record])


def _equip(home: Neighbour) -> None:
    world, institution = home.world, home.parties["institution"]
    world.by_station(
        registry.SiteRegistered,
        institution=institution,
        site=world.cast.site,
        name=f"{home.token} 场所",
        address=f"{home.token} 路",
        division=home.division,
    )
    line = next(each for each in world.cast.capability if each.category == "concrete_cube")
    world.by_station(
        registry.CapabilityApproved,
        institution=institution,
        site=world.cast.site,
        category=line.category,
        parameters=list(line.parameters),
        methods=list(line.methods),
        valid_from=world.cast.valid_from.isoformat(),
        valid_until=world.cast.valid_until.isoformat(),
    )
    machine = {
        "institution": institution,
        "site": world.cast.site,
        "instrument": home.instrument,
        "name": f"{home.token} 压力机",
        "model": "YE",
        "serial_number": f"{home.token}-1",
        "range_kN": "2000",
        "calibration_certificate": f"{home.token}-C",
        "calibrated_until": world.cast.valid_until.isoformat(),
    }
    home.ids["instrument"] = world.by_station(registry.InstrumentRegistered, **machine).entry.hex()
    # Calibrated anew: its history is nobody else's either.
    world.by_station(
        registry.InstrumentRegistered, **machine | {"calibration_certificate": f"{home.token}-D"}
    )


def _found_project(home: Neighbour) -> None:
    world = home.world
    home.project = world.by_station(
        project.ProjectRegistered,
        name=f"{home.token} 大厦",
        code=f"{home.token}-P",
        division=home.division,
        unit_works=["1# 楼"],
        **{role: home.parties[role] for role in SITE_ROLES},
    ).entry.hex()
    world.enrolment.projects["riverside"] = home.project
    if home.division == HOME:  # the station of the platform looks after its own city
        charge = {"project": home.project, "officer": "3c" * 16, "part": "lead", "valid_from": "2026-01-01"}
        home.ids["charge"] = world.by_station(registry.ChargeAssigned, **charge).entry.hex()
    world.by_station(
        project.CustodiansConfirmed,
        project=home.project,
        samplers=[world.cast.person("sampler")],
        witnesses=[world.cast.person("witness")],
    )


def _report(home: Neighbour) -> None:
    """A whole honest report, registered, with one discarded run on a machine that nobody registered."""
    world, case, token = home.world, home.case, home.token
    contract = world.send(
        "owner",
        project.ContractSigned,
        case.plan.times.commissioned - timedelta(days=2),
        project=home.project,
        number=f"{token}-HT",
        client=home.parties["owner"],
        client_role="owner",
        institution=home.parties["institution"],
        signed_on=case.plan.times.made.date().isoformat(),
        scope=[project.ScopeLine(category="concrete_cube", parameters=["concrete_cube.compressive"])],
    )
    home.ids["contract"] = contract.entry
    picture = _picture(token)
    home.picture = world.client("contractor").upload(picture, "image/png")
    shown = Picture(
        picture="sealed_sample",
        sha256=home.picture,
        captured_at=case.plan.times.entered,
        media_type="image/png",
    )
    case.issue_tags()
    case.sample(structural_part=f"{token} 柱", unit_work=f"{token} 楼", pictures=[shown])
    case.witness()
    world.send("contractor", custody.CuringRecorded, sample=case.ids["sample"], room=f"{token} 养护室")
    case.commission(contract=contract.entry, number=f"{token}-WT")
    case.receive()
    case.take_number(prefix=token)
    case.test(instrument=f"{token}-UNKNOWN", discarded=True, discarded_because=f"{token} 停电")
    home.ids["discarded"] = case.ids["run"]
    case.test(instrument=home.instrument)
    case.review()
    decision = case.apply(title=f"{token} 报告", conclusion_text=f"{token} 合格")
    assert decision["state"] == "reserved", decision
    home.code, home.pdf = decision["code"], b"%PDF-1.7\n% " + token.encode()
    case.register(home.pdf, home.code)
    home.ids |= {step: entry for step, entry in case.ids.items() if step != "tags"}


def _picture(token: str) -> bytes:
    """A small picture of its own for each home, with its token behind the end as in a file that is two things at once."""
    made = io.BytesIO()
    colour = hashlib.sha256(token.encode()).digest()
    Image.new("RGB", (8, 8), (colour[0], colour[1], colour[2])).save(made, "PNG")
    return made.getvalue() + f"<script>{token}</script>".encode()


def _settle(world: Any, token: str, name: str, division: str) -> Neighbour:
    parties = {}
    for role in PARTIES:
        parties[role] = world.enrol(f"{token}.{role.replace('_', '-')}", [role], division)
    people = {key: hashlib.sha256(f"{token}/{key}".encode()).hexdigest()[:32] for key in world.cast.people}
    own = replace(
        world,
        parties=parties,
        cast=Players(world.cast, people),
        enrolment=Enrolment(projects={}, root_pem=world.enrolment.root_pem),
    )
    home = Neighbour(name=name, token=token, division=division, world=own)
    _register_people(home)
    _equip(home)
    _found_project(home)
    own.settle()
    home.case = own.case()
    _report(home)
    return home


@pytest.fixture(scope="session")
def street(world: Any) -> Street:
    """The three neighbours on the running platform."""
    salt = hashlib.sha256(str(world.platform.data_dir).encode()).hexdigest()[:6]
    places = (("own", HOME), ("beside", HOME), ("abroad", ABROAD))
    homes = {name: _settle(world, f"canary{salt}{name}", name, division) for name, division in places}
    for home in homes.values():
        asked = "SELECT 1 FROM fact.registration WHERE id = %s AND examined"
        world.wait_for(lambda home=home, asked=asked: world.rows(asked, [home.ids["registration"]]))
        found = world.rows("SELECT id FROM fact.finding WHERE subject = %s", [home.ids["discarded"]])
        home.ids["finding"] = found[0]["id"].hex
    secret = (world.platform.folder("keys") / "kek.bin").read_bytes()
    key = hashlib.sha256(b"django\0" + secret).hexdigest()
    return Street(world=world, homes=homes, key=key)
