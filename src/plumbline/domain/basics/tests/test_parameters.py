"""Numbers of law: which value holds where and when."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files

import pytest

from plumbline.domain.basics.parameters import (
    MissingParameterError,
    Parameter,
    ParameterFileError,
    ParameterSet,
)

ENTRY = """
[[parameter]]
key = "window"
value = {value}
unit = "min"
jurisdiction = "{place}"
in_force_from = {start}
{more}
clause = "BJ 7.1.2-b"
source = "例"
verified = true
"""


def written(tmp_path, *entries: dict[str, str]) -> ParameterSet:
    defaults = {"value": "30", "place": "CN", "start": "2024-01-01", "more": ""}
    path = tmp_path / "p.toml"
    path.write_text("".join(ENTRY.format(**{**defaults, **entry}) for entry in entries), encoding="utf-8")
    return ParameterSet.load(path)


def test_the_longest_matching_division_wins_then_the_nation(tmp_path):
    values = written(
        tmp_path,
        {"value": "1"},
        {"value": "2", "place": "61"},
        {"value": "3", "place": "6103"},
        {"value": "4", "place": "610302"},
    )
    on = date(2024, 6, 1)
    divisions = ["610302", "610303", "610100", "110000", "CN"]
    assert [values.value("window", place, on).integer for place in divisions] == [4, 3, 2, 1, 1]


@pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2023, 12, 31), None), (date(2024, 1, 1), 1), (date(2024, 5, 31), 1), (date(2024, 6, 1), 2)],
)
def test_a_value_holds_from_its_first_day_and_the_latest_wins(tmp_path, on, expected):
    values = written(tmp_path, {"value": "1"}, {"value": "2", "start": "2024-06-01"})
    found = values.find("window", "CN", on)
    assert (found.integer if found else None) == expected


def test_until_is_the_last_day_and_the_wider_place_takes_over(tmp_path):
    until = {"more": "until = 2024-03-31", "place": "61", "value": "2"}
    values = written(tmp_path, {"value": "1"}, until)
    last = date(2024, 3, 31)
    assert values.value("window", jurisdiction="610000", on=last).integer == 2
    assert values.value("window", jurisdiction="610000", on=last + timedelta(days=1)).integer == 1


def test_nothing_in_force_is_an_error_that_says_where(tmp_path):
    values = written(tmp_path, {"place": "61"})
    with pytest.raises(MissingParameterError, match="window for 110000"):
        values.value("window", "110000", date(2024, 6, 1))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"value": "0.5"}, "as a string"),
        ({"place": "北京"}, "jurisdiction"),
        ({"place": "6"}, "jurisdiction"),
        ({"more": "colour = 1"}, "unknown"),
        ({"more": "until = 2023-01-01"}, "until lies before"),
        ({"start": '"2024-01-01"'}, "not a date"),
        ({"start": "2024-01-01T00:00:00Z"}, "not a date"),
        ({"value": "[1, 'a']"}, "texts only"),
        ({"value": "{ a = 1 }"}, "a value is"),
    ],
)
def test_a_wrong_entry_is_refused_with_file_and_entry(tmp_path, entry, message):
    with pytest.raises(ParameterFileError, match=message):
        written(tmp_path, entry)


def test_the_same_entry_twice_is_refused(tmp_path):
    with pytest.raises(ParameterFileError, match="twice"):
        written(tmp_path, {}, {"value": "31"})


def parameter(value) -> Parameter:
    start = date(2024, 1, 1)
    fixed = {"jurisdiction": "CN", "in_force_from": start, "clause": "", "source": "", "verified": False}
    return Parameter(key="k", value=value, unit="1", **fixed)


def test_values_are_read_by_their_kind():
    assert parameter("0.50").decimal == Decimal("0.50")
    assert parameter(3).decimal == parameter(3).integer == 3
    assert parameter(True).flag is True
    assert parameter("a").text == "a"
    assert parameter(("a", "b")).texts == ("a", "b")


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "decimal"), (True, "integer"), ("1", "integer"), (1, "flag"), (1, "text"), ("a", "texts")],
)
def test_a_value_of_another_kind_is_a_type_error(value, kind):
    with pytest.raises(TypeError, match="parameter k"):
        getattr(parameter(value), kind)


def test_sets_merge_and_the_packaged_files_load():
    custody = ParameterSet.load(files("plumbline.domain.custody") / "parameters.toml")
    reporting = ParameterSet.load(files("plumbline.domain.reporting") / "parameters.toml")
    both = custody.merged(reporting)
    assert len(list(both)) == len(list(custody)) + len(list(reporting))
    assert both.find("registration_window", "610302", date(2026, 1, 1)).integer == 30
