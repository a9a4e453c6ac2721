"""Out of handles, out of memory (句柄、内存用尽): a gateway that has no more is slow or says 503, and goes on afterwards (TRUST F19)."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.header import Environment
from plumbline.exchange.messages.project import EnvironmentRecorded, TagIssued
from plumbline.exchange.origin import sign_origin

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("prlimit"), reason="没有 prlimit（util-linux）"),
]
#: Handles of the bounded gateway: it has some forty open when nobody asks.
HANDLES = 80
#: Address space that the bounded gateway has beyond what it holds after the same load unbounded, bytes: less than one more large body.
SPARE = 8 * 1024 * 1024
#: Who sends large bodies, how many each at a time, and their size: of the room that a gateway has for them (128 MiB, a quarter for one
#: sender) they take less than all, so that it is memory that runs out and not that room.
SENDERS = ("institution", "contractor", "owner", "resident_engineer_firm")
TOGETHER = 2
LARGE = 15_000_000
#: How the product's own refusal for lack of memory begins, as nobody else's does.
NO_MEMORY = "平台的内存用完了"


def _tags(world, number: int) -> bytes:
    fields = {
        "project": world.project(),
        "tags": [f"EX-{os.getpid()}-{number}"],
        "medium": "qr",
        "issued_to": world.cast.person("sampler"),
    }
    return encode_message(world.message("contractor", TagIssued, **fields))


def _told(
    world, url: str, data: bytes, party: str = "contractor", body: bytes | None = None
) -> tuple[int, str]:
    """Status of the answer and what it says of a refusal; 0 for none."""
    with httpx.Client(timeout=20, trust_env=False) as http:
        own = world.__class__(
            **{name: getattr(world, name) for name in world.__dataclass_fields__} | {"http": http}
        )
        try:
            answer = own.post(data, world.parties[party], url=url, body=body)
        except httpx.TransportError as error:
            return 0, type(error).__name__
        with contextlib.suppress(ValueError):  # what the server's own code answers is no JSON
            return answer.status_code, str(answer.json().get("detail", ""))
        return answer.status_code, ""


def _sent(world, url: str, data: bytes) -> int:
    """Status of the answer, 0 for none."""
    return _told(world, url, data)[0]


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


def _large(world, party: str, number: int) -> tuple[str, bytes, bytes]:
    """Who sends, a message, and the body with so much room between its parts that it is a large one."""
    air = Environment(temperature_C="20.5", humidity_pct="62")
    fields = {"site": "S1", "room": f"EX-{os.getpid()}-{number}", "environment": air}
    data = encode_message(world.message(party, EnvironmentRecorded, **fields))
    body = encode_submission(data, origin=[sign_origin(world.parties[party].origin, data)])
    return party, data, body[:-1] + b" " * LARGE + body[-1:]


def _at_once(world, url: str, large: list[tuple[str, bytes, bytes]]) -> list[tuple[int, str]]:
    """Status and detail of the answers to all of them, no more at a time of a party than it may send."""

    def of_one(mine: list[tuple[int, str, bytes, bytes]]) -> list[tuple[int, tuple[int, str]]]:
        return [(at, _told(world, url, data, party, body)) for at, party, data, body in mine]

    lanes: dict[tuple[str, int], list[tuple[int, str, bytes, bytes]]] = {}
    for at, (party, data, body) in enumerate(large):
        lanes.setdefault((party, at // len(SENDERS) % TOGETHER), []).append((at, party, data, body))
    with ThreadPoolExecutor(len(lanes)) as pool:
        found = dict(pair for told in pool.map(of_one, lanes.values()) for pair in told)
    return [found[at] for at in range(len(large))]


def _serving(url: str) -> int:
    """Process number of the gateway behind an address: the one of its server's processes that has most in its memory."""
    port = str(urlsplit(url).port).encode()
    parents = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit():
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parents[int(folder.name)] = (_status(int(folder.name), "PPid"), words)
    servers = {pid for pid, (_, words) in parents.items() if b"--port" in words and port in words}
    return max(servers | {pid for pid, (parent, _) in parents.items() if parent in servers}, key=_space)


def _status(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _space(pid: int) -> int:
    """Address space of a process, bytes."""
    return 1024 * _status(pid, "VmSize")


@pytest.mark.clause("BJ 4.1.7-a")
def test_a_gateway_without_memory_says_so_and_loses_nothing(world, gateway_process) -> None:
    several = 2 * len(SENDERS)
    made = [_large(world, SENDERS[at % len(SENDERS)], at) for at in range(5 * len(SENDERS))]
    usual, large = made[:several], made[several:]
    with gateway_process(world.platform) as url:
        pid = _serving(url)
        before = _at_once(world, url, usual)
        assert not [told for told in before if NO_MEMORY in told[1]], "unbounded it has memory enough"
        resource.prlimit(pid, resource.RLIMIT_AS, (_space(pid) + SPARE, resource.RLIM_INFINITY))
        told = _at_once(world, url, large)
        _goes_on(world, url)  # of its own accord and still bounded
        assert _serving(url) == pid, "it is the same process"
    # 0: no answer within the time; 429: its room was not given back yet; 500: a thread could not be started, which is no MemoryError
    assert {status for status, _ in told} <= {0, 201, 429, 500, 503}, told
    assert [status for status, detail in told if NO_MEMORY in detail], told
    assert {status for status, detail in told if NO_MEMORY in detail} == {503}
    again = [_told(world, world.url, data, party)[0] for party, data, _ in made]
    accepted = [at for at, (status, _) in enumerate([*before, *told]) if status == 201]
    assert [again[at] for at in accepted] == [200] * len(accepted), "what was acknowledged was there already"
    assert set(again) <= {200, 201}
    world.settle()
    uids = [msgspec.json.decode(data)["uid"] for _, data, _ in made]
    found = world.rows("SELECT uid::text FROM fact.event WHERE uid::text = ANY(%s)", [uids])
    assert sorted(row["uid"] for row in found) == sorted(uids), "each once in the log"
