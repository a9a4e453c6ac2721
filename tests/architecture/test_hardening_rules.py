"""The rules against dangerous ways of writing: each catches its bad sample, lets its good one pass, and finds nothing in the tree."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import hardening_rules as hardening
import hardening_scan as scan
import house_rules as rules
import pytest

SAMPLES = tomllib.loads((Path(__file__).parent / "hardening" / "rules.toml").read_text("utf-8"))["rule"]
BY = {each["id"]: each for each in SAMPLES}


def _ruff(folder: Path) -> set[tuple[str, str]]:
    """(file, code) of what ruff says of a folder under this project's own configuration."""
    config = str(rules.ROOT / "pyproject.toml")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", config]
    done = subprocess.run(
        [*command, "--output-format", "json", str(folder)], capture_output=True, text=True, check=False
    )
    return {(Path(each["filename"]).stem, each["code"]) for each in json.loads(done.stdout)}


def _kinds(rule: dict, text: str) -> set[str]:
    if rule["by"] == "tree":
        return {name for name, _ in hardening.found_in_python(text)}
    table = {"html": hardening.HTML, "js": hardening.SCRIPT}[rule["by"]]
    return {name for name, _ in hardening.found_in_lines(text, table)}


def test_every_rule_has_its_samples_and_every_sample_its_rule() -> None:
    own = {*hardening.TREE, *hardening.HTML, *hardening.SCRIPT}
    assert len(BY) == len(SAMPLES) >= 25
    assert own == {name for name, each in BY.items() if each["by"] in ("tree", "html", "js")}


@pytest.mark.parametrize("name", [each["id"] for each in SAMPLES if each["by"] in ("tree", "html", "js")])
def test_an_own_rule_catches_the_bad_and_passes_the_good(name: str) -> None:
    rule = BY[name]
    assert name in _kinds(rule, rule["bad"])
    assert name not in _kinds(rule, rule["good"])


def test_the_rules_that_ruff_has_are_switched_on(tmp_path: Path) -> None:
    by_ruff = [each for each in SAMPLES if each["by"] not in ("tree", "html", "js")]
    for each in by_ruff:
        for kind in ("bad", "good"):
            (tmp_path / f"{kind}_{each['id']}.py").write_text(each[kind])
    found = _ruff(tmp_path)
    assert [each["id"] for each in by_ruff if (f"bad_{each['id']}", each["by"]) not in found] == []
    assert [each["id"] for each in by_ruff if (f"good_{each['id']}", each["by"]) in found] == []


def test_the_sources_keep_every_own_rule() -> None:
    breaches = [
        f"{source.relative}:{line}: {rule}"
        for source in rules.sources(rules.ROOT, "src")
        if not source.is_test
        for rule, line in hardening.found_in_python(source.text, source.relative)
    ]
    for pattern, table in (("*.html", hardening.HTML), ("*.js", hardening.SCRIPT)):
        for path in sorted(rules.PACKAGE.rglob(pattern)):
            if "vendor" not in path.parts:
                found = hardening.found_in_lines(path.read_text("utf-8"), table)
                relative = path.relative_to(rules.ROOT).as_posix()
                breaches += [
                    f"{relative}:{n}: {r}" for r, n in found if relative not in hardening.MAY.get(r, ())
                ]
    assert breaches == []


def test_an_exception_that_is_not_needed_any_more_is_taken_out() -> None:
    for rule, files in hardening.MAY.items():
        for relative in files:
            text = (rules.ROOT / relative).read_text("utf-8")
            found = (
                hardening.found_in_lines(text, hardening.SCRIPT)
                if relative.endswith(".js")
                else hardening.found_in_python(text)
            )
            assert rule in {name for name, _ in found}, (rule, relative)


def test_every_exception_from_rules_of_security_has_its_reason() -> None:
    bare = [
        f"{source.relative}:{number}"
        for source in rules.sources(rules.ROOT, "src")
        if not source.is_test
        for number, line in enumerate(source.text.splitlines(), start=1)
        if "# noqa: S" in line and len(line.partition("# noqa: ")[2].split(maxsplit=1)) < 2
    ]
    assert bare == []


def test_a_finding_counts_unless_tool_rule_file_and_number_are_accepted() -> None:
    entry = {"tool": "bandit", "rule": "B1", "path": "src/a*.py", "most": 1, "reason": "x"}
    known = scan.Finding("bandit", "B1", "src/a1.py", 3)
    stale = entry | {"rule": "B2"}
    others = [
        known._replace(tool="semgrep"),
        known._replace(rule="B3"),
        known._replace(path="src/b.py"),
        known,
    ]
    left, unused = scan.judged([known, *others], [entry, stale])
    assert left == others and unused == [stale]


def test_every_acceptance_has_its_reason() -> None:
    entries = tomllib.loads((rules.ROOT / "tests/architecture/hardening/accepted.toml").read_text("utf-8"))
    assert all(len(each["reason"]) >= 2 for each in entries["accepted"])


def test_a_bill_that_lacks_a_pin_is_found() -> None:
    lock = "Foo_Bar[x]==1.2 \\\n    --hash=sha256:00\nbaz==3\n"
    bill = {"components": [{"name": "foo-bar", "version": "1.2"}, {"name": "baz", "version": "2"}]}
    assert scan.missing_components(bill, lock) == ["baz==3"]


@pytest.mark.parametrize(
    ("name", "least"), [("server", 21), ("test", 21), ("scan", 21), ("contract", 8), ("oracle", 2)]
)
def test_every_pin_has_its_hashes(name: str, least: int) -> None:
    text = (rules.ROOT / "requirements" / f"{name}.lock").read_text("utf-8")
    parts = [
        each for each in text.replace("\\\n", " ").splitlines() if each and not each.startswith(("#", " "))
    ]
    assert len({each.partition("==")[0] for each in parts}) == len(scan.pins(text)) >= least
    assert [each[:60] for each in parts if "--hash=sha256:" not in each] == []


def test_the_age_of_a_pin_is_told_from_the_history() -> None:
    blamed = "ab 1 1 1\ncommitter-time 864000\n\tfoo==1.0 \\\ncd 2 2 1\ncommitter-time 1728000\n\tbar==2\n"
    assert scan.ages(blamed, 1728000.0) == {"foo": 10, "bar": 0}
