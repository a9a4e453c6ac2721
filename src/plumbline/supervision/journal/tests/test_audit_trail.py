"""The audit trail is bound to the log (审计记录封存): whoever holds the database changes nothing of it unseen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plumbline.domain.basics.identifiers import party_id
from plumbline.supervision import commands
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal import trail as trail_rows
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.audit_trail import MOST_NAMED, audit_trail
from plumbline.supervision.journal.trail import EVENT_COLUMNS, event_hash, root_of, seal_new, to_enter
from plumbline.supervision.worker import sealing as sealing_of
from plumbline.supervision.worker.sealing import Sealing

pytestmark = pytest.mark.service

_EVENT = (
    "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
    "VALUES (%s, 'account.disabled', %s, 'done', 'POST account', '{\"because\": \"离岗\"}')"
)


class Trail:
    """A quiet platform whose trail is written and sealed by hand."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.operator = party_id(operator_of(platform.platform)[0]).hex()
        worker = platform.platform.conninfo("plumb_worker")
        self.sealing = Sealing(worker, platform.sender(), self.operator)
        self.worker = psycopg.connect(worker, autocommit=True)
        database = platform.platform.database.name
        self.admin = psycopg.connect(platform.administrator, dbname=database, autocommit=True)

    def close(self) -> None:
        self.worker.close()
        self.admin.close()

    def happen(self, count: int, actor: str = "a.officer") -> list[int]:
        """So many events; their numbers."""
        for number in range(count):
            self.worker.execute(_EVENT, [actor, f"account {number}"])
        rows = self.admin.execute("SELECT id FROM ops.audit_event ORDER BY id DESC LIMIT %s", [count])
        return sorted(row[0] for row in rows.fetchall())

    def seal(self) -> int:
        return self.sealing.round(self.worker)

    def problems(self) -> list[str]:
        return audit_trail(self.platform.platform.conninfo("plumb_gateway"))

    def seals(self) -> list[int]:
        rows = self.admin.execute("SELECT number FROM ops.trail_seal ORDER BY number").fetchall()
        return [row[0] for row in rows]


@pytest.fixture
def trail(quiet_platform: Any) -> Iterator[Trail]:
    made = Trail(quiet_platform)
    made.seal()  # what preparing the platform left
    yield made
    made.close()


def test_what_was_sealed_is_as_it_was_and_what_is_new_is_not_missed(trail: Trail) -> None:
    first = trail.happen(5)
    assert trail.seal() == 1
    second = trail.happen(3)
    assert trail.seal() == 1
    assert trail.seal() == 0  # nothing new: no entry
    trail.happen(2)
    notes: list[str] = []
    assert audit_trail(trail.platform.platform.conninfo("plumb_gateway"), notes) == []
    assert "2 条还没有封存" in notes[0]
    rows = trail.admin.execute(
        "SELECT events, first, last FROM ops.trail_seal ORDER BY number DESC LIMIT 2"
    ).fetchall()
    assert rows == [(3, second[0], second[-1]), (5, first[0], first[-1])]
    assert (
        audit_log(trail.platform.platform.conninfo("plumb_gateway"), trail.platform.platform.folder("marks"))
        == []
    )


_CHANGES = {
    "actor": "UPDATE ops.audit_event SET actor = 'somebody.else' WHERE id = {id}",
    "action": "UPDATE ops.audit_event SET action = 'account.changed' WHERE id = {id}",
    "subject": "UPDATE ops.audit_event SET subject = subject || ' ' WHERE id = {id}",
    "outcome": "UPDATE ops.audit_event SET outcome = 'refused' WHERE id = {id}",
    "request": "UPDATE ops.audit_event SET request = '' WHERE id = {id}",
    "detail": 'UPDATE ops.audit_event SET detail = detail || \'{{"because": "离职"}}\' WHERE id = {id}',
    "at": "UPDATE ops.audit_event SET at = at - interval '1 microsecond' WHERE id = {id}",
    "gone": "DELETE FROM ops.audit_event WHERE id = {id}",
    "another number": "UPDATE ops.audit_event SET id = 900000 OVERRIDING SYSTEM VALUE WHERE id = {id}",
    "two that change places": "UPDATE ops.audit_event e SET actor = o.actor, subject = o.subject FROM ops.audit_event o "
    "WHERE (e.id, o.id) IN (({id}, {id} + 1), ({id} + 1, {id}))",
}


@pytest.mark.parametrize("what", _CHANGES)
def test_an_event_that_is_not_as_it_was_is_named(trail: Trail, what: str) -> None:
    chosen = trail.happen(5)[2]
    trail.seal()
    trail.happen(2)
    trail.seal()
    statement = _CHANGES[what].replace(" OVERRIDING SYSTEM VALUE", "")
    if what == "another number":
        trail.admin.execute("ALTER TABLE ops.audit_event ALTER id DROP IDENTITY")
    trail.admin.execute(statement.format(id=chosen).encode())
    found = trail.problems()
    assert any(f"第 {chosen} 条审计记录" in each for each in found), found


def _forget_hash(trail: Trail, number: int) -> None:
    """The event, and what the list says of it, together."""
    trail.admin.execute("UPDATE ops.audit_event SET actor = 'x' WHERE id = %s", [number])
    row = trail.admin.execute(
        f"SELECT (SELECT t.nonce FROM ops.trail_seal t JOIN ops.trail_sealed s ON s.seal = t.number WHERE s.id = e.id), {EVENT_COLUMNS} "
        "FROM ops.audit_event e WHERE id = %s".encode(),
        [number],
    ).fetchone()
    assert row is not None
    hashed = event_hash(row[1:], bytes(row[0]))
    trail.admin.execute("UPDATE ops.trail_sealed SET hash = %s WHERE id = %s", [hashed, number])


def _recompute(trail: Trail, number: int) -> None:
    """The event, the list and the root in the table: everything but the log."""
    _forget_hash(trail, number)
    rows = trail.admin.execute(
        "SELECT seal, hash FROM ops.trail_sealed WHERE seal = (SELECT seal FROM ops.trail_sealed WHERE id = %s) ORDER BY id",
        [number],
    ).fetchall()
    root = root_of(bytes(row[1]) for row in rows)
    trail.admin.execute("UPDATE ops.trail_seal SET root = %s WHERE number = %s", [root, rows[0][0]])


def _erase(trail: Trail, number: int) -> None:
    """The event and its line of the list."""
    trail.admin.execute("DELETE FROM ops.audit_event WHERE id = %s", [number])
    trail.admin.execute("DELETE FROM ops.trail_sealed WHERE id = %s", [number])


def _erase_the_seal(trail: Trail, number: int) -> None:
    """Everything that was sealed with it, and the seal."""
    (seal,) = trail.admin.execute("SELECT seal FROM ops.trail_sealed WHERE id = %s", [number]).fetchone() or (
        0,
    )
    trail.admin.execute(
        "DELETE FROM ops.audit_event WHERE id IN (SELECT id FROM ops.trail_sealed WHERE seal = %s)", [seal]
    )
    trail.admin.execute("DELETE FROM ops.trail_sealed WHERE seal = %s", [seal])
    trail.admin.execute("DELETE FROM ops.trail_seal WHERE number = %s", [seal])


@pytest.mark.parametrize("act", [_forget_hash, _recompute, _erase, _erase_the_seal])
def test_who_changes_the_list_with_the_event_is_found_by_the_log(
    trail: Trail, act: Callable[[Trail, int], None]
) -> None:
    chosen = trail.happen(4)[1]
    trail.seal()
    number = trail.seals()[-1]
    trail.happen(1)
    trail.seal()
    act(trail, chosen)
    found = trail.problems()
    assert any(f"第 {number} 次封存" in each for each in found), found


@pytest.mark.parametrize("column", ["uid", "at", "occurred_at", "events", "first", "last", "root", "number"])
def test_a_seal_that_is_changed_is_named(trail: Trail, column: str) -> None:
    trail.happen(3)
    trail.seal()
    number = trail.seals()[-1]
    trail.happen(1)
    trail.seal()
    new = {
        "uid": "gen_random_uuid()",
        "at": "at - interval '1 second'",
        "occurred_at": "occurred_at + interval '1 second'",
        "root": "sha256(root)",
        "number": "number + 1000",
    }.get(column, f"{column} + 1")
    trail.admin.execute("SET session_replication_role = replica")
    trail.admin.execute("ALTER TABLE ops.trail_seal ALTER number DROP IDENTITY")
    trail.admin.execute(f"UPDATE ops.trail_seal SET {column} = {new} WHERE number = {number}".encode())
    found = trail.problems()
    assert any(f"第 {number} 次封存" in each for each in found), found


def test_an_event_of_the_past_that_is_put_in_today_is_named(trail: Trail) -> None:
    """Sealed by an unsuspecting worker, or too far back for it to look."""
    trail.happen(3)
    trail.seal()
    put = (
        "INSERT INTO ops.audit_event (id, at, actor, action, subject, outcome, request) OVERRIDING SYSTEM VALUE "
        "VALUES (%s, clock_timestamp() - interval '2 hours', 'a.officer', 'account.disabled', 's', 'done', 'POST account')"
    )
    trail.admin.execute(put, [700])
    trail.admin.execute("SELECT setval(pg_get_serial_sequence('ops.audit_event', 'id'), 20000)")
    trail.happen(1)
    trail.seal()
    assert any("第 700 条审计记录" in each and "事后插入" in each for each in trail.problems())
    trail.admin.execute(put, [701])
    trail.seal()
    assert any("第 701 条审计记录" in each and "没有封存过" in each for each in trail.problems())


def test_numbers_that_are_moved_away_keep_nothing_from_being_sealed(trail: Trail) -> None:
    """One event with a number far ahead, then the sequence put back: those that follow lie behind what was sealed."""
    (before,) = trail.happen(1)
    trail.admin.execute("SELECT setval(pg_get_serial_sequence('ops.audit_event', 'id'), 1000000)")
    trail.happen(1)
    trail.seal()
    trail.admin.execute("SELECT setval(pg_get_serial_sequence('ops.audit_event', 'id'), %s)", [before])
    trail.worker.execute(_EVENT, ["a.officer", "behind"])
    assert trail.seal() == 1
    trail.admin.execute("DELETE FROM ops.audit_event WHERE subject = 'behind'")
    assert any(f"第 {before + 1} 条审计记录被删去" in each for each in trail.problems())


def test_the_hours_in_which_nothing_happened_are_sealed_too(trail: Trail) -> None:
    """An event of a quiet night is not put in the next morning."""
    trail.happen(1)
    trail.seal()
    shift = "UPDATE ops.{0} SET at = at - interval '9 hours'"
    trail.admin.execute(shift.format("audit_event").encode())
    row = trail.worker.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert trail_rows.is_quiet(trail.worker, row[0] + timedelta(hours=1))
    assert not trail_rows.is_quiet(trail.worker, row[0])
    made = seal_new(trail.worker, row[0], row[0], even_nothing=True)
    assert made is not None
    assert (made.events, made.first, made.last) == (0, 0, 0)
    assert trail.seal() == 1
    assert [each for each in trail.problems() if "次封存的" in each and "条与" in each] == []
    trail.admin.execute("DELETE FROM ops.trail_seal WHERE number = %s", [made.number])
    assert any(f"第 {made.number} 次封存" in each for each in trail.problems())


def test_where_nobody_looks_nothing_is_hidden(trail: Trail) -> None:
    """A number between the newest and one far ahead, with a time of the past: the worker looks neither there nor then. So does a line of
    a list for an event that is yet to come, or a seal that nobody entered."""
    put = (
        "INSERT INTO ops.audit_event (id, at, actor, action, subject, outcome, request) OVERRIDING SYSTEM VALUE "
        "VALUES (%s, clock_timestamp() - %s::interval, 'a.officer', 'account.disabled', 's', 'done', 'POST account')"
    )
    (number,) = trail.happen(1)
    trail.seal()
    trail.admin.execute(put, [10**12, "0"])
    trail.seal()
    trail.admin.execute(put, [10**11, "60 days"])
    row = trail.worker.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert seal_new(trail.worker, row[0], row[0], even_nothing=True) is not None
    trail.seal()  # the newest seal is one of nothing
    assert any(f"第 {10**11} 条审计记录" in each and "没有封存过" in each for each in trail.problems())
    trail.admin.execute("DELETE FROM ops.audit_event WHERE id = %s", [10**11])
    assert trail.problems() == []
    trail.admin.execute(
        "INSERT INTO ops.trail_seal (number, uid, at, occurred_at, events, first, last, root, nonce, entered_at) OVERRIDING SYSTEM VALUE "
        "SELECT 900000, gen_random_uuid(), at, occurred_at, events, first, last, root, nonce, at FROM ops.trail_seal LIMIT 1"
    )
    trail.admin.execute(put, [number + 1, "5 hours"])
    trail.admin.execute("INSERT INTO ops.trail_sealed VALUES (%s, 900000, sha256(''))", [number + 1])
    trail.seal()
    assert any(f"第 {number + 1} 条审计记录" in each and "没有封存过" in each for each in trail.problems())


def test_a_worker_that_dies_behind_its_entry_leaves_a_page_that_is_right(trail: Trail) -> None:
    trail.happen(2)
    row = trail.worker.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    made = seal_new(trail.worker, row[0], row[0])
    assert made is not None
    trail.platform.sender().submit(made.message(trail.operator))
    number, *_, waiting, _ = trail_rows.standing(trail.worker.cursor())
    assert (number != made.number, waiting) == (True, 2)
    assert trail.seal() == 0
    number, *_, waiting, is_late = trail_rows.standing(trail.worker.cursor())
    assert (number, waiting, is_late) == (made.number, 0, False)


def test_a_row_that_somebody_planted_is_not_signed_and_one_that_waited_too_long_is_made_anew(
    trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    trail.happen(2)
    trail.seal()
    for moved in ("at = at - interval '1 day'", "events = events + 1"):
        trail.happen(2)
        row = trail.worker.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        made = seal_new(trail.worker, row[0], row[0])
        assert made is not None
        trail.admin.execute(f"UPDATE ops.trail_seal SET {moved} WHERE number = {made.number}".encode())
        caplog.clear()
        assert trail.seal() == 1
        assert "made anew" in caplog.text
        assert made.number not in trail.seals()
    assert trail.problems() == []


def test_a_seal_that_says_another_time_than_its_entry_is_named(trail: Trail) -> None:
    """Entered by somebody who can make the worker sign: the log knows when it was."""
    row = trail.worker.execute("SELECT clock_timestamp() - interval '3 hours'").fetchone()
    assert row is not None
    trail.happen(1)
    made = seal_new(trail.worker, row[0], row[0])
    assert made is not None
    trail.platform.sender().submit(made.message(trail.operator))
    assert not any("写的时间" in each for each in trail.problems())  # a demo's log has a clock of its own
    trail.admin.execute("SET session_replication_role = replica")
    trail.admin.execute("UPDATE journal.head SET origin = 'plumbline'")
    assert any(f"第 {made.number} 次封存写的时间" in each for each in trail.problems())


def test_a_time_that_no_clock_shows_is_refused_and_named_where_somebody_put_it(trail: Trail) -> None:
    put = (
        "INSERT INTO ops.audit_event (id, at, actor, action, subject, outcome, request) OVERRIDING SYSTEM VALUE "
        "VALUES (%s, %s, '', '', '', '', '')"
    )
    for role in ("plumb_web", "plumb_gateway", "plumb_worker"):
        with psycopg.connect(trail.platform.platform.conninfo(role), autocommit=True) as process:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                process.execute(put, [77, "2026-01-01"])
    for number, time in (
        (77, "infinity"),
        (77, "-infinity"),
        (77, "20000-01-01"),
        (-5, "2026-01-01"),
        (2**53, "2026-01-01"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            trail.admin.execute(put, [number, time])
    chosen = trail.happen(2)[0]
    trail.seal()
    trail.admin.execute("ALTER TABLE ops.audit_event DROP CONSTRAINT audit_event_time")
    trail.admin.execute("UPDATE ops.audit_event SET at = 'infinity' WHERE id = %s", [chosen])
    assert any(f"第 {chosen} 条审计记录" in each for each in trail.problems())
    number = trail.seals()[-1]
    trail.admin.execute("ALTER TABLE ops.trail_seal DROP CONSTRAINT trail_seal_time")
    trail.admin.execute("UPDATE ops.trail_seal SET at = '20000-01-01' WHERE number = %s", [number])
    assert any(f"第 {number} 次封存" in each for each in trail.problems())


def test_one_worker_seals_at_a_time(trail: Trail) -> None:
    trail.happen(1)
    with psycopg.connect(trail.platform.platform.conninfo("plumb_worker"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [sealing_of._LOCK])
        assert trail.seal() == 0
        assert "1 条还没有封存" in _note(trail)
        other.execute("SELECT pg_advisory_unlock(%s)", [sealing_of._LOCK])
    assert trail.seal() == 1


def test_a_root_does_not_tell_what_one_event_says(trail: Trail) -> None:
    """It is public for ever: whoever guesses the event finds no root of it."""
    trail.happen(1)
    trail.seal()
    row = trail.admin.execute(
        f"SELECT (SELECT root FROM ops.trail_seal ORDER BY number DESC LIMIT 1), {EVENT_COLUMNS} FROM ops.audit_event e "
        "ORDER BY id DESC LIMIT 1".encode()
    ).fetchone()
    assert row is not None
    assert bytes(row[0]) != root_of([event_hash(row[1:], b"")])


def test_an_upgrade_with_many_events_makes_several_seals_and_no_alarm(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_rows, "MOST_EVENTS", 4)
    trail.happen(10)
    trail.admin.execute("UPDATE ops.audit_event SET at = at - interval '90 days'")
    trail.admin.execute("DELETE FROM ops.trail_seal")  # as before the upgrade: nothing was sealed
    trail.admin.execute("SET session_replication_role = replica")
    trail.admin.execute("DELETE FROM journal.entry WHERE position('trail.sealed'::bytea IN message) > 0")
    # broken off after the first, and gone on with later
    row = trail.worker.execute("SELECT clock_timestamp() - interval '5 minutes'").fetchone()
    assert row is not None
    assert seal_new(trail.worker, row[0], row[0]) is not None
    assert trail.problems() == []
    assert trail.seal() >= 3
    assert trail.problems() == []


def _note(trail: Trail) -> str:
    notes: list[str] = []
    audit_trail(trail.platform.platform.conninfo("plumb_gateway"), notes)
    return notes[0]


def test_a_late_commit_is_sealed_and_no_alarm(trail: Trail) -> None:
    """Its number is smaller than those that were sealed before it."""
    with psycopg.connect(trail.platform.platform.conninfo("plumb_web")) as late:
        late.execute(_EVENT, ["late", "account"])
        trail.happen(3)
        assert trail.seal() == 1
    assert trail.seal() == 1
    assert trail.problems() == []


def test_a_clock_that_was_put_back_makes_no_alarm(trail: Trail) -> None:
    """Events and seals of the three hours that it was fast stand as they were made."""
    ahead = trail.happen(2)
    fast = "interval '3 hours'"
    trail.admin.execute(f"UPDATE ops.audit_event SET at = at + {fast} WHERE id = ANY(%s)".encode(), [ahead])
    row = trail.admin.execute(f"SELECT clock_timestamp() + {fast}".encode()).fetchone()
    assert row is not None
    made = seal_new(trail.worker, row[0], row[0])
    assert made is not None
    assert trail.seal() == 1
    trail.happen(2)
    assert trail.problems() == []
    trail.seal()
    assert trail.problems() == []


def test_a_seal_that_a_killed_worker_left_is_entered_once_by_the_next(trail: Trail) -> None:
    trail.happen(3)
    row = trail.worker.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert seal_new(trail.worker, row[0], row[0]) is not None
    assert trail.problems() == []  # on its way
    assert trail.seal() == 1
    assert to_enter(trail.worker, bytes.fromhex(trail.operator)) == []
    assert trail.seal() == 0
    trail.happen(1)
    assert trail.seal() == 1
    assert trail.problems() == []


def test_two_workers_seal_an_event_once(trail: Trail) -> None:
    trail.happen(3)
    with psycopg.connect(trail.platform.platform.conninfo("plumb_worker"), autocommit=True) as other:
        row = other.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        with other.transaction():
            assert seal_new(other, row[0], row[0]) is not None
            trail.worker.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                seal_new(trail.worker, row[0], row[0])
    assert trail.seal() == 1
    assert trail.problems() == []


def test_many_of_a_kind_are_counted_and_the_command_says_what_is_wrong(
    trail: Trail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trail.happen(MOST_NAMED + 5)
    trail.seal()
    trail.admin.execute("UPDATE ops.audit_event SET actor = 'x' WHERE actor = 'a.officer'")
    found = trail.problems()
    assert len([each for each in found if "与第" in each]) == MOST_NAMED
    assert "改过的：还有 5 处" in found

    @contextmanager
    def opened(_: Path) -> Iterator[Any]:
        yield trail.platform.platform

    monkeypatch.setattr(commands, "opened", opened)
    asked = argparse.Namespace(what="trail", checkpoint=[], data_dir="")
    assert commands.run_audit(asked) == 1
    told = capsys.readouterr().out
    assert "审计记录：改过的：还有 5 处" in told
    assert told.rstrip().endswith("审计记录：有人改过。")
    trail.admin.execute("UPDATE ops.audit_event SET actor = 'a.officer' WHERE actor = 'x'")
    assert commands.run_audit(asked) == 0
    assert capsys.readouterr().out.rstrip().endswith("审计记录：与封存时逐条相同。")
    # the entry changed with everything else: the trail rests on the log, which is held first
    _recompute(trail, trail.happen(1)[0] - 1)
    trail.admin.execute("SET session_replication_role = replica")
    trail.admin.execute(
        "UPDATE journal.entry e SET message = convert_to(replace(convert_from(message, 'UTF8'), s.old, s.new), 'UTF8') FROM "
        "(SELECT (regexp_match(convert_from(message, 'UTF8'), '\"root\":\"([0-9a-f]{64})\"'))[1] AS old, "
        "encode(t.root, 'hex') AS new, t.uid FROM ops.trail_seal t JOIN journal.entry n ON n.uid = t.uid) s WHERE e.uid = s.uid"
    )
    assert commands.run_audit(asked) == 1
    told = capsys.readouterr().out
    assert "日志：对不上" in told
    assert "审计记录：与封存时逐条相同。" in told
