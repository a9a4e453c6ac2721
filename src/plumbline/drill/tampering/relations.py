"""Tables as the catalogue tells them (库表目录), and the changes that are made to them: edit, delete, insert, double, exchange, drop.

Nothing here names a table or a column.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from plumbline.drill.tampering.values import Variant, expression_of, invented, variants

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(array_position(i.indkey::int2[], a.attnum), -1)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
 WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname, a.attnum
"""
_CHECKS = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' AND conislocal"
#: Columns whose values the database gives itself.
_NUMBERED = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''"
_UNIQUE = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = %s::regclass AND i.indisunique AND NOT i.indisprimary
"""
_BOUND = """
SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM $$FROM \\('([^']*)'\\)$$) AS bound
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY bound DESC LIMIT 1
"""
Row = dict[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: name, type, whether it must have a value."""

    name: str
    kind: str
    not_null: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table with its columns and the columns of its key."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def full(self) -> sql.Identifier:
        """Schema and name."""
        return sql.Identifier(self.schema, self.name)

    def at(self, row: Row, alias: str = "") -> sql.Composable:
        """The condition that finds this row by its key."""
        kinds = {column.name: column.kind for column in self.columns}
        names = [sql.Identifier(*filter(None, (alias, name))) for name in self.key]
        values = [sql.SQL("{}::{}").format(sql.Literal(row[name]), sql.SQL(kinds[name])) for name in self.key]
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(name, value) for name, value in zip(names, values, strict=True)
        )

    def label(self, row: Row) -> str:
        """The key's values, for a report."""
        return "/".join(str(row[name]) for name in self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One act of tampering; `rows` are the rows as they were, `column` is set when one column is edited."""

    relation: Relation
    what: str
    statements: tuple[sql.Composed, ...]
    rows: tuple[Row, ...] = ()
    column: str | None = None
    #: Whether the table itself is another one afterwards, and not its rows.
    is_shape: bool = False

    @property
    def text(self) -> str:
        """In Chinese, for the report."""
        where = "、".join(self.relation.label(row) for row in self.rows)
        column = f".{self.column}" if self.column else ""
        return f"{self.relation.schema}.{self.relation.name}{column} {where} {self.what}"


def relations(conn: psycopg.Connection, schema: str) -> list[Relation]:
    """All tables of a schema; partitions belong to their table."""
    found: dict[str, list[tuple[Column, int]]] = {}
    for table, name, kind, not_null, place in conn.execute(_COLUMNS, [schema]).fetchall():
        found.setdefault(table, []).append((Column(name=name, kind=kind, not_null=not_null), place))
    return [
        Relation(
            schema=schema,
            name=table,
            columns=tuple(column for column, _ in columns),
            key=tuple(c.name for c, place in sorted(columns, key=lambda each: each[1]) if place >= 0),
        )
        for table, columns in found.items()
    ]


def rows_of(
    conn: psycopg.Connection, relation: Relation, count: int, seed: int, where: str = "true"
) -> list[Row]:
    """At most `count` rows, the same for the same seed, every value as text."""
    names = [column.name for column in relation.columns]
    fields = sql.SQL(", ").join(sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in names)
    keys = sql.SQL(" || '/' || ").join(sql.SQL("t.{}::text").format(sql.Identifier(k)) for k in relation.key)
    statement = sql.SQL("SELECT {} FROM {} t WHERE {} ORDER BY md5({} || {}) LIMIT {}").format(
        fields, relation.full, sql.SQL(where), keys, sql.Literal(str(seed)), sql.Literal(count)
    )
    return [dict(zip(names, row, strict=True)) for row in conn.execute(statement).fetchall()]


def rows_for(
    conn: psycopg.Connection, relation: Relation, column: Column, count: int, seed: int
) -> list[Row]:
    """Rows to edit a column in: those with a value first, and one without when there is one."""
    name = sql.Identifier(column.name).as_string(None)
    filled = rows_of(conn, relation, count, seed, f"t.{name} IS NOT NULL")
    empty = rows_of(conn, relation, max(1, count - len(filled)), seed, f"t.{name} IS NULL")
    return [*filled[: count - 1], *empty] if empty else filled


def loosen(conn: psycopg.Connection, relation: Relation, column: str | None) -> None:
    """Take away what a superuser takes away first: checks, unique indexes beside the key, numbers that the database alone gives, and that
    this column must have a value."""
    full = relation.full
    for (name,) in conn.execute(_CHECKS, [full.as_string(None)]).fetchall():
        conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(full, sql.Identifier(name)))
    for (name,) in conn.execute(_UNIQUE, [full.as_string(None)]).fetchall():
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(relation.schema, name)))
    for (name,) in conn.execute(_NUMBERED, [full.as_string(None)]).fetchall():
        conn.execute(sql.SQL("ALTER TABLE {} ALTER {} DROP IDENTITY").format(full, sql.Identifier(name)))
    if column is not None:
        conn.execute(sql.SQL("ALTER TABLE {} ALTER {} DROP NOT NULL").format(full, sql.Identifier(column)))


def edits(
    conn: psycopg.Connection, relation: Relation, column: Column, *, count: int, seed: int
) -> Iterator[Change]:
    """The column in `count` rows: every variant in the first, one by the seed in the others."""
    chance = random.Random(f"{seed}/{relation.name}/{column.name}")  # noqa: S311 - the seed decides, nothing is secret
    for number, row in enumerate(rows_for(conn, relation, column, count, seed)):
        tried = variants(column.kind, row[column.name], is_key=column.name in relation.key)
        for variant in tried if number == 0 else [chance.choice(tried)]:
            yield _edit(relation, column, row, variant)


def _returning(relation: Relation) -> sql.Composable:
    names = [sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in relation.columns]
    return sql.SQL(" RETURNING ") + sql.SQL(", ").join(names)


def _edit(relation: Relation, column: Column, row: Row, variant: Variant) -> Change:
    name = sql.Identifier(column.name)
    statement = sql.SQL("UPDATE {} SET {} = {} WHERE {}{}").format(
        relation.full,
        name,
        expression_of(variant, name),
        relation.at(row),
        _returning(relation) if column.name in relation.key else sql.SQL(""),
    )
    return Change(
        relation=relation, what=variant.word, statements=(statement,), rows=(row,), column=column.name
    )


def whole_rows(conn: psycopg.Connection, relation: Relation, *, count: int, seed: int) -> Iterator[Change]:
    """Rows deleted, copied under another key, doubled, and exchanged."""
    rows = rows_of(conn, relation, count, seed)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in relation.columns)
    for row in rows:
        deleted = sql.SQL("DELETE FROM {} WHERE {}").format(relation.full, relation.at(row))
        yield Change(relation=relation, what="删一行", statements=(deleted,), rows=(row,))
        for name in relation.key:
            yield _copied(relation, names, row, name)
    if len(rows) > 1:
        everything = sql.SQL("DELETE FROM {}").format(relation.full)
        yield Change(relation=relation, what="清空", statements=(everything,))
    others = [column.name for column in relation.columns if column.name not in relation.key]
    for first in rows:
        for second in rows:
            if first is not second and any(first[name] != second[name] for name in others):
                yield _exchanged(relation, others, first, second)
                return


def _copied(relation: Relation, names: sql.Composable, row: Row, key: str) -> Change:
    kinds = {column.name: column.kind for column in relation.columns}
    variant = variants(kinds[key], row[key], is_key=True)[0]
    values = sql.SQL(", ").join(
        expression_of(variant, sql.Identifier(column.name))
        if column.name == key
        else sql.Identifier(column.name)
        for column in relation.columns
    )
    statement = sql.SQL("INSERT INTO {0} ({1}) SELECT {2} FROM {0} WHERE {3}{4}").format(
        relation.full, names, values, relation.at(row), _returning(relation)
    )
    return Change(
        relation=relation, what=f"照抄 {relation.label(row)} 一行，换 {key}", statements=(statement,)
    )


def _exchanged(relation: Relation, others: Sequence[str], first: Row, second: Row) -> Change:
    given = sql.SQL(", ").join(sql.SQL("{0} = y.{0}").format(sql.Identifier(name)) for name in others)
    statement = sql.SQL("UPDATE {0} x SET {1} FROM {0} y WHERE ({2} AND {3}) OR ({4} AND {5})").format(
        relation.full,
        given,
        relation.at(first, "x"),
        relation.at(second, "y"),
        relation.at(second, "x"),
        relation.at(first, "y"),
    )
    return Change(relation=relation, what="两行内容对调", statements=(statement,), rows=(first, second))


def whole_tables(conn: psycopg.Connection, relation: Relation, *, seed: int) -> Iterator[Change]:
    """A row doubled without the key's constraint, a column added, one taken away, the table gone."""
    for row in rows_of(conn, relation, 1, seed):
        found = conn.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
            [relation.full.as_string(None)],
        ).fetchone()
        assert found is not None
        doubled = (
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {} CASCADE").format(
                relation.full, sql.Identifier(found[0])
            ),
            sql.SQL("INSERT INTO {0} SELECT * FROM {0} WHERE {1}").format(relation.full, relation.at(row)),
        )
        yield Change(relation=relation, what="同键重复一行", statements=doubled, rows=(row,))
    table = relation.full
    last = relation.columns[-1].name
    for what, text, column in (
        ("加一列", "ALTER TABLE {} ADD COLUMN tampered text", "tampered"),
        ("去一列", "ALTER TABLE {} DROP COLUMN {} CASCADE", last),
        ("删整张表", "DROP TABLE {} CASCADE", None),
    ):
        statement = (
            sql.SQL(text).format(table, sql.Identifier(last))
            if "{} CASCADE" in text and column
            else sql.SQL(text).format(table)
        )
        yield Change(relation=relation, what=what, statements=(statement,), column=column, is_shape=True)


def filled(conn: psycopg.Connection, relation: Relation, schemas: Sequence[str], count: int) -> None:
    """Made-up rows for a table that has none, the same in every schema: so that there is something to change."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in relation.columns)
    bound = conn.execute(_BOUND, [relation.full.as_string(None)]).fetchone()
    for number in range(count):
        values: list[sql.Composable] = [sql.SQL(invented(c.kind, number)) for c in relation.columns]
        if bound is not None:  # of a table in parts: a key of its newest part
            place = [column.name for column in relation.columns].index(relation.key[0])
            values[place] = sql.Literal(f"{bound[0]}T{number}")
        for schema in schemas:
            table = sql.Identifier(schema, relation.name)
            conn.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, names, sql.SQL(", ").join(values))
            )
