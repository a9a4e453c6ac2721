"""Signed requests with bounded retries (签名请求): the same bytes every time, a fresh signature each time."""

from __future__ import annotations

import random
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

import httpx

from plumbline.exchange.signatures import Signer, Target, sign_request
from plumbline.sdk.client.problems import Refused, Unreachable, problem_of

#: These say that the request may succeed later; 504 comes from proxies only.
RETRIED = frozenset({408, 429, 502, 503, 504})
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
#: A platform may ask for a longer pause than ours, but not for one without end.
LONGEST_RETRY_AFTER_S = 300.0
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_NONE: Mapping[str, str] = MappingProxyType({})


def open_http(base_url: str, ca: Path | str | None = None) -> httpx.Client:
    """An HTTP client for the platform; `ca` is a PEM file to trust instead of the system's.

    ValueError for plain HTTP beyond loopback: personal parts would travel in clear, and the platform refuses
    it anyway.
    """
    url = httpx.URL(base_url)
    loopback = _is_loopback(url.host)
    if url.scheme not in {"http", "https"} or (url.scheme == "http" and not loopback):
        raise ValueError(f"{base_url}：除本机外只能用 https 地址")
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(ca)) if ca else True
    return httpx.Client(verify=verify, timeout=_TIMEOUT, trust_env=not loopback, follow_redirects=False)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to make. `message` is the part that Plumb-Message-Digest covers; without it the whole body
    is."""

    method: str
    path: str
    body: bytes = b""
    message: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE)
    #: a call that is not idempotent by uid carries a nonce
    nonce: bool = False
    #: seconds to wait for the answer beyond the usual
    extra_s: float = 0.0


class Transport:
    """Signs and sends; repeats what may be repeated. Not for use by several threads at once."""

    def __init__(
        self,
        base_url: str,
        signer: Signer,
        http: httpx.Client,
        *,
        retries: int = 5,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.http = http
        self.retries = retries
        #: platform's clock minus ours, in seconds; learned from the Date of a refusal as stale
        self.clock_offset_s = 0.0
        self._signer = signer
        self._pause = pause

    def call(self, call: Call) -> httpx.Response:
        """The answer below 400. Raises :class:`Refused`, or :class:`Unreachable` when no attempt got an
        answer."""
        corrected = False
        attempt = 0
        while True:
            try:
                answer = self.once(call)
            except httpx.TransportError as error:
                self.wait(attempt, error)
                attempt += 1
                continue
            if answer.status_code < 400:
                return answer
            problem = Refused(problem_of(answer), answer.status_code)
            if problem.slug == "signature-stale" and not corrected and self._correct_clock(answer):
                corrected = True
                continue
            if not _may_repeat(problem, answer) or attempt >= self.retries:
                raise problem
            self._pause(self._after(answer, attempt))
            attempt += 1

    def once(self, call: Call) -> httpx.Response:
        """One attempt, whatever its status; raises httpx.TransportError when the connection fails."""
        uri = self.base_url + call.path
        signed = sign_request(
            self._signer,
            Target(method=call.method, uri=uri),
            call.body,
            call.body if call.message is None else call.message,
            created=int(time.time() + self.clock_offset_s),
            nonce=secrets.token_urlsafe(18) if call.nonce else "",
        )
        timeout = httpx.Timeout(30.0 + call.extra_s, connect=5.0)
        return self.http.request(
            call.method, uri, content=call.body, headers=dict(call.headers) | signed, timeout=timeout
        )

    def wait(self, attempt: int, error: Exception) -> None:
        """Pause before attempt number `attempt` + 1, or raise :class:`Unreachable` when there is none
        left."""
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError) or attempt >= self.retries:
            raise Unreachable(f"平台没有答复（{type(error).__name__}），uid 不变，可以稍后重发") from error
        self._pause(_backoff(attempt))

    def rest(self, stated_s: float, attempt: int) -> None:
        """Pause before messages are sent again that the platform could not take yet; at least as long as it asked for."""
        self._pause(_spread(stated_s) if stated_s else _backoff(attempt))

    def _after(self, answer: httpx.Response, attempt: int) -> float:
        stated = retry_after_s(answer)
        return _backoff(attempt) if stated is None else _spread(stated)

    def _correct_clock(self, answer: httpx.Response) -> bool:
        stated = _http_date(answer.headers.get("date", ""))
        if stated is None:
            return False
        self.clock_offset_s = stated.timestamp() - time.time()
        return True


def _may_repeat(problem: Refused, answer: httpx.Response) -> bool:
    if answer.status_code in RETRIED:
        return True
    # A key that was enrolled a moment ago: the platform says when to come again.
    return problem.slug == "key-unknown" and "retry-after" in answer.headers


def _spread(stated_s: float) -> float:
    # A little jitter on top, so that those who were turned away together do not come back together.
    return min(stated_s, LONGEST_RETRY_AFTER_S) + random.uniform(0, 0.5)  # noqa: S311 (not a secret)


def _backoff(attempt: int) -> float:
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)


def _http_date(text: str) -> datetime | None:
    try:
        stated = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return stated if stated.tzinfo else stated.replace(tzinfo=UTC)


def retry_after_s(answer: httpx.Response) -> float | None:
    """Seconds that the answer asks to wait (RFC 9110 §10.2.3: a number or a date), or None."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _http_date(text)
    if until is None:
        return None
    now = _http_date(answer.headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())
