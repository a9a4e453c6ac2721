"""Mutants that must not survive (变异): a gate that always reserves, an append that loses a leaf, and holes in row security."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.service]

_RIGHTS = ("src/plumbline/supervision/journal/tests/test_rights.py", "-k")
_COSIGNER = ("src/plumbline/cosign/tests/test_cosigner.py", "-k")
_ACTING = ["src/plumbline/supervision/access/tests/test_acting.py"]
#: File, what stands there, what the mutant writes instead, the tests that must notice.
MUTANTS = {
    "the cosigner signs whatever grows": (
        "cosign/cosigner.py",
        "        if not verify_consistency(last.size, checkpoint.size, request.path, last.root, checkpoint.root):\n",
        "        if checkpoint.size < last.size:\n",
        [*_COSIGNER, "another_history"],
    ),
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
    "a table is left without row security": (
        "supervision/projection/sights.py",
        '        f"ALTER TABLE {full} ENABLE ROW LEVEL SECURITY;",\n',
        '        "" if table == "sample" else f"ALTER TABLE {full} ENABLE ROW LEVEL SECURITY;",\n',
        [*_RIGHTS, "who_sees_it or on_the_list"],
    ),
    "the officer's policies are dropped": (
        "supervision/projection/sights.py",
        '            lines.append(f"GRANT SELECT ON {full} TO {role};")\n',
        '            lines.append(f"GRANT SELECT ON {full} TO {role};")\n            if role == OFFICER:\n                continue\n',
        [*_RIGHTS, "who_sees_it or on_the_list"],
    ),
    "a policy lets every row through": (
        "supervision/projection/sights.py",
        '                f"USING ({condition(schema, table)});"\n',
        '                f"USING ({condition(schema, table)} OR true);"\n',
        [*_RIGHTS, "who_sees_it or on_the_list"],
    ),
    "a partition is granted": (
        "supervision/projection/ddl.py",
        """        f'ALTER TABLE "{schema}"."{name}_{month}" ENABLE ROW LEVEL SECURITY;'\n""",
        """        f'GRANT SELECT ON "{schema}"."{name}_{month}" TO plumb_officer;'\n""",
        [*_RIGHTS, "no_partition or opened_directly"],
    ),
    "new tables are granted by default": (
        "supervision/journal/sql/005_row_security.sql",
        "SET ROLE plumb_owner;\nREVOKE CREATE",
        "SET ROLE plumb_owner;\nALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT SELECT ON TABLES TO plumb_web;\nREVOKE CREATE",
        [*_RIGHTS, "by_default"],
    ),
    "a view reads in its owner's role": (
        "supervision/journal/sql/005_row_security.sql",
        "SET ROLE plumb_owner;\nREVOKE CREATE",
        "SET ROLE plumb_owner;\nCREATE VIEW ops.heads AS SELECT * FROM journal.head;\nREVOKE CREATE",
        [*_RIGHTS, "whoever_asks"],
    ),
    "a query runs for nobody": (
        "supervision/reading/database.py",
        "    require_role()\n    with connection.cursor() as cursor:\n        cursor.execute(statement, list(parameters))\n        found",
        "    with connection.cursor() as cursor:\n        cursor.execute(statement, list(parameters))\n        found",
        _ACTING,
    ),
    "a reader acts outside a transaction": (
        "supervision/access/acting.py",
        "    if not connection.in_atomic_block:\n        raise",
        "    if False:\n        raise",
        _ACTING,
    ),
    "the role outlives its transaction": (
        "supervision/access/acting.py",
        "set_config('role', %s, true)",
        "set_config('role', %s, false)",
        _ACTING,
    ),
    "the scope outlives its transaction": (
        "supervision/access/acting.py",
        "set_config('plumb.party', %s, true)",
        "set_config('plumb.party', %s, false)",
        _ACTING,
    ),
    "an officer is given every city": (
        "supervision/projection/tables.py",
        'officer=in_division("jurisdiction"), institution=own("institution"), party=of_project("project")',
        'officer=lambda s, t: "true", institution=own("institution"), party=of_project("project")',
        ["tests/service/isolation/test_isolation_of_rows.py", "-k", "stranger and application and officer"],
    ),
}


def _drop_the_last_leaf(text: str) -> str:
    """The statement that writes the leaves is given one row fewer."""
    marker, end = "        leaves = [\n            before.epoch,\n", "\n        ]\n"
    begin, found, rest = text.partition(marker)
    columns, closed, after = rest.partition(end)
    assert found and closed and columns.count("each in placed") == 4, (
        "the append has changed: adapt the mutant"
    )
    fewer = columns.replace("each in placed", "each in placed[:-1]").replace(
        "instants(times)", "instants(times[:-1])"
    )
    return begin + found + fewer + closed + after


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


@pytest.fixture(scope="module")
def sound(copied) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    """What the unchanged tree says to the tests of a file: all selections of the mutants at once, asked once a file."""
    told: dict[str, subprocess.CompletedProcess[str]] = {}

    def ask(selection: list[str]) -> subprocess.CompletedProcess[str]:
        file = selection[0]
        if file not in told:
            words = {" ".join(each[3][2:]) for each in MUTANTS.values() if each[3][0] == file}
            every = [] if "" in words else ["-k", " or ".join(f"({each})" for each in sorted(words))]
            told[file] = _run(copied, [file, *every])
        return told[file]

    return ask


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_and_the_original_is_not(tmp_path, sound, name) -> None:
    selection = MUTANTS[name][3]
    original = sound(selection)
    assert original.returncode == 0, original.stdout[-3000:] + original.stderr[-2000:]
    mutant = _tree(tmp_path / "mutant")
    _mutate(mutant, name)
    caught = _run(mutant, selection)
    assert caught.returncode == 1, caught.stdout[-3000:] + caught.stderr[-2000:]
    assert " failed" in caught.stdout
    assert str(mutant) not in original.stdout


def test_the_copied_tree_is_the_one_that_runs(copied) -> None:
    env = os.environ | {"PYTHONPATH": str(copied / "src")}
    asked = [sys.executable, "-c", "import plumbline.cli; print(plumbline.cli.__file__)"]
    told = subprocess.run(asked, env=env, cwd=copied, capture_output=True, text=True, check=True)
    assert told.stdout.startswith(str(copied))
