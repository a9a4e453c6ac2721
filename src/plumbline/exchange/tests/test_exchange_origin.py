from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.exchange.make_vectors import ORIGIN, public_material
from plumbline.exchange.origin import KnownRoots, sign_batch, sign_origin, verify_origin
from plumbline.exchange.personal import PersonalFields, make_record, record_digest
from plumbline.exchange.places import places_of
from plumbline.exchange.signatures import P256Signer
from plumbline.exchange.submission import (
    Envelope,
    OriginSignature,
    decode_envelope,
    encode_envelope,
)

KEY = public_material(ORIGIN)
MESSAGES = [f'{{"n":{n}}}'.encode() for n in range(7)]


def altered(signature: OriginSignature, **changes: Any) -> OriginSignature:
    assert signature.batch is not None
    return msgspec.structs.replace(signature, batch=msgspec.structs.replace(signature.batch, **changes))


def test_a_single_signature_holds_for_its_message_only() -> None:
    signed = sign_origin(ORIGIN, MESSAGES[0])
    assert verify_origin(signed, KEY, MESSAGES[0])
    assert not verify_origin(signed, KEY, MESSAGES[0] + b" ")
    assert not verify_origin(signed, bytes(32), MESSAGES[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40))
def test_every_message_of_a_batch_verifies_at_its_own_place(size: int) -> None:
    messages = [str(n).encode() for n in range(size)]
    signed = sign_batch(ORIGIN, messages)
    assert len({each.signature for each in signed}) == 1
    for message, signature in zip(messages, signed, strict=True):
        assert verify_origin(signature, KEY, message)
        assert not verify_origin(signature, KEY, message + b"x")


def test_a_message_does_not_verify_at_the_place_of_another() -> None:
    signed = sign_batch(ORIGIN, MESSAGES)
    assert not verify_origin(signed[1], KEY, MESSAGES[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 3},
        {"index": 7},
        {"index": -1},
        {"size": 6},
        {"size": 8},
        {"size": 0},
        {"size": 2**21},
        {"path": []},
        {"path": ["00" * 32]},
        {"path": ["00" * 32] * 3},
        {"path": ["00" * 31] * 3},
        {"path": ["00" * 32] * 100},
    ],
)
def test_a_changed_place_in_the_batch_is_refused(changes: dict[str, Any]) -> None:
    assert not verify_origin(altered(sign_batch(ORIGIN, MESSAGES)[2], **changes), KEY, MESSAGES[2])


def test_each_step_of_the_path_counts() -> None:
    signed = sign_batch(ORIGIN, MESSAGES)[2]
    assert signed.batch is not None
    for n, step in enumerate(signed.batch.path):
        path = list(signed.batch.path)
        path[n] = f"{int(step[:2], 16) ^ 1:02x}{step[2:]}"
        assert not verify_origin(altered(signed, path=path), KEY, MESSAGES[2])


def test_what_is_known_of_a_root_says_nothing_of_another_message_key_or_signature() -> None:
    signed, known = sign_batch(ORIGIN, MESSAGES), KnownRoots()
    for message, signature in zip(MESSAGES, signed, strict=True):
        assert verify_origin(signature, KEY, message, known)
    assert len(known) == 1
    assert not verify_origin(signed[1], KEY, MESSAGES[0], known)
    assert not verify_origin(signed[0], bytes(32), MESSAGES[0], known)
    other = msgspec.structs.replace(signed[0], signature=base64.b64encode(bytes(64)).decode())
    assert not verify_origin(other, KEY, MESSAGES[0], known)
    assert not verify_origin(msgspec.structs.replace(signed[0], algorithm="p256"), KEY, MESSAGES[0], known)
    assert verify_origin(signed[0], KEY, MESSAGES[0], known)


def test_a_place_that_the_receiver_reckoned_holds_for_signatures_over_the_same_list_only() -> None:
    signed, (root, places) = sign_batch(ORIGIN, MESSAGES), places_of(MESSAGES)
    other = sign_batch(ORIGIN, MESSAGES[:6])
    for message, place, here, there in zip(MESSAGES, places, signed, [*other, None], strict=True):
        at = (place, root)
        assert verify_origin(here, KEY, message, None, at)
        assert not verify_origin(here, bytes(32), message, None, at)
        assert not verify_origin(altered(here, index=(place.index + 1) % 7), KEY, message, None, at)
        if there is not None:  # the same message in another batch is reckoned by its own path
            assert verify_origin(there, KEY, message, None, at)
            assert not verify_origin(there, KEY, message + b" ", None, at)
        # the root that was reckoned is what has to be signed, not the one that the place leads to
        assert not verify_origin(here, KEY, message, None, (place, bytes(32)))


def test_a_batch_signature_is_no_single_one_and_the_other_way_round() -> None:
    batch = sign_batch(ORIGIN, MESSAGES[:1])[0]
    assert verify_origin(batch, KEY, MESSAGES[0])
    assert not verify_origin(msgspec.structs.replace(batch, batch=None), KEY, MESSAGES[0])
    single = sign_origin(ORIGIN, MESSAGES[0])
    assert not verify_origin(msgspec.structs.replace(single, batch=batch.batch), KEY, MESSAGES[0])


@pytest.mark.parametrize("text", ["", "!!!", "AAAA", base64.b64encode(bytes(64)).decode()])
def test_a_broken_signature_is_refused_without_an_error(text: str) -> None:
    signed = msgspec.structs.replace(sign_origin(ORIGIN, MESSAGES[0]), signature=text)
    assert not verify_origin(signed, KEY, MESSAGES[0])


def test_p256_signs_batches_too() -> None:
    signer = P256Signer("k", ec.derive_private_key(9, ec.SECP256R1()))
    key = signer.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert verify_origin(sign_batch(signer, MESSAGES)[4], key, MESSAGES[4])


def test_a_personal_record_is_named_by_salt_and_content() -> None:
    fields = PersonalFields(name="王示例", resident_id="610302199003072317")
    record = make_record("5e" * 16, fields)
    salt = base64.b64decode(record.salt)
    assert len(salt) == 16
    assert record.ref == record_digest(salt, "5e" * 16, fields)
    assert record.ref != make_record("5e" * 16, fields).ref


def test_the_personal_digest_is_of_sorted_json_without_empty_fields() -> None:
    salt = bytes(range(16))
    text = '{"fields":{"name":"王示例","phone":"13800138000"},"subject":"' + "5e" * 16 + '"}'
    fields = PersonalFields(phone="13800138000", name="王示例")
    assert record_digest(salt, "5e" * 16, fields) == hashlib.sha256(salt + text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        ("6e" * 16, PersonalFields(name="王示例")),
        ("5e" * 16, PersonalFields(name="王示倒")),
        ("5e" * 16, PersonalFields(phone="王示例")),
    ],
)
def test_another_subject_or_field_is_another_digest(changed: tuple[str, PersonalFields]) -> None:
    salt = bytes(16)
    assert record_digest(salt, *changed) != record_digest(salt, "5e" * 16, PersonalFields(name="王示例"))


def test_an_envelope_holds_digests_and_comes_back() -> None:
    envelope = Envelope(
        v=1,
        channel="http",
        key_id="k.1",
        signature_base="base",
        signature="00",
        origin=sign_batch(ORIGIN, MESSAGES)[:2],
        personal=["0" * 64],
    )
    assert decode_envelope(encode_envelope(envelope)) == envelope
