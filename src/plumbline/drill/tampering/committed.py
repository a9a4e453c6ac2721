"""A few changes for good (真的改下去): committed, found by the command that an operator gives, and put back from a copy."""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
from psycopg import sql

from plumbline.drill.tampering.acts import Tally
from plumbline.drill.tampering.city import audited
from plumbline.drill.tampering.relations import Change, Relation, edits, relations, rows_of
from plumbline.supervision.projection.schema import LIVE


def commit_some(conn: psycopg.Connection, data_dir: Path, tally: Tally, *, seed: int, count: int = 3) -> None:
    """Some columns of some fact tables, the position turned back, a message, a deleted leaf."""
    chance = random.Random(seed)  # noqa: S311 - the seed decides, nothing is secret
    facts = [
        each for each in relations(conn, LIVE) if rows_of(conn, each, 1, seed) and each.name != "position"
    ]
    for relation in chance.sample(facts, min(count, len(facts))):
        change = _edit(conn, relation, chance.choice(relation.columns[1:]).name, seed)
        _one(conn, data_dir, tally, change, [relation.name, change.column or ""])
    by_name = {
        (each.schema, each.name): each for each in [*relations(conn, LIVE), *relations(conn, "journal")]
    }
    position = by_name[LIVE, "position"]
    back = sql.SQL("UPDATE {} SET pos = pos - 5").format(position.full)
    turned = Change(relation=position, what="投影位置退五条", statements=(back,), column="pos")
    _one(conn, data_dir, tally, turned, ["position", "pos"])
    entry = by_name["journal", "entry"]
    row = rows_of(conn, entry, 1, seed)[0]
    _one(conn, data_dir, tally, _edit(conn, entry, "message", seed), [str(row["uid"])])
    leaf = by_name["journal", "leaf"]
    row = rows_of(conn, leaf, 1, seed, "t.idx > 0")[0]
    gone = sql.SQL("DELETE FROM {} WHERE {}").format(leaf.full, leaf.at(row))
    _one(
        conn,
        data_dir,
        tally,
        Change(relation=leaf, what="删一行", statements=(gone,), rows=(row,)),
        [f"第 {row['idx']} 条"],
    )


def _edit(conn: psycopg.Connection, relation: Relation, name: str, seed: int) -> Change:
    column = next(each for each in relation.columns if each.name == name)
    return next(
        each
        for each in edits(conn, relation, column, count=1, seed=seed)
        if each.what != "变空" or not column.not_null
    )


def _one(conn: psycopg.Connection, data_dir: Path, tally: Tally, change: Change, words: list[str]) -> None:
    copy, table = sql.Identifier("pg_temp", "kept"), change.relation.full
    conn.execute(sql.SQL("CREATE TEMP TABLE kept AS SELECT * FROM {}").format(table))
    try:
        for statement in change.statements:
            conn.execute(statement)
        status, lines = audited(data_dir)
    finally:
        with conn.transaction():
            conn.execute(sql.SQL("DELETE FROM {}").format(table))
            conn.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(table, copy))
        conn.execute("DROP TABLE pg_temp.kept")
    named = any(all(word in line for word in words) for line in lines)
    tally.judge("命令", f"plumbline audit：{change.text}", lines if status else [], named=named)
