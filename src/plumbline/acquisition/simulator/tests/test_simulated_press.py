"""Curves of the simulated press behave like those of a real one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.simulator import (
    PRESS_2000,
    PRESS_3000,
    TENSION_600,
    BarSteel,
    SimulatedPress,
)
from plumbline.acquisition.simulator.curves import _rise
from plumbline.acquisition.simulator.machine import wander

STEEL = BarSteel(ReL_MPa=438.0, Rm_MPa=588.0, Agt_pct=13.0)


def slope(recording: Recording) -> float:
    """Rate in MPa/s by regression between 20 and 80 per cent of the maximum, 150 mm cube."""
    force = recording.channels[0]
    assert force.time_s is not None
    top = recording.peak.index
    share = force.value[:top] / force.value[top]
    inside = (share > 0.2) & (share < 0.8)
    return float(np.polyfit(force.time_s[:top][inside], force.value[:top][inside], 1)[0]) / 22.5


@pytest.mark.clause("BJ 6.2.1.3")
@pytest.mark.parametrize("strength", [12.0, 35.5, 60.0, 85.0])
def test_the_peak_is_the_asked_strength_to_the_force_step(strength: float) -> None:
    recording = SimulatedPress(1).cube(strength)
    assert float(recording.peak.value.value) / 22.5 == pytest.approx(strength, abs=0.05 / 22.5)


@pytest.mark.clause("BJ 6.1.1")
@pytest.mark.parametrize("rate", [0.3, 0.5, 0.65, 1.0])
def test_the_loading_rate_is_held(rate: float) -> None:
    assert slope(SimulatedPress(2).cube(45.0, 150, rate)) == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("machine", [PRESS_2000, PRESS_3000])
def test_readings_lie_on_the_machines_own_grid_and_clock(machine: object) -> None:
    recording = SimulatedPress(3, machine).cube(40.0)  # type: ignore[arg-type]
    force = recording.channels[0]
    assert recording.sampling_rate_hz == machine.sampling_hz  # type: ignore[attr-defined]
    assert force.scale == machine.force_step_kN  # type: ignore[attr-defined]
    assert force.lossless


def test_it_has_a_toe_a_texture_and_a_sudden_break() -> None:
    force = SimulatedPress(4).cube(40.0).channels[0].value
    steps = np.diff(force)
    peak = int(force.argmax())
    assert steps[:10].mean() < 0.8 * steps[100:200].mean()
    assert steps[200 : peak - 100].std() > 0.1
    assert force[peak + 3] < 0.5 * force[peak]


def test_the_same_seed_gives_the_same_tests_and_each_test_another_curve() -> None:
    first, second = SimulatedPress(9), SimulatedPress(9)
    pairs = [(first.cube(40.0), second.cube(40.0)) for _ in range(3)]
    assert all(one.sha256 == other.sha256 for one, other in pairs)
    assert len({one.sha256 for one, _ in pairs}) == 3
    assert SimulatedPress(10).cube(40.0).sha256 != pairs[0][0].sha256


def test_the_force_is_that_of_reckoning_reading_by_reading_to_the_last_bit() -> None:
    machine, peak, rate = PRESS_2000, 700.0, 11.0
    rng, interval = np.random.default_rng(5), 1.0 / PRESS_2000.sampling_hz
    longest = int(3.0 * peak / rate / interval) + int(30 / interval)
    factor = wander(machine, rng, longest)
    soft_from, force, expected = peak * rng.uniform(0.985, 0.995), machine.trigger_kN, []
    for index in range(longest):
        expected.append(min(force, peak))
        if force >= peak:
            break
        contact = 0.35 + 0.65 * (1 - math.exp(-(index + 1) * interval / machine.toe_s))
        soft = 1.0 if force < soft_from else max(0.2, 1 - 0.8 * (force - soft_from) / (peak - soft_from))
        force += rate * float(factor[index]) * contact * soft * interval
    assert _rise(machine, np.random.default_rng(5), peak, rate).tolist() == expected


def test_two_machines_differ_in_their_texture() -> None:
    def memory(recording: Recording) -> float:
        force = recording.channels[0].value[200:900]
        rest = force - np.convolve(np.pad(force, 7, mode="edge"), np.ones(15) / 15, "valid")
        return float(np.corrcoef(rest[:-1], rest[1:])[0, 1])

    one = [memory(SimulatedPress(seed, PRESS_2000).cube(50.0)) for seed in range(4)]
    other = [memory(SimulatedPress(seed, PRESS_3000).cube(50.0)) for seed in range(4)]
    assert max(one) < min(other)


@pytest.mark.parametrize(("strength", "rate"), [(0.1, 0.5), (89.0, 0.5), (40.0, 0.0), (40.0, 0.001)])
def test_what_the_machine_cannot_do_is_refused(strength: float, rate: float) -> None:
    with pytest.raises(ValueError, match="kN"):
        SimulatedPress(1).cube(strength, 150, rate)


def test_a_bar_yields_and_reaches_its_tensile_strength() -> None:
    recording = SimulatedPress(6, TENSION_600).bar(STEEL, 20)
    area = np.pi * 100
    stress = recording.channels[0].value * 1000 / area
    strain = recording.channels[1].value
    assert float(recording.peak.value.value) * 1000 / area == pytest.approx(588.0, abs=0.02)
    assert float(strain[recording.peak.index]) == pytest.approx(13.0, abs=0.2)
    plateau = stress[(strain > 0.4) & (strain < 1.6)]
    assert plateau.min() == pytest.approx(438.0, rel=0.004)
    before = stress[strain < 0.3]
    assert before.max() > 1.01 * plateau.min()


def test_live_pieces_carry_the_whole_recording_in_order() -> None:
    recording = SimulatedPress(8).cube(30.0)
    pieces = list(SimulatedPress.samples(recording, 0.5))
    force = np.concatenate([part for _, part in pieces])
    assert (force == recording.channels[0].value).all()
    assert all(times[-1] - times[0] < 0.5 for times, _ in pieces)
    assert pieces[0][0][0] == 0.0


def test_a_simulated_recording_never_claims_to_be_real() -> None:
    recording = SimulatedPress(8).cube(30.0)
    assert recording.format == "simulator"
    assert recording.warnings[0].code == "recording.simulated"
