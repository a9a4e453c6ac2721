"""Every clause of a work that has begun is answered, or open with a reason; marks name known clauses."""

from __future__ import annotations

import pytest

from plumbline.standards.matrix import report
from plumbline.standards.register import load_open, load_register


def test_no_mark_names_an_unknown_clause() -> None:
    assert report().unknown == ()


@pytest.mark.parametrize("work", sorted(load_open().begun))
def test_every_clause_of_a_work_begun_is_accounted_for(work: str) -> None:
    assert [row.clause.id for row in report(work).missing] == []


def test_every_work_begun_is_one_of_the_register() -> None:
    assert load_open().begun <= {clause.work for clause in load_register()}


def test_no_clause_that_is_answered_is_still_listed_as_open() -> None:
    assert report().stale == ()
