"""Figures of one curve (曲线数值): peak as recorded, loading rate, marks. From the stored integers, nothing typed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from plumbline.domain.methods.concrete_cube.evaluation import RateBand, rate_band
from plumbline.domain.methods.curve import LoadingRate, Series, contact_offset, loading_rate
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.rebar_tension.curve import TensionCurve, TensionEvaluation, evaluate_curve
from plumbline.supervision.projection.curve_rows import unpack
from plumbline.supervision.reading.database import Row, rows

_TO_KN = {"kN": Decimal(1), "N": Decimal("0.001"), "MN": Decimal(1000)}
CUBES = ("concrete_cube", "mortar_cube")
BARS = ("rebar_tension", "rebar_joint")


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of one specimen, decoded: seconds from its first point, values in its unit."""

    series: Series
    unit: str
    #: Greatest value with the sensor's digits.
    peak_text: str
    scale: str

    @property
    def peak_s(self) -> float:
        """When the greatest value was reached."""
        return float(self.series.time_s[self.series.peak])


def decoded(stored: Row) -> Channel:
    """Decode a row of `fact.curve`; forces come out in kN, other units as they are."""
    counts = np.asarray(unpack(bytes(stored["values"])), dtype=np.float64)
    times = np.asarray(unpack(bytes(stored["times_us"])), dtype=np.float64)
    factor = _TO_KN.get(stored["unit"], Decimal(1))
    scale = Decimal(stored["scale"]) * factor
    unit = "kN" if stored["unit"] in _TO_KN else stored["unit"]
    peak = Decimal(int(counts.max())) * scale
    text = f"{peak:f}"
    return Channel(Series((times - times[0]) / 1e6, counts * float(scale)), unit, text, f"{scale:f}")


def channels_of(runs: list[str]) -> dict[tuple[str, int], dict[str, Channel]]:
    """(run, ordinal) → decoded channels by name, in one query."""
    found: dict[tuple[str, int], dict[str, Channel]] = {}
    for stored in rows("SELECT * FROM fact.curve WHERE run = ANY(%s::text[])", [runs]):
        found.setdefault((stored["run"], stored["ordinal"]), {})[stored["channel"]] = decoded(stored)
    return found


def load_channel(channels: dict[str, Channel]) -> Channel | None:
    """The channel that is drawn: force, else stress."""
    return channels.get("force") or channels.get("stress")


def measures(specimen: Row) -> dict[str, str]:
    """Dimensions and readings of a specimen by name and unit, as written: ``width_mm``, ``load_kN``."""
    values = {}
    for item in [*specimen.get("dimensions", []), *specimen["readings"]]:
        name = item["name"] if item["name"].endswith(f"_{item['unit']}") else f"{item['name']}_{item['unit']}"
        values[name] = item["value"]
    return values


def area_mm2(specimen: Row) -> float | None:
    """Loaded or cross-sectional area from the dimensions as written; None when they do not give one."""
    sizes = measures(specimen)
    if "width_mm" in sizes and "height_mm" in sizes:
        area = float(sizes["width_mm"]) * float(sizes["height_mm"])
    elif "edge_mm" in sizes:
        area = float(sizes["edge_mm"]) ** 2
    elif "diameter_mm" in sizes:
        area = math.pi * float(sizes["diameter_mm"]) ** 2 / 4
    else:
        return None
    return area if area > 0 else None


def permitted_rate(run: Row) -> RateBand | None:
    """The permitted loading rate of a cube by grade and edition; None where the platform knows none."""
    grade = run["body"].get("grade")
    if run["method"] != "concrete_cube" or not grade:
        return None
    try:
        return rate_band(grade, run["edition"])
    except MethodInputError:
        return None


def rate_of(channel: Channel, area: float | None, band: RateBand | None) -> LoadingRate | None:
    """Loading rate between 20 and 80 % of the peak; None when the curve does not carry one."""
    if channel.unit != "kN" or area is None:
        return None
    limits = (float(band.low), float(band.high)) if band else None
    try:
        return loading_rate(channel.series, area, band=limits)
    except ValueError:
        return None


def timing_start(channel: Channel) -> float:
    """Seconds at which the load begins to rise steadily: what lies before is contact."""
    return float(channel.series.time_s[contact_offset(channel.series)])


def tension_of(channels: dict[str, Channel], specimen: Row) -> TensionEvaluation | None:
    """What a tension curve shows, for its marks; None when force and strain do not fit together."""
    force, area = channels.get("force"), area_mm2(specimen)
    if force is None or area is None:
        return None
    stress = force.series.value * 1000.0 / area
    strain, extensometer = _strain(channels, specimen, len(force.series))
    try:
        return evaluate_curve(
            TensionCurve(
                stress_MPa=stress, strain=strain, time_s=force.series.time_s, extensometer=extensometer
            )
        )
    except ValueError:
        return None


def _strain(channels: dict[str, Channel], specimen: Row, points: int) -> tuple[Any, bool]:
    gauge = measures(specimen).get("gauge_length_mm")
    for name, extensometer in (("strain", True), ("extension", True), ("displacement", False)):
        channel = channels.get(name)
        if channel is None or len(channel.series) != points:
            continue
        if name == "strain":
            return channel.series.value / (100.0 if channel.unit in ("pct", "%") else 1.0), True
        if gauge and float(gauge) > 0:
            return channel.series.value / float(gauge), extensometer
    return None, False
