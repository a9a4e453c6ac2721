"""The tour over the running platform: a stop puts its role on, also over another one, opens a real page, and is ticked off."""

from __future__ import annotations

import re

import httpx
import pytest

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture
def visitor(world):
    with httpx.Client(base_url=world.url, trust_env=False, timeout=40, follow_redirects=True) as http:
        yield http


def post(visitor: httpx.Client, path: str) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', visitor.get("/tour/").text)
    return visitor.post(path, data={"csrfmiddlewaretoken": token[1]})


def test_stops_are_visited_one_after_another_in_their_roles_and_stay_ticked_off(
    visitor: httpx.Client,
) -> None:
    own = post(visitor, "/tour/enter/own/")
    assert (own.status_code, own.url.path) == (200, "/reports/")
    assert "施工单位" in own.text
    numbers = post(visitor, "/tour/enter/numbers/")
    assert (numbers.status_code, numbers.url.path) == (200, "/numbers/")
    page = visitor.get("/tour/").text
    assert "走过 2 站" in page
    assert page.count("stop visited") == 2


def test_a_stop_whose_record_is_not_there_yet_says_so(visitor: httpx.Client) -> None:
    shown = visitor.get("/tour/stops/late/")
    assert shown.url.path == "/tour/"
    assert "先看别的站，过一会儿再来" in shown.text


def test_an_unknown_stop_is_no_page_and_the_line_on_the_first_page_can_be_put_away(
    visitor: httpx.Client,
) -> None:
    assert post(visitor, "/tour/enter/nothing/").status_code == 404
    assert "跟着十分钟导览" in visitor.get("/").text
    assert "跟着十分钟导览" not in post(visitor, "/tour/dismiss/").text
