"""A third party without our software: bash, curl and openssl take one report from contract to verification (第三方全程)."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plumbline.demo.cast import PRESS, Cast, build_cast
from plumbline.demo.enrolment import Enrolment, certificate_sha256
from plumbline.demo.keys import institution_folder, party_keys, report_keys
from plumbline.demo.story import SEED, enrol_cast
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.receipt import verify_receipt
from plumbline.supervision.journal.heads import log_origin

HERE = Path(__file__).parent
SCRIPT = HERE / "curl_openssl.sh"
HOW_TO = HERE.parents[1] / "docs" / "how-to" / "curl-openssl.md"
PARTIES = {
    "INSTITUTION": "institution",
    "OWNER": "owner",
    "CONTRACTOR": "contractor",
    "ENGINEER": "resident_engineer_firm",
}
PEOPLE = ("sampler", "witness", "client", "receiver", "technician", "reviewer", "approver")
#: Tables that hold the eight steps, and how the table names the thing.
STEPS = {
    "contract": "contract.signed",
    "sample": "sampling.recorded",
    "witnessing": "witnessing.recorded",
    "commission": "commission.placed",
    "receipt": "receipt.recorded",
    "run": "run.recorded",
    "application": "report.applied",
    "registration": "report.registered",
}


def parties_conf(cast: Cast, enrolment: Enrolment, data_dir: Path) -> str:
    """What the parties know of themselves, as shell variables."""
    values = {
        "PROJECT": next(iter(enrolment.projects.values())),
        "SITE": cast.site,
        "INSTRUMENT": PRESS,
        "CERTIFICATE_SHA256": certificate_sha256(report_keys(cast, data_dir)),
    }
    values |= {name.upper(): cast.person(name) for name in PEOPLE}
    for name, party in PARTIES.items():
        keys = party_keys(cast, data_dir, party)  # type: ignore[arg-type]  # the table's own keys
        values[f"{name}_PARTY"] = cast.party(party)  # type: ignore[arg-type]  # as above
        for use in ("transport", "origin"):
            values[f"{name}_{use.upper()}_KEY"] = str(keys.folder / f"{use}.key.pem")
            values[f"{name}_{use.upper()}_ID"] = getattr(keys, use).key_id
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def run_script(work: Path, conf: Path, url: str, keys: Path) -> str:
    """Standard output of the script; fails with what it said."""
    environment = {
        "PATH": os.environ["PATH"],
        "BASE_URL": url,
        "PARTIES": str(conf),
        "WORK": str(work),
        "CHUNK": "65536",
        "SERIAL": "907",  # other tests of the session have taken numbers of this series
        "RENDER": f"{sys.executable} {HERE / 'print_report.py'}",
        "SIGN": f"{sys.executable} -m plumbline.cli sign --keys {keys}",
    }
    done = subprocess.run(
        ["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def third_party(running_platform: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the script told, and the folder that it left."""
    platform, now = running_platform.platform, datetime.now(UTC)
    enrolment = enrol_cast(platform, at=now - timedelta(days=100), stated=False, today=now.date())
    cast = build_cast(SEED, now.date())
    folder = tmp_path_factory.mktemp("third-party")
    conf = folder / "parties.conf"
    conf.write_text(parties_conf(cast, enrolment, platform.data_dir), encoding="utf-8")
    keys = institution_folder(cast, platform.data_dir) / "keys"
    return run_script(folder / "work", conf, running_platform.url, keys), folder / "work"


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.clause("CECS 6.0.1", "GX 八(一)")
def test_curl_and_openssl_alone_bring_a_report_to_the_public_page(third_party: tuple[str, Path]) -> None:
    told, _ = third_party
    assert re.search(r"^监管码 [0-9A-Z]{21}$", told, re.M)
    assert told.splitlines()[-2:] == ["登记的原件：genuine_demo", "改动一个字节：changed"]


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.clause("CECS 6.0.1")
def test_the_platform_holds_every_step_of_the_third_party(
    third_party: tuple[str, Path], running_platform: Any
) -> None:
    told, _ = third_party
    with psycopg.connect(running_platform.platform.conninfo("plumb_projector")) as conn:
        for table, kind in STEPS.items():
            entry = re.search(rf"^已入账 {re.escape(kind)} ([0-9a-f]{{32}})$", told, re.M)
            assert entry, kind
            query = f"SELECT 1 FROM fact.{table} WHERE id = %s".encode()
            assert conn.execute(query, [entry[1]]).fetchone(), table


@pytest.mark.service
@pytest.mark.slow
def test_every_receipt_that_the_script_kept_is_proof_offline(
    third_party: tuple[str, Path], running_platform: Any
) -> None:
    told, work = third_party
    signer = running_platform.signer
    key = parse_verifier(signer.verifier_key(log_origin(running_platform.platform.origin, 1)))
    receipts = sorted(work.joinpath("receipts").glob("*.receipt"))
    assert len(receipts) == told.count("已入账") == 13
    for path in receipts:
        message = path.with_suffix(".message.json").read_bytes()
        checked = verify_receipt(path.read_text("utf-8"), [key], message=message)
        assert checked.failure is None, checked.failure


def test_the_walk_through_prints_the_script_itself() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.M | re.S)
    assert "\n".join(blocks) == SCRIPT.read_text(encoding="utf-8")


def test_the_script_needs_nothing_but_bash_curl_openssl_and_coreutils() -> None:
    text = "\n".join(line for line in SCRIPT.read_text("utf-8").splitlines() if not line.startswith("#"))
    assert not re.search(r"\b(python3?|jq|perl|awk|node|plumbline)\b", text)
