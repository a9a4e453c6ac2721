"""Out of handles, out of memory (句柄、内存用尽): a gateway that has no more is slow or says 503, and goes on afterwards (TRUST F19)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.project import TagIssued
from plumbline.exchange.origin import sign_origin

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("prlimit"), reason="没有 prlimit（util-linux）"),
]
#: Handles of the bounded gateway: it has some forty open when nobody asks.
HANDLES = 80
#: Address space of the bounded gateway, bytes: about what it has when nobody asks, and a few large bodies.
SPACE = 1000 * 1024 * 1024


def _tags(world, number: int) -> bytes:
    fields = {
        "project": world.project(),
        "tags": [f"EX-{os.getpid()}-{number}"],
        "medium": "qr",
        "issued_to": world.cast.person("sampler"),
    }
    return encode_message(world.message("contractor", TagIssued, **fields))


def _sent(world, url: str, data: bytes, body: bytes | None = None) -> int:
    """Status of the answer, 0 for none."""
    with httpx.Client(timeout=20, trust_env=False) as http:
        own = world.__class__(
            **{name: getattr(world, name) for name in world.__dataclass_fields__} | {"http": http}
        )
        try:
            return int(own.post(data, world.parties["contractor"], url=url, body=body).status_code)
        except httpx.TransportError:
            return 0


def _goes_on(world, url: str) -> None:
    world.wait_for(lambda: _sent(world, url, _tags(world, time.monotonic_ns())) == 201, 30)


@pytest.mark.clause("BJ 4.1.7-a")
def test_a_gateway_without_handles_loses_nothing_and_goes_on_when_it_has_some(world, gateway_process) -> None:
    with (
        gateway_process(world.platform, bounds=[f"--nofile={HANDLES}"]) as url,
        contextlib.ExitStack() as held,
    ):
        place = urlsplit(url)
        before = world.size()
        taken = 0
        for _ in range(2 * HANDLES):  # whoever opens lines and says nothing takes every handle
            try:
                line = held.enter_context(socket.create_connection((place.hostname, place.port), timeout=2))
                line.sendall(b"POST /x/v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
                taken += 1
            except OSError:
                break
        told: list[int] = []
        asking = threading.Thread(target=lambda: told.append(_sent(world, url, _tags(world, -1))))
        asking.start()
        asking.join(25)
        assert taken >= HANDLES // 2 and told and told[0] in (0, 408, 503), told
        held.close()
        _goes_on(world, url)
        assert world.size() > before


@pytest.mark.clause("BJ 4.1.7-a")
def test_a_gateway_without_memory_says_so_and_loses_nothing(world, gateway_process) -> None:
    who, data = world.parties["contractor"], [_tags(world, number) for number in range(24)]
    padding = b" " * 15_000_000
    bodies = [encode_submission(each, origin=[sign_origin(who.origin, each)]) for each in data]
    large = [body[:-1] + padding + body[-1:] for body in bodies]
    before = world.size()
    with gateway_process(world.platform, bounds=[f"--as={SPACE}"]) as url:
        with ThreadPoolExecutor(12) as pool:
            told = list(pool.map(lambda pair: _sent(world, url, *pair), zip(data, large, strict=True)))
    # 0: the server's own code has no memory for the answer, and may end with the process; whoever looks after it starts another
    assert set(told) <= {0, 201, 429, 503} and {429, 503, 0} & set(told), told
    accepted = sum(1 for each in told if each == 201)
    assert world.size() >= before + accepted
    again = [_sent(world, world.url, each) for each in data]
    assert [status for status, first in zip(again, told, strict=True) if first == 201] == [200] * accepted
    assert set(again) <= {200, 201}
