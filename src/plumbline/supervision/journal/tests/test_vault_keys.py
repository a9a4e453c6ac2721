"""Keys of subjects: one for all gateways, and gone for ever once destroyed (个人信息密钥)."""

from __future__ import annotations

import base64
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.domain.basics.identifiers import resident_id_check_character
from plumbline.evidence.gm.sealing import sm4_gcm_open
from plumbline.exchange.personal import PersonalFields, make_record, record_digest
from plumbline.supervision.journal.vault import SubjectDestroyedError, Vault

SUBJECT = "ab" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "subjects"
    made.mkdir(mode=0o700)
    return made


def _record(name: str = "张三"):
    return make_record(SUBJECT, PersonalFields(name=name))


def test_two_gateways_that_meet_a_subject_at_once_use_one_key(folder: Path) -> None:
    start, sealed = threading.Barrier(8), []

    def work() -> None:
        vault = Vault(folder)
        start.wait()
        sealed.append(vault.seal(_record()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert [Vault(folder).open(each).name for each in sealed] == ["张三"] * 8
    assert [path.name for path in folder.iterdir()] == [f"{SUBJECT}.key"]


def test_a_key_that_another_gateway_made_first_is_kept(folder: Path) -> None:
    first, second = Vault(folder), Vault(folder)
    sealed = first.seal(_record())
    second._make_key(SUBJECT, folder / f"{SUBJECT}.key")
    assert second.open(sealed).name == "张三"


def test_a_destroyed_subject_can_neither_be_read_nor_stored(folder: Path) -> None:
    vault = Vault(folder)
    sealed = vault.seal(_record())
    (folder / f"{SUBJECT}.key.0011.new").write_bytes(b"left by a crash")
    vault.destroy(SUBJECT)
    assert list(folder.iterdir()) == []
    for act in (lambda: vault.open(sealed), lambda: vault.seal(_record())):
        with pytest.raises(SubjectDestroyedError):
            act()


def test_the_list_is_read_again_when_another_process_destroys_or_it_is_replaced(folder: Path) -> None:
    mine, other = Vault(folder), Vault(folder)
    subjects = [f"{n:032x}" for n in range(3)]
    for subject in subjects:
        mine.seal(make_record(subject, PersonalFields(name="张三")))
    assert not mine.is_destroyed(subjects[0])
    other.destroy(subjects[0])
    assert mine.is_destroyed(subjects[0])
    known = mine._read
    assert mine.destroyed() == {subjects[0]}
    assert mine._read is known
    assert known is not None
    other.destroy(subjects[1])
    assert mine.destroyed() == set(subjects[:2])
    listed = folder.parent / "destroyed" / "destroyed.list"
    # another list, of the same size and with the same time, in the same file
    before = listed.stat()
    listed.write_text(listed.read_text("ascii").replace(subjects[1], subjects[2]), "ascii")
    os.utime(listed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert listed.stat().st_size == before.st_size
    assert mine.destroyed() == {subjects[0], subjects[2]}
    listed.unlink()
    assert mine.destroyed() == set()


def test_a_restored_backup_of_the_keys_brings_nobody_back(folder: Path) -> None:
    vault = Vault(folder)
    sealed = vault.seal(_record())
    backup = folder.parent / "backup"
    shutil.copytree(folder, backup)
    vault.destroy(SUBJECT)
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    with pytest.raises(SubjectDestroyedError):
        Vault(folder).open(sealed)
    assert not (folder / f"{SUBJECT}.key").exists()


def test_the_list_lies_outside_the_key_folder_and_is_private(folder: Path) -> None:
    vault = Vault(folder)
    vault.destroy(SUBJECT)
    vault.destroy(SUBJECT)
    listed = folder.parent / "destroyed" / "destroyed.list"
    assert len(listed.read_text().splitlines()) == 1
    assert listed.stat().st_mode & 0o777 == 0o600
    assert vault.destroyed_at(SUBJECT) is not None


def test_every_number_of_a_day_tried_out_finds_nobody(folder: Path) -> None:
    """Who knows place and birthday has a thousand numbers left: without the salt no digest of them is the stored one."""
    body = "61030219900417"
    numbers = [f"{body}{n:03d}" for n in range(1000)]
    numbers = [each + resident_id_check_character(each) for each in numbers]
    made = make_record(SUBJECT, PersonalFields(resident_id=numbers[417]))
    sealed = Vault(folder).seal(made)
    stored = (sealed.digest, sealed.nonce, sealed.ciphertext, sealed.subject.encode())
    salt = base64.b64decode(made.salt)
    assert not any(
        salt in each or salt.hex().encode() in each or made.salt.encode() in each for each in stored
    )

    def found(guess: bytes) -> list[str]:
        records = ((each, PersonalFields(resident_id=each)) for each in numbers)
        return [each for each, fields in records if record_digest(guess, SUBJECT, fields) == made.ref]

    # Whatever lies beside the digest is no salt; with the salt the number would fall at once.
    guesses = (
        b"",
        bytes(16),
        sealed.nonce,
        sealed.ciphertext[:16],
        sealed.ciphertext[-16:],
        bytes.fromhex(SUBJECT),
    )
    assert [found(guess) for guess in guesses] == [[]] * len(guesses)
    assert found(salt) == [numbers[417]]


@pytest.mark.parametrize("subject", ["", "../x", "AB" * 16, "ab" * 15])
def test_what_is_no_subject_is_refused(folder: Path, subject: str) -> None:
    with pytest.raises(ValueError, match="32 hex"):
        Vault(folder).destroy(subject)


def test_under_the_national_suite_a_new_subject_is_sealed_with_sm4(folder: Path) -> None:
    national = Vault(folder, is_national=True)
    sealed = national.seal(_record())
    key = (folder / f"{SUBJECT}.key").read_bytes()
    assert key.startswith(b"sm4-gcm:") and len(key) == 24
    plain = sm4_gcm_open(key[8:], sealed.nonce, sealed.ciphertext, sealed.digest)
    assert "张三" in plain.decode()
    assert Vault(folder).open(sealed).name == "张三"  # whoever reads need not know the suite
    assert Vault(folder).open(Vault(folder).seal(_record("李四"))).name == "李四"  # a subject has one cipher
    broken = replace(sealed, ciphertext=bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:])
    for lost in (broken, replace(sealed, ciphertext=b"short"), replace(sealed, digest=bytes(32))):
        with pytest.raises(SubjectDestroyedError):
            national.open(lost)
    national.destroy(SUBJECT)
    with pytest.raises(SubjectDestroyedError):
        national.open(sealed)


def test_what_was_sealed_before_the_national_suite_stays_readable_and_keeps_its_cipher(folder: Path) -> None:
    before = Vault(folder).seal(_record())
    national = Vault(folder, is_national=True)
    after = national.seal(_record("李四"))
    assert [national.open(each).name for each in (before, after)] == ["张三", "李四"]
    assert len((folder / f"{SUBJECT}.key").read_bytes()) == 32
