"""Two mutants that must not survive (变异): a gate that always reserves, and an append that loses a leaf."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.service]

#: File, what stands there, what the mutant writes instead, the tests that must notice.
MUTANTS = {
    "the gate reserves whatever is asked": (
        "domain/reporting/gate.py",
        "    return GateDecision(reserved=not reasons, reasons=reasons, notes=notes)",
        "    return GateDecision(reserved=True, reasons=(), notes=notes)",
        ["tests/service/test_reports_and_codes.py", "-k", "without_a_test_is_withheld or without_its_curve"],
    ),
    "a condition of the gate is skipped": (
        "domain/reporting/gate.py",
        "        for condition in CONDITIONS\n",
        "        for condition in CONDITIONS[1:]\n",
        ["tests/service/test_reports_and_codes.py", "-k", "without_a_test_is_withheld"],
    ),
    "the last leaf of a batch is dropped": (
        "supervision/journal/append.py",
        None,
        None,
        ["src/plumbline/supervision/journal/tests/test_append.py", "-k", "many_batches or offline"],
    ),
}


def _drop_the_last_leaf(text: str) -> str:
    """The COPY of leaves is given one row fewer."""
    marker = '["int4", "int8", "uuid", "bytea", "timestamptz", "bytea"],\n            rows,'
    assert marker in text, "the append has changed: adapt the mutant"
    return text.replace(marker, marker.replace("rows,", "rows[:-1],"), 1)


def _tree(folder: Path) -> Path:
    """A copy of the sources and of what the tests need beside them."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignore)
    shutil.copytree(ROOT / "tests" / "service", folder / "tests" / "service", ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _run(folder: Path, selection: list[str]) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *selection],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _mutate(folder: Path, name: str) -> list[str]:
    file, old, new, selection = MUTANTS[name]
    path = folder / "src" / "plumbline" / file
    text = path.read_text("utf-8")
    if old is None:
        changed = _drop_the_last_leaf(text)
    else:
        assert text.count(old) == 1, "the code has changed: adapt the mutant"
        changed = text.replace(old, new)
    path.write_text(changed, "utf-8")
    return selection


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    return _tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_and_the_original_is_not(tmp_path, copied, name) -> None:
    selection = MUTANTS[name][3]
    sound = _run(copied, selection)
    assert sound.returncode == 0, sound.stdout[-3000:] + sound.stderr[-2000:]
    mutant = _tree(tmp_path / "mutant")
    _mutate(mutant, name)
    caught = _run(mutant, selection)
    assert caught.returncode == 1, caught.stdout[-3000:] + caught.stderr[-2000:]
    assert " failed" in caught.stdout
    assert str(mutant) not in sound.stdout


def test_the_copied_tree_is_the_one_that_runs(copied) -> None:
    env = os.environ | {"PYTHONPATH": str(copied / "src")}
    asked = [sys.executable, "-c", "import plumbline.cli; print(plumbline.cli.__file__)"]
    told = subprocess.run(asked, env=env, cwd=copied, capture_output=True, text=True, check=True)
    assert told.stdout.startswith(str(copied))
