"""The windows and retention times of each place, as its own document sets them."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import pytest

from plumbline.domain.basics.parameters import ParameterSet

PARAMETERS = ParameterSet.load(files("plumbline.domain.custody") / "parameters.toml")
BAOJI, NANNING, JIUJIANG, BEIJING = "610300", "450100", "360400", "110000"


@pytest.mark.clause("BJ 4.2.1.3-a", "GX 七(九)", "JJ 二(三)-d", "GX 十", "JJ 三(三)-a", "BJ 9.1.3-a")
@pytest.mark.parametrize(
    ("key", "place", "value", "unit"),
    [
        ("video_retention", BAOJI, 3, "month"),
        ("video_retention", NANNING, 6, "month"),
        ("video_retention", JIUJIANG, 6, "month"),
        ("on_site_notice", NANNING, 24, "h"),
        ("on_site_notice", JIUJIANG, 3, "working_day"),
        ("contract_upload", JIUJIANG, 5, "working_day"),
        ("staff_change_notice", JIUJIANG, 3, "working_day"),
        ("archive_retention", BAOJI, 6, "year"),
        ("archive_retention.structural", BAOJI, 20, "year"),
        ("registration_window", BAOJI, 30, "min"),
        ("witnessing_window", BAOJI, 30, "min"),
    ],
)
def test_each_place_has_its_own_value(key, place, value, unit):
    parameter = PARAMETERS.value(key, place, date(2026, 1, 1))
    assert (parameter.integer, parameter.unit, parameter.verified) == (value, unit, True)


@pytest.mark.parametrize(
    "key", ["video_retention", "on_site_notice", "contract_upload", "registration_window"]
)
def test_elsewhere_nothing_is_invented(key):
    assert PARAMETERS.find(key, BEIJING, date(2026, 1, 1)) is None
