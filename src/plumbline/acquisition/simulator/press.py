"""The simulated press: recordings as a real machine would write them (模拟试验机).

For demonstration, training and conformance. The same seed gives the same curves in the same order. Its
recordings carry the format name ``simulator`` and never claim to be a real test.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from plumbline.acquisition.curve_scale import Counts, Floats, quantise, scale_text
from plumbline.acquisition.recordings.model import (
    Channel,
    ChannelName,
    Dimension,
    MethodCode,
    Note,
    Recording,
    dimension,
    measured,
    peak_of,
    sampling_rate,
)
from plumbline.acquisition.simulator import curves
from plumbline.acquisition.simulator.curves import BarSteel, Curve
from plumbline.acquisition.simulator.machine import PRESS_2000, MachineProfile

FORMAT: Final = "simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenFacts:
    """What the operator would type about a specimen; all optional."""

    label: str = ""
    number: int | None = None
    group_label: str | None = None
    grade: str | None = None
    cast_on: date | None = None
    #: Naive local time of the first reading, as machine clocks are.
    tested_at: datetime | None = None
    operator_initials: str | None = None
    mass_g: str | None = None
    length_mm: str | None = None


NO_FACTS: Final = SpecimenFacts()


class SimulatedPress:
    """One simulated machine; each test draws the next curve of its seed."""

    def __init__(self, seed: int, machine: MachineProfile = PRESS_2000) -> None:
        self.machine = machine
        self.seed = seed
        self._tests = 0

    def cube(
        self,
        strength_MPa: float,
        edge_mm: int = 150,
        rate_MPa_per_s: float = 0.6,
        *,
        facts: SpecimenFacts = NO_FACTS,
    ) -> Recording:
        """A concrete cube loaded to failure; the peak over the area is the strength to the force step."""
        area = edge_mm * edge_mm / 1000.0
        curve = curves.compression(self.machine, self._draw(), strength_MPa * area, rate_MPa_per_s * area)
        edge = str(edge_mm)
        sizes = (("width", edge), ("height", edge), ("length", facts.length_mm or edge))
        return self._recording(curve, "concrete_cube", sizes, facts)

    def bar(
        self,
        steel: BarSteel,
        diameter_mm: int = 20,
        *,
        gauge_mm: int = 100,
        facts: SpecimenFacts = NO_FACTS,
    ) -> Recording:
        """A bar pulled to fracture; displacement is the extension over the gauge length."""
        area = math.pi * diameter_mm**2 / 4
        curve = curves.tension(self.machine, self._draw(), steel, area, float(gauge_mm))
        sizes = (("diameter", str(diameter_mm)), ("gauge_length", str(gauge_mm)))
        return self._recording(curve, "rebar_tension", sizes, facts)

    def modulus(self, top_kN: float, *, facts: SpecimenFacts = NO_FACTS) -> Recording:
        """Modulus cycles on a cylinder: no strength test, so without method."""
        curve = curves.modulus_cycles(self.machine, self._draw(), top_kN)
        reason = Note(code="recording.modulus_cycles", sentence="弹性模量循环加载，未加载至破坏")
        sizes = (("diameter", "100"), ("length", "300"))
        return self._recording(curve, None, sizes, facts, reason=reason)

    def cylinder(self, strength_MPa: float, *, facts: SpecimenFacts = NO_FACTS) -> Recording:
        """A cylinder 100 × 300 mm to failure: no method in the catalogue."""
        area = math.pi * 100.0**2 / 4 / 1000.0
        curve = curves.compression(self.machine, self._draw(), strength_MPa * area, 0.5 * area)
        reason = Note(code="recording.no_method_cylinder", sentence="圆柱体试件，检测方法目录中没有对应方法")
        sizes = (("diameter", "100"), ("length", "300"))
        return self._recording(curve, None, sizes, facts, reason=reason)

    @staticmethod
    def samples(recording: Recording, chunk_s: float = 0.2) -> Iterator[tuple[Floats, Floats]]:
        """The recording piece by piece: times from zero in s, force in kN, ``chunk_s`` of machine time each.

        Nothing waits here: whoever draws the next piece decides the pace. A gap in the recording is a piece
        that starts late, never an empty one.
        """
        force = recording.channels[0]
        if force.name != "force" or force.time_s is None or chunk_s <= 0:
            raise ValueError("只有带时间的力值通道可以逐段输出，且段长须为正")
        times = force.time_s - force.time_s[0]
        chunk = np.floor(times / chunk_s + 1e-9).astype(np.int64)
        cuts = np.flatnonzero(np.diff(chunk)) + 1
        for part in np.split(np.arange(times.size), cuts):
            yield times[part], force.value[part]

    def _draw(self) -> np.random.Generator:
        self._tests += 1
        digest = hashlib.sha256(self.machine.serial_number.encode()).digest()
        # Two machines of one seed still differ: the serial number is part of the draw.
        return np.random.default_rng([self.seed, self._tests, int.from_bytes(digest[:4], "big")])

    def _recording(
        self,
        curve: Curve,
        method: MethodCode | None,
        sizes: tuple[tuple[str, str], ...],
        facts: SpecimenFacts,
        *,
        reason: Note | None = None,
    ) -> Recording:
        force = _channel("force", "kN", curve.time_s, curve.force_kN, self.machine.force_step_kN)
        travel = _channel("displacement", "mm", curve.time_s, curve.travel_mm, self.machine.travel_step_mm)
        dimensions: tuple[Dimension | None, ...] = tuple(dimension(name, text) for name, text in sizes)
        return Recording(
            format=FORMAT,
            source_name=f"simulator/{self.machine.serial_number}/{self.seed}/{self._tests}",
            sha256=_digest(curve.time_s, force.counts, travel.counts),
            method=method,
            reasons=() if reason is None else (reason,),
            specimen_label=facts.label or f"SIM-{self.seed}-{self._tests}",
            specimen_number=facts.number,
            group_label=facts.group_label,
            cast_on=facts.cast_on,
            tested_on=facts.tested_at.date() if facts.tested_at else None,
            tested_at=facts.tested_at,
            operator_initials=facts.operator_initials,
            dimensions=tuple(item for item in dimensions if item is not None),
            mass_g=measured(facts.mass_g),
            grade=facts.grade,
            channels=(force, travel),
            sampling_rate_hz=sampling_rate(curve.time_s),
            peak=peak_of(force),
            warnings=(Note(code="recording.simulated", sentence="模拟试验机产生的数据，不是真实试验"),),
        )


def _channel(name: ChannelName, unit: str, time_s: Floats, value: Floats, step: str) -> Channel:
    # The machine's own step is known here, so nothing is estimated.
    counts, scale = quantise(value, step)
    return Channel(
        name=name,
        unit=unit,
        time_s=time_s,
        value=value,
        counts=counts,
        scale=scale_text(Decimal(scale)),
        lossless=True,
        source_column=f"simulated {name}",
    )


def _digest(time_s: Floats, *counts: Counts) -> str:
    """SHA-256 over times in µs and counts as big-endian 64-bit numbers; stands for the file's bytes."""
    digest = hashlib.sha256(np.rint(time_s * 1e6).astype(">i8").tobytes())
    for series in counts:
        digest.update(series.astype(">i8").tobytes())
    return digest.hexdigest()
