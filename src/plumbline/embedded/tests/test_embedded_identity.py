"""Who the database runs as: a user namespace, or a dedicated user where namespaces are off."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.embedded import identity as identity_module
from plumbline.embedded import processes
from plumbline.embedded.binaries import PostgresBinaries
from plumbline.embedded.identity import DEDICATED_USER, SYSTEM_FOLDER, choose_identity
from plumbline.embedded.placement import copied
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import ClusterProblem

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another identity")


@pytest.fixture
def without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_NO_USERNS", "1")
    try:
        choose_identity()
    except ClusterProblem as problem:
        pytest.skip(problem.english)


@pytest.fixture
def private_parent() -> Iterator[Path]:
    """A folder that only root may enter, as /root is."""
    place = Path(tempfile.mkdtemp(prefix="plumb-test-"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@as_root
@pytest.mark.service
@pytest.mark.usefixtures("without_namespaces")
def test_the_dedicated_user_owns_the_database_only(cluster: Cluster) -> None:
    running = cluster.start()
    owner = Path(f"/proc/{running.pid}").stat().st_uid
    assert owner == cluster.folder.pgdata.stat().st_uid != 0
    assert cluster.folder.pgdata.parent == cluster.data_dir
    assert (cluster.data_dir / "secrets.json").stat().st_uid == 0
    assert cluster.data_dir.stat().st_uid == 0


@as_root
@pytest.mark.service
@pytest.mark.usefixtures("without_namespaces")
def test_a_folder_that_the_user_cannot_enter_keeps_its_mode(private_parent: Path) -> None:
    cluster = Cluster(private_parent / "data")
    cluster.start()
    assert cluster.folder.pgdata.is_relative_to(SYSTEM_FOLDER)
    assert private_parent.stat().st_mode & 0o777 == 0o700
    cluster.sql("create table kept (id int)")
    cluster.stop()
    cluster.start()
    assert cluster.sql("select count(*) from kept") == "0"
    place = cluster.folder.pgdata
    cluster.erase()
    assert not place.exists()


@as_root
@pytest.mark.service
@pytest.mark.slow
def test_a_folder_changes_hands_between_the_two_ways(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    if choose_identity().kind != "namespace":
        pytest.skip("user namespaces are off here")
    cluster.start()
    cluster.sql("create table kept (id int)")
    cluster.stop()
    for setting in ("1", "0"):
        monkeypatch.setenv("PLUMB_NO_USERNS", setting)
        again = Cluster(cluster.data_dir)
        try:
            again.start()
            assert again.sql("select count(*) from kept") == "0"
        finally:
            again.stop()


@as_root
@pytest.mark.service
def test_root_works_in_the_private_folder_of_another_user(private_parent: Path) -> None:
    os.chown(private_parent, 65534, 65534)
    cluster = Cluster(private_parent / "data")
    try:
        cluster.start()
        assert cluster.sql("select 1") == "1"
        assert cluster.folder.pgdata.is_relative_to(SYSTEM_FOLDER)
    finally:
        cluster.erase()
    assert private_parent.stat().st_mode & 0o777 == 0o700


@as_root
@pytest.mark.service
@pytest.mark.slow
@pytest.mark.usefixtures("without_namespaces")
def test_programs_that_the_user_cannot_reach_are_copied(private_parent: Path, cluster: Cluster) -> None:
    wheel = cluster.binaries.root.parent
    hidden = private_parent / wheel.name / cluster.binaries.root.name
    shutil.copytree(cluster.binaries.root, hidden, symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), private_parent / f"{wheel.name}.libs")
    hidden_binaries = PostgresBinaries(hidden / "bin", cluster.binaries.version)
    with_copy = Cluster(cluster.data_dir, binaries=hidden_binaries)
    try:
        with_copy.start()
        assert with_copy.binaries.root.is_relative_to(SYSTEM_FOLDER)
        assert copied(hidden_binaries) == with_copy.binaries
    finally:
        with_copy.stop()
        shutil.rmtree(with_copy.binaries.root.parent.parent)


@as_root
def test_root_without_any_way_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_NO_USERNS", "1")
    monkeypatch.setattr(identity_module, "DEDICATED_USER", "plumb-nobody-here")
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(ClusterProblem, match="普通用户"):
        choose_identity()


def test_an_ordinary_user_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert choose_identity().kind == "plain"


@as_root
@pytest.mark.usefixtures("without_namespaces")
def test_the_dedicated_user_is_the_one_named() -> None:
    import pwd

    assert pwd.getpwuid(choose_identity().uid).pw_name == DEDICATED_USER
    assert not processes.working_in(SYSTEM_FOLDER)
