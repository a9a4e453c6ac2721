"""Several messages in one request (成批报送): each is taken or refused for itself, with its own entry, receipt and answer.

An institution that was cut off sends its backlog so. One signature covers all of them; what is accepted goes into one transaction of
the journal and is acknowledged after its commit; what is refused undoes nothing of the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from plumbline.exchange.decode import MAX_BODY_BYTES
from plumbline.exchange.messages.header import Message
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import (
    json_response,
    problem_body,
    problem_number,
    receipt_body,
)
from plumbline.supervision.gateway.context import (
    Context,
    context_of,
    received,
    require_media,
    stated_times_of,
)
from plumbline.supervision.gateway.directory import KnownKey
from plumbline.supervision.gateway.door import Admitted, Turned
from plumbline.supervision.gateway.entries import JSON, stored_note
from plumbline.supervision.gateway.refusals import AUDITED, audit_refusals
from plumbline.supervision.gateway.results import asked_wait_s, results
from plumbline.supervision.gateway.sandbox import TRIAL, sandbox_body
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.model import Accepted, Outcome, Pending

Answer = dict[str, object]


async def post_batch(request: Request) -> Response:
    """Receive up to 64 submissions of one sender; 200 with an answer for each, in their order."""
    context, began = context_of(request), time.perf_counter()
    got = await received(request, MAX_BODY_BYTES, several=True, is_trial=True)
    found, key = await context.door.admit_batch(got, stated_times_of(request))
    require_media(request, JSON)
    found = _within_rate(context, key, found)
    waiting = [each.pending for each in found if isinstance(each, Admitted) and each.pending is not None]
    outcomes = iter(await _appended(context, waiting))
    hit("answer.before_sent")
    told = [
        next(outcomes) if isinstance(each, Admitted) and each.pending is not None else None for each in found
    ]
    answers = [await _answer(context, key, each, outcome) for each, outcome in zip(found, told, strict=True)]
    request.state.is_noted = True
    refusals = [
        refusal
        for each, outcome, answer in zip(found, told, answers, strict=True)
        if (refusal := _note(request, began, (each, outcome), answer)) is not None
    ]
    if refusals:
        await audit_refusals(request, refusals)
    await _add_results(context, found, told, answers, asked_wait_s(got.headers))
    return json_response({"answers": answers}, 200, TRIAL if key.sandbox else None)


def _within_rate(
    context: Context, key: KnownKey, found: Sequence[Admitted | Turned]
) -> list[Admitted | Turned]:
    """Every message that may come in counts as one, whether alone or with others. From the first one beyond the rate on all are to
    come again, so that none overtakes another."""
    beyond: Problem | None = None
    within: list[Admitted | Turned] = []
    for each in found:
        if isinstance(each, Admitted) and beyond is None:
            try:
                context.uploads.take(key.key_id)
            except Problem as problem:
                beyond = problem
        if isinstance(each, Admitted) and beyond is not None:
            within.append(Turned(received=each.received, problem=beyond))
        else:
            within.append(each)
    return within


async def _appended(context: Context, waiting: Sequence[Pending]) -> list[Outcome]:
    """What became of each; where the queue is full, each is told so, and what was refused before keeps its own answer."""
    try:
        return await context.appender.append_all(waiting)
    except Problem as problem:
        return [problem] * len(waiting)


async def _answer(
    context: Context, key: KnownKey, each: Admitted | Turned, outcome: Outcome | None
) -> Answer:
    """What a request of this one message alone would have been answered, with its status."""
    if isinstance(each, Turned):
        return _refusal(each.problem)
    if isinstance(outcome, Problem):
        return _refusal(outcome)
    if outcome is None:
        return {"status": 200} | await sandbox_body(context, key, each.message)
    body = receipt_body(outcome, each.message.sender, str(each.message.uid))
    return {"status": 200 if outcome.duplicate else 201} | body


def _refusal(problem: Problem) -> Answer:
    told: Answer = {"status": problem.kind.status, "problem": problem_body(problem, problem_number())}
    if problem.retry_after_s is not None:
        told["retry_after_s"] = problem.retry_after_s
    return told


def _note(
    request: Request, began: float, found: tuple[Admitted | Turned, Outcome | None], answer: Answer
) -> tuple[Problem, str] | None:
    """One line of the exchange monitor for each message; what the audit is to hold, where a request of its own would have left it."""
    each, outcome = found
    problem = each.problem if isinstance(each, Turned) else outcome if isinstance(outcome, Problem) else None
    told = answer.get("problem")
    number = str(told["instance"]) if isinstance(told, dict) else ""
    taken = outcome if isinstance(outcome, Accepted) else None
    stored = stored_note(each.message, taken) if isinstance(each, Admitted) and problem is None else None
    context_of(request).monitor.note(
        request,
        began=began,
        status=int(str(answer["status"])),
        problem=problem,
        number=number,
        part=(each.received, stored),
    )
    return (problem, number) if problem is not None and problem.slug in AUDITED else None


async def _add_results(
    context: Context,
    found: Sequence[Admitted | Turned],
    outcomes: Sequence[Outcome | None],
    answers: Sequence[Answer],
    wait_s: float,
) -> None:
    """Findings and decisions of what was accepted, for a sender who waits for them."""
    if not wait_s:
        return
    entries: list[tuple[Accepted, Message]] = []
    places: list[Answer] = []
    for each, outcome, answer in zip(found, outcomes, answers, strict=True):
        if isinstance(each, Admitted) and isinstance(outcome, Accepted):
            entries.append((outcome, each.message))
            places.append(answer)
    for answer, result in zip(places, await results(context, entries, wait_s), strict=True):
        answer["result"] = result
