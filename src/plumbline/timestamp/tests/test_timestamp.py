"""The built-in authority and the check of tokens, against openssl and against what must not pass (时间戳)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plumbline.evidence.attachments import STAMP_TYPE, attachments, format_attachment
from plumbline.evidence.checkpoint import open_checkpoint, parse_note
from plumbline.evidence.testing import InMemoryLog
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.pdf.roots import Revocation
from plumbline.sdk.timestamp.authority import (
    StampAuthority,
    authority_as_document,
    authority_as_line,
    authority_from_document,
    authority_of,
)
from plumbline.sdk.timestamp.findings import stamp_findings
from plumbline.sdk.timestamp.request import MAX_ANSWER, Query, ask, make_query, read_answer
from plumbline.sdk.timestamp.token import StampProblem, verify_token
from plumbline.timestamp.authority import Authority
from plumbline.timestamp.command import run_timestamp
from plumbline.timestamp.keys import AuthorityProblem, root_certificate

DATA = b"demo.log.test/1\n7\nAAAA\n"
IMPRINT = hashlib.sha256(DATA).digest()


def _made(folder: Path, name: str = "tsa.test/1") -> Path:
    arguments = Namespace(what="init", folder=str(folder), name=name, trust_domain="某大学", policy="")
    assert run_timestamp(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("tsa") / "a")


def _trusted(folder: Path) -> StampAuthority:
    return authority_of("tsa.test/1", "某大学", root_certificate(folder), "test")


def _code(action: Any) -> str:
    with pytest.raises(StampProblem) as told:
        action()
    return told.value.code


def _stamped(folder: Path) -> tuple[bytes, Query, bytes]:
    query = make_query(IMPRINT)
    answer = Authority(folder).answer(query.body)
    return read_answer(answer, query, [_trusted(folder)], datetime.now(UTC))[0], query, answer


def _openssl(*arguments: str | Path) -> str:
    ran = subprocess.run(
        ["openssl", "ts", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return ran.stdout + ran.stderr


def test_openssl_accepts_our_answers_and_we_its_queries(folder: Path, tmp_path: Path) -> None:
    _, query, answer = _stamped(folder)
    (tmp_path / "q").write_bytes(query.body)
    (tmp_path / "r").write_bytes(answer)
    (tmp_path / "data").write_bytes(DATA)
    root = folder / "root.cert.pem"
    assert "Verification: OK" in _openssl(
        "-verify", "-in", tmp_path / "r", "-queryfile", tmp_path / "q", "-CAfile", root
    )
    _openssl("-query", "-data", tmp_path / "data", "-sha512", "-cert", "-out", tmp_path / "q2")
    (tmp_path / "r2").write_bytes(Authority(folder).answer((tmp_path / "q2").read_bytes()))
    assert "Verification: OK" in _openssl(
        "-verify", "-in", tmp_path / "r2", "-data", tmp_path / "data", "-CAfile", root
    )
    (tmp_path / "data").write_bytes(DATA + b"x")
    assert "FAILED" in _openssl(
        "-verify", "-in", tmp_path / "r2", "-data", tmp_path / "data", "-CAfile", root
    )


def test_we_accept_a_token_that_openssl_signed_by_rsa(folder: Path, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root_key = serialization.load_pem_private_key((folder / "root.key.pem").read_bytes(), None)
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    mine = Authority(folder).certificate
    certificate = _certificate(mine, key.public_key(), root_key, root_certificate(folder).subject)
    (tmp_path / "k").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (tmp_path / "c").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "serial").write_text("01\n")
    config = tmp_path / "conf"
    config.write_text(
        f"[tsa]\ndefault_tsa=t\n[t]\nserial={tmp_path}/serial\ncrypto_device=builtin\nsigner_cert={tmp_path}/c\nsigner_key={tmp_path}/k\n"
        f"certs={folder}/root.cert.pem\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\n"
    )
    query = make_query(IMPRINT)
    (tmp_path / "q").write_bytes(query.body)
    _openssl("-reply", "-queryfile", tmp_path / "q", "-config", config, "-out", tmp_path / "r")
    _, stamp = read_answer((tmp_path / "r").read_bytes(), query, [_trusted(folder)], datetime.now(UTC))
    assert (stamp.policy, stamp.serial, stamp.authority.trust_domain) == ("1.2.3.4", 2, "某大学")


def _certificate(
    like: x509.Certificate,
    key: Any,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *,
    leave_out: Any = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
    )
    for each in like.extensions:
        if each.oid not in (x509.SubjectKeyIdentifier.oid, leave_out):
            builder = builder.add_extension(each.value, critical=each.critical)
    return builder.sign(signer, hashes.SHA256())


def test_what_an_answer_must_repeat_and_how_it_must_look(folder: Path) -> None:
    trusted, now = [_trusted(folder)], datetime.now(UTC)
    _, query, answer = _stamped(folder)

    def read(data: bytes, asked: Query = query, at: datetime = now) -> Any:
        return lambda: read_answer(data, asked, trusted, at)

    assert _code(read(answer, Query(query.body, IMPRINT, query.nonce + 1))) == "answer.nonce"
    assert _code(read(answer, Query(query.body, IMPRINT, query.nonce, "1.2.3"))) == "answer.policy"
    assert _code(read(answer, Query(query.body, b"\0" * 32, query.nonce))) == "imprint.other"
    assert _code(read(answer, at=now + timedelta(minutes=6))) == "answer.clock"
    for garbage in (b"", b"garbage", b"\x30\x80", answer[:-1], answer + b"\0"):
        assert _code(read(garbage)) == "answer.unreadable"
    assert _code(read(b"\x30" * (MAX_ANSWER + 1))) == "answer.size"
    refused = Authority(folder).answer(make_query(IMPRINT, "1.2.3").body)
    with pytest.raises(StampProblem, match="unaccepted_policy"):
        read(refused)()


@contextmanager
def _answering(status: int, parts: list[bytes], pause: float) -> Iterator[str]:
    """An authority that answers anybody with these bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            with suppress(OSError):
                for part in parts:
                    self.wfile.write(part)
                    time.sleep(pause)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "parts", "pause", "code"),
    [
        (500, [b"no"], 0.0, "answer.status"),
        (302, [b""], 0.0, "answer.status"),
        (200, [b"<html>"], 0.0, "answer.unreadable"),
        (200, [b"0" * 8192] * 4, 0.0, "answer.size"),
        (200, [b"0"] * 20, 0.1, "answer.slow"),
    ],
)
def test_whatever_an_authority_answers_is_one_plain_sentence(
    folder: Path, status: int, parts: list[bytes], pause: float, code: str
) -> None:
    with _answering(status, parts, pause) as url, httpx.Client(trust_env=False, timeout=60) as http:
        within = 0.2 if pause else 60.0
        query = make_query(IMPRINT)
        assert _code(lambda: ask(http, url, query, [_trusted(folder)], within_s=within)) == code


def test_a_token_that_is_changed_anywhere_or_anothers_never_holds(folder: Path, tmp_path: Path) -> None:
    token, _, _ = _stamped(folder)
    trusted = _trusted(folder)
    for place in range(0, len(token), 3):
        spoilt = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        _code(lambda spoilt=spoilt: verify_token(spoilt, IMPRINT, [trusted]))
    stranger = authority_of("tsa.test/1", "别人", root_certificate(_made(tmp_path / "b")), "test")
    assert _code(lambda: verify_token(token, IMPRINT, [stranger])) == "signer.unknown"
    assert _code(lambda: verify_token(token, IMPRINT, [])) == "signer.unknown"
    assert _code(lambda: verify_token(b"\0" * 20_000, IMPRINT, [trusted])) == "token.size"


def test_a_token_that_its_maker_signed_over_nonsense_is_one_plain_sentence(folder: Path) -> None:
    token, _, _ = _stamped(folder)
    trusted, authority = _trusted(folder), Authority(folder)
    message = cms.ContentInfo.load(token)
    content = message["content"]["encap_content_info"]["content"].contents
    info = tsp.TSTInfo.load(content)
    for field, instead, code in (
        ("message_imprint", b"\x30\x03\x02\x01\x05", "token.unreadable"),
        ("accuracy", b"\x30\x0f\x02\x0d\x7f" + b"\xff" * 12, "token.accuracy"),
        ("accuracy", b"\x30\x04\x02\x02\x0e\x10", "token.accuracy"),
        ("accuracy", b"\x30\x03\x02\x01\xff", "token.accuracy"),
    ):
        parts = [instead if name == field else info[name].dump() for name, *_ in tsp.TSTInfo._fields]
        made = core.Sequence(contents=b"".join(parts)).dump()
        spoilt = authority._signed(made, certificate=True).dump()
        assert _code(lambda spoilt=spoilt: verify_token(spoilt, IMPRINT, [trusted])) == code, (field, code)
    signer = message["content"]["signer_infos"][0]
    signer["unsigned_attrs"] = cms.CMSAttributes([{"type": "1.2.3", "values": [core.Null()]}])
    assert _code(lambda: verify_token(message.dump(force=True), IMPRINT, [trusted])) == "token.malformed"


def test_without_the_decoder_nothing_is_said_against_a_stamp(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _, _ = _stamped(folder)
    log = InMemoryLog("demo.log.test")
    log.grow(1)
    monkeypatch.setitem(sys.modules, "asn1crypto", None)
    note = log.checkpoint() + format_attachment("tsa.test/1", STAMP_TYPE, token)
    (told,) = stamp_findings(note, [_trusted(folder)])
    assert told.standing == "unchecked" and "plumbline[server]" in told.zh


def test_the_root_is_dated_and_certificates_are_taken_back(folder: Path) -> None:
    token, _, _ = _stamped(folder)
    document = authority_as_document(_trusted(folder))
    now = datetime.now(UTC)
    ended = authority_from_document(document | {"until": (now - timedelta(minutes=1)).isoformat()})
    assert _code(lambda: verify_token(token, IMPRINT, [ended])) == "signer.expired"
    serial = f"{Authority(folder).certificate.serial_number:x}"
    for at, code in ((now - timedelta(hours=1), "signer.revoked"), (now + timedelta(hours=1), "")):
        revoked = Revocation(serial, at)
        taken = authority_from_document(
            document | {"revoked": [{"serial": revoked.serial, "at": revoked.at.isoformat()}]}
        )
        if code:
            assert _code(lambda taken=taken: verify_token(token, IMPRINT, [taken])) == code
        else:  # a stamp from before the certificate was taken back holds
            assert verify_token(token, IMPRINT, [taken]).authority is taken


def test_a_certificate_that_has_expired_or_is_for_something_else_stamps_nothing(tmp_path: Path) -> None:
    folder = _made(tmp_path / "a")
    authority = Authority(folder)
    trusted = _trusted(folder)
    late = Authority(folder, now=lambda: authority.certificate.not_valid_after_utc + timedelta(days=1))
    query = make_query(IMPRINT)
    with pytest.raises(StampProblem, match="time_not_available"):
        read_answer(late.answer(query.body), query, [trusted], datetime.now(UTC))
    late._is_valid = lambda now: True  # type: ignore[method-assign]
    token = tsp.TimeStampResp.load(late.answer(query.body))["time_stamp_token"].dump()
    assert _code(lambda: verify_token(token, IMPRINT, [trusted])) == "signer.expired"
    root_key = serialization.load_pem_private_key((folder / "root.key.pem").read_bytes(), None)
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    plain = _certificate(
        authority.certificate,
        authority.certificate.public_key(),
        root_key,
        root_certificate(folder).subject,
        leave_out=x509.ExtendedKeyUsage.oid,
    )
    (folder / "signer.cert.pem").write_bytes(plain.public_bytes(serialization.Encoding.PEM))
    (folder / "serial.json").write_text('{"serial": 1, "at": "2026-01-01T00:00:00+00:00"}')
    token = tsp.TimeStampResp.load(Authority(folder).answer(query.body))["time_stamp_token"].dump()
    assert _code(lambda: verify_token(token, IMPRINT, [trusted])) == "signer.purpose"


def test_serial_numbers_and_times_only_grow_and_are_never_given_twice(tmp_path: Path) -> None:
    folder = _made(tmp_path / "a")
    moment = [datetime.now(UTC)]
    authority = Authority(folder, now=lambda: moment[0])

    def given() -> tuple[int, datetime]:
        info = tsp.TimeStampResp.load(authority.answer(make_query(IMPRINT).body))["time_stamp_token"][
            "content"
        ]
        read = info["encap_content_info"]["content"].parsed
        assert read["ordering"].native
        return read["serial_number"].native, read["gen_time"].native

    first, second = given(), given()
    assert (second[0], second[1]) == (first[0] + 1, first[1] + timedelta(microseconds=1))
    authority = Authority(folder, now=lambda: moment[0])  # started anew
    assert given()[0] == first[0] + 2
    moment[0] -= timedelta(minutes=1)  # a clock that stepped back stamps nothing
    refusal = authority.answer(make_query(IMPRINT).body)
    assert len(refusal) < 20
    (folder / "serial.json").write_text("{}")
    with pytest.raises(AuthorityProblem, match="序号"):
        authority.answer(make_query(IMPRINT).body)
    assert run_timestamp(Namespace(what="serve", folder=str(folder), host="127.0.0.1", port=0)) == 1
    assert run_timestamp(Namespace(what="renew", folder=str(folder))) == 0
    moment[0] = datetime.now(UTC) + timedelta(seconds=2)
    authority = Authority(folder, now=lambda: moment[0])
    assert given()[0] > first[0] + 2


def test_a_stamp_is_a_line_of_the_checkpoint_that_the_readers_own_list_believes(
    folder: Path, tmp_path: Path
) -> None:
    log = InMemoryLog("demo.log.test")
    log.grow(3)
    note = log.checkpoint()
    imprint = hashlib.sha256(parse_note(note).text.encode()).digest()
    query = make_query(imprint)
    trusted = _trusted(folder)
    token, _ = read_answer(Authority(folder).answer(query.body), query, [trusted], datetime.now(UTC))
    stamped = note + format_attachment("tsa.test/1", STAMP_TYPE, token)
    assert open_checkpoint(stamped, log.verifiers).checkpoint.size == 3  # a reader that knows no stamps
    assert [each.data for each in attachments(parse_note(stamped), STAMP_TYPE)] == [token]
    (tmp_path / "trust.txt").write_text(authority_as_line(trusted) + "\n", "utf-8")
    believed = read_trust([str(tmp_path / "trust.txt")]).authorities
    (told,) = stamp_findings(stamped, believed)
    assert told.standing == "holds" and told.at is not None
    assert "之前已存在，由 tsa.test/1 证明（信任域：某大学" in told.zh
    (unknown,) = stamp_findings(stamped, [])
    assert unknown.standing == "unchecked" and "没有核验" in unknown.zh
    moved = stamped.replace("\n3\n", "\n4\n")
    assert [each.standing for each in stamp_findings(moved, believed)] == ["fails"]
    assert stamp_findings(note, believed) == ()
