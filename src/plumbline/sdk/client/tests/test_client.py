from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.exchange.messages.registry import EntryWithdrawn
from plumbline.exchange.origin import verify_origin
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.client import Client, ReceiptStore, Refused, Unreachable, stamp
from plumbline.sdk.client.tests.loopback_platform import (
    LoopbackPlatform,
    answer_lost,
    answer_with,
    cut_connection,
)
from plumbline.sdk.client.uploads import AT_ONCE_BYTES

SENDER = "5e" * 16
AT = datetime(2026, 11, 19, 6, 2, tzinfo=UTC)
TRANSPORT = Ed25519Signer("test.transport", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
ORIGIN = Ed25519Signer("test.origin", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
KEYS = {"test.transport": ("ed25519", TRANSPORT.key.public_key().public_bytes_raw())}


@pytest.fixture
def platform() -> Iterator[LoopbackPlatform]:
    with LoopbackPlatform(KEYS) as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(platform: LoopbackPlatform, pauses: list[float]) -> Iterator[Client]:
    with Client(
        platform.url, sender=SENDER, transport=TRANSPORT, origin=ORIGIN, retries=3, pause=pauses.append
    ) as made:
        yield made


def message(because: str = "重复") -> EntryWithdrawn:
    return stamp(EntryWithdrawn, sender=SENDER, at=AT, entry="0" * 32, because=because)


def test_a_message_is_sent_signed_and_its_answer_read(client: Client, platform: LoopbackPlatform) -> None:
    sent = client.send(message(), wait_s=2, stated_at=AT)
    assert (sent.index, sent.duplicate, sent.result) == (1, False, {"prefer": "wait=2"})
    assert sent.logged_at.tzinfo is not None
    assert platform.seen[0][2]["plumb-demo-time"] == "2026-11-19T06:02:00.000000+00:00"
    body = json.loads(platform.seen[0][3])
    assert "supersedes" not in body["message"]
    assert [each["key_id"] for each in body["origin"]] == ["test.origin"]


def test_a_lost_answer_is_asked_for_again_with_the_same_uid_and_bytes(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.append(answer_lost)
    assert client.send(message()).duplicate
    assert platform.seen[0][3] == platform.seen[1][3]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_busy_platform_is_asked_again_after_the_time_that_it_states(
    client: Client, platform: LoopbackPlatform, pauses: list[float], status: int
) -> None:
    platform.faults.append(answer_with(status, "queue-full", {"Retry-After": "7"}))
    client.send(message())
    assert 7.0 <= pauses[0] <= 7.5


def test_retry_after_may_be_a_date(client: Client, platform: LoopbackPlatform, pauses: list[float]) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    platform.faults.append(answer_with(503, "unavailable", {"Retry-After": until}))
    client.send(message())
    assert 15 <= pauses[0] <= 21


def test_pauses_grow_and_end(client: Client, platform: LoopbackPlatform, pauses: list[float]) -> None:
    platform.faults.extend([cut_connection] * 9)
    with pytest.raises(Unreachable, match="uid 不变"):
        client.send(message())
    assert len(pauses) == 3
    assert pauses[0] <= 0.5
    assert 1.0 <= pauses[2] <= 2.0


def test_a_platform_that_stays_busy_is_refused_in_the_end(client: Client, platform: LoopbackPlatform) -> None:
    platform.faults.extend([answer_with(429, "rate-limited")] * 9)
    with pytest.raises(Refused) as caught:
        client.send(message())
    assert (caught.value.status, len(platform.seen)) == (429, 4)


def test_a_new_key_is_tried_again_only_when_the_platform_says_when(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.append(answer_with(401, "key-unknown", {"Retry-After": "5"}))
    client.send(message())
    platform.faults.append(answer_with(401, "key-unknown"))
    with pytest.raises(Refused):
        client.send(message())


def test_a_stale_signature_corrects_the_clock_once(client: Client, platform: LoopbackPlatform) -> None:
    ahead = format_datetime(datetime.now(UTC) + timedelta(seconds=900), usegmt=True)
    platform.faults.append(answer_with(401, "signature-stale", {"Date": ahead}))
    client.send(message())
    assert 890 < client.clock_offset_s < 910
    platform.faults.extend([answer_with(401, "signature-stale", {"Date": ahead})] * 2)
    with pytest.raises(Refused):
        client.send(message())
    assert len(platform.seen) == 4


def test_a_refusal_says_title_detail_and_remedy(client: Client, platform: LoopbackPlatform) -> None:
    platform.faults.append(answer_with(422, "schema"))
    with pytest.raises(Refused, match="标题。所见。办法") as caught:
        client.send(message())
    assert (caught.value.slug, len(platform.seen)) == ("schema", 1)


def test_a_batch_carries_one_signature_that_holds_for_each(
    client: Client, platform: LoopbackPlatform
) -> None:
    sent = client.send_batch([message(f"第 {n} 条") for n in range(5)])
    assert len({each.entry for each in sent}) == 5
    key, signatures = ORIGIN.key.public_key().public_bytes_raw(), set()
    for _, _, _, body in platform.seen:
        origin = json.loads(body)["origin"][0]
        signatures.add(origin["signature"])
        raw = body[body.index(b'"message":') + 10 : body.index(b',"origin":')]
        assert verify_origin(msgspec.convert(origin, OriginSignature), key, raw)
    assert len(signatures) == 1


def test_an_empty_batch_sends_nothing(client: Client, platform: LoopbackPlatform) -> None:
    assert client.send_batch([]) == []
    assert platform.seen == []


def test_a_file_goes_in_chunks_and_is_known_by_its_hash(client: Client, platform: LoopbackPlatform) -> None:
    data = bytes(range(256)) * 10_000
    assert client.upload(data, "application/pdf") == hashlib.sha256(data).hexdigest()
    assert [method for method, *_ in platform.seen] == ["POST", "PATCH", "PATCH", "PATCH"]
    assert bytes(platform.files[hashlib.sha256(data).hexdigest()]) == data


def test_a_file_that_the_platform_holds_is_not_sent_again(client: Client, platform: LoopbackPlatform) -> None:
    client.upload(b"abc", "text/plain")
    client.upload(b"abc", "text/plain")
    assert [method for method, *_ in platform.seen] == ["POST", "POST"]


def test_a_small_file_goes_with_its_announcement(client: Client, platform: LoopbackPlatform) -> None:
    data = b"x" * AT_ONCE_BYTES
    digest = client.upload(data, "application/pdf")
    assert ([method for method, *_ in platform.seen], bytes(platform.files[digest])) == (["POST"], data)


def test_a_platform_that_takes_no_bytes_with_an_announcement_is_given_them_after_it(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.append(answer_with(413, "too-large"))
    digest = client.upload(b"abc", "text/plain")
    assert [method for method, *_ in platform.seen] == ["POST", "POST", "PATCH"]
    assert bytes(platform.files[digest]) == b"abc"


def test_a_small_file_of_which_the_platform_has_a_part_goes_on_from_there(
    client: Client, platform: LoopbackPlatform
) -> None:
    digest = hashlib.sha256(b"abcdef").hexdigest()
    platform.files[digest] = bytearray(b"abc")
    client.upload(b"abcdef", "text/plain")
    assert [method for method, *_ in platform.seen] == ["POST", "PATCH"]
    assert bytes(platform.files[digest]) == b"abcdef"


@pytest.mark.parametrize("fault", [cut_connection, answer_lost, answer_with(503, "unavailable")])
def test_a_small_file_whose_answer_is_lost_is_sent_again(
    client: Client, platform: LoopbackPlatform, fault: object
) -> None:
    platform.faults.append(fault)  # type: ignore[arg-type]
    digest = client.upload(b"abc", "text/plain")
    assert bytes(platform.files[digest]) == b"abc"


@pytest.mark.clause("CECS 6.0.4")
@pytest.mark.parametrize("fault", [cut_connection, answer_lost, answer_with(503, "unavailable")])
def test_a_cut_upload_continues_where_it_stopped(
    client: Client, platform: LoopbackPlatform, fault: object
) -> None:
    data = b"x" * (2 * 1024 * 1024 + 5)
    platform.faults.extend([lambda _: False, lambda _: False, fault])  # type: ignore[arg-type,list-item]
    digest = client.upload(data, "application/pdf")
    assert bytes(platform.files[digest]) == data


def test_a_lost_answer_to_the_last_chunk_is_found_out_by_asking(
    client: Client, platform: LoopbackPlatform
) -> None:
    platform.faults.extend([lambda _: False, answer_lost])
    client.upload(b"x" * (AT_ONCE_BYTES + 1), "text/plain", stated_at=AT)
    assert [method for method, *_ in platform.seen] == ["POST", "PATCH", "HEAD", "POST"]
    assert all("plumb-demo-time" in headers for _, _, headers, _ in platform.seen)


def test_a_file_that_is_whole_but_could_not_be_entered_is_announced_again(
    client: Client, platform: LoopbackPlatform
) -> None:
    data = b"x" * (AT_ONCE_BYTES + 1)

    def kept(handler: object) -> bool:
        platform.files[hashlib.sha256(data).hexdigest()] += data
        return answer_with(503, "unavailable")(handler)  # type: ignore[arg-type]

    platform.faults.extend([lambda _: False, kept])
    client.upload(data, "text/plain")
    assert [method for method, *_ in platform.seen] == ["POST", "PATCH", "PATCH", "HEAD", "POST"]


def test_all_bytes_there_are_not_yet_a_stored_file(client: Client, platform: LoopbackPlatform) -> None:
    data = b"x" * (AT_ONCE_BYTES + 1)

    def whole(handler: object) -> bool:
        handler.reply(200, headers={"Upload-Offset": str(len(data))})  # type: ignore[attr-defined]
        return True

    platform.faults.extend([lambda _: False, cut_connection, whole])
    client.upload(data, "text/plain")
    assert [method for method, *_ in platform.seen][:4] == ["POST", "PATCH", "HEAD", "POST"]


def test_an_upload_that_another_sender_moved_on_is_taken_up_there(
    client: Client, platform: LoopbackPlatform
) -> None:
    def moved(_: object) -> bool:
        platform.files[digest] += data[:7]
        return False

    data = b"0123456789" * (AT_ONCE_BYTES // 10 + 1)
    digest = hashlib.sha256(data).hexdigest()
    platform.faults.extend([lambda _: False, moved])
    client.upload(data, "text/plain")
    assert bytes(platform.files[digest]) == data


def test_a_location_on_another_host_is_refused(client: Client, platform: LoopbackPlatform) -> None:
    def elsewhere(handler: object) -> bool:
        handler.reply(201, headers={"Location": "http://127.0.0.2:9/x/v1/files/1"})  # type: ignore[attr-defined]
        return True

    platform.faults.append(elsewhere)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="续传地址不对"):
        client.upload(b"abc", "text/plain")


def test_dry_run_receipt_and_changes_are_read(client: Client) -> None:
    sent = message()
    assert client.dry_run(sent) == {"would": "reserve"}
    assert client.receipt(sent.uid) == "receipt text"
    assert [change["index"] for change in client.changes(0)] == [1, 2, 3]


def test_receipts_are_kept_with_the_bytes_that_they_prove(platform: LoopbackPlatform, tmp_path: Path) -> None:
    store = ReceiptStore(tmp_path / "receipts")
    with Client(platform.url, sender=SENDER, transport=TRANSPORT, origin=None, receipts=store) as client:
        sent = client.send(message())
    assert list(store) == [sent.entry]
    assert store.receipt(sent.entry) == sent.receipt
    assert store.message(sent.entry) in platform.entries.values()
    assert store.receipt("f" * 32) is None
    assert not [each for each in store.folder.iterdir() if each.name.startswith(".")]


def test_a_receipt_cannot_be_written_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="entry id"):
        ReceiptStore(tmp_path).keep("../x", "receipt")


@pytest.mark.parametrize("address", ["http://jiance.example", "ftp://127.0.0.1", "http://10.0.0.7:8000"])
def test_plain_http_beyond_loopback_is_not_opened(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Client(address, sender=SENDER, transport=TRANSPORT, origin=None)


def test_a_stamp_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        stamp(EntryWithdrawn, sender=SENDER, at=datetime(2026, 1, 1), entry="0" * 32, because="x")  # noqa: DTZ001
