"""The demo's parties are valid by the rules that hold for real ones."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from pathlib import Path

from plumbline.demo.cast import DIVISION, STATION_USCC, build_cast
from plumbline.demo.enrolment import enroll, enrolment_messages, project_entry
from plumbline.demo.keys import party_keys, report_keys
from plumbline.demo.tests.memory_platform import ENROLLED, TODAY
from plumbline.domain.basics.identifiers import division_problem, uscc_problem
from plumbline.exchange.decode import decode_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import KeyEnrolled, PersonRegistered
from plumbline.exchange.personal import record_digest
from plumbline.lab.reporting.typesetting import missing_characters
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.rules import parameters

CAST = build_cast(7, TODAY)


def test_every_credit_code_is_valid_and_each_party_is_another():
    codes = [STATION_USCC, *(each.uscc for each in CAST.organisations.values())]
    assert [uscc_problem(code) for code in codes] == [None] * len(codes)
    assert len(set(codes)) == len(codes)


def test_the_station_is_the_operator_of_the_demo_log():
    assert DEMO_OPERATOR[0] == STATION_USCC


def test_person_ids_follow_from_the_seed():
    ids = [each.ref for each in CAST.people.values()]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    assert ids == [each.ref for each in build_cast(7, date(2030, 1, 1)).people.values()]
    assert not set(ids) & {each.ref for each in build_cast(8, TODAY).people.values()}


def test_the_thirty_minute_rule_holds_in_the_city():
    assert division_problem(DIVISION) is None
    assert parameters().find("registration_window", DIVISION, TODAY).value == 30


def test_the_reports_fonts_have_every_character_of_the_cast():
    assert missing_characters(repr(asdict(CAST))) == ""


def test_the_institution_may_report_every_force_item_that_it_tests():
    listed = {name for line in CAST.capability for name in line.parameters}
    force = set(parameters().find("force_items", DIVISION, TODAY).texts)
    assert listed <= force


def test_every_message_of_the_enrolment_passes_the_door(tmp_path: Path):
    messages = [message for message, _ in enrolment_messages(CAST, tmp_path, ENROLLED)]
    for message in messages:
        assert decode_message(encode_message(message)) == message


def test_names_travel_in_the_personal_part_only(tmp_path: Path):
    pairs = list(enrolment_messages(CAST, tmp_path, ENROLLED))
    people = [(m, records) for m, records in pairs if isinstance(m, PersonRegistered)]
    assert len(people) == len(CAST.people)
    for message, (record,) in people:
        assert message.personal == record.ref
        assert record.fields.name.encode() not in encode_message(message)
    assert record_digest.__module__ == "plumbline.exchange.personal"


def test_keys_lie_with_their_owners_and_the_platform_gets_public_halves(tmp_path: Path):
    enrolled = [m for m, _ in enrolment_messages(CAST, tmp_path, ENROLLED) if isinstance(m, KeyEnrolled)]
    devices = {m.device for m in enrolled if m.use == "device"}
    assert devices == {"YE-2000-06", "WE-600-02"}
    assert {m.use for m in enrolled} == {"transport", "origin", "device", "pades"}
    assert all(m.public_key for m in enrolled)
    assert (tmp_path / "institutions" / "诚测检测" / "keys" / "report.key.pem").stat().st_mode & 0o077 == 0


def test_keys_made_once_are_loaded_the_second_time(tmp_path: Path):
    first, second = (party_keys(CAST, tmp_path, "contractor") for _ in range(2))
    assert first.transport.key_id == second.transport.key_id
    assert report_keys(CAST, tmp_path).certificate == report_keys(CAST, tmp_path).certificate


def test_the_cast_enrols_once(tmp_path: Path):
    sent: list[Message] = []

    def submit(message: Message, personal: object = (), stated_at: object = None) -> None:
        sent.append(message)

    first = enroll(CAST, submit, data_dir=tmp_path, at=ENROLLED)
    count = len(sent)
    again = enroll(CAST, submit, data_dir=tmp_path, at=ENROLLED.replace(day=25))
    assert len(sent) == count
    assert again.projects == first.projects
    assert first.projects["riverside"] == project_entry(CAST, "riverside", ENROLLED)
    assert first.root_pem.exists()
