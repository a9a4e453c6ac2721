"""Asking for what is lost (请求补传): a wrong range is refused with field, reason and remedy; the platform's own acts come again once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.platform import LostRange
from plumbline.exchange.messages.registry import KeyRevoked
from plumbline.supervision.journal.model import Accepted, Outcome, Pending
from plumbline.supervision.journal.own_acts import OwnActs, replay_own
from plumbline.supervision.journal.retransmission import NothingToAsk, _narrowed

LOST = [LostRange(epoch=1, first=10, end=20), LostRange(epoch=2, first=0)]
AT = datetime(2026, 11, 19, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((3, 0, None), "--epoch：第 3 期没有缺少的段"),
        ((1, 9, None), "--first：第 1 期第 9 条还在"),
        ((1, 12, 12), "是空的"),
        ((1, 12, 21), "--end：第 1 期只签到 20 条"),
        ((1, 20, None), "还没有发生"),
    ],
)
def test_a_wrong_range_is_refused_and_what_is_lost_is_named(
    asked: tuple[int, int, int | None], told: str
) -> None:
    with pytest.raises(NothingToAsk, match="缺的是") as refused:
        _narrowed(LOST, *asked)
    assert told in str(refused.value)


def test_a_part_of_what_is_lost_can_be_asked_for() -> None:
    assert _narrowed(LOST, 1, 12, None) == LostRange(epoch=1, first=12, end=20)
    assert _narrowed(LOST, 2, 5, 9) == LostRange(epoch=2, first=5, end=9)


def _act(number: int, envelope: bytes = b'{"v":1,"channel":"platform"}') -> Pending:
    sender, uid = bytes(16), uuid.UUID(int=number)
    message = KeyRevoked(
        v=1, uid=uid, sender=sender.hex(), occurred_at=AT, key_id=f"drill.k{number}", because="换钥"
    )
    return Pending(
        sender_id=sender,
        uid=uid,
        key_id="web",
        envelope=envelope,
        message=encode_message(message),
        arrived_at=AT,
        claims=[],
        personal=[],
    )


class _Journal:
    """A journal that remembers what was entered."""

    def __init__(self) -> None:
        self.entered: list[bytes] = []

    def append(self, batch: list[Pending]) -> list[Outcome]:
        made = [_accepted(each, 2, 0, duplicate=each.message in self.entered) for each in batch]
        self.entered += [each.message for each in batch]
        return made


def _accepted(pending: Pending, epoch: int, index: int, *, duplicate: bool = False) -> Accepted:
    return Accepted(
        entry=pending.entry, epoch=epoch, index=index, logged_at=AT, duplicate=duplicate, receipt=""
    )


def test_own_acts_of_the_lost_range_come_again_once_each_and_in_order(tmp_path: Path) -> None:
    book, journal = OwnActs(tmp_path / "own", synced=False), _Journal()
    acts = {index: _act(index) for index in (12, 9, 11)}
    stranger = _act(13, b'{"v":1,"channel":"http"}')
    kept = [*acts.values(), stranger]
    book.keep(kept, [_accepted(each, 1, each.uid.int) for each in kept])
    done: set[str] = set()
    waits = acts[12].message
    first = replay_own(book, journal, LOST, done=done, ready=lambda message: encode_message(message) != waits)
    assert (first.entered, first.waiting) == (1, 1)
    second = replay_own(book, journal, LOST, done=done, ready=lambda _: True)
    assert (second.entered, second.waiting) == (1, 0)
    assert journal.entered == [acts[11].message, acts[12].message]
    again = replay_own(book, journal, LOST, done=set(), ready=lambda _: True)
    assert (again.entered, again.present) == (0, 2)
    book.close()


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    book = OwnActs(tmp_path / "own", synced=False)
    book.keep([_act(1, b'{"v":1,"channel":"http"}')], [_accepted(_act(1), 1, 1)])
    assert book.lost(LOST) == []
    assert not (tmp_path / "own").exists()
