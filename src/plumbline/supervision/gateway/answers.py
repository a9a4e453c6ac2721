"""How the gateway answers (应答): problem details, receipts, conditional waiting headers."""

from __future__ import annotations

import errno
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import msgspec
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from plumbline.exchange.masking import masked_text
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.refusals import AUDITED, audit_refusal
from plumbline.supervision.journal.heads import SigningStopped
from plumbline.supervision.journal.model import Accepted

#: An answer that repeats what was asked is never to be read as a page.
NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_NO_SNIFF = [(name.lower().encode(), value.encode()) for name, value in NO_SNIFF.items()]
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("plumbline.gateway")
#: What a store that is full, or broken, answers to a write; anything else that an operating system refuses is a fault of ours.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BROKEN = frozenset({errno.EIO, errno.EROFS, errno.ENFILE, errno.EMFILE})
#: How Python says that there is no memory for another thread: no MemoryError, and no type of its own.
_NO_THREAD = "can't start new thread"
Endpoint = Callable[[Request], Awaitable[Response]]


_dated: tuple[int, str] = (0, "")


def date_now() -> str:
    """The `Date` of this second (RFC 9110)."""
    global _dated
    second = int(time.time())
    if _dated[0] != second:
        _dated = second, formatdate(second, usegmt=True)
    return _dated[1]


class _Json(Response):
    """With its header lines as they go out: the general way makes them from a dictionary and looks through them each time."""

    media_type = "application/json"

    def __init__(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.status_code, self.background, self.body = status, None, body
        self.raw_headers = [
            (b"date", date_now().encode()),
            *_NO_SNIFF,
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer with the platform's Date, by which clients correct their clocks. `headers` say nothing of type and length."""
    return _Json(_encode(body), status, headers or {})


def problem_number() -> str:
    """The number of one refusal, for people to quote."""
    return f"E-{secrets.token_hex(5).upper()}"


def problem_response(problem: Problem, instance: str = "") -> Response:
    """RFC 9457 with a number to quote; Retry-After where it helps."""
    instance = instance or problem_number()
    headers = {"Date": date_now(), "Cache-Control": "no-store"} | NO_SNIFF
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.kind.status == 401:
        headers["WWW-Authenticate"] = "Signature"
    return Response(
        msgspec.json.encode(problem_body(problem, instance)),
        problem.kind.status,
        headers,
        "application/problem+json",
    )


def problem_body(problem: Problem, instance: str) -> object:
    """What a sender is told of a refusal, without numbers of people."""
    # not the detail: it may repeat what was sent, and what was sent wrongly may be a person's number
    _log.info("refused %s %s", instance, problem.slug)
    return _masked(problem.body(instance))


def _masked(told: object) -> object:
    """An answer without numbers of people: a field may bear one as its name, and answers end up in other people's logs."""
    if isinstance(told, str):
        return masked_text(told)
    if isinstance(told, list):
        return [_masked(each) for each in told]
    if isinstance(told, dict):
        return {key: _masked(each) for key, each in told.items()}
    return told


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


def guarded(endpoint: Endpoint, *, is_watched: bool = False) -> Endpoint:
    """Turn :class:`Problem` into problem details, and anything unforeseen into a 500 that leaks nothing.

    What became of a request that is watched goes to the exchange monitor.
    """

    async def answer(request: Request) -> Response:
        began, number = time.perf_counter(), ""
        problem: Problem | None = None
        try:
            response = await endpoint(request)
        except ClientDisconnect:  # cut in the middle: nothing was taken, nobody is there to be told
            return Response(None, 400)
        except Exception as error:
            response, problem, number = await refused(request, error)
        finally:
            if give_back := request.scope.get("state", {}).get("give_back"):
                give_back()
        # of several messages the endpoint has noted each, once it had them apart
        if is_watched and not request.scope.get("state", {}).get("is_noted"):
            request.app.state.context.monitor.note(
                request,
                began=began,
                status=response.status_code,
                problem=problem,
                number=number,
            )
        return response

    return answer


async def refused(request: Request, error: Exception) -> tuple[Response, Problem, str]:
    """Problem details for a failure, what it was, and the number to quote; what has to be audited is."""
    problem, number = problem_of(error, request), problem_number()
    problem.is_lookup = request.method in ("GET", "HEAD")
    if problem.slug in AUDITED:
        await audit_refusal(request, problem, number)
    return problem_response(problem, number), problem, number


def problem_of(error: Exception, request: Request) -> Problem:
    """What the sender is told of a failure."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, SigningStopped):
        _log.error("signing stopped: %s", error)
        return Problem(slug="unavailable", detail=str(error), retry_after_s=60)
    if isinstance(error, PoolTimeout | psycopg.OperationalError):
        _log.warning("the database is not to be had: %s", type(error).__name__)
        return Problem(slug="unavailable", retry_after_s=5)
    if (
        isinstance(error, MemoryError) or str(error) == _NO_THREAD
    ):  # whatever was begun is undone with its transaction
        _log.error("no memory at %s", request.url.path)
        return Problem(slug="unavailable", detail="平台的内存用完了，这一次没有收下", retry_after_s=10)
    if isinstance(error, OSError) and (told := _of_the_store(error)):
        return told
    _log.error("unforeseen failure at %s", request.url.path, exc_info=error)
    return Problem(slug="internal")


def _of_the_store(error: OSError) -> Problem | None:
    """Nothing was taken, and it may be sent again as it is once there is room; 503, because clients then try again by themselves."""
    if error.errno in _FULL:
        _log.error("the store is full: %s", error.strerror)
        return Problem(slug="unavailable", detail="平台的存储空间满了，平台人员会处理", retry_after_s=60)
    if error.errno in _BROKEN:
        _log.error("the store fails: %s", error.strerror)
        return Problem(slug="unavailable", detail="平台的存储出错，这一次没有存下", retry_after_s=60)
    return None
