"""Refusals that are written down (拒收审计): broken signatures, wrong keys, two contents under one uid."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout
from starlette.requests import Request

from plumbline.exchange.masking import masked_text
from plumbline.exchange.problems import Problem

_log = logging.getLogger("plumbline.gateway")
AUDITED = frozenset(
    {
        "signature-missing",
        "signature-invalid",
        "signature-stale",
        "digest-mismatch",
        "key-unknown",
        "key-revoked",
        "sender-mismatch",
        "uid-conflict",
    }
)
_KEY_ID = re.compile(r'keyid="([a-z0-9][a-z0-9.:-]{3,79})"')


async def audit_refusal(request: Request, problem: Problem, instance: str) -> None:
    """One row of `ops.audit_event`, see :func:`audit_refusals`."""
    await audit_refusals(request, [(problem, instance)])


async def audit_refusals(request: Request, refusals: Sequence[tuple[Problem, str]]) -> None:
    """A row of `ops.audit_event` for each: outcome, key id, number of the problem; nothing that the caller wrote beyond the key id.

    All rows of one request go over one connection in one transaction: many of them wait no longer than one does. A flood of refusals
    is written down up to a limit and then only logged, and a lost database holds no answer up.
    """
    context = request.app.state.context
    found = _KEY_ID.search(request.headers.get("signature-input", "")[:2000])
    actor = masked_text(found[1]) if found else ""
    rows = []
    for problem, instance in refusals:
        try:
            context.audits.take("")
        except Problem:
            _log.warning("refusal %s (%s) is not in the audit table", instance, problem.slug)
            continue
        rows.append((actor, request.method, problem.slug, instance, Jsonb({"status": problem.kind.status})))
    if not rows:
        return
    try:
        async with context.pool.connection(timeout=1) as conn, conn.transaction(), conn.cursor() as cur:
            await cur.executemany(
                "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
                "VALUES (%s, 'gateway.refused', %s, %s, %s, %s)",
                rows,
            )
    except (psycopg.Error, PoolTimeout):
        for _, _, slug, instance, _ in rows:
            _log.warning("refusal %s (%s) is not in the audit table", instance, slug)
