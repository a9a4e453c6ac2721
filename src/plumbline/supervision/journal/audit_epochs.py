"""What the table of epochs says, against leaves, first entries and signatures (日志各期的核对): a part of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from plumbline.evidence.checkpoint import Checkpoint, open_checkpoint
from plumbline.evidence.note import Ed25519NoteVerifier, NoteError
from plumbline.evidence.tree import EMPTY_ROOT
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import LogOpened
from plumbline.supervision.journal.heads import HeadRow, closing_origin, log_origin

#: What a row says of the epoch before its own.
_CONTINUES = ("kept_epoch", "kept_size", "kept_root", "closing", "signed", "lost", "because")
_EPOCHS = f"SELECT *, num_nulls({', '.join(_CONTINUES)}) AS nulls FROM journal.epoch ORDER BY epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A row of `journal.epoch`, with where the epoch ends: at the head, or where a later row says that it was kept."""

    epoch: int
    size: int
    root: bytes
    is_open: bool
    #: Up to which size its checkpoints may speak: beyond `size` of what a later epoch tells as lost.
    signed: int
    row: dict[str, Any]

    @property
    def label(self) -> str:
        """Before each sentence, when there is more than one epoch."""
        return "" if self.is_open and self.epoch == 1 else f"第 {self.epoch} 期："

    def is_opened_by(self, message: Message) -> bool:
        """Whether the first entry says of its epoch, and of the one before, what this row says."""
        if not isinstance(message, LogOpened) or message.epoch != self.epoch:
            return False
        said, row = message.continues, self.row
        if said is None or row["kept_epoch"] is None:
            return said is None and row["kept_epoch"] is None
        signed = [{"epoch": each.epoch, "size": each.size, "root": each.root} for each in said.signed]
        return (said.kept_epoch, said.kept_size, said.kept_root, said.lost, said.because, signed) == (
            row["kept_epoch"],
            row["kept_size"],
            bytes(row["kept_root"]).hex(),
            row["lost"],
            row["because"],
            row["signed"],
        )


def read_epochs(conn: psycopg.Connection, head: HeadRow, problems: list[str]) -> list[Epoch]:
    """The epochs in order; what their table says wrongly goes to `problems`."""
    with conn.cursor(row_factory=dict_row) as cur:
        rows = cur.execute(_EPOCHS.encode()).fetchall()
    numbers = {row["epoch"] for row in rows}
    found = []
    found_twice = {row["epoch"] for row in rows if [each["epoch"] for each in rows].count(row["epoch"]) > 1}
    problems += [f"日志各期的表里第 {number} 期有两行" for number in sorted(found_twice)]
    for row in rows:
        if not _is_whole(row):
            problems.append(f"日志各期的表里第 {row['epoch']} 期的内容被改过")
            row |= dict.fromkeys(_CONTINUES)  # what it says of an earlier epoch counts for nothing
    for row in rows:
        later = [each for each in rows if each["kept_epoch"] == row["epoch"]]
        if not _is_sound(row, later, head) or (
            row["kept_epoch"] is not None and row["kept_epoch"] not in numbers
        ):
            problems.append(f"日志各期的表里第 {row['epoch']} 期被改过、删掉或多出")
        found.append(_epoch(row, later, rows, head))
    if head.epoch not in numbers:
        problems.append(f"日志各期的表里没有第 {head.epoch} 期，日志头却在这一期")
    return found


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether a row says all of the epoch that it continues, or nothing; epoch 1 continues none."""
    if row["nulls"] != (len(_CONTINUES) if row["epoch"] == 1 else 0):
        return False
    return row["epoch"] == 1 or (
        isinstance(row["signed"], list)
        and all(
            isinstance(each, dict)
            and isinstance(each.get("epoch"), int)
            and isinstance(each.get("size"), int)
            and isinstance(each.get("root"), str)
            for each in row["signed"]
        )
    )


def _is_sound(row: dict[str, Any], later: list[dict[str, Any]], head: HeadRow) -> bool:
    number = row["epoch"]
    if (
        number > head.epoch
        or (number == head.epoch and later)
        or (number == 1) != (row["kept_epoch"] is None)
    ):
        return False
    if row["kept_epoch"] is not None and row["kept_epoch"] >= number:
        return False
    # Two epochs continue one only when the first of them never got an entry: both say the same of it.
    return len({(each["kept_size"], bytes(each["kept_root"])) for each in later}) <= 1


def _epoch(
    row: dict[str, Any], later: list[dict[str, Any]], rows: list[dict[str, Any]], head: HeadRow
) -> Epoch:
    number = row["epoch"]
    if number == head.epoch:
        return Epoch(epoch=number, size=head.size, root=head.root, is_open=True, signed=head.size, row=row)
    size, root = (later[0]["kept_size"], bytes(later[0]["kept_root"])) if later else (0, EMPTY_ROOT)
    told = [each["size"] for other in rows for each in other["signed"] or () if each["epoch"] == number]
    return Epoch(epoch=number, size=size, root=root, is_open=False, signed=max([size, *told]), row=row)


def closing_problems(epochs: list[Epoch], head: HeadRow, log_key: bytes | None) -> list[str]:
    """Closing checkpoints that do not say what was kept, or that this log's key (from entry 0) did not sign."""
    found = []
    for each in epochs:
        row = each.row
        if row["kept_epoch"] is None:
            continue
        origin = closing_origin(head.origin, row["kept_epoch"], each.epoch)
        try:
            verifier = Ed25519NoteVerifier(origin, log_key or b"")
            said = open_checkpoint(row["closing"], [verifier]).checkpoint
            good = said == Checkpoint(origin, row["kept_size"], bytes(row["kept_root"]))
        except (NoteError, ValueError):
            good = False
        if not good:
            found.append(f"第 {each.epoch} 期给第 {row['kept_epoch']} 期的收尾检查点被改过")
    return found


def stray_problems(conn: psycopg.Connection, epochs: list[Epoch], head: HeadRow) -> list[str]:
    """Leaves, nodes and checkpoints of epochs that the table does not know."""
    numbers = [each.epoch for each in epochs]
    found = []
    for table, what in (("leaf", "叶子"), ("node", "节点")):
        rows = conn.execute(
            f"SELECT DISTINCT epoch FROM journal.{table} WHERE epoch <> ALL(%s)".encode(), [numbers]
        ).fetchall()
        found += [f"日志各期的表里没有第 {row[0]} 期，却有它的{what}" for row in rows]
    origins = [log_origin(head.origin, number) for number in numbers]
    rows = conn.execute(
        "SELECT DISTINCT origin FROM journal.checkpoint WHERE origin <> ALL(%s)", [origins]
    ).fetchall()
    return found + [f"有一份检查点属于别的日志：{row[0]}" for row in rows]
