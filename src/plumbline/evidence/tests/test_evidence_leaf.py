from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence import leaf as leaves
from plumbline.evidence.leaf import LEAF_SIZE, MAX_INSTANT_US, Leaf, entry_id, leaf_hash, sm3
from plumbline.evidence.make_vectors import FOLDER

SENDER = bytes(range(16))
UID = uuid.UUID("019b76da-a800-7000-8000-000000000001")


def make_leaf(**changes: object) -> Leaf:
    fields = {
        "sender_id": SENDER,
        "uid": UID,
        "arrived_at_us": 1,
        "logged_at_us": 2,
        "envelope_sha256": b"e" * 32,
        "message_sha256": b"m" * 32,
        "message_sm3": b"3" * 32,
    }
    return Leaf(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_gives_the_examples_of_gb_t_32905(data: bytes, digest: str) -> None:
    assert sm3(data).hex() == digest


def test_sm3_is_the_same_when_the_interpreter_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sm3(b"abc")
    monkeypatch.setattr(leaves, "_HAS_SM3", False)
    assert sm3(b"abc") == expected


def test_sm3_survives_a_policy_that_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sm3(b"abc")

    def refuse(name: str, data: bytes) -> None:
        raise ValueError(f"{name} is disabled")

    monkeypatch.setattr(leaves, "_HAS_SM3", True)
    monkeypatch.setattr(leaves.hashlib, "new", refuse)
    assert sm3(b"abc") == expected


def test_a_leaf_is_145_bytes_in_the_documented_order() -> None:
    data = make_leaf().encode()
    assert len(data) == LEAF_SIZE == 145
    times = (1).to_bytes(8, "big") + (2).to_bytes(8, "big")
    assert data == b"\x01" + SENDER + UID.bytes + times + b"e" * 32 + b"m" * 32 + b"3" * 32


def test_a_leaf_takes_its_digests_from_the_bytes_as_received() -> None:
    made = Leaf.of(SENDER, UID, envelope=b"{}", message=b"{ }", arrived_at_us=5, logged_at_us=6)
    assert made.envelope_sha256 == hashlib.sha256(b"{}").digest()
    assert made.message_sha256 == hashlib.sha256(b"{ }").digest()
    assert made.message_sm3 == sm3(b"{ }")


def test_the_leaf_hash_has_the_prefix_of_rfc_6962() -> None:
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert make_leaf().hash() == hashlib.sha256(b"\x00" + make_leaf().encode()).digest()


def test_the_entry_id_is_the_first_half_of_a_sha256() -> None:
    assert entry_id(SENDER, UID) == hashlib.sha256(SENDER + UID.bytes).digest()[:16]
    assert make_leaf().entry_id == entry_id(SENDER, UID)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_sender_id_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        entry_id(bytes(length), UID)
    with pytest.raises(ValueError, match="16 bytes"):
        make_leaf(sender_id=bytes(length))


@pytest.mark.parametrize("field", ["envelope_sha256", "message_sha256", "message_sm3"])
@pytest.mark.parametrize("length", [31, 33])
def test_a_digest_of_another_length_is_refused(field: str, length: int) -> None:
    with pytest.raises(ValueError, match=field):
        make_leaf(**{field: bytes(length)})


@pytest.mark.parametrize("instant", [-1, MAX_INSTANT_US + 1, 2**64])
def test_an_instant_outside_the_calendar_is_refused(instant: int) -> None:
    with pytest.raises(ValueError, match="logged_at_us"):
        make_leaf(logged_at_us=instant)


def test_the_last_instant_of_the_calendar_can_be_shown() -> None:
    shown = make_leaf(arrived_at_us=0, logged_at_us=MAX_INSTANT_US)
    assert shown.arrived_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert shown.logged_at == datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@given(st.integers(0, MAX_INSTANT_US))
def test_an_instant_keeps_its_microseconds(microseconds: int) -> None:
    assert leaves.us_from_instant(leaves.instant_from_us(microseconds)) == microseconds


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        leaves.us_from_instant(datetime(2026, 1, 1))  # noqa: DTZ001


@given(
    st.builds(
        Leaf,
        sender_id=st.binary(min_size=16, max_size=16),
        uid=st.uuids(),
        arrived_at_us=st.integers(0, MAX_INSTANT_US),
        logged_at_us=st.integers(0, MAX_INSTANT_US),
        envelope_sha256=st.binary(min_size=32, max_size=32),
        message_sha256=st.binary(min_size=32, max_size=32),
        message_sm3=st.binary(min_size=32, max_size=32),
    )
)
def test_every_leaf_comes_back_from_its_bytes(leaf: Leaf) -> None:
    assert Leaf.decode(leaf.encode()) == leaf


@given(st.binary(max_size=200) | st.binary(min_size=LEAF_SIZE, max_size=LEAF_SIZE))
def test_decoding_gives_a_leaf_of_the_same_bytes_or_a_value_error(data: bytes) -> None:
    try:
        decoded = Leaf.decode(data)
    except ValueError:
        return
    assert decoded.encode() == data


def test_the_published_vectors_hold() -> None:
    vectors = json.loads((FOLDER / "leaf.json").read_text(encoding="utf-8"))
    for row in vectors["leaves"]:
        fields = row["fields"]
        made = Leaf.of(
            bytes.fromhex(fields["sender_id"]),
            uuid.UUID(fields["uid"]),
            envelope=row["envelope"].encode(),
            message=row["message"].encode(),
            arrived_at_us=fields["arrived_at_us"],
            logged_at_us=fields["logged_at_us"],
        )
        assert (made.encode().hex(), made.hash().hex()) == (row["bytes"], row["leaf_hash"])
        assert Leaf.decode(bytes.fromhex(row["bytes"])).entry_id.hex() == row["entry_id"]
    for data in vectors["refused"].values():
        with pytest.raises(ValueError, match=r"leaf|1970"):
            Leaf.decode(bytes.fromhex(data))
