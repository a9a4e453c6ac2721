"""A test while it runs: the force grows, the curve grows, the end is said; and the run that counts is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from plumbline.demo.chain import ChainResult
from plumbline.demo.clients import PartyClient
from plumbline.demo.keys import party_keys
from plumbline.demo.live_press import LivePress, stream_of

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]
TAKES_S = 8.0


@contextmanager
def running_press(town: Any, number: int) -> Iterator[list[ChainResult]]:
    """One test on the institution's press, in a thread of its own."""
    institution = town.clients.parties["institution"]
    assert isinstance(institution, PartyClient)
    press = LivePress(
        client=institution,
        transport=party_keys(town.cast, town.platform.data_dir, "institution").transport,
        cast=town.cast,
        chain=town.chain,
        takes_s=TAKES_S,
    )
    ended: list[ChainResult] = []
    thread = threading.Thread(target=lambda: ended.append(press.one_test(datetime.now(UTC), number)))
    thread.start()
    try:
        yield ended
    finally:
        thread.join(60)
    assert not thread.is_alive()


def force(page: Any) -> float:
    return float(page.inner_text("[data-force]").replace("\u2009", "").replace("–", "0"))


@pytest.mark.parametrize(("width", "number"), [(1440, 1), (390, 0)])
def test_number_and_curve_grow_while_the_cube_is_loaded(
    town: Any, visit: Callable[..., Any], width: int, number: int
) -> None:
    visitor = visit(width, 900)
    page = visitor.page
    visitor.enter("officer")
    visitor.goto(f"/live-tests/{stream_of(town.cast)}/")
    with running_press(town, number) as ended:
        # A viewer who comes first sees how the last test ended, until the next one starts.
        visitor.until(lambda: "加荷中" in page.inner_text("[data-live-state]") and force(page) > 80)
        first, inked = force(page), visitor.inked("[data-live-chart] canvas")
        visitor.until(lambda: force(page) > first + 150)
        visitor.shoot(f"live-{width}", whole=width < 1000)
        assert visitor.inked("[data-live-chart] canvas") > inked > 0
        assert page.locator("text=手动控制已锁定").is_visible()
        visitor.until(lambda: "试验已结束" in page.inner_text("[data-live-state]"))
        visitor.shoot(f"live-ended-{width}", whole=width < 1000)
        assert "kN" in page.inner_text("[data-announce]")
    assert ended[0].state == "registered"
    assert visitor.overflow() <= 0
