"""Values that are missing where none may be (不该空的列), and a second head: looked for first, since nothing can be computed from them."""

from __future__ import annotations

import psycopg
from psycopg import sql

_EXAMPLES = 20
#: Only an epoch that continues none leaves columns empty; the audit of epochs says whether that is right.
_MAY_BE_EMPTY = ("epoch",)
_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum),
       array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum = ANY (i.indkey::int2[]))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
 WHERE n.nspname = 'journal' AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname ORDER BY c.relname
"""


def begin_long(conn: psycopg.Connection) -> None:
    """One snapshot for a whole audit. Between two questions it hashes for longer than the gateway's role may be silent."""
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    conn.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def gap_problems(conn: psycopg.Connection) -> list[str]:
    """Every row of schema journal with a column that is empty, and a head that is not alone; tables and columns are the catalogue's."""
    found = []
    for table, columns, keys in conn.execute(_COLUMNS).fetchall():
        if table not in _MAY_BE_EMPTY:
            found += _empty_columns(conn, table, columns, keys or columns)
    row = conn.execute("SELECT count(*) FROM journal.head").fetchone()
    if row is not None and row[0] > 1:
        found.append(f"日志头有 {row[0]} 行，应当只有一行")
    return found


def _empty_columns(conn: psycopg.Connection, table: str, columns: list[str], keys: list[str]) -> list[str]:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in keys)
    empty = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {} IS NULL THEN {} END").format(sql.Identifier(name), sql.Literal(name))
        for name in columns
    )
    statement = sql.SQL(
        "SELECT array_remove(ARRAY[{empty}], NULL), {key} FROM {table} WHERE num_nulls({names}) > 0 LIMIT {limit}"
    ).format(
        empty=empty,
        key=key,
        table=sql.Identifier("journal", table),
        names=names,
        limit=sql.Literal(_EXAMPLES),
    )
    return [
        f"journal.{table} 的 {'/'.join(str(part) for part in row[1:])} 的列是空的：{'、'.join(row[0])}"
        for row in conn.execute(statement).fetchall()
    ]
