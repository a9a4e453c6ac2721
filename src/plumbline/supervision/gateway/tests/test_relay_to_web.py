"""The relay to web: bodies flow and are limited, and nobody says for himself where he comes from (转发)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from plumbline.supervision.gateway.relay import MAX_BODY_BYTES, Relay


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"headers": headers, "bytes": len(data)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _Web(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A request that the relay broke off is what a test wants."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    server = _Web(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _post(web: str, *, client: str = "192.0.2.7", trusted: tuple[str, ...] = (), **request) -> httpx.Response:
    async def story() -> httpx.Response:
        relay = Relay(web)
        app = Starlette(routes=[Route("/{rest:path}", relay.answer, methods=["POST"])])
        app.state.context = SimpleNamespace(trusted_proxies=frozenset(trusted))
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            answer = await http.post("/somewhere/", **request)
        await relay.close()
        return answer

    return asyncio.run(story())


FORGED = {"X-Forwarded-For": "10.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "e.example"}


def test_forwarded_headers_of_a_visitor_do_not_pass(web: str) -> None:
    seen = _post(web, headers=FORGED | {"Forwarded": "for=10.1.1.1", "X-Real-IP": "10.1.1.1"}).json()[
        "headers"
    ]
    assert seen["x-forwarded-for"] == "192.0.2.7"
    assert seen["x-forwarded-proto"] == "http"
    assert not {"x-forwarded-host", "forwarded", "x-real-ip"} & seen.keys()


def test_a_named_proxy_is_believed_about_the_last_address_it_saw(web: str) -> None:
    headers = FORGED | {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    seen = _post(web, client="127.0.0.1", trusted=("127.0.0.1",), headers=headers).json()["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("203.0.113.9", "https")


def test_a_body_passes_whole_with_its_length(web: str) -> None:
    assert _post(web, content=b"x" * 300_000).json()["bytes"] == 300_000


def test_a_body_without_a_length_is_collected_for_web(web: str) -> None:
    async def chunks():
        for _ in range(5):
            yield b"y" * 1000

    assert _post(web, content=chunks()).json()["bytes"] == 5000


@pytest.mark.parametrize("announced", [MAX_BODY_BYTES + 1, 10**15])
def test_a_body_beyond_the_limit_is_refused_at_its_announcement(web: str, announced: int) -> None:
    answer = _post(web, content=b"x", headers={"Content-Length": str(announced)})
    assert answer.status_code == 413
    assert "最多" in answer.json()["detail"]


def test_more_bytes_than_announced_are_refused_while_they_flow(web: str) -> None:
    answer = _post(web, content=b"x" * 50, headers={"Content-Length": "10"})
    assert answer.status_code == 413
