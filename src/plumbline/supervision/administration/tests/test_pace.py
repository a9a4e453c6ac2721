"""One person asks as fast as people do, and no faster (按人限速)."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

import plumbline.supervision
from plumbline.supervision.access.principals import PUBLIC, Principal, Role
from plumbline.supervision.administration.paces import Paces
from plumbline.supervision.pages import preview

preview.configure()

from plumbline.supervision.administration import pace  # noqa: E402
from plumbline.supervision.gateway import limits  # noqa: E402

OFFICER = Principal(role=Role.OFFICER, party="1a" * 16)


class Door:
    """The middleware with a clock of its own, and what it wrote down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, paces: Paces) -> None:
        self.now, self.events = 1000.0, list[tuple[str, ...]]()
        monkeypatch.setattr(limits.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(pace.Paces, "from_env", lambda: paces)
        monkeypatch.setattr(pace, "record", lambda _, *told: self.events.append(told))
        self.pace = pace.PersonalPace(lambda request: HttpResponse("seen"))

    def ask(self, page: str, account: str = "", session: str = "", role: Principal = PUBLIC) -> Any:
        request: Any = RequestFactory().get("/")
        request.user = SimpleNamespace(is_authenticated=bool(account), get_username=lambda: account)
        request.session = SimpleNamespace(session_key=session)
        request._plumb_principal = role
        request.resolver_match = SimpleNamespace(url_name=page)
        return self.pace.process_view(request, None, (), {})


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    return Door(monkeypatch, Paces(costly=1, costly_burst=3, others=10, others_burst=5))


@pytest.mark.parametrize("page", ["reports", "search", "samples-export", "bundle", "audit-export", "numbers"])
def test_lists_searches_and_exports_are_for_people(door: Door, page: str) -> None:
    assert [door.ask(page, "zhang") for _ in range(3)] == [None, None, None]
    refused = door.ask(page, "zhang")
    assert (refused.status_code, refused["Retry-After"]) == (429, "2")
    assert "秒后再来" in refused.content.decode()
    door.now += 1
    assert door.ask(page, "zhang") is None
    assert door.ask(page, "zhang").status_code == 429


def test_the_limit_is_of_the_person_and_not_of_the_session(door: Door) -> None:
    for number in range(3):
        assert door.ask("reports", "zhang", session=f"{number}") is None
    assert door.ask("reports", "zhang", session="new").status_code == 429
    assert door.ask("reports", "li") is None


def test_other_pages_are_turned_faster_and_do_not_use_up_the_lists(door: Door) -> None:
    assert [door.ask("sample", "zhang") for _ in range(5)] == [None] * 5
    assert door.ask("sample", "zhang").status_code == 429
    assert door.ask("reports", "zhang") is None


def test_a_role_card_is_one_person_and_the_public_is_limited_elsewhere(door: Door) -> None:
    for _ in range(3):
        assert door.ask("reports", session="aa" * 16, role=OFFICER) is None
    assert door.ask("reports", session="aa" * 16, role=OFFICER).status_code == 429
    assert all(door.ask("reports") is None for _ in range(50))


def test_who_is_too_fast_is_written_down_once_a_minute(door: Door) -> None:
    for _ in range(20):
        door.ask("search", "zhang")
    assert door.events == [("zhang", "access.too_fast", "search", "refused")]
    door.now += 61
    for _ in range(20):
        door.ask("search", "zhang")
    assert len(door.events) == 2


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", "1e9", ""])
def test_a_multiplier_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="PLUMB_PAGE_RATE"):
        Paces.from_env({"PLUMB_PAGE_RATE": text})


def test_a_multiplier_applies_to_all() -> None:
    made, plain = Paces.from_env({"PLUMB_PAGE_RATE": "2"}), Paces.from_env({})
    assert (made.costly, made.costly_burst) == (plain.costly * 2, plain.costly_burst * 2)
    assert (made.others, made.others_burst) == (plain.others * 2, plain.others_burst * 2)


def test_the_platform_has_it_behind_the_sign_in() -> None:
    source = Path(plumbline.supervision.__file__).with_name("settings.py").read_text("utf-8")
    named = next(
        each
        for each in ast.parse(source).body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "MIDDLEWARE"
    )
    order = ast.literal_eval(named.value)
    assert order.index("django.contrib.auth.middleware.AuthenticationMiddleware") < order.index(
        "plumbline.supervision.administration.pace.PersonalPace"
    )


def test_whatever_can_be_exported_is_a_list_of_the_slow_pace() -> None:
    named = {each.name for each in import_module("plumbline.supervision.urls").urlpatterns}
    exported = {name.removesuffix("-export") for name in named if name.endswith("-export")}
    assert exported
    assert exported <= pace.COSTLY <= named
