"""Sending several messages in one request (成批报送): one signature, an answer for each, and only what has to is sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.exchange.messages.registry import EntryWithdrawn
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.sdk.client import Client, Outgoing, ReceiptStore, Refused, Sent, Unreachable, stamp
from plumbline.sdk.client.batches import MAX_REQUEST_BYTES
from plumbline.sdk.client.tests.loopback_platform import (
    LoopbackPlatform,
    answer_lost,
    answer_with,
    cut_connection,
)

SENDER = "5e" * 16
AT = datetime(2026, 11, 19, 6, 2, tzinfo=UTC)
TRANSPORT = Ed25519Signer("test.transport", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = Ed25519Signer("test.origin", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))


@pytest.fixture
def platform() -> Iterator[LoopbackPlatform]:
    with LoopbackPlatform(
        {"test.transport": ("ed25519", TRANSPORT.key.public_key().public_bytes_raw())}
    ) as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(platform: LoopbackPlatform, pauses: list[float], tmp_path: Path) -> Iterator[Client]:
    receipts = ReceiptStore(tmp_path / "receipts")
    with Client(
        platform.url,
        sender=SENDER,
        transport=TRANSPORT,
        origin=ORIGIN,
        retries=2,
        pause=pauses.append,
        receipts=receipts,
    ) as made:
        yield made


def message(because: str = "重复") -> EntryWithdrawn:
    return stamp(EntryWithdrawn, sender=SENDER, at=AT, entry="0" * 32, because=because)


def test_what_waits_goes_in_one_request_and_every_receipt_is_kept(
    client: Client, platform: LoopbackPlatform
) -> None:
    sent = client.send_many([message(f"第 {n} 条") for n in range(5)], wait_s=2)
    assert [each.index for each in sent if isinstance(each, Sent)] == [1, 2, 3, 4, 5]
    assert [path for _, path, *_ in platform.seen] == ["/x/v1/batches"]
    assert all(isinstance(each, Sent) and each.result == {"prefer": "wait=2"} for each in sent)
    assert isinstance(client.receipts, ReceiptStore) and len(list(client.receipts)) == 5
    assert client.send_many([]) == []


def test_one_that_is_refused_holds_up_none_of_the_others(client: Client, platform: LoopbackPlatform) -> None:
    first, wrong, last = client.send_many([message(), message("refused"), message()])
    assert isinstance(first, Sent) and isinstance(last, Sent) and len(platform.entries) == 2
    assert isinstance(wrong, Refused) and (wrong.slug, wrong.status) == ("schema", 422)


def test_what_the_platform_could_not_take_yet_is_sent_again_alone(
    client: Client, platform: LoopbackPlatform, pauses: list[float]
) -> None:
    sent = client.send_many([message(), message("later"), message()])
    assert all(isinstance(each, Sent) for each in sent) and 3 <= pauses[0] <= 3.5
    assert [len(json.loads(body)["submissions"]) for *_, body in platform.seen] == [3, 1]


def test_a_key_enrolled_a_moment_ago_is_waited_for_as_alone(
    client: Client, platform: LoopbackPlatform, pauses: list[float]
) -> None:
    first, new = client.send_many([message(), message("new key")])
    assert isinstance(first, Sent) and isinstance(new, Sent) and 5 <= pauses[0] <= 5.5


def test_a_slow_platform_that_takes_one_at_a_time_takes_all(
    client: Client, platform: LoopbackPlatform, pauses: list[float]
) -> None:
    platform.takes = 1  # more rounds than attempts
    assert all(isinstance(each, Sent) for each in client.send_many([message() for _ in range(6)]))
    assert len(pauses) == 5 and len(platform.entries) == 6


def test_what_was_taken_before_the_line_was_cut_has_its_receipt(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.extend([lambda _: False, *[cut_connection] * 5])
    with pytest.raises(Unreachable):
        client.send_many([message() for _ in range(65)])
    assert isinstance(client.receipts, ReceiptStore) and len(list(client.receipts)) == 64


def test_a_request_refused_for_one_of_its_messages_goes_one_by_one(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.extend([answer_with(422, "schema"), lambda _: False, answer_with(413, "too-large")])
    first, wrong, last = client.send_many([message(), message(), message()])
    assert isinstance(first, Sent) and isinstance(last, Sent) and len(platform.entries) == 2
    assert isinstance(wrong, Refused) and wrong.status == 413


def test_a_lost_answer_is_asked_for_again_and_nothing_is_doubled(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.append(answer_lost)
    sent = client.send_many([message(), message()])
    assert [each.duplicate for each in sent if isinstance(each, Sent)] == [True, True]
    assert len(platform.entries) == 2


def test_a_request_that_is_refused_whole_or_never_answered_raises(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.append(answer_with(401, "key-revoked"))
    with pytest.raises(Refused):
        client.send_many([message()])
    platform.faults.extend([cut_connection] * 5)
    with pytest.raises(Unreachable):
        client.send_many([message()])


def test_more_than_a_request_holds_goes_in_several(client: Client, platform: LoopbackPlatform) -> None:
    assert len(client.send_many([message() for _ in range(65)])) == 65
    large = [Outgoing(data=client.outgoing(message("大" * (MAX_REQUEST_BYTES // 6))).data) for _ in range(3)]
    assert all(isinstance(each, Sent) for each in client.send_many(large))
    assert [len(json.loads(body)["submissions"]) for *_, body in platform.seen] == [64, 1, 1, 1, 1]


def test_a_time_is_stated_for_each_or_for_none(client: Client, platform: LoopbackPlatform) -> None:
    timed = [client.outgoing(message(), stated_at=AT) for _ in range(2)]
    client.send_many(timed)
    assert platform.seen[0][2]["plumb-demo-time"].count(",") == 1
    with pytest.raises(ValueError, match="or for none"):
        client.send_many([timed[0], message()])
