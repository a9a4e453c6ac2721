"""The append protocol on a real PostgreSQL: order, receipts, repeats, conflicts, claims, faults at every step (入账协议)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest

from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.messages.reports import NumberTaken
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.journal import failpoints
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.heads import (
    CheckpointSigner,
    SigningStopped,
    log_origin,
    read_head,
    root_at,
)
from plumbline.supervision.journal.model import Accepted, Pending
from plumbline.supervision.journal.submit import pending_from

pytestmark = pytest.mark.service
STATION = "0" * 32


def _party(platform, name="某站", at=None):
    now = at or datetime.now(UTC)
    return PartyRegistered(
        v=1,
        uid=new_uid(now),
        sender=STATION,
        occurred_at=now,
        party=STATION,
        uscc="12610300MB2960001Y",
        name=name,
        roles=["station"],
        division="610300",
    )


def _pending(platform, message=None, **kwargs) -> Pending:
    return pending_from(
        message or _party(platform), platform.keys.signer("web"), channel="internal", **kwargs
    )


def _number(serial: int, number: str):
    now = datetime.now(UTC)
    return NumberTaken(
        v=1,
        uid=new_uid(now),
        sender=STATION,
        occurred_at=now,
        document_kind="report",
        prefix="TYJ",
        site="S1",
        year=2026,
        serial=serial,
        number=number,
    )


def _check(platform, accepted: Accepted, message: bytes | None = None):
    keys = [parse_verifier(platform.signer.verifier_key(log_origin(platform.platform.origin, 1)))]
    return verify_receipt(accepted.receipt, keys, message)


def _rows(platform, statement: str):
    with psycopg.connect(platform.platform.conninfo("plumb_gateway")) as conn:
        return conn.execute(statement).fetchall()


def _invariants(platform) -> None:
    """Every entry has exactly one leaf; head equals leaves; the root is the leaves' root."""
    entries, leaves = _rows(
        platform, "SELECT (SELECT count(*) FROM journal.entry), (SELECT count(*) FROM journal.leaf)"
    )[0]
    with psycopg.connect(platform.platform.conninfo("plumb_gateway")) as conn:
        head = read_head(conn)
        assert entries == leaves == head.size
        assert root_at(conn, 1, head.size) == head.root


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.arm({})


def test_a_receipt_proves_the_entry_offline_and_names_a_changed_byte(quiet_platform) -> None:
    journal = quiet_platform.journal()
    pending = _pending(quiet_platform)
    accepted = journal.append([pending])[0]
    assert _check(quiet_platform, accepted, pending.message).ok
    changed = pending.message.replace("某站".encode(), "别站".encode())
    assert not _check(quiet_platform, accepted, changed).ok
    journal.close()


def test_many_batches_from_two_processes_give_one_log(quiet_platform) -> None:
    outcomes: list[Accepted] = []

    def work() -> None:
        journal = quiet_platform.journal()
        for _ in range(8):
            outcomes.extend(journal.append([_pending(quiet_platform) for _ in range(32)]))
        journal.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(o.index for o in outcomes) == list(range(1, 513))
    assert all(_check(quiet_platform, o).ok for o in outcomes)
    _invariants(quiet_platform)


def test_the_same_bytes_again_get_the_same_place(quiet_platform) -> None:
    journal = quiet_platform.journal()
    pending = _pending(quiet_platform)
    first = journal.append([pending])[0]
    journal.append([_pending(quiet_platform) for _ in range(5)])
    again = journal.append([pending, pending])
    assert [(o.index, o.logged_at, o.duplicate) for o in again] == [(first.index, first.logged_at, True)] * 2
    assert _check(quiet_platform, again[0], pending.message).ok
    _invariants(quiet_platform)
    journal.close()


def test_other_bytes_under_the_same_uid_are_a_conflict_and_change_nothing(quiet_platform) -> None:
    journal = quiet_platform.journal()
    message = _party(quiet_platform)
    journal.append([_pending(quiet_platform, message)])
    other = msgspec.structs.replace(message, name="改过的站")
    mixed = journal.append([_pending(quiet_platform, other), _pending(quiet_platform)])
    assert isinstance(mixed[0], Problem) and mixed[0].slug == "uid-conflict"
    assert isinstance(mixed[1], Accepted)
    _invariants(quiet_platform)
    journal.close()


def test_a_number_is_given_once_even_within_one_batch(quiet_platform) -> None:
    journal = quiet_platform.journal()
    one, two = _pending(quiet_platform, _number(7, "HC-7")), _pending(quiet_platform, _number(8, "hc-7"))
    outcomes = journal.append([one, two, _pending(quiet_platform)])
    assert sorted(type(o).__name__ for o in outcomes[:2]) == ["Accepted", "Problem"]
    assert isinstance(outcomes[2], Accepted)
    late = journal.append([_pending(quiet_platform, _number(9, "HC-7"))])[0]
    assert isinstance(late, Problem) and late.slug == "claim-lost"
    _invariants(quiet_platform)
    journal.close()


STEPS = sorted(n for n in failpoints.NAMES if n.startswith(("append.", "mark.")))


@pytest.mark.parametrize("step", STEPS)
def test_a_fault_at_any_step_loses_nothing_acknowledged_and_doubles_nothing(
    quiet_platform, step: str
) -> None:
    journal = quiet_platform.journal()
    journal.append([_pending(quiet_platform, _number(1, "HC-1"))])
    pending = _pending(quiet_platform, _number(2, "HC-2"))
    failpoints.arm({step: "error"})
    with pytest.raises(failpoints.FailpointError):
        journal.append([pending])
    failpoints.arm({})
    journal.close()
    retried = quiet_platform.journal().append([pending])[0]
    assert isinstance(retried, Accepted) and retried.index == 2
    assert _check(quiet_platform, retried, pending.message).ok
    _invariants(quiet_platform)


def test_a_demo_log_follows_stated_times_and_never_goes_back(quiet_platform) -> None:
    journal = quiet_platform.journal()
    start = datetime.now(UTC) - timedelta(days=30)
    times = [start + timedelta(hours=h) for h in (5, 1, 3)]
    outcomes = journal.append(
        [_pending(quiet_platform, _party(quiet_platform, at=t), stated_at=t) for t in times]
    )
    by_index = [o.logged_at for o in sorted(outcomes, key=lambda o: o.index)]
    assert by_index == sorted(times)
    earlier = start - timedelta(days=1)
    late = journal.append([_pending(quiet_platform, _party(quiet_platform, at=earlier), stated_at=earlier)])[
        0
    ]
    assert late.logged_at == by_index[-1]
    journal.close()


def test_a_rewritten_leaf_stops_signing(quiet_platform) -> None:
    quiet_platform.journal().append([_pending(quiet_platform) for _ in range(3)])
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE journal.leaf DISABLE TRIGGER ALL")
        conn.execute("UPDATE journal.leaf SET leaf_hash = sha256('x') WHERE idx = 1")
    with pytest.raises(SigningStopped):
        quiet_platform.journal().append([_pending(quiet_platform)])


def test_a_database_older_than_the_mark_stops_signing(quiet_platform) -> None:
    quiet_platform.journal().append([_pending(quiet_platform) for _ in range(3)])
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE journal.head DISABLE TRIGGER ALL")
        conn.execute("UPDATE journal.head SET size = 2")
    with pytest.raises(SigningStopped, match="恢复到了以前"):
        quiet_platform.journal().append([_pending(quiet_platform)])


def test_a_missing_mark_stops_signing(quiet_platform) -> None:
    quiet_platform.journal().append([_pending(quiet_platform)])
    for path in quiet_platform.platform.folder("marks").glob("*.mark"):
        path.unlink()
    fresh = CheckpointSigner(quiet_platform.keys.log, quiet_platform.platform.folder("marks"))
    with (
        psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn,
        pytest.raises(SigningStopped, match="水位丢失"),
    ):
        fresh.check_start(conn)


def test_an_audit_of_a_log_that_grows_meanwhile_finds_nothing(quiet_platform) -> None:
    ended = threading.Event()

    def grow() -> None:
        journal = quiet_platform.journal()
        # As often as a disk lets it: in memory the log would outgrow the audits.
        while not ended.wait(0.01):
            journal.append([_pending(quiet_platform) for _ in range(4)])

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        marks = quiet_platform.platform.folder("marks")
        found = [audit_log(quiet_platform.platform.conninfo("plumb_gateway"), marks) for _ in range(20)]
    finally:
        ended.set()
        grower.join()
    assert found == [[]] * 20
    assert _rows(quiet_platform, "SELECT size > 20 FROM journal.head") == [(True,)]
