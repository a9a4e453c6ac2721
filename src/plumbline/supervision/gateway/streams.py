"""Endpoints of live streams (实时流接口): publish is signed, follow needs a 60-second token bound to the session."""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from plumbline.exchange.decode import check_json
from plumbline.exchange.problems import Problem, field_problem
from plumbline.supervision.gateway.answers import json_response
from plumbline.supervision.gateway.context import context_of, is_local, received, scheme_of

MAX_EVENT_BYTES = 64 * 1024
_NAME = re.compile(r"[0-9A-Za-z-]{1,64}")


def _name(request: Request) -> str:
    name = request.path_params["stream"]
    if not _NAME.fullmatch(name):
        raise Problem(slug="not-found", detail="没有这个实时流")
    return str(name)


def event_of(body: bytes) -> object:
    """The value of a body; what one reader of JSON takes and another does not is refused like what none takes."""
    check_json(body, max_bytes=MAX_EVENT_BYTES)
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:  # half a surrogate pair, a number beyond all bounds, no content
        raise Problem(slug="malformed-json", detail=f"请求体不能解析：{error}") from None


async def publish(request: Request) -> Response:
    """One event of a running test, signed by the institution."""
    context = context_of(request)
    got = await received(request, MAX_EVENT_BYTES)
    signed, key, _ = await context.door.authenticate(got, got.body)
    await context.nonces.take(signed)
    context.uploads.take(key.key_id)
    if "institution" not in key.roles:
        raise Problem(slug="kind-not-allowed", detail="实时曲线由检测机构发送")
    event = event_of(got.body)
    if not isinstance(event, dict) or event.get("event") not in ("start", "samples", "end"):
        raise field_problem("/event", "event 只能是 start、samples、end", "改成其中之一")
    return json_response(
        {"viewers": context.live.publish(_name(request), key.party, event["event"], event.get("data"))}
    )


async def status(request: Request) -> Response:
    """How many follow; which streams run is told to web on this machine, to others only how many."""
    context = context_of(request)
    running = context.live.running()
    told = {"streams": running} if is_local(request) else {"running": sum(1 for _, is_on in running if is_on)}
    return json_response({"viewers": context.live.viewers(_name(request))} | told)


def _live_session(request: Request) -> str:
    """What binds the token to the reader's session; over HTTPS the cookie has the name that plain HTTP cannot write."""
    return request.cookies.get("__Host-plumb_live" if scheme_of(request) == "https" else "plumb_live", "")


async def follow(request: Request) -> Response:
    """Server-Sent Events of a stream, for whoever holds a token of this session."""
    context = context_of(request)
    name, token = _name(request), request.query_params.get("token", "")
    if not context.live.allows(token, name, _live_session(request)):
        raise Problem(slug="forbidden", detail="实时画面的许可已过期，请刷新页面")
    context.live.require_place(name)
    return StreamingResponse(
        context.live.follow(name, context.live.owner_of(token)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
