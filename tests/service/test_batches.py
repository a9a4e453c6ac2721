"""Several messages in one request (成批报送): each with its own entry, receipt and answer; what is refused undoes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.places import signed_part
from plumbline.exchange.signatures import digest_header, verify
from plumbline.exchange.submission import decode_envelope
from plumbline.sdk.client import Refused, Sent
from plumbline.supervision.journal.keys import public_bytes

pytestmark = pytest.mark.service


def pour(world, part: str = "三层柱"):
    return world.message(
        "contractor",
        PourRecorded,
        project=world.project(),
        structural_part=part,
        grade="C30",
        volume_m3="12.5",
        started_at=datetime.now(UTC),
    )


@pytest.fixture(scope="module")
def mixed(world):
    """(messages, answers): taken, wrong, another's, repeated within the request, with another content under a known uid, taken."""
    good, again = pour(world), pour(world, "四层柱")
    wrong = msgspec.json.encode(msgspec.to_builtins(pour(world)) | {"volume_m3": 12.5})
    foreign = encode_message(msgspec.structs.replace(pour(world), sender=world.parties["institution"].party))
    other = msgspec.structs.replace(again, structural_part="五层柱")
    parts = [encode_message(good), wrong, foreign, encode_message(again), encode_message(again)]
    parts += [encode_message(other), encode_message(pour(world, "六层柱"))]
    answer = world.post_many(parts, world.parties["contractor"], headers={"prefer": "wait=15"})
    assert answer.status_code == 200, answer.text
    return parts, answer.json()["answers"]


def test_every_message_has_the_answer_that_it_would_have_alone(mixed) -> None:
    answers = mixed[1]
    assert [each["status"] for each in answers] == [201, 422, 403, 201, 200, 409, 201]
    assert [answers[i]["problem"]["type"].rpartition("/")[2] for i in (1, 2, 5)] == [
        "schema",
        "sender-mismatch",
        "uid-conflict",
    ]
    assert answers[1]["problem"]["errors"][0]["pointer"] == "/message/volume_m3"
    assert answers[3]["entry"] == answers[4]["entry"] and answers[4]["duplicate"]
    assert all(answers[i]["result"]["projected"] for i in (0, 3, 6))


def test_each_entry_stands_in_the_log_with_an_envelope_that_proves_it_without_the_others(
    world, mixed
) -> None:
    parts, answers = mixed
    transport = world.parties["contractor"].transport
    for i in (0, 3, 6):
        uid = msgspec.json.decode(parts[i])["uid"]
        with psycopg.connect(world.platform.conninfo("plumb_gateway")) as conn:
            (message, envelope) = conn.execute(
                "SELECT message, envelope FROM journal.entry WHERE uid = %s", [uid]
            ).fetchone()
        read = decode_envelope(bytes(envelope))
        covered = signed_part(bytes(message), read.place)
        assert bytes(message) == parts[i] and read.place.index == i and read.place.size == len(parts)
        assert f'"plumb-message-digest": {digest_header(covered)}' in read.signature_base
        key = public_bytes(transport.key)
        assert verify("ed25519", key, read.signature_base.encode(), bytes.fromhex(read.signature))
        again = world.http.get(world.url + answers[i]["receipt_url"])
        assert again.json()["index"] == answers[i]["index"]


def test_the_monitor_shows_each_message(world, mixed) -> None:
    uids = [msgspec.json.decode(part)["uid"] for part in mixed[0]]

    def noted() -> list[tuple[str, str]]:
        with psycopg.connect(world.platform.conninfo("plumb_gateway")) as conn:
            rows = conn.execute(
                "SELECT outcome, uid FROM ops.exchange_request WHERE uid = ANY(%s)", [uids]
            ).fetchall()
        return rows if len(rows) == len(uids) else []

    found = world.wait_for(noted, 30)
    assert sorted(outcome for outcome, _ in found) == ["accepted"] * 3 + ["duplicate"] + ["refused"] * 3


def test_a_request_whose_digest_is_another_enters_nothing(world) -> None:
    before = world.size()
    parts = [encode_message(pour(world)), encode_message(pour(world))]
    who = world.parties["contractor"]
    one = world.post_many(parts, who, change=lambda h: h | {"Plumb-Message-Digest": digest_header(parts[0])})
    world.refused(one, 401, "signature-invalid")
    swapped = world.post_many(parts, who, sent=b'{"submissions":[]}')
    assert swapped.status_code == 422
    assert world.size() == before


def test_the_client_sends_what_waits_together(world) -> None:
    wrong = msgspec.structs.replace(pour(world), sender=world.parties["institution"].party)
    first, refusal, last = world.client("contractor").send_many([pour(world), wrong, pour(world)])
    assert isinstance(first, Sent) and isinstance(last, Sent)
    assert isinstance(refusal, Refused) and refusal.slug == "sender-mismatch"
