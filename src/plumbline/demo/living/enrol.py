"""Enrolling the living city (登记各方): the station registers every party, key, person, machine and project once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from plumbline.demo.clients import PARTIES
from plumbline.demo.enrolment import (
    Enrolment,
    StationPost,
    institution_messages,
    key_messages,
    organisation_message,
    person_message,
    project_entry,
    project_messages,
    report_certificate,
)
from plumbline.demo.keys import party_keys, report_keys
from plumbline.demo.living.names import uscc
from plumbline.demo.living.town import City, Team, with_house
from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.problems import Problem

SCOPE = "city/"


def city_messages(
    city: City, data_dir: Path, at: datetime, *, already: City | None = None
) -> Iterator[tuple[Message, list[PersonalRecord]]]:
    """Every message of the enrolment in the order in which they must arrive; nobody is registered twice.

    `already` is a part of the city that was registered before: its messages are left out.
    """
    seen: set[str] = set()

    def is_new(name: str) -> bool:
        known = name in seen
        seen.add(name)
        return not known

    if is_new("authority") and already is None:
        yield authority_message(city, at), []
    for part in (already, city):
        for told in _of_city(part, data_dir, at, is_new) if part is not None else ():
            if part is city:
                yield told


def _of_city(
    city: City, data_dir: Path, at: datetime, is_new: Callable[[str], bool]
) -> Iterator[tuple[Message, list[PersonalRecord]]]:
    # Every institution first, also one that has no project of its own at a small scale.
    for team in (*_one_each(city), *city.teams):
        yield from _of_team(team, data_dir, at, is_new)
    for plant in city.plants:
        if is_new(plant.organisation.uscc):
            post = StationPost(city.teams[0].cast, at, f"{SCOPE}{plant.organisation.uscc}/")
            yield organisation_message(post, plant.organisation), []


def authority_message(city: City, at: datetime) -> Message:
    """The registration of the province's authority, above the station of the city."""
    division = "610000"
    return StationPost(city.teams[0].cast, at, f"{SCOPE}authority/").make(
        PartyRegistered,
        "authority",
        party=party_id(uscc(city.seed, "authority", 0, division)).hex(),
        uscc=uscc(city.seed, "authority", 0, division),
        name="川陵省住房和城乡建设厅（虚构）",
        short_name="川陵省厅",
        roles=["authority"],
        division=division,
    )


def _one_each(city: City) -> Iterator[Team]:
    for house in city.houses:
        yield replace(city.teams[0], house=house, cast=with_house(city.teams[0].cast, house))


def _of_team(
    team: Team, data_dir: Path, at: datetime, is_new: Callable[[str], bool]
) -> Iterator[tuple[Message, list[PersonalRecord]]]:
    cast = team.cast
    for role in PARTIES:
        who = cast.organisations[role]
        if is_new(who.uscc):
            post = StationPost(cast, at, f"{SCOPE}{who.uscc}/")
            yield organisation_message(post, who), []
            for message in key_messages(post, party_keys(cast, data_dir, role), who.party):
                yield message, []
            if role == "institution":
                yield report_certificate(post, report_keys(cast, data_dir)), []
                for message in institution_messages(post):
                    yield message, []
    for person in cast.people.values():
        if is_new(person.ref):
            yield person_message(StationPost(cast, at, f"{SCOPE}{person.ref}/"), person)
    if is_new(team.works.key):
        for message in project_messages(StationPost(cast, at, SCOPE), team.works):
            yield message, []


class Desk(Protocol):
    """The station's own sender: appends many messages with their personal records."""

    def submit_all(
        self, messages: Iterable[tuple[Message, Sequence[PersonalRecord]]], stated_at: datetime
    ) -> Iterable[object]:
        """What became of each, a `Problem` where it was refused; those told are durable."""
        ...


def enrol_city(
    city: City, desk: Desk, *, data_dir: Path, at: datetime, already: City | None = None
) -> Enrolment:
    """Register the whole city as of `at`; does nothing when it was done before in this folder.

    `already` is a part of it that was enrolled by an earlier call, which is remembered for itself.
    """
    done = data_dir / "city" / ("enrolled" if already else "enrolled-core")
    if not done.exists():
        for outcome in desk.submit_all(city_messages(city, data_dir, at, already=already), at):
            # Enrolled by a run that was broken off: its personal record had another salt, and stands.
            if isinstance(outcome, Problem) and outcome.slug != "uid-conflict":
                raise outcome
        done.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        done.write_text(at.isoformat(), "utf-8")
    return city_enrolment(city, data_dir, datetime.fromisoformat(done.read_text("utf-8")))


def city_enrolment(city: City, data_dir: Path, at: datetime) -> Enrolment:
    """What senders need to know of an enrolment at `at`."""
    return Enrolment(
        projects={team.works.key: project_entry(team.cast, team.works.key, at, SCOPE) for team in city.teams},
        root_pem=report_keys(city.teams[0].cast, data_dir).folder / "root.cert.pem",
    )
