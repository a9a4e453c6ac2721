"""Clusters for the tests of the embedded database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.embedded.binaries import find_binaries
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import BinariesMissing


@pytest.fixture(scope="session")
def _programs() -> None:
    try:
        find_binaries()
    except BinariesMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def data_dir(_programs: None) -> Iterator[Path]:
    """A folder not made yet, in a place that every user may enter."""
    parent = Path(tempfile.mkdtemp(prefix="plumb-test-"))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def cluster(data_dir: Path) -> Iterator[Cluster]:
    """A cluster of its own, stopped and removed at the end."""
    made = Cluster(data_dir)
    yield made
    made.erase()


@pytest.fixture(scope="module")
def shared_cluster(_programs: None) -> Iterator[Cluster]:
    """One running cluster for tests that only look at it."""
    parent = Path(tempfile.mkdtemp(prefix="plumb-test-"))
    parent.chmod(0o755)
    made = Cluster(parent / "data")
    made.start()
    yield made
    made.erase()
    shutil.rmtree(parent, ignore_errors=True)
