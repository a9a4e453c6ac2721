"""Names, sizes, docstrings, purity: each rule holds for this tree, and is proved able to fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import house_rules as rules
import pytest

SourceRule = Callable[[rules.Source], list[str]]

EVERYWHERE: list[SourceRule] = [
    rules.names_that_pytest_collects,
    rules.long_files,
    rules.long_functions,
    rules.missing_docstring,
    rules.missing_future_annotations,
]
IN_THE_DOMAIN: list[SourceRule] = [rules.clock_or_chance_in_rules, rules.floats_on_decimal_paths]


@cache
def found_everywhere() -> dict[SourceRule, list[str]]:
    """What every rule finds; each file is read and parsed once for all of them, and forgotten."""
    found: dict[SourceRule, list[str]] = {rule: [] for rule in EVERYWHERE}
    for source in rules.sources(rules.ROOT, "src", "tests"):
        for rule in EVERYWHERE:
            found[rule] += rule(source)
        vars(source).pop("tree", None)
    return found


@pytest.mark.parametrize("rule", EVERYWHERE)
def test_the_tree_keeps_the_rule(rule: SourceRule) -> None:
    found = found_everywhere()[rule]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("rule", IN_THE_DOMAIN)
def test_the_domain_keeps_the_rule(rule: SourceRule) -> None:
    found = rules.breaches(rule, rules.sources(rules.ROOT, "src/plumbline/domain"))
    assert not found, "\n" + "\n".join(found)


def test_the_import_contracts_see_every_package() -> None:
    assert rules.packages_out_of_sight(rules.PACKAGE) == []


FUTURE = '"""A module (模块)."""\n\nfrom __future__ import annotations\n\n'

PLANTED: list[tuple[SourceRule, str, str]] = [
    (rules.names_that_pytest_collects, FUTURE + "class TestingStamp: ...\n", "TestingStamp"),
    (rules.names_that_pytest_collects, FUTURE + "def test_strength(): ...\n", "test_strength"),
    (rules.long_files, FUTURE + "x = 1\n" * 597, "601 lines"),
    (rules.long_functions, FUTURE + "def long():\n" + "    x = 1\n" * 60, "61 lines"),
    (rules.missing_docstring, "from __future__ import annotations\n", "no module docstring"),
    (rules.missing_docstring, '"""Says nothing in Chinese."""\n', "without 中文"),
    (rules.missing_future_annotations, '"""模块."""\nx = 1\n', "__future__"),
    (
        rules.clock_or_chance_in_rules,
        FUTURE + "import datetime as dt\nnow = dt.datetime.now(dt.UTC)\n",
        "datetime.now",
    ),
    (rules.clock_or_chance_in_rules, FUTURE + "import time\nnow = time.time()\n", "time.time"),
    (rules.clock_or_chance_in_rules, FUTURE + "import random\nx = random.choice([1])\n", "random.choice"),
    (rules.floats_on_decimal_paths, FUTURE + 'x = float("38.5")\n', "float()"),
]


@pytest.mark.parametrize(("rule", "text", "words"), PLANTED)
def test_a_planted_breach_is_found(tmp_path: Path, rule: SourceRule, text: str, words: str) -> None:
    (tmp_path / "planted.py").write_text(text, encoding="utf-8")
    found = rules.breaches(rule, rules.sources(tmp_path))
    assert len(found) == 1
    assert words in found[0]


ALLOWED: list[tuple[SourceRule, str, str]] = [
    (rules.names_that_pytest_collects, "tests/test_x.py", "def test_x(): ...\n"),
    (rules.long_files, "planted.py", FUTURE + "x = 1\n" * 596),
    (rules.long_files, "tests/test_x.py", "x = 1\n" * 800),
    (rules.long_functions, "planted.py", "def long():\n" + "    x = 1\n" * 59),
    (rules.missing_docstring, "__init__.py", ""),
    (rules.missing_future_annotations, "__init__.py", '"""包."""\n'),
    (rules.floats_on_decimal_paths, "curve.py", 'x = float("38.5")\n'),
]


@pytest.mark.parametrize(("rule", "name", "text"), ALLOWED)
def test_what_just_keeps_the_rule_passes(tmp_path: Path, rule: SourceRule, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert rules.breaches(rule, rules.sources(tmp_path)) == []


def test_a_package_without_init_is_named(tmp_path: Path) -> None:
    (tmp_path / "sdk" / "tests").mkdir(parents=True)
    (tmp_path / "__init__.py").touch()
    (tmp_path / "sdk" / "client.py").touch()
    (tmp_path / "sdk" / "tests" / "test_client.py").touch()
    assert rules.packages_out_of_sight(tmp_path) == ["sdk"]
