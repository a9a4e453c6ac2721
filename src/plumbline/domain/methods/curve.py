"""Recorded force–time curves: whether one can carry a result, and how fast it was loaded (力值-时间曲线)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity

FloatArray = NDArray[np.float64]

MIN_POINTS: Final = 50
MIN_DURATION_S: Final = 5.0
#: A gap is longer than both: this many median intervals, and this many seconds.
GAP_INTERVALS: Final = 3.0
GAP_S: Final = 0.5
#: Acquisition buffers end at such counts; 1 024 was met in real recordings.
BUFFER_SIZES: Final = frozenset({1000, 2000, 5000, 10000, 50000, *(2**power for power in range(8, 17))})
#: The last value of a recording that shows failure lies at least this share below the maximum.
FAILURE_DROP: Final = 0.02
#: An unloading deeper than this share of the maximum, followed by as much reloading, is a load cycle.
CYCLE_SHARE: Final = 0.15
#: A cycle's later peaks stay within the level of the first; a failure is not loaded again.
MIN_CYCLES: Final = 2
#: Texture below this share of the maximum, over the straight part, is what no load cell shows.
SMOOTH_SHARE: Final = 1e-9
#: Share of equal neighbours on the rising part above which the signal stood still.
STANDING_SHARE: Final = 0.5
#: A local slope counts as outside only beyond this share of a limit: window noise is not a fault.
BAND_TOLERANCE: Final = 0.10
LOW_SHARE: Final = 0.2
HIGH_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Series:
    """A channel over time: seconds from any zero, force in kN or stress in MPa, compression positive."""

    time_s: FloatArray
    value: FloatArray

    def __post_init__(self) -> None:
        """Refuse what is not two finite vectors of one length: a fault of the caller's decoder."""
        if self.time_s.ndim != 1 or self.time_s.shape != self.value.shape:
            raise ValueError("a series needs two vectors of the same length")
        if not (np.isfinite(self.time_s).all() and np.isfinite(self.value).all()):
            raise ValueError("a series holds finite numbers only")

    def __len__(self) -> int:
        return int(self.time_s.size)

    @property
    def peak(self) -> int:
        """Index of the first occurrence of the greatest value."""
        return int(np.argmax(self.value))


#: The name of a curve in METHODS and on the wire.
ForceTimeCurve = Series


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingRate:
    """How fast a specimen was loaded between 20 % and 80 % of its greatest force (加荷速度)."""

    #: Slope of the regression line over the judged part, MPa/s.
    mean_MPa_per_s: float
    #: Greatest distance of a local slope (over ``window_s``) from the mean, MPa/s.
    max_deviation: float
    #: Share of the judged time whose local slope lies outside the band ± 10 % of its limits, 0 to 1.
    share_outside: float
    judged_from_s: float
    judged_to_s: float
    window_s: float


def series_of(time_s: Any, value: Any) -> Series:
    """A series from whatever numpy reads; raises ``ValueError`` for unequal lengths, non-finite values."""
    return Series(np.asarray(time_s, dtype=np.float64), np.asarray(value, dtype=np.float64))


@carries_out("BJ 6.2.1.3")
def check_series(series: Series) -> list[Finding]:
    """What keeps a curve from carrying a strength, or makes it doubtful (曲线完整性).

    Severity ``SEVERE``: no strength may be taken from it (see `carries_strength`). Others are told only.
    """
    if len(series) < MIN_POINTS:
        return [
            _finding(
                "few_points",
                f"曲线只有 {len(series)} 个点，少于 {MIN_POINTS} 个。",
                Severity.SEVERE,
                {"points": str(len(series)), "limit": str(MIN_POINTS)},
                "上传未经抽稀的原始曲线。",
            )
        ]
    steps = np.diff(series.time_s)
    if bool((steps < 0).any()):
        at = int(np.argmax(steps < 0))
        before, after = series.time_s[at : at + 2]
        return [
            _finding(
                "reversed_time",
                f"曲线时间在第 {at + 2} 个点由 {before:.3f} s 倒退到 {after:.3f} s。",
                Severity.SEVERE,
                {"point": str(at + 2), "count": str(int((steps < 0).sum()))},
                "核对采集程序的时钟与拼接顺序后重新上传。",
            )
        ]
    if float(series.value.max()) <= 0:
        return [
            _finding(
                "forceless_curve",
                "曲线上没有大于零的力值。",
                Severity.SEVERE,
                {"maximum": f"{series.value.max():.6g}"},
                "核对力值通道与符号。",
            )
        ]
    found = _time_findings(series, steps)
    cycles = load_cycles(series)
    if cycles >= MIN_CYCLES:
        found.append(_cycles_finding(cycles))
    else:
        found += _end_findings(series)
    return found + _texture_findings(series)


def carries_strength(findings: list[Finding]) -> bool:
    """True when nothing found by `check_series` forbids taking the maximum as the breaking force."""
    return all(finding.severity.rank < Severity.SEVERE.rank for finding in findings)


def load_cycles(series: Series) -> int:
    """How often the load fell by more than 15 % of the maximum and rose again by as much (加卸载循环次数)."""
    swing = CYCLE_SHARE * float(series.value.max())
    cycles, falling, extreme = 0, False, float(series.value[0])
    for value in series.value.tolist():
        if falling:
            extreme = min(extreme, value)
            if value - extreme > swing:
                cycles, falling, extreme = cycles + 1, False, value
        else:
            extreme = max(extreme, value)
            if extreme - value > swing:
                falling, extreme = True, value
    return cycles


def contact_offset(series: Series) -> int:
    """Index of the point from which the load rises steadily: what lies before is preload or idle (接触点).

    Found from the regression line between 20 and 80 % of the maximum, followed back to the last point before
    20 % that lies below 2 % of the maximum; 0 when the recording starts in contact.
    """
    rise = series.value[: series.peak + 1]
    top = float(rise[-1])
    first_fifth = int(np.argmax(rise >= LOW_SHARE * top))
    idle = np.flatnonzero(rise[:first_fifth] < 0.02 * top)
    return int(idle[-1]) + 1 if idle.size else 0


@carries_out("BJ 6.2.3.3")
def loading_rate(
    series: Series,
    area_mm2: float,
    *,
    band: tuple[float, float] | None = None,
    window_s: float = 2.0,
) -> LoadingRate:
    """Regression slope of the force (kN) between 20 % and 80 % of its maximum over ``area_mm2`` (加荷速度).

    ``band`` in MPa/s decides ``share_outside``: local slopes more than 10 % of a limit beyond it. The judged
    part runs from the last point below 20 % to the first at 80 %, so that a preload does not count. Raises
    ``ValueError`` when it has fewer than three points or no duration; the caller checks the series before.
    """
    start, stop = _judged_part(series)
    time_s, stress = series.time_s[start:stop], series.value[start:stop] * 1000.0 / area_mm2
    mean = _slope(time_s, stress)
    local = _local_slopes(time_s, stress, window_s)
    outside = 0.0
    if band is not None:
        low, high = band[0] * (1 - BAND_TOLERANCE), band[1] * (1 + BAND_TOLERANCE)
        beyond = (local < low - 1e-9) | (local > high + 1e-9)
        outside = float(np.average(beyond, weights=np.gradient(time_s)))
    return LoadingRate(
        mean_MPa_per_s=mean,
        max_deviation=float(np.abs(local - mean).max()),
        share_outside=outside,
        judged_from_s=float(time_s[0]),
        judged_to_s=float(time_s[-1]),
        window_s=window_s,
    )


def rate_series(series: Series, area_mm2: float, window_s: float = 2.0) -> Series:
    """Local loading rate in MPa/s at every point up to the maximum, for drawing (加荷速度曲线)."""
    stop = series.peak + 1
    time_s = series.time_s[:stop]
    return Series(time_s, _local_slopes(time_s, series.value[:stop] * 1000.0 / area_mm2, window_s))


def _judged_part(series: Series) -> tuple[int, int]:
    rise = series.value[: series.peak + 1]
    top = float(rise[-1])
    stop = int(np.argmax(rise >= HIGH_SHARE * top)) + 1
    below = np.flatnonzero(rise[:stop] < LOW_SHARE * top)
    start = int(below[-1]) + 1 if below.size else 0
    if stop - start < 3 or series.time_s[stop - 1] <= series.time_s[start]:
        raise ValueError("too few points between 20 % and 80 % of the maximum")
    return start, stop


def _slope(time_s: FloatArray, value: FloatArray) -> float:
    centred = time_s - time_s.mean()
    return float((centred * (value - value.mean())).sum() / (centred * centred).sum())


def _local_slopes(time_s: FloatArray, value: FloatArray, window_s: float) -> FloatArray:
    """Regression slope in a window around each point, by running sums: one pass for any curve length."""
    if time_s.size < 2:
        return np.zeros_like(time_s)
    half = window_s / 2 + 1e-9
    first = np.searchsorted(time_s, time_s - half, side="left")
    last = np.searchsorted(time_s, time_s + half, side="right")
    # At least the neighbours on both sides, where the sampling is slower than the window.
    index = np.arange(time_s.size)
    first = np.minimum(first, np.maximum(index - 1, 0))
    last = np.maximum(last, np.minimum(index + 2, time_s.size))
    # Offsets removed first: running sums of squares of large times would lose digits.
    t, v = time_s - time_s.mean(), value - value.mean()
    sums = [np.concatenate(([0.0], np.cumsum(column))) for column in (t, v, t * t, t * v)]
    st, sv, stt, stv = (column[last] - column[first] for column in sums)
    n = (last - first).astype(np.float64)
    spread = stt - st * st / n
    steady = spread > 1e-12
    slopes = np.zeros_like(time_s)
    np.divide(stv - st * sv / n, spread, out=slopes, where=steady)
    return slopes


def _time_findings(series: Series, steps: FloatArray) -> list[Finding]:
    found = []
    duration = float(series.time_s[-1] - series.time_s[0])
    if duration < MIN_DURATION_S:
        found.append(
            _finding(
                "short_duration",
                f"曲线历时 {duration:.1f} s，少于 {MIN_DURATION_S:.0f} s。",
                Severity.SEVERE,
                {"duration_s": f"{duration:.3f}", "limit_s": f"{MIN_DURATION_S:.0f}"},
                "核对采集是否完整。",
            )
        )
    median = float(np.median(steps))
    gaps = np.flatnonzero((steps > GAP_INTERVALS * median) & (steps > GAP_S))
    if gaps.size:
        widest = int(gaps[np.argmax(steps[gaps])])
        # A gap on the way to the maximum hides what the specimen did; one in the idle part hides nothing.
        severe = bool((gaps < series.peak).any())
        found.append(
            _finding(
                "interrupted_curve",
                f"曲线有 {gaps.size} 处中断，最长一处始于 {series.time_s[widest]:.1f} s，"
                f"长 {steps[widest]:.1f} s。",
                Severity.WARNING if severe else Severity.NOTICE,
                {
                    "gaps": str(gaps.size),
                    "longest_s": f"{steps[widest]:.3f}",
                    "median_interval_s": f"{median:.4f}",
                },
                "说明中断原因；断点续传的，补传缺失数据。",
            )
        )
    return found


def _cycles_finding(cycles: int) -> Finding:
    return _finding(
        "cyclic_loading",
        f"曲线有 {cycles} 次加卸载循环，是弹性模量等试验，不是加荷至破坏的强度试验。",
        Severity.SEVERE,
        {"cycles": str(cycles)},
        "按相应的试验项目上传。",
    )


def _end_findings(series: Series) -> list[Finding]:
    top, last = float(series.value[series.peak]), float(series.value[-1])
    if last < top * (1 - FAILURE_DROP):
        return []
    limited = len(series) in BUFFER_SIZES
    facts = {"points": str(len(series)), "maximum": f"{top:.6g}", "last": f"{last:.6g}"}
    if limited:
        return [
            _finding(
                "buffer-limited",
                f"曲线恰在第 {len(series)} 个点处结束且力值未下降，是采集缓冲区写满，最大值不是破坏荷载。",
                Severity.SEVERE,
                facts,
                "取消采集长度限制后重新试验。",
            )
        ]
    return [
        _finding(
            "undropped_end",
            "曲线结束时力值仍未下降，不能表明试件已破坏。",
            Severity.WARNING,
            facts,
            "采集应持续到试件破坏之后。",
        )
    ]


def _texture_findings(series: Series) -> list[Finding]:
    rise = series.value[: series.peak + 1]
    top = float(rise[-1])
    part = rise[rise >= LOW_SHARE * top]
    if part.size < 20:
        return []
    standing = float((np.diff(part) == 0).mean())
    if standing > STANDING_SHARE:
        return [
            _finding(
                "standing_signal",
                f"上升段有 {standing * 100:.0f}% 的相邻力值完全相同，信号停滞或分辨力不足。",
                Severity.WARNING,
                {"share": f"{standing:.3f}"},
                "核对传感器分辨力与采样设置。",
            )
        ]
    texture = float(np.abs(np.diff(part, 3)).max()) / top
    if texture < SMOOTH_SHARE:
        return [
            _finding(
                "smoothed_curve",
                "上升段没有任何测量纹理，是平滑后的曲线或设定值通道，不是实测力值。",
                Severity.WARNING,
                {"texture_share": f"{texture:.2e}"},
                "上传未经平滑的实测力值通道。",
            )
        ]
    return []


def _finding(name: str, sentence: str, severity: Severity, facts: dict[str, str], remedy: str) -> Finding:
    return Finding(
        code=f"curve.{name}",
        clause="BJ 6.2.1.3",
        sentence=sentence,
        severity=severity,
        facts=facts,
        remedy=remedy,
    )
