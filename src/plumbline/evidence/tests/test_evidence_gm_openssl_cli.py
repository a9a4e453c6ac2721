"""Against the `openssl` program, in both directions: what it makes we read, what we make it reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline.evidence.checkpoint import Checkpoint, parse_note, sign_checkpoint
from plumbline.evidence.gm import encodings
from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.sealing import hmac_sm3, sm4_gcm_open, sm4_gcm_seal
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.testing import make_sm2_signer
from plumbline.evidence.tests.gm_backends import BACKENDS

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl program here")
each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
MESSAGE = "检查点 checkpoint\n".encode() * 9
IDENTITY = ("-pkeyopt", "distid:1234567812345678")


def openssl(*arguments: str | Path, data: bytes = b"", good: bool = True) -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, timeout=60)
    assert (done.returncode == 0) is good, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("gm")
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2")
    (found / "theirs.pem").write_bytes(openssl("genpkey", *curve))
    (found / "message").write_bytes(MESSAGE)
    return found


@each_backend
def test_it_reads_our_keys_and_accepts_our_signatures(backend: Backend, folder: Path) -> None:
    key = Sm2PrivateKey.generate(backend=backend)
    (folder / "ours.pem").write_text(key.to_pem())
    (folder / "ours.pub").write_text(key.public_key.to_pem())
    assert openssl("pkey", "-in", folder / "ours.pem", "-pubout").decode() == key.public_key.to_pem()
    (folder / "signature").write_bytes(encodings.signature_to_der(key.sign(MESSAGE, backend=backend)))
    check = ("pkeyutl", "-verify", "-pubin", "-inkey", folder / "ours.pub", "-rawin", "-digest", "sm3")
    files = ("-in", folder / "message", "-sigfile", folder / "signature")
    openssl(*check, *IDENTITY, *files)
    openssl(*check, "-pkeyopt", "distid:another", *files, good=False)


@each_backend
def test_we_read_its_keys_and_accept_its_signatures(backend: Backend, folder: Path) -> None:
    theirs = folder / "theirs.pem"
    key = Sm2PrivateKey.from_pem(theirs.read_text(), backend=backend)
    public = Sm2PublicKey.from_pem(openssl("pkey", "-in", theirs, "-pubout").decode())
    assert public == key.public_key
    sign = ("pkeyutl", "-sign", "-inkey", theirs, "-rawin", "-digest", "sm3", *IDENTITY)
    signature = encodings.signature_from_der(openssl(*sign, "-in", folder / "message"))
    assert public.verify(MESSAGE, signature, backend=backend)
    assert not public.verify(MESSAGE + b" ", signature, backend=backend)
    assert not public.verify(MESSAGE, signature, b"another", backend=backend)


def test_it_accepts_the_signature_of_a_checkpoint(folder: Path) -> None:
    signer = make_sm2_signer("demo.log.test", 3)
    note = parse_note(sign_checkpoint(Checkpoint("demo.log.test", 1, b"\x07" * 32), [signer]))
    key = Sm2PrivateKey.from_secret(bytes([3]) * 32).public_key
    files = {"log.pub": key.to_pem().encode(), "body": note.text.encode()}
    files["line"] = encodings.signature_to_der(note.signatures[0].signature)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    check = ("pkeyutl", "-verify", "-pubin", "-inkey", folder / "log.pub", "-rawin", "-digest", "sm3")
    openssl(*check, *IDENTITY, "-in", folder / "body", "-sigfile", folder / "line")


def test_its_digests_are_ours(folder: Path) -> None:
    digest = openssl("dgst", "-sm3", "-binary", data=MESSAGE)
    mac = openssl(
        "dgst", "-sm3", "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{b'k'.hex() * 70}", data=MESSAGE
    )
    for backend in BACKENDS:
        assert backend.sm3(MESSAGE) == digest
        assert hmac_sm3(b"k" * 70, MESSAGE, backend=backend) == mac


def test_its_counter_mode_is_the_inside_of_our_seal() -> None:
    # OpenSSL 3.0 lacks SM4-GCM, and its program seals nothing: the cipher below the tag is compared.
    key, nonce = b"k" * 16, b"n" * 12
    count = ("enc", "-sm4-ctr", "-K", key.hex(), "-iv", (nonce + b"\0\0\0\2").hex())
    theirs = openssl(*count, data=MESSAGE)
    for backend in BACKENDS:
        sealed = sm4_gcm_seal(key, nonce, MESSAGE, backend=backend)
        assert sealed[:-16] == theirs
        assert openssl(*count, "-d", data=sealed[:-16]) == MESSAGE
        assert sm4_gcm_open(key, nonce, theirs + sealed[-16:], backend=backend) == MESSAGE
