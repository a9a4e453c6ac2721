"""Reading ahead: what is read early is what would be read now, and nothing hangs on it (预读)."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg
import pytest

from plumbline.supervision.projection import ahead as reading
from plumbline.supervision.projection import rebuild as rebuilding
from plumbline.supervision.projection.ahead import Ahead, Wanted
from plumbline.supervision.projection.entries import NEXT, Entry, next_entries
from plumbline.supervision.projection.projector import END, Projector

pytestmark = pytest.mark.service


@pytest.fixture
def taken(monkeypatch) -> list[int]:
    """How many entries each look at what was read ahead brought."""
    found: list[int] = []
    take = Ahead.take

    def seen(self: Ahead, epoch: int, start: int, end: int) -> list[Entry]:
        entries = take(self, epoch, start, end)
        found.append(len(entries))
        return entries

    monkeypatch.setattr(Ahead, "take", seen)
    return found


def _projected(tested, size: int) -> int:
    projector = Projector(tested.conninfo["plumb_projector"], set_size=size)
    try:
        return projector.catch_up()
    finally:
        projector.close()


def _left(tested) -> int:
    """Entries behind the position of the projector."""
    return tested.rows("SELECT size - pos AS n FROM journal.head, fact.position")[0]["n"]


def test_sets_that_were_read_ahead_are_projected_like_any_other(tested, taken):
    entries = _left(tested)
    assert _projected(tested, 3) == entries
    assert taken.count(3) == entries // 3 - 1
    assert rebuilding.audit_projection(tested.conninfo) == []


def test_a_set_of_another_place_is_forgotten(tested):
    conn = psycopg.connect(tested.conninfo["plumb_projector"], autocommit=True)
    ahead = Ahead(tested.conninfo["plumb_projector"])
    for asked, wanted in (((1, 2, END), 0), ((1, 3, END), 2), ((1, 3, END), 0), ((2, 3, END), 0)):
        if wanted or asked[:2] != (1, 3):
            ahead.begin(Wanted(1, 3, END, 2))
        assert len(ahead.take(*asked)) == wanted
    ahead.begin(Wanted(1, 3, 4, 2))
    assert ahead.take(1, 3, END) == []
    ahead.begin(Wanted(1, 3, END, 2))
    assert ahead.take(1, 3, END) == next_entries(conn, 1, 3, END, 2)
    ahead.close()
    conn.close()


def _refused(_: str) -> None:
    raise psycopg.OperationalError("too many connections")


def _unreadable(_: object) -> Entry:
    raise RuntimeError("no entry")


@pytest.mark.parametrize("how", ["connection", "asking", "opening", "connecting"])
def test_what_cannot_be_read_ahead_is_read_when_it_is_due(tested, taken, monkeypatch, how: str):
    if how == "asking":
        monkeypatch.setattr(reading, "ask_next", lambda *_: _refused(""))
    elif how == "connecting":
        monkeypatch.setattr(reading, "connect", _refused)
    elif how == "opening":
        monkeypatch.setattr(reading, "Entry", SimpleNamespace(of=_unreadable))
    else:
        begin = Ahead.begin

        def cut(self: Ahead, wanted: Wanted) -> None:
            begin(self, wanted)
            assert self._conn is not None
            with psycopg.connect(tested.conninfo["plumb_projector"], autocommit=True) as conn:
                conn.execute("SELECT pg_terminate_backend(%s)", [self._conn.info.backend_pid])

        monkeypatch.setattr(Ahead, "begin", cut)
    entries = _left(tested)
    assert _projected(tested, 3) == entries
    assert how == "connection" or not any(taken)
    assert rebuilding.audit_projection(tested.conninfo) == []


def test_two_projectors_in_turn_count_every_entry_once(tested, taken):
    one, other = (Projector(tested.conninfo["plumb_projector"], set_size=2) for _ in range(2))
    done, left = 0, _left(tested)
    while step := one.step() + other.step():
        done += step
    one.close()
    other.close()
    assert (done, _left(tested)) == (left, 0)
    assert not any(taken), "what one read ahead, the other had projected"
    assert rebuilding.audit_projection(tested.conninfo) == []


def test_a_set_that_the_database_refuses_does_not_hold_up_what_was_read_ahead(tested, taken):
    tested.project()
    before = tested.rows("SELECT size FROM journal.head")[0]["size"]
    for number in range(7):
        tested.issue_tags(tags=[f"AHEAD{number}"])
    with psycopg.connect(tested.conninfo["plumb_migrate"], autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE fact.tag ADD CONSTRAINT refused CHECK (id <> 'AHEAD2')")
        taken.clear()
        assert _projected(tested, 2) == 7
        conn.execute("ALTER TABLE fact.tag DROP CONSTRAINT refused")
    assert any(taken)
    parked = tested.rows("SELECT idx FROM fact.parked")
    assert [each["idx"] for each in parked] == [before + 2]
    assert len(tested.rows("SELECT 1 FROM fact.tag WHERE id LIKE 'AHEAD%%'")) == 6


def test_who_reads_ahead_looks_for_entries_by_their_place(tested):
    """And by the same plan from the first set on: planned for its numbers, each of the first ten sets after a start read all that the
    journal holds from there on."""
    ahead = Ahead(tested.conninfo["plumb_projector"])
    ahead.begin(Wanted(1, 0, END, 2))
    assert ahead.take(1, 0, END) and ahead._conn is not None
    statement = NEXT.replace("%s", "{}").format(*(f"${number}" for number in range(1, 5)))
    ahead._conn.execute(f"PREPARE asked (int, bigint, bigint, int) AS {statement}".encode())
    plan = [line for (line,) in ahead._conn.execute(f"EXPLAIN EXECUTE asked (1, 0, {END}, 2)".encode())]
    ahead.close()
    assert [line for line in plan if "leaf_pkey" in line]
    assert [line for line in plan if "idx >= $2" in line]
    assert not [line for line in plan if "Seq Scan" in line or "Hash" in line or "Sort" in line]
