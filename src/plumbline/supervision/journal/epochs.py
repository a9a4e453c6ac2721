"""Opening the next epoch of the log (另开一期): what an operator does after a restore, when signing has stopped (PROTOCOL §2.8).

A signature over a head cannot be taken back, so a log that lost entries is not signed on: it ends, and a next one begins whose first
entry says what is still there and commits to the newest checkpoints that are known to have been signed. Nothing is hidden by it: whoever
holds a receipt for a lost entry can show it against that entry. A log whose signed part was *rewritten* is not continued.

See docs/decisions/0012-next-epoch.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.checkpoint import Checkpoint
from plumbline.evidence.mark import Head, MarkRefused
from plumbline.evidence.paths import MissingSubtree
from plumbline.evidence.proof import ProofError, parse_proof
from plumbline.evidence.tree import EMPTY_ROOT, Frontier
from plumbline.exchange.messages.registry import Continuation, LogOpened, SignedHead
from plumbline.exchange.uids import new_uid
from plumbline.supervision.config import Operator
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import (
    CheckpointSigner,
    HeadRow,
    SigningStopped,
    closing_origin,
    log_origin,
    read_head,
    root_at,
)
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted, Pending
from plumbline.supervision.journal.submit import pending_from

_ENDED = (
    "SELECT epoch, kept_epoch, kept_size, kept_root, signed FROM journal.epoch WHERE epoch > 1 ORDER BY epoch"
)
_INSERT = """
INSERT INTO journal.epoch (epoch, kept_epoch, kept_size, kept_root, closing, signed, lost, because)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

Step = Literal["open", "finish", "follow"]


class ResumeRefused(RuntimeError):
    """A next epoch is not opened; the message is one plain sentence."""


class WaitsForHosts(RuntimeError):
    """The epoch is opened, its first entry waits until the other signing hosts have followed; the message says for whom."""


@dataclass(frozen=True, slots=True)
class Known:
    """A head that is known to have been signed, and who knows it."""

    head: Head
    source: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Where an epoch ended: the size and root that the next one kept of it."""

    epoch: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePlan:
    """What `resume` would do: open a next epoch, finish one that was interrupted, or let this host follow another's."""

    step: Step
    #: Why signing stopped, in the words of the signer.
    cause: str
    #: What the database holds, and the end of its last epoch that has entries.
    head: HeadRow
    kept: Ended
    #: The newest signed head of every epoch from the kept one on, and of others that no epoch has told yet; with who knows it.
    signed: tuple[Known, ...]
    #: Entries that were signed for, as far as is known, and are gone.
    lost: int
    #: This host's mark, None when it is missing or damaged.
    mark: Head | None
    #: Up to which size the kept epoch was compared with something that was signed.
    proven: int
    epoch: int


def checkpoint_in(text: str, signer: CheckpointSigner) -> Checkpoint:
    """The checkpoint in a note or a receipt that carries this log's signature; raises :class:`ResumeRefused`."""
    try:
        note = parse_proof(text).checkpoint_note
    except ProofError:
        note = text
    found = signer.signed_by_us(note)
    if found is None or _head_of(found) is None:
        raise ResumeRefused("给出的检查点不是本日志签的，或读不懂")
    return found


def plan_resume(
    conn: psycopg.Connection,
    signer: CheckpointSigner,
    shown: Iterable[str] = (),
    *,
    mark_lost: bool = False,
    seen_epoch: int = 1,
) -> ResumePlan:
    """Look at everything that says what was signed, and decide. `conn` is in autocommit.

    `shown`: checkpoints or receipts that the operator was given. `mark_lost`: the operator knows that without a mark nobody can tell how
    much was signed. `seen_epoch`: the largest epoch that tiles or `trust.txt` of this folder speak of. Raises :class:`ResumeRefused` when
    nothing is to be done, or when what is stored contradicts what was signed.
    """
    head = read_head(conn)
    if (head.epoch, head.size) == (1, 0):
        raise ResumeRefused("日志还没有创世完：请重新启动平台")
    ends = _ends(conn, head)
    mark = _own_mark(signer)
    known = _known(conn, signer, head, shown)
    try:
        proven = _require_agreement(conn, ends, known)
        cause = _cause(conn, signer, head)
    except MissingSubtree:
        raise ResumeRefused("数据库里缺少日志的叶子或节点：数据库坏了，请换一份备份") from None
    missing = [each for each in known if not _is_accounted(conn, ends, each.head)]
    step, epoch = _decide(head, mark, missing, max(seen_epoch, *(each.head.epoch for each in known), 1))
    kept = next(each for each in reversed(ends) if each.size > 0)
    if mark is None and not mark_lost and not any(each.source == _SHOWN for each in known):
        raise ResumeRefused(
            "本机没有可用的水位，没有人知道签过多少：请用 --checkpoint 给出别处留存的检查点或回执；确实没有的，加 --mark-lost"
        )
    sizes = {end.epoch: end.size for end in ends}
    signed = _newest_of_each(each for each in known if each.head.epoch >= kept.epoch or each in missing)
    return ResumePlan(
        step=step,
        cause=cause,
        head=head,
        kept=kept,
        signed=signed,
        lost=sum(max(0, each.head.size - sizes.get(each.head.epoch, 0)) for each in signed),
        mark=mark,
        proven=min(proven.get(kept.epoch, 0), kept.size),
        epoch=epoch,
    )


_SHOWN = "给出的检查点"


def _decide(head: HeadRow, mark: Head | None, missing: list[Known], largest: int) -> tuple[Step, int]:
    """What is to be done, and the epoch that it is done in."""
    if missing or mark is None:
        return "open", max(head.epoch, largest) + 1
    if head.size == 0:
        return "finish", head.epoch
    if mark.epoch < head.epoch:
        return "follow", head.epoch
    raise ResumeRefused("日志完好，签名没有停，不需要另开一期")


def _cause(conn: psycopg.Connection, signer: CheckpointSigner, head: HeadRow) -> str:
    if root_at(conn, head.epoch, head.size) != head.root:
        raise ResumeRefused("数据库里的叶子算不出日志头的根哈希：数据库坏了，请换一份备份")
    try:
        signer.check_start(conn)
    except SigningStopped as stopped:
        return str(stopped)
    return f"第 {head.epoch} 期已经另开，第 0 条还没有写入"


def _ends(conn: psycopg.Connection, head: HeadRow) -> list[Ended]:
    """Every epoch that has a place in the database, in order, the open one last."""
    rows = conn.execute(_ENDED).fetchall()
    ends = {row[1]: Ended(row[1], row[2], bytes(row[3])) for row in rows}
    return [*(ends[epoch] for epoch in sorted(ends)), Ended(head.epoch, head.size, head.root)]


def _own_mark(signer: CheckpointSigner) -> Head | None:
    try:
        return signer.mark()
    except MarkRefused:
        return None


def _known(
    conn: psycopg.Connection, signer: CheckpointSigner, head: HeadRow, shown: Iterable[str]
) -> list[Known]:
    """Every head that is known to have been signed. A host that cannot be asked may know of more: refused."""
    mark = _own_mark(signer)
    known = [Known(mark, "本机的水位")] if mark else []
    known += [Known(each, "本机以前各期的水位") for each in signer.former_marks()]
    try:
        peers = signer.peer_marks(conn)
    except SigningStopped as stopped:
        raise ResumeRefused(f"{stopped}；停用的主机请先从登记中删去") from None
    known += [Known(each, f"签名主机 {host} 的水位") for host, each in peers.items()]
    known += _cosigned(signer, head)
    heads = [(_head_of(checkpoint_in(text, signer)), _SHOWN) for text in shown]
    newest = "SELECT DISTINCT ON (origin) note FROM journal.checkpoint ORDER BY origin, size DESC"
    for (note,) in conn.execute(newest).fetchall():
        found = signer.signed_by_us(note)
        if found is None or (published := _head_of(found)) is None:
            raise ResumeRefused("数据库里有一份检查点不是本日志签的：数据库被改过，请换一份备份")
        heads.append((published, "数据库里发布过的检查点"))
    known += [Known(each, source) for each, source in heads if each is not None]
    if any(each.head.origin != head.origin for each in known):
        raise ResumeRefused("有一份水位或检查点属于另一个日志：请核对数据文件夹与数据库")
    return known


def _cosigned(signer: CheckpointSigner, head: HeadRow) -> list[Known]:
    """What the cosigners saw of the epoch that is open; one that cannot be asked may have seen more: refused."""
    try:
        seen = signer.cosigned_heads(head.log_origin, every=True)
    except SigningStopped as stopped:
        raise ResumeRefused(f"{stopped}；不再用的联署方请先用 plumbline cosigners remove 删去") from None
    told = [(_head_of(point), f"联署方 {each.name} 见过的检查点") for each, point in seen.items()]
    return [Known(found, source) for found, source in told if found is not None]


def _head_of(checkpoint: Checkpoint) -> Head | None:
    """The head that a checkpoint of an epoch states; None for one that is not of an epoch."""
    origin, _, epoch = checkpoint.origin.rpartition("/")
    if not origin or not (epoch.isascii() and epoch.isdigit()) or len(epoch) > 4:
        return None
    return Head(origin, int(epoch), checkpoint.size, checkpoint.root)


def _require_agreement(
    conn: psycopg.Connection, ends: Sequence[Ended], known: Sequence[Known]
) -> dict[int, int]:
    """The stored log must be a beginning, or an extension, of all that was signed, and that must not contradict itself.

    Returns the largest size of each epoch that was compared.
    """
    sizes = {end.epoch: end.size for end in ends}
    roots: dict[tuple[int, int], bytes] = {}
    proven: dict[int, int] = {}
    for each in known:
        place = (each.head.epoch, each.head.size)
        if roots.setdefault(place, each.head.root) != each.head.root:
            raise ResumeRefused(
                f"第 {place[0]} 期 {place[1]} 条签过两个不同的根（{each.source}）：日志分了叉，请查明原因"
            )
        if each.head.size > sizes.get(each.head.epoch, -1):
            continue
        if root_at(conn, *place) != each.head.root:
            raise ResumeRefused(
                f"第 {place[0]} 期前 {place[1]} 条与签过的不同（{each.source}）：日志被改写，不能接着开。"
                "请换用改写以前的备份，再另开一期"
            )
        proven[place[0]] = max(proven.get(place[0], 0), place[1])
    return proven


def _is_accounted(conn: psycopg.Connection, ends: Sequence[Ended], head: Head) -> bool:
    """Whether the database holds what was signed, or an opened epoch has told that it is lost."""
    if any(end.epoch == head.epoch and head.size <= end.size for end in ends):
        return True
    told = [each for row in conn.execute(_ENDED).fetchall() for each in row[4]]
    return any(
        each["epoch"] == head.epoch
        and (each["size"] > head.size or (each["size"] == head.size and each["root"] == head.root.hex()))
        for each in told
    )


def _newest_of_each(known: Iterable[Known]) -> tuple[Known, ...]:
    newest: dict[int, Known] = {}
    for each in known:
        before = newest.get(each.head.epoch)
        if before is None or before.head.size < each.head.size:
            newest[each.head.epoch] = each
    return tuple(newest[epoch] for epoch in sorted(newest))


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
    """Do what was planned; a step that was interrupted is planned again. Returns the first entry's receipt, None for a host that follows.

    Raises :class:`ResumeRefused` when the log or the mark moved since it was planned, :class:`WaitsForHosts` when other hosts must follow
    first, and :class:`Problem` for a reason that no message may hold; the last before anything is changed.
    """
    head = plan.head
    with psycopg.connect(conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        if read_head(conn, lock=True) != plan.head:
            raise ResumeRefused("日志头在这期间动了，请重新执行")
        if plan.step == "open":
            head = _begin(conn, plan, signer, because)
        opening = _opening(conn, head, keys, operator) if plan.step != "follow" else None
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) VALUES (%s, 'log.resume', %s, %s, 'cli')",
            [by, f"epoch {head.epoch}", plan.step],
        )
    try:
        signer.begin_epoch(head, plan.mark)
    except MarkRefused as refused:
        raise ResumeRefused(f"本机的水位在这期间动了，请重新执行（{refused.reason}）") from refused
    return _append_opening(conninfo, opening, signer) if opening else None


def _begin(conn: psycopg.Connection, plan: ResumePlan, signer: CheckpointSigner, because: str) -> HeadRow:
    """The row of the epoch and the head at size 0, in the caller's transaction."""
    former, kept = plan.head, plan.kept
    head = HeadRow(
        origin=former.origin,
        epoch=plan.epoch,
        size=0,
        root=EMPTY_ROOT,
        frontier=Frontier.empty(),
        last_time=former.last_time,
    )
    closing = Checkpoint(closing_origin(head.origin, kept.epoch, head.epoch), kept.size, kept.root)
    signed = [
        {"epoch": each.head.epoch, "size": each.head.size, "root": each.head.root.hex()}
        for each in plan.signed
    ]
    conn.execute(
        _INSERT,
        [
            head.epoch,
            kept.epoch,
            kept.size,
            kept.root,
            signer.sign_closing(closing),
            Jsonb(signed),
            plan.lost,
            because,
        ],
    )
    conn.execute(
        "UPDATE journal.head SET epoch = %s, size = 0, root = %s, frontier = %s",
        [head.epoch, head.root, head.frontier.encode()],
    )
    return head


def _opening(conn: psycopg.Connection, head: HeadRow, keys: PlatformKeys, operator: Operator) -> Pending:
    """The first entry, from the row of its epoch; it passes the door's checks before the row is committed."""
    row = conn.execute(
        "SELECT kept_epoch, kept_size, kept_root, signed, lost, because FROM journal.epoch WHERE epoch = %s",
        [head.epoch],
    ).fetchone()
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
        continues=Continuation(
            kept_epoch=row[0],
            kept_size=row[1],
            kept_root=bytes(row[2]).hex(),
            signed=[_signed_head(head.origin, each) for each in row[3]],
            lost=row[4],
            because=row[5],
        ),
    )
    return pending_from(message, keys.signer("web"), channel="internal", stated_at=demo_time)


def _signed_head(origin: str, told: dict[str, Any]) -> SignedHead:
    checkpoint = Checkpoint(log_origin(origin, told["epoch"]), told["size"], bytes.fromhex(told["root"]))
    return SignedHead(
        epoch=told["epoch"],
        size=told["size"],
        root=told["root"],
        checkpoint_sha256=hashlib.sha256(checkpoint.body().encode()).hexdigest(),
    )


def _append_opening(conninfo: dict[str, str], opening: Pending, signer: CheckpointSigner) -> Accepted:
    journal = Journal(conninfo["plumb_gateway"], signer)
    try:
        outcome = journal.append([opening], opening=True)[0]
    except SigningStopped as stopped:
        raise WaitsForHosts(str(stopped)) from stopped
    finally:
        journal.close()
    if not isinstance(outcome, Accepted):
        raise outcome
    return outcome
