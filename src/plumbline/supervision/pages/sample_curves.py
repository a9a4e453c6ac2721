"""Invented press curves for previews and tests, made from a formula (示例曲线，由公式生成).

The shape is that of a cube under load control: contact, a straight climb, a short bend, break, unloading.
They are marked as samples wherever they are shown and are never mixed with recordings.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

#: loaded area of a 150 mm cube
AREA_MM2 = 22500
SAMPLE_S = 0.1
TIMING_START_S = 11.2
_CLIMB_KN_PER_S = {1: 12.94, 2: 13.1, 3: 13.5}
_PEAKS = {1: 868.5, 2: 884.2, 3: 901.3}


@dataclass(frozen=True, slots=True)
class CubeRecord:
    """One invented record: time in s, force in kN, and (peak, strength, rate, duration) as strings."""

    time_s: tuple[float, ...]
    force_kN: tuple[float, ...]
    break_s: float
    summary: tuple[str, str, str, str]


def _force(time: float, number: int) -> float:
    slope, peak = _CLIMB_KN_PER_S[number], _PEAKS[number]
    ripple = 0.35 * math.sin(time * 2.1 + number) + 0.2 * math.sin(time * 7.3)
    if time < 10:
        return max(0.0, 21 * (time / 10) ** 2.2)
    straight = 21 + slope * (time - 10)
    bend = peak * 0.94
    if straight < bend:
        return straight + ripple
    over = min(1.0, (straight - bend) / (1.3 * (peak - bend)))
    return peak - (peak - bend) * (1 - over) ** 1.5


def cube_record(number: int) -> CubeRecord:
    """Return the invented record of specimen 1, 2 or 3."""
    time, force = [], []
    t = 0.0
    while _force(t, number) < _PEAKS[number] - 0.3:
        time.append(round(t, 2))
        force.append(round(_force(t, number), 1))
        t += SAMPLE_S
    break_s = round(t, 1)
    time.append(break_s)
    force.append(_PEAKS[number])
    for step, share in enumerate((0.42, 0.33, 0.3, 0.28, 0.265, 0.255, 0.25), start=1):
        time.append(round(break_s + step * 0.5, 2))
        force.append(round(_PEAKS[number] * share, 1))
    strength = f"{_PEAKS[number] * 1000 / AREA_MM2:.1f}"
    rate = f"{_CLIMB_KN_PER_S[number] * 1000 / AREA_MM2:.2f}"
    return CubeRecord(tuple(time), tuple(force), break_s, (f"{_PEAKS[number]}", strength, rate, f"{break_s}"))


def _rate(record: CubeRecord, window_s: float = 3.0) -> tuple[list[float], list[float]]:
    """Return the loading rate over a trailing window up to the break, in MPa/s."""
    width = round(window_s / SAMPLE_S)
    times, values = [], []
    for last in range(width, len(record.time_s)):
        if record.time_s[last] > record.break_s:
            break
        rise = record.force_kN[last] - record.force_kN[last - width]
        run = record.time_s[last] - record.time_s[last - width]
        times.append(record.time_s[last])
        values.append(round(rise / run * 1000 / AREA_MM2, 4))
    return times, values


def cube_document(number: int, *, gaps: tuple[tuple[float, float], ...] = ()) -> dict[str, object]:
    """Return the curve document that the trace page reads, for specimen 1, 2 or 3."""
    record = cube_record(number)
    keep = [i for i, t in enumerate(record.time_s) if not any(a < t < b for a, b in gaps)]
    rate_time, rate_value = _rate(record)
    peak = record.summary[0]
    others = {n: cube_record(n) for n in (1, 2, 3) if n != number}
    return {
        "unit": "kN",
        "time_s": [record.time_s[i] for i in keep],
        "force_kN": [record.force_kN[i] for i in keep],
        "rate": {"time_s": rate_time, "value": rate_value, "window_s": 3, "unit": "MPa/s"},
        "band": {
            "low": "0.50",
            "high": "0.80",
            "from_s": TIMING_START_S,
            "to_s": record.break_s,
            "text": "允许 0.50–0.80",
        },
        "marks": [
            {
                "kind": "timing_start",
                "t": TIMING_START_S,
                "value": "",
                "label": f"开始计速 {TIMING_START_S} s",
            },
            {
                "kind": "break",
                "t": record.break_s,
                "value": peak,
                "label": f"破坏 {peak} kN · {record.break_s} s",
            },
        ],
        "gaps": [list(gap) for gap in gaps],
        "peers": [
            {"label": f"试件 {n}", "time_s": list(other.time_s), "force_kN": list(other.force_kN)}
            for n, other in others.items()
        ],
        "truncated": False,
    }


def cube_json(number: int) -> bytes:
    """Return the curve document as UTF-8 JSON."""
    return json.dumps(cube_document(number), ensure_ascii=False).encode()
