"""The drill of faults (故障演练): its means do what they claim, and every bug has a cell that is to find it."""

from __future__ import annotations

import errno
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from plumbline.drill.faulting.bugs import FOUND_BY, IN_PROCESSES, IN_SUPERVISION
from plumbline.drill.faulting.course import NotTried, Told
from plumbline.drill.faulting.grounds import own_clocks
from plumbline.drill.faulting.story import GROUPS
from plumbline.drill.kill.bugs import BUGS
from plumbline.drill.kill.lossy_files import FAILS, HICCUP, WORKS, LossyTree


def test_every_bug_is_known_and_has_a_cell_that_is_there_once() -> None:
    names = [name for group in GROUPS for name in group.cells]
    assert len(names) == len(set(names))
    assert set(FOUND_BY.values()) <= set(names)
    assert set(FOUND_BY) <= {*BUGS, *IN_PROCESSES, *IN_SUPERVISION}
    assert set(IN_PROCESSES) | set(IN_SUPERVISION) <= set(FOUND_BY)
    assert not set(BUGS) & set(IN_PROCESSES)


@pytest.mark.parametrize(
    ("told", "held"),
    [
        (Told(status=503, slug="unavailable", remedy="稍后重发"), True),
        (Told(status=503, slug="clock-off", remedy="稍后重发"), True),
        (Told(status=503, slug="unavailable"), False),
        (Told(status=500, slug="internal", remedy="重发"), False),
        (Told(status=422, slug="uid-time", remedy="用新的 uid"), False),
        (Told(status=0), False),
        (Told(status=200), False),
    ],
)
def test_only_a_503_with_a_remedy_asks_to_come_again(told: Told, held: bool) -> None:
    assert told.is_come_again is held


def _tree() -> LossyTree:
    tree = LossyTree()
    tree.mkdir("/files", 0o700)
    tree.fsyncdir("/", 0)
    tree.create("/files/report", 0o600)
    tree.write("/files/report", b"whole", 0)
    tree.fsyncdir("/files", 0)
    return tree


def _order(tree: LossyTree, prefix: str) -> None:
    with pytest.raises(OSError, match="files") as done:
        tree.mkdir(f"/{prefix}files", 0o700)
    assert done.value.errno == errno.ECANCELED


def test_bytes_whose_fsync_failed_once_are_gone_although_it_succeeds_afterwards() -> None:
    tree = _tree()
    _order(tree, HICCUP)
    with pytest.raises(OSError, match="report") as failed:
        tree.fsync("/files/report", 0)
    assert failed.value.errno == errno.EIO
    tree.fsync("/files/report", 0)
    assert tree.read("/files/report", 9, 0) == b"whole", "until the power is cut nobody sees it"
    tree.root.lose()
    assert tree.read("/files/report", 9, 0) == b""


def test_a_failure_that_is_told_once_is_of_the_bytes_and_not_of_the_note_beside_them() -> None:
    tree = _tree()
    tree.create("/files/report.json.0a.new", 0o600)
    _order(tree, HICCUP)
    tree.fsync("/files/report.json.0a.new", 0)
    with pytest.raises(OSError, match="report"):
        tree.fsync("/files/report", 0)


def test_bytes_that_are_written_anew_are_durable_again_and_names_wait_for_a_working_disk() -> None:
    tree = _tree()
    _order(tree, FAILS)
    for sync, path in ((tree.fsync, "/files/report"), (tree.fsyncdir, "/files")):
        with pytest.raises(OSError, match="files"):
            sync(path, 0)
    _order(tree, WORKS)
    tree.open("/files/report", 0o1000)
    tree.write("/files/report", b"anew", 0)
    tree.fsync("/files/report", 0)
    tree.fsyncdir("/files", 0)
    tree.root.lose()
    assert tree.read("/files/report", 9, 0) == b"anew"


def test_a_clock_that_is_set_moves_the_time_of_day_and_nothing_else() -> None:
    asked = "import time, datetime; print(time.time(), datetime.datetime.now().timestamp(), time.monotonic())"
    try:
        with own_clocks() as clocks:
            clocks.set("host", -3600)
            environment = {"PATH": "/usr/bin:/bin", **clocks.environment("host")}
            words = subprocess.run(
                [sys.executable, "-c", asked],
                env=environment,
                capture_output=True,
                encoding="ascii",
                check=True,
            ).stdout
    except NotTried as absent:
        pytest.skip(str(absent))
    import time

    day, date, monotonic = map(float, words.split())
    now = datetime.now(UTC).timestamp()
    assert abs(now - 3600 - day) < 300
    assert abs(day - date) < 300
    assert abs(time.monotonic() - monotonic) < 300
