"""Profiles of simulated machines: what makes two presses of one model tell apart (模拟试验机参数)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineProfile:
    """One machine's own signature: clock, quantisation, servo and noise."""

    model: str
    serial_number: str
    #: Range in kN; the noise and the step are small shares of it.
    capacity_kN: float
    #: Readings a second.
    sampling_hz: float
    #: Step of the force reading in kN, decimal text.
    force_step_kN: str
    #: Step of the travel reading in mm, decimal text.
    travel_step_mm: str = "0.001"
    #: Standard deviation of the force noise in kN.
    noise_kN: float = 0.25
    #: Coefficients of the noise's second-order autoregression; the machine's fingerprint.
    noise_memory: tuple[float, float] = (0.55, -0.30)
    #: Servo ripple: amplitude in kN and frequency in Hz.
    ripple_kN: float = 0.35
    ripple_hz: float = 1.37
    #: Slow wander of the loading rate as a share of it.
    rate_wander: float = 0.004
    #: Force at which recording starts, and how long the contact takes to build up.
    trigger_kN: float = 5.0
    toe_s: float = 1.2


PRESS_2000: Final = MachineProfile(
    model="模拟压力试验机 2000 kN",
    serial_number="SIM-P2000-01",
    capacity_kN=2000,
    sampling_hz=20,
    force_step_kN="0.05",
)
PRESS_3000: Final = MachineProfile(
    model="模拟压力试验机 3000 kN",
    serial_number="SIM-P3000-02",
    capacity_kN=3000,
    sampling_hz=50,
    force_step_kN="0.1",
    noise_kN=0.4,
    noise_memory=(0.82, -0.25),
    ripple_kN=0.6,
    ripple_hz=2.11,
)
TENSION_600: Final = MachineProfile(
    model="模拟万能试验机 600 kN",
    serial_number="SIM-T600-03",
    capacity_kN=600,
    sampling_hz=20,
    force_step_kN="0.005",
    travel_step_mm="0.0001",
    noise_kN=0.012,
    noise_memory=(0.35, 0.10),
    ripple_kN=0.01,
    ripple_hz=0.9,
    trigger_kN=0.2,
    toe_s=0.6,
)


def texture(machine: MachineProfile, rng: np.random.Generator, points: int) -> Floats:
    """The machine's micro-texture in kN, shape (points,): coloured noise and servo ripple."""
    first, second = machine.noise_memory
    shocks = rng.standard_normal(points)
    noise = np.zeros(points)
    before, before_that = 0.0, 0.0
    for index in range(points):
        now = first * before + second * before_that + float(shocks[index])
        noise[index] = now
        before, before_that = now, before
    deviation = float(noise.std())
    if deviation > 0:
        noise *= machine.noise_kN / deviation
    step = 2 * math.pi * machine.ripple_hz / machine.sampling_hz
    phase = rng.uniform(0, 2 * math.pi) + np.cumsum(step + 0.05 * rng.standard_normal(points))
    ripple: Floats = noise + machine.ripple_kN * np.sin(phase)
    return ripple


def wander(machine: MachineProfile, rng: np.random.Generator, points: int) -> Floats:
    """Factor on the set rate, shape (points,): a slow random walk around one, held by the servo."""
    pull = 1.0 / (4.0 * machine.sampling_hz)
    kick = machine.rate_wander * math.sqrt(2 * pull)
    shocks = (kick * rng.standard_normal(points)).tolist()
    walk = accumulate(shocks, lambda offset, shock: offset + (-pull * offset + shock), initial=0.0)
    return 1.0 + np.fromiter(islice(walk, 1, None), np.float64, points)
