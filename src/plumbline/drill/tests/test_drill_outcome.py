"""Results of drills: what is kept, and when a kept one is stale."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.drill import command
from plumbline.drill.outcome import STALE_AFTER, Outcome, age_of_measurement, ages

AT = datetime(2026, 11, 23, 3, tzinfo=UTC)


def outcome(**changes: object) -> Outcome:
    fields: dict[str, object] = {
        "drill": "kill",
        "seed": 7,
        "seconds": 12.0,
        "counts": {"上传": 10000, "丢失": 0},
    }
    return Outcome(**(fields | {"ran_at": AT} | changes))  # type: ignore[arg-type]


def test_result_is_kept_with_its_commit_and_figures(tmp_path: Path) -> None:
    outcome(left_out=("断电",)).keep(tmp_path / "kill.json")
    kept = json.loads((tmp_path / "kill.json").read_text("utf-8"))
    assert (kept["held"], kept["seed"], kept["counts"]) == (True, 7, {"上传": 10000, "丢失": 0})
    assert kept["commit"]
    assert kept["host"]
    assert kept["left_out"] == ["断电"]


@pytest.mark.parametrize(("age", "stale"), [(STALE_AFTER, False), (STALE_AFTER + timedelta(seconds=1), True)])
def test_result_is_stale_after_thirty_days(tmp_path: Path, age: timedelta, stale: bool) -> None:
    outcome().keep(tmp_path / "kill.json")
    (line,) = ages(tmp_path, AT + age)
    assert ("请重做" in line) is stale


@pytest.mark.parametrize(
    ("counts", "deed"),
    [
        ({}, ""),
        ({"上传": 0}, ""),
        ({"clamd": "1.4", "上传": 0}, ""),
        ({"消息": 9, "断电": 0}, "断电"),
        ({"消息": 9}, "断电"),
    ],
)
def test_what_was_not_tried_did_not_hold(tmp_path: Path, counts: dict[str, int | str], deed: str) -> None:
    found = outcome(counts=counts, deed=deed, left_out=("没有 /dev/fuse",))
    assert not found.held and "全部成立" not in found.text() and "什么也没有试" in found.text()
    found.keep(tmp_path / "power.json")
    (line,) = ages(tmp_path, AT)
    assert "什么也没有试" in line


def ended(monkeypatch: pytest.MonkeyPatch, found: Outcome, *options: str) -> int:
    drill = command.Drill(
        name="kill", summary="", add_options=lambda parser: None, run=lambda arguments: found
    )
    monkeypatch.setattr(command, "drills", lambda: [drill])
    parser = argparse.ArgumentParser()
    command.add_commands(parser)
    return command.run_drill(parser.parse_args(["kill", "--seed", "7", *options]))


def test_broken_promise_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, outcome(broken=("回执 3 对应的入账不在日志里",))) == 1
    assert "回执 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("found", "options", "code"),
    [
        (outcome(), ["--complete"], 0),
        (outcome(left_out=("两台主机",)), ["--complete"], 0),
        (outcome(lacking=("没有 strace",)), [], 0),
        (outcome(lacking=("没有 strace",)), ["--complete"], 1),
    ],
)
def test_where_a_part_is_missing_a_drill_that_is_to_be_complete_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, found: Outcome, options: list[str], code: int, tmp_path: Path
) -> None:
    assert ended(monkeypatch, found, *options, "--out", str(tmp_path / "kill.json")) == code
    assert json.loads((tmp_path / "kill.json").read_text("utf-8"))["left_out"] == [
        *found.lacking,
        *found.left_out,
    ]
    assert all(each in found.text() for each in found.lacking)


@pytest.mark.parametrize(
    ("age", "warned"), [(timedelta(days=3), False), (STALE_AFTER + timedelta(days=1), True)]
)
def test_the_newest_kept_measurement_tells_its_age_and_what_it_missed(
    tmp_path: Path, age: timedelta, warned: bool
) -> None:
    for at, commit, verdicts in (
        (AT - timedelta(days=9), "0ld", ["MISS", "MISS"]),
        (AT, "abc", ["PASS", "MISS", "noisy – no verdict"]),
    ):
        kept = {"at": at.isoformat(), "commit": commit, "results": [{"verdict": each} for each in verdicts]}
        (tmp_path / f"{commit}.json").write_text(json.dumps(kept))
    line = age_of_measurement(tmp_path, AT + age)
    assert line.startswith(f"测量：{AT.date()} 在 abc 上做过，{age.days} 天前")
    assert ("请重做" in line) is warned
    assert line.endswith("1 项没到门槛")
    assert "没有留存" in age_of_measurement(tmp_path / "none", AT)


def test_the_ages_of_the_repository_tell_drills_and_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[4]
    assert command.run_drill(argparse.Namespace(run_drill=None, folder=str(root / "docs" / "drills"))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("测量：20")
    assert len(lines) == 1 + len(list((root / "docs" / "drills").glob("*.json")))
