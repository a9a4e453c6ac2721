"""The live press: what it shows is what it sends, in the machine's own times, and it rests when nobody watches."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from plumbline.demo import live_press
from plumbline.demo.cast import build_cast
from plumbline.demo.chain import Chain
from plumbline.demo.keys import party_keys
from plumbline.demo.live_press import LivePress, live_plan, stream_of
from plumbline.demo.tests.memory_platform import MemoryPlatform, memory_clients
from plumbline.domain.custody.timing import Step, time_order
from plumbline.exchange.curves import channel_times_us, channel_values
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.exchange.messages.testing import RunRecorded

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
STREAM = stream_of(build_cast(7, NOW.date()))


class Gateway:
    """The live endpoints only, behind a real HTTP client."""

    base_url = "http://127.0.0.1:8700"

    def __init__(self, viewers: int = 0) -> None:
        self.events: list[tuple[str, Any]] = []
        self.viewers = viewers
        self.http = httpx.Client(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.url.path == f"/live/publish/{STREAM}"
            assert "sig1=" in request.headers["signature-input"]
            sent = msgspec.json.decode(request.content)
            self.events.append((sent["event"], sent["data"]))
        return httpx.Response(200, json={"viewers": self.viewers})


def press(tmp_path: Path, platform: MemoryPlatform, gateway: Gateway) -> LivePress:
    cast, clients, enrolment = memory_clients(tmp_path, platform)
    transport = party_keys(cast, tmp_path, "institution").transport
    chain = Chain(clients, cast, enrolment)
    return LivePress(client=gateway, transport=transport, cast=cast, chain=chain, pause=lambda seconds: None)  # type: ignore[arg-type]


def test_the_streamed_curve_is_the_one_that_is_recorded(tmp_path: Path):
    platform, gateway = MemoryPlatform(), Gateway()
    result = press(tmp_path, platform, gateway).one_test(NOW, 0)
    force = platform.one(RunRecorded).specimens[-1].curve.channels[0]
    samples = [data for event, data in gateway.events if event == "samples"]
    assert [v for data in samples for v in data["v"]] == channel_values(force)
    assert [t for data in samples for t in data["t_us"]] == channel_times_us(force)
    assert (gateway.events[0][0], gateway.events[-1][0]) == ("start", "end")
    assert gateway.events[0][1]["scale"] == force.scale
    assert gateway.events[0][1]["load_control"] == "automatic"
    assert result.state == "registered"


def test_the_sample_is_on_record_before_the_test_begins(tmp_path: Path):
    platform, gateway = MemoryPlatform(), Gateway()
    seen: list[list[str]] = []
    subject = press(tmp_path, platform, gateway)
    subject.pause = lambda seconds: seen.append(platform.kinds())
    subject.one_test(NOW, 0)
    assert "receipt.recorded" in seen[0]
    assert "run.recorded" not in seen[-1]


def test_the_last_cube_breaks_when_the_stream_ends_and_the_paper_work_follows(tmp_path: Path):
    cast, _, _ = memory_clients(tmp_path, MemoryPlatform())
    times = live_plan(cast, NOW, 4).times
    assert abs(times.finished - NOW) < timedelta(milliseconds=1)
    assert times.finished < times.reviewed < times.approved < times.applied < times.registered
    assert times.registered - NOW < timedelta(seconds=1)
    assert abs(times.tested[0] - times.made - timedelta(days=28)) < timedelta(hours=20)


class Hands:
    """A clock that only pauses and messages move: a platform that answers at once is the hardest case."""

    def __init__(self, answer_ms: int) -> None:
        self.at, self.answer = NOW, timedelta(milliseconds=answer_ms)

    def pause(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def arrival(self) -> datetime:
        self.at += self.answer
        return self.at


@pytest.mark.parametrize("answer_ms", [0, 3, 700])
def test_no_report_in_real_time_states_a_moment_after_its_arrival(tmp_path: Path, answer_ms: int):
    """However fast the platform answers: the gate would otherwise find the application before the approval."""
    hands = Hands(answer_ms)
    platform = MemoryPlatform(withhold="只看时间", now=hands.arrival)
    subject = press(tmp_path, platform, Gateway())
    subject.now, subject.pause, subject.takes_s = lambda: hands.at, hands.pause, 25.0
    for number in range(12):
        subject.one_test(hands.at, number)
        hands.pause(5.137)
    assert [each for each in platform.kept if each.message.occurred_at > each.logged_at] == []
    applied = [each for each in platform.kept if isinstance(each.message, ReportApplied)]
    assert len(applied) == 12
    for each in applied:
        moments = (each.message.reviewed_at, each.message.approved_at, each.logged_at)
        assert time_order(Step("", moment) for moment in moments) == ()


def test_it_rests_after_two_hours_without_viewers(tmp_path: Path, monkeypatch):
    platform, gateway = MemoryPlatform(), Gateway(viewers=0)
    monkeypatch.setattr(live_press, "UNWATCHED", timedelta(seconds=-1))
    press(tmp_path, platform, gateway).run(threading.Event())
    assert platform.kinds().count("run.recorded") == 1


def test_a_watched_press_goes_on_until_it_is_stopped(tmp_path: Path, monkeypatch):
    platform, gateway = MemoryPlatform(), Gateway(viewers=1)
    monkeypatch.setattr(live_press, "UNWATCHED", timedelta(seconds=0.5))
    stop = threading.Event()
    monkeypatch.setattr(
        stop, "wait", lambda seconds: stop.set() if platform.kinds().count("run.recorded") == 3 else None
    )
    press(tmp_path, platform, gateway).run(stop)
    assert platform.kinds().count("run.recorded") == 3
