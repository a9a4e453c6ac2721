"""The virus scan (查毒): the protocol against a small socket server, what becomes of an infected file, an outage, and the real clamd."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.rows import dict_row

from plumbline.supervision.gateway.public_page import page_of
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.reading.status import scanning_sentence
from plumbline.supervision.scanner import (
    INFECTED,
    NOT_SCANNED,
    Policy,
    Scanned,
    Scanner,
    ScannerProblem,
    ScanSettings,
    ScanSettingsProblem,
    withheld_because,
)
from plumbline.supervision.worker.scanning import Scanning

#: The harmless test file of the anti-virus makers, in two parts so that no scanner takes this file for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
Verdict = Callable[[bytes], bytes]


def _said(data: bytes) -> bytes:
    return b"stream: Eicar-Test-Signature FOUND\0" if EICAR in data else b"stream: OK\0"


class _Clamd(socketserver.StreamRequestHandler):
    """One question of clamd's protocol: VERSION, or INSTREAM with its chunks."""

    def handle(self) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += self.rfile.read(1)
        if command == b"zVERSION\0":
            self.wfile.write(b"ClamAV 1.4.6/27000\0")
            return
        assert command == b"zINSTREAM\0"
        data = bytearray()
        while size := struct.unpack(">I", self.rfile.read(4))[0]:
            data += self.rfile.read(size)
        self.wfile.write(self.server.verdict(bytes(data)))  # type: ignore[attr-defined]


@contextmanager
def _clamd(verdict: Verdict = _said) -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Clamd) as server:
        server.daemon_threads = True
        server.verdict = verdict  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"tcp:127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _file(folder: Path, data: bytes) -> Path:
    path = folder / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


def test_a_file_is_streamed_whole_and_the_scanner_s_word_stands(tmp_path):
    long = os.urandom(300_000)
    with _clamd() as address:
        scanner = Scanner(address)
        assert scanner.version() == "ClamAV 1.4.6/27000"
        assert scanner.scan(_file(tmp_path, long)) == Scanned(outcome="clean")
        found = scanner.scan(_file(tmp_path, long + EICAR + long))
    assert found == Scanned(outcome="infected", found="Eicar-Test-Signature")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", "failed"),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", "failed"),
        (b"stream: a\nb FOUND\0", "infected"),
        (b"stream: OK FOUND\0", "infected"),
        (b"stream: NOT OK\0", None),
        (b"stream: OK", None),
        (b"", None),
        (b"\0", None),
        (b"x" * 10_000 + b"\0", None),
        (b"\xff\xfe\0", None),
    ],
)
def test_only_the_word_ok_is_clean(tmp_path, answer, outcome):
    with _clamd(lambda data: answer) as address:
        scanner = Scanner(address)
        if outcome is None:
            with pytest.raises(ScannerProblem):
                scanner.scan(_file(tmp_path, b"data"))
        else:
            assert scanner.scan(_file(tmp_path, b"data")).outcome == outcome


def test_a_scanner_that_says_ok_before_it_read_everything_is_no_scanner():
    class Wire:
        def send(self, data: bytes) -> None:
            if data != b"zINSTREAM\0":
                raise ScannerProblem("gone")

        def answer(self) -> str:
            return "stream: OK"

    with pytest.raises(ScannerProblem, match="没有读完"):
        Scanner("tcp:127.0.0.1:1")._streamed(Wire(), iter([b"data"]))  # type: ignore[arg-type]


def test_a_file_that_the_scanner_dies_of_is_put_aside_and_an_outage_is_not_blamed_on_files(tmp_path):
    """Otherwise one file stands for ever in front of all others, and under `require` nothing is served any more."""
    settings = ScanSettings(policy=Policy.REQUIRE, address=f"unix:{tmp_path}/nobody.sock")
    scanning = Scanning("", FileStore(tmp_path / "files"), settings)
    for digest in ("aa", "aa", "bb", "bb"):
        with pytest.raises(ScannerProblem):
            scanning._require_fault_of_the_file(digest)
    scanning._require_fault_of_the_file("aa")


def test_settings_name_what_is_wrong_and_what_to_do():
    assert ScanSettings.from_env({}) == ScanSettings(policy=Policy.OFF)
    assert ScanSettings.from_env({"PLUMB_CLAMD": "unix:/run/clamd.ctl"}).policy is Policy.ASK
    told = {"PLUMB_CLAMD": "tcp:scan.example:3310", "PLUMB_SCAN": "require"}
    assert ScanSettings.from_env(told).policy is Policy.REQUIRE
    for wrong in (
        {"PLUMB_SCAN": "require"},
        {"PLUMB_SCAN": "yes"},
        {"PLUMB_CLAMD": "scan.example:3310"},
        {"PLUMB_CLAMD": "tcp:scan.example:0"},
        {"PLUMB_CLAMD": "unix:clamd.ctl"},
    ):
        with pytest.raises(ScanSettingsProblem, match=r"PLUMB_.*请"):
            ScanSettings.from_env(wrong)


@pytest.mark.parametrize(
    ("scan", "policy", "because"),
    [
        ("clean", Policy.REQUIRE, ""),
        (None, Policy.ASK, ""),
        ("failed", Policy.ASK, ""),
        (None, Policy.OFF, ""),
        ("infected", Policy.OFF, INFECTED),
        ("infected", Policy.REQUIRE, INFECTED),
        (None, Policy.REQUIRE, NOT_SCANNED),
        ("failed", Policy.REQUIRE, NOT_SCANNED),
    ],
)
def test_infected_is_given_to_nobody_and_under_require_nothing_that_was_not_found_clean(
    scan, policy, because
):
    assert withheld_because(scan, policy) == because


def test_the_status_page_says_what_the_workers_tell():
    assert scanning_sentence([{"detail": {}}], waiting=0)[1] == "没有接病毒扫描"
    told = {"scanner": {"policy": "require", "version": "ClamAV 1.4.6", "problem": ""}}
    tone, sentence = scanning_sentence([{"detail": told}], waiting=3)
    assert (tone, sentence) == ("ok", "已接，查过才提供；ClamAV 1.4.6；3 个文件尚未查验")
    silent = {"scanner": {"policy": "require", "version": "", "problem": "连不上病毒扫描"}}
    assert scanning_sentence([{"detail": silent}], waiting=0) == ("warn", "已接，查过才提供；连不上病毒扫描")


class _Site:
    """Stored files of a quiet platform, and one round of the scanner over them."""

    def __init__(self, platform) -> None:
        self.platform = platform
        self.files = FileStore(platform.folder("files"))

    def store(self, data: bytes, state: str = "stored") -> str:
        digest = self.files.store(data)
        with psycopg.connect(self.platform.conninfo("plumb_gateway")) as conn:
            conn.execute(
                "INSERT INTO ops.file (sha256, bytes, media_type, uploaded_by, state) VALUES (%s, %s, 'image/png', %s, %s)",
                [bytes.fromhex(digest), len(data), b"\1" * 16, state],
            )
        return digest

    def round(self, address: str) -> int:
        settings = ScanSettings(policy=Policy.REQUIRE, address=address)
        scanning = Scanning(self.platform.conninfo("plumb_worker"), self.files, settings)
        conninfo = self.platform.conninfo("plumb_worker")
        with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as conn:
            return scanning.round(conn)

    def told(self) -> dict[str, tuple[str | None, str]]:
        with psycopg.connect(self.platform.conninfo("plumb_worker")) as conn:
            found = conn.execute("SELECT encode(sha256, 'hex'), scan, scan_found FROM ops.file").fetchall()
        return {digest: (scan, word) for digest, scan, word in found}

    def events(self) -> list[tuple[str, dict[str, str]]]:
        with psycopg.connect(self.platform.conninfo("plumb_worker")) as conn:
            return conn.execute(
                "SELECT subject, detail FROM ops.audit_event WHERE action = 'file.quarantined' ORDER BY id"
            ).fetchall()

    def seen_by(self, role: str, party: str) -> list[str]:
        """What the page of the exchange tells a reader of this role."""
        with psycopg.connect(self.platform.conninfo("plumb_web")) as conn:
            conn.execute(
                "SELECT set_config('role', %s, true), set_config('plumb.party', %s, true)", [role, party]
            )
            return [row[0] for row in conn.execute("SELECT sha256 FROM ops.quarantined()").fetchall()]


@pytest.mark.clause("BJ 8.4.2")
@pytest.mark.service
def test_an_infected_file_is_quarantined_once_with_an_event_and_an_outage_is_caught_up_with(quiet_platform):
    site = _Site(quiet_platform.platform)
    good, bad = site.store(b"good"), site.store(b"PDF" + EICAR)
    coming = site.store(b"not here yet", "announced")
    with pytest.raises(ScannerProblem):
        site.round("unix:/nowhere/clamd.ctl")
    assert {scan for scan, _ in site.told().values()} == {None}
    with _clamd() as address:
        assert site.round(address) == 2
        assert site.round(address) == 0
    assert site.told() == {good: ("clean", ""), bad: ("infected", "Eicar-Test-Signature"), coming: (None, "")}
    told = {"found": "Eicar-Test-Signature", "by_party": "01" * 16}
    assert site.events() == [(bad, told)]
    assert site.seen_by("plumb_institution", "01" * 16) == [bad]
    assert site.seen_by("plumb_institution", "02" * 16) == []
    assert site.seen_by("plumb_officer", "01" * 16) == []  # none of whose region's parties sent it


@pytest.mark.service
def test_a_file_that_the_scanner_chokes_on_holds_up_no_other(quiet_platform):
    site = _Site(quiet_platform.platform)
    odd, good = site.store(b"odd"), site.store(b"good")
    with _clamd(lambda data: b"" if data == b"odd" else _said(data)) as address:
        assert site.round(address) == 2
        assert site.round(address) == 0
    assert {digest: scan for digest, (scan, _) in site.told().items()} == {odd: "failed", good: "clean"}


def test_the_public_page_says_that_a_file_is_quarantined_and_offers_no_document():
    row = {
        "state": "registered",
        "examined": True,
        "accepted": True,
        "root_kind": "licensed",
        "application_attestation": "origin",
        "registration_attestation": "origin",
        "pdf_sha256": "ab" * 32,
        "examination": None,
        "report": {"issued_on": "2026-11-20"},
        "institution_name": "某机构",
        "registration": "x",
        "code": "2611HC0" + "A" * 14,
        "claims": "",
        "conclusion": "PASS",
        "project_name": "",
        "client_name": "",
        "number": "N-1",
        "sample": {},
        "registration_uid": "",
        "pdf_bytes": 1,
        "signer": "",
        "registration_idx": 1,
        "institution": "x",
        "application": "x",
        "replaced_by": None,
    }
    platform = SimpleNamespace(demo=False, origin="log.example")
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert page_of(row, {}, now, platform).document_url.endswith("/document")  # type: ignore[arg-type]
    page = page_of(row, {}, now, platform, withheld=INFECTED)  # type: ignore[arg-type]
    assert page.document_url == ""
    assert "已经隔离" in page.detail


@pytest.fixture(scope="module")
def real_clamd(tmp_path_factory) -> Iterator[str]:
    """The real daemon with one signature of our own, where it is installed (apt: clamav-daemon); no network, no database of others."""
    program = os.environ.get("PLUMB_CLAMD_PROGRAM") or shutil.which("clamd")
    if program is None:
        pytest.skip("clamd is not installed here: the protocol is tested against a server of our own")
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "own.ndb").write_text(f"Plumbline.Eicar.Test:0:*:{EICAR.hex()}\n")
    settings = f"LocalSocket {folder}/s\nDatabaseDirectory {folder}\nForeground yes\nStreamMaxLength 1M\n"
    settings += f"User {getpass.getuser()}\nPidFile {folder}/pid\n"
    (folder / "clamd.conf").write_text(settings)
    command = [program, "-c", str(folder / "clamd.conf")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield _ready(f"unix:{folder}/s", process)
        finally:
            process.kill()


def _ready(address: str, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            assert Scanner(address).version().startswith("ClamAV")
            return address
        except ScannerProblem:
            time.sleep(0.1)
    pytest.fail("clamd did not come up")


def test_the_real_clamd_finds_what_its_signature_names(real_clamd, tmp_path):
    scanner = Scanner(real_clamd)
    assert scanner.scan(_file(tmp_path, EICAR)).found == "Plumbline.Eicar.Test.UNOFFICIAL"
    assert scanner.scan(_file(tmp_path, b"a clean file")).outcome == "clean"
    too_long = scanner.scan(_file(tmp_path, bytes(2_000_000)))
    assert too_long.outcome == "failed"
