"""Kept results of drills and measurements name a commit that anybody with this history can have again (留存的结果)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import house_rules as rules
import pytest

FOLDERS = ("docs/bench", "docs/bench/grown", "docs/drills")
#: Results that name what nobody can have again: file, what it names, why. Each goes as soon as it is run again.
EXCEPTIONS: dict[str, tuple[str, str]] = {}


def git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, encoding="utf-8", check=False)


def kept(root: Path) -> dict[str, str]:
    """Path → the commit that it names."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).glob("*.json")):
            found[path.relative_to(root).as_posix()] = str(json.loads(path.read_text("utf-8")).get("commit"))
    return found


def lost(root: Path) -> dict[str, str]:
    """Those whose commit is marked as changed, unknown, or not in the history of HEAD."""
    return {
        path: commit
        for path, commit in kept(root).items()
        if not commit.isalnum() or git(root, "merge-base", "--is-ancestor", commit, "HEAD").returncode != 0
    }


def test_every_kept_result_names_a_commit_of_this_history() -> None:
    try:
        asked = git(rules.ROOT, "rev-parse", "--is-shallow-repository")
    except OSError:
        pytest.skip("no git: the history of kept results cannot be asked")
    if asked.stdout.strip() != "false":
        pytest.skip("no full clone: the history of kept results cannot be asked")
    assert len(kept(rules.ROOT)) > 10
    assert lost(rules.ROOT) == {path: commit for path, (commit, _) in EXCEPTIONS.items()}


def test_a_result_of_an_amended_or_changed_tree_is_found(tmp_path: Path) -> None:
    def commit(*options: str) -> str:
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
        git(tmp_path, *who, "commit", "--quiet", "--allow-empty", "-m", "work", *options)
        return git(tmp_path, "rev-parse", "--short=12", "HEAD").stdout.strip()

    git(tmp_path, "init", "--quiet")
    before = commit()
    amended = commit()
    now = commit("--amend", "--date=2001-01-01T00:00:00")
    named = {
        "good": before,
        "head": now,
        "amended": amended,
        "changed": f"{before}-dirty",
        "unknown": "unknown",
    }
    (tmp_path / "docs" / "drills").mkdir(parents=True)
    for name, value in named.items():
        (tmp_path / "docs" / "drills" / f"{name}.json").write_text(json.dumps({"commit": value}))
    assert sorted(lost(tmp_path)) == [
        f"docs/drills/{name}.json" for name in ("amended", "changed", "unknown")
    ]
