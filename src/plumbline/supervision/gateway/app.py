"""The gateway application (网关应用): routes, life cycle, headers."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.problems import Problem
from plumbline.supervision.attachments import Attachments
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.gateway import (
    attachments,
    batches,
    documents,
    entries,
    log,
    public,
    streams,
    uploads,
)
from plumbline.supervision.gateway.answers import Endpoint, guarded, json_response, problem_response
from plumbline.supervision.gateway.appender import Appender
from plumbline.supervision.gateway.asked import WHOLE_ROW, AskedCodes, PublicPool, public_pool
from plumbline.supervision.gateway.attachments import AREA, FilesHost, is_elsewhere
from plumbline.supervision.gateway.briefly import BRIEFLY, BriefAnswers, ShortWay
from plumbline.supervision.gateway.context import LARGE_BODIES_BYTES, Context
from plumbline.supervision.gateway.demo_time import DemoTime, StoppedDoor, may_be_stopped
from plumbline.supervision.gateway.directory import Directory
from plumbline.supervision.gateway.door import Door
from plumbline.supervision.gateway.headers import SafeHeaders
from plumbline.supervision.gateway.limits import RateLimit, Room
from plumbline.supervision.gateway.live import LiveHub
from plumbline.supervision.gateway.monitor import Monitor
from plumbline.supervision.gateway.nonces import Nonces
from plumbline.supervision.gateway.relay import Relay
from plumbline.supervision.gateway.settings import GatewaySettings
from plumbline.supervision.gateway.waiting import PositionWatch
from plumbline.supervision.gateway.whole_files import WholeFiles
from plumbline.supervision.heartbeat import Heartbeat
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, key_encryption_key
from plumbline.supervision.journal.lookup import Lookups
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.logs import begin_logging
from plumbline.supervision.memory import settle
from plumbline.supervision.renditions import Renditions
from plumbline.supervision.scanner import ScanSettings
from plumbline.web.security import files_origin


class _Number(Convertor[int]):
    """A number of an address, short enough to be read: thousands of digits would be a fault of ours, and there is no such entry."""

    regex = "[0-9]{1,19}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
OWN_AREAS = ("/x/", "/v/", "/V/", "/live/", AREA)
STATIC = Path(__file__).parents[2] / "web" / "static"


async def health(request: Request) -> Response:
    """Whether this process can reach its database."""
    context: Context = request.app.state.context
    position = await context.watch.position()
    return json_response(
        {
            "status": "ok",
            "projected": position,
            "waiting": context.appender.waiting,
            "origin": context.platform.origin,
        }
    )


def _context(platform: Platform, pool: AsyncConnectionPool, public: PublicPool) -> Context:
    limits = GatewaySettings.from_env()
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    directory = Directory(pool, key_encryption_key(platform.folder("keys")), cache_s=limits.key_cache_s)
    vault = Vault(platform.folder("subjects"), is_national=keys.log_sm2 is not None)
    gateway = platform.conninfo("plumb_gateway")
    files = FileStore(platform.folder("files"))
    return Context(
        platform=platform,
        pool=pool,
        asked=AskedCodes(public, WHOLE_ROW),
        briefly=AskedCodes(public, BRIEFLY),
        directory=directory,
        door=Door(directory, vault, is_national=keys.log_sm2 is not None),
        appender=Appender(Journal(gateway, signer), queue_limit=limits.queue),
        files=files,
        whole=WholeFiles(files),
        vault=vault,
        watch=PositionWatch(gateway, pool),
        live=LiveHub((platform.folder("keys") / "kek.bin").read_bytes()),
        signer=signer,
        keys=keys,
        operator=party_id(operator_of(platform)[0]).hex(),
        sender=PlatformSender(Journal(gateway, signer), keys.signer("web")),
        nonces=Nonces(pool),
        uploads=RateLimit(limits.rate, max(1, int(limits.rate * 2))),
        room=Room(LARGE_BODIES_BYTES),
        lookups=RateLimit(limits.lookup_rate, max(1, int(limits.lookup_rate * 4))),
        log=Lookups(gateway, signer),
        complaints=RateLimit(5 / 3600, 5, told="您对这个监管码已经反映过多次，每小时最多 5 次，请稍后再来"),
        all_complaints=RateLimit(200 / 3600, 200, told="现在反映的人太多，请稍后再来，或直接联系监督机构"),
        audits=RateLimit(10, 100),
        monitor=Monitor(gateway, party_id(operator_of(platform)[0]).hex()),
        trusted_proxies=limits.trusted_proxies,
        demo_time=DemoTime(pool, is_demo=platform.demo),
        scanning=ScanSettings.from_env().policy,
        attachments=Attachments((platform.folder("keys") / "kek.bin").read_bytes()),
        renditions=Renditions(platform.folder("renditions")),
    )


def build(platform: Platform, relay_to: str | None = None) -> Starlette:
    """The ASGI application of one gateway process; `relay_to` is web's loopback address in the demo."""
    relay = Relay(relay_to) if relay_to else None

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        # Each statement is a transaction of its own, on one trip instead of three; where several belong together it is said there.
        pool = AsyncConnectionPool(
            platform.conninfo("plumb_gateway"),
            kwargs={"autocommit": True},
            min_size=1,
            max_size=8,
            open=False,
        )
        public = public_pool(platform.conninfo("plumb_gateway"))
        await pool.open(wait=True)
        await public.open()
        context = app.state.context = _context(platform, pool, public)
        context.appender.start()
        context.watch.start()
        context.log.start()
        context.monitor.start()
        heartbeat = Heartbeat(platform.conninfo("plumb_gateway"), "gateway")
        heartbeat.start()
        try:
            yield
        finally:
            heartbeat.stop()
            await context.watch.stop()
            context.appender.stop()
            await context.monitor.stop()
            context.log.stop()
            await context.asked.stop()
            await context.briefly.stop()
            await public.close()
            await pool.close()
            if relay:
                await relay.close()

    answering = {endpoint: guarded(endpoint, is_watched=endpoint in STORING) for _, endpoint, _ in ROUTES}
    routes: list[Route | Mount] = [
        Route(path, answering[endpoint], methods=methods) for path, endpoint, methods in ROUTES
    ]
    # What lies in the gateway's own areas never goes on to web: a wrong address or method is told here.
    unmatched = guarded(_unmatched_among(list(routes)))
    routes += [Route(area + "{rest:path}", unmatched, methods=EVERY_METHOD) for area in OWN_AREAS]
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))
    if relay:
        routes.append(Route("/{rest:path}", relay.answer, methods=EVERY_METHOD))
    doors = _doors(platform)
    return ShortWay(
        routes=routes,
        lifespan=life,
        middleware=[Middleware(SafeHeaders), *(door for door, _ in doors), Middleware(BriefAnswers)],
        holds=[hold for _, hold in doors],
        straight=_straight(answering),
        exception_handlers={404: _missing, 405: _wrong_method},
    )


def _straight(answering: Mapping[Endpoint, Endpoint]) -> dict[tuple[str, str], Endpoint]:
    """What is answered around routes and middlewares, by method and path."""
    return {
        (method, path): answering[endpoint]
        for path, endpoint, methods in ROUTES
        for method in methods
        if endpoint in STRAIGHT
    }


def _doors(platform: Platform) -> list[tuple[Middleware, Callable[[Scope], bool]]]:
    """What may answer in place of the application, each beside what the short way asks instead of it."""
    doors: list[tuple[Middleware, Callable[[Scope], bool]]] = []
    if files_host := urlsplit(files_origin()).netloc:
        doors.append((Middleware(FilesHost, files_host), partial(is_elsewhere, files_host.lower())))
    if platform.demo:
        doors.append((Middleware(StoppedDoor), may_be_stopped))
    return doors


def _unmatched_among(routes: list[Route | Mount]) -> Endpoint:
    """405 with Allow when the address exists for another method, else 404."""

    async def unmatched(request: Request) -> Response:
        allowed = {
            method
            for route in routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
        if not allowed:
            raise Problem(slug="not-found", detail=f"没有 {request.url.path[:200]} 这个地址")
        answer = problem_response(Problem(slug="method-not-allowed"))
        answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer

    return unmatched


async def _missing(request: Request, error: Exception) -> Response:
    return problem_response(Problem(slug="not-found", detail=f"没有 {request.url.path[:200]} 这个地址"))


async def _wrong_method(request: Request, error: Exception) -> Response:
    """A method that no address has; RFC 9110 wants to be told which it has."""
    answer = problem_response(Problem(slug="method-not-allowed"))
    answer.headers["Allow"] = (getattr(error, "headers", None) or {}).get("Allow", ", ".join(EVERY_METHOD))
    return answer


#: Who asks these asks to have something stored: the exchange monitor notes every such request.
STORING = frozenset({entries.post_entry, batches.post_batch, uploads.create, uploads.append})
#: Uploads of messages: what an institution in full work sends all day.
STRAIGHT = frozenset({entries.post_entry, batches.post_batch})
#: In the order of how often they are asked, since a request is held against one after another.
ROUTES = [
    ("/x/v1/entries", entries.post_entry, ["POST"]),
    ("/x/v1/batches", batches.post_batch, ["POST"]),
    ("/v/{code}", public.code_page, ["GET"]),
    ("/x/v1/entries/{entry}", entries.get_entry, ["GET"]),
    ("/x/v1/dry-run", entries.dry_run, ["POST"]),
    ("/x/v1/receipts/{sender}/{uid}", entries.get_receipt, ["GET"]),
    ("/x/v1/checkpoint", log.get_checkpoint, ["GET"]),
    ("/x/v1/log/key", log.get_log_key, ["GET"]),
    ("/x/v1/log/trust.txt", log.get_trust, ["GET"]),
    ("/x/v1/log/mark", log.get_mark, ["GET"]),
    ("/x/v1/log/{epoch:number}/consistency/{old:number}/{new:number}", log.get_consistency, ["GET"]),
    ("/x/v1/log/{epoch:number}/tile/{level:number}/{index:path}", log.get_tile, ["GET"]),
    ("/x/v1/changes", entries.get_changes, ["GET"]),
    ("/x/v1/time", entries.get_time, ["GET"]),
    ("/x/v1/files", uploads.create, ["POST"]),
    ("/x/v1/files/{upload}", uploads.offset, ["HEAD"]),
    ("/x/v1/files/{upload}", uploads.append, ["PATCH"]),
    ("/x/manual", documents.manual, ["GET"]),
    ("/x/manual.pdf", documents.manual_pdf, ["GET"]),
    ("/x/openapi.json", documents.openapi, ["GET"]),
    ("/x/schemas/{kind}.json", documents.schema, ["GET"]),
    ("/x/problems/{slug}", documents.problem, ["GET"]),
    ("/v/", public.entry_page, ["GET"]),
    # a QR code is upper case throughout, path included
    ("/V/{code}", public.code_page, ["GET"]),
    ("/v/{code}/check", public.check_file, ["GET"]),
    ("/v/{code}/document", public.document, ["GET"]),
    ("/v/{code}/complaints", public.file_complaint, ["POST"]),
    ("/a/{until}/{mac}/{name}", attachments.attachment, ["GET"]),
    ("/live/publish/{stream}", streams.publish, ["POST"]),
    ("/live/status/{stream}", streams.status, ["GET"]),
    ("/live/{stream}", streams.follow, ["GET"]),
    ("/healthz", health, ["GET"]),
]


def application() -> Starlette:
    """Factory for the ASGI server: platform and relay from the environment."""
    begin_logging()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    made = build(Platform.from_env(), os.environ.get("PLUMB_RELAY_TO") or None)
    settle()
    return made
