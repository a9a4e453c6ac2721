"""The relay to web: bodies are whole before it is asked, and limited, and nobody says for himself where he comes from (转发)."""

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

from plumbline.supervision.gateway import context
from plumbline.supervision.gateway.relay import KEPT_IN_MEMORY_BYTES, MAX_BODY_BYTES, Relay


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
        platform = SimpleNamespace(demo=True)
        app.state.context = SimpleNamespace(trusted_proxies=frozenset(trusted), platform=platform)
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


def test_web_is_not_asked_before_the_body_is_whole_and_slow_senders_are_refused(
    web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many as web has threads send the beginning of a body and stop; somebody who only asks is answered at once."""
    monkeypatch.setattr(context, "BODY_GRACE_S", 1.0)
    asked = []
    monkeypatch.setattr(_Echo, "do_POST", lambda self: asked.append(self.path))

    async def stops():
        yield b"x"
        await asyncio.sleep(30)

    async def story() -> list[int]:
        relay = Relay(web)
        app = Starlette(routes=[Route("/{rest:path}", relay.answer, methods=["POST"])])
        app.state.context = SimpleNamespace(trusted_proxies=frozenset())
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            slow = [http.post("/", content=stops(), headers={"Content-Length": "300000"}) for _ in range(16)]
            answers = await asyncio.gather(*slow)
        await relay.close()
        return [answer.status_code for answer in answers]

    assert asyncio.run(story()) == [408] * 16
    assert asked == []


def test_a_request_without_a_body_has_none_at_web(web: str) -> None:
    seen = _post(web).json()
    assert seen["bytes"] == 0
    assert "transfer-encoding" not in seen["headers"]


def test_a_large_body_waits_in_a_file_and_passes_whole(web: str) -> None:
    assert (
        _post(web, content=b"x" * (KEPT_IN_MEMORY_BYTES * 3 + 1)).json()["bytes"]
        == KEPT_IN_MEMORY_BYTES * 3 + 1
    )


def test_a_person_is_told_on_a_page_and_a_program_in_problem_details(web: str) -> None:
    length = {"Content-Length": str(MAX_BODY_BYTES + 1)}
    page = _post(web, content=b"x", headers=length | {"Accept": "text/html,application/xhtml+xml"})
    assert (page.status_code, page.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert (
        "演示数据" in page.text
        and "没有收到：内容太大" in page.text
        and "返回上一页" in page.text
        and "uid" not in page.text
    )
    told = _post(web, content=b"x", headers=length)
    assert told.headers["content-type"] == "application/problem+json"
