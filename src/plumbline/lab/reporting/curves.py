"""Recorded curves as SVG drawings for the report (报告中的曲线图)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from plumbline.lab.reporting.document import PrintedCurve

Point = tuple[float, float]
Floats = npt.NDArray[np.float64]

#: drawing area, in SVG units of 0.1 mm
_WIDTH, _HEIGHT = 560.0, 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 10.0, 40.0, 48.0
#: columns of pixels at which the curve is decimated: 300 dpi over the plot
_COLUMNS = 500
_TEXT = 'font-family="Plumbline Serif" font-size="24" fill="#17202c"'


def decimated(xs: Floats, ys: Floats, columns: int = _COLUMNS) -> tuple[Floats, Floats]:
    """Keep first, lowest, highest and last point of each of `columns` equal spans of the abscissa.

    Min–max, never an average: the peak that decides the result stays where it was measured.
    """
    if len(xs) <= columns * 4:
        return xs, ys
    span = max(float(xs[-1] - xs[0]), math.ulp(1.0))
    column = np.clip(((xs - xs[0]) / span * columns).astype(np.int64), 0, columns - 1)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    last = np.append(first[1:], len(column)) - 1
    by_height = np.lexsort((ys, column))
    kept = np.unique(np.concatenate((first, last, by_height[first], by_height[last])))
    return xs[kept], ys[kept]


def round_step(span: float, ticks: int = 5) -> float:
    """Return the step 1, 2 or 5 · 10ⁿ that divides `span` (> 0) into at most `ticks` parts."""
    raw = span / ticks
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))


def drawings(curves: Sequence[PrintedCurve]) -> tuple[str, ...]:
    """Draw each curve as one SVG; curves of one unit share their scale, so that specimens compare."""
    usable = [
        (curve, xs, ys)
        for curve in curves
        for xs, ys in [(np.asarray(curve.xs, np.float64), np.asarray(curve.ys, np.float64))]
        if len(xs) >= 2 and np.isfinite(xs).all() and np.isfinite(ys).all()
    ]
    highest: dict[str, float] = {}
    longest: dict[str, float] = {}
    for curve, xs, ys in usable:
        highest[curve.unit] = max(highest.get(curve.unit, 0.0), float(ys.max()))
        longest[curve.unit] = max(longest.get(curve.unit, 0.0), float(xs.max()))
    return tuple(
        _drawing(curve, decimated(xs, ys), longest[curve.unit] or 1.0, highest[curve.unit] or 1.0)
        for curve, xs, ys in usable
    )


def _drawing(curve: PrintedCurve, points: tuple[Floats, Floats], x_most: float, y_most: float) -> str:
    x_step, y_step = round_step(x_most), round_step(y_most)
    x_end, y_end = math.ceil(x_most / x_step - 1e-9) * x_step, math.ceil(y_most / y_step - 1e-9) * y_step
    plot_width, plot_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> Point:
        return _LEFT + x / x_end * plot_width, _TOP + plot_height - max(y, 0.0) / y_end * plot_height

    parts = [_vertical(place(index * x_step, 0), index * x_step) for index in range(_ticks(x_end, x_step))]
    parts += [_horizontal(place(0, index * y_step), index * y_step) for index in range(_ticks(y_end, y_step))]
    line = _polyline(*points, place(0.0, 0.0), (plot_width / x_end, plot_height / y_end))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1d4f91" stroke-width="3.2"/>')
    frame = f'x="{_LEFT}" y="{_TOP}" width="{plot_width}" height="{plot_height}"'
    parts.append(f'<rect {frame} fill="none" stroke="#17202c" stroke-width="1.6"/>')
    title = f"{curve.label}　力值 / {curve.unit}" if curve.unit == "kN" else f"{curve.label}　{curve.unit}"
    parts.append(f'<text x="{_LEFT}" y="26" {_TEXT}>{escape(title)}</text>')
    x_title = f"时间 / {curve.x_unit}" if curve.x_unit == "s" else curve.x_unit
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="26" text-anchor="end" {_TEXT}>{escape(x_title)}</text>')
    size = f'width="{_WIDTH / 10}mm" height="{_HEIGHT / 10}mm" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _polyline(xs: Floats, ys: Floats, origin: Point, scale: Point) -> str:
    """Pairs x,y to the tenth of a unit; nothing is drawn left of or below the axes."""
    placed = np.empty(2 * len(xs))
    placed[0::2] = origin[0] + np.maximum(xs, 0.0) * scale[0]
    placed[1::2] = origin[1] - np.maximum(ys, 0.0) * scale[1]
    # One format string for all: a call for each point took most of the time of a drawing.
    return " ".join(["%.1f,%.1f"] * len(xs)) % tuple(placed.tolist())


def _ticks(end: float, step: float) -> int:
    return round(end / step) + 1


def _vertical(foot: Point, value: float) -> str:
    x, y = foot
    anchor = "middle" if x < _WIDTH - _RIGHT - 20 else "end"
    return (
        f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{y:.1f}" stroke="#c3cbd5" stroke-width="1"/>'
        f'<text x="{x:.1f}" y="{y + 30:.1f}" text-anchor="{anchor}" {_TEXT}>{value:g}</text>'
    )


def _horizontal(foot: Point, value: float) -> str:
    x, y = foot
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#c3cbd5" '
        f'stroke-width="1"/><text x="{x - 7:.1f}" y="{y + 8:.1f}" text-anchor="end" {_TEXT}>{value:g}</text>'
    )
