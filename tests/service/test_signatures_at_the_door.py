"""Signatures, keys and senders (签名、密钥、发送单位): broken, stale, stripped or foreign ones are refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.messages.registry import KeyRevoked, PartyRegistered
from plumbline.exchange.messages.reports import CodeReserved
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.signatures import HmacSigner
from plumbline.exchange.uids import new_uid

pytestmark = pytest.mark.service


def _pour(world, part: str = "柱") -> dict:
    return {
        "project": world.project(),
        "structural_part": part,
        "grade": "C30",
        "volume_m3": "12.5",
        "started_at": datetime.now(UTC),
    }


@pytest.fixture
def message(world):
    return world.message("contractor", PourRecorded, **_pour(world, "三层柱"))


@pytest.fixture
def data(message):
    return encode_message(message)


def _without(name):
    return lambda headers: {k: v for k, v in headers.items() if k != name}


def _broken_signature(headers):
    raw = bytearray(base64.b64decode(headers["Signature"].removeprefix("sig1=:").removesuffix(":")))
    raw[7] ^= 1
    return headers | {"Signature": f"sig1=:{base64.b64encode(raw).decode()}:"}


@pytest.mark.clause("CECS 6.0.5-a")
@pytest.mark.parametrize(
    ("change", "status", "slug"),
    [
        (_without("Signature"), 401, "signature-missing"),
        (_without("Signature-Input"), 401, "signature-missing"),
        (_broken_signature, 401, "signature-invalid"),
        (_without("Content-Digest"), 401, "signature-invalid"),
        (_without("Plumb-Message-Digest"), 401, "signature-invalid"),
        (lambda h: h | {"Signature": "sig1=:AAAA:"}, 401, "signature-invalid"),
        (lambda h: h | {"Signature": "sig1=:*:"}, 401, "signature-invalid"),
        (
            lambda h: h | {"Signature-Input": h["Signature-Input"].replace('"@method" ', "")},
            401,
            "signature-invalid",
        ),
        (lambda h: h | {"Signature-Input": h["Signature-Input"] + ";x" * 2000}, 401, "signature-invalid"),
        (
            lambda h: h | {"Signature-Input": h["Signature-Input"].replace("created=", "created=9")},
            401,
            "signature-stale",
        ),
    ],
)
def test_a_broken_or_stripped_signature_is_refused(world, data, change, status, slug) -> None:
    before = world.size()
    body = world.refused(world.post(data, world.parties["contractor"], change=change), status, slug)
    assert body["status"] == status
    assert world.size() == before


def test_digits_of_another_script_in_created_are_refused_and_break_nothing(world, data) -> None:
    def spoil(headers):
        text = headers["Signature-Input"]
        start = text.index("created=")
        end = text.index(";", start)
        return headers | {"Signature-Input": (text[:start] + 'created="²"' + text[end:]).encode("latin-1")}

    world.refused(world.post(data, world.parties["contractor"], change=spoil), 401, "signature-invalid")


@pytest.mark.clause("CECS 6.0.5-b")
@pytest.mark.parametrize("age", [301, 3600, -302, -86400])
def test_a_signature_older_or_newer_than_300_seconds_is_refused_with_our_time(world, data, age) -> None:
    answer = world.post(data, world.parties["contractor"], age=age)
    world.refused(answer, 401, "signature-stale")
    assert answer.headers["date"].endswith("GMT")


@pytest.mark.clause("CECS 6.0.5-b")
@pytest.mark.parametrize("age", [295, -295])
def test_a_signature_within_300_seconds_is_taken(world, data, age) -> None:
    assert world.post(data, world.parties["contractor"], age=age).status_code == 201


@pytest.mark.clause("BJ 5.4.8-b")
def test_a_body_changed_on_the_way_is_refused(world, data, message) -> None:
    changed = encode_submission(data.replace("三层柱".encode(), "四层柱".encode()))
    world.refused(world.post(data, world.parties["contractor"], sent=changed), 400, "digest-mismatch")


def test_a_message_exchanged_under_a_good_body_digest_is_refused(world, data) -> None:
    other = data.replace("三层柱".encode(), "四层柱".encode())
    who = world.parties["contractor"]
    answer = world.request("POST", "/x/v1/entries", who, encode_submission(other), data)
    world.refused(answer, 400, "digest-mismatch")


def test_a_replayed_submission_gets_the_same_receipt_and_makes_nothing_new(world, data) -> None:
    taken: list[dict] = []
    who = world.parties["contractor"]
    first = world.post(data, who, change=lambda headers: taken.append(headers) or headers).json()
    size = world.size()
    origin = [sign_origin(who.origin, data)]
    again = world.http.post(
        f"{world.url}/x/v1/entries", content=encode_submission(data, origin=origin), headers=taken[0]
    )
    assert again.status_code == 200
    assert (again.json()["entry"], again.json()["index"], again.json()["duplicate"]) == (
        first["entry"],
        first["index"],
        True,
    )
    assert again.json()["logged_at"] == first["logged_at"]
    assert world.size() == size


def test_other_bytes_under_the_same_uid_are_a_conflict(world, message) -> None:
    who = world.parties["contractor"]
    assert world.post(encode_message(message), who).status_code == 201
    other = msgspec.structs.replace(message, structural_part="四层柱")
    world.refused(world.post(encode_message(other), who), 409, "uid-conflict")


def test_an_unknown_key_is_told_when_to_come_again(world, data) -> None:
    answer = world.post(data, world.parties["contractor"], signer=world.new_signer("nobody.transport"))
    world.refused(answer, 401, "key-unknown")
    assert int(answer.headers["retry-after"]) <= 5
    assert answer.headers["www-authenticate"] == "Signature"


def test_a_key_used_with_another_algorithm_is_unknown(world, data) -> None:
    who = world.parties["contractor"]
    signer = HmacSigner(who.transport.key_id, b"secret")
    world.refused(world.post(data, who, signer=signer), 401, "key-unknown")


def test_another_partys_key_cannot_send_in_ones_name(world, data) -> None:
    stranger = world.parties["stranger"]
    answer = world.post(data, stranger)
    world.refused(answer, 403, "sender-mismatch")


def test_another_partys_origin_signature_is_refused(world, data) -> None:
    stranger = world.parties["stranger"]
    answer = world.post(data, world.parties["contractor"], origin=[sign_origin(stranger.origin, data)])
    world.refused(answer, 403, "sender-mismatch")


@pytest.mark.parametrize("spoiled", ["QUJD", "=", "A"])
def test_an_origin_signature_that_does_not_hold_is_refused(world, data, spoiled) -> None:
    who = world.parties["contractor"]
    origin = msgspec.structs.replace(sign_origin(who.origin, data), signature=spoiled)
    answer = world.post(data, who, origin=[origin])
    assert answer.status_code in (401, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_transport_key_is_no_origin_key(world, data) -> None:
    who = world.parties["contractor"]
    world.refused(world.post(data, who, origin=[sign_origin(who.transport, data)]), 401, "key-unknown")


@pytest.mark.parametrize(
    ("party", "kind", "fields"),
    [
        ("contractor", "party", {}),
        ("institution", "pour", {}),
        ("institution", "code", {}),
    ],
)
def test_a_kind_that_is_not_ones_own_is_refused(world, party, kind, fields) -> None:
    now = datetime.now(UTC)
    made = {
        "party": lambda: world.message(
            party,
            PartyRegistered,
            party="0" * 32,
            uscc="12610300MB2960001Y",
            name="自己",
            roles=["station"],
            division="610300",
        ),
        "pour": lambda: world.message(party, PourRecorded, **_pour(world)),
        "code": lambda: world.message(
            party,
            CodeReserved,
            application="0" * 32,
            institution="0" * 32,
            code="X",
            claims="AAAA",
            dies_at=now,
        ),
    }[kind]()
    world.refused(world.post(encode_message(made), world.parties[party]), 403, "kind-not-allowed")


def test_a_key_before_and_after_its_days_is_refused(world) -> None:
    who = world.enrol("seasonal", ["contractor"])
    now = datetime.now(UTC)
    for name, days in (("early", (1, 2)), ("late", (-2, -1))):
        signer = world.new_signer(f"seasonal.{name}")
        first, last = (now + timedelta(days=d) for d in days)
        world.enrol_key(who.party, signer, "transport", valid_from=first, valid_until=last)
        world.settle()
        data = encode_message(world.message("seasonal", PourRecorded, **_pour(world)))
        world.refused(world.post(data, who, signer=signer), 401, "key-revoked")


def test_a_revoked_key_is_refused_as_soon_as_the_memory_of_keys_is_over(world, strict_gateway) -> None:
    who = world.enrol("revoked", ["contractor"])

    def send() -> httpx.Response:
        made = world.message("revoked", PourRecorded, **_pour(world))
        return world.post(encode_message(made), who, url=strict_gateway)

    assert send().status_code == 201
    world.by_station(KeyRevoked, key_id=who.transport.key_id, because="密钥遗失")
    world.settle()
    answer = world.wait_for(lambda: (a := send()) and a.status_code == 401 and a, 5)
    assert "停用" in world.refused(answer, 401, "key-revoked")["detail"]


@pytest.mark.parametrize("shift", [timedelta(seconds=330), timedelta(days=-401)])
def test_a_uid_out_of_its_time_is_refused_with_the_field(world, message, shift) -> None:
    old = msgspec.structs.replace(message, uid=new_uid(datetime.now(UTC) + shift))
    body = world.refused(world.post(encode_message(old), world.parties["contractor"]), 422, "uid-time")
    assert body["errors"][0]["pointer"] == "/message/uid"


@pytest.mark.clause("CECS 6.0.6")
def test_the_sender_is_told_at_once_and_may_ask_again(world, data) -> None:
    body = world.post(data, world.parties["contractor"], headers={"Prefer": "wait=10"}).json()
    assert body["result"]["projected"] is True
    asked = world.http.get(world.url + body["receipt_url"])
    assert asked.json()["entry"] == body["entry"]
    assert world.http.get(world.url + body["receipt_url"], headers={"accept": "text/plain"}).text.startswith(
        "c2sp.org/tlog-proof"
    )


@pytest.mark.parametrize(
    "path", ["0" * 32 + "/018f0000-0000-7000-8000-000000000000", "xyz/1", "0" * 32 + "/abc", "00/" + "0" * 32]
)
def test_a_receipt_of_nothing_is_not_found(world, path) -> None:
    world.refused(world.http.get(f"{world.url}/x/v1/receipts/{path}"), 404, "not-found")


def test_the_change_feed_shows_ones_own_alone(world, genuine) -> None:
    case = genuine[0]
    mine = {item["entry"] for item in world.client("institution").changes()}
    strangers = {item["entry"] for item in world.client("stranger").changes()}
    assert case.ids["application"] in mine
    kinds = {item["kind"] for item in world.client("institution").changes()}
    assert {"code.reserved", "report.examined"} <= kinds
    assert not strangers & mine


@pytest.mark.parametrize("after", ["--5", "²", "1e3", "", "9" * 40, "1;2"])
def test_a_hostile_position_of_the_feed_is_refused(world, after) -> None:
    from urllib.parse import quote

    answer = world.request("GET", f"/x/v1/changes?after={quote(after)}", world.parties["stranger"])
    world.refused(answer, 422, "schema")


def test_the_feed_needs_a_signature(world) -> None:
    world.refused(world.http.get(f"{world.url}/x/v1/changes"), 401, "signature-missing")
