"""How the gateway answers (应答): problem details, receipts, conditional waiting headers."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import msgspec
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.refusals import AUDITED, audit_refusal
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.model import Accepted

#: An answer that repeats what was asked is never to be read as a page.
NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_log = logging.getLogger("plumbline.gateway")
Endpoint = Callable[[Request], Awaitable[Response]]


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with the platform's Date, by which clients correct their clocks."""
    return Response(
        msgspec.json.encode(body),
        status,
        {"Date": formatdate(usegmt=True)} | NO_SNIFF | (headers or {}),
        "application/json",
    )


def problem_number() -> str:
    """The number of one refusal, for people to quote."""
    return f"E-{secrets.token_hex(5).upper()}"


def problem_response(problem: Problem, instance: str = "") -> Response:
    """RFC 9457 with a number to quote; Retry-After where it helps."""
    instance = instance or problem_number()
    headers = {"Date": formatdate(usegmt=True), "Cache-Control": "no-store"} | NO_SNIFF
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.kind.status == 401:
        headers["WWW-Authenticate"] = "Signature"
    # not the detail: it may repeat what was sent, and what was sent wrongly may be a person's number
    _log.info("refused %s %s", instance, problem.slug)
    return Response(
        msgspec.json.encode(problem.body(instance)), problem.kind.status, headers, "application/problem+json"
    )


def receipt_body(accepted: Accepted, sender: str, uid: str) -> dict[str, object]:
    """What a sender keeps: entry id, place, time, and the complete proof."""
    return {
        "entry": accepted.entry.hex(),
        "epoch": accepted.epoch,
        "index": accepted.index,
        "position": accepted.position,
        "logged_at": accepted.logged_at.isoformat(),
        "duplicate": accepted.duplicate,
        "cosigned": "none yet",
        "receipt": accepted.receipt,
        "receipt_url": f"/x/v1/receipts/{sender}/{uid}",
    }


def guarded(endpoint: Endpoint) -> Endpoint:
    """Turn :class:`Problem` into problem details, and anything unforeseen into a 500 that leaks nothing."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            instance = problem_number()
            if problem.slug in AUDITED:
                await audit_refusal(request, problem, instance)
            return problem_response(problem, instance)
        except SigningStopped as stopped:
            _log.error("signing stopped: %s", stopped)
            return problem_response(Problem(slug="unavailable", detail=str(stopped), retry_after_s=60))
        except ClientDisconnect:  # cut in the middle: nothing was taken, nobody is there to be told
            return Response(None, 400)
        except (PoolTimeout, psycopg.OperationalError) as lost:
            _log.warning("the database is not to be had: %s", type(lost).__name__)
            return problem_response(Problem(slug="unavailable", retry_after_s=5))
        except Exception:
            _log.exception("unforeseen failure at %s", request.url.path)
            return problem_response(Problem(slug="internal"))

    return answer
