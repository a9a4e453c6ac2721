"""A line that has carried many sets (用过的连接): the driver drops what is prepared on it whenever a transaction is taken back, and
whatever is refused then is parked alone as on a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from plumbline.supervision.projection import rebuild as rebuilding
from plumbline.supervision.projection.projector import Projector, StandingBy

pytestmark = pytest.mark.service


@pytest.fixture
def projector(tested):
    projector = Projector(tested.conninfo["plumb_projector"], set_size=300)
    yield projector
    projector.close()


def _size(tested) -> int:
    return tested.rows("SELECT size FROM journal.head")[0]["size"]


def _parked(tested, start: int) -> list[int]:
    return [
        each["idx"] for each in tested.rows("SELECT idx FROM fact.parked WHERE idx >= %s ORDER BY idx", start)
    ]


@contextmanager
def _refusing(tested, tags: str) -> Iterator[None]:
    """While the table of tags refuses those that are LIKE this."""
    with psycopg.connect(tested.conninfo["plumb_migrate"], autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(
            f"ALTER TABLE fact.tag ADD CONSTRAINT refused CHECK (id NOT LIKE '{tags}') NOT VALID".encode()
        )
        try:
            yield
        finally:
            conn.execute("ALTER TABLE fact.tag DROP CONSTRAINT refused")


def _many_sets(tested, projector, name: str) -> None:
    """So many that the driver has prepared statements of its own."""
    for each in range(9):
        tested.issue_tags(tags=[f"{name}{each}"])
        assert projector.catch_up() == 1


def test_a_refused_row_after_many_sets_is_parked_alone(tested, projector) -> None:
    tested.project()
    _many_sets(tested, projector, "MANY")
    before = _size(tested)
    for tag in ("MANYGOOD", "MANYBAD", "MANYGOODTOO"):
        tested.issue_tags(tags=[tag])
    with _refusing(tested, "MANYBAD"):
        assert projector.catch_up() == 3
    assert _parked(tested, before) == [before + 1]
    _many_sets(tested, projector, "AGAIN")


def test_two_refused_rows_far_apart_in_one_set_are_parked_alone(tested, projector) -> None:
    tested.project()
    before, count = _size(tested), 130
    for each in range(count):
        tested.issue_tags(tags=[f"FARBAD{each}" if each in (0, count - 1) else f"FAR{each}"])
    with _refusing(tested, "FARBAD%"):
        assert projector.catch_up() == count
    assert _parked(tested, before) == [before, before + count - 1]
    _many_sets(tested, projector, "AFTERFAR")


def test_after_standing_by_the_first_set_is_projected(tested, projector) -> None:
    tested.project()
    _many_sets(tested, projector, "TURN")
    with psycopg.connect(tested.conninfo["plumb_projector"]) as other:
        other.execute("SELECT pos FROM fact.position WHERE id = 'projector' FOR UPDATE")
        tested.issue_tags(tags=["TURNWAITS"])
        with pytest.raises(StandingBy):
            projector.step()
        other.rollback()
    assert projector.step() == 1


def test_a_refused_row_many_sets_into_one_run_is_parked_alone(tested) -> None:
    """As when the whole log is projected anew, by a rebuild or for a comparison, which never begin again on another line."""
    tested.project()
    before = _size(tested)
    for each in range(24):
        tested.issue_tags(tags=[f"LATE{each}"])
    projector = Projector(tested.conninfo["plumb_projector"], set_size=3)
    with _refusing(tested, "LATE20"):
        assert projector.catch_up() == 24
    projector.close()
    assert _parked(tested, before) == [before + 20]


def test_rows_are_utf_8_whatever_the_environment_says_of_clients(tested, monkeypatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "GBK")
    tested.project()
    before = _size(tested)
    tested.issue_tags(tags=["ENCODED"])
    projector = Projector(tested.conninfo["plumb_projector"])
    assert projector.catch_up() == 1
    projector.close()
    assert _parked(tested, before) == []
    assert rebuilding.audit_projection(tested.conninfo) == []
