"""Temporary platforms lie on the disk unless somebody says otherwise; tests say memory where there is room (临时平台的位置)."""

from __future__ import annotations

import pytest

from plumbline.embedded import scratch


@pytest.fixture
def roomy(monkeypatch):
    """A machine with a file system in memory and room in both."""
    monkeypatch.setattr(scratch, "_is_tmpfs", lambda folder: True)
    monkeypatch.setattr(scratch, "_free", lambda folder: scratch.ROOM)
    monkeypatch.setattr(scratch, "_available", lambda: scratch.SPARE)


def test_it_is_the_disk_unless_it_is_named(monkeypatch) -> None:
    monkeypatch.delenv(scratch.VARIABLE, raising=False)
    assert scratch.scratch() == "/tmp"
    monkeypatch.setenv(scratch.VARIABLE, "/somewhere")
    assert scratch.scratch() == "/somewhere"


def test_it_is_memory_where_there_is_room(roomy) -> None:
    assert scratch.in_memory() == "/dev/shm"


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("_is_tmpfs", lambda folder: False),
        ("_free", lambda folder: scratch.ROOM - 1),
        ("_available", lambda: scratch.SPARE - 1),
    ],
)
def test_a_machine_without_room_uses_its_disk(roomy, monkeypatch, what, value) -> None:
    monkeypatch.setattr(scratch, what, value)
    assert scratch.in_memory() == "/tmp"


@pytest.mark.parametrize(
    ("mounts", "usable"),
    [
        ("tmpfs /dev/shm tmpfs rw,nosuid 0 0\n", True),
        ("tmpfs /dev/shm tmpfs rw,noexec 0 0\n", False),
        ("/dev/vda /dev/shm ext4 rw 0 0\n", False),
        ("tmpfs /dev/shm2 tmpfs rw 0 0\n", False),
        ("tmpfs /dev/shm tmpfs rw 0 0\n/dev/vda /dev/shm ext4 rw 0 0\n", False),
        ("", False),
    ],
    ids=["memory", "noexec", "a-disk", "elsewhere", "covered", "nothing"],
)
def test_what_the_kernel_says_is_mounted_there(tmp_path, monkeypatch, mounts, usable) -> None:
    said = tmp_path / "mounts"
    said.write_text(mounts, "utf-8")
    monkeypatch.setattr(scratch, "Path", lambda name: said)
    assert scratch._is_tmpfs("/dev/shm") is usable
