"""Machines of the city (演示试验机): each with its own noise, servo line and resolution (METHODS §5)."""

from __future__ import annotations

from typing import Final

import numpy as np

from plumbline.acquisition.simulator import PRESS_2000, TENSION_600, MachineProfile

#: Readings a second and step of the force in kN, as sold together.
_PRESS_ELECTRONICS: Final = ((20.0, "0.05"), (20.0, "0.02"), (25.0, "0.1"), (10.0, "0.01"))
_TENSION_ELECTRONICS: Final = ((20.0, "0.005"), (25.0, "0.01"), (20.0, "0.002"))


def press_profile(rng: np.random.Generator, code: str, serial_number: str) -> MachineProfile:
    """A compression machine of 2000 kN with a texture of its own."""
    rate, step = _PRESS_ELECTRONICS[int(rng.integers(len(_PRESS_ELECTRONICS)))]
    return _textured(rng, PRESS_2000, code, serial_number, (rate, step), (0.18, 0.45), (0.2, 0.6))


def tension_profile(rng: np.random.Generator, code: str, serial_number: str) -> MachineProfile:
    """A universal machine of 600 kN with a texture of its own."""
    rate, step = _TENSION_ELECTRONICS[int(rng.integers(len(_TENSION_ELECTRONICS)))]
    return _textured(rng, TENSION_600, code, serial_number, (rate, step), (0.008, 0.016), (0.006, 0.014))


def _textured(  # noqa: PLR0917 - one machine's plate
    rng: np.random.Generator,
    like: MachineProfile,
    code: str,
    serial_number: str,
    electronics: tuple[float, str],
    noise: tuple[float, float],
    ripple: tuple[float, float],
) -> MachineProfile:
    first = float(rng.uniform(0.2, 0.85))
    return MachineProfile(
        model=f"{like.model} {code}",
        serial_number=f"SIM-{serial_number}",
        capacity_kN=like.capacity_kN,
        sampling_hz=electronics[0],
        force_step_kN=electronics[1],
        travel_step_mm=like.travel_step_mm,
        noise_kN=round(float(rng.uniform(*noise)), 4),
        # Within the triangle where a second-order autoregression is stationary.
        noise_memory=(round(first, 3), round(float(rng.uniform(-0.4, 0.9 - first)), 3)),
        ripple_kN=round(float(rng.uniform(*ripple)), 4),
        ripple_hz=round(float(rng.uniform(0.7, 3.1)), 3),
        rate_wander=round(float(rng.uniform(0.002, 0.006)), 4),
        trigger_kN=like.trigger_kN,
        toe_s=round(float(rng.uniform(0.7, 1.8) * like.toe_s), 2),
    )
