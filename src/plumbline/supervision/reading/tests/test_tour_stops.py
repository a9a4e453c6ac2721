"""The tour's stops: each names a clause of the register and a role that has a card; a page that does not exist is not listed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.test import override_settings

from plumbline.standards.register import load_register
from plumbline.supervision.pages import preview

preview.configure()

title_of = import_module("plumbline.supervision.reading.demo_roles").title_of
tour = import_module("plumbline.supervision.reading.tour")
STOPS = import_module("plumbline.supervision.reading.tour_stops").STOPS


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.key)
def test_a_stop_says_what_to_do_what_comes_of_it_and_by_which_clause(stop: Any) -> None:
    assert stop.clause in {clause.id for clause in load_register()}
    assert stop.todo.endswith("。")
    assert stop.sees.endswith("。")
    assert bool(stop.card) == bool(title_of(stop.card)) == (stop.find is not None)


def test_keys_are_different() -> None:
    assert len({stop.key for stop in STOPS}) == len(STOPS)


@override_settings(ROOT_URLCONF="plumbline.supervision.urls")
def test_a_stop_without_its_page_is_not_listed() -> None:
    listed = {stop.key for stop in tour.listed_stops()}
    assert {"verify", "changed", "live", "trace", "late", "withheld", "failed", "numbers"} <= listed
    with override_settings(ROOT_URLCONF="plumbline.supervision.reading.tests.test_tour_stops"):
        assert {stop.key for stop in tour.listed_stops()} == {stop.key for stop in STOPS if not stop.page}


def test_one_byte_is_changed_and_no_more() -> None:
    data = bytes(range(200))
    changed = tour.with_one_byte_changed(data)
    assert sum(a != b for a, b in zip(data, changed, strict=True)) == 1


urlpatterns: list[object] = []
