"""Hostile bytes, numbers, times, names and personal data (恶意输入): each is refused with field, reason and remedy."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.messages.registry import PersonRegistered
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.supervision.journal.vault import Vault

pytestmark = pytest.mark.service


def _pour(world, **changes):
    fields = {
        "project": world.project(),
        "structural_part": "三层柱",
        "grade": "C30",
        "volume_m3": "12.5",
        "started_at": datetime.now(UTC),
    }
    return world.message("contractor", PourRecorded, **(fields | changes))


def _spoiled(world, old: str, new: str) -> bytes:
    data = encode_message(_pour(world))
    assert old.encode() in data
    return data.replace(old.encode(), new.encode("utf-8", "surrogatepass"))


@pytest.mark.clause("CECS 6.0.2")
@pytest.mark.parametrize(
    ("old", "new", "slug"),
    [
        ('"volume_m3":"12.5"', '"volume_m3":12.5', "schema"),
        ('"12.5"', '"NaN"', "schema"),
        ('"12.5"', '"1e400"', "schema"),
        ('"12.5"', '"\uff11\uff12"', "schema"),
        ('"12.5"', '"1_000"', "schema"),
        ('"12.5"', '"12.5\\n"', "schema"),
        ('"12.5"', '"-"', "schema"),
        ('"v":1', '"v":2', "schema"),
        ('"v":1', '"v":1e0', "schema"),
        ('"v":1', '"v":' + "9" * 5000, "schema"),
        ('"v":1', '"v":true', "schema"),
        ('"kind":"pour.recorded"', '"kind":"pour.recorded\\u0000"', "schema"),
        ('"kind":"pour.recorded"', '"kind":"no.such"', "schema"),
        ('"v":1', '"v":1,"extra":1', "schema"),
        ('"v":1', '"v":1,"v":1', "duplicate-key"),
        ("三层柱", "三层柱\\u0000", "schema"),
        ("三层柱", "三层柱\\u202e", "schema"),
        ("三层柱", "\\u200b", "schema"),
        ("三层柱", "e\\u0301", "schema"),
        ("三层柱", "\\ud800", "malformed-json"),
        ("三层柱", "长" * 201, "schema"),
        ("三层柱", "", "schema"),
    ],
)
def test_hostile_values_are_refused_and_named(world, old, new, slug) -> None:
    before = world.size()
    answer = world.post(_spoiled(world, old, new), world.parties["contractor"])
    assert answer.status_code in (400, 422), answer.text
    body = world.refused(answer, answer.status_code, answer.json()["type"].rpartition("/")[2])
    assert slug in body["type"] or body["type"].endswith(("schema", "malformed-json"))
    assert world.size() == before


@pytest.mark.parametrize(
    "instant",
    [
        "2026-11-19T14:02:00",
        "2026-13-19T14:02:00Z",
        "2026-02-30T14:02:00Z",
        "1969-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999+00:00",
        "0001-01-01T00:00:00+23:59",
        "now",
        "20261119",
    ],
)
def test_a_hostile_time_is_refused(world, instant) -> None:
    message = msgspec.to_builtins(_pour(world))
    message = {k: v for k, v in message.items() if v is not None} | {"started_at": instant}
    body = world.refused(world.post(msgspec.json.encode(message), world.parties["contractor"]), 422, "schema")
    assert "started_at" in body["detail"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"message":}',
        b'{"message":{"kind":"pour.recorded"}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{'message': 1}",
        b'{"message":{},"message":{}}',
    ],
)
def test_a_malformed_body_is_refused(world, data) -> None:
    answer = world.request("POST", "/x/v1/entries", world.parties["contractor"], data, data)
    assert answer.status_code in (400, 422), answer.text
    world.refused(answer, answer.status_code, answer.json()["type"].rpartition("/")[2])


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deep_body_is_refused_before_it_is_parsed(world, opening) -> None:
    data = b'{"message":' + opening * 100_000
    world.refused(
        world.request("POST", "/x/v1/entries", world.parties["contractor"], data, data), 400, "too-deep"
    )


def test_a_body_announced_too_large_is_refused_unread(world) -> None:
    answer = world.request(
        "POST",
        "/x/v1/entries",
        world.parties["contractor"],
        b"{}",
        headers={"Content-Length": str(17 * 1024 * 1024)},
        sent=b"x" * (17 * 1024 * 1024),
    )
    world.refused(answer, 413, "too-large")


def test_a_body_that_grows_too_large_on_the_way_is_refused(world) -> None:
    def endless():
        for _ in range(20):
            yield b"x" * (1024 * 1024)

    answer = world.request("POST", "/x/v1/entries", world.parties["contractor"], b"{}", sent=endless())
    world.refused(answer, 413, "too-large")


@pytest.mark.parametrize(
    "text",
    [
        "联系 13912345678",
        "身份证 11010519491231002X",
        "证件１１０１０５１９４９１２３１００２Ｘ",
        "电话 139-1234-5678",
    ],
)
def test_personal_data_in_free_text_is_refused_with_the_way_out(world, text) -> None:
    answer = world.post(encode_message(_pour(world, structural_part=text)), world.parties["contractor"])
    body = world.refused(answer, 422, "personal-data")
    assert "personal" in body["remedy"]
    assert text[-6:] not in answer.text


def _person(world, record, **changes):
    fields = {
        "person": record.subject,
        "party": world.parties["institution"].party,
        "roles": ["receiver"],
        "valid_from": "2026-01-01",
        "personal": record.ref,
    }
    return world.message("institution", PersonRegistered, **(fields | changes))


def _record(name: str = "金丝雀", subject: str = "ab" * 16):
    return make_record(subject, PersonalFields(name=name, resident_id="11010519491231002X"))


@pytest.mark.parametrize(
    "change", [{"salt": "QUJD"}, {"salt": "A"}, {"salt": ""}, {"ref": "0" * 64}, {"subject": "cd" * 16}]
)
def test_a_personal_record_that_is_not_the_one_named_is_refused(world, change) -> None:
    record = _record()
    data = encode_message(_person(world, record))
    spoiled = msgspec.structs.replace(record, **change)
    body = world.refused(
        world.post(data, world.parties["institution"], personal=[spoiled]), 422, "personal-mismatch"
    )
    assert "/personal" in body["errors"][0]["pointer"]
    assert "金丝雀" not in str(body)


def test_a_personal_record_that_no_message_names_is_refused(world) -> None:
    data = encode_message(_pour(world))
    world.refused(
        world.post(data, world.parties["contractor"], personal=[_record()]), 422, "personal-mismatch"
    )


def test_a_destroyed_subject_is_refused_for_ever(world) -> None:
    record = _record(subject="ef" * 16)
    who = world.parties["institution"]
    assert world.post(encode_message(_person(world, record)), who, personal=[record]).status_code == 201
    Vault(world.platform.folder("subjects")).destroy(record.subject)
    again = _record(subject="ef" * 16)
    body = world.refused(
        world.post(encode_message(_person(world, again)), who, personal=[again]), 422, "personal-data"
    )
    assert "销毁" in body["detail"]


def test_a_person_of_another_institution_stays_where_it_is(world) -> None:
    victim = world.cast.person("approver")
    got = world.send(
        "stranger",
        PersonRegistered,
        person=victim,
        party=world.parties["stranger"].party,
        roles=["approver"],
        personal="0" * 64,
        valid_from="2026-01-01",
    )
    assert "registry.foreign_registration" in world.findings(got.entry)
    row = world.rows("SELECT party FROM fact.person WHERE id = %s", [victim])[0]
    assert row["party"] == world.parties["institution"].party


def test_a_submission_around_nothing_is_refused(world) -> None:
    data = encode_submission(b"{}")
    answer = world.request("POST", "/x/v1/entries", world.parties["contractor"], data, b"{}")
    world.refused(answer, 422, "schema")


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/x/v1/nothing", 404, "not-found"),
        ("POST", "/x/v1/nothing", 404, "not-found"),
        ("DELETE", "/x/v1/entries", 405, "method-not-allowed"),
        ("GET", "/x/v1/entries", 405, "method-not-allowed"),
        ("PUT", "/v/2611HC0AAAAAAAAAAAAAA", 405, "method-not-allowed"),
        ("POST", "/live/abc", 405, "method-not-allowed"),
        ("GET", "/x/" + "a" * 5000, 404, "not-found"),
        ("GET", "/x/..%2f..%2fetc/passwd", 404, "not-found"),
        ("GET", "/x/schemas/no.such.json", 404, "not-found"),
        ("GET", "/x/problems/none", 404, "not-found"),
    ],
)
def test_a_wrong_address_or_method_is_a_problem_too(world, method, path, status, slug) -> None:
    answer = world.http.request(method, world.url + path)
    world.refused(answer, status, slug)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/x/v1/time", "/x/v1/checkpoint", "/x/manual", "/healthz", "/v/"])
def test_head_is_answered_as_get_without_body(world, path) -> None:
    answer = world.http.head(world.url + path)
    assert (answer.status_code, answer.content) == (200, b"")
