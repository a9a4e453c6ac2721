"""Enrolling the cast (演示登记): what the station does before anybody may send."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization

from plumbline.demo.cast import Cast, Organisation, Person, Works, station_party
from plumbline.demo.clients import PARTIES, open_ledger
from plumbline.demo.keys import PartyKeys, party_keys, report_keys
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.messages.header import Message, Position
from plumbline.exchange.messages.project import CustodiansConfirmed, ProjectRegistered
from plumbline.exchange.messages.registry import (
    CapabilityApproved,
    InstrumentRegistered,
    KeyEnrolled,
    PartyRegistered,
    PersonRegistered,
    SiteRegistered,
)
from plumbline.exchange.personal import PersonalFields, PersonalRecord, make_record
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.uids import derived_uid
from plumbline.lab.keys import InstitutionKeys, public_bytes

_NOTE = "enrolled"


class Submit(Protocol):
    """The platform's own sender: appends one message of the station with its personal records."""

    def __call__(
        self, message: Message, personal: Sequence[PersonalRecord] = (), stated_at: datetime | None = None
    ) -> object:
        """Return when the entry is durable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What the rest of the demonstration needs to know of the enrolment."""

    #: Project key → entry id.
    projects: dict[str, str]
    #: PEM file of the demo root that the platform must put on its list of accepted roots.
    root_pem: Path


def enroll(cast: Cast, submit: Submit, *, data_dir: Path, at: datetime, stated: bool = False) -> Enrolment:
    """Enrol the cast as of `at` (aware); does nothing when it was done before in this folder.

    `stated` moves the clock of a demo log to `at`. Keys are made in the parties' own folders in `data_dir`.
    """
    ledger = open_ledger(cast, data_dir)
    keys = report_keys(cast, data_dir)
    root = keys.folder / "root.cert.pem"
    known = ledger.get(_NOTE)
    if known is None:
        for message, personal in enrolment_messages(cast, data_dir, at):
            submit(message, personal, at if stated else None)
        known = {works: project_entry(cast, works, at) for works in cast.projects}
        ledger.put(_NOTE, known)
    return Enrolment(projects=known, root_pem=root)


def enrolment_messages(
    cast: Cast, data_dir: Path, at: datetime
) -> Iterator[tuple[Message, list[PersonalRecord]]]:
    """Every message of the enrolment with its personal records, in the order in which they must arrive."""
    post = StationPost(cast, at)
    for who in cast.organisations.values():
        yield organisation_message(post, who), []
    for party in PARTIES:
        for message in key_messages(post, party_keys(cast, data_dir, party), cast.party(party)):
            yield message, []
    yield report_certificate(post, report_keys(cast, data_dir)), []
    for person in cast.people.values():
        yield person_message(post, person)
    for message in institution_messages(post):
        yield message, []
    for works in cast.projects.values():
        for message in project_messages(post, works):
            yield message, []


def organisation_message(post: StationPost, who: Organisation) -> Message:
    """The registration of a party (单位登记)."""
    return post.make(
        PartyRegistered,
        who.key,
        party=who.party,
        uscc=who.uscc,
        name=who.name,
        short_name=who.short_name,
        roles=[who.role],
        division=who.division,
        address=who.address,
    )


def institution_messages(post: StationPost) -> Iterator[Message]:
    """Site, capability schedule and instruments of the institution."""
    cast = post.cast
    institution = cast.party("institution")
    yield post.make(
        SiteRegistered,
        cast.site,
        institution=institution,
        site=cast.site,
        name=cast.site_name,
        address=cast.site_address,
        division=cast.organisations["institution"].division,
    )
    for line in cast.capability:
        yield post.make(
            CapabilityApproved,
            line.category,
            institution=institution,
            site=cast.site,
            category=line.category,
            parameters=list(line.parameters),
            methods=list(line.methods),
            valid_from=cast.valid_from.isoformat(),
            valid_until=cast.valid_until.isoformat(),
            certificate_number="HC-JJZ-2303017",
        )
    for tool in cast.instruments.values():
        yield post.make(
            InstrumentRegistered,
            tool.code,
            institution=institution,
            site=cast.site,
            instrument=tool.code,
            name=tool.name,
            model=tool.model,
            serial_number=tool.serial_number,
            range_kN=tool.range_kN,
            accuracy_class=tool.accuracy_class,
            calibration_certificate=tool.certificate,
            calibrated_until=tool.calibrated_until.isoformat(),
        )


def project_entry(cast: Cast, works: str, at: datetime, scope: str = "") -> str:
    """Entry id of a project enrolled at `at`; `scope` as in `StationPost`."""
    uid = derived_uid("project.registered", f"demo.{cast.seed}", scope + works, at)
    return entry_id(bytes.fromhex(station_party()), uid).hex()


@dataclass(frozen=True, slots=True)
class StationPost:
    """Makes the station's messages for a cast; ids follow from seed, kind, scope and name."""

    cast: Cast
    at: datetime
    #: Put before every name, so that the names of several casts of one seed do not meet.
    scope: str = ""

    def make(self, kind: type[Message], subject: str, /, **fields: Any) -> Message:
        """A message of the station at the enrolment's time."""
        name = self.scope + subject
        uid = derived_uid(str(kind.__struct_config__.tag), f"demo.{self.cast.seed}", name, self.at)
        return kind(v=1, uid=uid, sender=station_party(), occurred_at=self.at, **fields)


def key_messages(post: StationPost, keys: PartyKeys, party: str) -> Iterator[Message]:
    """The public keys of a party: requests, messages, devices."""
    yield _key(post, keys.transport, party, "transport")
    yield _key(post, keys.origin, party, "origin")
    for device, signer in keys.devices.items():
        yield _key(post, signer, party, "device", device)


def _key(
    post: StationPost, signer: Ed25519Signer, party: str, use: str, device: str | None = None
) -> Message:
    return post.make(
        KeyEnrolled,
        signer.key_id,
        party=party,
        key_id=signer.key_id,
        algorithm="ed25519",
        use=use,
        device=device,
        public_key=base64.b64encode(public_bytes(signer.key)).decode(),
        **_validity(post.cast),
    )


def _validity(cast: Cast) -> dict[str, datetime]:
    first, last = cast.valid_from, cast.valid_until
    return {
        "valid_from": datetime(first.year, first.month, first.day, tzinfo=UTC),
        "valid_until": datetime(last.year, last.month, last.day, tzinfo=UTC),
    }


def report_certificate(post: StationPost, keys: InstitutionKeys) -> Message:
    """The certificate that the institution signs reports with."""
    point = keys.report_key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    digest = certificate_sha256(keys)
    key_id = f"institution.pades.{digest[:8]}"
    return post.make(
        KeyEnrolled,
        key_id,
        party=post.cast.party("institution"),
        key_id=key_id,
        algorithm="p256",
        use="pades",
        public_key=base64.b64encode(point).decode(),
        certificate_sha256=digest,
        **_validity(post.cast),
    )


def certificate_sha256(keys: InstitutionKeys) -> str:
    """SHA-256 of the institution's report certificate (DER), hex."""
    return hashlib.sha256(keys.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def person_message(post: StationPost, person: Person) -> tuple[Message, list[PersonalRecord]]:
    """The registration of a person, with the personal record that it names by digest."""
    fields = PersonalFields(name=person.name, resident_id=person.resident_id)
    record = make_record(person.ref, fields)
    inside = person.employer == "institution"
    message = post.make(
        PersonRegistered,
        person.key,
        person=person.ref,
        party=post.cast.party(person.employer),
        roles=list(person.roles),
        certificate_number=person.certificate_number,
        scope=list(person.scope),
        sites=[post.cast.site] if inside else [],
        valid_from=post.cast.valid_from.isoformat(),
        valid_until=post.cast.valid_until.isoformat(),
        personal=record.ref,
    )
    return message, [record]


def project_messages(post: StationPost, works: Works) -> Iterator[Message]:
    """A project and its samplers and witnesses (工程登记、取样见证人员核验)."""
    cast = post.cast
    yield post.make(
        ProjectRegistered,
        works.key,
        name=works.name,
        code=works.code,
        permit_number=works.permit_number,
        division=works.division,
        owner=cast.party("owner"),
        contractor=cast.party("contractor"),
        resident_engineer_firm=cast.party("resident_engineer_firm"),
        unit_works=list(works.unit_works),
        position=Position(longitude=works.longitude, latitude=works.latitude),
        fence_m="300",
    )
    yield post.make(
        CustodiansConfirmed,
        works.key,
        project=project_entry(cast, works.key, post.at, post.scope),
        samplers=[cast.person("sampler")],
        witnesses=[cast.person("witness")],
    )
