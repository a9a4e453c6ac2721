"""The curve document of a specimen (曲线文档): recorded points thinned by extremes, rate, band, marks, gaps, peers."""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np

from plumbline.domain.methods.curve import rate_series
from plumbline.supervision.reading.curve_numbers import (
    BARS,
    CUBES,
    Channel,
    area_mm2,
    channels_of,
    load_channel,
    permitted_rate,
    rate_of,
    tension_of,
    timing_start,
)
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.decimation import MOST_POINTS, extremes, gaps

PEER_POINTS = 500
RATE_WINDOW_S = 2.0


class Specimens(Protocol):
    """Specimens whose curves can be had: those of a report, or of one run by itself."""

    instruments: dict[str, Row]
    evaluations: dict[str, Row]

    @property
    def specimens(self) -> list[tuple[Row, Row]]:
        """(run, specimen), counted from 1 in the address."""


def curve_document(facts: Specimens, number: int) -> bytes | None:
    """The document of the specimen at place ``number`` (from 1) as UTF-8 JSON; None without a curve."""
    specimens = facts.specimens
    if not 1 <= number <= len(specimens):
        return None
    run, specimen = specimens[number - 1]
    group = channels_of([run["id"]])
    channels = group.get((run["id"], specimen["ordinal"]), {})
    drawn = load_channel(channels)
    if drawn is None:
        return None
    document = _drawn(drawn) | {
        "unit": drawn.unit,
        "rate": _rate(run, specimen, drawn),
        "band": _band(run, specimen, drawn),
        "marks": _marks(run, specimen, channels, drawn),
        "gaps": [[round(a, 3), round(b, 3)] for a, b in gaps(drawn.series.time_s)],
        "peers": _peers(run, specimen, group),
        "truncated": bool((specimen.get("curve") or {}).get("truncated")) or _is_cut(facts, run),
        "log_index": run["idx"],
    }
    machine = facts.instruments.get(f"{run['institution']}/{run['instrument']}")
    if machine and machine["idx"] <= run["idx"]:  # what was registered since says nothing of this test
        certificate = machine["body"].get("calibration_certificate", "")
        document["calibration"] = (
            f"{run['instrument']} 校准证书 {certificate}，有效至 {machine['calibrated_until'].isoformat()}"
        )
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _drawn(channel: Channel, most: int = MOST_POINTS) -> dict[str, Any]:
    series = channel.series
    kept = extremes(series.value, most)
    places = len(channel.scale.partition(".")[2])
    return {
        "time_s": [round(t, 4) for t in series.time_s[kept].tolist()],
        "force_kN": [round(v, places) for v in series.value[kept].tolist()],
    }


def _rate(run: Row, specimen: Row, channel: Channel) -> dict[str, Any] | None:
    area = area_mm2(specimen)
    if run["category"] not in CUBES or channel.unit != "kN" or area is None:
        return None
    series = rate_series(channel.series, area, RATE_WINDOW_S)
    kept = extremes(series.value)
    return {
        "time_s": [round(t, 4) for t in series.time_s[kept].tolist()],
        "value": [round(v, 4) for v in series.value[kept].tolist()],
        "window_s": int(RATE_WINDOW_S),
        "unit": "MPa/s",
    }


def _band(run: Row, specimen: Row, channel: Channel) -> dict[str, Any] | None:
    band = permitted_rate(run)
    judged = rate_of(channel, area_mm2(specimen), band)
    if band is None or judged is None:
        return None
    return {
        "low": str(band.low),
        "high": str(band.high),
        "from_s": round(timing_start(channel), 3),
        "to_s": round(channel.peak_s, 3),
        "text": f"允许 {band.low:.2f}–{band.high:.2f}",
    }


def _marks(run: Row, specimen: Row, channels: dict[str, Channel], channel: Channel) -> list[dict[str, Any]]:
    at = channel.peak_s
    if run["category"] in BARS:
        return _tension_marks(specimen, channels, channel)
    start = timing_start(channel)
    marks: list[dict[str, Any]] = []
    if start > 0:
        marks.append(
            {"kind": "timing_start", "t": round(start, 3), "value": "", "label": f"开始计速 {start:.1f} s"}
        )
    label = f"破坏 {channel.peak_text} {channel.unit} · {at:.1f} s"
    return [*marks, {"kind": "break", "t": round(at, 3), "value": channel.peak_text, "label": label}]


def _tension_marks(specimen: Row, channels: dict[str, Channel], channel: Channel) -> list[dict[str, Any]]:
    found = tension_of(channels, specimen)
    if found is None:
        return [
            {
                "kind": "Rm",
                "t": round(channel.peak_s, 3),
                "value": channel.peak_text,
                "label": f"最大力 {channel.peak_text} {channel.unit}",
            }
        ]
    points = (
        ("ReH", found.at_ReH, found.ReH_MPa),
        ("ReL", found.at_ReL, found.ReL_MPa),
        ("Rm", found.at_Rm, found.Rm_MPa),
    )
    places = len(channel.scale.partition(".")[2])
    return [
        {
            "kind": name,
            "t": round(float(channel.series.time_s[place]), 3),
            "value": f"{channel.series.value[place]:.{places}f}",
            "force": round(float(channel.series.value[place]), places),
            "label": f"{name} {stress:.0f} MPa",
        }
        for name, place, stress in points
        if place is not None and stress is not None
    ]


def _peers(run: Row, specimen: Row, group: dict[tuple[str, int], dict[str, Channel]]) -> list[dict[str, Any]]:
    peers = []
    for place, other in enumerate(run["body"]["specimens"], start=1):
        channel = load_channel(group.get((run["id"], other["ordinal"]), {}))
        if channel is not None and other["ordinal"] != specimen["ordinal"]:
            peers.append({"label": f"试件 {place}", **_drawn(channel, PEER_POINTS)})
    return peers


def _is_cut(facts: Specimens, run: Row) -> bool:
    # From the recomputation, which the parties of the project see; findings they do not.
    computed = facts.evaluations.get(run["id"])
    found = computed["body"].get("findings", []) if computed else []
    return any(each["code"] == "curve.buffer-limited" for each in found)


def axis_maximum(peaks: list[float]) -> float | None:
    """A round end of the force axis a little above the greatest peak: 1, 2, 2.5, 5 or 10 times a power of ten."""
    top = max(peaks, default=0.0) * 1.08
    if top <= 0:
        return None
    power = 10.0 ** np.floor(np.log10(top))
    return float(
        next(step * power for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= top)
    )
