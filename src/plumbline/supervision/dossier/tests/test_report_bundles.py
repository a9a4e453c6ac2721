"""A report's bundle comes out of a real platform and is verified with the platform out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from plumbline.demo.cast import REPLAY_PROJECT, Cast, build_cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.city import cube_plan
from plumbline.demo.clients import open_clients
from plumbline.demo.plan import Oddities
from plumbline.demo.story import SEED, enrol_cast
from plumbline.domain.reporting.code import format_code
from plumbline.sdk.bundle.archive import read_bundle, read_members
from plumbline.sdk.bundle.check import BundleCheck
from plumbline.sdk.bundle.format import REPORT, STATEMENT, members_of, pack
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.bundle.verify import verify_bundle
from plumbline.sdk.bundle.volume_format import Scope
from plumbline.sdk.bundle.volume_verify import ReportFinding, VolumeCheck, VolumeTrust, verify_volume
from plumbline.supervision.config import Platform
from plumbline.supervision.dossier.build import ApplicationUnknown, bundle_response_bytes
from plumbline.supervision.dossier.volume import VolumeRefused, volume_to

pytestmark = [pytest.mark.service, pytest.mark.slow]


@dataclass(frozen=True)
class Reported:
    """Reports of one institution on a running platform."""

    platform: Platform
    cast: Cast
    chain: Chain

    def report(self, key: str, oddities: Oddities | None = None) -> ChainResult:
        now = datetime.now(UTC)
        common = {
            "key": f"bundle/{key}",
            "project": REPLAY_PROJECT,
            "unit_work": "1 号楼",
            "part": f"{key} 层柱",
            "technician": "technician",
        }
        made, start = now - timedelta(days=31), now - timedelta(days=3)
        plan = cube_plan(
            common, seed=417, made=made, age=28, grade="C30", strengths=(36.1, 37.2, 38.4), start=start
        )
        return self.chain.run(replace(plan, uid_at=now, oddities=oddities or Oddities()))

    def bundle(self, result: ChainResult) -> bytes:
        return bundle_response_bytes(self.platform, result.entries["application"])

    @property
    def trust_files(self) -> list[str]:
        return [str(self.platform.data_dir / "trust.txt"), str(self.platform.folder("roots"))]

    def check(self, data: bytes) -> BundleCheck:
        trust = read_trust(self.trust_files)
        return verify_bundle(data, log_keys=trust.log_keys, roots=trust.roots, code_keys=trust.code_keys)


@pytest.fixture(scope="module")
def reported(running_platform) -> Iterator[Reported]:
    platform, now = running_platform.platform, datetime.now(UTC)
    enrolment = enrol_cast(platform, at=now, stated=False, today=now.date())
    cast = build_cast(SEED, now.date())
    with open_clients(cast, platform.data_dir, platform.public_url) as clients:
        yield Reported(platform, cast, Chain(clients, cast, enrolment))


@pytest.fixture(scope="module")
def registered(reported: Reported) -> ChainResult:
    result = reported.report("二")
    assert result.state == "registered", result
    return result


@pytest.fixture(scope="module")
def data(reported: Reported, registered: ChainResult) -> bytes:
    return reported.bundle(registered)


def told(check: BundleCheck) -> str:
    return "\n".join(step.sentence_zh for step in check.steps)


def roles(data: bytes) -> list[str]:
    return [each.role for each in read_bundle(data).content.entries]


@pytest.mark.clause("CECS 4.1.2-c")
def test_a_real_report_verifies_and_is_never_called_genuine(reported: Reported, data: bytes) -> None:
    check = reported.check(data)
    assert check.ok, check.failure
    assert (check.unchecked, check.is_demo, check.cosigned_by) == ((), True, ())
    assert check.verdict_zh.startswith(
        "【演示数据】此码由衡川市建设工程质量安全监督站签发，内容为衡川诚测检测有限公司"
    )
    assert check.verdict_zh.endswith("是否作废、纸面是否一致须联网或核对。")
    assert "真" not in check.verdict_zh
    for words in ("尚无外部联署", "演示证书", "平台声明：截至日志第", "institution.device.ye-2000-06"):
        assert words in told(check)


def test_the_whole_chain_is_in_it(data: bytes) -> None:
    once = {
        "log.opened", "project.registered", "contract.signed", "sampling.recorded", "witnessing.recorded", "commission.placed",
        "receipt.recorded", "number.taken", "run.recorded", "evaluation.computed", "report.applied", "code.reserved",
        "report.registered",
    }  # fmt: skip
    found = roles(data)
    assert {each for each in found if found.count(each) == 1} >= once
    assert found.count("review.recorded") == 2
    # operator and institution, owner, contractor, firm; transport and origin keys of four, and the press
    assert (found.count("party.registered"), found.count("key.enrolled")) == (4, 9)


def test_it_verifies_without_platform_network_or_database(
    reported: Reported, data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "report.zip").write_bytes(data)
    trust, roots = reported.trust_files
    shutil.copy(trust, tmp_path / "trust.txt")
    shutil.copytree(roots, tmp_path / "roots")
    program = (
        "import sys\n"
        "def watch(event, given):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise SystemExit('the verifier used the network')\n"
        "sys.addaudithook(watch)\n"
        "from plumbline.cli import main\n"
        "sys.exit(main(['verify', 'report.zip', '--trust', 'trust.txt', '--trust', 'roots']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("须联网或核对。")


def test_every_changed_member_of_a_real_bundle_is_noticed(reported: Reported, data: bytes) -> None:
    members = read_members(data)
    for name, found in members.items():
        middle = len(found) // 2
        changed = found[:middle] + bytes([found[middle] ^ 4]) + found[middle + 1 :]
        check = reported.check(pack(members | {name: changed}))
        folder = name.rpartition("/")[0]
        assert check.failure is not None, name
        assert name.startswith("manifest") or (folder or name) in told(check), (name, check.failure)


def test_every_entry_taken_out_is_noticed(reported: Reported, data: bytes) -> None:
    bundle, members = read_bundle(data), read_members(data)
    content = bundle.content
    for each in content.entries:
        left = replace(
            content,
            entries=tuple(one for one in content.entries if one.entry != each.entry),
            pictures=tuple(one for one in content.pictures if one.entry != each.entry),
        )
        changed = members_of(left) | {STATEMENT: members[STATEMENT]}
        assert not reported.check(pack(changed)).ok, each.role


def test_nobodys_name_is_in_it_but_on_the_signed_report(reported: Reported, data: bytes) -> None:
    names = {person.name for person in reported.cast.people.values()}
    for member, found in read_members(data).items():
        if member != REPORT:
            assert not [name for name in names if name.encode() in found], member
    assert "person.registered" not in roles(data)


def test_pictures_of_people_stay_out(data: bytes) -> None:
    pictures = read_bundle(data).content.pictures
    assert {each.picture for each in pictures if each.data} == {"sealed_sample", "press_start", "break"}
    assert {"sampler", "witness"} <= {each.picture for each in pictures if each.data is None}


def test_a_withdrawn_report_says_so(reported: Reported) -> None:
    result = reported.report("三", Oddities(withdrawn="结构部位填写有误"))
    check = reported.check(reported.bundle(result))
    assert not check.ok
    assert [step.name for step in check.steps if not step.ok] == ["force"]
    assert "撤回，原因：结构部位填写有误。请不要采用。" in check.verdict_zh


def test_a_bundle_from_before_the_withdrawal_cannot_know(reported: Reported) -> None:
    """Why the offline verdict never says that a report is genuine."""
    result = reported.report("四")
    before = reported.bundle(result)
    assert reported.check(before).ok
    assert "是否作废" in reported.check(before).verdict_zh


def test_a_replaced_report_names_the_newer_code(reported: Reported) -> None:
    result = reported.report("五", Oddities(superseded="更正代表数量"))
    with psycopg.connect(reported.platform.conninfo("plumb_worker")) as conn:
        row = conn.execute(
            "SELECT application FROM fact.code WHERE replaced_by = %s", [result.code]
        ).fetchone()
    assert row is not None
    older = reported.check(bundle_response_bytes(reported.platform, row[0]))
    assert "已被第 2 版" in older.verdict_zh
    assert format_code(result.code or "") in older.verdict_zh
    newer = reported.check(reported.bundle(result))
    assert newer.ok, newer.failure


def test_a_reserved_code_gives_a_bundle_without_report(reported: Reported) -> None:
    data = reported.bundle(reported.report("六", Oddities(end="reserved")))
    check = reported.check(data)
    assert check.ok, check.failure
    assert read_bundle(data).content.pdf is None
    assert check.verdict_zh.endswith("报告还没有登记，不能采用。")


def test_a_withheld_code_gives_a_bundle_too(reported: Reported) -> None:
    result = reported.report("七", Oddities(without_curves=True))
    assert result.state == "withheld"
    check = reported.check(reported.bundle(result))
    assert check.ok, check.failure
    assert "这份申请还没有监管码" in told(check)


def test_an_application_that_is_none_is_said_to_be_unknown(reported: Reported) -> None:
    with pytest.raises(ApplicationUnknown):
        bundle_response_bytes(reported.platform, "0" * 32)


def bound(reported: Reported, path: Path, scope: Scope, seen: bool = True) -> int:
    told: list[tuple[str, int, int]] = []
    length = volume_to(
        path, reported.platform, scope, lambda ids: dict.fromkeys(ids, seen), lambda *each: told.append(each)
    )
    assert told[-1][0] == "写入" and told[-1][1] == told[-1][2]
    return length


def read_volume(reported: Reported, path: Path) -> tuple[VolumeCheck, list[ReportFinding]]:
    trust, told = read_trust(reported.trust_files), list[ReportFinding]()
    asked = VolumeTrust(log_keys=trust.log_keys, roots=trust.roots, code_keys=trust.code_keys)
    return verify_volume(path, asked, told=lambda each, _: told.append(each)), told


def test_a_volume_of_the_project_holds_every_report_with_its_state(
    reported: Reported, registered: ChainResult, tmp_path: Path
) -> None:
    """Whatever this module reported before stands in it, withdrawn or not, and what they share is there once."""
    with psycopg.connect(reported.platform.conninfo("plumb_worker")) as conn:
        row = conn.execute(
            "SELECT project, institution FROM fact.application WHERE id = %s",
            [registered.entries["application"]],
        ).fetchone()
        assert row is not None
        states = conn.execute("SELECT state FROM fact.application WHERE project = %s", [row[0]]).fetchall()
        # other tests of this run may have reported for the same institution
        applied = conn.execute(
            "SELECT extract(year FROM logged_at AT TIME ZONE 'Asia/Shanghai')::int FROM fact.application WHERE institution = %s",
            [row[1]],
        ).fetchall()
    path = tmp_path / "project.zip"
    length = bound(reported, path, Scope(kind="project", project=row[0]))
    found, told = read_volume(reported, path)
    assert found.ok, (found.failure, [each.failure for each in told if not each.ok])
    assert found.standings == Counter(state for (state,) in states)
    assert (found.is_incomplete, found.unchecked.total(), length) == (False, 0, path.stat().st_size)
    assert found.title and len(told) == len(states)
    year = Scope(kind="year", year=datetime.now(UTC).astimezone().year, institution=row[1])
    bound(reported, tmp_path / "year.zip", year)
    assert read_volume(reported, tmp_path / "year.zip")[0].checked == applied.count((year.year,))


def test_a_volume_of_nothing_is_refused(reported: Reported, tmp_path: Path) -> None:
    with pytest.raises(VolumeRefused, match="没有可以随包的报告"):
        bound(reported, tmp_path / "none.zip", Scope(kind="year", year=2021))


def test_a_broken_file_among_the_accepted_roots_keeps_decisions_waiting(reported: Reported) -> None:
    """A report examined under fewer roots would be called untrusted for good; the worker waits, alive, and names the file."""
    broken, log = (
        reported.platform.folder("roots") / "broken.json",
        reported.platform.folder("logs") / "worker.log",
    )
    broken.write_text("{")
    try:
        until = time.monotonic() + 15
        while "broken.json" not in log.read_text("utf-8"):
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.05)
    finally:
        broken.unlink()
    assert reported.report("八").state == "registered"
