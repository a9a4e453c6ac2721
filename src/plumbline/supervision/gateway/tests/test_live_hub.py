"""Live streams: whose they are, how much they keep, when they end (实时流)."""

from __future__ import annotations

import asyncio

import pytest

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import live
from plumbline.supervision.gateway.live import LiveHub

A, B = "a" * 32, "b" * 32


@pytest.fixture
def hub() -> LiveHub:
    return LiveHub(b"secret")


async def _read(hub: LiveHub, owner: str, count: int) -> list[str]:
    following = hub.follow("press-1", owner)
    try:
        return [await asyncio.wait_for(anext(following), 1) for _ in range(count)]
    finally:
        await following.aclose()


def test_two_parties_use_one_name_and_neither_sees_the_other(hub: LiveHub) -> None:
    hub.publish("press-1", A, "start", {"of": "A"})
    hub.publish("press-1", B, "start", {"of": "B"})
    assert '"of":"B"' in asyncio.run(_read(hub, B, 1))[0]
    assert '"of":"A"' in asyncio.run(_read(hub, A, 1))[0]


def test_a_token_opens_the_stream_of_its_party_for_its_session_only(hub: LiveHub) -> None:
    token = hub.token("press-1", "session", owner=A)
    assert hub.allows(token, "press-1", "session")
    assert hub.owner_of(token) == A
    assert not hub.allows(token.replace(A, B), "press-1", "session")
    assert not hub.allows(token, "press-2", "session")
    assert not hub.allows(token, "press-1", "other")


def test_a_token_is_over_after_a_minute_and_rubbish_is_none(hub: LiveHub) -> None:
    assert not hub.allows(hub.token("s", "x", at=1.0), "s", "x")
    for text in ("", ".", "..", "9" * 40 + "..", "٣٣..", "99999999999..é"):
        assert not hub.allows(text, "s", "x")


def test_a_stream_keeps_two_megabytes_and_drops_the_oldest(hub: LiveHub) -> None:
    for number in range(50):
        hub.publish("press-1", A, "samples", [number, "量" * 20_000])
    stream = hub._streams[A, "press-1"]
    assert live.MAX_STREAM_BYTES - 70_000 < stream.bytes <= live.MAX_STREAM_BYTES
    assert sum(len(text.encode()) for text in stream.events) == stream.bytes


def test_a_reader_who_falls_behind_is_let_go(hub: LiveHub) -> None:
    async def story() -> int:
        following = hub.follow("press-1", A)
        hub.publish("press-1", A, "start", None)
        await anext(following)
        for _ in range(40):
            hub.publish("press-1", A, "samples", "x" * 60_000)
        return hub.viewers("press-1")

    assert asyncio.run(story()) == 0


def test_a_stream_ends_after_two_hours_until_it_begins_anew(hub: LiveHub, monkeypatch) -> None:
    async def story() -> None:
        hub.publish("press-1", A, "start", None)
        following = hub.follow("press-1", A)
        await anext(following)
        monkeypatch.setattr(live, "MAX_LIFE_S", -1.0)
        with pytest.raises(Problem, match="已满两小时"):
            hub.publish("press-1", A, "samples", [])
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(following), 1)
        monkeypatch.setattr(live, "MAX_LIFE_S", 7200.0)
        hub.publish("press-1", A, "start", None)
        assert hub.running() == [("press-1", True)]

    asyncio.run(story())


def test_readers_of_a_forgotten_stream_are_let_go(hub: LiveHub) -> None:
    async def story() -> None:
        hub.publish("press-1", A, "start", None)
        following = hub.follow("press-1", A)
        await anext(following)
        for number in range(live.MAX_STREAMS):
            hub.publish(f"other-{number}", B, "start", None)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(following), 1)

    asyncio.run(story())


def test_who_comes_before_the_first_event_gets_it(hub: LiveHub) -> None:
    async def story() -> str:
        following = hub.follow("press-1")
        first = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0.01)
        hub.publish("press-1", A, "start", {"of": "A"})
        text = await asyncio.wait_for(first, 1)
        await following.aclose()
        assert hub.viewers("press-1") == 0
        return text

    assert '"of":"A"' in asyncio.run(story())
