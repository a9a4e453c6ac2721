"""Two schemas of fact tables held against each other (逐行逐列比对): every row by its key, every column to the last digit.

Nothing here names a table or a column: both come from the declaration and from the catalogue, so that none can be
forgotten. "The same" means the same text: 38.5 and 38.50 are two values, and so are SQL's NULL and JSON's null, which
PostgreSQL's own equality takes for one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql

from plumbline.supervision.projection.tables import TABLES

EXAMPLES = 5
#: Column name, type and NOT NULL, in order; first what the thing is: a view in a table's place is no table.
Shape = tuple[tuple[str, str, bool], ...]
_KIND = "表的种类"
_SHAPES = """
SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
 ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """Rows of one table that differ between two schemas: only in the second, only in the first, changed."""

    table: str
    missing: int = 0
    extra: int = 0
    changed: int = 0
    examples: tuple[str, ...] = ()
    #: Columns in which changed rows differ.
    columns: tuple[str, ...] = ()
    #: Rows beyond the first with a key that is there already.
    doubled: int = 0
    #: What is wrong with the table itself, in one phrase.
    shape: str = ""

    @property
    def sentence(self) -> str:
        """What differs, in Chinese, with table, rows and columns."""
        if self.shape:
            return f"{self.table} {self.shape}"
        text = f"{self.table} 少 {self.missing} 行、多 {self.extra} 行、改 {self.changed} 行"
        if self.doubled:
            text += f"、同键重复 {self.doubled} 行"
        if self.examples:
            text += f"，如 {'、'.join(self.examples)}"
        return text + (f"；改动的列：{'、'.join(self.columns)}" if self.columns else "")


def shapes(conn: psycopg.Connection, schema: str) -> dict[str, Shape]:
    """Tables and views of a schema with their columns; partitions belong to their table."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for table, kind, *column in conn.execute(_SHAPES, [schema]).fetchall():
        found.setdefault(table, [(_KIND, kind, True)])
        if column[0] is not None:
            found[table].append((column[0], column[1], column[2]))
    return {table: tuple(columns) for table, columns in found.items()}


def differences(
    conn: psycopg.Connection, first: str, second: str, only: Collection[str] | None = None
) -> list[TableDifference]:
    """Compare two schemas row by row by primary key; an empty list means identical. `only`: these tables alone."""
    mine, theirs = shapes(conn, first), shapes(conn, second)
    found = []
    for table in sorted({*TABLES, *mine, *theirs}):
        if only is not None and table not in only:
            continue
        if mine.get(table) != theirs.get(table):
            found.append(TableDifference(table=table, shape=_misshape(mine.get(table), theirs.get(table))))
        elif table in mine and (difference := _rows_differ(conn, first, second, table)):
            found.append(difference)
    return found


def _misshape(mine: Shape | None, theirs: Shape | None) -> str:
    if mine is None:
        return "这张表不见了"
    if theirs is None:
        return "声明里没有这张表"
    names = sorted({column[0] for column in {*mine} ^ {*theirs}})
    return f"的列与声明不同：{'、'.join(names) or '次序'}"


def _rows_differ(conn: psycopg.Connection, first: str, second: str, table: str) -> TableDifference | None:
    names = {"a": sql.Identifier(first, table), "b": sql.Identifier(second, table)}
    # `*<>` compares bytes and is quick; two forms of one value are no difference, so the text decides.
    rows = conn.execute(
        sql.SQL(
            "SELECT coalesce(a.id::text, b.id::text, '(无键)'), a.id IS NULL, b.id IS NULL "
            "FROM {a} a FULL JOIN {b} b ON a.id = b.id "
            "WHERE a.id IS NULL OR b.id IS NULL OR (a *<> b AND a::text <> b::text)"
        ).format(**names)
    ).fetchall()
    counted = conn.execute(
        sql.SQL("SELECT (SELECT count(*) FROM {a}), (SELECT count(*) FROM {b})").format(**names)
    ).fetchone()
    assert counted is not None
    missing, extra = (sum(row[which] for row in rows) for which in (1, 2))
    doubled = counted[0] - (counted[1] - missing + extra)
    if not rows and not doubled:
        return None
    changed = sum(not row[1] and not row[2] for row in rows)
    return TableDifference(
        table=table,
        missing=missing,
        extra=extra,
        changed=changed,
        examples=tuple(row[0] for row in rows[:EXAMPLES]) or _doubled_keys(conn, names),
        columns=_columns_differ(conn, names, table) if changed else (),
        doubled=doubled,
    )


def _doubled_keys(conn: psycopg.Connection, names: dict[str, sql.Identifier]) -> tuple[str, ...]:
    statement = sql.SQL("SELECT id::text FROM {a} GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT {limit}")
    rows = conn.execute(statement.format(limit=sql.Literal(EXAMPLES), **names)).fetchall()
    return tuple(row[0] for row in rows)


def _columns_differ(
    conn: psycopg.Connection, names: dict[str, sql.Identifier], table: str
) -> tuple[str, ...]:
    columns = list(TABLES[table].all_columns)
    each = sql.SQL(", ").join(
        sql.SQL("bool_or(a.{0}::text IS DISTINCT FROM b.{0}::text)").format(sql.Identifier(column))
        for column in columns
    )
    row = conn.execute(
        sql.SQL("SELECT {each} FROM {a} a JOIN {b} b ON a.id = b.id WHERE a *<> b").format(each=each, **names)
    ).fetchone()
    assert row is not None
    return tuple(column for column, differs in zip(columns, row, strict=True) if differs)
