"""Readings through a real pseudo-terminal, by each of the two ways to open a port."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections.abc import Callable, Iterator

import pytest

from plumbline.acquisition.drivers.serial_line import (
    BytePort,
    PortError,
    PySerialPort,
    SerialDriver,
    TerminalPort,
    open_port,
    parse_line,
)
from plumbline.acquisition.press import BadLine, PressSession, Reading
from plumbline.acquisition.simulator import SimulatedPress

Opener = Callable[[str, int], BytePort]


class Line:
    """The machine's end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.machine, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        self._slave: int | None = slave

    def write(self, content: bytes) -> threading.Thread:
        """Write from a thread of its own, as a machine does."""
        thread = threading.Thread(target=self._write, args=(content,))
        thread.start()
        return thread

    def unplug(self) -> None:
        """Close both ends that this side holds."""
        for end in (self.machine, self._slave):
            if end is not None:
                os.close(end)
        self.machine, self._slave = -1, None

    def _write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self.machine, content[:700]) :]
            time.sleep(0.001)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    if made.machine >= 0:
        made.unplug()


@pytest.fixture(params=["pyserial", "termios"])
def opener(request: pytest.FixtureRequest) -> Opener:
    if request.param == "pyserial":
        pytest.importorskip("serial", reason="pyserial is not installed")
        return PySerialPort
    return TerminalPort


def lines_of(recording_seed: int) -> tuple[bytes, list[int]]:
    force = SimulatedPress(recording_seed).cube(20.0).channels[0]
    assert force.time_us is not None
    rows = zip(force.time_us, force.counts, strict=True)
    text = "".join(f"{time_us // 1000};{count * 5 / 100:.2f}\r\n" for time_us, count in rows)
    return text.encode(), force.counts.tolist()


def test_a_whole_test_comes_through_the_line(line: Line, opener: Opener) -> None:
    content, counts = lines_of(4)
    session = PressSession(SerialDriver(opener(line.device, 9600), 10), scale="0.05")
    writer = line.write(content + b"END\n")
    assert [sample.force_scaled for sample in session] == counts
    writer.join()
    assert (session.ended, session.bad_count, session.gaps()) == ("finished", 0, ())


def test_noise_on_the_line_is_reported_and_the_gap_stays_visible(line: Line, opener: Opener) -> None:
    rows = [f"{n * 50};{n}.5\n".encode() for n in range(60)]
    rows[20:40] = [b"\x00\xff garbage\n", b"1000;12,5\n", b"1050;1e3\n"]
    session = PressSession(SerialDriver(opener(line.device, 9600), 10), scale="0.1")
    writer = line.write(b"".join(rows) + b"END\n")
    assert len(list(session)) == 40
    writer.join()
    assert (session.bad_count, len(session.gaps())) == (3, 1)
    assert [note.code for note in session.notes()] == ["press.gap", "press.bad_lines"]


def test_silence_ends_the_session_with_its_reason(line: Line, opener: Opener) -> None:
    session = PressSession(SerialDriver(opener(line.device, 9600), 0.3))
    line.write(b"0;1.0\n50;2.0\n100;3.0\n150;4").join()
    assert len(list(session)) == 3
    assert (session.ended, session.bad_lines[0].reason) == ("silent", "最后一行没有结束")


def test_a_pulled_cable_ends_the_session_with_its_reason(line: Line, opener: Opener) -> None:
    session = PressSession(SerialDriver(opener(line.device, 9600), 10))
    line.write(b"0;1.0\n50;2.0\n100;3.0\n").join()
    samples = iter(session)
    assert [next(samples).force_scaled for _ in range(3)] == [100, 200, 300]
    line.unplug()
    assert list(samples) == []
    assert session.ended == "lost"


def test_a_line_without_end_is_cut_and_reported(line: Line, opener: Opener) -> None:
    session = PressSession(SerialDriver(opener(line.device, 9600), 5), scale="0.1")
    writer = line.write(b"9" * 2000 + b"\n0;1.0\n50;2.0\nEND\n")
    assert len(list(session)) == 2
    writer.join()
    assert session.bad_count >= 1
    assert all(len(item.text) <= 80 for item in session.bad_lines)


def test_a_port_that_is_none_gives_a_clear_sentence(opener: Opener, tmp_path: object) -> None:
    for device in (f"{tmp_path}/none", "/dev/null"):
        with pytest.raises(PortError, match="串口"):
            opener(device, 9600)


def test_some_port_opens_with_or_without_pyserial(line: Line) -> None:
    port = open_port(line.device)
    port.close()


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (b"0;0", Reading(0, "0")),
        (b" 12;-0.50\r", Reading(12_000, "-0.50")),
        (b"12.345;884.25", Reading(12_345, "884.25")),
    ],
)
def test_a_reading_keeps_its_digits(text: bytes, reading: Reading) -> None:
    assert list(parse_line(text)) == [reading]


@pytest.mark.parametrize(
    "text", [b"1;", b";1", b"1;2;3", b"-1;2", b"1;nan", b"1;1_0", b"1;+2", "\uff11;2".encode()]
)
def test_what_is_no_reading_is_a_bad_line(text: bytes) -> None:
    (line,) = parse_line(text)
    assert isinstance(line, BadLine)
    assert line.text.isprintable()


def test_an_empty_line_is_nothing() -> None:
    assert list(parse_line(b"\r")) == []
