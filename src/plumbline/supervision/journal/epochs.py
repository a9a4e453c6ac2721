"""Opening the next epoch of the log (另开一期): what an operator does after a restore, when signing has stopped (PROTOCOL §2.8).

A signature over a head cannot be taken back, so a log that lost entries is not signed on: it ends, and a next one begins whose first
entry commits to the newest checkpoint that is known to have been signed and says what is still there. Nothing is hidden by it: whoever
holds a receipt for a lost entry can show it against that entry. A log that was *rewritten* is never continued.

Docs: docs/decisions/0012-next-epoch.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.checkpoint import Checkpoint
from plumbline.evidence.mark import Head, MarkRefused
from plumbline.evidence.proof import ProofError, parse_proof
from plumbline.evidence.tree import EMPTY_ROOT, Frontier
from plumbline.exchange.messages.registry import Continuation, LogOpened
from plumbline.exchange.uids import new_uid
from plumbline.supervision.config import Operator
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import (
    CheckpointSigner,
    HeadRow,
    SigningStopped,
    log_origin,
    read_head,
    root_at,
)
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import pending_from

_INSERT = """
INSERT INTO journal.epoch (epoch, base, kept_epoch, kept_size, kept_root, closing, signed_epoch, signed_size, signed_root, because)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_ROW = """
SELECT kept_epoch, kept_size, kept_root, signed_epoch, signed_size, signed_root, because FROM journal.epoch WHERE epoch = %s
"""


class ResumeRefused(RuntimeError):
    """A next epoch is not opened; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePlan:
    """What `resume` would do: open epoch `epoch`, finish one that was interrupted, or let this host follow another's."""

    step: str
    #: Why signing stopped, in the words of the signer.
    cause: str
    #: What the database holds.
    head: HeadRow
    #: The newest head known to have been signed, and who knows it.
    newest: Head
    known_from: str
    epoch: int

    @property
    def lost(self) -> int:
        """Entries that were signed for and are gone: at least so many, when whole epochs are."""
        if self.newest.epoch == self.head.epoch:
            return max(0, self.newest.size - self.head.size)
        return self.newest.size


def checkpoint_in(text: str, signer: CheckpointSigner) -> Checkpoint:
    """The checkpoint in a note or a receipt that carries this log's signature; raises :class:`ResumeRefused`."""
    try:
        note = parse_proof(text).checkpoint_note
    except ProofError:
        note = text
    found = signer.signed_by_us(note)
    if found is None:
        raise ResumeRefused("给出的检查点不是本日志签的，或读不懂")
    return found


def plan_resume(conn: psycopg.Connection, signer: CheckpointSigner, shown: Iterable[str] = ()) -> ResumePlan:
    """Look at everything that says what was signed, and decide. `shown`: checkpoints or receipts that the operator was given.

    Raises :class:`ResumeRefused` when nothing is to be done, or when what is stored contradicts what was signed.
    """
    head = read_head(conn)
    cause = _cause(conn, signer, head)
    if root_at(conn, head.epoch, head.size) != head.root:
        raise ResumeRefused("数据库里的叶子算不出日志头的根哈希：数据库坏了，请换一份备份")
    known = _known(conn, signer, head, shown)
    newest, known_from = max(known, key=lambda each: (each[0].epoch, each[0].size))
    for each, source in known:
        _require_agreement(conn, head, each, source)
    step, epoch = "open", newest.epoch + 1
    if head.size == 0 and newest.epoch <= head.epoch:
        step, epoch = "finish", head.epoch
    elif newest.epoch < head.epoch:
        step, epoch = "follow", head.epoch
    return ResumePlan(step=step, cause=cause, head=head, newest=newest, known_from=known_from, epoch=epoch)


def _cause(conn: psycopg.Connection, signer: CheckpointSigner, head: HeadRow) -> str:
    if head.size == 0:
        return f"第 {head.epoch} 期已经另开，第 0 条还没有写入"
    try:
        signer.check_start(conn)
    except SigningStopped as stopped:
        return str(stopped)
    raise ResumeRefused("日志完好，签名没有停，不需要另开一期")


def _known(
    conn: psycopg.Connection, signer: CheckpointSigner, head: HeadRow, shown: Iterable[str]
) -> list[tuple[Head, str]]:
    """Every head that is known to have been signed, with who knows it. A host that cannot be asked may know of more: refused."""
    known: list[tuple[Head, str]] = []
    try:
        mark = signer.mark()
    except MarkRefused:
        mark = None
    if mark is not None:
        known.append((mark, "本机的水位"))
    try:
        known += [(each, f"签名主机 {host} 的水位") for host, each in signer.peer_marks(conn).items()]
    except SigningStopped as stopped:
        raise ResumeRefused(f"{stopped}；停用的主机请先从登记中删去") from None
    for text in shown:
        known.append((_head_of(checkpoint_in(text, signer)), "给出的检查点"))
    for (note,) in conn.execute(
        "SELECT DISTINCT ON (origin) note FROM journal.checkpoint ORDER BY origin, size DESC"
    ).fetchall():
        found = signer.signed_by_us(note)
        if found is None:
            raise ResumeRefused("数据库里有一份检查点不是本日志签的：数据库被改过，请换一份备份")
        known.append((_head_of(found), "数据库里发布过的检查点"))
    if any(each.origin != head.origin for each, _ in known):
        raise ResumeRefused("有一份水位或检查点属于另一个日志：请核对数据文件夹与数据库")
    # The stored head itself: with a lost mark and no published checkpoint it is all that is known.
    return known or [(head.mark, "数据库里的日志头")]


def _head_of(checkpoint: Checkpoint) -> Head:
    origin, _, epoch = checkpoint.origin.rpartition("/")
    return Head(origin, int(epoch), checkpoint.size, checkpoint.root)


def _require_agreement(conn: psycopg.Connection, head: HeadRow, known: Head, source: str) -> None:
    """The stored log must be a beginning, or an extension, of everything that was signed."""
    kept = head.size if known.epoch == head.epoch else _kept_size(conn, known.epoch)
    if kept is not None and known.size <= kept and root_at(conn, known.epoch, known.size) != known.root:
        raise ResumeRefused(
            f"第 {known.epoch} 期前 {known.size} 条与签过的不同（{source}）：日志被改写，不能接着开。"
            "请换用改写以前的备份，再另开一期"
        )


def _kept_size(conn: psycopg.Connection, epoch: int) -> int | None:
    row = conn.execute("SELECT kept_size FROM journal.epoch WHERE kept_epoch = %s", [epoch]).fetchone()
    return row[0] if row else None


def resume(
    conninfo: dict[str, str],
    plan: ResumePlan,
    signer: CheckpointSigner,
    keys: PlatformKeys,
    *,
    operator: Operator,
    by: str,
    because: str,
) -> Accepted | None:
    """Do what was planned; each step may be repeated after a crash. Returns the first entry's receipt, None when this host only follows.

    Raises :class:`ResumeRefused` when the log moved since it was planned.
    """
    with psycopg.connect(conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        head = read_head(conn, lock=True)
        if head != plan.head:
            raise ResumeRefused("日志头在这期间动了，请重新执行")
        if plan.step == "follow":
            _require_accounted(conn, plan)
        elif plan.step == "open":
            head = _begin(conn, plan, signer, because)
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, 'log.resume', %s, %s, 'cli')",
            [by, f"epoch {head.epoch}", plan.step],
        )
    signer.open_epoch(head)
    if plan.step == "follow":
        return None
    return _append_opening(conninfo, head, signer, keys, operator)


def _require_accounted(conn: psycopg.Connection, plan: ResumePlan) -> None:
    """Another host opened this epoch: it must have known of everything that this one signed."""
    row = conn.execute(_ROW, [plan.head.epoch]).fetchone()
    if row is None or (plan.newest.epoch, plan.newest.size) > (row[3], row[4]):
        raise ResumeRefused(
            f"{plan.known_from}签到第 {plan.newest.epoch} 期 {plan.newest.size} 条，另开第 {plan.head.epoch} 期时没有算进去：请查明原因"
        )


def _begin(conn: psycopg.Connection, plan: ResumePlan, signer: CheckpointSigner, because: str) -> HeadRow:
    """The row of the epoch and the head at size 0, in the caller's transaction."""
    former = plan.head
    head = HeadRow(
        origin=former.origin,
        epoch=plan.epoch,
        base=former.base + former.size,
        size=0,
        root=EMPTY_ROOT,
        frontier=Frontier.empty(),
        last_time=former.last_time,
    )
    newest = plan.newest
    kept = [former.epoch, former.size, former.root, signer.sign_closing(former)]
    conn.execute(_INSERT, [head.epoch, head.base, *kept, newest.epoch, newest.size, newest.root, because])
    conn.execute(
        "UPDATE journal.head SET epoch = %s, size = 0, root = %s, frontier = %s",
        [head.epoch, head.root, head.frontier.encode()],
    )
    return head


def _append_opening(
    conninfo: dict[str, str], head: HeadRow, signer: CheckpointSigner, keys: PlatformKeys, operator: Operator
) -> Accepted:
    with psycopg.connect(conninfo["plumb_gateway"]) as conn:
        row = conn.execute(_ROW, [head.epoch]).fetchone()
    assert row is not None
    # A demo log tells an older story: its own clock dates what the operator does in it.
    demo_time = head.last_time if head.origin.startswith("demo.") else None
    at = demo_time or datetime.now(UTC)
    message = LogOpened(
        v=1,
        uid=new_uid(at),
        sender=party_id(operator.uscc).hex(),
        occurred_at=at,
        origin=head.origin,
        epoch=head.epoch,
        operator_uscc=operator.uscc,
        operator_name=operator.name,
        operator_division=operator.division,
        keys=[],
        continues=_continuation(head.origin, row),
    )
    journal = Journal(conninfo["plumb_gateway"], signer)
    try:
        pending = pending_from(message, keys.signer("web"), channel="internal", stated_at=demo_time)
        outcome = journal.append([pending], opening=True)[0]
    finally:
        journal.close()
    if not isinstance(outcome, Accepted):
        raise outcome
    return outcome


def _continuation(origin: str, row: Sequence[object]) -> Continuation:
    kept_epoch, kept_size, kept_root, epoch, size, root, because = row
    signed = Checkpoint(log_origin(origin, epoch), size, bytes(root))  # type: ignore[arg-type]
    return Continuation(
        signed_epoch=epoch,  # type: ignore[arg-type]
        signed_size=size,  # type: ignore[arg-type]
        signed_root=signed.root.hex(),
        checkpoint_sha256=hashlib.sha256(signed.body().encode()).hexdigest(),
        kept_epoch=kept_epoch,  # type: ignore[arg-type]
        kept_size=kept_size,  # type: ignore[arg-type]
        kept_root=bytes(kept_root).hex(),  # type: ignore[arg-type]
        because=because,  # type: ignore[arg-type]
    )
