"""The one door for outgoing requests (对外请求): where it goes, and that nothing leads, holds or fills it."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from plumbline.supervision import fetch as door
from plumbline.supervision.fetch import (
    Fetcher,
    FetchFailed,
    FetchRefused,
    checked_addresses,
    fetch,
    is_public,
    origin_of,
    own_networks,
)
from plumbline.supervision.journal.heads import SigningStopped, _ask_mark

PRIVATE = [
    "127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "240.0.0.1",
    "192.0.2.1", "198.18.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.8",
    "::ffff:127.0.0.1", "2002:a00:8::1", "64:ff9b::a00:8", "2001:0:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_inside_is_refused_and_one_bad_address_spoils_the_rest(address):
    assert not is_public(ipaddress.ip_address(address))
    for found in ([address], ["93.184.216.34", address]):
        with pytest.raises(FetchRefused, match="内部地址"):
            checked_addresses("peer.example", found, ())


def test_names_in_the_internet_configured_addresses_and_own_networks_are_asked():
    assert checked_addresses("peer.example", ["93.184.216.34"], ()) == ["93.184.216.34"]
    assert checked_addresses("10.0.0.8", ["10.0.0.8"], ()) == ["10.0.0.8"]
    assert checked_addresses("localhost", ["127.0.0.1", "::1"], ()) == ["127.0.0.1", "::1"]
    own = own_networks({"PLUMB_FETCH_NETWORKS": "10.1.0.0/16, fd00::/8"})
    assert checked_addresses("peer.example", ["10.1.2.3"], own) == ["10.1.2.3"]
    for host, found in (("peer.example", "10.2.0.1"), ("localhost", "10.2.0.1"), ("10.0.0.8", "10.0.0.9")):
        with pytest.raises(FetchRefused):
            checked_addresses(host, [found], own)
    with pytest.raises(FetchRefused):  # nobody means the cloud's metadata
        checked_addresses("169.254.169.254", ["169.254.169.254"], own)
    with pytest.raises(ValueError, match="PLUMB_FETCH_NETWORKS"):
        own_networks({"PLUMB_FETCH_NETWORKS": "10.1.0.0/99"})


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://x/", "ftp://x/", "//x/", "x", "http://", "http://a:b@c/", "http://a@c/", "http://x:99999/",
     "http://例子/", "http://x/ y", "http://x/\r\nX: y", "http://x:0x50/", "javascript:1"],
)  # fmt: skip
def test_only_plain_web_addresses_are_addresses(url):
    with pytest.raises(FetchRefused):
        origin_of(url)


def test_who_asks_another_signing_host_is_told_why_it_was_not_asked():
    """The reason names the setting: without it an operator sees that signing stopped, and not what to do."""
    with pytest.raises(SigningStopped, match="PLUMB_FETCH_NETWORKS"):
        _ask_mark("b", "http://169.254.169.254/x/v1/log/mark")
    with pytest.raises(SigningStopped, match="ConnectError"):
        _ask_mark("b", f"http://{'a' * 70}.example/x/v1/log/mark")  # a label that no name has


@contextmanager
def _server(answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _plain(body: bytes, status: int = 200, **headers: str):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {
            "Content-Type": "text/plain",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_an_answer_is_taken_as_it_is_and_a_redirect_is_not_followed(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with _server(_plain(b"hello")) as url:
        got = fetch(f"{url}/x?y=1", timeout_s=20, max_bytes=5)
        assert (got.status, got.media_type, got.text()) == (200, "text/plain", "hello")
        with pytest.raises(FetchFailed, match="TooLong"):
            fetch(url, timeout_s=20, max_bytes=4)
    with _server(_plain(b"", 302, Location="http://169.254.169.254/")) as url:
        assert fetch(url, timeout_s=20, max_bytes=100).status == 302
    with _server(_plain(b"\xff\xfe")) as url, pytest.raises(FetchFailed, match="NoText"):
        fetch(url, timeout_s=20, max_bytes=100).text()


def test_a_place_that_is_not_configured_is_not_asked():
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        _plain(b"")(handler)

    with _server(answer) as url, Fetcher([f"{url}/base"]) as fetcher:
        assert fetcher.fetch(f"{url}/other", content=b"x", timeout_s=20, max_bytes=10).status == 200
        for other in (
            f"{url[:-1]}{(int(url[-1]) + 1) % 10}/",
            url.replace("127.0.0.1", "localhost"),
            url.replace("http:", "https:"),
        ):
            with pytest.raises(FetchRefused, match="不在配置里"):
                fetcher.fetch(other, timeout_s=20, max_bytes=10)
    assert asked == ["/other"]


def test_a_name_is_looked_up_once_and_what_was_checked_is_what_is_asked(monkeypatch):
    """A server of names that answers differently the second time (rebinding) is not asked a second time."""
    answers, known = iter(["127.0.0.1", "10.0.0.8"]), socket.getaddrinfo

    def lookup(host, port, *more, **options):
        if host != "peer.example":
            return known(host, port, *more, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    with _server(_plain(b"here")) as url:
        port = url.rpartition(":")[2]
        monkeypatch.setattr(door.socket, "getaddrinfo", lookup)
        networks = [ipaddress.ip_network("127.0.0.0/8")]
        with Fetcher([f"http://peer.example:{port}/"], networks=networks) as fetcher:
            got = fetcher.fetch(f"http://peer.example:{port}/", timeout_s=20, max_bytes=10)
        assert got.body == b"here"
        assert next(answers) == "10.0.0.8"


def test_a_name_that_leads_inside_is_never_connected_to(monkeypatch):
    def lookup(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    asked: list[str] = []
    with _server(lambda handler: asked.append(handler.path)) as url:
        port = url.rpartition(":")[2]
        monkeypatch.setattr(door.socket, "getaddrinfo", lookup)
        with pytest.raises(FetchRefused, match="内部地址"):
            fetch(f"http://peer.example:{port}/", timeout_s=20, max_bytes=10)
    assert asked == []


def test_an_answer_a_byte_at_a_time_ends_with_the_time_of_the_request():
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not stop.wait(0.05):
                handler.wfile.write(b".")
        except OSError:
            return

    with _server(drip) as url:
        try:
            with pytest.raises(FetchFailed, match="Timeout"):
                fetch(url, timeout_s=0.4, max_bytes=1_000_000)
        finally:
            stop.set()


def test_nobody_there_is_a_short_word():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever comes is refused
        with pytest.raises(FetchFailed, match="ConnectError"):
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/", timeout_s=20, max_bytes=10)
