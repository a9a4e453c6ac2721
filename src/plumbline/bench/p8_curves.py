"""P8: bytes a stored curve takes (曲线存储): beside the entropy of its differences and beside float4, lossless on the sensor's grid.

The order-0 entropy of the differences is what a coder that knows their frequencies, and nothing else, could reach at
best: a floor for the simple ones, which pcodec may undercut.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import log2

from plumbline.bench.goals import Goal
from plumbline.bench.mix import press_curve
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.report import Measured
from plumbline.bench.stats import interleave
from plumbline.supervision.projection.curve_rows import pack, unpack

#: As the standards' machines sample: 100 s at 10 Hz, and a rebar pull of 60 s at 50 Hz.
CUBE_POINTS, BAR_POINTS = 1000, 3000
FLOAT4 = 4


def bar_curve(seed: int, points: int = BAR_POINTS) -> list[int]:
    """Force of a rebar in tension in steps of 0.01 kN: elastic, plateau, hardening, necking; noise of a few steps."""
    chance = random.Random(seed)  # noqa: S311 - a shape, not a secret
    flow, top = chance.uniform(16_000, 22_000), chance.uniform(1.2, 1.35)
    values = []
    for at in range(points):
        share = at / points
        if share < 0.08:
            value = flow * share / 0.08
        elif share < 0.15:
            value = flow
        elif share < 0.85:
            value = flow * (1 + (top - 1) * (1 - ((0.85 - share) / 0.70) ** 2))
        else:
            value = flow * (top - (share - 0.85) * 1.5)
        values.append(max(0, round(value + chance.gauss(0, 2))))
    return values


def curves(round_: int, count: int) -> list[list[int]]:
    """As many cubes as bars, other ones each round."""
    first = (round_ + 1) * count
    return [
        press_curve(first + each, CUBE_POINTS) if each % 2 else bar_curve(first + each)
        for each in range(count)
    ]


def entropy_bytes(values: Sequence[int]) -> float:
    """Order-0 entropy of the differences, in bytes for the whole curve; its table of frequencies not counted."""
    found = Counter(b - a for a, b in zip([0, *values], values, strict=False))
    total = len(values)
    return sum(n * log2(total / n) for n in found.values()) / 8


def stored_bytes(values: list[int]) -> int:
    """Bytes that the curve takes in `fact.curve`; raises :class:`Lost` unless it comes back the same."""
    packed = pack(values)
    if unpack(packed) != values:
        raise Lost("a stored curve does not come back as it was")
    return len(packed)


def _points_a_byte(sets: Sequence[list[int]], size: float) -> float:
    return sum(map(len, sets)) / size


def measure(goals: dict[str, Goal], count: int, rounds: int) -> list[Measured]:
    """Points a byte: ours ÷ the entropy of the differences, and ours ÷ float4."""

    def ours(round_: int) -> float:
        made = curves(round_, count)
        return _points_a_byte(made, sum(map(stored_bytes, made)))

    def floor(round_: int) -> float:
        made = curves(round_, count)
        return _points_a_byte(made, sum(map(entropy_bytes, made)))

    found = replace(interleave(floor, ours, rounds, warm=False), is_counted=True)
    wide = replace(interleave(lambda _: 1 / FLOAT4, ours, rounds, warm=False), is_counted=True)
    return [
        Measured(goal=goals["P8"], comparison=found, notes=[_speed(count)]),
        Measured(goal=goals["P8-float4"], comparison=wide),
    ]


def _speed(count: int) -> str:
    made = curves(0, count)
    begin = time.perf_counter()
    packed = [pack(each) for each in made]
    middle = time.perf_counter()
    for each in packed:
        unpack(each)
    end = time.perf_counter()
    size = sum(map(len, made)) * FLOAT4 / 1e6
    return (
        f"{count} curves a round, cubes of {CUBE_POINTS} and bars of {BAR_POINTS} points, 0.01 kN; every one read back; "
        f"{sum(map(len, packed)) / sum(map(len, made)):.2f} B/point; in MB of float4 a second: "
        f"packed {size / (middle - begin):.0f}, unpacked to Python integers {size / (end - middle):.0f}"
    )
