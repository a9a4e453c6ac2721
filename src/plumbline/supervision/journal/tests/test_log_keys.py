from __future__ import annotations

import base64
from pathlib import Path

import pytest

from plumbline.evidence.checkpoint import Checkpoint, open_checkpoint, parse_note, parse_verifier
from plumbline.sdk.bundle.trust import read_trust
from plumbline.supervision.journal.genesis import root_keys
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, UnknownSuite, chosen_suite

CLOSING = Checkpoint("demo.log.test/1-closed-by-2", 3, b"\x07" * 32)


def signer_of(folder: Path, keys: PlatformKeys) -> CheckpointSigner:
    marks = folder / "marks"
    marks.mkdir(exist_ok=True)
    return CheckpointSigner(keys.log, marks, sm2=keys.log_sm2)


def test_the_suite_is_chosen_by_configuration() -> None:
    assert chosen_suite({}) == chosen_suite({"PLUMB_SUITE": ""}) == "standard"
    assert chosen_suite({"PLUMB_SUITE": "gm"}) == "gm"
    with pytest.raises(UnknownSuite, match="gm（国密）"):
        chosen_suite({"PLUMB_SUITE": "GM"})


def test_the_standard_suite_makes_no_national_key_and_signs_once(tmp_path: Path) -> None:
    keys = PlatformKeys.load(tmp_path, create=True)
    assert keys.log_sm2 is None and not (tmp_path / "log-sm2.pem").exists()
    signer = signer_of(tmp_path, keys)
    assert signer.verifier_keys(CLOSING.origin) == [signer.verifier_key(CLOSING.origin)]
    assert len(parse_note(signer.sign_closing(CLOSING)).signatures) == 1


def test_the_suite_gm_adds_a_key_that_every_later_process_finds(tmp_path: Path) -> None:
    plain = PlatformKeys.load(tmp_path, create=True)
    keys = PlatformKeys.load(tmp_path, create=True, suite="gm")
    assert keys.log_sm2 is not None and keys.code.private_bytes_raw() == plain.code.private_bytes_raw()
    assert PlatformKeys.load(tmp_path).log_sm2 == keys.log_sm2
    assert (tmp_path / "log-sm2.pem").stat().st_mode & 0o777 == 0o600


def test_only_the_start_of_a_platform_makes_keys(tmp_path: Path) -> None:
    PlatformKeys.load(tmp_path, create=True)
    assert PlatformKeys.load(tmp_path, suite="gm").log_sm2 is None


def test_a_broken_national_key_stops_the_start(tmp_path: Path) -> None:
    PlatformKeys.load(tmp_path, create=True, suite="gm")
    (tmp_path / "log-sm2.pem").write_text("-----BEGIN")
    with pytest.raises(ValueError, match="PEM"):
        PlatformKeys.load(tmp_path)


def test_a_head_signed_twice_opens_under_either_line_of_the_trust_file(tmp_path: Path) -> None:
    signer = signer_of(tmp_path, PlatformKeys.load(tmp_path, create=True, suite="gm"))
    note = signer.sign_closing(CLOSING)
    (tmp_path / "trust.txt").write_text("\n".join(signer.verifier_keys(CLOSING.origin)))
    listed = read_trust([str(tmp_path / "trust.txt")]).log_keys
    assert len(listed) == 2
    for keys in (listed[:1], listed[1:], listed):
        opened = open_checkpoint(note, [parse_verifier(key) for key in keys])
        assert opened.checkpoint == CLOSING and len(opened.signed_by) == len(keys)


def test_a_head_whose_national_signature_was_changed_is_not_ours(tmp_path: Path) -> None:
    keys = PlatformKeys.load(tmp_path, create=True, suite="gm")
    signer = signer_of(tmp_path, keys)
    note = signer.sign_closing(CLOSING)
    assert signer.signed_by_us(note) == CLOSING
    at = len(note) - 10
    assert signer.signed_by_us(note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1 :]) is None
    before = CheckpointSigner(keys.log, tmp_path / "marks").sign_closing(CLOSING)
    assert signer.signed_by_us(before) == CLOSING  # signed before the suite was chosen


def test_entry_0_makes_the_national_key_known_too(tmp_path: Path) -> None:
    plain = root_keys(PlatformKeys.load(tmp_path, create=True))
    assert [(key.use, key.algorithm) for key in plain] == [(use, "ed25519") for use in ("log", "web", "code")]
    keys = PlatformKeys.load(tmp_path, create=True, suite="gm")
    told = root_keys(keys)
    assert told[:3] == plain
    assert keys.log_sm2 is not None
    assert (told[3].use, told[3].algorithm) == ("log", "sm2")
    assert base64.b64decode(told[3].public_key) == keys.log_sm2.public_key.point
