"""A slice of `plumbline drill faults` in its own code, and the bugs that its cells must find (故障演练的一段).

Cells that need no database of their own stand on a copied platform, with as few processes as they need: what takes long is starting them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from plumbline.drill.faulting.bugs import FOUND_BY
from plumbline.drill.faulting.story import GROUPS, Group, Result, failing_files, run_group
from plumbline.drill.kill.site import Site

pytestmark = [pytest.mark.service, pytest.mark.slow]


def group_of(cell: str, **changes: Any) -> Group:
    """The drill's group that holds a cell, on another ground or with fewer processes."""
    return replace(next(each for each in GROUPS if cell in each.cells), **changes)


def carried_out(group: Group, *cells: str, bug: str = "") -> Result:
    """What the cells found; skipped by name where this machine lets a fault not be made."""
    found = run_group(group, list(cells), seed=1, bug=bug)
    if found.left_out:
        pytest.skip(f"no faults: {found.left_out[0]}")
    assert bug or found.counts["格子"] == len(cells)
    return found


@pytest.fixture
def plain(quiet_platform) -> Callable[[str], Any]:
    """Ground for a group: a copied platform that is enrolled, a bug in all of its processes."""

    @contextmanager
    def opened(bug: str) -> Iterator[tuple[Site, None]]:
        site = Site(quiet_platform.platform, bug=bug)
        site.enrol()
        yield site, None

    return opened


@pytest.fixture
def failing(plain) -> Callable[[str], Any]:
    """The same, its folders on a file system whose fsync fails when told to."""

    @contextmanager
    def opened(bug: str) -> Iterator[tuple[Site, Any]]:
        with plain(bug) as (site, _), failing_files(site) as both:
            yield both

    return opened


@pytest.mark.disk
def test_on_a_full_disk_all_is_refused_for_now_and_taken_afterwards_by_the_same_processes() -> None:
    cells = ("磁盘满：文件", "磁盘满：消息和水位")
    found = carried_out(group_of(cells[0], gateways=1, others=("projector",)), *cells)
    assert found.broken == []
    assert int(found.counts["故障中被请稍后再来"]) >= 3


@pytest.mark.fuse
def test_what_could_not_be_synced_is_not_acknowledged_and_is_there_after_a_power_cut(failing) -> None:
    cell = "fsync 出错：文件"
    found = carried_out(group_of(cell, open=failing, gateways=1, others=("projector",)), cell)
    assert found.broken == []
    assert (found.counts["断电"], found.counts["故障中被请稍后再来"]) == (2, 4)


@pytest.mark.clock
def test_while_the_clocks_stand_an_hour_back_nothing_is_entered() -> None:
    cell = "时钟：整机倒退一小时"
    found = carried_out(group_of(cell, others=("projector",)), cell)
    assert found.broken == []


def test_two_gateways_a_missing_month_and_a_mark_that_is_gone(plain) -> None:
    cells = {
        "两个网关：同一条消息同时送到",
        "两个网关：同一个 uid 两份内容",
        "缺分区：一条消息的月份",
        "水位：不在或损坏",
    }
    together = {name: cell for group in GROUPS for name, cell in group.cells.items() if name in cells}
    found = carried_out(Group(cells=together, open=plain, others=("projector",)), *together)
    assert set(together) == cells
    assert found.broken == []


@pytest.mark.parametrize(
    ("bug", "told"),
    [
        ("one-fails-all", "缺一个月份，同来的别的消息被拒"),
        ("partitions-not-made", "仍然收不下"),
    ],
)
def test_a_bug_is_found_by_its_cell(plain, bug: str, told: str) -> None:
    group = group_of(FOUND_BY[bug], open=plain, gateways=1, others=())
    found = carried_out(group, FOUND_BY[bug], bug=bug)
    assert any(told in each for each in found.broken), found.broken


@pytest.mark.fuse
def test_a_failed_fsync_that_is_swallowed_is_found(failing) -> None:
    bug = "fsync-error-swallowed"
    group = group_of(FOUND_BY[bug], open=failing, gateways=1, others=())
    found = carried_out(group, FOUND_BY[bug], bug=bug)
    assert any("仍然答复已收" in each for each in found.broken), found.broken
