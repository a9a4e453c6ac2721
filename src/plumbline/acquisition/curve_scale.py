"""Integer scale of a curve: readings become whole counts of the sensor's resolution (曲线整数化).

A curve travels as scaled integers, so the scale decides what is kept. Two cases: a sensor that writes on a
decimal grid keeps every digit; a controller that writes floating-point digits far below its own noise is cut
to one millionth of its range, a hundred times finer than the 0.01 % of full scale that a curve has to show.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Most decimal places of a scale; a measured value has no more (wire pattern).
MAX_PLACES: Final = 9
#: A grid with more steps than this over the range is no sensor but printed floating point (27 bit).
MAX_STEPS: Final = 2**27
#: Relative resolution kept when the file shows no grid.
FLOAT_RELATIVE_RESOLUTION: Final = 1e-6
#: Largest count: exact in a float and in JSON.
MAX_COUNT: Final = 2**53 - 1
#: How far from a whole count a value on the grid may lie: noise of binary fractions, not of the sensor.
_ON_GRID: Final = 1e-4


class ScaleError(ValueError):
    """The readings cannot be expressed as whole counts of the resolution; the sentence says why."""


def quantise(values: Floats, resolution: str | Decimal) -> tuple[Counts, str]:
    """Counts and scale text such that ``counts × scale`` is each value, to half a step at most.

    ``values`` has shape (n,) in any unit; ``resolution`` is in the same unit. Lossless when every value lies
    on the grid. Ties go to the even count. Raises `ScaleError` for non-finite values, a resolution that is
    not positive or has more than nine places, and counts beyond 2**53.
    """
    scale = _positive(resolution)
    if values.size and not bool(np.isfinite(values).all()):
        raise ScaleError("曲线含有非有限数值（NaN 或无穷大），不能整数化")
    # Dividing by a power of ten below one loses the last bit; multiplying by its inverse keeps the tie exact.
    inverse = Decimal(1) / scale
    steps = values * float(inverse) if inverse == inverse.to_integral_value() else values / float(scale)
    if steps.size and float(np.abs(steps).max()) > MAX_COUNT:
        raise ScaleError("曲线数值超出整数范围，请放大分辨力")
    return np.rint(steps).astype(np.int64), scale_text(scale)


def restore(counts: Counts, scale: str) -> Floats:
    """The values of ``counts`` in the unit of ``scale``; inverse of `quantise`."""
    step = _positive(scale)
    inverse = Decimal(1) / step
    if inverse == inverse.to_integral_value():
        return counts.astype(np.float64) / float(inverse)
    return counts.astype(np.float64) * float(step)


def exact_value(count: int, scale: str) -> str:
    """One count as a decimal text with the places of the scale, without passing through a float."""
    step = _positive(scale)
    return format((Decimal(count) * step).quantize(step), "f")


def scale_reading(text: str, scale: str) -> int:
    """The count of a decimal reading as written, ties to even; raises `ScaleError` when it is no number."""
    try:
        value = Decimal(text)
    except InvalidOperation as exc:
        raise ScaleError(f"“{text[:40]}”不是数值") from exc
    if not value.is_finite():
        raise ScaleError(f"“{text[:40]}”不是有限数值")
    count = int((value / _positive(scale)).to_integral_value(rounding=ROUND_HALF_EVEN))
    if abs(count) > MAX_COUNT:
        raise ScaleError("读数超出整数范围")
    return count


def estimate_resolution(values: Floats) -> str:
    """The step of the grid on which the readings lie, as decimal text (分辨力).

    Looks for the fewest decimal places that carry all values, then for a common step (a sensor may count by
    2 or 5). Without a sensible grid it is a power of ten at one millionth of the range. "0.001" for no
    values.
    """
    finite = values[np.isfinite(values)]
    reach = float(np.abs(finite).max()) if finite.size else 0.0
    if reach == 0.0:
        return "0.001"
    for places in range(MAX_PLACES + 1):
        steps = finite * 10.0**places
        if reach * 10.0**places > MAX_STEPS * 1000:
            break
        whole = np.rint(steps)
        if float(np.abs(steps - whole).max()) <= _ON_GRID:
            common = int(np.gcd.reduce(whole.astype(np.int64)))
            step = Decimal(common).scaleb(-places)
            # One or two readings share any divisor; that is no evidence of a coarser sensor.
            if np.unique(whole).size < 8:
                step = Decimal(1).scaleb(-places)
            return scale_text(step) if reach / float(step) <= MAX_STEPS else _float_resolution(reach)
    return _float_resolution(reach)


def scale_text(scale: Decimal) -> str:
    """A scale as plain decimal text: "0.001", "5", never an exponent."""
    normal = scale.normalize()
    return format(normal, "f")


def _float_resolution(reach: float) -> str:
    power = math.floor(math.log10(reach * FLOAT_RELATIVE_RESOLUTION))
    return scale_text(Decimal(1).scaleb(max(power, -MAX_PLACES)))


def _positive(scale: str | Decimal) -> Decimal:
    try:
        step = Decimal(scale)
    except InvalidOperation as exc:
        raise ScaleError(f"分辨力“{scale}”不是十进制数") from exc
    exponent = step.normalize().as_tuple().exponent
    if not step.is_finite() or step <= 0 or not isinstance(exponent, int) or -exponent > MAX_PLACES:
        raise ScaleError(f"分辨力“{scale}”须为正数且不超过 {MAX_PLACES} 位小数")
    return step
