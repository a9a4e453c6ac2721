"""A small city through real processes: the gateway takes all of it, and what it says agrees with what was told."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from plumbline.demo.living.command import fill_platform
from plumbline.demo.living.fill import Filled

pytestmark = [pytest.mark.service, pytest.mark.slow]
SEED, SCALE = 5, 0.008
#: A piece of the catalogue that touches the gate, the machine's signature, late uploads and the site's records.
PATTERNS = ("R01", "R05", "R10", "R12", "R17", "R22", "R27", "R28", "R34")


@pytest.fixture(scope="module")
def filled(running_platform) -> tuple[Any, Filled, list[str]]:
    told: list[str] = []
    now = datetime.now(UTC)
    found = fill_platform(
        running_platform.platform, seed=SEED, scale=SCALE, now=now, patterns=PATTERNS, progress=told.append
    )
    return running_platform.platform, found, told


def rows(platform, query: str) -> list[tuple]:
    with psycopg.connect(platform.conninfo("plumb_projector")) as conn:
        return conn.execute(query.encode()).fetchall()


def test_most_reports_are_registered_and_can_be_verified_by_anybody(filled) -> None:
    platform, found, _ = filled
    assert found.states["registered"] > 0.6 * len(found.results)
    code = next(r.code for r in found.results.values() if r.state == "registered")
    answer = httpx.get(f"{platform.public_url}/v/{code}", trust_env=False, follow_redirects=True)
    assert answer.status_code == 200


def test_the_gate_withholds_what_it_must_and_lets_statistics_pass(filled) -> None:
    platform, _, _ = filled
    truth = json.loads((platform.data_dir / "city" / "planted.json").read_text("utf-8"))
    states = {each["pattern"]: {e["state"] for e in each["entries"].values()} for each in truth}
    assert set(states) == set(PATTERNS)
    for pattern in ("R01", "R10", "R22", "R27"):
        assert states[pattern] == {"withheld"}, pattern
    for pattern in ("R05", "R12", "R17", "R34"):
        assert states[pattern] == {"registered"}, pattern
    assert "dropped" in states["R28"]


def test_every_kind_of_site_record_is_in_the_log(filled) -> None:
    platform, _, _ = filled
    kinds = Counter(kind for (kind,) in rows(platform, "SELECT kind FROM fact.event"))
    for kind in (
        "pour.recorded",
        "arrival.recorded",
        "curing.recorded",
        "schedule.approved",
        "contract.signed",
    ):
        assert kinds[kind] > 0, kind


def test_projects_are_in_the_divisions_of_their_city(filled) -> None:
    platform, _, _ = filled
    divisions = {division for (division,) in rows(platform, "SELECT DISTINCT division FROM fact.project")}
    assert {"610302", "610303"} <= divisions


def test_nothing_of_the_ground_truth_is_in_the_log(filled) -> None:
    platform, _, _ = filled
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        stored = [bytes(data) for (data,) in conn.execute("SELECT message FROM journal.entry").fetchall()]
    # The gate gives its own reasons, in words that may be the same.
    messages = [data for data in stored if b'"kind":"code.withheld"' not in data]
    truth = json.loads((platform.data_dir / "city" / "planted.json").read_text("utf-8"))
    for each in truth:
        assert not any(each["title"].encode() in data for data in messages)


def test_progress_is_told_and_ends(filled) -> None:
    _, _, told = filled
    assert told[0].startswith("城市：")
    assert "已经补齐" in told[-1]
