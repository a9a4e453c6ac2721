"""What became of entries (处理结果): findings, decisions and registrations, for senders who wait for them.

The entries of one request are asked for together: a request of sixty messages costs as many queries as one of a single message.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.reports import ReportApplied, ReportRegistered
from plumbline.supervision.gateway.context import Context
from plumbline.supervision.journal.model import Accepted

MAX_WAIT_S = 30.0
_WAIT = re.compile(r"\bwait=(\d{1,3})\b")
_FINDINGS = "SELECT entry, code, clause, severity, sentence, remedy FROM fact.finding WHERE entry = ANY(%s) ORDER BY entry, code"
#: A new version speaks of the first one's object.
_SUBJECTS = "SELECT id, subject FROM fact.event WHERE id = ANY(%s)"
_REGISTRATIONS = "SELECT id, state, code FROM fact.registration WHERE id = ANY(%s)"
Result = dict[str, object]


def asked_wait_s(headers: Mapping[str, str]) -> float:
    """How long the sender wants to wait for the result (RFC 7240), 0 when it does not; headers by lower-case names."""
    found = _WAIT.search(headers.get("prefer", ""))
    return min(float(found[1]), MAX_WAIT_S) if found else 0.0


async def results(
    context: Context, entries: Sequence[tuple[Accepted, Message]], wait_s: float
) -> list[Result]:
    """What the projection made of each entry: findings, and the decision when one was asked for."""
    until = asyncio.get_running_loop().time() + wait_s
    passed = await asyncio.gather(
        *(context.watch.passed(accepted.position, wait_s) for accepted, _ in entries)
    )
    there = [
        (accepted.entry.hex(), message)
        for (accepted, message), is_there in zip(entries, passed, strict=True)
        if is_there
    ]
    known = await _known(context, there)
    left_s = max(0.5, until - asyncio.get_running_loop().time())
    told = await asyncio.gather(*(_told(context, entry, message, known, left_s) for entry, message in there))
    found = iter(told)
    return [next(found) if each else {"projected": False, "detail": "已受理，正在入账"} for each in passed]


async def _known(context: Context, entries: Sequence[tuple[str, Message]]) -> dict[str, dict[str, Any]]:
    """Findings of all entries, subjects of applications, states of registrations."""
    found: dict[str, dict[str, Any]] = {"findings": {}, "subjects": {}, "registrations": {}}
    if not entries:
        return found
    applied = [entry for entry, message in entries if isinstance(message, ReportApplied)]
    registered = [entry for entry, message in entries if isinstance(message, ReportRegistered)]
    async with context.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(_FINDINGS, [[entry for entry, _ in entries]])
        for row in await cur.fetchall():
            found["findings"].setdefault(row.pop("entry"), []).append(row)
        if applied:
            await cur.execute(_SUBJECTS, [applied])
            found["subjects"] = {row["id"]: row["subject"] for row in await cur.fetchall()}
        if registered:
            await cur.execute(_REGISTRATIONS, [registered])
            found["registrations"] = {row.pop("id"): row for row in await cur.fetchall()}
    return found


async def _told(
    context: Context, entry: str, message: Message, known: dict[str, dict[str, Any]], wait_s: float
) -> Result:
    result: Result = {"projected": True, "findings": known["findings"].get(entry, [])}
    if isinstance(message, ReportApplied):
        result["decision"] = await _decision(context, str(known["subjects"].get(entry) or entry), wait_s)
    elif isinstance(message, ReportRegistered):
        result["registration"] = known["registrations"].get(entry)
    return result


async def _decision(context: Context, application: str, wait_s: float) -> Result:
    try:
        row = await context.watch.decided(application, wait_s)
    except TimeoutError:
        return {"state": "applied", "detail": "已受理，还没有决定"}
    if row is None:  # the entry is projected, so that none will come
        return {
            "state": "not_taken",
            "code": None,
            "reasons": [],
            "detail": "这次申请没有采用，见 findings",
        }
    return row
