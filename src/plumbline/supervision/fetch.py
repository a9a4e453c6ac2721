"""The one door for outgoing requests (对外请求): to configured places alone, to checked addresses, within time and size, without detours.

Nobody else on the server's side opens an HTTP client; `tests/architecture/test_doors.py` finds who does.
See docs/decisions/0025-hardened-input.md.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORTS = {"http": 80, "https": 443}
#: IPv6 that carries an IPv4 address which nobody would look at.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_left = threading.local()
#: What :func:`client` gives, for those who may not know httpx.
Client = httpx.Client


class FetchFailed(RuntimeError):
    """There is no answer that can be used; the message is a short technical word."""


class FetchUnreadable(FetchFailed):
    """There is an answer, and it is too long or no text."""


class FetchRefused(FetchFailed):
    """The place may not be asked; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer whole. A redirect is an answer like any other: nobody follows it."""

    status: int
    media_type: str
    body: bytes

    def text(self) -> str:
        """The body as UTF-8, whatever its headers say; raises :class:`FetchUnreadable`."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            raise FetchUnreadable("NoText") from None


def own_networks(env: Mapping[str, str] = os.environ) -> tuple[Network, ...]:
    """PLUMB_FETCH_NETWORKS: private networks, by comma, in which a configured name may lie; ValueError for what is no network."""
    told = [each.strip() for each in env.get("PLUMB_FETCH_NETWORKS", "").split(",") if each.strip()]
    try:
        return tuple(ipaddress.ip_network(each) for each in told)
    except ValueError as error:
        raise ValueError(
            f"PLUMB_FETCH_NETWORKS 里有不是网段的内容（{error}）：要写 10.1.0.0/16 这样，请改正后重新启动"
        ) from None


def origin_of(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of an address; raises :class:`FetchRefused` for anything but plain http and https."""
    try:
        parts = urlsplit(url)
        usual = _PORTS[parts.scheme]
        host, port = (parts.hostname or "").rstrip("."), parts.port or usual
        host.encode("ascii")
    except (KeyError, ValueError):
        raise FetchRefused("地址只能是 http 或 https，主机名只用英文字母、数字和点") from None
    if not host or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise FetchRefused("地址要写主机，不能带用户名、空格或控制字符")
    return parts.scheme, host, port


def is_public(address: Address) -> bool:
    """Whether an address lies in the internet, and hides no other one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address.sixtofour or address.teredo or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


def _never(address: Address) -> bool:
    """Addresses that no service has: those that everybody on the wire answers, and those of the cloud's own metadata."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return _never(address.ipv4_mapped)
    is_nobodys = address.is_multicast or address.is_unspecified or address.is_reserved
    return address.is_link_local or (is_nobodys and not address.is_loopback)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def checked_addresses(host: str, found: Iterable[str], networks: Iterable[Network]) -> list[str]:
    """The addresses that a host's name gave, each of which may be asked; raises :class:`FetchRefused` when one may not.

    Whoever configures an address, or `localhost`, means it. A name may lie in the internet, or in a network of `networks`: a name
    is whatever its server answers at the moment.
    """
    told, allowed = _literal(host), tuple(networks)
    for each in found:
        address = ipaddress.ip_address(each.partition("%")[0])
        is_meant = address == told or (host == "localhost" and address.is_loopback)
        is_own = any(address in network for network in allowed)
        if _never(address) or not (is_meant or is_own or is_public(address)):
            raise FetchRefused(f"{host} 指向内部地址，没有去问；确属内网的，请设 PLUMB_FETCH_NETWORKS")
    return list(dict.fromkeys(found))


def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, within the time of the request; the resolver itself knows no limit."""
    if _literal(host):
        return [host]
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):  # the latter for a label that is too long
            return

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(_time_left())
    if not found:
        raise httpcore.ConnectError("no address")
    return list(found)


def _time_left() -> float:
    left = getattr(_left, "until", 0.0) - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("too slow")
    return left


class _Stream(httpcore.NetworkStream):
    """A connection every step of which ends with the time of the request: a byte a second does not hold it up."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within the time left."""
        return self._inner.read(max_bytes, _time_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within the time left."""
        self._inner.write(buffer, _time_left())

    def close(self) -> None:
        """Close."""
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """TLS with the name as configured, whatever address it has."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _time_left()))

    def get_extra_info(self, info: str) -> Any:
        """Of the connection below."""
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to an address that was checked: the name is looked up once, here, and not again between check and use."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks, self._inner = networks, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """The first of the checked addresses that answers."""
        failed: Exception = httpcore.ConnectError("no address")
        for address in checked_addresses(host, _resolve(host, port), self._networks):
            try:
                return _Stream(self._inner.connect_tcp(address, port, _time_left()))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class Fetcher:
    """Asks the places that it was made for, and no other; keeps their connections. Safe between threads."""

    def __init__(self, places: Iterable[str], *, networks: Iterable[Network] | None = None) -> None:
        """`places` are addresses from the configuration; their scheme, host and port are what may be asked."""
        self._origins = {origin_of(each) for each in places}
        allowed = own_networks() if networks is None else tuple(networks)
        self._pool = httpcore.ConnectionPool(
            network_backend=_Backend(allowed), max_connections=8, keepalive_expiry=30
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def __enter__(self) -> Fetcher:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def fetch(
        self,
        url: str,
        *,
        content: bytes | None = None,
        media_type: str = "",
        timeout_s: float,
        max_bytes: int,
    ) -> Fetched:
        """GET, or with `content` POST. Raises :class:`FetchRefused`, :class:`FetchFailed`; `timeout_s` is for all of it."""
        if origin_of(url) not in self._origins:
            raise FetchRefused("这个地址不在配置里，没有去问")
        headers = [
            ("Host", urlsplit(url).netloc),
            ("Accept-Encoding", "identity"),
            ("User-Agent", "plumbline"),
        ]
        if content is not None:
            headers.append(("Content-Length", str(len(content))))
        if media_type:
            headers.append(("Content-Type", media_type))
        _left.until = time.monotonic() + timeout_s
        try:
            verb = "GET" if content is None else "POST"
            with self._pool.stream(verb, url, headers=headers, content=content) as answer:
                return _read(answer, max_bytes)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise FetchFailed(type(error).__name__) from None
        except (httpcore.UnsupportedProtocol, OSError, ValueError) as error:
            raise FetchFailed(type(error).__name__) from None


def _read(answer: httpcore.Response, most: int) -> Fetched:
    """The body, no further than `most` bytes, as it comes: a packed answer is not unpacked."""
    body = bytearray()
    for part in answer.iter_stream():
        body += part
        if len(body) > most:
            raise FetchUnreadable("TooLong")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    return Fetched(answer.status, headers.get("content-type", ""), bytes(body))


def fetch(url: str, *, timeout_s: float, max_bytes: int) -> Fetched:
    """GET an address that stands in the configuration itself, once."""
    with Fetcher([url]) as fetcher:
        return fetcher.fetch(url, timeout_s=timeout_s, max_bytes=max_bytes)


class _Body(httpx.SyncByteStream):
    """The bytes of an answer that was read whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """All of them."""
        yield self._body


class _Door(httpx.BaseTransport):
    """The door as httpx knows it."""

    def __init__(self, fetcher: Fetcher, timeout_s: float, max_bytes: int) -> None:
        self._fetcher, self._timeout_s, self._max_bytes = fetcher, timeout_s, max_bytes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request through the door; raises :class:`FetchFailed`."""
        got = self._fetcher.fetch(
            str(request.url),
            content=request.read() if request.method == "POST" else None,
            media_type=request.headers.get("content-type", ""),
            timeout_s=self._timeout_s,
            max_bytes=self._max_bytes,
        )
        return httpx.Response(got.status, headers={"Content-Type": got.media_type}, stream=_Body(got.body))

    def close(self) -> None:
        """Close the connections."""
        self._fetcher.close()


def client(places: Iterable[str], *, timeout_s: float, max_bytes: int) -> Client:
    """A client for functions of the development kit: whatever they ask goes through the door. GET and POST alone.

    Its requests raise :class:`FetchFailed` where others raise httpx.HTTPError.
    """
    return httpx.Client(
        transport=_Door(Fetcher(places), timeout_s, max_bytes), trust_env=False, follow_redirects=False
    )
