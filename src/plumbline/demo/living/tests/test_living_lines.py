"""A party's line to the platform (报送线路): what gathers goes together, and nobody is left waiting."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from plumbline.demo.living.lines import Gathering, Line
from plumbline.sdk.client import Outgoing, Refused, Sent


def answer(message: Outgoing) -> Sent:
    """What a platform would say of it; its entry is named as the message."""
    return Sent(
        entry=message.data.decode(),
        epoch=0,
        index=0,
        logged_at=datetime(2026, 1, 1, tzinfo=UTC),
        duplicate=False,
        receipt="",
        result=None,
        body={},
    )


def sent_by(line: Line, names: Sequence[str], send_many: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def send(name: str) -> None:
        try:
            (found[name],) = line.send([Outgoing(data=name.encode())], send_many)
        except Exception as error:
            found[name] = error

    threads = [threading.Thread(target=send, args=(name,), daemon=True) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return found


def test_everything_that_waits_goes_in_one_request_and_each_has_its_answer() -> None:
    requests: list[int] = []

    def send_many(messages: Sequence[Outgoing]) -> list[Any]:
        requests.append(len(messages))
        return [Refused({"title": "x"}, 422) if each.data == b"wrong" else answer(each) for each in messages]

    gathering = Gathering(60)
    gathering.under_way(5)
    found = sent_by(Line(gathering, places=1), ["a", "b", "wrong", "c", "d"], send_many)
    assert requests == [5] and isinstance(found.pop("wrong"), Refused)
    assert {name: sent.entry for name, sent in found.items()} == {name: name for name in "abcd"}


def test_what_one_sender_enters_in_one_go_goes_in_one_request_as_far_as_it_holds() -> None:
    requests: list[int] = []

    def send_many(messages: Sequence[Outgoing]) -> list[Any]:
        requests.append(len(messages))
        return [Refused({"title": "x"}, 422) if each.data == b"69" else answer(each) for each in messages]

    line = Line(Gathering(60), places=1)
    told = line.send([Outgoing(data=str(n).encode()) for n in range(70)], send_many)
    assert requests == [64, 6] and isinstance(told.pop(), Refused)
    assert [each.entry for each in told if isinstance(each, Sent)] == [str(n) for n in range(69)]
    assert line.send([], send_many) == [] and requests == [64, 6]


def test_a_hundred_senders_all_come_through_even_where_a_request_fails() -> None:
    lock, requests = threading.Lock(), [0]

    def send_many(messages: Sequence[Outgoing]) -> list[Any]:
        with lock:
            requests[0] += 1
            failing = requests[0] == 1
        if failing:
            raise OSError("cut")
        return [answer(each) for each in messages]

    gathering = Gathering(0.01)
    gathering.under_way(200)
    names = [str(n) for n in range(100)]
    found = sent_by(Line(gathering, places=2), names, send_many)
    assert len(found) == 100
    assert all(isinstance(got, OSError) or got.entry == name for name, got in found.items())
    assert any(isinstance(got, OSError) for got in found.values())
