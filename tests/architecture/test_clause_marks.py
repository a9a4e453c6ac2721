"""Every clause of a work that has begun is answered, or open with a reason; marks name known clauses."""

from __future__ import annotations

from functools import cache

import pytest

from plumbline.standards.marks import Mark, SourceTree, find_marks
from plumbline.standards.matrix import ClauseReport, matrix
from plumbline.standards.register import load_open, load_register


@cache
def marks() -> tuple[Mark, ...]:
    """Every mark of this tree, which is read once."""
    return tuple(find_marks(SourceTree.of_this_package()))


def report(work: str | None = None) -> ClauseReport:
    return matrix(load_register(), marks(), load_open(), work=work)


def test_no_mark_names_an_unknown_clause() -> None:
    assert report().unknown == ()


@pytest.mark.parametrize("work", sorted(load_open().begun))
def test_every_clause_of_a_work_begun_is_accounted_for(work: str) -> None:
    assert [row.clause.id for row in report(work).missing] == []


def test_every_work_begun_is_one_of_the_register() -> None:
    assert load_open().begun <= {clause.work for clause in load_register()}


def test_no_clause_that_is_answered_is_still_listed_as_open() -> None:
    assert report().stale == ()
