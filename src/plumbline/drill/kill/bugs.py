"""Bugs that the drill must find (故意的缺陷), put into a child process of the drill: they prove that the drill would see them.

Nothing but tests/drill switches them on; the product knows nothing of them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import psycopg

#: How long an answer is ahead of its commit, so that a kill on the answer always comes between.
AHEAD_S = 1.0


def _commit_later(*, after_answer: bool) -> None:
    """Receipts are made, and heads signed, inside the transaction; it is committed later."""
    from plumbline.supervision.gateway.appender import Appender
    from plumbline.supervision.journal.append import Journal

    plain = Journal._append_once

    def append_once(self: Any, batch: Any) -> Any:
        conn = self._connection()
        conn.execute("BEGIN")  # the append's own transaction is only a savepoint of it now
        try:
            outcomes = plain(self, batch)
        except BaseException:
            if not conn.closed:
                conn.execute("ROLLBACK")
            raise
        if not (after_answer and getattr(self, "answers_first", False)):
            conn.execute("COMMIT")
        return outcomes

    def run(self: Any) -> None:
        self._journal.answers_first, ended = True, False
        while not ended:
            batch, ended = self._collect()
            if batch:
                pending = [each for group, _, _ in batch for each in group]
                self._answer(batch, self._append(pending))
                time.sleep(AHEAD_S)
                with contextlib.suppress(psycopg.Error):
                    self._journal._connection().execute("COMMIT")

    cast(Any, Journal)._append_once = append_once
    if after_answer:
        cast(Any, Appender)._run = run


def _ack_first() -> None:
    _commit_later(after_answer=True)


def _head_signed_before_commit() -> None:
    _commit_later(after_answer=False)


def _row_first() -> None:
    """A file is said to be stored before it is."""
    from plumbline.supervision.gateway import uploads

    plain = uploads._finish

    async def finish(context: Any, path: Any, note: dict[str, object], request: Any) -> None:
        await uploads._row(context, note, "stored")
        await plain(context, path, note, request)

    cast(Any, uploads)._finish = finish


def _no_idempotency() -> None:
    """Every request is a new entry, whatever uid it carries."""
    from plumbline.exchange.uids import new_uid
    from plumbline.supervision.gateway.door import Door

    plain = Door._pending

    def pending(self: Any, *arguments: Any) -> Any:
        made = plain(self, *arguments)
        return replace(made, uid=new_uid(datetime.now(UTC)))

    cast(Any, Door)._pending = pending


def _no_fsync() -> None:
    """Neither files nor commits wait for the disk."""
    from plumbline.supervision.journal.append import Journal

    cast(Any, os).fsync = lambda descriptor: None
    plain = Journal._connection

    def connection(self: Any) -> Any:
        conn = plain(self)
        if "execute" not in vars(conn):
            inner = conn.execute

            def execute(query: Any, *arguments: Any, **options: Any) -> Any:
                if isinstance(query, str):
                    query = query.replace("synchronous_commit = on", "synchronous_commit = off")
                return inner(query, *arguments, **options)

            cast(Any, conn).execute = execute
        return conn

    cast(Any, Journal)._connection = connection


def _name_not_synced() -> None:
    """A file that is there is taken for durable, whoever put it there and died."""
    from plumbline.supervision.journal.files import FileStore

    cast(Any, FileStore).make_durable = lambda self, sha256: None


def _personal_later() -> None:
    """Personal parts are stored after the commit of their entry, and only of entries that are new."""
    from plumbline.supervision.journal import append

    store, plain = append._insert_personal, append.Journal._append_once
    waiting: list[Any] = []

    def append_once(self: Any, batch: Any) -> Any:
        waiting.clear()
        outcomes = plain(self, batch)
        store(self._connection(), waiting)
        return outcomes

    cast(Any, append)._insert_personal = lambda conn, new: waiting.extend(new)
    cast(Any, append.Journal)._append_once = append_once


def _lost_session_taken_for_commit() -> None:
    """A database that is lost while it commits is taken to have committed."""
    plain = psycopg.Connection.transaction

    @contextlib.contextmanager
    def transaction(self: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        inner = plain(self, *arguments, **options)
        made = inner.__enter__()
        try:
            yield made
        except BaseException as error:
            if not inner.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            with contextlib.suppress(psycopg.OperationalError):
                inner.__exit__(None, None, None)

    cast(Any, psycopg.Connection).transaction = transaction


def _decides_anew() -> None:
    """The worker's decision is named by the moment of its work: one that comes back before its entry is projected decides again."""
    from plumbline.exchange.uids import new_uid
    from plumbline.supervision.codes import issue

    cast(Any, issue).derived_uid = lambda *cause: new_uid(datetime.now(UTC))


class _Whichever:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


def _takes_any_decision() -> None:
    """The projector takes a decision whatever it is named: of several the first that it sees, so that no application waits for ever."""
    from plumbline.supervision.projection.handlers import decisions

    cast(Any, decisions).derived_uid = lambda *cause: _Whichever()


def _mark_name_not_synced() -> None:
    """The mark is renamed into its place, and the name is left to the kernel."""
    from plumbline.evidence.mark import HeadMark

    cast(Any, HeadMark)._sync_folder = lambda self: self._failpoint("mark.folder_synced")


def _subject_key_not_synced() -> None:
    """The key of a person is made, and its name is left to the kernel."""
    from plumbline.supervision.journal import vault

    cast(Any, vault).sync_folder = lambda folder: None


BUGS: dict[str, Callable[[], None]] = {
    "ack-first": _ack_first,
    "row-first": _row_first,
    "no-idempotency": _no_idempotency,
    "no-fsync": _no_fsync,
    "name-not-synced": _name_not_synced,
    "head-signed-before-commit": _head_signed_before_commit,
    # By whoever did not write the harness.
    "personal-later": _personal_later,
    "lost-session-taken-for-commit": _lost_session_taken_for_commit,
    "decides-anew": _decides_anew,
    "takes-any-decision": _takes_any_decision,
    "mark-name-not-synced": _mark_name_not_synced,
    "subject-key-not-synced": _subject_key_not_synced,
}


def put_in(name: str) -> None:
    """Put a bug into this process; KeyError for one that is not known."""
    from plumbline.drill.faulting.bugs import IN_PROCESSES

    (BUGS | IN_PROCESSES)[name]()
