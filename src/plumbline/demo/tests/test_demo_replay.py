"""Replay of recordings: every one a report or a reason, dates kept, known strengths met."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.acquisition.recordings import cube_groups, discover
from plumbline.demo.replay import ReplayReport, Row, folders_of, known_strengths, replay, replay_plan
from plumbline.demo.tests.memory_platform import MemoryPlatform, memory_clients
from plumbline.domain.basics.calendar import SHANGHAI
from plumbline.exchange.messages.reports import ReportApplied

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


def shared(folder: str) -> Path:
    path = SHARED / folder
    if not path.exists():
        pytest.skip(f"recordings {folder} are not beside this checkout (../shared/data)")
    return path


def row(outcome: str) -> Row:
    return Row(name="x", outcome=outcome, recordings=1, told="原因")  # type: ignore[arg-type]


def report(*outcomes: str) -> ReplayReport:
    return ReplayReport(
        folder=Path("x"), simulated=False, rows=tuple(row(each) for each in outcomes), results=()
    )


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["registered"], 0),
        (["registered", "accounted"], 0),
        (["registered", "failed"], 1),
        (["accounted"], 1),
        ([], 1),
    ],
)
def test_the_exit_status_tells_whether_anything_failed(outcomes: list[str], status: int):
    assert report(*outcomes).exit_status == status


@pytest.mark.slow
def test_without_a_folder_simulated_recordings_are_sent_and_called_so(tmp_path: Path):
    platform, told = MemoryPlatform(), []
    cast, clients, enrolment = memory_clients(tmp_path, platform)
    result = replay(tmp_path / "nowhere", clients, cast, enrolment, progress=told.append, now=NOW)
    assert "模拟数据" in told[0]
    assert result.simulated
    assert "模拟数据" in result.table()
    outcomes = [each.outcome for each in result.rows]
    assert (outcomes.count("registered"), outcomes.count("accounted"), outcomes.count("failed")) == (
        25,
        10,
        0,
    )
    assert max(each.difference_MPa for each in result.rows if each.difference_MPa is not None) <= 0.001
    conclusions = [
        each.message.conclusion for each in platform.kept if isinstance(each.message, ReportApplied)
    ]
    assert "FAIL" in conclusions


def test_real_cubes_keep_their_dates_in_order_and_meet_the_age_window():
    folder = shared("bam_lebedigital_concrete")
    for label, members in cube_groups(discover(folder)).items():
        age = int(label.rpartition("|")[2])
        times = replay_plan(label, members, None, age, now=NOW).times
        assert times.tested[0] == members[0].tested_at.replace(tzinfo=SHANGHAI)
        assert (
            times.made
            < times.commissioned
            < times.received
            < times.tested[0]
            < times.finished
            < times.applied
        )
        assert abs((times.tested[0] - times.made).total_seconds() / 86_400 - age) < 0.25


def test_the_concrete_folder_brings_the_steel_folders_beside_it():
    folder = shared("bam_lebedigital_concrete")
    assert [each.name for each in folders_of(folder)] == [folder.name, "lucas_steel", "matcal_304L_ASTME8"]
    assert folders_of(folder.parent) == [folder.parent]
    assert len(known_strengths([folder])) == 16


def test_a_bar_without_a_date_is_tested_just_before_the_replay():
    (recording,) = [
        each
        for each in discover(shared("lucas_steel"))
        if each.source_name.endswith("tensile_steel_1045.csv")
    ]
    times = replay_plan("bar", (recording,), None, None, now=NOW).times
    assert times.finished < times.reviewed < times.approved < times.applied < times.registered == NOW
