"""The log in the open (存证日志公开接口): newest checkpoint, verifier key, this host's mark, full tiles."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from plumbline.evidence.mark import MarkRefused
from plumbline.evidence.note import encode_base64
from plumbline.evidence.position import MAX_EPOCH
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import json_response
from plumbline.supervision.gateway.context import Context, client_of, context_of
from plumbline.supervision.journal.heads import log_origin
from plumbline.supervision.journal.tiles import TileStore, index_of

MAX_TILE_LEVEL = 5


def _epoch(context: Context) -> int:
    mark = context.signer.mark()
    return mark.epoch if mark else 1


async def get_checkpoint(request: Request) -> Response:
    """A checkpoint at most one second old, a C2SP signed note."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    return PlainTextResponse(await run_in_threadpool(context.log.checkpoint))


async def get_log_key(request: Request) -> Response:
    """The verifier keys of the log, one a line (SM2 second, in the suite `gm`), for information: trust is taken from elsewhere."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    origin = log_origin(context.platform.origin, _epoch(context))
    return PlainTextResponse("".join(f"{key}\n" for key in context.signer.verifier_keys(origin)))


async def get_trust(request: Request) -> Response:
    """`trust.txt`: keys of log and code issuer, for those who then compare them with a copy from elsewhere."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    return PlainTextResponse((context.platform.data_dir / "trust.txt").read_text("utf-8"))


async def get_mark(request: Request) -> Response:
    """The largest head that this host has signed; the other signing hosts ask for it before they sign (PROTOCOL §2.8)."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    try:
        mark = await run_in_threadpool(context.signer.mark)
    except MarkRefused:
        raise Problem(slug="unavailable", detail="本机的日志水位读不出来", retry_after_s=60) from None
    if mark is None:
        raise Problem(slug="not-found", detail="本机还没有日志水位")
    return json_response(
        {"origin": mark.origin, "epoch": mark.epoch, "size": mark.size, "root": mark.root.hex()},
        headers={"Cache-Control": "no-store"},
    )


async def get_consistency(request: Request) -> Response:
    """Proof that two sizes of an epoch are of one history, one hash a line in base64, as C2SP tlog-witness writes it (RFC 6962 §2.1.2)."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    epoch, old, new = (request.path_params[name] for name in ("epoch", "old", "new"))
    if max(epoch, old, new) >= 2**62:
        raise Problem(slug="not-found", detail="日志没有这么多条")
    proof = await run_in_threadpool(context.log.consistency, epoch, old, new)
    if proof is None:
        raise Problem(slug="not-found", detail="这一期没有这么多条，或两个数的先后反了")
    return PlainTextResponse("".join(f"{encode_base64(each)}\n" for each in proof))


async def get_tile(request: Request) -> Response:
    """A full tile of 256 hashes of one epoch, C2SP tlog-tiles: level, then the index as `067` or `x001/067`."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    level, index = request.path_params["level"], index_of(request.path_params["index"])
    if index is None or level > MAX_TILE_LEVEL or not 1 <= request.path_params["epoch"] <= MAX_EPOCH:
        raise Problem(slug="not-found", detail="没有这一片")
    store = TileStore(context.platform.folder("tiles"), request.path_params["epoch"])
    data = await run_in_threadpool(store.read, level, index)
    if data is None:
        raise Problem(slug="not-found", detail="这一片还没有写满")
    # a full tile never changes
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type="application/octet-stream", headers=headers)
