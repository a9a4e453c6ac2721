"""What one recorded test is, whatever program wrote it (试验记录)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np

from plumbline.acquisition.curve_scale import Counts, Floats, estimate_resolution, exact_value, quantise
from plumbline.domain.basics.quantities import MeasuredDecimal, QuantityError

MethodCode = Literal["concrete_cube", "rebar_tension"]
ChannelName = Literal["force", "displacement", "strain", "stress"]
DimensionOrigin = Literal["header", "accompanying", "derived"]

#: Most points of one curve; more is refused by the exchange as well.
MAX_POINTS: Final = 1_000_000


class RecordingError(ValueError):
    """A file that is no readable recording: stable code, Chinese reason and remedy, line where known."""

    def __init__(self, code: str, reason: str, remedy: str, line: int | None = None) -> None:
        where = f"第 {line} 行：" if line is not None else ""
        super().__init__(f"{where}{reason}；{remedy}")
        self.code = code
        self.reason = f"{where}{reason}"
        self.remedy = remedy
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark on a recording: why it has no method, or what to look at in it."""

    #: Stable code, e.g. ``recording.buffer_limited``.
    code: str
    #: One plain Chinese sentence with the values that led to it.
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One size of the specimen with its digits as written; a typing error stays and gets a warning."""

    #: width, height, length, diameter or gauge_length.
    name: str
    #: As written in the file, decimal comma and all; "-" where the operator left it out.
    written: str
    #: The same as a measured value; None when the text is no number.
    value: MeasuredDecimal | None
    unit: str = "mm"
    #: Where it stands: in the recording, in a file beside it, or worked out from other columns.
    origin: DimensionOrigin = "header"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channel:
    """One measured series at the sensor's resolution; never a set point."""

    name: ChannelName
    #: kN, mm, MPa or 1 (strain).
    unit: str
    #: Seconds as the machine counted them, shape (n,); None when the file has no time axis.
    time_s: Floats | None
    #: The file's readings in ``unit``, shape (n,); compression and tension positive.
    value: Floats
    #: Whole counts: ``value`` is ``counts × scale`` to half a step.
    counts: Counts
    #: Decimal text of the step, in ``unit``.
    scale: str
    #: True when every reading lies on the grid of the scale.
    lossless: bool
    #: What the file calls it, e.g. "Ch 1 Prüfkraft".
    source_column: str = ""

    @property
    def resolution(self) -> MeasuredDecimal:
        """The step of the sensor as estimated from the readings, in ``unit``."""
        return MeasuredDecimal(self.scale)

    @property
    def time_us(self) -> Counts | None:
        """Whole microseconds since the first reading."""
        if self.time_s is None:
            return None
        whole: Counts = np.rint((self.time_s - self.time_s[0]) * 1e6).astype(np.int64)
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The highest reading of the force (or stress) channel; what the strength is computed from."""

    #: Exactly ``counts.max() × scale``, so that curve and value cannot disagree.
    value: MeasuredDecimal
    unit: str
    index: int
    #: On the recording's own time axis; None without one.
    time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """Another file of the same test, e.g. the parsed CSV of a raw recording."""

    source_name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """One specimen's test as its machine recorded it.

    ``method`` is None for what the catalogue cannot evaluate as a strength test; ``reasons`` then says why.
    Times are naive local times of the machine's own clock: the files carry no zone, so none is invented here.
    """

    format: str
    source_name: str
    #: SHA-256 of the file's bytes, hex; one file may hold several specimens.
    sha256: str
    method: MethodCode | None
    #: Never empty when ``method`` is None, always empty otherwise.
    reasons: tuple[Note, ...] = ()
    specimen_label: str
    #: The number within the group, 4 for both "W4" and "W04"; None when the label has none.
    specimen_number: int | None = None
    #: "sample id|age in days" for cubes; None when the specimen stands alone.
    group_label: str | None = None
    cast_on: date | None = None
    tested_on: date | None = None
    #: Machine time of the first reading; None when only a date is known.
    tested_at: datetime | None = None
    #: PII: at most three letters; surnames are cut when the file is read.
    operator_initials: str | None = None
    dimensions: tuple[Dimension, ...] = ()
    mass_g: MeasuredDecimal | None = None
    #: Grade of the material when a file beside the recording names it.
    grade: str | None = None
    channels: tuple[Channel, ...]
    #: One over the median interval; None without a time axis.
    sampling_rate_hz: float | None
    peak: Peak
    #: The controller's own peak hold, faster than the recorded samples; evidence, never the result.
    controller_peak_kN: MeasuredDecimal | None = None
    companions: tuple[Companion, ...] = ()
    warnings: tuple[Note, ...] = ()

    @property
    def reason(self) -> Note | None:
        """The first reason why there is no method; None for a strength test."""
        return self.reasons[0] if self.reasons else None

    def channel(self, name: ChannelName) -> Channel | None:
        """The channel of that name; None when it was not recorded."""
        return next((channel for channel in self.channels if channel.name == name), None)

    def dimension(self, name: str) -> MeasuredDecimal | None:
        """The measured value of one dimension in mm; None when absent or not a number."""
        return next((item.value for item in self.dimensions if item.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file of a data folder that is no recording, or a broken one."""

    path: Path
    code: str
    #: Chinese sentence with reason and remedy.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Guards against files that no press writes."""

    max_bytes: int = 128 * 1024 * 1024
    max_points: int = MAX_POINTS


DEFAULT_LIMITS: Final = Limits()


@dataclass(slots=True, kw_only=True)
class Notes:
    """Collects remarks while a file is read."""

    warnings: list[Note] = field(default_factory=list)
    reasons: list[Note] = field(default_factory=list)

    def warn(self, code: str, sentence: str) -> None:
        """Add a warning ``recording.<code>``."""
        self.warnings.append(Note(code=f"recording.{code}", sentence=sentence))

    def refuse(self, code: str, sentence: str) -> None:
        """Add a reason ``recording.<code>`` why there is no method."""
        self.reasons.append(Note(code=f"recording.{code}", sentence=sentence))


def make_channel(
    name: ChannelName, unit: str, time_s: Floats | None, value: Floats, source_column: str = ""
) -> Channel:
    """A channel with its estimated resolution; ``value`` of shape (n,) in ``unit``."""
    scale = estimate_resolution(value)
    counts, text = quantise(value, scale)
    off_grid = float(np.abs(value - counts.astype(np.float64) * float(text)).max()) if value.size else 0.0
    return Channel(
        name=name,
        unit=unit,
        time_s=time_s,
        value=value,
        counts=counts,
        scale=text,
        lossless=off_grid <= 1e-3 * float(text),
        source_column=source_column,
    )


def peak_of(channel: Channel) -> Peak:
    """The highest reading of a channel; the first one when several share it."""
    index = int(np.argmax(channel.counts))
    return Peak(
        value=MeasuredDecimal(exact_value(int(channel.counts[index]), channel.scale)),
        unit=channel.unit,
        index=index,
        time_s=None if channel.time_s is None else float(channel.time_s[index]),
    )


def sampling_rate(time_s: Floats | None) -> float | None:
    """Readings a second by the median interval, one decimal; None without two times."""
    if time_s is None or time_s.size < 2:
        return None
    interval = float(np.median(np.diff(time_s)))
    return round(1.0 / interval, 1) if interval > 0 else None


def measured(text: str | None) -> MeasuredDecimal | None:
    """A size as written, decimal comma allowed, as a measured value; None when it is no number."""
    try:
        return MeasuredDecimal.parse((text or "").strip().replace(",", "."))
    except QuantityError:
        return None


def dimension(name: str, written: str | None, origin: DimensionOrigin = "header") -> Dimension | None:
    """A dimension from its text; None when the file does not mention it."""
    if written is None:
        return None
    return Dimension(name=name, written=written.strip(), value=measured(written), origin=origin)


def initials(names: str | None) -> str | None:
    """Operators cut to initials: "Be, Mac" stays, a surname becomes its first letter (personal data)."""
    parts = [part for part in (names or "").replace("/", ",").replace(" ", ",").split(",") if part.strip()]
    short = [part.strip() if len(part.strip()) <= 3 else part.strip()[0] + "." for part in parts[:4]]
    return ", ".join(short) or None
