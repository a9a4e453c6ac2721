from __future__ import annotations

from uuid import UUID

import pytest

from plumbline.evidence.checkpoint import (
    Checkpoint,
    NoteError,
    Sm2NoteSigner,
    Sm2NoteVerifier,
    UntrustedCheckpoint,
    add_signatures,
    open_checkpoint,
    parse_verifier,
    sign_checkpoint,
)
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.note import encode_base64, format_typed_key
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.sm2_note import SM2_TYPE
from plumbline.evidence.testing import InMemoryLog, Submission, make_signer, make_sm2_signer
from plumbline.evidence.tests.gm_backends import BACKENDS

ORIGIN = "demo.log.test"
HEAD = Checkpoint(ORIGIN, 3, b"\x07" * 32)
PLAIN, NATIONAL = make_signer(ORIGIN, 1), make_sm2_signer(ORIGIN, 3)
BOTH = sign_checkpoint(HEAD, [PLAIN, NATIONAL])
KEY = NATIONAL.verifier_key()


def changed(note: str, line: int, *, at: int = -8) -> str:
    """`note` with one character of a signature line's base64 replaced by another one."""
    lines = note.split("\n")
    row = lines[line]
    lines[line] = row[:at] + ("A" if row[at] != "A" else "B") + row[at + 1 :]
    return "\n".join(lines)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_either_backend_signs_what_the_list_of_keys_accepts(backend) -> None:
    signer = Sm2NoteSigner(ORIGIN, Sm2PrivateKey.generate(), backend=backend)
    note = sign_checkpoint(HEAD, [PLAIN, signer])
    opened = open_checkpoint(note, [parse_verifier(signer.verifier_key())])
    assert (opened.checkpoint, opened.signed_by) == (HEAD, (ORIGIN,))
    assert Sm2NoteVerifier.parse(signer.verifier_key()).key_id == signer.key_id


def test_whoever_does_not_know_sm2_reads_the_note_as_before() -> None:
    assert open_checkpoint(BOTH, [parse_verifier(PLAIN.verifier_key())]).signed_by == (ORIGIN,)


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    keys = [parse_verifier(PLAIN.verifier_key()), parse_verifier(KEY)]
    for line in (4, 5):
        with pytest.raises(NoteError, match="not valid"):
            open_checkpoint(changed(BOTH, line), keys)
    with pytest.raises(NoteError, match="not valid"):
        open_checkpoint(BOTH.replace("\n3\n", "\n4\n"), keys[1:])


def test_an_sm2_signature_cut_short_or_in_der_is_not_one() -> None:
    verifier = parse_verifier(KEY)
    good = NATIONAL.sign(b"text\n")
    assert verifier.verify(b"text\n", good)
    for bad in (good[:-1], good + b"\0", b"", bytes(64), b"\x30\x44" + good):
        assert not verifier.verify(b"text\n", bad)


def test_a_key_of_another_log_does_not_speak_for_this_one() -> None:
    other = make_sm2_signer("demo.other.test", 3)
    note = sign_checkpoint(HEAD, [other])
    with pytest.raises(UntrustedCheckpoint):
        open_checkpoint(note, [parse_verifier(other.verifier_key())])
    stranger = make_sm2_signer(ORIGIN, 4)
    with pytest.raises(UntrustedCheckpoint):
        open_checkpoint(sign_checkpoint(HEAD, [stranger]), [parse_verifier(KEY)])


def test_the_second_signature_can_be_added_later() -> None:
    assert add_signatures(sign_checkpoint(HEAD, [PLAIN]), [NATIONAL]) == BOTH


def test_receipts_hold_under_the_sm2_key_alone() -> None:
    log = InMemoryLog(ORIGIN)
    log.cosigners.append(make_sm2_signer(ORIGIN, 3))  # one more signer of every head
    item = Submission(sender_id=b"s" * 16, uid=UUID(int=1), message=b"{ }")
    (receipt,) = log.append([item])
    assert verify_receipt(receipt, [parse_verifier(KEY)], item.message, item.envelope).ok
    assert not verify_receipt(receipt, [parse_verifier(KEY)], item.message + b" ", item.envelope).ok


POINT = Sm2PrivateKey.from_secret(bytes([3]) * 32).public_key.point
BAD_KEYS = {
    "off the curve": format_typed_key(ORIGIN, SM2_TYPE, POINT[:-1] + bytes([POINT[-1] ^ 1])),
    "cut off": format_typed_key(ORIGIN, SM2_TYPE, POINT[:-1]),
    "empty": format_typed_key(ORIGIN, SM2_TYPE, b""),
    "another unassigned type": format_typed_key(ORIGIN, b"\xffplumbline/sm2-sm3/v2", POINT),
    "hash of another name": KEY.replace(ORIGIN, "demo.another.test"),
    "hash of Ed25519's type": f"{ORIGIN}+{PLAIN.key_id.hex()}+{encode_base64(SM2_TYPE + POINT)}",
    "two parts": KEY.rpartition("+")[0],
}


@pytest.mark.parametrize("vkey", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_verifier_keys_that_are_none_are_refused(vkey: str) -> None:
    for parse in (parse_verifier, Sm2NoteVerifier.parse):
        with pytest.raises(NoteError):
            parse(vkey)


def test_an_ed25519_key_is_not_read_as_sm2() -> None:
    with pytest.raises(NoteError, match="SM2"):
        Sm2NoteVerifier.parse(PLAIN.verifier_key())
