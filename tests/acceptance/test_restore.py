"""A whole platform is restored from a copy of its database folder and goes on in a next epoch (恢复备份以后)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from plumbline.demo.answering import Answering, each_once
from plumbline.demo.cast import REPLAY_PROJECT, build_cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.city import cube_plan
from plumbline.demo.clients import open_clients
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.plan import Oddities
from plumbline.demo.story import SEED, enrol_cast
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.supervisor import Supervisor
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.sdk.bundle.archive import read_bundle
from plumbline.sdk.bundle.format import members_of, pack
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.bundle.verify import verify_bundle
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import Platform
from plumbline.supervision.dossier.build import bundle_response_bytes
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.run import Serving, process_specs

pytestmark = [pytest.mark.service, pytest.mark.slow]


@contextmanager
def _running(folder: Path, port: int) -> Iterator[Platform]:
    """All processes of the platform in `folder`, over HTTP, as `supervision serve` runs them."""
    cluster, serving = Cluster(folder), Serving(port=port)
    settings = Settings(
        origin="demo.restore.example/log",
        public_url=serving.url,
        demo=True,
        operator=DEMO_OPERATOR,
        opened_at=datetime.now(UTC) - timedelta(days=120),
    )
    platform = prepare(folder, cluster.start(), settings)
    supervisor = Supervisor(process_specs(platform, serving, free_port()), platform.folder("logs"))
    try:
        supervisor.start()
        yield platform
    finally:
        supervisor.stop()
        cluster.stop()


def _report(platform: Platform, enrolment: Enrolment, key: str) -> ChainResult:
    now = datetime.now(UTC)
    cast = build_cast(SEED, now.date())
    common = {
        "key": f"restore/{key}",
        "project": REPLAY_PROJECT,
        "unit_work": "1 号楼",
        "part": f"{key} 层柱",
        "technician": "technician",
    }
    made, start = now - timedelta(days=31), now - timedelta(days=3)
    plan = cube_plan(
        common, seed=417, made=made, age=28, grade="C30", strengths=(36.1, 37.2, 38.4), start=start
    )
    with open_clients(cast, platform.data_dir, platform.public_url) as clients:
        return Chain(clients, cast, enrolment).run(replace(plan, uid_at=now, oddities=Oddities()))


def _cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plumbline.cli", *arguments, "--data-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _check(platform: Platform, data: bytes, *, without: int | None = None):
    trust = read_trust([str(platform.data_dir / "trust.txt"), str(platform.folder("roots"))])
    keys = [key for key in trust.log_keys if without is None or f"/{without}+" not in key]
    return verify_bundle(data, log_keys=keys, roots=trust.roots, code_keys=trust.code_keys)


def test_a_restored_platform_goes_on_and_both_epochs_verify(short_folder: Path) -> None:
    if os.environ.get("DATABASE_URL"):
        pytest.skip(
            "copies the folder of the embedded database; an external one is restored with its own tools"
        )
    port = free_port()
    with _running(short_folder, port) as platform:
        now = datetime.now(UTC)
        enrolment = enrol_cast(platform, at=now, stated=False, today=now.date())
        first = _report(platform, enrolment, "二")
        assert first.state == "registered", first
        time.sleep(1.5)  # a checkpoint is published once a second
    backup = short_folder / "backup"
    shutil.copytree(short_folder / "pgdata", backup, symlinks=True)
    with _running(short_folder, port) as platform:
        lost = _report(platform, enrolment, "三")
        assert lost.state == "registered", lost
    shutil.rmtree(short_folder / "pgdata")
    backup.rename(short_folder / "pgdata")
    with _running(short_folder, port) as platform:
        stopped = httpx.get(f"{platform.public_url}/x/v1/checkpoint", trust_env=False)
        assert stopped.status_code == 503 and "恢复到了以前" in stopped.json()["detail"]
        page = httpx.get(f"{platform.public_url}/v/{first.code}", trust_env=False)
        assert page.status_code == 200 and "真" in page.text  # reading goes on
        assert "缺少" in _cli(short_folder, "log", "resume").stdout
        done = _cli(short_folder, "log", "resume", "--by", "值班员", "--because", "演练：从备份恢复", "--yes")
        assert done.returncode == 0, done.stderr
        after = _report_once_signing_goes_on(platform, enrolment)
        assert after.state == "registered", after
        _lost_comes_back(platform, short_folder, lost)
        status = httpx.get(f"{platform.public_url}/status/", trust_env=False).text
        assert "第 2 期" in status and "演练：从备份恢复" in status
        assert _cli(short_folder, "audit").returncode == 0
        old, new = (bundle_response_bytes(platform, each.entries["application"]) for each in (first, after))
        web = PlatformKeys.load(platform.folder("keys")).signer("web")
    for data in (old, new):
        check = _check(platform, data)
        assert check.ok, check.failure
    assert {each.epoch for each in read_bundle(new).content.entries} == {1, 2}
    assert not _check(
        platform, new, without=2
    ).ok  # who trusts the first epoch does not thereby trust the second
    _no_forged_bundle_holds(platform, new, web)


def _report_once_signing_goes_on(platform: Platform, enrolment: Enrolment) -> ChainResult:
    """Processes look again by themselves; a client that was told 503 with Retry-After comes back."""
    until = time.monotonic() + 60
    while True:
        try:
            return _report(platform, enrolment, f"五{time.monotonic():.0f}")
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(2)


def _state(platform: Platform, code: str) -> str:
    """What a program is told of a code; empty for one that is not known."""
    told = httpx.get(
        f"{platform.public_url}/v/{code}", headers={"Accept": "application/json"}, trust_env=False
    )
    return told.json()["state"] if told.status_code == 200 else ""


def _nothing_is_withheld_before_the_witness_has_sent_again(platform: Platform, application: str) -> None:
    """The application is there again, and for want of the witnessing it has no code: but nobody takes it for an unwitnessed one yet."""
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:

        def state() -> str:
            row = conn.execute("SELECT state FROM fact.application WHERE id = %s", [application]).fetchone()
            return row[0] if row else ""

        until = time.monotonic() + 60
        while state() == "":
            assert time.monotonic() < until
            time.sleep(0.1)
        for _ in range(30):
            assert state() == "applied"
            time.sleep(0.1)


def _lost_comes_back(platform: Platform, folder: Path, lost: ChainResult) -> None:
    """The station asks, and nobody else does anything: the parties' programs send what only they still have, the report included."""
    code = lost.code
    assert code and _state(platform, code) == ""
    stop = threading.Event()
    parties = each_once([build_cast(SEED, datetime.now(UTC).date())])
    firm = [each for each in parties if each.role == "resident_engineer_firm"]
    answering, late = (
        Answering(those, platform.data_dir, platform.public_url, every_s=0.5)
        for those in ([each for each in parties if each not in firm], firm)
    )
    threads = answering.start(stop)
    try:
        asked = _cli(folder, "retransmit", "ask", "--by", "值班员", "--because", "演练：请补传", "--yes")
        assert asked.returncode == 0, asked.stdout + asked.stderr
        until, wanted = time.monotonic() + 90, asked.stdout.count("：已请求（")
        assert wanted >= 3, asked.stdout
        _nothing_is_withheld_before_the_witness_has_sent_again(platform, lost.entries["application"])
        threads += late.start(stop)
        while _state(platform, code) != "genuine_demo" or len(answering.told) + len(late.told) < wanted:
            assert time.monotonic() < until, (_state(platform, code), answering.told, late.told)
            time.sleep(0.3)
    finally:
        stop.set()
        for each in threads:
            each.join(30)
    assert not any(each.is_alive() for each in threads)
    told = [each for _, each in (*answering.told, *late.told)]
    assert not [reason for each in told for reason in each.not_held.values()]
    assert sum(len(each.resent) for each in told) > 10
    assert _cli(folder, "retransmit", "status").returncode == 0


def _no_forged_bundle_holds(platform: Platform, data: bytes, web: Ed25519Signer) -> None:
    """Even with the platform's own statement: a bundle without the first entry of the second epoch, or one that names another epoch."""
    content = read_bundle(data).content
    opening = next(each for each in content.entries if (each.epoch, each.index) == (2, 0))
    cut = replace(content, entries=tuple(each for each in content.entries if each is not opening))
    last = max((each for each in content.entries if each.epoch == 1), key=lambda each: each.index)
    entries = [replace(each, epoch=2) if each is last else each for each in content.entries]
    moved = replace(content, entries=tuple(sorted(entries, key=lambda each: each.place)))
    for forged, word in ((cut, "第 2 期的第 0 条"), (moved, "另一个日志")):
        check = _check(platform, pack(members_of(forged, web)))
        assert not check.ok
        assert any(word in step.sentence_zh for step in check.steps), [
            s.sentence_zh for s in check.steps if not s.ok
        ]
