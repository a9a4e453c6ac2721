"""Partitions in time, and a rebuild that never loses an entry (分区与重建)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from plumbline.embedded.folder import full_disk
from plumbline.embedded.problems import ClusterProblem
from plumbline.supervision import boot
from plumbline.supervision import run as running
from plumbline.supervision.journal.setup import SetupProblem
from plumbline.supervision.projection import rebuild as rebuilding
from plumbline.supervision.projection import schema
from plumbline.supervision.projection.projector import Projector, StandingBy, _due
from plumbline.supervision.run import DATABASE_AGAIN_S, PARTITIONS_EVERY_S, DatabaseKeeper, EachSecond

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "months"),
    [
        (datetime(2026, 11, 1, 4, tzinfo=UTC), ["2611", "2612", "2701", "2702"]),
        (datetime(2026, 9, 30, 15, 59, tzinfo=UTC), ["2609", "2610", "2611", "2612", "2701", "2702"]),
        (
            datetime(2026, 9, 30, 16, 0, tzinfo=UTC),
            ["2610", "2611", "2612", "2701", "2702"],
        ),  # October in China
    ],
)
def test_months_reach_from_the_first_entry_to_three_ahead(first, months):
    assert schema.code_months(first, NOW) == months


def test_months_begin_with_the_log_however_old_it_is():
    assert schema.code_months(datetime(2024, 2, 1, tzinfo=UTC), NOW)[0] == "2402"
    assert len(schema.code_months(datetime(2024, 2, 1, tzinfo=UTC), NOW)) == 37


def _partitions(log) -> set[str]:
    rows = log.rows("SELECT relname FROM pg_class WHERE relname ~ '^code_[0-9]{4}$'")
    return {row["relname"] for row in rows}


@pytest.mark.service
def test_a_rebuild_years_later_has_a_partition_for_every_old_code(log, monkeypatch):
    log.project()
    began = log.rows("SELECT logged_at FROM fact.event WHERE idx = 0")[0]["logged_at"]
    later = datetime.now(UTC) + timedelta(days=800)
    monkeypatch.setattr(rebuilding, "datetime", type("Later", (), {"now": staticmethod(lambda zone: later)}))
    rebuilding.rebuild(log.conninfo)
    assert {f"code_{began:%y%m}", f"code_{later:%y%m}"} <= _partitions(log)


@pytest.mark.service
def test_the_supervising_process_makes_partitions_that_are_missing(log):
    with psycopg.connect(log.conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        newest = max(_partitions(log))
        conn.execute(f"DROP TABLE fact.{newest}".encode())
    clock = [0.0]
    each = EachSecond(log.tested.platform, None, print, clock=lambda: clock[0])
    each()
    assert newest not in _partitions(log)
    clock[0] = PARTITIONS_EVERY_S
    each()
    assert newest in _partitions(log)
    assert schema.ensure_code_partitions(log.conninfo["plumb_migrate"], datetime.now(UTC)) == []


@pytest.mark.service
def test_a_database_out_of_reach_stops_nothing(log):
    told = []
    each = EachSecond(log.tested.platform, None, told.append, clock=lambda: 0.0)
    broken = {"conninfo": lambda self, role: "host=127.0.0.1 port=1 connect_timeout=1"}
    each.platform = type("Gone", (), broken)()
    each.make_partitions()
    assert told == ["分区没有建成，一分钟以后再试：OperationalError"]


def test_a_database_that_cannot_come_back_is_tried_again_and_said_once() -> None:
    clock, told, outcomes = [0.0], [], [full_disk(Path("/data")), full_disk(Path("/data")), "running"]

    def start() -> object:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    keeper = DatabaseKeeper(SimpleNamespace(start=start), told.append, clock=lambda: clock[0])
    assert keeper.look() is None
    assert keeper.look() is None and len(outcomes) == 2, "it is left alone for a while"
    for _ in range(2):
        clock[0] += DATABASE_AGAIN_S
        found = keeper.look()
    assert found == "running"
    assert [("没有恢复" in each, "空间不足" in each) for each in told] == [(True, True), (False, False)]


def test_the_same_trouble_with_the_database_is_said_once_although_its_last_words_bear_times() -> None:
    clock, told, tries = [0.0], [], []

    def start() -> object:
        tries.append(1)
        raise ClusterProblem(f"没有启动成功；最后的输出：08:4{len(tries)} [4711{len(tries)}] FATAL", "")

    keeper = DatabaseKeeper(SimpleNamespace(start=start), told.append, clock=lambda: clock[0])
    for _ in range(3):
        keeper.look()
        clock[0] += DATABASE_AGAIN_S
    assert (len(tries), len(told)) == (3, 1)


def test_what_waited_for_a_partition_is_projected_as_soon_as_that_goes_well(monkeypatch) -> None:
    made, outcomes, told = [["2611"], [], []], [psycopg.OperationalError("busy"), None], []

    def reproject(conninfo: str) -> None:
        told.append("lock_timeout" in conninfo)
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome

    monkeypatch.setattr(running, "ensure_partitions", lambda conninfo, now: [])
    monkeypatch.setattr(running, "ensure_code_partitions", lambda conninfo, now: made.pop(0))
    monkeypatch.setattr(running, "reproject", reproject)
    each = EachSecond(SimpleNamespace(conninfo=lambda role: "host=/nowhere"), None, lambda sentence: None)
    for _ in range(3):
        each.make_partitions()
    assert told == [True, True], "tried again, and not once it was done"


def test_a_report_that_cannot_be_written_ends_nothing() -> None:
    def full(sentence: str) -> None:
        raise OSError(28, sentence)

    running._unbroken(full)("磁盘满了")


@pytest.mark.service
def test_a_rebuild_that_projects_less_than_the_live_tables_is_not_made_live(tested, failing):
    tested.project()
    before = tested.row("run", tested.ids["run"])
    mend = failing("run.recorded")
    with pytest.raises(rebuilding.RebuildRefused, match="没有换表"):
        rebuilding.rebuild(tested.conninfo)
    mend()
    assert tested.row("run", tested.ids["run"]) == before
    assert tested.rows("SELECT to_regnamespace('fact_next') AS n") == [{"n": None}]
    assert rebuilding.audit_projection(tested.conninfo) == []


@pytest.mark.service
def test_entries_that_come_in_during_a_rebuild_are_all_projected_once(tested, monkeypatch):
    tested.project()
    stop, failures = threading.Event(), []

    def live() -> None:
        projector = Projector(tested.conninfo["plumb_projector"], set_size=2)
        while not stop.is_set():
            try:
                projector.step()
            except StandingBy:
                continue
            except Exception as error:
                failures.append(error)
        projector.close()

    swap = schema.swap

    def slow_swap(conn) -> None:
        tested.issue_tags(tags=["SWAP"])
        stop.wait(0.3)
        swap(conn)

    monkeypatch.setattr(rebuilding, "swap", slow_swap)
    thread = threading.Thread(target=live)
    thread.start()
    for number in range(3):
        tested.issue_tags(tags=[f"R{number}"])
        assert rebuilding.rebuild(tested.conninfo)[1] == []
    stop.set()
    thread.join()
    assert failures == []
    tested.project()
    assert len(tested.rows("SELECT 1 FROM fact.tag WHERE id IN ('R0', 'R1', 'R2', 'SWAP')")) == 4
    assert rebuilding.audit_projection(tested.conninfo) == []


@pytest.mark.service
def test_an_audit_of_a_projector_that_lags_compares_as_of_its_position(tested):
    slow = Projector(tested.conninfo["plumb_projector"], set_size=5)
    slow.step()
    slow.close()
    assert tested.rows("SELECT pos FROM fact.position")[0]["pos"] < len(tested.indexes)
    assert rebuilding.audit_projection(tested.conninfo) == []
    assert rebuilding.rebuild(tested.conninfo)[1] == []
    assert tested.row("run", tested.ids["run"]) is not None


@pytest.mark.service
@pytest.mark.parametrize("gone", [("position",), ("position", "event", "parked"), ("tag",)])
def test_tables_that_were_taken_away_or_replaced_are_named(tested, gone):
    tested.project()
    with psycopg.connect(tested.conninfo["plumb_migrate"], autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        for name in gone:
            conn.execute(f"ALTER TABLE fact.{name} RENAME TO {name}_gone".encode())
        told = [each.sentence for each in rebuilding.audit_projection(tested.conninfo)]
        for name in gone:
            assert f"{name} 这张表不见了" in told
        if gone == ("tag",):  # a view that shows the same rows is no table
            conn.execute("CREATE VIEW fact.tag AS TABLE fact.tag_gone")
            told = [each.sentence for each in rebuilding.audit_projection(tested.conninfo)]
            assert any(each.startswith("tag 的列与声明不同") and "表的种类" in each for each in told)
            conn.execute("DROP VIEW fact.tag")
        _, found = rebuilding.rebuild(tested.conninfo)
    assert found is not None, "the declaration is the same, so that tables which differ were changed by hand"
    assert f"{gone[0]} 这张表不见了" in {each.sentence for each in found}
    assert rebuilding.audit_projection(tested.conninfo) == []


@pytest.mark.service
def test_a_start_with_another_declaration_rebuilds(tested):
    tested.project()
    with psycopg.connect(tested.conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE fact.run ADD COLUMN former text")
        conn.execute("COMMENT ON SCHEMA fact IS 'former'")
    _start_again(tested)
    assert "former" not in tested.row("run", tested.ids["run"])
    assert rebuilding.audit_projection(tested.conninfo) == []


@pytest.mark.service
def test_a_start_that_cannot_rebuild_says_so_and_leaves_the_tables(tested, failing):
    tested.project()
    with psycopg.connect(tested.conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("COMMENT ON SCHEMA fact IS 'former'")
    failing("run.recorded")
    with pytest.raises(SetupProblem, match="先前的版本"):
        _start_again(tested)
    assert len(tested.rows("SELECT 1 FROM fact.run")) == 1


def _start_again(log) -> None:
    outdated = schema.ensure_fact_schema(log.conninfo["plumb_migrate"], datetime.now(UTC))
    assert outdated
    boot.rebuild_outdated(log.tested.platform, outdated=outdated, progress=lambda text: None)


@pytest.mark.service
def test_an_idle_projector_asks_one_look_into_an_index_however_long_the_log_is(log):
    assert not log.projector._is_due()
    log.new_project()
    assert log.projector._is_due()
    log.project()
    assert not log.projector._is_due()
    with psycopg.connect(log.conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("CREATE SCHEMA trial")
        conn.execute(
            "CREATE TABLE trial.many AS SELECT 1 AS epoch, g::bigint AS idx FROM generate_series(0, 20000) g"
        )
        conn.execute("ALTER TABLE trial.many ADD PRIMARY KEY (epoch, idx)")
        conn.execute(
            "CREATE TABLE trial.position AS SELECT 'projector' AS id, 1 AS epoch, 20001::bigint AS pos"
        )
        conn.execute("ANALYZE trial.many, trial.position")
        asked = _due("trial").replace(b"journal.leaf", b"trial.many")
        plan = "".join(row[0] for row in conn.execute(b"EXPLAIN " + asked))
        conn.rollback()
    assert "many_pkey" in plan and "Seq Scan on many" not in plan
