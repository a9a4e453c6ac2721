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
from plumbline.evidence.mark import Head
from plumbline.evidence.position import position_of
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.tree import Frontier
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.supervision import commands
from plumbline.supervision.boot import DEMO_OPERATOR, write_trust_roots
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.epochs import ResumeRefused, plan_resume, resume
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
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


def _plan(platform, signer: CheckpointSigner | None = None, shown: list[str] | None = None, **flags):
    with psycopg.connect(platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        return plan_resume(conn, signer or platform.signer, shown or [], **flags)


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


def _holds(platform, receipt: str, epoch: int | str, message: bytes) -> bool:
    key = platform.signer.verifier_key(f"{platform.platform.origin}/{epoch}")
    return verify_receipt(receipt, [parse_verifier(key)], message).ok


def _rows(platform, statement: str):
    with psycopg.connect(platform.platform.conninfo("plumb_worker")) as conn:
        return conn.execute(statement.encode()).fetchall()


def _indexes(platform) -> list[int]:
    return [row[0] for row in _rows(platform, "SELECT idx FROM fact.event ORDER BY idx")]


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
    assert opened is not None and (opened.epoch, opened.index) == (2, 0)
    ((again, accepted),) = _append(quiet_platform, 1)
    assert (accepted.epoch, accepted.index) == (2, 1)
    assert accepted.position > gone[-1][1].position  # a reader of the change feed never misses it
    assert _holds(quiet_platform, accepted.receipt, 2, again.message)
    # A process that ran all the while looks again by itself.
    assert isinstance(journal.append([_pending(quiet_platform)])[0], Accepted)
    for pending, old in before:
        assert _holds(quiet_platform, _receipt(quiet_platform, pending), "1-2", pending.message)
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
    (signed,) = said["signed"]
    assert (signed["epoch"], signed["size"], signed["root"]) == (1, 9, last.root.hex())
    assert signed["checkpoint_sha256"] == hashlib.sha256(last.body().encode()).hexdigest()
    assert (said["kept_epoch"], said["kept_size"], said["because"]) == (1, 6, "磁盘损坏，从昨晚的备份恢复")


def test_the_projector_goes_on_and_a_rebuild_gives_the_same(quiet_platform) -> None:
    _restored(quiet_platform)
    assert _project(quiet_platform, 4) == 6
    _resume(quiet_platform)
    _append(quiet_platform, 6)
    assert _project(quiet_platform, 4) == 7
    assert _rows(quiet_platform, "SELECT epoch, pos FROM fact.position") == [(2, position_of(2, 7))]
    assert _indexes(quiet_platform) == [*range(6), *(position_of(2, n) for n in range(7))]
    assert _rows(quiet_platform, "SELECT epoch, lost, kept_size FROM fact.epoch ORDER BY epoch") == [
        (1, None, None),
        (2, 3, 6),
    ]
    found = _rows(
        quiet_platform, "SELECT clause, sentence FROM fact.finding WHERE code = 'registry.entries_lost'"
    )
    assert len(found) == 1 and "缺 3 条签过的" in found[0][1]
    assert rebuild(quiet_platform.conninfo()) == (13, [])
    assert audit_projection(quiet_platform.conninfo()) == []


def test_a_parked_entry_of_either_epoch_is_projected_again(quiet_platform) -> None:
    _restored(quiet_platform)
    _resume(quiet_platform)
    _append(quiet_platform, 2)
    _project(quiet_platform)
    parked = f"INSERT INTO fact.parked (id, idx, keys, error) VALUES ('a', 3, '{{}}', 'x'), ('b', {position_of(2, 1)}, '{{}}', 'x')"
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_projector")) as conn:
        conn.execute(parked)
    assert reproject(quiet_platform.platform.conninfo("plumb_projector")) == (2, 0)
    assert [row[0] for row in _rows(quiet_platform, "SELECT idx FROM fact.event ORDER BY idx")] == [
        *range(6),
        *(position_of(2, n) for n in range(3)),
    ]


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
    with pytest.raises(ResumeRefused, match="改写"):
        _plan(quiet_platform)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        # The rewriter mends the head as well.
        conn.execute("ALTER TABLE journal.head DISABLE TRIGGER ALL")
        leaves = [
            bytes(r[0]) for r in conn.execute("SELECT leaf_hash FROM journal.leaf ORDER BY idx").fetchall()
        ]

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
    with pytest.raises(ResumeRefused, match="--mark-lost"):
        _plan(quiet_platform)
    assert _plan(quiet_platform, mark_lost=True).lost == 0
    shown = [gone[-1][1].receipt]  # an institution brings its receipt
    plan = _plan(quiet_platform, shown=shown)
    assert (plan.signed[-1].head.size, plan.lost, plan.proven) == (9, 3, 6)
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
    _resume(quiet_platform, _plan(quiet_platform, mark_lost=True))
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
    assert (plan.epoch, plan.head.epoch, plan.lost) == (3, 1, 8)  # 3 of the first epoch, all 5 of the second
    opened = _resume(quiet_platform, plan)
    assert opened is not None and (opened.epoch, opened.index) == (3, 0)
    assert _holds(quiet_platform, _receipt(quiet_platform, before[0][0]), "1-3", before[0][0].message)
    _project(quiet_platform)
    assert _rows(quiet_platform, "SELECT epoch, pos FROM fact.position") == [(3, position_of(3, 1))]
    assert _audit(quiet_platform) == []


@pytest.mark.parametrize("step", ["mark", "append"])
def test_an_interrupted_resume_is_finished_by_the_next(quiet_platform, monkeypatch, step: str) -> None:
    _restored(quiet_platform)
    plan = _plan(quiet_platform)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((CheckpointSigner, "begin_epoch") if step == "mark" else (Journal, "append")), die)
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
    newest_checkpoint(quiet_platform.platform.conninfo("plumb_gateway"), quiet_platform.signer)
    plan = _plan(quiet_platform, second)
    assert plan.step == "follow"
    assert _resume(quiet_platform, plan, second) is None
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        assert second.check_start(conn).epoch == 2
    # One that signed more than was told does not follow: that has to be told first.

    (marks / "second.mark").write_bytes(Head(quiet_platform.platform.origin, 1, 10, b"x" * 32).encode())
    plan = _plan(quiet_platform, second)
    assert (plan.step, plan.epoch, plan.lost) == ("open", 3, 4)


def test_the_table_of_epochs_is_audited(quiet_platform) -> None:
    _restored(quiet_platform)
    _resume(quiet_platform)
    for change in (
        "because = 'x'",
        "closing = 'x'",
        "signed = '[]'",
        "kept_size = kept_size - 1",
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
        what="resume", data_dir="x", by="值班员", because="恢复", checkpoint=[], mark_lost=False, yes=False
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
    assert (
        len([line for line in lines if line.startswith("demo.")]) == 3
    )  # two epochs, and the end of the first


def test_a_rewriter_who_cuts_below_the_mark_signs_nothing_under_the_old_name(quiet_platform) -> None:
    """What no signed head covers cannot be told from the truth; so it is vouched for under another name, and the plan says how much."""
    before, _ = _restored(quiet_platform)
    quiet_platform.close()
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE journal.checkpoint DISABLE TRIGGER ALL")
        conn.execute("DELETE FROM journal.checkpoint")
    plan = _plan(quiet_platform)
    assert (plan.proven, plan.kept.size, plan.lost) == (0, 6, 3)
    _resume(quiet_platform, plan)
    receipt = _receipt(quiet_platform, before[0][0])
    assert parse_note(parse_proof(receipt).checkpoint_note).text.startswith(
        f"{quiet_platform.platform.origin}/1-2\n"
    )


def test_signed_heads_that_contradict_each_other_are_a_fork(quiet_platform) -> None:

    _restored(quiet_platform)
    folder = quiet_platform.platform.folder("marks")
    (folder / "local.mark.epoch-1-1").write_bytes(
        Head(quiet_platform.platform.origin, 1, 9, b"x" * 32).encode()
    )
    with pytest.raises(ResumeRefused, match="分了叉"):
        _plan(quiet_platform)


def test_a_reason_that_no_message_may_hold_changes_nothing(quiet_platform) -> None:
    from plumbline.exchange.problems import Problem

    _restored(quiet_platform)
    plan = _plan(quiet_platform)
    for because in ("13800138000 来电", "", "x" * 3000):
        with pytest.raises((Problem, msgspec.ValidationError)):
            resume(
                quiet_platform.conninfo(), plan, quiet_platform.signer, quiet_platform.keys,
                operator=DEMO_OPERATOR, by="值班员", because=because,
            )  # fmt: skip
    assert _rows(quiet_platform, "SELECT epoch, size FROM journal.head") == [(1, 6)]
    assert _resume(quiet_platform, plan) is not None


def test_what_was_lost_before_an_interrupted_resume_is_still_told(quiet_platform, monkeypatch) -> None:
    _restored(quiet_platform)
    quiet_platform.backup()
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", lambda *_a, **_k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _resume(quiet_platform)
    quiet_platform.restore()
    plan = _plan(quiet_platform)
    assert (plan.step, plan.epoch, plan.lost) == ("open", 3, 3)
    _resume(quiet_platform, plan)
    assert _audit(quiet_platform) == []


def test_an_epoch_restored_to_nothing_is_never_signed_twice(quiet_platform, monkeypatch) -> None:
    """The backup was taken at the instant at which epoch 2 was open and had no entry yet."""
    _restored(quiet_platform)
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", lambda *_a, **_k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _resume(quiet_platform)
    quiet_platform.backup()
    _resume(quiet_platform)
    ((pending, accepted),) = _append(quiet_platform, 1)
    quiet_platform.restore()
    plan = _plan(quiet_platform)
    assert (plan.step, plan.epoch, plan.kept.epoch, plan.lost) == ("open", 3, 1, 5)
    (quiet_platform.platform.folder("marks") / "local.mark").unlink()
    assert _plan(quiet_platform, shown=[accepted.receipt]).epoch == 3
    _resume(quiet_platform, _plan(quiet_platform, shown=[accepted.receipt]))
    assert _project(quiet_platform) == 7
    assert _audit(quiet_platform) == []
    assert _holds(quiet_platform, accepted.receipt, 2, pending.message)


def test_a_changed_leaf_of_an_ended_epoch_stops_signing(quiet_platform) -> None:
    before, _ = _restored(quiet_platform)
    _resume(quiet_platform)
    quiet_platform.close()
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("ALTER TABLE journal.leaf DISABLE TRIGGER ALL")
        conn.execute("UPDATE journal.leaf SET leaf_hash = sha256('x') WHERE epoch = 1 AND idx = 2")
    with pytest.raises(SigningStopped, match="改写"):
        quiet_platform.journal().append([_pending(quiet_platform)])
    with pytest.raises(SigningStopped, match="改写"):
        _receipt(quiet_platform, before[0][0])


def test_an_empty_database_beside_an_old_mark_is_one_plain_sentence(quiet_platform) -> None:
    from plumbline.supervision.journal.genesis import is_open, open_log
    from plumbline.supervision.journal.setup import SetupProblem

    _append(quiet_platform, 2)
    quiet_platform.close()
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for table in ("head", "leaf", "entry", "epoch", "checkpoint"):
            conn.execute(f"ALTER TABLE journal.{table} DISABLE TRIGGER ALL".encode())
            conn.execute(f"DELETE FROM journal.{table}".encode())
    assert not is_open(quiet_platform.platform.conninfo("plumb_migrate"))
    with pytest.raises(SetupProblem, match="数据库却是空的"):
        open_log(
            quiet_platform.conninfo(), origin=quiet_platform.platform.origin, operator=DEMO_OPERATOR,
            keys=quiet_platform.keys, signer=quiet_platform.signer,
        )  # fmt: skip


def test_a_genesis_that_was_interrupted_is_finished(quiet_platform) -> None:
    from plumbline.supervision.journal.genesis import is_open, open_log

    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for table in ("head", "leaf", "entry", "epoch", "checkpoint"):
            conn.execute(f"ALTER TABLE journal.{table} DISABLE TRIGGER ALL".encode())
            conn.execute(f"DELETE FROM journal.{table}".encode())
        conn.execute(
            "INSERT INTO journal.head VALUES (true, %s, 1, 0, sha256(''), %s, '2000-01-01')",
            [quiet_platform.platform.origin, Frontier.empty().encode()],
        )
        conn.execute("ALTER TABLE journal.head ENABLE TRIGGER ALL")
    (quiet_platform.platform.folder("marks") / "local.mark").unlink()
    assert not is_open(quiet_platform.platform.conninfo("plumb_migrate"))
    open_log(
        quiet_platform.conninfo(), origin=quiet_platform.platform.origin, operator=DEMO_OPERATOR,
        keys=quiet_platform.keys, signer=quiet_platform.signer,
    )  # fmt: skip
    assert _append(quiet_platform, 1)[0][1].index == 1
    assert _audit(quiet_platform) == []
