from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.evidence.checkpoint import (
    Ed25519CosignatureVerifier,
    NoteVerifier,
    open_checkpoint,
    trusted_verifiers,
)
from plumbline.evidence.leaf import Leaf, sha256
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.receipt import STEPS, ReceiptCheck, make_receipt, verify_receipt
from plumbline.evidence.testing import InMemoryLog, Submission, make_cosigner

SENDER = b"institution-0001"


def submission(number: int, message: bytes | None = None) -> Submission:
    uid = uuid.UUID(int=0x019B76DA_A800_7000_8000_000000000000 + number)
    return Submission(
        sender_id=SENDER,
        uid=uid,
        message=message or b'{"strength_MPa": "%d.5"}' % number,
        envelope=b'{"number": %d}' % number,
    )


ITEMS = [submission(number) for number in range(40)]


@pytest.fixture(scope="module")
def log() -> InMemoryLog:
    log = InMemoryLog()
    log.append(ITEMS[:30])
    return log


def check_of(log: InMemoryLog, index: int, verifiers: list[NoteVerifier] | None = None) -> ReceiptCheck:
    item = ITEMS[index]
    trusted = log.verifiers if verifiers is None else verifiers
    return verify_receipt(log.receipt(index), trusted, item.message, item.envelope)


def failed(check: ReceiptCheck) -> list[str]:
    return [step.code for step in check.steps if not step.ok]


@pytest.mark.clause("CECS 2.0.15")
def test_a_receipt_verifies_offline_with_message_and_envelope(log: InMemoryLog) -> None:
    check = check_of(log, 7)
    assert check.ok
    assert check.failure is None
    assert [step.name for step in check.steps] == [name for name in STEPS if name != "entry"]
    assert check.not_checked == ("entry",)
    assert (check.index, check.origin, check.cosigned_by) == (7, "demo.log.test", ())
    assert check.logged_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert check.leaf is not None
    assert check.leaf.uid == ITEMS[7].uid


def test_every_receipt_of_every_batch_verifies_when_it_is_given_and_later() -> None:
    log, given_out = InMemoryLog(), list[str]()
    for first, last in ((0, 1), (1, 4), (4, 20), (20, 40)):
        given_out += log.append(ITEMS[first:last])
    for index, item in enumerate(ITEMS):
        for receipt in (given_out[index], log.receipt(index)):
            assert verify_receipt(receipt, log.verifiers, item.message, item.envelope).index == index
            assert verify_receipt(receipt, log.verifiers, item.message, item.envelope).ok


def test_a_receipt_without_the_message_says_that_it_was_not_compared(log: InMemoryLog) -> None:
    check = verify_receipt(log.receipt(3), log.verifiers)
    assert check.ok
    assert check.not_checked == ("entry", "message", "envelope")


def test_a_message_with_one_bit_changed_is_named(log: InMemoryLog) -> None:
    for at in range(0, len(ITEMS[7].message), 5):
        message = bytearray(ITEMS[7].message)
        message[at] ^= 1
        check = verify_receipt(log.receipt(7), log.verifiers, bytes(message), ITEMS[7].envelope)
        assert failed(check) == ["message.changed"]


def test_a_changed_envelope_is_named(log: InMemoryLog) -> None:
    check = verify_receipt(log.receipt(7), log.verifiers, ITEMS[7].message, ITEMS[8].envelope)
    assert failed(check) == ["envelope.changed"]


def test_a_receipt_of_another_entry_is_named(log: InMemoryLog) -> None:
    check = verify_receipt(log.receipt(7), log.verifiers, ITEMS[8].message, ITEMS[8].envelope)
    assert check.failure is not None
    assert check.failure.code == "message.other_entry"


def test_the_entry_in_question_is_compared_by_sender_and_uid(log: InMemoryLog) -> None:
    receipt = log.receipt(7)
    assert verify_receipt(receipt, log.verifiers, sender_id=SENDER, uid=ITEMS[7].uid).ok
    other_uid = verify_receipt(receipt, log.verifiers, sender_id=SENDER, uid=ITEMS[8].uid)
    other_sender = verify_receipt(receipt, log.verifiers, sender_id=bytes(16), uid=ITEMS[7].uid)
    assert (failed(other_uid), failed(other_sender)) == (["entry.other_uid"], ["entry.other_sender"])


@pytest.mark.parametrize("field", ["arrived_at_us", "logged_at_us"])
def test_a_back_dated_leaf_does_not_lead_to_the_root(log: InMemoryLog, field: str) -> None:
    proof, leaf = parse_proof(log.receipt(7)), log.leaves[7]
    fields = {name: getattr(leaf, name) for name in Leaf.__dataclass_fields__}
    dated_back = Leaf(**{**fields, field: fields[field] - 86_400_000_000})
    receipt = make_receipt(dated_back, 7, proof.path, proof.checkpoint_note)
    assert failed(verify_receipt(receipt, log.verifiers, ITEMS[7].message)) == ["inclusion.other_root"]


def test_another_index_does_not_lead_to_the_root(log: InMemoryLog) -> None:
    proof = parse_proof(log.receipt(7))
    for index, code in ((6, "inclusion.other_root"), (30, "inclusion.beyond_head")):
        receipt = make_receipt(log.leaves[7], index, proof.path, proof.checkpoint_note)
        assert failed(verify_receipt(receipt, log.verifiers)) == [code]


def test_digests_that_contradict_each_other_are_named(log: InMemoryLog) -> None:
    other = log.leaves[8]
    fields = {name: getattr(log.leaves[7], name) for name in Leaf.__dataclass_fields__}
    mixed = Leaf(**{**fields, "message_sm3": other.message_sm3})
    proof = parse_proof(log.receipt(7))
    check = verify_receipt(
        make_receipt(mixed, 7, proof.path, proof.checkpoint_note), log.verifiers, ITEMS[7].message
    )
    assert failed(check) == ["inclusion.other_root", "message.digests_disagree"]


def test_a_rebuilt_log_under_another_key_is_not_trusted(log: InMemoryLog) -> None:
    rebuilt = InMemoryLog(seed=9)
    rebuilt.append(ITEMS[:30])
    assert failed(check_of(rebuilt, 7, log.verifiers)) == ["checkpoint.untrusted"]
    assert failed(check_of(log, 7, [])) == ["checkpoint.untrusted"]


def test_a_changed_checkpoint_is_a_bad_signature(log: InMemoryLog) -> None:
    receipt = log.receipt(7).replace("\n30\n", "\n31\n")
    assert "checkpoint.bad_signature" in failed(verify_receipt(receipt, log.verifiers))


def test_a_checkpoint_that_is_cut_off_is_unreadable(log: InMemoryLog) -> None:
    check = verify_receipt(log.receipt(7)[:-20], log.verifiers, ITEMS[7].message)
    assert failed(check) == ["checkpoint.unreadable"]
    assert "inclusion" in check.not_checked


def test_the_receipt_of_another_log_is_named(log: InMemoryLog) -> None:
    check = verify_receipt(log.receipt(7), log.verifiers, origin="demo.other")
    assert failed(check) == ["checkpoint.other_log"]
    assert verify_receipt(log.receipt(7), log.verifiers, origin="demo.log.test").ok


def test_cosigners_are_named_and_their_absence_is_said() -> None:
    log, cosigner = InMemoryLog("log.example"), make_cosigner("upper.example", 5)
    log.append(ITEMS[:3])
    alone = check_of(log, 1)
    log.cosigners.append(cosigner)
    both = check_of(log, 1, [*log.verifiers, Ed25519CosignatureVerifier.parse(cosigner.verifier_key())])
    assert (alone.cosigned_by, both.cosigned_by) == ((), ("upper.example",))
    assert "尚无联署" in alone.steps[2].sentence_zh
    assert "1 方联署" in both.steps[2].sentence_zh


@pytest.mark.parametrize(("origin", "is_demo"), [("demo.city", True), ("log.city", False)])
def test_demonstration_data_are_marked(origin: str, is_demo: bool) -> None:
    log = InMemoryLog(origin)
    log.append(ITEMS[:1])
    assert check_of(log, 0).is_demo is is_demo


def test_every_step_speaks_in_both_languages(log: InMemoryLog) -> None:
    bad = verify_receipt(
        log.receipt(7).replace("\n30\n", "\n31\n"), log.verifiers, b"x", b"y", uid=uuid.UUID(int=0)
    )
    for step in (*bad.steps, *check_of(log, 7).steps, *verify_receipt("", []).steps):
        assert step.sentence_zh.endswith("。")
        assert step.sentence_en.endswith(".")
        assert step.code.startswith(step.name + ".")
        assert step.name in STEPS


def test_a_receipt_may_be_given_as_bytes(log: InMemoryLog) -> None:
    assert verify_receipt(log.receipt(7).encode(), log.verifiers).ok
    assert failed(verify_receipt(b"\xff\xfe", log.verifiers)) == ["format.unreadable"]


@given(st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_no_single_changed_byte_passes(at: int, value: int) -> None:
    log = InMemoryLog()
    text = bytearray(log.append(ITEMS[:6])[4].encode())
    original, position = bytes(text), at % len(text)
    text[position] = value
    check = verify_receipt(bytes(text), log.verifiers, ITEMS[4].message, ITEMS[4].envelope)
    assert check.ok is (bytes(text) == original)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_hostile_receipts_are_refused_and_never_raise(text: str | bytes) -> None:
    check = verify_receipt(text, InMemoryLog().verifiers, b"", b"")
    assert not check.ok
    assert check.not_checked


def test_the_fake_log_gives_a_repeated_entry_its_stored_leaf() -> None:
    log = InMemoryLog()
    first = log.append([*ITEMS[:3], ITEMS[1]])
    again = log.append([ITEMS[1], ITEMS[5]])
    assert len(log.leaves) == 4
    assert parse_proof(first[1]) == parse_proof(first[3])
    assert parse_proof(again[0]).extra == parse_proof(first[1]).extra
    assert verify_receipt(again[0], log.verifiers, ITEMS[1].message).index == 1


def test_the_fake_log_refuses_another_message_under_a_known_uid() -> None:
    log = InMemoryLog()
    log.append(ITEMS[:2])
    with pytest.raises(ValueError, match="another message"):
        log.append([ITEMS[3], submission(1, b"other")])
    assert len(log.leaves) == 2
    assert verify_receipt(log.append([ITEMS[3]])[0], log.verifiers, ITEMS[3].message).ok


def test_the_message_digest_is_that_of_the_bytes_as_received(log: InMemoryLog) -> None:
    assert log.leaves[7].message_sha256 == sha256(ITEMS[7].message)
    reformatted = json.dumps(json.loads(ITEMS[7].message), indent=2).encode()
    assert failed(verify_receipt(log.receipt(7), log.verifiers, reformatted)) == ["message.changed"]


def test_a_cosignature_made_after_its_key_was_retired_does_not_count() -> None:
    log = InMemoryLog()
    log.cosigners += [make_cosigner("witness.example/1", 2), make_cosigner("other.example/1", 3)]
    (text,) = log.append(ITEMS[:1])
    keys = [each.verifier_key() for each in (log.signer, *log.cosigners)]
    signed_at = open_checkpoint(log.checkpoint(), trusted_verifiers(keys, {})).cosigned_by[0].at
    for seconds, counted in ((-61, False), (-60, True), (0, True)):
        ended = {keys[1]: signed_at + timedelta(seconds=seconds)}
        check = verify_receipt(text, trusted_verifiers(keys, ended))
        assert check.ok  # the log's own word stands
        assert ("witness.example/1" in check.cosigned_by) is counted
        assert check.cosigned_late == (() if counted else ("witness.example/1",))
        assert "other.example/1" in check.cosigned_by
        step = next(each for each in check.steps if each.name == "checkpoint")
        assert ("停用以后，不算" in step.sentence_zh) is not counted
    # stolen after it was retired: it states an earlier time, but the entry under the checkpoint was logged later
    assert check.leaf is not None
    log.cosigners[0] = make_cosigner("witness.example/1", 2, seconds=1_600_000_000)
    for seconds, late in ((-61, ("witness.example/1",)), (-60, ())):
        ended = {keys[1]: check.leaf.logged_at + timedelta(seconds=seconds)}
        assert verify_receipt(log.receipt(0), trusted_verifiers(keys, ended)).cosigned_late == late
