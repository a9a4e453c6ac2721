"""Requests that one part of the gateway takes and another does not (怪请求): found by the drill of the interface, refused in words."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.routing import Match, Route

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.app import ROUTES
from plumbline.supervision.gateway.context import require_media
from plumbline.supervision.gateway.streams import event_of


@pytest.mark.parametrize(
    "body", [b'{"event":"\\ud800"}', b'{"event":"samples","data":1e400}', b"", b"{", b"\xff"]
)
def test_an_event_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        event_of(body)
    assert refused.value.kind.status == 400


def test_an_event_is_read() -> None:
    assert event_of(b'{"event":"samples","data":[1]}') == {"event": "samples", "data": [1]}


@pytest.mark.parametrize(("digits", "is_there"), [(1, True), (19, True), (20, False), (5000, False)])
def test_a_number_of_an_address_is_short_enough_to_be_read(digits: int, is_there: bool) -> None:
    address = f"/x/v1/log/1/consistency/1/{'9' * digits}"
    scope = {"type": "http", "method": "GET", "path": address, "root_path": ""}
    found = [
        path
        for path, endpoint, methods in ROUTES
        if Route(path, endpoint, methods=methods).matches(scope)[0] is not Match.NONE
    ]
    assert bool(found) is is_there


def _request(*stated: str) -> Request:
    headers = [(b"content-type", each.encode("latin-1")) for each in stated]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("stated", [(), ("application/json",), ("Application/JSON; charset=utf-8",)])
def test_a_body_of_the_right_type_or_of_none_comes_in(stated: tuple[str, ...]) -> None:
    require_media(_request(*stated), "application/json")


@pytest.mark.parametrize("stated", [("text/plain",), ("",), ("text/plain", "application/json"), ("json",)])
def test_a_body_of_another_type_is_refused(stated: tuple[str, ...]) -> None:
    with pytest.raises(Problem) as refused:
        require_media(_request(*stated), "application/json")
    assert (refused.value.slug, refused.value.kind.status) == ("media-type", 415)
    assert refused.value.errors[0].remedy
