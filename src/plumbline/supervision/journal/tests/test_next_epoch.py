"""A restored database: signing stops, `log resume` opens the next epoch, and receipts of both verify (另开一期)."""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from plumbline.evidence.checkpoint import Checkpoint, parse_note, parse_verifier
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.supervision import commands
from plumbline.supervision.boot import DEMO_OPERATOR, write_trust_roots
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.epochs import ResumeRefused, plan_resume, resume
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped, log_origin
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.model import Accepted, Pending
from plumbline.supervision.journal.receipts import receipts_of
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.projector import Projector, reproject
from plumbline.supervision.projection.rebuild import audit_projection, rebuild

pytestmark = pytest.mark.service
STATION = "0" * 32


def _pending(platform, name: str = "某站") -> Pending:
    now = datetime.now(UTC)
    message = PartyRegistered(
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
    return pending_from(message, platform.keys.signer("web"), channel="internal")


def _append(platform, count: int) -> list[tuple[Pending, Accepted]]:
    pendings = [_pending(platform) for _ in range(count)]
    outcomes = platform.journal().append(pendings)
    assert all(isinstance(each, Accepted) for each in outcomes)
    return list(zip(pendings, outcomes, strict=True))  # type: ignore[arg-type]


def _restored(platform, *, kept: int = 5, lost: int = 3):
    """`kept` entries in the backup, `lost` after it; then the backup is put back."""
    before = _append(platform, kept)
    newest_checkpoint(platform.platform.conninfo("plumb_gateway"), platform.signer)
    platform.backup()
    gone = _append(platform, lost)
    platform.restore()
    return before, gone


def _plan(platform, signer: CheckpointSigner | None = None, shown: list[str] | None = None):
    with psycopg.connect(platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        return plan_resume(conn, signer or platform.signer, shown or [])


def _resume(platform, plan=None, signer: CheckpointSigner | None = None) -> Accepted | None:
    return resume(
        platform.conninfo(),
        plan or _plan(platform, signer),
        signer or platform.signer,
        platform.keys,
        operator=DEMO_OPERATOR,
        by="值班员",
        because="磁盘损坏，从昨晚的备份恢复",
    )


def _receipt(platform, pending: Pending) -> str:
    with psycopg.connect(platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        return receipts_of(conn, platform.signer, [pending.identity])[pending.identity].receipt


def _holds(platform, receipt: str, epoch: int, message: bytes) -> bool:
    key = platform.signer.verifier_key(log_origin(platform.platform.origin, epoch))
    return verify_receipt(receipt, [parse_verifier(key)], message).ok


def _rows(platform, statement: str):
    with psycopg.connect(platform.platform.conninfo("plumb_worker")) as conn:
        return conn.execute(statement.encode()).fetchall()


def _project(platform, set_size: int = 500) -> int:
    projector = Projector(platform.platform.conninfo("plumb_projector"), set_size=set_size)
    try:
        return projector.catch_up()
    finally:
        projector.close()


def _audit(platform) -> list[str]:
    return audit_log(platform.platform.conninfo("plumb_gateway"), platform.platform.folder("marks"))


def test_after_a_restore_nothing_is_signed_until_the_operator_opens_the_next_epoch(quiet_platform) -> None:
    before, gone = _restored(quiet_platform)
    journal = quiet_platform.journal()
    with pytest.raises(SigningStopped, match="恢复到了以前"):
        journal.append([_pending(quiet_platform)])
    opened = _resume(quiet_platform)
    assert opened is not None and (opened.epoch, opened.index, opened.position) == (2, 0, 6)
    ((again, accepted),) = _append(quiet_platform, 1)
    assert (accepted.epoch, accepted.index, accepted.position) == (2, 1, 7)
    assert _holds(quiet_platform, accepted.receipt, 2, again.message)
    # A process that ran all the while looks again by itself.
    assert isinstance(journal.append([_pending(quiet_platform)])[0], Accepted)
    for pending, old in before:
        assert _holds(quiet_platform, _receipt(quiet_platform, pending), 1, pending.message)
        assert _holds(quiet_platform, old.receipt, 1, pending.message)
    # What was lost is proven by its sender's receipt, and comes in again under its own uid.
    lost, old = gone[0]
    assert _holds(quiet_platform, old.receipt, 1, lost.message)
    (resent,) = quiet_platform.journal().append([lost])
    assert isinstance(resent, Accepted) and (resent.epoch, resent.duplicate) == (2, False)
    assert _audit(quiet_platform) == []


def test_the_first_entry_commits_to_what_was_signed_and_says_what_is_left(quiet_platform) -> None:
    _, gone = _restored(quiet_platform)
    _resume(quiet_platform)
    ((message,),) = _rows(
        quiet_platform,
        "SELECT e.message FROM journal.leaf l JOIN journal.entry e USING (uid, sender_id) WHERE l.epoch = 2 AND l.idx = 0",
    )
    said = json.loads(bytes(message))["continues"]
    last = Checkpoint.parse(parse_note(parse_proof(gone[-1][1].receipt).checkpoint_note).text)
    assert (said["signed_epoch"], said["signed_size"], said["signed_root"]) == (1, 9, last.root.hex())
    assert said["checkpoint_sha256"] == hashlib.sha256(last.body().encode()).hexdigest()
    assert (said["kept_epoch"], said["kept_size"], said["because"]) == (1, 6, "磁盘损坏，从昨晚的备份恢复")


def test_the_projector_goes_on_and_a_rebuild_gives_the_same(quiet_platform) -> None:
    _restored(quiet_platform)
    assert _project(quiet_platform, 4) == 6
    _resume(quiet_platform)
    _append(quiet_platform, 6)
    assert _project(quiet_platform, 4) == 7
    assert _rows(quiet_platform, "SELECT epoch, pos FROM fact.position") == [(2, 13)]
    assert [row[0] for row in _rows(quiet_platform, "SELECT idx FROM fact.event ORDER BY idx")] == list(
        range(13)
    )
    assert _rows(quiet_platform, "SELECT epoch, signed_size, kept_size FROM fact.epoch ORDER BY epoch") == [
        (1, None, None),
        (2, 9, 6),
    ]
    found = _rows(
        quiet_platform, "SELECT clause, sentence FROM fact.finding WHERE code = 'registry.entries_lost'"
    )
    assert len(found) == 1 and "缺了最后 3 条" in found[0][1]
    assert rebuild(quiet_platform.conninfo()) == (13, [])
    assert audit_projection(quiet_platform.conninfo()) == []


def test_a_parked_entry_of_either_epoch_is_projected_again(quiet_platform) -> None:
    _restored(quiet_platform)
    _resume(quiet_platform)
    _append(quiet_platform, 2)
    _project(quiet_platform)
    parked = "INSERT INTO fact.parked (id, idx, keys, error) VALUES ('3', 3, '{}', 'x'), ('7', 7, '{}', 'x')"
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_projector")) as conn:
        conn.execute(parked)
    assert reproject(quiet_platform.platform.conninfo("plumb_projector")) == (2, 0)
    assert [row[0] for row in _rows(quiet_platform, "SELECT idx FROM fact.event ORDER BY idx")] == list(
        range(9)
    )


def test_a_healthy_log_is_not_ended(quiet_platform) -> None:
    _append(quiet_platform, 2)
    with pytest.raises(ResumeRefused, match="不需要"):
        _plan(quiet_platform)


def test_a_rewritten_log_is_never_continued(quiet_platform) -> None:
    _append(quiet_platform, 4)
    newest_checkpoint(quiet_platform.platform.conninfo("plumb_gateway"), quiet_platform.signer)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE journal.leaf DISABLE TRIGGER ALL")
        conn.execute("UPDATE journal.leaf SET leaf_hash = sha256('x') WHERE idx = 2")
    with pytest.raises(ResumeRefused, match="坏了"):
        _plan(quiet_platform)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        # The rewriter mends the head as well, and cuts the log below the mark.
        conn.execute("ALTER TABLE journal.head DISABLE TRIGGER ALL")
        leaves = [
            bytes(r[0]) for r in conn.execute("SELECT leaf_hash FROM journal.leaf ORDER BY idx").fetchall()
        ]
        from plumbline.evidence.tree import Frontier

        grown = Frontier.empty().append(leaves).frontier
        conn.execute("UPDATE journal.head SET root = %s, frontier = %s", [grown.root(), grown.encode()])
    with pytest.raises(ResumeRefused, match="改写"):
        _plan(quiet_platform)


def test_a_lost_mark_stops_signing_and_a_checkpoint_from_elsewhere_is_heard(quiet_platform) -> None:
    _, gone = _restored(quiet_platform)
    mark = quiet_platform.platform.folder("marks") / "local.mark"
    mark.unlink()
    with pytest.raises(SigningStopped, match="丢失"):
        quiet_platform.journal().append([_pending(quiet_platform)])
    assert (_plan(quiet_platform).newest.size, _plan(quiet_platform).lost) == (6, 0)
    shown = [gone[-1][1].receipt]  # an institution brings its receipt
    plan = _plan(quiet_platform, shown=shown)
    assert (plan.newest.size, plan.lost) == (9, 3)
    foreign = gone[-1][1].receipt.replace("demo.", "demo-")
    with pytest.raises(ResumeRefused, match="不是本日志签的"):
        _plan(quiet_platform, shown=[foreign])
    _resume(quiet_platform, plan)
    assert _append(quiet_platform, 1)[0][1].epoch == 2
    assert _audit(quiet_platform) == []


def test_a_damaged_mark_is_kept_beside_the_new_one(quiet_platform) -> None:
    _append(quiet_platform, 2)
    folder = quiet_platform.platform.folder("marks")
    (folder / "local.mark").write_bytes(b"damaged")
    with pytest.raises(SigningStopped, match="读不出来"):
        quiet_platform.journal().append([_pending(quiet_platform)])
    _resume(quiet_platform)
    assert (folder / "local.mark.damaged-1").read_bytes() == b"damaged"
    assert _append(quiet_platform, 1)[0][1].epoch == 2


def test_a_restore_to_before_the_last_resume_opens_a_third_epoch(quiet_platform) -> None:
    before, _ = _restored(quiet_platform)
    quiet_platform.backup()
    _resume(quiet_platform)
    _append(quiet_platform, 4)
    quiet_platform.restore()
    with pytest.raises(SigningStopped, match="第 2 期"):
        quiet_platform.journal().append([_pending(quiet_platform)])
    plan = _plan(quiet_platform)
    assert (plan.epoch, plan.head.epoch, plan.newest.epoch, plan.lost) == (3, 1, 2, 5)
    opened = _resume(quiet_platform, plan)
    assert opened is not None and (opened.epoch, opened.position) == (3, 6)
    assert _holds(quiet_platform, _receipt(quiet_platform, before[0][0]), 1, before[0][0].message)
    _project(quiet_platform)
    assert _rows(quiet_platform, "SELECT epoch, pos FROM fact.position") == [(3, 7)]
    assert _audit(quiet_platform) == []


@pytest.mark.parametrize("step", ["mark", "append"])
def test_an_interrupted_resume_is_finished_by_the_next(quiet_platform, monkeypatch, step: str) -> None:
    _restored(quiet_platform)
    plan = _plan(quiet_platform)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((CheckpointSigner, "open_epoch") if step == "mark" else (Journal, "append")), die)
        with pytest.raises(KeyboardInterrupt):
            _resume(quiet_platform, plan)
    with pytest.raises(SigningStopped):  # nothing else may be the first entry
        quiet_platform.journal().append([_pending(quiet_platform)])
    again = _plan(quiet_platform)
    assert (again.step, again.epoch) == ("finish", 2)
    opened = _resume(quiet_platform, again)
    assert opened is not None and (opened.epoch, opened.index) == (2, 0)
    assert _append(quiet_platform, 1)[0][1].index == 1
    assert _audit(quiet_platform) == []


def test_another_signing_host_follows_only_an_epoch_that_accounts_for_what_it_signed(
    quiet_platform,
) -> None:
    marks = quiet_platform.platform.folder("marks")
    second = CheckpointSigner(quiet_platform.keys.log, marks, host="second")
    _restored(quiet_platform)
    (marks / "second.mark").write_bytes((marks / "local.mark").read_bytes())
    _resume(quiet_platform)
    with (
        psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn,
        pytest.raises(SigningStopped, match="log resume"),
    ):
        second.check_start(conn)
    plan = _plan(quiet_platform, second)
    assert plan.step == "follow"
    assert _resume(quiet_platform, plan, second) is None
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        assert second.check_start(conn).epoch == 2
    # One that signed more than was told must not follow.
    from plumbline.evidence.mark import Head

    (marks / "second.mark").write_bytes(Head(quiet_platform.platform.origin, 1, 10, b"x" * 32).encode())
    with pytest.raises(ResumeRefused, match="没有算进去"):
        _resume(quiet_platform, _plan(quiet_platform, second), second)


def test_the_table_of_epochs_is_audited(quiet_platform) -> None:
    _restored(quiet_platform)
    _resume(quiet_platform)
    for change in (
        "base = base - 1",
        "kept_size = kept_size - 1",
        "signed_size = signed_size - 1",
        "kept_root = sha256('x')",
    ):
        with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute("ALTER TABLE journal.epoch DISABLE TRIGGER ALL")
            conn.execute("CREATE TABLE plumb.kept AS SELECT * FROM journal.epoch")
            conn.execute(f"UPDATE journal.epoch SET {change} WHERE epoch = 2".encode())
        assert _audit(quiet_platform) != [], change
        with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute("DELETE FROM journal.epoch")
            conn.execute("INSERT INTO journal.epoch SELECT * FROM plumb.kept")
            conn.execute("DROP TABLE plumb.kept")
        assert _audit(quiet_platform) == [], change


def test_an_opening_in_the_middle_of_an_epoch_changes_nothing(quiet_platform) -> None:
    ((message,),) = _rows(
        quiet_platform,
        "SELECT e.message FROM journal.leaf l JOIN journal.entry e USING (uid, sender_id) WHERE l.idx = 0",
    )
    from plumbline.exchange.decode import parse_message

    again = msgspec.structs.replace(
        parse_message(bytes(message)), uid=new_uid(datetime.now(UTC)), operator_name="别人"
    )
    pending = pending_from(again, quiet_platform.keys.signer("web"), channel="internal")
    quiet_platform.journal().append([pending])
    _project(quiet_platform)
    assert _rows(quiet_platform, "SELECT name FROM fact.party WHERE 'platform' = ANY(roles)") == [
        (DEMO_OPERATOR.name,)
    ]
    assert _rows(quiet_platform, "SELECT code FROM fact.finding") == [("registry.misplaced_opening",)]


def test_the_command_first_says_what_it_would_do(quiet_platform, monkeypatch, capsys) -> None:
    _restored(quiet_platform)
    monkeypatch.setattr(commands, "opened", lambda _folder: _as_context(quiet_platform.platform))
    arguments = argparse.Namespace(
        what="resume", data_dir="x", by="值班员", because="恢复", checkpoint=[], yes=False
    )
    assert commands.run_log(arguments) == 2
    told = capsys.readouterr().out
    assert "第 1 期 9 条" in told and "缺少：3 条" in told and "将要另开第 2 期" in told
    arguments.yes = True
    assert commands.run_log(arguments) == 0
    keys = (quiet_platform.platform.data_dir / "trust.txt").read_text("utf-8")
    assert [f"{quiet_platform.platform.origin}/{n}+" in keys for n in (1, 2, 3)] == [True, True, False]
    assert commands.run_log(arguments) == 1
    assert "不需要另开一期" in capsys.readouterr().err
    arguments.what = "checkpoint"
    assert commands.run_log(arguments) == 0
    assert capsys.readouterr().out.startswith(f"{quiet_platform.platform.origin}/2\n")


class _as_context:
    def __init__(self, value) -> None:
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *_exc) -> None:
        return None


def test_trust_names_the_key_of_every_epoch(quiet_platform) -> None:
    _restored(quiet_platform)
    _resume(quiet_platform)
    write_trust_roots(quiet_platform.platform, quiet_platform.keys)
    lines = (quiet_platform.platform.data_dir / "trust.txt").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.startswith("demo.")]) == 2
