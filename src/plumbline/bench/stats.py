"""Ratios of interleaved runs (比值统计): adjacent pairs, median, bootstrap interval, and when there is no
verdict."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import harmonic_mean, median

#: A limit that strays further than this from its median gives no verdict.
NOISE = 0.15
CONFIDENCE = 0.90
#: How often limit and ours take turns within a round, where a leg is short against the bursts in which other users of the host disturb it
#: (seconds to tens of seconds): what a burst takes, it then takes from both (decision 0041).
TURNS = 3
_RESAMPLES = 4000


class Verdict(StrEnum):
    """What a comparison says about its gate."""

    PASS = "PASS"  # noqa: S105 - a word of the report
    MISS = "MISS"
    NOISY = "noisy – no verdict"
    #: A row without a gate: shown for information, judged by nobody.
    INFORMATION = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Rates of ours and of the limit, round by round; both per second."""

    ours: tuple[float, ...]
    limit: tuple[float, ...]
    #: Whether it is what is left when what both do alike is taken off: ours may then be so little that its own straying counts.
    is_rest: bool = False
    #: Whether it was counted and not timed, so that it is the same on any host and always judged.
    is_counted: bool = False

    @property
    def ratios(self) -> list[float]:
        """One ratio per adjacent pair: what disturbs the machine disturbs both halves."""
        return [mine / theirs for mine, theirs in zip(self.ours, self.limit, strict=True)]

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """90 % bootstrap interval of the median ratio."""
        return bootstrap(self.ratios)

    @property
    def noise(self) -> float:
        """How far the limit strays from its own median, as a share of it; of what is left of both, ours too."""
        return max(stray(self.limit), stray(self.ours)) if self.is_rest else stray(self.limit)

    def verdict(self, gate: float | None, *, firmly: bool = False) -> Verdict:
        """Against a gate: a noisy limit proves nothing, in neither direction. Without a gate there is nothing to judge.

        `firmly`, for a run that must not fail falsely (decision 0042): what is certain is said however noisy the limit was, and a miss is
        one only where all that is likely lies below the gate by more than a quiet limit may stray.
        """
        if gate is None:
            return Verdict.INFORMATION
        if firmly and not self.is_counted:
            return self._firm(gate)
        if self.noise > NOISE:
            return Verdict.NOISY
        return Verdict.PASS if self.ratio >= gate else Verdict.MISS

    def _firm(self, gate: float) -> Verdict:
        """Certain is what holds however rounds are paired: our worst with the limit's best, or our best with its worst."""
        worst, best = min(self.ours) / max(self.limit), max(self.ours) / min(self.limit)
        is_quiet = self.noise <= NOISE
        if worst >= gate or (is_quiet and self.ratio >= gate):
            return Verdict.PASS
        below = gate * (1 - NOISE)
        if best < below or (is_quiet and self.interval[1] < below):
            return Verdict.MISS
        return Verdict.NOISY


#: What a leg measures: a rate per second, or one for each way to lay the work out.
Rates = float | Sequence[float]


def interleave(
    limit: Callable[[int], Rates],
    ours: Callable[[int], Rates],
    rounds: int,
    *,
    warm: bool = True,
    turns: int = 1,
) -> Comparison:
    """Run limit and ours alternately, `turns` times each in each of `rounds`; with `warm` one uncounted pair goes ahead.

    Each callable takes the number of its leg (−1 while warming), does as much work in each, and returns its rate per second, or one for
    each way to lay the work out, of which the best over the whole round counts. One round alone is a trial and has one turn.
    """
    if rounds == 1:
        turns = 1
    if warm:
        limit(-1)
        ours(-1)
    theirs, mine = [], []
    for number in range(rounds):
        legs = [(limit(leg), ours(leg)) for leg in range(number * turns, (number + 1) * turns)]
        theirs.append(of_round([each for each, _ in legs]))
        mine.append(of_round([each for _, each in legs]))
    return Comparison(ours=tuple(mine), limit=tuple(theirs))


def of_round(legs: Sequence[Rates]) -> float:
    """The rate of all legs together, each of the same work; of several ways the best over all of them."""
    ways = zip(*((each,) if isinstance(each, float) else each for each in legs), strict=True)
    return max(map(harmonic_mean, ways))


def bootstrap(values: Sequence[float], confidence: float = CONFIDENCE, seed: int = 1) -> tuple[float, float]:
    """Percentile bootstrap interval of the median; the seed is fixed, so that equal data give equal words."""
    if not values:
        raise ValueError("an interval of no values")
    chance = random.Random(seed)  # noqa: S311 - resampling, not a secret
    medians = sorted(median(chance.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    tail = (1 - confidence) / 2
    return medians[int(tail * _RESAMPLES)], medians[min(_RESAMPLES - 1, int((1 - tail) * _RESAMPLES))]


def stray(values: Sequence[float]) -> float:
    """Greatest distance from the median, as a share of the median."""
    middle = median(values)
    return max(abs(value - middle) for value in values) / middle
