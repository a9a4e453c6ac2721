"""Findings are frozen statements; clauses tie rules to the register."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import plumbline.domain.custody.tags
import plumbline.domain.custody.timing
import plumbline.domain.reporting.code
import plumbline.domain.reporting.gate
import plumbline.domain.reporting.numbering  # noqa: F401 -- filled by import
from plumbline.domain.basics.clauses import CARRIED_OUT, carries_out
from plumbline.domain.basics.findings import Finding, Severity

REGISTER = Path(__file__).resolve().parents[6] / "shared" / "spec" / "clauses.csv"


def finding(code: str) -> Finding:
    return Finding(code=code, clause="", sentence="句子", severity=Severity.INFO, facts={"a": "1"})


def test_a_finding_cannot_be_changed_nor_its_facts():
    seen = finding("custody.late_registration")
    with pytest.raises(AttributeError):
        seen.code = "x.y"
    with pytest.raises(TypeError):
        seen.facts["a"] = "2"


@pytest.mark.parametrize("code", ["late", "Custody.late", "custody.", "custody.late registration", "a.b\n"])
def test_a_code_that_is_not_module_and_noun_is_a_bug(code):
    with pytest.raises(ValueError, match=r"module\.adjective_noun"):
        finding(code)


def test_severities_have_a_rank_and_a_word():
    assert [s.rank for s in Severity] == [0, 1, 2, 3, 4]
    assert Severity.BLOCK.label == "阻断"


def test_a_marked_rule_is_itself_and_stands_in_the_registry():
    def rule() -> int:
        return 7

    marked = carries_out("BJ 0.0.0-test")(rule)
    try:
        assert marked is rule
        assert marked.__clauses__ == ("BJ 0.0.0-test",)
        assert any(name.endswith("rule") for name in CARRIED_OUT["BJ 0.0.0-test"])
    finally:
        del CARRIED_OUT["BJ 0.0.0-test"]


@pytest.mark.parametrize("clause", ["", "7.1.2", "bj 7.1.2", "BJ  7.1.2", "BJ7.1.2"])
def test_what_cannot_be_a_clause_is_refused(clause):
    with pytest.raises(ValueError, match="not a clause id"):
        carries_out(clause)


def test_every_clause_carried_out_here_stands_in_the_register():
    if not REGISTER.exists():
        pytest.skip("../shared/spec/clauses.csv is not here")
    with REGISTER.open(encoding="utf-8-sig", newline="") as file:
        known = {row["id"] for row in csv.DictReader(file)}
    mine = {
        clause
        for clause, names in CARRIED_OUT.items()
        if any(n.startswith(("plumbline.domain.custody", "plumbline.domain.reporting")) for n in names)
    }
    assert mine
    assert mine <= known
