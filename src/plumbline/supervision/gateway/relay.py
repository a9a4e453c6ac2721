"""One address (转发): in the demo the gateway listens on the public port and relays the rest to web over loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from tempfile import SpooledTemporaryFile

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.context import client_of, next_part, scheme_of
from plumbline.supervision.gateway.page_refusals import refusal

MAX_BODY_BYTES = 32 * 1024 * 1024
#: Larger bodies wait in a file: many at once must not fill the memory.
KEPT_IN_MEMORY_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024
_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "host",
    "te",
    "trailer",
    "proxy-authorization",
    "content-length",
    "forwarded",
    "x-real-ip",
}


def _passes(name: str) -> bool:
    """Whether a visitor's header goes on to web: none that belongs to the connection or claims an address."""
    return name not in _HOP and not name.startswith("x-forwarded-")


class Relay:
    """Passes a request on to web with the visitor's address, and streams the answer back.

    It keeps nothing between two visitors: a cookie jar would hand one visitor's session to the next.
    """

    def __init__(self, base_url: str) -> None:
        nobody = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(base_url=base_url, timeout=30, trust_env=False, cookies=nobody)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def answer(self, request: Request) -> Response:
        """Relay one request, when its body is whole: web has few threads, and none of them waits for a slow sender. A body beyond 32 MB is
        refused, at its announcement or while it comes."""
        headers = [(k, v) for k, v in request.headers.items() if _passes(k)]
        headers += [
            ("host", request.headers.get("host", "")),
            ("x-forwarded-for", client_of(request)),
            ("x-forwarded-proto", scheme_of(request)),
        ]
        try:
            target = httpx.URL(path=request.url.path, query=request.url.query.encode())
            with SpooledTemporaryFile(max_size=KEPT_IN_MEMORY_BYTES) as body:
                size = await _collect(request, body)
                length = [("content-length", str(size))] if size else []
                outgoing = self._client.build_request(
                    request.method, target, headers=[*headers, *length], content=_read(body) if size else b""
                )
                incoming = await self._client.send(outgoing, stream=True)
        except Problem as problem:
            return refusal(request, problem, _WORDS[problem.slug])
        except httpx.InvalidURL:  # control characters: web has no such address
            told = Problem(slug="not-found", detail="地址里有不能用的字符")
            return refusal(request, told, _WORDS[told.slug])
        except ClientDisconnect:  # cut in the middle: nobody is there to be told
            return Response(None, 400)
        except httpx.HTTPError:
            return PlainTextResponse("网页服务正在启动，请稍后刷新。", 503, {"Retry-After": "2"})
        response = StreamingResponse(_chunks(incoming), incoming.status_code)
        response.raw_headers = [
            (k.lower(), v)
            for k, v in incoming.headers.raw
            if k.lower().decode() not in _HOP - {"content-length"}
        ]
        return response


#: What a person who filled in a form is told of what is refused here.
_WORDS = {
    "too-slow": ("没有收到：内容来得太慢", "请检查网络，返回上一页再提交一次。"),
    "too-large": ("没有收到：内容太大", "请减小所附的文件，返回上一页再提交一次。"),
    "not-found": ("没有这个网页", "请核对地址。"),
}


async def _chunks(incoming: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in incoming.aiter_raw():
            yield chunk
    finally:
        await incoming.aclose()


async def _collect(request: Request, body: SpooledTemporaryFile[bytes]) -> int:
    """The body into a file, which is in memory while it is small; how many bytes it has. Fewer than announced were cut off on the way."""
    announced = request.headers.get("content-length", "")
    is_announced = announced.isascii() and announced.isdigit()
    if is_announced and int(announced) > MAX_BODY_BYTES:
        raise Problem(slug="too-large", detail=f"声明了 {announced[:20]} 字节，最多 {MAX_BODY_BYTES} 字节")
    limit = int(announced) if is_announced else MAX_BODY_BYTES
    size, is_last, began = 0, False, time.monotonic()
    while not is_last:
        part, is_last = await next_part(request, began, size)
        size += len(part)
        if size > limit:
            raise Problem(slug="too-large", detail=f"收到的比 {limit} 字节多")
        body.write(part)
    body.seek(0)
    if is_announced and size < limit:
        raise ClientDisconnect
    return size


async def _read(body: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    while piece := body.read(_PIECE_BYTES):
        yield piece
