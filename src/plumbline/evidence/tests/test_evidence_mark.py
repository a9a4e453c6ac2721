from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence.mark import FAILPOINTS, Head, HeadMark, MarkRefused
from plumbline.evidence.tree import EMPTY_ROOT

ORIGIN = "demo.example/log"


def head(size: int, *, epoch: int = 1, origin: str = ORIGIN, root: bytes | None = None) -> Head:
    return Head(origin, epoch, size, root or size.to_bytes(32, "big"))


class Crash(BaseException):
    """The process dies here."""


def crash_at(point: str) -> Callable[[str], None]:
    def failpoint(name: str) -> None:
        if name == point:
            raise Crash(name)

    return failpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    HeadMark(tmp_path / "mark").create(head(10))
    return tmp_path / "mark"


def reason_of(mark: HeadMark, refused: Head) -> str:
    with pytest.raises(MarkRefused) as caught:
        mark.advance(refused)
    return caught.value.reason


def test_a_new_log_begins_with_an_empty_head(tmp_path: Path) -> None:
    mark = HeadMark(tmp_path / "mark")
    assert mark.read() is None
    mark.advance(Head(ORIGIN, 1, 0, EMPTY_ROOT))
    mark.advance(head(1))
    assert mark.read() == head(1)


def test_a_missing_mark_stops_a_log_that_has_leaves(tmp_path: Path) -> None:
    mark = HeadMark(tmp_path / "mark")
    assert reason_of(mark, head(1)) == "missing"
    assert mark.read() is None


def test_a_host_joins_by_an_explicit_first_mark_and_only_once(path: Path) -> None:
    with pytest.raises(MarkRefused) as caught:
        HeadMark(path).create(head(11))
    assert (caught.value.reason, caught.value.standing) == ("exists", head(10))


@pytest.mark.parametrize("accepted", [head(10), head(11), head(99), head(0, epoch=2), head(5, epoch=7)])
def test_an_equal_a_larger_and_a_later_head_pass(path: Path, accepted: Head) -> None:
    HeadMark(path).advance(accepted)
    assert HeadMark(path).read() == accepted


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (head(9), "smaller"),
        (head(0), "smaller"),
        (head(10, root=b"x" * 32), "fork"),
        (head(11, origin="demo.example/other"), "origin"),
        (head(11, epoch=0), "epoch"),
        (head(10, epoch=0), "epoch"),
    ],
)
def test_a_head_that_may_contradict_an_earlier_one_is_refused(path: Path, refused: Head, reason: str) -> None:
    with pytest.raises(MarkRefused) as caught:
        HeadMark(path).advance(refused)
    assert (caught.value.reason, caught.value.standing) == (reason, head(10))
    assert HeadMark(path).read() == head(10)


def test_a_mark_with_any_byte_changed_is_unreadable_and_stops_signing(path: Path) -> None:
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert reason_of(HeadMark(path), head(11)) == "unreadable"
    for torn in (b"", good[:-1], good + b"\n", good[: len(good) // 2], b"\xff\xfe"):
        path.write_bytes(torn)
        with pytest.raises(MarkRefused, match="damaged"):
            HeadMark(path).read()


@given(
    st.builds(
        Head,
        st.text("abc./", min_size=1),
        st.integers(0),
        st.integers(0),
        st.binary(min_size=32, max_size=32),
    )
)
def test_every_head_comes_back_from_its_file(any_head: Head) -> None:
    assert Head.decode(any_head.encode()) == any_head


@pytest.mark.parametrize("origin", ["", "a\nb", "a\x00"])
def test_an_origin_that_breaks_the_file_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        head(1, origin=origin)


def test_an_advance_passes_all_failpoints_in_order(path: Path) -> None:
    passed: list[str] = []
    HeadMark(path, passed.append).advance(head(11))
    assert tuple(passed) == FAILPOINTS


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_crash_at_any_step_leaves_the_old_mark_or_the_new_one(path: Path, point: str) -> None:
    with pytest.raises(Crash):
        HeadMark(path, crash_at(point)).advance(head(11))
    is_new = FAILPOINTS.index(point) >= FAILPOINTS.index("mark.renamed")
    restarted = HeadMark(path)
    assert restarted.read() == (head(11) if is_new else head(10))
    restarted.advance(head(11))
    assert reason_of(restarted, head(10)) == "smaller"
    assert reason_of(restarted, head(11, root=b"x" * 32)) == "fork"
    restarted.advance(head(12))
    assert HeadMark(path).read() == head(12)


@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_crash_while_the_first_mark_is_made_leaves_none_or_the_whole(tmp_path: Path, point: str) -> None:
    with pytest.raises(Crash):
        HeadMark(tmp_path / "mark", crash_at(point)).create(head(3))
    assert HeadMark(tmp_path / "mark").read() in (None, head(3))


KILLED = """
import os, signal, sys
from plumbline.evidence.mark import Head, HeadMark

def failpoint(name):
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

HeadMark(sys.argv[1], failpoint).advance(Head("demo.example/log", 1, 11, (11).to_bytes(32, "big")))
"""


@pytest.mark.parametrize("point", ["mark.locked", "mark.temp_written", "mark.renamed"])
def test_a_killed_process_leaves_neither_lock_nor_torn_mark(path: Path, point: str) -> None:
    finished = subprocess.run([sys.executable, "-c", KILLED, str(path), point], check=False, timeout=60)
    assert finished.returncode == -9
    assert HeadMark(path).read() == (head(11) if point == "mark.renamed" else head(10))
    HeadMark(path).advance(head(12))
    assert HeadMark(path).read() == head(12)


def test_a_full_disk_leaves_the_old_mark(path: Path) -> None:
    def disk_full(name: str) -> None:
        if name == "mark.temp_written":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="space"):
        HeadMark(path, disk_full).advance(head(11))
    assert HeadMark(path).read() == head(10)


def test_the_mark_is_synced_before_the_rename_and_its_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append(f"fsync {os.readlink(f'/proc/self/fd/{descriptor}')}")
        real_fsync(descriptor)

    def replace(source: str, target: Path) -> None:
        calls.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    HeadMark(path).advance(head(11))
    HeadMark(path).advance(head(11))
    assert calls == [f"fsync {path}.new", "rename", f"fsync {path.parent}", f"fsync {path.parent}"]


def test_only_one_signer_at_a_time_holds_the_lock(path: Path) -> None:
    inside, overlaps = [0], list[int]()

    def failpoint(name: str) -> None:
        inside[0] += (name == "mark.locked") - (name == "mark.folder_synced")
        overlaps.append(inside[0])

    threads = [threading.Thread(target=HeadMark(path, failpoint).advance, args=(head(11),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(overlaps) == {0, 1}


def test_a_leftover_of_a_crash_is_overwritten(path: Path) -> None:
    Path(f"{path}.new").write_bytes(b"x" * 10_000)
    HeadMark(path).advance(head(11))
    assert HeadMark(path).read() == head(11)


def test_the_mark_is_readable_by_its_owner_only(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_signers_that_race_never_lose_the_largest_head(path: Path) -> None:
    refused: list[str] = []

    def sign(sizes: range) -> None:
        for size in sizes:
            try:
                HeadMark(path).advance(head(size))
            except MarkRefused as error:
                refused.append(error.reason)

    threads = [threading.Thread(target=sign, args=(range(11 + at, 51, 4),)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert HeadMark(path).read() == head(50)
    assert set(refused) <= {"smaller"}
