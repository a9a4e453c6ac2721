"""Simulated recordings for given results: the press loads as the method asks."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.demo.city import simulated_cubes


@pytest.mark.parametrize(
    ("grade", "low", "high"), [("C25", 0.30, 0.50), ("C30", 0.50, 0.80), ("C60", 0.80, 1.00)]
)
def test_the_press_loads_at_the_rate_that_the_grade_permits(grade: str, low: float, high: float):
    strength = float(grade[1:]) * 1.3
    (recording,) = simulated_cubes(3, (strength,), grade)
    force = recording.channels[0]
    kN, seconds = force.counts * float(force.scale), force.time_us / 1e6
    peak = int(kN.argmax())
    steady = slice(int(peak * 0.3), int(peak * 0.8))
    rate = np.polyfit(seconds[steady], kN[steady], 1)[0] * 1000 / 22500
    assert low <= rate <= high
