from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plumbline.evidence.checkpoint import (
    Checkpoint,
    Ed25519CosignatureVerifier,
    Ed25519NoteVerifier,
    NoteError,
    UntrustedCheckpoint,
    add_signatures,
    open_checkpoint,
    parse_note,
    parse_verifier,
    sign_checkpoint,
)
from plumbline.evidence.note import sign_note
from plumbline.evidence.testing import make_cosigner, make_signer

ORIGIN = "demo.example/log"
HEAD = Checkpoint(ORIGIN, 42, bytes(range(32)))
SIGNER = make_signer(ORIGIN, 1)
VERIFIER = Ed25519NoteVerifier.parse(SIGNER.verifier_key())
COSIGNER = make_cosigner("tier.example/upper", 2, seconds=1_700_000_000)
COSIGNER_KEY = Ed25519CosignatureVerifier.parse(COSIGNER.verifier_key())
NOTE = sign_checkpoint(HEAD, [SIGNER])

# The example of Go's sumdb/note, an independent implementation of signed notes.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6Ry"
    "yBwJnAM=\n"
)


def test_a_note_signed_by_another_implementation_verifies() -> None:
    verifier = Ed25519NoteVerifier.parse(GO_KEY)
    assert parse_note(GO_NOTE).verified_by([verifier])[0][0] is verifier
    with pytest.raises(NoteError, match="not valid"):
        parse_note(GO_NOTE.replace("answer", "Answer")).verified_by([verifier])


def test_the_body_has_three_lines_and_the_extensions() -> None:
    root = base64.b64encode(bytes(range(32))).decode()
    assert HEAD.body() == f"{ORIGIN}\n42\n{root}\n"
    extended = Checkpoint(ORIGIN, 0, bytes(32), ("one", "two"))
    assert extended.body().endswith("=\none\ntwo\n")
    assert Checkpoint.parse(extended.body()) == extended


@pytest.mark.parametrize("size", ["", "-1", "+1", "01", "1 ", "٣", "9223372036854775808", "1e3", "0x1"])
def test_a_size_that_is_no_plain_decimal_is_refused(size: str) -> None:
    with pytest.raises(NoteError, match="size"):
        Checkpoint.parse(HEAD.body().replace("\n42\n", f"\n{size}\n"))


@pytest.mark.parametrize(
    "body", ["", "\n", "a\n1\n", "a\n1\nAAAA\n", HEAD.body()[:-1], HEAD.body() + "\n", "\n" + HEAD.body()]
)
def test_a_malformed_body_is_refused(body: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(body)


def test_base64_with_stray_bits_or_without_padding_is_refused() -> None:
    good = base64.b64encode(bytes(32)).decode()
    for bad in (good[:-2] + "B=", good[:-1], good + "=", " " + good, good.replace("A", "-")):
        with pytest.raises(NoteError):
            Checkpoint.parse(f"{ORIGIN}\n1\n{bad}\n")


def test_a_checkpoint_opens_under_the_key_of_its_log() -> None:
    opened = open_checkpoint(NOTE, [VERIFIER], ORIGIN)
    assert opened.checkpoint == HEAD
    assert opened.signed_by == (ORIGIN,)
    assert opened.cosigned_by == ()


def test_a_checkpoint_without_a_trusted_key_is_not_opened() -> None:
    stranger = Ed25519NoteVerifier.parse(make_signer(ORIGIN, 9).verifier_key())
    for trusted in ([], [stranger], [COSIGNER_KEY]):
        with pytest.raises(UntrustedCheckpoint, match="no trusted key"):
            open_checkpoint(NOTE, trusted)


def test_a_key_trusted_for_one_log_cannot_speak_for_another() -> None:
    other = make_signer("other.example/log", 3)
    with pytest.raises(UntrustedCheckpoint):
        open_checkpoint(sign_checkpoint(HEAD, [other]), [Ed25519NoteVerifier.parse(other.verifier_key())])


def test_a_checkpoint_of_another_origin_is_not_opened() -> None:
    with pytest.raises(UntrustedCheckpoint, match="not of"):
        open_checkpoint(NOTE, [VERIFIER], "demo.example/other")


def test_an_unknown_signature_is_ignored_even_if_it_is_garbage() -> None:
    garbage = base64.b64encode(bytes(80)).decode()
    noted = NOTE + f"— unknown.example {garbage}\n" + f"— {ORIGIN} {garbage}\n"
    assert open_checkpoint(noted, [VERIFIER]).signed_by == (ORIGIN,)


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    forged = sign_checkpoint(Checkpoint(ORIGIN, 43, bytes(32)), [SIGNER]).rsplit("\n\n", 1)[1]
    for note in (NOTE.replace("\n42\n", "\n43\n"), NOTE + forged):
        with pytest.raises(NoteError, match="not valid"):
            open_checkpoint(note, [VERIFIER])


def test_two_hosts_of_a_log_sign_with_keys_of_their_own() -> None:
    second = make_signer(ORIGIN, 4)
    verifiers = [VERIFIER, Ed25519NoteVerifier.parse(second.verifier_key())]
    assert open_checkpoint(sign_checkpoint(HEAD, [second, SIGNER]), verifiers).signed_by == (ORIGIN, ORIGIN)


def test_a_repeated_signature_counts_once() -> None:
    line = NOTE.rsplit("\n\n", 1)[1]
    assert open_checkpoint(NOTE + line, [VERIFIER]).signed_by == (ORIGIN,)


def test_two_verifiers_of_one_key_are_an_error_of_the_caller() -> None:
    with pytest.raises(NoteError, match="two verifiers"):
        open_checkpoint(NOTE, [VERIFIER, Ed25519NoteVerifier.parse(SIGNER.verifier_key())])


def test_a_cosigner_is_named_with_the_time_it_stated() -> None:
    noted = add_signatures(NOTE, [COSIGNER])
    opened = open_checkpoint(noted, [VERIFIER, COSIGNER_KEY])
    assert [(item.name, item.at) for item in opened.cosigned_by] == [
        ("tier.example/upper", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    ]
    assert opened.signed_by == (ORIGIN,)


def test_a_cosigner_alone_does_not_make_a_checkpoint() -> None:
    with pytest.raises(UntrustedCheckpoint):
        open_checkpoint(sign_note(HEAD.body(), [COSIGNER]), [VERIFIER, COSIGNER_KEY])


def test_a_cosignature_with_another_time_does_not_verify() -> None:
    body = HEAD.body().encode()
    signature = COSIGNER.sign(body)
    assert COSIGNER_KEY.verify(body, signature)
    for bad in (bytes(8) + signature[8:], b"\xff" * 8 + signature[8:], signature[8:], signature + b"\0", b""):
        assert not COSIGNER_KEY.verify(body, bad)


def test_log_keys_and_cosigner_keys_are_not_interchangeable() -> None:
    with pytest.raises(NoteError, match="kind"):
        Ed25519NoteVerifier.parse(COSIGNER.verifier_key())
    with pytest.raises(NoteError, match="kind"):
        Ed25519CosignatureVerifier.parse(SIGNER.verifier_key())
    assert parse_verifier(COSIGNER.verifier_key()).is_cosigner
    assert not parse_verifier(SIGNER.verifier_key() + "\n").is_cosigner


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        GO_KEY.replace("c7", "c8"),
        GO_KEY.replace("Peter", "peter"),
        GO_KEY.replace("Peter", "Peter "),
        GO_KEY[:-4],
        "+c74f20a3+AQ==",
        "a+b+CQ==",
    ],
)
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    for parse in (Ed25519NoteVerifier.parse, parse_verifier):
        with pytest.raises(NoteError):
            parse(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a　b", "a\x00", "a\u200b"])
def test_a_name_that_would_break_the_signature_line_cannot_sign(name: str) -> None:
    with pytest.raises(NoteError, match="key name"):
        make_signer(name, 1)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        HEAD.body(),
        HEAD.body() + "\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace("\n42", "\r\n42"),
        NOTE.replace("42", "4\x002"),
        NOTE + "— short AAAA\n",
        NOTE + f"— {ORIGIN} not*base64\n",
        NOTE.replace("42", "\ud800"),
    ],
)
def test_a_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(note, [VERIFIER])


def test_a_note_is_read_up_to_its_limit_and_not_beyond() -> None:
    length = len(NOTE.encode())
    assert parse_note(NOTE, length).text == HEAD.body()
    with pytest.raises(NoteError, match="longer"):
        parse_note(NOTE, length - 1)


def test_sixteen_signatures_are_read_and_a_thousand_are_not() -> None:
    line = "— other.example " + base64.b64encode(bytes(68)).decode() + "\n"
    assert open_checkpoint(NOTE + line * 15, [VERIFIER]).signed_by
    with pytest.raises(NoteError, match="more than"):
        parse_note(NOTE + line * 999)


def test_nobody_signs_nothing() -> None:
    with pytest.raises(NoteError, match="needs a signature"):
        sign_checkpoint(HEAD, [])
    with pytest.raises(NoteError, match="newline"):
        sign_note("no end", [SIGNER])


@pytest.mark.parametrize(
    ("origin", "is_demo"), [("demo.x", True), ("demo", False), ("demox", False), ("a.demo.x", False)]
)
def test_only_an_origin_that_begins_with_demo_is_a_demonstration(origin: str, is_demo: bool) -> None:
    assert Checkpoint(origin, 0, bytes(32)).is_demo is is_demo


@given(
    st.text(max_size=300) | st.builds(lambda head, tail: NOTE[:head] + tail, st.integers(0, 200), st.text())
)
def test_hostile_text_is_a_note_error_and_nothing_else(text: str) -> None:
    assume(text != NOTE)
    with pytest.raises(NoteError):
        open_checkpoint(text, [VERIFIER])


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_every_head_comes_back_from_its_note(size: int, root: bytes) -> None:
    head = Checkpoint(ORIGIN, size, root)
    assert open_checkpoint(sign_checkpoint(head, [SIGNER]), [VERIFIER]).checkpoint == head
