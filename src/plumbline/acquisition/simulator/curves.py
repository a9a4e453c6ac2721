"""Physics of the simulated curves: arrays in, arrays out, all randomness from the caller (模拟曲线)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Floats, quantise, restore
from plumbline.acquisition.simulator.machine import MachineProfile, texture, wander

#: A test longer than this is a wrong parameter, not a test.
LONGEST_S: Final = 3600.0
_MODULUS_RATE_kN_PER_S: Final = 3.9
_MODULUS_HOLD_S: Final = 20.0
_TAIL_S: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What the machine writes, shape (n,) each: times, force and travel on their own grids."""

    time_s: Floats
    force_kN: Floats
    travel_mm: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSteel:
    """Tensile properties of a simulated bar."""

    #: Lower yield strength, MPa.
    ReL_MPa: float
    #: Tensile strength, MPa.
    Rm_MPa: float
    #: Total extension at maximum force, per cent.
    Agt_pct: float = 14.0
    #: Extension at fracture, per cent, above Agt.
    fracture_pct: float = 19.0
    #: Elastic modulus, GPa.
    E_GPa: float = 200.0
    #: Length of the yield plateau, per cent.
    plateau_pct: float = 1.6


def compression(
    machine: MachineProfile,
    rng: np.random.Generator,
    peak_kN: float,
    rate_kN_per_s: float,
) -> Curve:
    """A load-controlled compression to failure; the highest reading is ``peak_kN`` on the machine's grid."""
    if not machine.trigger_kN < peak_kN <= machine.capacity_kN:
        raise ValueError(f"破坏荷载 {peak_kN:.1f} kN 不在试验机量程 {machine.capacity_kN:g} kN 之内")
    if rate_kN_per_s <= 0 or peak_kN / rate_kN_per_s > LONGEST_S:
        raise ValueError(f"加荷速度 {rate_kN_per_s:g} kN/s 不能在 {LONGEST_S:g} s 内完成试验")
    rising = _rise(machine, rng, peak_kN, rate_kN_per_s)
    ripple = texture(machine, rng, rising.size)
    # At contact the platen floats and at failure the servo saturates: no ripple there, so the peak stays the
    # peak.
    fade = np.minimum(1.0, (rising.size - 1 - np.arange(rising.size)) / (0.5 * machine.sampling_hz))
    step = float(machine.force_step_kN)
    loading = np.minimum(rising + ripple * fade * np.minimum(1.0, rising / (0.05 * peak_kN)), peak_kN - step)
    loading[-1] = peak_kN
    tail = max(int(_TAIL_S * machine.sampling_hz), 6)
    residue = 0.6 * machine.noise_kN * rng.standard_normal(tail)
    residue[:2] = peak_kN * np.array([rng.uniform(0.9, 0.995), rng.uniform(0.02, 0.4)])
    # An elastic frame gives way linearly, a specimen near failure faster; after it the platen runs free.
    travel = loading / 900.0 + 0.35 * (1 - np.exp(-loading / 60.0)) + 0.25 * (loading / peak_kN) ** 12
    free = travel[-1] + np.cumsum(rng.uniform(0.02, 0.6, tail))
    force, moved = np.concatenate([loading, residue]), np.concatenate([travel, free])
    return _written(machine, rng, force, moved)


def modulus_cycles(
    machine: MachineProfile, rng: np.random.Generator, top_kN: float, cycles: int = 3
) -> Curve:
    """Load cycles between a base and a set level without failure (弹性模量试验)."""
    base, ramp = top_kN / 10, top_kN * 0.9 / _MODULUS_RATE_kN_PER_S
    corners_s, corners_kN = [0.0], [base]
    for _ in range(cycles):
        for duration, level in (
            (ramp, top_kN),
            (_MODULUS_HOLD_S, top_kN),
            (ramp, base),
            (_MODULUS_HOLD_S, base),
        ):
            corners_s.append(corners_s[-1] + duration)
            corners_kN.append(level)
    times = np.arange(0.0, corners_s[-1], 1.0 / machine.sampling_hz)
    force = np.interp(times, corners_s, corners_kN) + texture(machine, rng, times.size)
    return _written(machine, rng, force, force / 700.0 + 0.3)


def tension(
    machine: MachineProfile, rng: np.random.Generator, steel: BarSteel, area_mm2: float, gauge_mm: float
) -> Curve:
    """A tension test of a bar with a yield plateau, to fracture; travel is the extension over the gauge."""
    strain, stress, time_s = _bar_path(rng, steel)
    peak_kN = steel.Rm_MPa * area_mm2 / 1000.0
    if peak_kN > machine.capacity_kN:
        raise ValueError(f"最大力 {peak_kN:.1f} kN 超过试验机量程 {machine.capacity_kN:g} kN")
    times = np.arange(0.0, time_s[-1], 1.0 / machine.sampling_hz)
    extension = np.interp(times, time_s, strain) / 100.0 * gauge_mm
    force = np.interp(times, time_s, stress) * area_mm2 / 1000.0
    toe = 1 - np.exp(-(times + 0.05) / machine.toe_s)
    noisy = force * toe + texture(machine, rng, times.size) * np.minimum(1.0, times / 2.0)
    highest = int(force.argmax())
    step = float(machine.force_step_kN)
    noisy = np.minimum(noisy, peak_kN - step)
    noisy[highest] = peak_kN
    return _written(machine, rng, np.maximum(noisy, 0.0), extension)


@cache
def _fading(toe_s: float, interval: float) -> Floats:
    """How much of the gap to full contact is left at each reading, until nothing is. Not by numpy, whose `exp` differs in its
    last bits from one processor to another: the same seed makes the same force everywhere."""
    points = math.ceil(45 * toe_s / interval)
    return np.array([math.exp(-index * interval / toe_s) for index in range(1, points + 1)])


def _rise(machine: MachineProfile, rng: np.random.Generator, peak: float, rate: float) -> Floats:
    interval = 1.0 / machine.sampling_hz
    longest = int(3.0 * peak / rate / interval) + int(30 / interval)
    factor = wander(machine, rng, longest)
    soft_from = peak * rng.uniform(0.985, 0.995)
    apart = np.zeros(longest)
    fading = _fading(machine.toe_s, interval)[:longest]
    apart[: len(fading)] = fading
    contact = 0.35 + 0.65 * (1 - apart)
    drives = rate * factor * contact
    free = np.cumsum(np.concatenate([[machine.trigger_kN], drives[:-1] * interval]))
    # The first reading from which cracking takes up part of the platen's travel, shortly before failure.
    start = int(np.argmax(free >= soft_from)) if free[-1] >= soft_from else longest - 1
    last, force = [], float(free[start])
    for drive in drives[start:].tolist():
        last.append(force)
        if force >= peak:
            break
        soft = max(0.2, min(1.0, 1 - 0.8 * (force - soft_from) / (peak - soft_from)))
        force += drive * soft * interval
    rising: Floats = np.minimum(np.concatenate([free[:start], last]), peak)
    return rising


def _bar_path(rng: np.random.Generator, steel: BarSteel) -> tuple[Floats, Floats, Floats]:
    """Corner points (strain %, stress MPa, time s) of one bar, from load zero to fracture."""
    upper = steel.ReL_MPa * rng.uniform(1.02, 1.05)
    at_upper = upper / steel.E_GPa / 10.0
    plateau = np.linspace(at_upper + 0.04, at_upper + steel.plateau_pct, 24)
    # Lüders bands run through one after another: serrations above the lower yield strength, which is their
    # floor.
    serrations = steel.ReL_MPa * (1 + np.abs(rng.normal(0, 0.004, plateau.size)))
    serrations[int(rng.integers(4, 20))] = steel.ReL_MPa
    rest = np.linspace(0, 1, 60)[1:]
    hardening_strain = plateau[-1] + (steel.Agt_pct - plateau[-1]) * rest
    hardening = steel.Rm_MPa - (steel.Rm_MPa - serrations[-1]) * (1 - rest) ** 2.4
    necking_strain = np.linspace(steel.Agt_pct, steel.fracture_pct, 20)[1:]
    necking = steel.Rm_MPa * (1 - 0.22 * np.linspace(0, 1, 20)[1:] ** 1.8)
    strain = np.concatenate(
        [[0, at_upper], plateau, hardening_strain, necking_strain, [steel.fracture_pct + 0.1]]
    )
    stress = np.concatenate([[0, upper], serrations, hardening, necking, [0.0]])
    # 20 MPa/s in the elastic part, then by strain rate: 0.0015 /s in yielding, 0.0035 /s to fracture.
    elastic_s = upper / 20.0
    rates = np.where(strain[2:] <= plateau[-1] + 1e-9, 0.15, 0.35)
    durations = np.diff(strain[1:]) / rates
    time_s = np.concatenate([[0.0, elastic_s], elastic_s + np.cumsum(durations)])
    return strain, stress, time_s


def _written(machine: MachineProfile, rng: np.random.Generator, force: Floats, travel: Floats) -> Curve:
    start = round(float(rng.uniform(10, 60)), 3)
    times = start + np.arange(force.size) / machine.sampling_hz
    return Curve(
        time_s=np.round(times, 3),
        force_kN=restore(*quantise(force, machine.force_step_kN)),
        travel_mm=restore(*quantise(travel, machine.travel_step_mm)),
    )
