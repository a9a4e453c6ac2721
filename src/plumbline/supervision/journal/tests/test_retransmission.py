"""Asking for what is lost (请求补传): a wrong range is refused with field, reason and remedy; the platform's own acts come again once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import LostRange
from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked
from plumbline.exchange.problems import Problem
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
    return _pending(message, envelope)


def _pending(message: Message, envelope: bytes = b'{"v":1,"channel":"platform"}') -> Pending:
    return Pending(
        sender_id=bytes(16),
        uid=message.uid,
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


def _enrolled(number: int, key: int) -> Pending:
    message = KeyEnrolled(
        v=1,
        uid=uuid.UUID(int=number),
        sender="00" * 16,
        occurred_at=AT,
        key_id=f"drill.k{key}",
        party="00" * 16,
        algorithm="ed25519",
        use="transport",
        public_key="A" * 43 + "=",
        valid_from=AT,
        valid_until=AT.replace(year=2027),
    )
    return _pending(message)


def test_a_revocation_waits_for_its_key_unless_the_key_came_just_before(tmp_path: Path) -> None:
    book, journal = OwnActs(tmp_path / "own", synced=False), _Journal()
    theirs, key, ours = _act(12), _enrolled(13, 14), _act(14)
    kept = [theirs, key, ours]
    book.keep(kept, [_accepted(each, 1, each.uid.int) for each in kept])
    done: set[str] = set()
    found = replay_own(book, journal, LOST, done=done, ready=lambda each: isinstance(each, KeyEnrolled))
    assert (found.entered, found.waiting) == (2, 1)
    assert journal.entered == [key.message, ours.message]
    assert replay_own(book, journal, LOST, done=done, ready=lambda _: True).entered == 1
    assert journal.entered[-1] == theirs.message
    book.close()


class _Busy(_Journal):
    def append(self, batch: list[Pending]) -> list[Outcome]:
        return [Problem(slug="clock-off") for _ in batch]


def test_what_cannot_be_entered_at_the_moment_is_tried_again(tmp_path: Path) -> None:
    book, done = OwnActs(tmp_path / "own", synced=False), set[str]()
    book.keep([_act(12)], [_accepted(_act(12), 1, 12)])
    busy = replay_own(book, _Busy(), LOST, done=done, ready=lambda _: True)
    assert (busy.waiting, busy.refused, done) == (1, [], set())
    assert replay_own(book, _Journal(), LOST, done=done, ready=lambda _: True).entered == 1
    book.close()


def test_an_own_act_that_could_not_be_kept_is_not_confirmed_and_a_stranger_is(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("no folder")
    book, own, stranger = OwnActs(tmp_path / "own"), _act(12), _act(13, b'{"v":1,"channel":"http"}')
    told = book.keep_or_tell([own, stranger], [_accepted(each, 1, each.uid.int) for each in (own, stranger)])
    assert isinstance(told[0], Problem)
    assert told[0].slug == "unavailable"
    assert isinstance(told[1], Accepted)
    (tmp_path / "own").unlink()
    assert isinstance(book.keep_or_tell([own], [_accepted(own, 1, 12)])[0], Accepted)
    assert [each.message for each in book.lost(LOST)] == [own.message]
    book.close()
