"""Personal records (个人信息保险箱): sealed under one key per subject; the keys live outside PostgreSQL.

The cipher is the key's: AES-256-GCM, and SM4-GCM (GB/T 32907, RFC 8998) for subjects first met under the national suite. What was
sealed before stays readable, and a subject never has two ciphers.

After the key of a subject is destroyed the ciphertext is noise and the digest in the log says nothing, because the salt was only inside
the ciphertext. Destroyed subjects are listed in a folder of their own, apart from the keys: a restored backup of the keys brings nobody
back, because every opening of the vault destroys again whoever is listed.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plumbline.evidence.gm.sealing import KEY_SIZE, SealBroken, sm4_gcm_open, sm4_gcm_seal
from plumbline.exchange.personal import PersonalFields, PersonalRecord, record_digest, text_problem_of
from plumbline.exchange.problems import FieldProblem, Problem
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.keys import sync_folder, write_temporary

#: How the file of an SM4 key begins; 16 bytes follow. An AES key is its 32 bytes alone.
_SM4_MARK = b"sm4-gcm:"
#: How many subjects a vault remembers; of one that it forgot the folder is synced again, which changes nothing.
_REMEMBERED = 10_000


class SubjectDestroyedError(LookupError):
    """The key of this subject was destroyed; nothing can be read or stored for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """What is stored: the digest that the message names, and ciphertext."""

    digest: bytes
    subject: str
    nonce: bytes
    ciphertext: bytes


class Vault:
    """Key per subject in a folder (file in the demo; KMS or HSM in production behind the same four methods)."""

    def __init__(self, folder: Path, destroyed: Path | None = None, *, is_national: bool = False) -> None:
        """`destroyed` is the folder of the list, `destroyed/` beside the key folder unless given; under `is_national` new subjects get
        keys of SM4."""
        self._folder, self._is_national = folder, is_national
        self._destroyed = (destroyed or folder.parent / "destroyed") / "destroyed.list"
        self._destroyed.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        #: The list as it was read last, and the state of its file then.
        self._read: tuple[tuple[int, ...], dict[str, datetime]] | None = None
        #: Subjects whose key this process knows to be durable.
        self._durable: set[str] = set()
        self.replay()

    def _listed(self) -> dict[str, datetime]:
        """Read again only when the file is another one or has grown: it is asked for every name that is shown."""
        try:
            with self._destroyed.open("rb") as file:
                found = os.fstat(file.fileno())
                # The last of them nobody can set: a restore may bring back another list of the same size and time.
                state = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
                known = self._read
                if known is not None and known[0] == state:
                    return known[1]
                data = file.read(found.st_size)
        except FileNotFoundError:
            return {}
        pairs = (line.split() for line in data.decode("ascii").splitlines() if line)
        listed = {subject: datetime.fromisoformat(at) for subject, at in pairs}
        self._read = state, listed
        return listed

    def replay(self) -> None:
        """Destroy again every key that is listed: what a restore of the key folder brought back goes first of all."""
        listed = self._listed()
        if not listed or not self._folder.is_dir():
            return
        # One look into the folder for all of them: there may be many keys and many who are gone.
        if back := [path for path in self._folder.iterdir() if path.name.partition(".key")[0] in listed]:
            for path in back:
                path.unlink(missing_ok=True)
            sync_folder(self._folder)

    def is_destroyed(self, subject: str) -> bool:
        """Whether this subject stands in the list of the destroyed."""
        return subject in self._listed()

    def destroyed(self) -> frozenset[str]:
        """Everybody who stands in the list of the destroyed."""
        return frozenset(self._listed())

    def destroyed_at(self, subject: str) -> datetime | None:
        """When the key was destroyed; None while it lives."""
        return self._listed().get(subject)

    def _key(self, subject: str, *, create: bool) -> bytes:
        _require_subject(subject)
        if self.is_destroyed(subject):
            raise SubjectDestroyedError(subject)
        path = self._folder / f"{subject}.key"
        if not path.exists():
            if not create:
                raise SubjectDestroyedError(subject)
            self._make_key(subject, path)
        elif create and subject not in self._durable:
            sync_folder(self._folder)  # whoever made it may have died before it could
        if create:
            if len(self._durable) >= _REMEMBERED:
                self._durable.clear()
            self._durable.add(subject)
        try:
            return path.read_bytes()
        except FileNotFoundError:  # destroyed in this moment
            raise SubjectDestroyedError(subject) from None

    def _make_key(self, subject: str, path: Path) -> None:
        """The first one makes the key, whoever comes at the same moment reads it: a link fails where a name is taken."""
        temporary = write_temporary(path, _new_key(is_national=self._is_national))
        try:
            hit("key.temp_written")
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
        hit("key.linked")
        sync_folder(self._folder)
        hit("key.folder_synced")
        if self.is_destroyed(subject):  # listed between our first look and the link
            self._unlink(subject)
            raise SubjectDestroyedError(subject)

    def seal(self, record: PersonalRecord) -> SealedRecord:
        """Check the digest and encrypt; raises :class:`Problem` when digest and record differ."""
        if problem := record_problem(record):
            raise problem
        nonce = secrets.token_bytes(12)
        plain = msgspec.json.encode({"salt": record.salt, "fields": record.fields})
        digest = bytes.fromhex(record.ref)
        cipher = _sealed(self._key(record.subject, create=True), nonce, plain, digest)
        return SealedRecord(digest=digest, subject=record.subject, nonce=nonce, ciphertext=cipher)

    def open(self, sealed: SealedRecord) -> PersonalFields:
        """Decrypt; raises :class:`SubjectDestroyedError` after destruction or when the ciphertext was changed."""
        try:
            key = self._key(sealed.subject, create=False)
            plain = _opened(key, sealed.nonce, sealed.ciphertext, sealed.digest)
        except (InvalidTag, SealBroken):
            raise SubjectDestroyedError(sealed.subject) from None
        return msgspec.convert(msgspec.json.decode(plain)["fields"], PersonalFields)

    def destroy(self, subject: str, at: datetime | None = None) -> None:
        """Forget the key: listed first, then unlinked, so that no crash leaves a key that is believed gone.

        `at` is the moment that the log already gives; now, unless given.
        """
        _require_subject(subject)
        with self._destroyed.open("a+b") as file:
            self._destroyed.chmod(0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if not self.is_destroyed(subject):
                file.write(f"{subject} {(at or datetime.now(UTC)).isoformat()}\n".encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        sync_folder(self._destroyed.parent)
        self._unlink(subject)

    def _unlink(self, subject: str) -> None:
        """The key, and what a broken writing of it may have left beside it."""
        for path in (*self._folder.glob(f"{subject}.key.*.new"), self._folder / f"{subject}.key"):
            path.unlink(missing_ok=True)
        sync_folder(self._folder)


def _new_key(*, is_national: bool) -> bytes:
    return _SM4_MARK + secrets.token_bytes(KEY_SIZE) if is_national else secrets.token_bytes(32)


def _sm4_key(key: bytes) -> bytes | None:
    """The key of SM4 in a file's bytes; None for one of AES, which has no mark and another length."""
    is_sm4 = len(key) == len(_SM4_MARK) + KEY_SIZE and key.startswith(_SM4_MARK)
    return key[len(_SM4_MARK) :] if is_sm4 else None


def _sealed(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    sm4 = _sm4_key(key)
    return (
        sm4_gcm_seal(sm4, nonce, plain, associated) if sm4 else AESGCM(key).encrypt(nonce, plain, associated)
    )


def _opened(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    sm4 = _sm4_key(key)
    return (
        sm4_gcm_open(sm4, nonce, sealed, associated)
        if sm4
        else AESGCM(key).decrypt(nonce, sealed, associated)
    )


def _require_subject(subject: str) -> None:
    if not (len(subject) == 32 and all(c in "0123456789abcdef" for c in subject)):
        raise ValueError("a subject is 32 hex characters")


def record_problem(record: PersonalRecord) -> Problem | None:
    """Why a record is not the one that its digest names, or holds a text that nobody can read as it stands; or None."""
    if odd := text_problem_of(record):
        return Problem(slug="schema", detail=f"{odd.pointer}：{odd.reason}", errors=(odd,))
    try:
        salt = base64.b64decode(record.salt, validate=True)
    except binascii.Error:
        salt = b""
    if len(salt) == 16 and record_digest(salt, record.subject, record.fields) == record.ref:
        return None
    return Problem(
        slug="personal-mismatch",
        errors=(
            FieldProblem(
                pointer="/personal",
                reason=f"{record.ref[:16]}… 与内容对不上",
                remedy="salt 为 16 字节，重新计算摘要",
            ),
        ),
    )
