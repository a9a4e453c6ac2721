"""One act of tampering after another (逐项篡改): done as the superuser with triggers off, audited as the platform does it, taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from plumbline.drill.tampering.relations import (
    Change,
    Relation,
    edits,
    filled,
    loosen,
    relations,
    rows_of,
    whole_rows,
    whole_tables,
)
from plumbline.supervision.journal.audit import audit_journal
from plumbline.supervision.journal.audit_checkpoints import Kept
from plumbline.supervision.journal.audit_files import audit_blobs
from plumbline.supervision.journal.audit_trail import trail_problems
from plumbline.supervision.projection.compare import differences
from plumbline.supervision.projection.schema import LIVE, NEXT

#: What an audit says, and what of it must be said of a change.
Audit = Callable[[psycopg.Connection], list[str]]
Named = Callable[[Change, list[str]], bool]


@dataclass(slots=True)
class Tally:
    """What was tried and what came of it; `broken` holds what nobody found or named."""

    tried: Counter[str] = field(default_factory=Counter)
    columns: dict[str, set[str]] = field(default_factory=dict)
    #: What the database itself refused even to a superuser without triggers and checks.
    refused: list[str] = field(default_factory=list)
    #: Tables without a row: both sides were given the same made-up rows first.
    empty: list[str] = field(default_factory=list)
    #: Tables of the journal without a row: nothing could be changed in them.
    untouched: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def judge(self, area: str, what: str, said: list[str], *, named: bool) -> None:
        """Count one act."""
        self.tried[area] += 1
        if not said:
            self.broken.append(f"没有发现：{what}")
        elif not named:
            self.broken.append(f"发现了却没有点名：{what}；只说了：{'；'.join(said[:3])}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """Where the acts take place, and how many."""

    conn: psycopg.Connection
    tally: Tally
    seed: int
    rows: int = 5
    #: `table` or `table.column`: these alone; empty means all.
    only: Collection[str] = ()
    #: One column of each table in so many, by the seed; 1 means every column.
    every: int = 1

    def facts(self) -> None:
        """Every table of schema fact, as the catalogue lists them, against the shadow that stands beside it."""
        for relation in relations(self.conn, LIVE):
            with self.conn.transaction(force_rollback=True):
                if self._chosen(relation) and not rows_of(self.conn, relation, 1, self.seed):
                    filled(self.conn, relation, (LIVE, NEXT), self.rows)
                    self.tally.empty.append(relation.name)
                self._table(relation, "plumb_projector", partial(_projection, {relation.name}), _is_named_row)

    def journal(self, kept: Kept, chain: Audit | None = None) -> None:
        """Every table of schema journal; `chain` asks the chain for every anchor that is kept."""
        for relation in relations(self.conn, "journal"):
            if not self._chosen(relation):
                continue
            named = _named_in_log(self.conn, relation)
            narrowed = _evident(relation)
            if not rows_of(self.conn, relation, 1, self.seed):
                self.tally.untouched.append(relation.name)
            elif relation.name not in TAUGHT:
                self.tally.broken.append(f"journal.{relation.name} 有行，演练却不知道核对怎样点名它的行")
                continue
            if narrowed.name in SIGNED_ELSEWHERE:
                asked = chain if narrowed.name == "anchor" else None
                self._columns(narrowed, "plumb_gateway", partial(_with_chain, kept, asked), named)
                continue
            self._table(narrowed, "plumb_gateway", lambda conn: audit_journal(conn, kept), named, ddl=False)

    def file_rows(self, files: Path) -> None:
        """The rows of ops.file."""
        for relation in relations(self.conn, "ops"):
            if relation.name == "file":
                self._columns(
                    _evident(relation), "plumb_gateway", lambda conn: audit_blobs(conn, files), _is_named_file
                )

    def cosigner_rows(self, kept: Kept) -> None:
        """The rows of ops.cosigner: what pages say of a cosigner is what its entry says."""
        for relation in relations(self.conn, "ops"):
            if relation.name == "cosigner":
                if not rows_of(self.conn, relation, 1, self.seed):
                    self.tally.untouched.append("ops.cosigner")
                narrowed = _evident(relation)

                def audit(conn: psycopg.Connection) -> list[str]:
                    return audit_journal(conn, kept)

                self._columns(narrowed, "plumb_gateway", audit, _is_named_cosigner)
                for change in whole_rows(self.conn, relation, count=1, seed=self.seed):
                    self._attempt(change, "plumb_gateway", audit, _is_named_cosigner)

    def trail_rows(self) -> None:
        """The audit trail and what it was sealed as. What an event says of the present may be put in by anybody who writes there: it is a
        true record of a false statement; of the past it is not."""
        for relation in relations(self.conn, "ops"):
            if relation.name not in TRAIL or not self._chosen(relation):
                continue
            if not rows_of(self.conn, relation, 1, self.seed):
                self.tally.untouched.append(f"ops.{relation.name}")
            self._columns(_evident(relation), "plumb_gateway", trail_problems, _is_named_in_trail)
            for change in whole_rows(self.conn, relation, count=self.rows, seed=self.seed):
                if relation.name != "audit_event" or not change.what.startswith("照抄"):
                    self._attempt(change, "plumb_gateway", trail_problems, _is_named_in_trail)
            if relation.name == "audit_event":
                self._attempt(_back_dated(relation), "plumb_gateway", trail_problems, _is_named_in_trail)

    def _chosen(self, relation: Relation, column: str | None = None) -> bool:
        wanted = {relation.name, f"{relation.name}.{column}"} if column else {relation.name}
        return (
            not self.only
            or any(each in self.only for each in wanted)
            or (column is None and any(each.startswith(relation.name + ".") for each in self.only))
        )

    def _table(self, relation: Relation, role: str, audit: Audit, named: Named, *, ddl: bool = True) -> None:
        if not self._chosen(relation):
            return
        self._columns(relation, role, audit, named)
        if self.only and relation.name not in self.only:
            return
        changes = [*whole_rows(self.conn, relation, count=self.rows, seed=self.seed)]
        changes += [
            each for each in whole_tables(self.conn, relation, seed=self.seed) if ddl or not each.is_shape
        ]
        if self.every > 1:
            changes = changes[:2] + changes[-1:]
        for change in changes:
            self._attempt(change, role, audit, named)

    def _columns(self, relation: Relation, role: str, audit: Audit, named: Named) -> None:
        if not self._chosen(relation):
            return
        full = f"{relation.schema}.{relation.name}"
        met = self.tally.columns.setdefault(full, set())
        for number, column in enumerate(relation.columns):
            if (number + self.seed) % self.every or not self._chosen(relation, column.name):
                continue
            for change in edits(self.conn, relation, column, count=self.rows, seed=self.seed):
                if self._attempt(change, role, audit, named):
                    met.add(column.name)

    def _attempt(self, change: Change, role: str, audit: Audit, named: Named) -> bool:
        """Whether it was done at all; what came of it is in the tally."""
        relation = change.relation
        with self.conn.transaction(force_rollback=True):
            try:
                loosen(self.conn, relation, change.column if change.what == "变空" else None)
                change = self._done(change)
            except psycopg.Error as error:
                self.tally.refused.append(f"{change.text}（{type(error).__name__}）")
                return False
            self.conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            try:
                said = audit(self.conn)
            except Exception as error:
                self.tally.broken.append(f"核对停在：{change.text}（{type(error).__name__}: {error}）")
                return True
        area = AREAS.get(relation.schema) or AREAS[f"{relation.schema}.{relation.name}"]
        self.tally.judge(area, change.text, said, named=named(change, said))
        return True

    def _done(self, change: Change) -> Change:
        """Do it; rows that it made or renamed are told beside those that were."""
        names = [column.name for column in change.relation.columns]
        made: list[dict[str, str | None]] = []
        for statement in change.statements:
            cursor = self.conn.execute(statement)
            if cursor.description is not None:
                made += [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return replace(change, rows=(*change.rows, *made))


#: How an act is counted, by schema or table.
AREAS = {
    LIVE: "表",
    "journal": "日志",
    "ops.file": "文件登记",
    "ops.cosigner": "联署方",
    "ops.audit_event": "审计记录",
    "ops.trail_seal": "审计记录",
    "ops.trail_sealed": "审计记录",
}
#: The audit trail with its seals.
TRAIL = frozenset({"audit_event", "trail_seal", "trail_sealed"})
#: Tables of schema journal whose rows an audit names; one with rows that is not here breaks the drill.
TAUGHT = frozenset(
    {"entry", "leaf", "node", "head", "claim", "checkpoint", "epoch", "cosignature", "stamp", "anchor"}
)
#: Tables whose rows somebody else has signed and keeps: that one is gone, that one sees.
SIGNED_ELSEWHERE = frozenset({"cosignature", "stamp", "anchor"})
_OUTSIDE = {"cosignature": "联署", "stamp": "时间戳", "anchor": "上链"}
#: Columns that are no evidence, and why. Everything else in schemas fact and journal is: there is no list of what is audited.
NO_EVIDENCE = {
    ("journal.cosignature", "received_at"): "只记联署何时送到；何时签的，签名里有",
    ("journal.stamp", "received_at"): "只记时间戳何时送到；何时盖的，令牌里有",
    ("journal.anchor", "received_at"): "只记何时确认；何时上链，区块里有",
    **{
        ("ops.cosigner", name): "联署到哪里，以 journal.cosignature 里的签名行为准"
        for name in ("origin", "size", "cosigned_at")
    },
    **{
        ("ops.cosigner", name): "后台进程的进度与遇到的问题，下一轮重写"
        for name in ("behind_since", "looked_at", "problem", "list_problem")
    },
    ("ops.trail_seal", "entered_at"): "页面上说封存到哪里；入没入账由日志说",
    ("ops.file", "changed_at"): "只记状态何时变的；文件何时到，由日志里 blob.stored 的时间说",
    ("ops.file", "scan"): "病毒扫描说了什么，只管提供不提供；文件的字节由日志里的摘要证明",
    ("ops.file", "scan_found"): "病毒扫描说了什么，只管提供不提供；文件的字节由日志里的摘要证明",
    ("ops.file", "checked_at"): "巡检什么时候看过这个文件；文件的字节由日志里的摘要证明",
    ("ops.file", "damage"): "巡检看到了什么；文件的字节由日志里的摘要证明",
    ("ops.file", "scanned_at"): "病毒扫描说了什么，只管提供不提供；文件的字节由日志里的摘要证明",
    ("ops.file", "enters_at"): "入账以前先记下的时间；入账以后由日志里 blob.stored 的时间说",
}


def _evident(relation: Relation) -> Relation:
    """The relation without the columns that are no evidence."""
    table = f"{relation.schema}.{relation.name}"
    columns = tuple(each for each in relation.columns if (table, each.name) not in NO_EVIDENCE)
    return Relation(schema=relation.schema, name=relation.name, columns=columns, key=relation.key)


def unwatched(conn: psycopg.Connection) -> list[str]:
    """Tables that the audits do not cover: class O, each with its reason."""
    found = relations(conn, "ops")
    every = [*found, *relations(conn, "journal")]
    there = {(f"{each.schema}.{each.name}", column.name) for each in every for column in each.columns}
    told = [f"{'.'.join(place)} 不是证据：{why}" for place, why in NO_EVIDENCE.items() if place in there]
    names = [each.name for each in found if f"ops.{each.name}" not in AREAS]
    reason = "O 类（运行数据，不从总账重建，PROTOCOL §1），不在核对之列"
    told.append("整行删去一个联署：只有它的联署方自己看得出来")
    return [*told, f"schema ops 的 {len(names)} 张表是 {reason}：{'、'.join(names)}"]


def _with_chain(kept: Kept, chain: Audit | None, conn: psycopg.Connection) -> list[str]:
    """What the audit says, and what `plumbline anchors check` says, which goes over the network and is no part of it."""
    return audit_journal(conn, kept) + (chain(conn) if chain else [])


def _projection(only: Collection[str], conn: psycopg.Connection) -> list[str]:
    return [each.sentence for each in differences(conn, LIVE, NEXT, only)]


def _is_named_row(change: Change, said: list[str]) -> bool:
    """The table, the column and the key, in one sentence and in no other."""
    relation = change.relation
    if len(said) != 1 or not said[0].startswith(f"{relation.name} "):
        return False
    if change.is_shape:
        return change.column is None or change.column in said[0]
    keys = [str(row[relation.key[0]]) for row in change.rows]
    if change.column and change.column not in relation.key:
        columns = said[0].partition("改动的列：")[2].split("、")
        shape = said[0].partition("的列与声明不同：")[2].split("、")
        return (columns == [change.column] and keys[0] in said[0]) or change.column in shape
    return all(key in said[0] for key in keys)


def _is_named_cosigner(change: Change, said: list[str]) -> bool:
    return any(f"联署方 {row['name']}（ops.cosigner）" in each for row in change.rows for each in said)


def _back_dated(relation: Relation) -> Change:
    """An event that says that it is of yesterday, put in where its number lies in the past, too."""
    statement = sql.SQL(
        "INSERT INTO {0} SELECT (SELECT min(id) - 1 FROM {0}), at - interval '1 day', actor, action, subject, outcome, request, detail "
        "FROM {0} ORDER BY id DESC LIMIT 1 RETURNING {1}"
    ).format(
        relation.full,
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(each.name)) for each in relation.columns
        ),
    )
    return Change(relation=relation, what="倒填一行", statements=(statement,))


def _is_named_in_trail(change: Change, said: list[str]) -> bool:
    """The event, or the seal that it is in."""
    words = [f"第 {row['id']} 条审计记录" for row in change.rows if "id" in row]
    for row in change.rows:
        if change.relation.name != "audit_event":
            words.append(f"第 {row.get('seal') or row.get('number')} 次封存")
    return any(word in each for word in words for each in said) or not change.rows


def _is_named_file(change: Change, said: list[str]) -> bool:
    key = str(change.rows[0]["sha256"]).removeprefix("\\x")
    return any(key in each for each in said) and (
        change.column == "sha256" or any(str(change.column) in each for each in said)
    )


def _named_in_log(conn: psycopg.Connection, relation: Relation) -> Named:
    """What a sentence about a row of this table of schema journal must say one of; LookupError for a table that nobody taught."""
    places: dict[str, str] = {}
    if relation.name == "entry":
        places = {
            str(uid): str(idx) for uid, idx in conn.execute("SELECT uid, idx FROM journal.leaf").fetchall()
        }

    def words(row: dict[str, str | None]) -> Iterator[str]:
        match relation.name:
            case "entry":
                yield from (f"第 {places.get(str(row['uid']), '?')} 条", str(row["uid"]))
            case "leaf":
                yield from (f"第 {row['idx']} 条", f"第 {row['epoch']} 期", "片")
            case "node":
                yield from (f"第 {row['level']} 层、从第 {row['start']} 条", "节点")
            case "head":
                yield "日志头"
            case "claim":
                yield str(row["value"])
            case "checkpoint":
                yield from (f"{row['size']} 条的检查点", "检查点属于别的日志")
            case "cosignature" | "stamp" | "anchor":
                yield f"{row['name']} 对 {row['size']} 条的{_OUTSIDE[relation.name]}"
            case "epoch":
                yield f"第 {row['epoch']} 期"
            case other:
                raise LookupError(f"journal.{other}: nobody taught the drill how its rows are named")

    def named(change: Change, said: list[str]) -> bool:
        wanted = [word for row in change.rows for word in words(row)]
        wanted += [f"journal.{relation.name} 的 {relation.label(row)} " for row in change.rows]
        return any(word in each for word in wanted for each in said) or not change.rows

    return named


def sentences(found: Iterator[str] | list[str], limit: int = 20) -> tuple[str, ...]:
    """The first of many, and how many more there are."""
    every = list(found)
    more = [f"……另有 {len(every) - limit} 项"] if len(every) > limit else []
    return (*every[:limit], *more)
