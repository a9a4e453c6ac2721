"""Strengths as sites deliver them (强度模型): by grade, age, season, plant; bars by their steel."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Final

import numpy as np

from plumbline.acquisition.simulator import BarSteel

#: Same-condition curing (同条件养护) is over at this sum of daily mean temperatures, ℃·d.
FIELD_SUM_C_D: Final = 600.0
FIELD_LEAST_D: Final = 14
FIELD_MOST_D: Final = 60


def daily_mean_C(on: date) -> float:
    """Daily mean temperature of the city's climate, ℃: about 0 in January, 26 in July."""
    return 13.0 - 13.0 * math.cos(2 * math.pi * (on.timetuple().tm_yday - 18) / 365)


def field_age_d(made_on: date) -> int:
    """Days until a cube that cures beside the structure may be tested: 600 ℃·d, 14 to 60 days."""
    total, age = 0.0, 0
    while age < FIELD_MOST_D and (total < FIELD_SUM_C_D or age < FIELD_LEAST_D):
        age += 1
        total += max(0.0, daily_mean_C(made_on + timedelta(days=age)))
    return age


def season_share(on: date) -> float:
    """Share by which concrete made on a day departs from the year's mean: cooler months end higher."""
    return 0.035 * math.cos(2 * math.pi * (on.timetuple().tm_yday - 20) / 365)


def age_share(age_d: int) -> float:
    """Strength at an age as a share of that at 28 days, standard curing."""
    return math.exp(0.30 * (1 - math.sqrt(28 / age_d)))


def cube_strengths(
    rng: np.random.Generator, grade: str, age_d: int, made_on: date, plant_share: float
) -> tuple[float, float, float]:
    """Three cubes of one group, MPa: the group's level varies by 5 %, cubes within it by 2 to 4 %."""
    level = float(grade[1:]) * (
        1.17 + season_share(made_on) + plant_share + 0.045 * float(rng.standard_normal())
    )
    mean = level * age_share(age_d)
    spread = 0.018 + 0.02 * float(rng.random())
    drawn = tuple(round(mean * (1 + spread * float(rng.standard_normal())), 2) for _ in range(3))
    return drawn[0], drawn[1], drawn[2]


def bar_steel(rng: np.random.Generator) -> BarSteel:
    """A bar of an E grade with a margin over its limits, as mills deliver it."""
    yields = round(445.0 + 8 * float(rng.standard_normal()), 1)
    ratio = 1.335 + 0.012 * float(rng.standard_normal())
    return BarSteel(
        ReL_MPa=yields, Rm_MPa=round(yields * ratio, 1), Agt_pct=round(float(rng.uniform(11.5, 15.5)), 2)
    )


#: Too close to its yield for an E grade: the report says 不合格.
WEAK_STEEL: Final = BarSteel(ReL_MPa=472.0, Rm_MPa=565.0, Agt_pct=11.8)
