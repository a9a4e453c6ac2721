"""Thinning of curves for the browser (曲线抽稀): the extremes of each stretch stay, nothing is averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Points of one drawn curve; more than any screen has columns.
MOST_POINTS = 2000


def extremes(values: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Indices of at most ``most`` points: first, last, and the lowest and highest of equal stretches between.

    Every index is a recorded point, in order, each once; the greatest and the least value are always among
    them. A curve of no more than ``most`` points stays whole. ``most`` must be at least 4.
    """
    if most < 4:
        raise ValueError("a curve keeps at least its ends and its extremes")
    size = int(values.size)
    if size <= most:
        return np.arange(size)
    inner = np.arange(1, size - 1)
    kept = [0, size - 1]
    for stretch in np.array_split(inner, (most - 2) // 2):
        part = values[stretch]
        kept += [int(stretch[int(np.argmin(part))]), int(stretch[int(np.argmax(part))])]
    return np.unique(np.asarray(kept))


def gaps(
    time_s: NDArray[np.float64], *, times_median: float = 3.0, longer_than_s: float = 0.5
) -> list[tuple[float, float]]:
    """Stretches without a point: longer than three median intervals and than half a second (曲线缺口)."""
    if time_s.size < 3:
        return []
    steps = np.diff(time_s)
    wide = np.flatnonzero((steps > times_median * float(np.median(steps))) & (steps > longer_than_s))
    return [(float(time_s[at]), float(time_s[at + 1])) for at in wide.tolist()]
