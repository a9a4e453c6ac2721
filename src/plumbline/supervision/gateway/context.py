"""What every endpoint shares (网关运行环境): pool, directory, journal appender, files, vault, position watch, live hub."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg_pool import AsyncConnectionPool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from plumbline.exchange.problems import Problem, field_problem
from plumbline.exchange.signatures import MAX_SKEW_S, Target
from plumbline.supervision.attachments import Attachments
from plumbline.supervision.config import Platform
from plumbline.supervision.gateway.appender import Appender
from plumbline.supervision.gateway.asked import AskedCodes, Row
from plumbline.supervision.gateway.demo_time import DemoTime
from plumbline.supervision.gateway.directory import Directory
from plumbline.supervision.gateway.door import Door, Received
from plumbline.supervision.gateway.limits import RateLimit, Room
from plumbline.supervision.gateway.live import LiveHub
from plumbline.supervision.gateway.monitor import Monitor
from plumbline.supervision.gateway.nonces import Nonces
from plumbline.supervision.gateway.waiting import PositionWatch
from plumbline.supervision.gateway.whole_files import WholeFiles
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.lookup import Lookups
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.renditions import Renditions
from plumbline.supervision.scanner import Policy

#: A body may take so long, and a second more for each so many bytes that have come: who sends slower holds a place that others need.
BODY_GRACE_S = 30.0
SLOWEST_BYTES_A_SECOND = 4096
#: More of a body is read only when it is known whose it is, and while there is room for it in memory: a thousand strangers hold 64 MB.
UNKNOWN_BYTES = 64 * 1024
#: Room for large bodies in one process: eight of the largest messages.
LARGE_BODIES_BYTES = 128 * 1024 * 1024
#: Whoever tries messages with sandbox keys shares one sender's room: the organisation that they name may be somebody else's.
SANDBOX = "sandbox"
LOOPBACK = frozenset({"127.0.0.1", "::1", "testclient"})


@dataclass(slots=True, kw_only=True)
class Context:
    """One gateway process."""

    platform: Platform
    pool: AsyncConnectionPool
    #: Look-ups of the public, for pages and for programs.
    asked: AskedCodes[Row]
    briefly: AskedCodes[bytes]
    directory: Directory
    door: Door
    appender: Appender
    files: FileStore
    whole: WholeFiles
    vault: Vault
    watch: PositionWatch
    live: LiveHub
    signer: CheckpointSigner
    keys: PlatformKeys
    operator: str
    sender: PlatformSender
    nonces: Nonces
    uploads: RateLimit
    room: Room
    lookups: RateLimit
    log: Lookups
    #: Complaints of one address about one code, and of everybody.
    complaints: RateLimit
    all_complaints: RateLimit
    demo_time: DemoTime
    #: Refusals that are written down; beyond it they are only logged.
    audits: RateLimit
    monitor: Monitor
    trusted_proxies: frozenset[str] = frozenset()
    scanning: Policy = Policy.OFF
    attachments: Attachments
    renditions: Renditions


def context_of(request: Request) -> Context:
    """The process context of a request."""
    context: Context = request.app.state.context
    return context


def asker_in(scope: Scope, context: Context) -> tuple[str, str]:
    """(address, scheme) of the one who asks, as it sees them; what is forwarded counts only from a proxy that PLUMB_TRUSTED_PROXY names."""
    client = scope.get("client")
    peer: str = client[0] if client else ""
    scheme = str(scope.get("scheme", "http"))
    if peer not in context.trusted_proxies:
        return peer, scheme
    told = Headers(scope=scope)
    # the last address is the one that our own proxy saw; those before it are whatever the caller wrote
    address = told.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64]
    said = told.get("x-forwarded-proto", "")
    return address or peer, said if said in ("http", "https") else scheme


def client_in(scope: Scope) -> str:
    """The address that asks; see :func:`asker_in`."""
    return asker_in(scope, scope["app"].state.context)[0]


def client_of(request: Request) -> str:
    """The address that asks; see :func:`client_in`."""
    return client_in(request.scope)


def scheme_in(scope: Scope) -> str:
    """http or https, as the one who asks sees it; see :func:`asker_in`."""
    return asker_in(scope, scope["app"].state.context)[1]


def scheme_of(request: Request) -> str:
    """http or https; see :func:`scheme_in`."""
    return scheme_in(request.scope)


def is_local(request: Request) -> bool:
    """Whether a process of this machine asks, not somebody behind a proxy on it."""
    return client_of(request) in LOOPBACK and "x-forwarded-for" not in request.headers


def require_secure(request: Request) -> None:
    """Machine paths over plain HTTP are refused beyond loopback (PROTOCOL §8)."""
    address, scheme = asker_in(request.scope, context_of(request))
    if scheme == "http" and address not in LOOPBACK:
        raise Problem(slug="plain-http")


def target_of(request: Request) -> Target:
    """`@target-uri` from the configured public address, never from the Host header."""
    raw, query = request.scope.get("raw_path"), request.scope["query_string"]
    path: bytes = raw if raw is not None else request.url.path.encode()
    uri = context_of(request).platform.public_url + path.decode("ascii")
    return Target(method=request.method, uri=uri + (f"?{query.decode()}" if query else ""))


def require_media(request: Request, *types: str) -> None:
    """The body is of one of these types, or says nothing of its type; said twice it is of none (RFC 9110 §8.3)."""
    for name, value in request.scope["headers"]:
        if name != b"content-type":
            continue
        stated = value.decode("latin-1")
        if stated.partition(";")[0].strip().lower() not in types:
            reason = f"Content-Type 是 {stated[:80]}，这里收 {'、'.join(types)}"
            remedy = f"Content-Type 写 {types[0]}，或者不写"
            raise field_problem("/header/Content-Type", reason, remedy, slug="media-type")


async def read_body(
    request: Request, limit: int, large: Callable[[int], Awaitable[float]] | None = None
) -> bytes:
    """The body, refused as soon as it is larger than `limit`. `large` is asked once, with how large it may become, before more than
    :data:`UNKNOWN_BYTES` of it are kept; it raises what is to be answered instead, or says until when (monotonic) it may come in."""
    announced = next((value for name, value in request.scope["headers"] if name == b"content-length"), b"0")
    size = int(announced) if announced.isdigit() else 0
    if size > limit:
        raise Problem(slug="too-large", detail=f"声明了 {announced.decode()} 字节，最多 {limit} 字节")
    until = math.inf
    if large is not None and size > UNKNOWN_BYTES:
        until = await large(size)
        large = None
    body = bytearray()
    began = time.monotonic()
    while True:
        part, is_last = await next_part(request, began, len(body), until)
        if len(body) + len(part) > limit:
            raise Problem(slug="too-large", detail=f"超过 {limit} 字节")
        if is_last and not body:
            return part  # came in one piece: not copied
        if large is not None and len(body) + len(part) > UNKNOWN_BYTES:
            until = await large(limit)
            large = None
        body += part
        if is_last:
            return bytes(body)


async def next_part(request: Request, began: float, size: int, until: float = math.inf) -> tuple[bytes, bool]:
    """(piece, whether it is the last) of a body that `began` to be read (monotonic), of which `size` bytes are there and all must be
    `until`; raises `too-slow`."""
    due = min(until, began + BODY_GRACE_S + size / SLOWEST_BYTES_A_SECOND)
    try:
        async with asyncio.timeout(due - time.monotonic()):
            message = await request.receive()
    except TimeoutError:
        detail = f"{time.monotonic() - began:.0f} 秒里只收到 {size} 字节"
        raise Problem(slug="too-slow", detail=detail) from None
    if message["type"] != "http.request":
        raise ClientDisconnect
    return message.get("body", b""), not message.get("more_body", False)


def stated_times_of(request: Request) -> list[datetime]:
    """The times that a demo generator states, one for each message, by comma; they count only in a demo log and from this machine."""
    if not context_of(request).platform.demo:
        return []
    stated = request.headers.get("plumb-demo-time")
    if not stated or not is_local(request):
        return []
    times = []
    for text in stated.split(","):
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            raise _wrong_time("Plumb-Demo-Time 不是 RFC 3339 时刻") from None
        if at.tzinfo is None:
            raise _wrong_time("Plumb-Demo-Time 没有时区")
        times.append(at)
    return times


def stated_at_of(request: Request) -> datetime | None:
    """The one time that a demo generator states for a request."""
    times = stated_times_of(request)
    if len(times) > 1:
        raise _wrong_time("Plumb-Demo-Time 只能有一个时刻")
    return times[0] if times else None


def _wrong_time(reason: str) -> Problem:
    return field_problem("/header/Plumb-Demo-Time", reason, "写 RFC 3339 时刻，带时区，成批时用逗号分开")


def _first_of_each(lines: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name, for who looks at many of them; said twice the first one counts, as it does everywhere here."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(lines)}


async def received(
    request: Request, limit: int, *, several: bool = False, is_trial: bool = False
) -> Received:
    """The request as the door takes it: target, headers, body within `limit`, times. Of several messages each has a time of its own.
    A large body of a sandbox key is read only where a trial is asked for (`is_trial`)."""
    require_secure(request)
    demo_time = context_of(request).demo_time
    clock = demo_time.fresh() or await demo_time.look()
    target, headers = target_of(request), _first_of_each(request.scope["headers"])
    stated_at = None if several else stated_at_of(request)

    async def large(size: int) -> float:
        context = context_of(request)
        at = max(stated_times_of(request), default=None)
        head = request.state.received = Received(
            target=target, headers=headers, stated_at=at, body=b"", arrived_at=clock.received()
        )
        signed, key = await context.door.identify(head, is_trial=is_trial)
        request.state.give_back = context.room.take(SANDBOX if key.sandbox else key.party, size)
        # later its signature would be too old: nobody holds room for what will be refused
        return time.monotonic() + max(0.0, signed.created + MAX_SKEW_S - time.time())

    got = request.state.received = Received(
        target=target,
        headers=headers,
        stated_at=stated_at,
        body=await read_body(request, limit, large if limit > UNKNOWN_BYTES else None),
        arrived_at=clock.received(),
    )
    return got
