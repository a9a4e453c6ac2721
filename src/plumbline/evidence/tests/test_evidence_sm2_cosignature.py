"""SM2 cosignatures (国密联署): either backend, beside Ed25519, and everything that is none."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from plumbline.evidence.checkpoint import (
    Checkpoint,
    Cosignature,
    NoteError,
    Sm2CosignatureSigner,
    Sm2CosignatureVerifier,
    add_signatures,
    open_checkpoint,
    parse_cosigner,
    parse_verifier,
    sign_checkpoint,
)
from plumbline.evidence.cosignature import SM2_COSIGNATURE_TYPE, cosigned_message
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.note import encode_base64, format_typed_key
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.sm2_note import SM2_TYPE, Sm2NoteSigner
from plumbline.evidence.testing import (
    InMemoryLog,
    Submission,
    make_cosigner,
    make_signer,
    make_sm2_cosigner,
)
from plumbline.evidence.tests.gm_backends import BACKENDS

ORIGIN, NAME = "demo.log.test", "witness.example/1"
HEAD = Checkpoint(ORIGIN, 3, b"\x07" * 32)
LOG = make_signer(ORIGIN, 1)
AT = 1_767_225_600
SECRET = Sm2PrivateKey.from_secret(bytes([5]) * 32)
COSIGNER = make_sm2_cosigner(NAME, 5, AT)
KEY = COSIGNER.verifier_key()
NOTE = sign_checkpoint(HEAD, [LOG, COSIGNER])
TRUSTED = [parse_verifier(LOG.verifier_key()), parse_verifier(KEY)]


def _line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"— {name} {encode_base64(key_id + signature)}\n"


@pytest.mark.parametrize("signing", BACKENDS, ids=lambda backend: f"signs-{backend.name}")
@pytest.mark.parametrize("checking", BACKENDS, ids=lambda backend: f"checks-{backend.name}")
def test_each_backend_accepts_what_the_other_signed_and_refuses_the_same(signing, checking) -> None:
    signer = Sm2CosignatureSigner(NAME, SECRET, lambda: AT, backend=signing)
    verifier = Sm2CosignatureVerifier(NAME, SECRET.public_key.point, backend=checking)
    assert (signer.verifier_key(), signer.key_id) == (KEY, verifier.key_id)
    text, good = HEAD.body().encode(), signer.sign(HEAD.body().encode())
    assert verifier.verify(text, good)
    later = struct.pack(">Q", AT + 1) + good[8:]
    for bad in (good[:-1], good + b"\0", good[:8], b"", later, good[8:], bytes(72), b"\xff" * 8 + good[8:]):
        assert not verifier.verify(text, bad), bad
    assert not verifier.verify(text + b"x\n", good)


def test_a_signature_of_another_identity_or_over_the_bare_text_is_none() -> None:
    verifier, text = parse_cosigner(KEY), HEAD.body().encode()
    stated = struct.pack(">Q", AT)
    other = SECRET.sign(cosigned_message(text, AT), b"witness@example")
    assert not verifier.verify(text, stated + other)
    assert not verifier.verify(text, stated + SECRET.sign(text))
    assert verifier.verify(text, stated + SECRET.sign(cosigned_message(text, AT)))


def test_a_checkpoint_names_every_key_that_cosigned_and_the_time_that_it_stated() -> None:
    plain = make_cosigner(NAME, 2, AT + 9)
    both = add_signatures(NOTE, [plain])
    opened = open_checkpoint(both, [*TRUSTED, parse_verifier(plain.verifier_key())])
    times = [datetime.fromtimestamp(each, UTC) for each in (AT, AT + 9)]
    assert opened.cosigned_by == (
        Cosignature(NAME, times[0], "sm2"),
        Cosignature(NAME, times[1], "ed25519"),
    )
    assert opened.signed_by == (ORIGIN,)
    # who does not know the type passes the line over
    assert open_checkpoint(NOTE, TRUSTED[:1]).cosigned_by == ()


def test_a_bad_signature_of_a_known_key_spoils_the_note_and_a_cosigner_alone_vouches_for_nothing() -> None:
    text = HEAD.body()
    for signature in (COSIGNER.sign(b"another\n"), COSIGNER.sign(text.encode())[:-1], bytes(72)):
        spoilt = sign_checkpoint(HEAD, [LOG]) + _line(NAME, COSIGNER.key_id, signature)
        with pytest.raises(NoteError, match="not valid"):
            open_checkpoint(spoilt, TRUSTED)
    with pytest.raises(NoteError, match="no trusted key"):
        open_checkpoint(sign_checkpoint(HEAD, [COSIGNER]), TRUSTED)


def test_a_key_under_another_name_or_of_another_kind_does_not_speak_for_this_one() -> None:
    signature = COSIGNER.sign(HEAD.body().encode())
    again = make_sm2_cosigner("other.example/1", 5, AT)
    assert again.key_id != COSIGNER.key_id
    moved = sign_checkpoint(HEAD, [LOG]) + _line("other.example/1", COSIGNER.key_id, signature)
    assert open_checkpoint(moved, TRUSTED).cosigned_by == ()
    # the same secret as a log's key: another type, another key id, another message
    log = Sm2NoteSigner(NAME, SECRET)
    assert log.key_id != COSIGNER.key_id
    assert not parse_verifier(log.verifier_key()).is_cosigner
    with pytest.raises(NoteError, match="not a cosigner"):
        parse_cosigner(log.verifier_key())
    assert not parse_verifier(KEY).verify(HEAD.body().encode(), log.sign(HEAD.body().encode()))


def _p256_point() -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


POINT = SECRET.public_key.point
BAD_KEYS = {
    "another curve": (format_typed_key(NAME, SM2_COSIGNATURE_TYPE, _p256_point()), "curve"),
    "off the curve": (
        format_typed_key(NAME, SM2_COSIGNATURE_TYPE, POINT[:-1] + bytes([POINT[-1] ^ 1])),
        "curve",
    ),
    "cut off": (format_typed_key(NAME, SM2_COSIGNATURE_TYPE, POINT[:-1]), "SM2 key of a cosigner"),
    "empty": (format_typed_key(NAME, SM2_COSIGNATURE_TYPE, b""), "SM2 key of a cosigner"),
    "another version": (
        format_typed_key(NAME, SM2_COSIGNATURE_TYPE.replace(b"/v1", b"/v2"), POINT),
        "unknown kind",
    ),
    "Ed25519's type": (format_typed_key(NAME, b"\x04", POINT), "Ed25519"),
    "hash of another name": (KEY.replace(NAME, "other.example/1"), "hash"),
    "hash of a log's type": (
        f"{NAME}+{Sm2NoteSigner(NAME, SECRET).key_id.hex()}+{encode_base64(SM2_COSIGNATURE_TYPE + POINT)}",
        "hash",
    ),
    "two parts": (KEY.rpartition("+")[0], "base64|form|hash"),
}


@pytest.mark.parametrize(("vkey", "reason"), BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_keys_that_are_none_are_refused_with_the_reason(vkey: str, reason: str) -> None:
    with pytest.raises(NoteError, match=reason):
        parse_verifier(vkey)
    with pytest.raises(NoteError):
        Sm2CosignatureVerifier.parse(vkey)


def test_the_types_are_told_apart() -> None:
    assert not SM2_COSIGNATURE_TYPE.startswith(SM2_TYPE)
    with pytest.raises(NoteError, match="SM2 key of a cosigner"):
        Sm2CosignatureVerifier.parse(LOG.verifier_key())


def test_a_receipt_names_a_cosigner_once_and_each_of_its_algorithms() -> None:
    log, plain = InMemoryLog(ORIGIN), make_cosigner(NAME, 2)
    log.cosigners += [COSIGNER, plain]
    item = Submission(sender_id=b"s" * 16, uid=UUID(int=1), message=b"{ }")
    (receipt,) = log.append([item])
    keys = [*log.verifiers, *(parse_verifier(each.verifier_key()) for each in (COSIGNER, plain))]
    check = verify_receipt(receipt, keys, item.message, item.envelope)
    assert check.ok
    assert (check.cosigned_by, check.cosigned_with) == ((NAME,), ((NAME, "sm2"), (NAME, "ed25519")))
    assert any("另有 1 方联署" in step.sentence_zh for step in check.steps)
