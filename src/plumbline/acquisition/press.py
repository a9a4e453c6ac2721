"""A live press: one session from first reading to the end, with what went wrong on the line (在线采集).

A driver yields readings and lines it could not read, in the order in which they came; the session scales,
counts and reports. Nothing is repaired: a bad line is kept as a bad line, a gap stays a gap in the curve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, Protocol

import numpy as np

from plumbline.acquisition.curve_scale import ScaleError, restore, scale_reading
from plumbline.acquisition.recordings.model import (
    MAX_POINTS,
    Channel,
    MethodCode,
    Note,
    Recording,
    RecordingError,
    peak_of,
    sampling_rate,
)

FORMAT: Final = "live"
#: Bad lines kept word for word; more are only counted.
KEPT_BAD_LINES: Final = 100
#: A pause counts as a gap beyond this share of the typical interval and beyond half a second.
GAP_FACTOR: Final = 3.0
GAP_LEAST_US: Final = 500_000

EndReason = Literal["finished", "silent", "lost", "full"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading as the machine wrote it."""

    #: Microseconds of the machine's own clock.
    t_us: int
    #: Force in kN, decimal text.
    force_kN: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no reading."""

    #: At most 80 characters of it.
    text: str
    #: Chinese sentence why.
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The driver's last word."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class PressSample:
    """One reading of the curve: µs since the first reading, force in counts of the session's scale."""

    t_us: int
    force_scaled: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A pause in the readings, µs since the first reading."""

    from_us: int
    to_us: int


class Driver(Protocol):
    """What delivers readings from a machine.

    ``events`` is consumed once, may block until the next line, and ends with exactly one `Ended`. It never
    raises for what the line carries; a port that cannot be opened raises when the driver is made.
    """

    def events(self) -> Iterator[Reading | BadLine | Ended]:
        """Readings and bad lines in the order of their arrival, then `Ended`."""
        ...


@dataclass(slots=True)
class PressSession:
    """One test on one press; iterate it to drive it, then ask what came of it.

    ``scale`` is the step of the machine's force reading in kN. Iteration yields each good sample once, as it
    comes. A reading whose time does not advance is a bad line: a curve that runs back would hide what was
    recorded before.
    """

    driver: Driver
    scale: str = "0.01"
    max_points: int = MAX_POINTS
    samples: list[PressSample] = field(default_factory=list, init=False)
    bad_lines: list[BadLine] = field(default_factory=list, init=False)
    bad_count: int = field(default=0, init=False)
    #: Readings with more digits than the scale keeps.
    rounded_count: int = field(default=0, init=False)
    ended: EndReason | None = field(default=None, init=False)
    _first_us: int | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[PressSample]:
        for event in self.driver.events():
            if isinstance(event, Ended):
                self.ended = event.reason
                return
            sample = event if isinstance(event, BadLine) else self._sample(event)
            if isinstance(sample, BadLine):
                self._report(sample)
                continue
            self.samples.append(sample)
            yield sample
            if len(self.samples) >= self.max_points:
                self.ended = "full"
                return

    def gaps(self) -> tuple[Gap, ...]:
        """Pauses longer than three typical intervals and half a second."""
        times = np.array([sample.t_us for sample in self.samples], dtype=np.int64)
        if times.size < 3:
            return ()
        steps = np.diff(times)
        limit = max(GAP_FACTOR * float(np.median(steps)), float(GAP_LEAST_US))
        return tuple(Gap(int(times[at]), int(times[at + 1])) for at in np.flatnonzero(steps > limit))

    def notes(self) -> tuple[Note, ...]:
        """What a reader of the curve must know, as Chinese sentences; empty after a clean session."""
        notes = [
            Note(code="press.gap", sentence=f"曲线在 {gap.from_us / 1e6:.2f}–{gap.to_us / 1e6:.2f} s 间断")
            for gap in self.gaps()
        ]
        if self.bad_count:
            first = self.bad_lines[0]
            sentence = f"{self.bad_count} 行无法读取，首行“{first.text}”：{first.reason}"
            notes.append(Note(code="press.bad_lines", sentence=sentence))
        if self.rounded_count:
            sentence = f"{self.rounded_count} 个读数的位数多于分辨力 {self.scale} kN，已修约"
            notes.append(Note(code="press.rounded", sentence=sentence))
        if self.ended in {"silent", "lost", "full", None}:
            notes.append(Note(code="press.not_finished", sentence=_END_SENTENCES[self.ended]))
        return tuple(notes)

    def recording(
        self, label: str, method: MethodCode | None = None, *, started_at: datetime | None = None
    ) -> Recording:
        """The session as a recording; raises `RecordingError` with fewer than three readings."""
        if len(self.samples) < 3:
            reason = f"只收到 {len(self.samples)} 个读数"
            raise RecordingError("too_few_points", reason, "请检查试验机与采集程序的连接")
        counts = np.array([sample.force_scaled for sample in self.samples], dtype=np.int64)
        times = np.array([sample.t_us for sample in self.samples], dtype=np.int64)
        time_s = times / 1e6
        force = Channel(
            name="force",
            unit="kN",
            time_s=time_s,
            value=restore(counts, self.scale),
            counts=counts,
            scale=self.scale,
            lossless=self.rounded_count == 0,
            source_column="live",
        )
        digest = hashlib.sha256(times.astype(">i8").tobytes() + counts.astype(">i8").tobytes())
        missing = Note(code="press.no_method", sentence="未指定检测方法")
        return Recording(
            format=FORMAT,
            source_name=f"live/{label}",
            sha256=digest.hexdigest(),
            method=method,
            reasons=() if method is not None else (missing,),
            specimen_label=label,
            tested_on=started_at.date() if started_at else None,
            tested_at=started_at,
            channels=(force,),
            sampling_rate_hz=sampling_rate(time_s),
            peak=peak_of(force),
            warnings=self.notes(),
        )

    def _sample(self, reading: Reading) -> PressSample | BadLine:
        if self._first_us is not None and self.samples and reading.t_us <= self._last_us():
            return BadLine(f"{reading.t_us};{reading.force_kN}"[:80], "时间没有前进")
        try:
            count = scale_reading(reading.force_kN, self.scale)
        except ScaleError as exc:
            return BadLine(f"{reading.t_us};{reading.force_kN}"[:80], str(exc))
        if Decimal(reading.force_kN) != count * Decimal(self.scale):
            self.rounded_count += 1
        if self._first_us is None:
            self._first_us = reading.t_us
        return PressSample(reading.t_us - self._first_us, count)

    def _last_us(self) -> int:
        return (self._first_us or 0) + self.samples[-1].t_us

    def _report(self, line: BadLine) -> None:
        self.bad_count += 1
        if len(self.bad_lines) < KEPT_BAD_LINES:
            self.bad_lines.append(line)


_END_SENTENCES: Final[dict[EndReason | None, str]] = {
    "silent": "试验机长时间没有数据，采集中止，曲线可能不完整",
    "lost": "与试验机的连接中断，曲线可能不完整",
    "full": "读数达到每条曲线的上限，采集中止",
    None: "采集尚未结束",
}
