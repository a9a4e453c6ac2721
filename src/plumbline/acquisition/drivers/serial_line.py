"""Driver for presses that write one reading a line, "t_ms;force_kN", on a serial port (串口采集).

A line "END" ends the test. Decimal point only, no exponent; anything else is a bad line. The port is opened
with pyserial where it is installed, else with the operating system's own terminal interface (not on Windows).
"""

from __future__ import annotations

import importlib
import os
import re
import select
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, Protocol

from plumbline.acquisition.press import BadLine, Ended, Reading

END_LINE: Final = "END"
#: A line without an end after so many bytes is noise, not a line.
LONGEST_LINE: Final = 256
_READING: Final = re.compile(
    r"(?P<ms>[0-9]{1,12}(?:\.[0-9]{1,3})?);(?P<force>-?[0-9]{1,6}(?:\.[0-9]{1,6})?)", re.ASCII
)
_READ_BYTES: Final = 4096
_POLL_S: Final = 0.1


class PortError(OSError):
    """The port cannot be opened or was lost; the sentence names it."""


class BytePort(Protocol):
    """A serial port, as little of it as is needed."""

    def read(self) -> bytes | None:
        """Bytes that arrived within a tenth of a second; None when none did. Raises `PortError` when lost."""
        ...

    def close(self) -> None:
        """Give the port back; calling it twice does nothing."""
        ...


class PySerialPort:
    """A port through pyserial, on every operating system."""

    def __init__(self, device: str, baud: int) -> None:
        serial: Any = importlib.import_module("serial")
        self._errors: tuple[type[Exception], ...] = (serial.SerialException, OSError)
        try:
            self._port = serial.Serial(device, baud, timeout=_POLL_S)
        except self._errors as exc:
            raise PortError(f"串口“{device}”打不开：{exc}") from exc

    def read(self) -> bytes | None:
        """Bytes that arrived; see `BytePort`."""
        try:
            # One byte waits for the timeout, what came with it is taken at once: lines are passed on as they
            # come.
            first: bytes = self._port.read(1)
            rest: bytes = self._port.read(min(self._port.in_waiting, _READ_BYTES)) if first else b""
        except self._errors as exc:
            raise PortError("串口连接中断") from exc
        return first + rest or None

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


class TerminalPort:
    """A port through termios, on POSIX systems without pyserial."""

    def __init__(self, device: str, baud: int) -> None:
        try:
            self._termios: Any = importlib.import_module("termios")
            self._fd: int | None = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except (ImportError, OSError) as exc:
            raise PortError(f"串口“{device}”打不开：{exc}") from exc
        try:
            self._make_raw(baud)
        except (self._termios.error, AttributeError) as exc:
            self.close()
            raise PortError(f"“{device}”不是串口，或不支持波特率 {baud}") from exc

    def read(self) -> bytes | None:
        """Bytes that arrived; see `BytePort`."""
        if self._fd is None:
            raise PortError("串口已关闭")
        ready, _, _ = select.select([self._fd], [], [], _POLL_S)
        if not ready:
            return None
        try:
            arrived = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as exc:
            raise PortError("串口连接中断") from exc
        if not arrived:
            raise PortError("串口连接中断")
        return arrived

    def close(self) -> None:
        """Give the port back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _make_raw(self, baud: int) -> None:
        termios = self._termios
        speed = getattr(termios, f"B{baud}")
        iflag, oflag, cflag, lflag, _, _, special = termios.tcgetattr(self._fd)
        # Raw, eight bits, no parity, no echo, no translation: what the machine wrote is what is read.
        iflag &= ~(
            termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP | termios.BRKINT
        )
        lflag &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        cflag = (cflag & ~(termios.CSIZE | termios.PARENB)) | termios.CS8 | termios.CREAD | termios.CLOCAL
        oflag &= ~termios.OPOST
        attributes = [iflag, oflag, cflag, lflag, speed, speed, special]
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)


def open_port(device: str, baud: int = 9600) -> BytePort:
    """The port, by pyserial when installed; raises `PortError` with a Chinese sentence."""
    try:
        return PySerialPort(device, baud)
    except ImportError:
        return TerminalPort(device, baud)


class SerialDriver:
    """Reads lines from a port until "END", until silence, or until the port is lost."""

    def __init__(self, port: BytePort, silence_s: float = 30.0) -> None:
        self._port = port
        self._silence_s = silence_s

    def events(self) -> Iterator[Reading | BadLine | Ended]:
        """Readings and bad lines as they come, then why it ended; the port is closed after it."""
        pending = b""
        heard = time.monotonic()
        try:
            while True:
                arrived = self._port.read()
                if arrived is None:
                    if time.monotonic() - heard > self._silence_s:
                        yield from _remainder(pending)
                        yield Ended("silent")
                        return
                    continue
                heard = time.monotonic()
                *lines, pending = (pending + arrived).split(b"\n")
                for line in lines:
                    if line.strip() == END_LINE.encode():
                        yield Ended("finished")
                        return
                    yield from parse_line(line)
                if len(pending) > LONGEST_LINE:
                    yield BadLine(_shown(pending), f"超过 {LONGEST_LINE} 字节没有换行")
                    pending = b""
        except PortError:
            yield from _remainder(pending)
            yield Ended("lost")
        finally:
            self._port.close()


def parse_line(line: bytes) -> Iterator[Reading | BadLine]:
    """A reading or a bad line; nothing for an empty line."""
    text = line.strip()
    if not text:
        return
    match = _READING.fullmatch(text.decode("ascii", errors="replace")) if len(line) <= LONGEST_LINE else None
    if match is None:
        yield BadLine(_shown(text), "不是“毫秒;力值 kN”格式")
        return
    yield Reading(int(Decimal(match["ms"]) * 1000), match["force"])


def _remainder(pending: bytes) -> Iterator[BadLine]:
    if pending.strip():
        yield BadLine(_shown(pending), "最后一行没有结束")


def _shown(text: bytes) -> str:
    """At most 80 printable characters, others as escapes: it goes to screens and logs."""
    return text[:80].decode("ascii", errors="backslashreplace").encode("unicode_escape").decode("ascii")[:80]
