"""The virus scanner (病毒扫描): clamd's INSTREAM over a local socket or TCP, and what is done without one.

The scanner is asked by the worker, never while a file is received. See docs/decisions/0025-hardened-input.md.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

CHUNK = 64 * 1024
#: An answer is one short line; whatever is longer is no clamd.
MAX_ANSWER = 4096
CONNECT_S = 5.0
#: A scan may take so long, and a second more for every megabyte.
SCAN_S = 60.0
_FOUND, _ERROR = " FOUND", " ERROR"
_EXCEEDED = "Heuristics.Limits.Exceeded"


class ScannerProblem(RuntimeError):
    """The scanner is out of reach, or did not answer like one; the message is one plain sentence."""


class ScanSettingsProblem(ValueError):
    """The settings of the scanner cannot be used; the message is one plain sentence."""


class Policy(StrEnum):
    """How much depends on the scanner (查毒策略)."""

    #: Nobody is asked.
    OFF = "off"
    #: Files are scanned; one that is not scanned yet is served.
    ASK = "ask"
    #: Only what was found clean is served.
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """Policy and place of the scanner, by environment."""

    #: PLUMB_SCAN: off, ask or require; with PLUMB_CLAMD alone it is ask.
    policy: Policy = Policy.OFF
    #: PLUMB_CLAMD: unix:/folder/clamd.ctl or tcp:host:port.
    address: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> ScanSettings:
        """The settings of this process; raises :class:`ScanSettingsProblem`."""
        address, told = env.get("PLUMB_CLAMD", "").strip(), env.get("PLUMB_SCAN", "").strip()
        try:
            policy = Policy(told) if told else (Policy.ASK if address else Policy.OFF)
        except ValueError:
            raise ScanSettingsProblem(
                f"PLUMB_SCAN={told[:40]} 不认得：要写 off、ask 或 require，请改正后重新启动"
            ) from None
        if policy is not Policy.OFF and not address:
            raise ScanSettingsProblem(
                f"PLUMB_SCAN={policy} 要有病毒扫描的地址：请设 PLUMB_CLAMD=unix:/路径 或 tcp:主机:端口，再重新启动"
            )
        if address:
            _place(address)
        return cls(policy=policy, address=address)


def settings_or_exit() -> ScanSettings:
    """The settings of this process; a setting that cannot be used ends it with one plain sentence."""
    try:
        return ScanSettings.from_env()
    except ScanSettingsProblem as problem:
        raise SystemExit(f"{problem}。") from None


def _place(address: str) -> str | tuple[str, int]:
    """A socket's path, or (host, port)."""
    kind, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    if kind == "unix" and rest.startswith("/"):
        return rest
    if kind == "tcp" and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return host.strip("[]"), int(port)
    raise ScanSettingsProblem(
        f"PLUMB_CLAMD={address[:80]} 不是地址：要写 unix:/路径 或 tcp:主机:端口，请改正后重新启动"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What the scanner said of one file: `outcome` is clean, infected or failed; `found` names what it found, or why it cannot say."""

    outcome: str
    found: str = ""


@dataclass(frozen=True, slots=True)
class Scanner:
    """One clamd. Every question has a connection of its own."""

    address: str

    def version(self) -> str:
        """What it calls itself, with the day of its signatures; raises :class:`ScannerProblem`."""
        with self._connected(time.monotonic() + CONNECT_S) as wire:
            wire.send(b"zVERSION\0")
            return wire.answer()

    def scan(self, path: Path) -> Scanned:
        """Send a file through; raises :class:`ScannerProblem` when the scanner is at fault and OSError when the file is."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            with self._connected(time.monotonic() + SCAN_S + size / 1_000_000) as wire:
                return _verdict(self._streamed(wire, iter(lambda: file.read(CHUNK), b"")))

    def _streamed(self, wire: _Wire, chunks: Iterator[bytes]) -> str:
        wire.send(b"zINSTREAM\0")
        try:
            for chunk in chunks:
                wire.send(struct.pack(">I", len(chunk)) + chunk)
            wire.send(b"\0\0\0\0")
        except ScannerProblem:
            # beyond its limit clamd says so and hangs up, while the rest is still being sent
            told = wire.answer()
            if _verdict(told).outcome == "clean":
                raise ScannerProblem("病毒扫描没有读完文件就说没有毒") from None
            return told
        return wire.answer()

    @contextmanager
    def _connected(self, until: float) -> Iterator[_Wire]:
        place = _place(self.address)
        try:
            if isinstance(place, str):
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                made.settimeout(CONNECT_S)
                try:
                    made.connect(place)
                except OSError:
                    made.close()
                    raise
            else:
                made = socket.create_connection(place, CONNECT_S)
        except OSError as error:
            raise ScannerProblem(f"连不上病毒扫描（{type(error).__name__}）") from error
        with made:
            yield _Wire(made, until)


@dataclass(slots=True)
class _Wire:
    """A connection that ends at a fixed time, whatever the other side does."""

    socket: socket.socket
    until: float

    def send(self, data: bytes) -> None:
        self._limit()
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ScannerProblem(f"病毒扫描断开了连接（{type(error).__name__}）") from error

    def answer(self) -> str:
        """Up to the zero byte that ends an answer."""
        got = bytearray()
        while not got.endswith(b"\0"):
            self._limit()
            try:
                part = self.socket.recv(MAX_ANSWER)
            except OSError as error:
                raise ScannerProblem(f"病毒扫描没有答复（{type(error).__name__}）") from error
            got += part
            if not part or len(got) > MAX_ANSWER:
                raise ScannerProblem("病毒扫描的答复不完整")
        return got[:-1].decode("utf-8", "replace").strip()

    def _limit(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise ScannerProblem("病毒扫描太慢，没有等到答复")
        self.socket.settimeout(left)


def _verdict(answer: str) -> Scanned:
    """clamd's line as a verdict; a line that is none is a :class:`ScannerProblem`: only `OK` is clean."""
    told = answer.removeprefix("stream: ")
    if told == "OK":
        return Scanned(outcome="clean")
    if told.endswith(_FOUND):
        name = _named(told.removesuffix(_FOUND))
        # with AlertExceedsMax clamd says so of what it did not read to the end: no virus, and not clean either
        return Scanned(outcome="failed" if name.startswith(_EXCEEDED) else "infected", found=name)
    if told.endswith(_ERROR):
        return Scanned(outcome="failed", found=_named(told.removesuffix(_ERROR)))
    raise ScannerProblem(f"病毒扫描的答复看不懂：{_named(told)[:80]}")


def _named(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]


@lru_cache(maxsize=1)
def scan_policy() -> Policy:
    """How much depends on the scanner in this process."""
    return ScanSettings.from_env().policy


#: Why a stored file is given to nobody; empty when it is given.
INFECTED = "文件没有通过病毒查验，已经隔离，不提供给任何人。"
NOT_SCANNED = "文件尚未查验，查验通过以后才能打开。"


def withheld_because(scan: str | None, policy: Policy) -> str:
    """Why a stored file with this outcome of the scan is given to nobody, in plain words; empty when it is given."""
    if scan == "infected":
        return INFECTED
    return NOT_SCANNED if policy is Policy.REQUIRE and scan != "clean" else ""
