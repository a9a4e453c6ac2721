from __future__ import annotations

import numpy as np
import pytest

from plumbline.domain.methods.concrete_cube.curve import loading_rate_findings
from plumbline.domain.methods.concrete_cube.evaluation import RateBand, rate_band
from plumbline.domain.methods.curve import Series, loading_rate, series_of
from plumbline.domain.methods.tests.recordings import concrete_curves

EDITION = "GB/T 50081-2019"
AREA_mm2 = 22_500.0


def pressed(rate_MPa_per_s: float) -> Series:
    time_s = np.arange(0, 900.0 / 22.5 / rate_MPa_per_s, 0.1)
    return series_of(time_s, time_s * rate_MPa_per_s * 22.5)


def codes(series: Series, band: RateBand) -> list[str]:
    rate = loading_rate(series, AREA_mm2, band=(float(band.low), float(band.high)))
    return [finding.code for finding in loading_rate_findings(rate, band, EDITION)]


@pytest.mark.clause("BJ 6.2.3.3")
@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.44, ["concrete_cube.slow_loading"]),
        (0.46, []),
        (0.5, []),
        (0.8, []),
        (0.87, []),
        (0.89, ["concrete_cube.fast_loading"]),
    ],
)
def test_rates_clearly_beside_the_band_are_told(rate: float, expected: list[str]) -> None:
    assert codes(pressed(rate), rate_band("C40", EDITION)) == expected


def test_an_unsteady_press_with_a_good_mean_is_told() -> None:
    time_s = np.arange(0, 70, 0.1)
    stress = 0.65 * time_s + 0.9 * np.sin(time_s * 0.6)
    assert codes(series_of(time_s, stress * 22.5), rate_band("C40", EDITION)) == [
        "concrete_cube.unsteady_loading"
    ]


def test_recorded_cubes_were_pressed_within_the_band_of_their_grade() -> None:
    for name, series in concrete_curves("Druckfestigkeit_BAM"):
        assert codes(series, rate_band("C40", EDITION)) == [], name


def test_recorded_cubes_were_too_slow_for_a_sixty_grade() -> None:
    for name, series in concrete_curves("Druckfestigkeit_BAM__20240220_7188_M02__Druckfestigkeiten_28"):
        assert codes(series, rate_band("C60", EDITION)) == ["concrete_cube.slow_loading"], name
