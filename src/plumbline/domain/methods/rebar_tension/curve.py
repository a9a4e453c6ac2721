"""Evaluation of a tension curve: Rm, ReH and ReL or Rp0.2, Agt; symbols of ISO 6892-1 (拉伸曲线评定).

A naive "first drop" finds a yield point on one curve in three that has none: pauses, serrations, unloading.
A yield point here needs a drop of 0.5 %, a yielding stretch, an elastic slope before it, and its place early
in the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.methods.curve import FloatArray

#: ReH: the stress falls by at least this share …
YIELD_DROP: Final = 0.005
#: … and stays below for at least this strain, or, without an extensometer, this time.
YIELD_STRAIN: Final = 0.0005
YIELD_S: Final = 1.0
#: … before this share of the way to the greatest force …
YIELD_BEFORE: Final = 0.40
#: … at no less than this share of Rm (below it is slack) …
YIELD_ABOVE: Final = 0.30
#: … leaving the elastic line by no more than this strain; without strain: by this share of the stress.
YIELD_OFFSET: Final = 0.003
YIELD_LAG: Final = 0.10
#: A plateau without a drop: the stress rises less than this share above Rp0.2 over this strain, below 0.9 Rm.
PLATEAU_RISE: Final = 0.05
PLATEAU_STRAIN: Final = 0.010
PLATEAU_BELOW: Final = 0.90
#: The first undershoot of ReL ends when the stress has come back by this share of ReH (initial transient).
TRANSIENT_REBOUND: Final = 0.002
#: … and takes no more than this part of the yielding stretch.
TRANSIENT_PART: Final = 0.25
#: Agt is the middle of the stretch within this share of Rm.
TOP_SHARE: Final = 0.0005
#: The elastic line is fitted between these shares of Rm and needs this many points and this r².
ELASTIC_FROM: Final = 0.10
ELASTIC_TO: Final = 0.40
ELASTIC_POINTS: Final = 10
ELASTIC_R2: Final = 0.95
PROOF_OFFSET: Final = 0.002
#: A pause goes on with the slope it had before; a yield does not.
PAUSE_SLOPE_SHARE: Final = 0.70


@dataclass(frozen=True, slots=True, kw_only=True)
class TensionCurve:
    """Stress in MPa over strain (mm/mm), over time (s), or both, point by point up to fracture."""

    stress_MPa: FloatArray
    strain: FloatArray | None = None
    time_s: FloatArray | None = None
    #: True when the strain comes from an extensometer on the bar, not from the travel of the grips.
    extensometer: bool = True

    def __post_init__(self) -> None:
        """Refuse vectors of unequal length or with other than finite numbers, and a curve over nothing."""
        if self.strain is None and self.time_s is None:
            raise ValueError("a tension curve needs strain or time")
        for channel in (self.stress_MPa, self.strain, self.time_s):
            if channel is not None and channel.shape != self.stress_MPa.shape:
                raise ValueError("channels of unequal length")
            if channel is not None and not (channel.ndim == 1 and np.isfinite(channel).all()):
                raise ValueError("a channel is a vector of finite numbers")
        if self.stress_MPa.size < 20 or float(self.stress_MPa.max()) <= 0:
            raise ValueError("a tension curve needs 20 points and a positive stress")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticLine:
    """Straight line through the elastic part: stress = modulus · (strain − zero)."""

    modulus_MPa: float
    zero: float
    r2: float
    points: int

    @property
    def is_usable(self) -> bool:
        """True when the line stands on enough points to carry a proof strength."""
        return self.points >= ELASTIC_POINTS and self.r2 >= ELASTIC_R2 and self.modulus_MPa > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TensionEvaluation:
    """What the curve says, unrounded, MPa and per cent; indices are points of the curve for drawing."""

    Rm_MPa: float
    at_Rm: int
    #: ``peak`` (ReH and ReL), ``plateau`` (ReL only) or ``proof`` (neither: Rp0.2 stands for the yield).
    yield_kind: str
    ReH_MPa: float | None
    at_ReH: int | None
    ReL_MPa: float | None
    at_ReL: int | None
    #: Lowest stress of the yielding including the initial transient, for comparison.
    ReL_with_transient_MPa: float | None
    #: None without strain or without a usable elastic line.
    Rp02_MPa: float | None
    Agt_pct: float | None
    #: Modulus of the elastic line, GPa; None without an extensometer, since grips travel.
    modulus_GPa: float | None
    elastic: ElasticLine | None
    findings: tuple[Finding, ...]

    @property
    def yield_MPa(self) -> float | None:
        """ReL where there is one, else Rp0.2."""
        return self.ReL_MPa if self.ReL_MPa is not None else self.Rp02_MPa


def tension_curve(
    force_kN: FloatArray,
    area_mm2: float,
    *,
    extension_mm: FloatArray | None = None,
    gauge_length_mm: float | None = None,
    time_s: FloatArray | None = None,
    extensometer: bool = True,
) -> TensionCurve:
    """A curve from force and extension; the area is the nominal one. Raises ``ValueError`` (力-延伸曲线)."""
    strain = None
    if extension_mm is not None:
        if gauge_length_mm is None or gauge_length_mm <= 0:
            raise ValueError("extension without gauge length")
        strain = extension_mm / gauge_length_mm
    stress = force_kN * 1000.0 / area_mm2
    return TensionCurve(stress_MPa=stress, strain=strain, time_s=time_s, extensometer=extensometer)


def evaluate_curve(curve: TensionCurve) -> TensionEvaluation:
    """Rm, yield and Agt of one curve, within METHODS tolerances of ISO 6892-1 practice (曲线自动评定)."""
    at_top = int(np.argmax(curve.stress_MPa))
    line = None if curve.strain is None else _elastic_line(curve.strain, curve.stress_MPa, at_top)
    usable = line if line is not None and line.is_usable else None
    proof = None if usable is None else _proof_strength(curve, usable, at_top)
    found = _yield_peak(curve, at_top, usable)
    kind, at_upper, lower = "proof", None, None
    if found is not None:
        kind, at_upper = "peak", found[0]
        lower = _lower_yield(curve, *found)
    elif proof is not None and (stretch := _plateau(curve, proof, at_top)) is not None:
        kind, lower = "plateau", _lowest(curve.stress_MPa, *stretch)
    stress = curve.stress_MPa
    with_transient = None
    if found is not None:
        with_transient = float(stress[found[0] : found[1] + 1].min())
    elif lower is not None:
        with_transient = float(stress[lower])
    return TensionEvaluation(
        Rm_MPa=float(stress[at_top]),
        at_Rm=at_top,
        yield_kind=kind,
        ReH_MPa=None if at_upper is None else float(stress[at_upper]),
        at_ReH=at_upper,
        ReL_MPa=None if lower is None else float(stress[lower]),
        at_ReL=lower,
        ReL_with_transient_MPa=with_transient,
        Rp02_MPa=None if proof is None else proof[0],
        Agt_pct=_extension_at_top(curve, usable),
        modulus_GPa=usable.modulus_MPa / 1000 if usable is not None and curve.extensometer else None,
        elastic=line,
        findings=tuple(_findings(curve, line, kind)),
    )


def _elastic_line(strain: FloatArray, stress: FloatArray, at_top: int) -> ElasticLine | None:
    top = float(stress[at_top])
    first = int(np.argmax(stress >= ELASTIC_FROM * top))
    last = int(np.argmax(stress >= ELASTIC_TO * top))
    e, s = strain[first : last + 1], stress[first : last + 1]
    if e.size < 3 or float(np.ptp(e)) == 0:
        return None
    de, ds = e - e.mean(), s - s.mean()
    slope = float((de * ds).sum() / (de * de).sum())
    residual = float(((ds - slope * de) ** 2).sum())
    if slope == 0:
        return None
    r2 = 1.0 - residual / float((ds * ds).sum())
    zero = float(e.mean() - s.mean() / slope)
    return ElasticLine(modulus_MPa=slope, zero=zero, r2=r2, points=int(e.size))


def _proof_strength(curve: TensionCurve, line: ElasticLine, at_top: int) -> tuple[float, int] | None:
    """Rp0.2 and the first point after it: the curve's crossing of the line shifted by 0.2 %."""
    assert curve.strain is not None
    offset = line.modulus_MPa * (curve.strain - line.zero - PROOF_OFFSET)
    above = curve.stress_MPa - offset
    start = int(np.argmax(curve.stress_MPa >= ELASTIC_TO * curve.stress_MPa[at_top]))
    crossed = np.flatnonzero(above[start : at_top + 1] <= 0)
    if not crossed.size or crossed[0] == 0:
        return None
    after = start + int(crossed[0])
    share = above[after - 1] / (above[after - 1] - above[after])
    before, beyond = curve.stress_MPa[after - 1], curve.stress_MPa[after]
    return float(before + share * (beyond - before)), after


def _yield_peak(curve: TensionCurve, at_top: int, line: ElasticLine | None) -> tuple[int, int] | None:
    """Point of ReH and the point where the stress has regained it, or None."""
    stress = curve.stress_MPa[: at_top + 1]
    running = np.maximum.accumulate(stress)
    below = running - stress > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below, [False])).astype(np.int8)))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        peak, regained = first - 1, min(last, at_top)
        if stress[peak] < YIELD_ABOVE * stress[at_top]:
            continue
        if stress[peak] - stress[peak:regained].min() < YIELD_DROP * stress[peak]:
            continue
        if _is_early(curve, peak, at_top) and _lasts(curve, peak, regained):
            return (peak, regained) if _leaves_elastic(curve, peak, regained, line) else None
    return None


def _is_early(curve: TensionCurve, peak: int, at_top: int) -> bool:
    way = curve.time_s if curve.time_s is not None else curve.strain
    assert way is not None
    loaded = int(np.argmax(curve.stress_MPa >= 0.02 * curve.stress_MPa[at_top]))
    return bool(way[peak] - way[loaded] < YIELD_BEFORE * (way[at_top] - way[loaded]))


def _lasts(curve: TensionCurve, peak: int, regained: int) -> bool:
    if curve.strain is not None:
        return bool(curve.strain[regained] - curve.strain[peak] >= YIELD_STRAIN)
    assert curve.time_s is not None
    return bool(curve.time_s[regained] - curve.time_s[peak] >= YIELD_S)


def _leaves_elastic(curve: TensionCurve, peak: int, regained: int, line: ElasticLine | None) -> bool:
    """True when the peak ends the elastic line: neither a serration further on nor a pause within it."""
    stress = curve.stress_MPa
    if curve.strain is not None and line is not None:
        plastic = curve.strain[peak] - line.zero - stress[peak] / line.modulus_MPa
        return bool(plastic <= YIELD_OFFSET)
    if curve.time_s is None:
        return False
    first = int(np.argmax(stress >= 0.2 * stress[peak]))
    last = int(np.argmax(stress >= 0.8 * stress[peak]))
    if last - first < 5:
        return False
    slope, level = np.polyfit(curve.time_s[first : last + 1], stress[first : last + 1], 1)
    if slope <= 0 or slope * curve.time_s[peak] + level - stress[peak] > YIELD_LAG * stress[peak]:
        return False
    # As many seconds after the stretch as the slope was fitted over before it.
    until = curve.time_s[regained] + (curve.time_s[last] - curve.time_s[first]) / 4
    end = int(np.searchsorted(curve.time_s, until))
    if end - regained < 3:
        return True
    later = np.polyfit(curve.time_s[regained:end], stress[regained:end], 1)[0]
    return bool(later < PAUSE_SLOPE_SHARE * slope)


def _lower_yield(curve: TensionCurve, peak: int, regained: int) -> int:
    """Point of ReL: the lowest of the yielding, the first undershoot (initial transient) left aside."""
    stress = curve.stress_MPa[peak : regained + 1]
    way = curve.strain if curve.strain is not None else curve.time_s
    assert way is not None
    rebound = np.flatnonzero(stress - np.minimum.accumulate(stress) >= TRANSIENT_REBOUND * stress[0])
    if not rebound.size:
        return _lowest(curve.stress_MPa, peak, regained)
    undershot = int(np.argmin(stress[: int(rebound[0]) + 1]))
    # The transient is over when the stress is back at the level of the whole stretch.
    level = float(np.median(stress[undershot:]))
    settled = peak + undershot + int(np.argmax(stress[undershot:] >= level))
    # A dip that fills much of the stretch is no transient: it is the yielding.
    if way[settled] - way[peak] > TRANSIENT_PART * (way[regained] - way[peak]):
        return _lowest(curve.stress_MPa, peak, regained)
    return _lowest(curve.stress_MPa, settled, regained)


def _lowest(stress: FloatArray, first: int, last: int) -> int:
    return first + int(np.argmin(stress[first : last + 1]))


def _plateau(curve: TensionCurve, proof: tuple[float, int], at_top: int) -> tuple[int, int] | None:
    """First and last point of a flat yielding that no peak announces, or None."""
    assert curve.strain is not None
    level, start = proof
    if level > PLATEAU_BELOW * float(curve.stress_MPa[at_top]):
        return None
    risen = np.flatnonzero(curve.stress_MPa[start : at_top + 1] > level * (1 + PLATEAU_RISE))
    end = start + int(risen[0]) - 1 if risen.size else at_top
    if curve.strain[max(end, start)] - curve.strain[start] < PLATEAU_STRAIN:
        return None
    return start, end


def _extension_at_top(curve: TensionCurve, line: ElasticLine | None) -> float | None:
    """Agt, per cent: middle of the stretch at the greatest force, from the zero of the elastic line."""
    if curve.strain is None or not curve.extensometer:
        return None
    top = np.flatnonzero(curve.stress_MPa >= (1 - TOP_SHARE) * curve.stress_MPa.max())
    middle = float(curve.strain[top[0]] + curve.strain[top[-1]]) / 2
    return 100 * (middle - (line.zero if line is not None else float(curve.strain[0])))


def _findings(curve: TensionCurve, line: ElasticLine | None, kind: str) -> list[Finding]:
    if kind == "peak":
        return []
    if line is None or not line.is_usable:
        points = 0 if line is None else line.points
        return [
            Finding(
                code="rebar_tension.unusable_slope",
                clause="",
                sentence=f"曲线无明显屈服，弹性段只有 {points} 个可用点或不成直线，不能求得 Rp0.2。",
                severity=Severity.WARNING,
                facts={"points": str(points), "r2": "" if line is None else f"{line.r2:.4f}"},
                remedy="采用引伸计并提高采样频率；或以曲线为依据人工确定屈服强度并写明理由。",
            )
        ]
    if kind == "proof" and not curve.extensometer:
        return [
            Finding(
                code="rebar_tension.grip_travel_proof",
                clause="",
                sentence="曲线无明显屈服且未用引伸计，由夹头位移求得的 Rp0.2 只供参考。",
                severity=Severity.NOTICE,
                facts={"points": str(line.points)},
                remedy="采用引伸计测定 Rp0.2。",
            )
        ]
    return []
