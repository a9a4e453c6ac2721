"""Limits and transport (限速、排队、加密): 429 with a time to come again, 503 while the log is held, TLS beyond loopback, nothing lost."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from starlette.requests import Request

from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.project import TagIssued
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Target, sign_request
from plumbline.supervision.gateway.context import require_secure
from plumbline.supervision.gateway.limits import RateLimit
from plumbline.supervision.gateway.settings import GatewaySettings
from plumbline.supervision.tls import local_certificate

pytestmark = pytest.mark.service


def _tags(world, party: str):
    fields = {
        "project": world.project(),
        "tags": [f"LT-{world.size()}"],
        "medium": "qr",
        "issued_to": world.cast.person("sampler"),
    }
    return encode_message(world.message(party, TagIssued, **fields))


@pytest.mark.clause("CECS 6.0.4")
def test_who_sends_too_fast_is_told_when_to_come_again(world, strict_gateway) -> None:
    who = world.enrol("hasty", ["contractor"])
    answers = [world.post(_tags(world, "hasty"), who, url=strict_gateway) for _ in range(9)]
    slowed = [a for a in answers if a.status_code == 429]
    assert slowed
    assert world.refused(slowed[0], 429, "rate-limited")
    assert int(slowed[0].headers["retry-after"]) >= 1
    assert answers[0].status_code == 201
    assert (
        world.post(_tags(world, "contractor"), world.parties["contractor"], url=strict_gateway).status_code
        == 201
    )


def test_who_looks_up_too_fast_is_told_when_to_come_again(world, strict_gateway) -> None:
    answers = [world.http.get(f"{strict_gateway}/v/2611HC0AAAAAAAAAAAAAA") for _ in range(15)]
    slowed = [a for a in answers if a.status_code == 429]
    assert slowed
    assert int(slowed[0].headers["retry-after"]) >= 1


def _crowd(world, url: str, data: list[bytes], who) -> list[httpx.Response]:
    answers: list[httpx.Response] = []

    def send(each: bytes) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            signed = world.__class__(**{**_fields(world), "http": http})
            answers.append(signed.post(each, who, url=url))

    threads = [threading.Thread(target=send, args=(each,)) for each in data]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return answers


def _fields(world) -> dict:
    names = ("platform", "url", "cast", "enrolment", "clients", "desk", "station", "parties")
    return {name: getattr(world, name) for name in names}


def test_a_full_queue_and_a_held_log_are_told_apart_and_nothing_is_lost_or_doubled(
    world, strict_gateway
) -> None:
    names = [f"crowd{i}" for i in range(9)]
    parties = {name: world.enrol(name, ["contractor"]) for name in names}
    data = {name: _tags(world, name) for name in names}
    before = world.size()
    held: list[int] = []
    with psycopg.connect(world.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("SELECT 1 FROM journal.head FOR UPDATE")
        threads = [
            threading.Thread(
                target=lambda n=name: held.extend(
                    a.status_code for a in _crowd(world, strict_gateway, [data[n]], parties[n])
                )
            )
            for name in names
        ]
        threads[0].start()  # this one is taken out of the queue and waits for the head
        time.sleep(0.4)
        [t.start() for t in threads[1:]]  # two find a place in the queue, the others none
        [t.join() for t in threads]
    assert {429, 503} >= set(held), held
    assert 429 in held
    assert 503 in held
    for name in names:
        answer = world.post(data[name], parties[name])
        assert answer.status_code in (200, 201)
    assert world.size() == before + len(names)


def test_a_bucket_fills_again_with_time(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = RateLimit(2, 3)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Problem) as caught:
        limit.take("a")
    assert caught.value.retry_after_s == 1
    limit.take("b")
    now[0] += 0.5
    limit.take("a")


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "1e12"])
def test_a_limit_that_is_none_is_refused_at_the_start(text) -> None:
    with pytest.raises(ValueError, match="PLUMB_RATE"):
        GatewaySettings.from_env({"PLUMB_RATE": text})
    assert GatewaySettings.from_env({"PLUMB_KEY_CACHE_S": "60"}).key_cache_s == 5.0


@pytest.fixture(scope="module")
def secure(world, gateway_process):
    """A gateway with the certificate of `--lan`, reached at loopback."""
    folder = world.platform.folder("tls")
    tls = local_certificate(folder, "127.0.0.1")
    with gateway_process(world.platform, tls=tls) as url:
        yield url, tls[2]


@pytest.mark.clause("BJ 5.4.8-b", "CECS 6.0.2")
def test_beyond_loopback_the_interface_speaks_tls_with_our_own_certificate(world, secure) -> None:
    url, authority = secure
    verify = ssl.create_default_context(cafile=str(authority))
    with httpx.Client(verify=verify, trust_env=False) as http:
        assert http.get(f"{url}/x/v1/time").status_code == 200
        signed = world.__class__(**{**_fields(world), "http": http})
        answer = signed.post(_tags(world, "contractor"), world.parties["contractor"], url=url)
        assert answer.status_code == 201, answer.text
        host, port = url.removeprefix("https://").split(":")
        assert http.get(f"https://localhost:{port}/healthz").status_code == 200
        assert host == "127.0.0.1"


def test_a_stranger_to_our_authority_is_warned_and_plain_http_gets_nothing(secure) -> None:
    url, _ = secure
    with httpx.Client(trust_env=False) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        http.get(f"{url}/x/v1/time")
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"GET /x/v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not line.recv(200).startswith(b"HTTP/1.1 200")


def _request(scheme: str, host: str, **headers: str) -> Request:
    context = SimpleNamespace(trusted_proxies=frozenset({"10.0.0.9"}))
    return Request(
        {
            "type": "http",
            "scheme": scheme,
            "client": (host, 40000),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "app": SimpleNamespace(state=SimpleNamespace(context=context)),
        }
    )


@pytest.mark.clause("CECS 6.0.5-a", "BJ 5.4.8-b")
@pytest.mark.parametrize(
    ("scheme", "host", "refused"),
    [
        ("http", "10.0.0.5", True),
        ("http", "127.0.0.1", False),
        ("http", "::1", False),
        ("https", "10.0.0.5", False),
    ],
)
def test_plain_http_is_refused_beyond_loopback(scheme, host, refused) -> None:
    request = _request(scheme, host)
    if refused:
        with pytest.raises(Problem) as caught:
            require_secure(request)
        assert caught.value.slug == "plain-http"
    else:
        require_secure(request)


def test_nothing_older_than_tls_1_3_is_spoken(secure) -> None:
    url, authority = secure
    place = ("127.0.0.1", int(url.rpartition(":")[2]))

    def spoken(oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> tuple[str, str]:
        context = ssl.create_default_context(cafile=str(authority))
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = oldest, newest
        with (
            socket.create_connection(place, timeout=30) as line,
            context.wrap_socket(line, server_hostname="localhost") as safe,
        ):
            return str(safe.version()), safe.cipher()[0]

    version, cipher = spoken(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert version == "TLSv1.3" and cipher.startswith("TLS_") and cipher.endswith(("_SHA256", "_SHA384"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        spoken(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    with (
        pytest.warns(DeprecationWarning, match="TLSv1"),
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        spoken(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


def _head(url: str, *lines: str) -> tuple[tuple[str | None, int | None], bytes]:
    place = urlsplit(url)
    told = ["POST /x/v1/entries HTTP/1.1", f"Host: {place.netloc}", "Content-Type: application/json", *lines]
    return (place.hostname, place.port), ("\r\n".join(told) + "\r\n\r\n").encode()


def test_a_strangers_large_body_is_refused_before_it_is_sent(world) -> None:
    """Memory is for those whose signature holds: it is looked for in the headers, before the body."""
    place, head = _head(world.url, "Content-Length: 16000000")
    with socket.create_connection(place, timeout=10) as line:
        line.sendall(head)
        assert line.recv(2000).startswith(b"HTTP/1.1 401")
    place, head = _head(world.url, "Transfer-Encoding: chunked")
    with socket.create_connection(place, timeout=10) as line:
        line.sendall(head + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 80)
        assert line.recv(2000).startswith(b"HTTP/1.1 401")


def test_a_large_body_of_a_known_sender_is_read_again_and_again(world) -> None:
    """Room that one of them took is there again for the next: more of them, one after the other, than have room at a time."""
    who, data = world.parties["contractor"], _tags(world, "contractor")
    body = encode_submission(data, origin=[sign_origin(who.origin, data)])
    padded = body[:-1] + b" " * (15_000_000) + body[-1:]
    answers = [world.post(data, who, body=padded) for _ in range(10)]
    assert {each.status_code for each in answers} <= {200, 201}, [each.text[:200] for each in answers]


def _begun(stack: contextlib.ExitStack, world, who, body: bytes, data: bytes) -> None:
    """A request whose headers are signed and whose body does not come."""
    target = Target(method="POST", uri=f"{world.url}/x/v1/entries")
    signed = sign_request(who.transport, target, body, data, created=int(time.time()), nonce="")
    lines = [f"{name}: {value}" for name, value in signed.items()]
    place, head = _head(world.url, *lines, f"Content-Length: {len(body)}")
    stack.enter_context(socket.create_connection(place, timeout=10)).sendall(head)


def test_who_is_told_to_come_again_hears_it_in_the_middle_of_sending(world) -> None:
    """Two of its own lines hold all the room of a sender: the third is told so before its megabytes have gone, and later it is taken."""
    who, data = world.enrol("roomy", ["contractor"]), _tags(world, "roomy")
    body = encode_submission(data, origin=[sign_origin(who.origin, data)])
    padded = body[:-1] + b" " * 15_000_000 + body[-1:]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            _begun(stack, world, who, padded, data)
        until = time.monotonic() + 10
        while (told := world.post(data, who, body=padded)).status_code != 429 and time.monotonic() < until:
            time.sleep(0.1)
        refused = world.refused(told, 429, "queue-full")
        assert "大报文太多" in refused["detail"] and told.headers["retry-after"] == "2"
        other, its = world.parties["contractor"], _tags(world, "contractor")
        large = encode_submission(its, origin=[sign_origin(other.origin, its)])
        assert world.post(its, other, body=large[:-1] + b" " * 1_000_000 + large[-1:]).status_code == 201
    until = time.monotonic() + 10
    while (told := world.post(data, who, body=padded)).status_code == 429 and time.monotonic() < until:
        time.sleep(0.2)
    assert told.status_code in (200, 201), told.text


def test_slow_senders_leave_web_to_the_others(running_platform) -> None:
    """Twice as many as web has threads begin a body and stop; who opens a page meanwhile has it at once (slowloris)."""
    place = urlsplit(running_platform.url)
    head = (
        f"POST /account/login/ HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 200000\r\n\r\nx="
    )
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            slow = stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=10))
            slow.sendall(head.encode())
        time.sleep(1)
        answer = httpx.get(
            f"{running_platform.url}/account/login/", timeout=8, trust_env=False, follow_redirects=True
        )
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
