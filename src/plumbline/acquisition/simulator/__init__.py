"""模拟试验机: a simulated press and its recordings, marked as simulated everywhere (the simulator)."""

from __future__ import annotations

from plumbline.acquisition.simulator.curves import BarSteel
from plumbline.acquisition.simulator.machine import PRESS_2000, PRESS_3000, TENSION_600, MachineProfile
from plumbline.acquisition.simulator.press import SimulatedPress, SpecimenFacts
from plumbline.acquisition.simulator.write import write_folder

__all__ = [
    "PRESS_2000",
    "PRESS_3000",
    "TENSION_600",
    "BarSteel",
    "MachineProfile",
    "SimulatedPress",
    "SpecimenFacts",
    "write_folder",
]
