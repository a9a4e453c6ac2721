"""From a recording to what is sent (试验数据整理): curve, readings, dimensions, raw record.

The institution's software evaluates by the same rules as the platform: what it reports comes from the
readings as written and is never typed in.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from plumbline.acquisition.curve_scale import exact_value
from plumbline.acquisition.recordings import Channel, Recording
from plumbline.domain.methods.rebar_tension.curve import TensionCurve, TensionEvaluation, evaluate_curve
from plumbline.exchange.curves import encode_dzv
from plumbline.exchange.messages.header import Dimension
from plumbline.exchange.messages.testing import Curve, CurveChannel, SpecimenRun

#: Name in the recording → name in the raw record, as the methods read it. The gauge length has a name of its
#: own: to the method it counts only together with the final length, which no curve holds.
_SIZES = {
    "width": "width_mm",
    "height": "height_mm",
    "length": "length_mm",
    "diameter": "diameter_mm",
    "gauge_length": "L0_mm",
}
#: Formats whose travel is the extension over the gauge length; elsewhere it is the travel of the grips.
_EXTENSION_FORMATS = frozenset({"simulator", "live", "lucas_csv"})
_STAYS_GRIPS = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One specimen as measured: what goes into the message, and the raw record that the method evaluates."""

    recording: Recording
    run: SpecimenRun
    raw: dict[str, str]
    #: What the tension curve says; None for compression.
    tension: TensionEvaluation | None = None

    @property
    def force_over_time(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Seconds from the first reading, and force in kN, for the printed curve."""
        force = self.recording.channels[0]
        if force.time_s is None:
            return (), ()
        return tuple((force.time_s - force.time_s[0]).tolist()), tuple(force.value.tolist())


def duration_of(recording: Recording) -> timedelta:
    """How long the machine recorded."""
    times = recording.channels[0].time_s
    return timedelta(0) if times is None else timedelta(seconds=round(float(times[-1] - times[0]), 3))


def curve_of(recording: Recording, started_at: datetime) -> Curve:
    """The whole recording as it travels: every channel at the sensor's resolution, nothing smoothed."""
    rate = recording.sampling_rate_hz or 0.0
    return Curve(
        started_at=started_at,
        sampling_rate_hz=f"{rate:.1f}",
        recording_sha256=recording.sha256,
        recording_format=recording.format,
        channels=[_channel(recording, channel) for channel in recording.channels],
    )


def _channel(recording: Recording, channel: Channel) -> CurveChannel:
    name = "extension" if channel.name == "displacement" and is_extension(recording) else channel.name
    times = channel.time_us
    timing: dict[str, int | str] = {"period_us": 1}
    if times is not None:
        steps = np.diff(times)
        regular = steps.size > 0 and int(steps[0]) > 0 and bool((steps == steps[0]).all())
        timing = {"period_us": int(steps[0])} if regular else {"times_dzv": packed_integers(times.tolist())}
    return CurveChannel(
        channel=name,
        unit=channel.unit,
        scale=channel.scale,
        count=int(channel.counts.size),
        dzv=packed_integers(channel.counts.tolist()),
        **timing,  # type: ignore[arg-type]  # one of the two forms of time
    )


def packed_integers(values: Sequence[int]) -> str:
    """Integers as a curve channel carries them: base64 of delta-zigzag-varint."""
    return base64.b64encode(encode_dzv(values)).decode("ascii")


def is_extension(recording: Recording) -> bool:
    """Whether the travel of a tension recording is the bar's extension and not that of the grips."""
    if recording.method != "rebar_tension" or recording.format not in _EXTENSION_FORMATS:
        return False
    return _STAYS_GRIPS not in recording.specimen_label


def cube(
    recording: Recording, *, ordinal: int, tag: str, started_at: datetime, with_curve: bool = True
) -> Specimen:
    """A concrete cube: sides as written, greatest load as the highest reading of the curve."""
    dimensions = _dimensions(recording)
    readings = [Dimension(name="load_kN", value=recording.peak.value.text, unit="kN")]
    run = _run(recording, ordinal, tag, started_at, (dimensions, readings), with_curve=with_curve)
    return Specimen(
        recording=recording, run=run, raw={each.name: each.value for each in (*dimensions, *readings)}
    )


def bar(
    recording: Recording, *, ordinal: int, tag: str, started_at: datetime, with_curve: bool = True
) -> Specimen:
    """A bar in tension: forces at yield and maximum and Agt, each only where the curve gives it."""
    found = evaluate_curve(tension_curve_of(recording))
    force = recording.channels[0]
    readings = [Dimension(name="Fm_kN", value=recording.peak.value.text, unit="kN")]
    if found.at_ReH is not None:
        readings.append(Dimension(name="FeH_kN", value=_reading(force, found.at_ReH), unit="kN"))
    if found.at_ReL is not None:
        readings.append(Dimension(name="FeL_kN", value=_reading(force, found.at_ReL), unit="kN"))
    elif found.Rp02_MPa is not None:
        proof = Decimal(found.Rp02_MPa * area_mm2(recording) / 1000)
        step = Decimal(force.scale)
        written = (proof / step).to_integral_value(ROUND_HALF_EVEN) * step
        readings.append(Dimension(name="Fp02_kN", value=f"{written.quantize(step):f}", unit="kN"))
    if found.Agt_pct is not None:
        readings.append(Dimension(name="Agt_pct", value=f"{found.Agt_pct:.2f}", unit="pct"))
    dimensions = _dimensions(recording)
    run = _run(recording, ordinal, tag, started_at, (dimensions, readings), with_curve=with_curve)
    raw = {each.name: each.value for each in (*dimensions, *readings)}
    return Specimen(recording=recording, run=run, raw=raw, tension=found)


def area_mm2(recording: Recording) -> float:
    """Cross-section from the diameter of the recording; ValueError without one."""
    diameter = recording.dimension("diameter")
    if diameter is None:
        raise ValueError(f"{recording.source_name}：没有直径")
    return math.pi * float(diameter.value) ** 2 / 4


def tension_curve_of(recording: Recording) -> TensionCurve:
    """Stress over strain and time of a tension recording; without strain the travel over the gauge length."""
    force, strain = recording.channels[0], recording.channel("strain")
    gauge, travel = recording.dimension("gauge_length"), recording.channel("displacement")
    stress = force.value * 1000.0 / area_mm2(recording)
    if strain is not None:
        return TensionCurve(stress_MPa=stress, strain=strain.value, time_s=force.time_s)
    if gauge is None or travel is None:
        return TensionCurve(stress_MPa=stress, time_s=force.time_s)
    return TensionCurve(
        stress_MPa=stress,
        strain=travel.value / float(gauge.value),
        time_s=force.time_s,
        extensometer=is_extension(recording),
    )


def _reading(channel: Channel, index: int) -> str:
    return exact_value(int(channel.counts[index]), channel.scale)


def _dimensions(recording: Recording) -> list[Dimension]:
    sizes = [
        Dimension(name=_SIZES[size.name], value=size.value.text, unit="mm")
        for size in recording.dimensions
        if size.name in _SIZES and size.value is not None
    ]
    if recording.mass_g is not None:
        sizes.append(Dimension(name="mass_g", value=recording.mass_g.text, unit="g"))
    return sizes


def _run(
    recording: Recording,
    ordinal: int,
    tag: str,
    started_at: datetime,
    values: tuple[list[Dimension], list[Dimension]],
    *,
    with_curve: bool,
) -> SpecimenRun:
    return SpecimenRun(
        ordinal=ordinal,
        tag=tag,
        started_at=started_at,
        finished_at=started_at + duration_of(recording),
        dimensions=values[0],
        readings=values[1],
        curve=curve_of(recording, started_at) if with_curve else None,
    )
