"""Rows are written while the rest of the set is projected and the next one is opened (边写边投影): what goes wrong then is told as
if they had been written at the end."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from plumbline.supervision.projection import projector as projecting
from plumbline.supervision.projection import rebuild as rebuilding
from plumbline.supervision.projection.ahead import Ahead
from plumbline.supervision.projection.projector import Projector, StandingBy
from plumbline.supervision.projection.sending import Pump

pytestmark = pytest.mark.service


@pytest.fixture
def projector(tested, monkeypatch):
    """One whose sets of six are written in three parts."""
    monkeypatch.setattr(projecting, "PART", 2)
    projector = Projector(tested.conninfo["plumb_projector"], set_size=6)
    yield projector
    projector.close()


def _meanwhile(monkeypatch, happens: Callable[[], None]) -> None:
    """Let this happen once, while a set is being written."""
    opened, left = Ahead.open, [happens]

    def seen(self: Ahead, pump: Pump) -> None:
        if left:
            left.pop()()
        opened(self, pump)

    monkeypatch.setattr(Ahead, "open", seen)


def test_sets_that_are_written_in_parts_are_projected_like_any_other(tested, projector):
    with psycopg.connect(tested.conninfo["plumb_projector"]) as conn:
        size = conn.execute("SELECT size - pos FROM journal.head, fact.position").fetchone()
    assert size == (projector.catch_up(),)
    assert tested.rows("SELECT 1 FROM fact.parked") == []
    assert rebuilding.audit_projection(tested.conninfo) == []


@pytest.mark.parametrize("number", [0, 3, 5, 6, 11])
def test_an_entry_whose_rows_are_refused_is_parked_alone(tested, projector, number: int):
    """Whichever part of a set it is in, and in whichever set."""
    tested.project()
    before = tested.rows("SELECT size FROM journal.head")[0]["size"]
    for each in range(12):
        tested.issue_tags(tags=[f"PART{each}"])
    with psycopg.connect(tested.conninfo["plumb_migrate"], autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(f"ALTER TABLE fact.tag ADD CONSTRAINT refused CHECK (id <> 'PART{number}')".encode())
        assert projector.catch_up() == 12
        conn.execute("ALTER TABLE fact.tag DROP CONSTRAINT refused")
    assert [each["idx"] for each in tested.rows("SELECT idx FROM fact.parked")] == [before + number]
    assert len(tested.rows("SELECT 1 FROM fact.tag WHERE id LIKE 'PART%%'")) == 11
    assert len(tested.rows("SELECT 1 FROM fact.event WHERE idx >= %s", before)) == 12


def test_rows_that_are_refused_early_park_their_entry_alone(tested, projector):
    tested.project()
    before = tested.rows("SELECT size FROM journal.head")[0]["size"]
    for each in range(6):
        tested.issue_tags(tags=[f"EARLY{each}"])
    with psycopg.connect(tested.conninfo["plumb_migrate"], autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        refused = f"CHECK (idx <> {before + 1} OR subject IS NULL)"
        conn.execute(f"ALTER TABLE fact.event ADD CONSTRAINT refused {refused}".encode())
        assert projector.catch_up() == 6
        conn.execute("ALTER TABLE fact.event DROP CONSTRAINT refused")
    assert [each["idx"] for each in tested.rows("SELECT idx FROM fact.parked")] == [before + 1]
    assert len(tested.rows("SELECT 1 FROM fact.tag WHERE id LIKE 'EARLY%%'")) == 5


def test_a_projector_that_loses_its_line_while_it_writes_goes_on_where_it_was(tested, projector, monkeypatch):
    def cut() -> None:
        with psycopg.connect(tested.conninfo["plumb_projector"], autocommit=True) as conn:
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [projector.connection().info.backend_pid])

    before = tested.rows("SELECT pos FROM fact.position")
    _meanwhile(monkeypatch, cut)
    with pytest.raises(psycopg.OperationalError):
        projector.catch_up()
    assert tested.rows("SELECT pos FROM fact.position") == before
    assert projector.catch_up()
    assert rebuilding.audit_projection(tested.conninfo) == []


def test_a_second_projector_stands_by_while_the_first_one_writes(tested, projector, monkeypatch):
    second, seen = Projector(tested.conninfo["plumb_projector"]), []

    def too() -> None:
        with pytest.raises(StandingBy):
            second.step()
        seen.append(True)

    _meanwhile(monkeypatch, too)
    assert projector.catch_up()
    assert seen and second.catch_up() == 0
    second.close()
    assert rebuilding.audit_projection(tested.conninfo) == []
