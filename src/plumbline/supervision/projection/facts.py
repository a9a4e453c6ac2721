"""The state that a set of entries works on (投影工作集): rows loaded once, changed in memory, written once.

Handlers see `get` and `put`; what they read beforehand is fetched in two queries (`loading`), what they change goes out by
one statement a table (`writing`), some of it while they are still at work (`sending`). So a set of 500 entries costs three dozen
statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any

import psycopg
from psycopg import sql

from plumbline.supervision.projection.loading import answers, ask
from plumbline.supervision.projection.reads import parking_key
from plumbline.supervision.projection.sending import Pump, Sending
from plumbline.supervision.projection.table import Row
from plumbline.supervision.projection.tables import TABLES
from plumbline.supervision.projection.writing import delete_rows, insert_rows, replace_rows


class WaitsForParked(Exception):
    """A handler touched an object that an earlier, parked entry may still change; `key` is what it waits for."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class FactState:
    """Rows of schema `fact` by table and key, for one set of entries."""

    def __init__(self, conn: psycopg.Connection, schema: str, *, again: bool = False) -> None:
        """`again`: the entries may have been projected before, and have left findings; parts of them are tried and taken back."""
        self._conn = conn
        self._out = Sending(conn, is_prepared=not again)
        self._again = again
        self._schema = schema
        self._rows: dict[str, dict[str, Row | None]] = defaultdict(dict)
        self._stored: dict[str, set[str]] = defaultdict(set)
        self._dirty: dict[str, dict[str, None]] = defaultdict(dict)
        self._undo: list[tuple[str, str, Row | None, bool]] | None = None
        self._parked: set[str] | None = None

    @property
    def parked(self) -> set[str]:
        """Keys of everything that a parked entry may still create or change; few or none in a healthy log."""
        if self._parked is None:
            self._parked = {row[0] for row in self._ask_parked().fetchall()}
        return self._parked

    def _ask_parked(self) -> psycopg.Cursor[tuple[Any, ...]]:
        self._out.settle()
        return self._conn.execute(
            sql.SQL("SELECT id FROM {}").format(sql.Identifier(self._schema, "parked_key"))
        )

    def preload(self, wanted: Iterable[tuple[str, str | None]]) -> None:
        """Fetch rows that the set will read; an absent row is remembered as absent."""
        by_table: dict[str, set[str]] = defaultdict(set)
        for table, key in wanted:
            if key and key not in self._rows[table]:
                by_table[table].add(key)
        if not by_table:
            return
        self._out.settle()
        # All questions go out together; the server answers them one after another.
        with self._conn.pipeline():
            parked = self._ask_parked() if self._parked is None else None
            asked = ask(self._conn, self._schema, by_table)
        if parked is not None:
            self._parked = {row[0] for row in parked.fetchall()}
        self._keep(by_table, asked)

    def _keep(
        self, wanted: Mapping[str, Collection[str]], asked: list[psycopg.Cursor[tuple[str, str]]]
    ) -> None:
        for table, keys in wanted.items():
            self._rows[table] |= dict.fromkeys(keys)
        for table, row in answers(asked):
            self._rows[table][row["id"]] = row
            self._stored[table].add(row["id"])

    def expect_new(self, table: str, key: str) -> None:
        """No row has this key yet, since its entry is projected only now: there is nothing to ask for."""
        self._rows[table].setdefault(key, None)

    def get(self, table: str, key: str | None) -> Row | None:
        """The row, or None. Treat it as read-only; change it by `put`.

        Raises :class:`WaitsForParked` inside an entry when a parked entry may still change the row.
        """
        if not key:
            return None
        if self._undo is not None and self._parked != _NONE_PARKED:
            self._refuse_parked(table, key)
        try:
            return self._rows[table][key]
        except KeyError:
            return self._fetch(table, key)

    def _fetch(self, table: str, key: str) -> Row | None:
        self._out.settle()
        wanted = {table: (key,)}
        self._keep(wanted, ask(self._conn, self._schema, wanted))
        return self._rows[table][key]

    def peek(self, table: str, key: str) -> Row | None:
        """The row where it is loaded; nothing is asked for, and an entry that is parked does not matter."""
        return self._rows[table].get(key)

    def _refuse_parked(self, table: str, key: str) -> None:
        if (name := parking_key(table, key)) in self.parked:
            raise WaitsForParked(name)

    def put(self, table: str, key: str, values: Row) -> Row:
        """Insert the row, or change the named columns of the one that is there."""
        before = self._before(table, key)
        row = (before or _blank(table)) | values
        row["id"] = key
        if table in _FOLLOWING:
            for name, rule in _FOLLOWING[table].items():
                row[name] = rule(row)
        self._rows[table][key] = row
        self._dirty[table][key] = None
        return row

    def delete(self, table: str, key: str) -> None:
        """Take a row away; nothing happens when there is none."""
        if self.get(table, key) is not None:
            self._before(table, key)
            self._rows[table][key] = None
            self._dirty[table][key] = None

    def _before(self, table: str, key: str) -> Row | None:
        before = self._rows[table].get(key) if table in _NEW_ONLY else self.get(table, key)
        if self._undo is not None:
            self._undo.append((table, key, before, key in self._dirty[table]))
        return before

    def begin_entry(self) -> None:
        """Remember changes from here on, so that one failing entry can be taken back alone."""
        self._undo = []

    def rollback_entry(self) -> None:
        """Take back what the current entry changed."""
        for table, key, before, was_dirty in reversed(self._undo or []):
            self._rows[table][key] = before
            if not was_dirty:
                self._dirty[table].pop(key, None)
        self._undo = []

    def end_entry(self) -> None:
        """What comes now belongs to no entry: nothing of it is taken back, and parked objects may be read."""
        self._undo = None

    def park(self, key: str, idx: int) -> None:
        """Hold back whoever touches this key until entry `idx` is projected; the first to park it is named."""
        if key not in self.parked:
            self.parked.add(key)
            self.put("parked_key", key, {"idx": idx})

    def flush(self, meanwhile: Callable[[Pump], None] | None = None) -> None:
        """Write every changed row; the caller commits. `meanwhile` is done while the server writes, and calls now and then what it is
        given."""
        self._send(list(self._dirty))
        if meanwhile is not None:
            meanwhile(self._out.pump)
        self._out.settle()

    def flush_early(self) -> None:
        """Let the server write what hardly changes any more, while the rest of the set is projected."""
        self._send(_EARLY)

    def pump(self) -> None:
        """Bring on what is being written."""
        self._out.pump()

    def abandon(self) -> None:
        """Nothing of the set is going to stay."""
        self._out.abandon()

    def _send(self, tables: Iterable[str]) -> None:
        for table in tables:
            if keys := self._dirty.pop(table, None):
                self._write(table, list(keys))

    def _write(self, table: str, keys: list[str]) -> None:
        rows, stored = self._rows[table], self._stored[table]
        gone = [key for key in keys if rows[key] is None and key in stored]
        there = [(key, row) for key in keys if (row := rows[key]) is not None]
        delete_rows(self._out, self._schema, table, gone)
        replace_rows(self._out, self._schema, table, [row for key, row in there if key in stored])
        # A finding's key holds its entry's uid: one that is there already is that entry's, projected once more.
        insert = replace_rows if self._again and table == "finding" else insert_rows
        insert(self._out, self._schema, table, [row for key, row in there if key not in stored])
        stored.difference_update(gone)
        stored.update(key for key, _ in there)


#: What `_parked` is in a healthy log, once it has been asked for.
_NONE_PARKED: set[str] = set()


@cache
def _blank(table: str) -> Row:
    """A row of nothing but NULLs, in the order of the columns."""
    return dict.fromkeys(TABLES[table].all_columns)


#: Written while the set is projected: their rows are most of all, and stay as their entry made them but for a new version of a test.
_EARLY = ("event", "finding", "curve")
#: Tables with columns that follow from others of the same row.
_FOLLOWING = {table.name: table.follows for table in TABLES.values() if table.follows}
#: Tables whose keys are new with every entry, or whose rows follow from the key: nothing to read before the first write.
_NEW_ONLY = frozenset(
    {"event", "curve", "version", "record", "finding"} | {t.name for t in TABLES.values() if t.settled}
)
