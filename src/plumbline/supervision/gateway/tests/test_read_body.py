"""The body as it comes in (报文正文): in pieces, too large, cut in the middle; and what is said of its type."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import context
from plumbline.supervision.gateway.context import SANDBOX, read_body, received, require_media
from plumbline.supervision.gateway.limits import Room

DISCONNECT = {"type": "http.disconnect"}


def coming(*messages: dict[str, Any], headers: list[tuple[bytes, bytes]] = []) -> tuple[Request, list[Any]]:  # noqa: B006 - read only
    """A request whose body comes in these messages, and those that were not asked for yet."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive), left


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(b"whole")],
        [piece(b"wh", more=True), piece(b"ole")],
        [piece(b"", more=True), piece(b"whole", more=True), piece(b"")],
        [piece(b"whole", more=True), {"type": "http.request"}],
    ],
)
def test_a_body_is_the_same_in_however_many_pieces_it_comes(pieces: list[dict[str, Any]]) -> None:
    request, left = coming(*pieces)
    body = asyncio.run(read_body(request, 5))
    assert (body, type(body), left) == (b"whole", bytes, [])


def test_an_empty_body_is_none_of_anybodys_business() -> None:
    assert asyncio.run(read_body(coming({"type": "http.request"})[0], 0)) == b""


@pytest.mark.parametrize("pieces", [[piece(b"123456")], [piece(b"123", more=True), piece(b"456", more=True)]])
def test_more_than_the_limit_is_refused_with_the_piece_that_passes_it(pieces: list[dict[str, Any]]) -> None:
    request, left = coming(*pieces, piece(b"never asked for"))
    with pytest.raises(Problem, match="超过 5 字节"):
        asyncio.run(read_body(request, 5))
    assert len(left) == 1


def test_what_is_announced_as_too_large_is_not_read() -> None:
    request, left = coming(piece(b"123456"), headers=[(b"content-length", b"6")])
    with pytest.raises(Problem, match="声明了 6 字节"):
        asyncio.run(read_body(request, 5))
    assert len(left) == 1


@pytest.mark.parametrize("announced", [b"", b"-1", b"six", b"\xc2\xb2", b"5"])
def test_an_announcement_that_is_no_number_counts_for_nothing(announced: bytes) -> None:
    request, _ = coming(piece(b"whole"), headers=[(b"content-length", announced)])
    assert asyncio.run(read_body(request, 5)) == b"whole"


def test_a_sender_that_goes_away_has_sent_nothing() -> None:
    for pieces in ([DISCONNECT], [piece(b"wh", more=True), DISCONNECT]):
        with pytest.raises(ClientDisconnect):
            asyncio.run(read_body(coming(*pieces)[0], 5))


def test_a_body_that_comes_too_slowly_is_refused_and_one_that_comes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "BODY_GRACE_S", 0.2)
    monkeypatch.setattr(context, "SLOWEST_BYTES_A_SECOND", 10)

    def dripping(size: int) -> Request:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.1)
            return piece(b"x" * size, more=True)

        return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)

    with pytest.raises(Problem, match="秒里只收到") as caught:
        asyncio.run(read_body(dripping(0), 100))
    assert (caught.value.slug, caught.value.kind.status) == ("too-slow", 408)
    with pytest.raises(Problem, match="超过 100 字节"):  # ten bytes a tenth of a second: never too slow
        asyncio.run(read_body(dripping(10), 100))


def test_a_large_body_holds_its_place_no_longer_than_its_signature_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However fast it comes: what would be refused for its age when it is whole is not waited for."""
    monkeypatch.setattr(context, "UNKNOWN_BYTES", 4)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return piece(b"x" * 3, more=True)

    async def large(_: int) -> float:
        return time.monotonic() + 0.2

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(Problem) as caught:
        asyncio.run(read_body(request, 1_000_000, large))
    assert caught.value.slug == "too-slow"


@pytest.mark.parametrize(
    ("headers", "read", "may_become"),
    [
        ([(b"content-length", b"9")], 0, 9),  # asked before anything is read
        ([], 2, 10),  # it does not say how large it is: before the piece that passes the bound is kept
    ],
)
def test_whose_it_is_is_asked_before_a_body_grows_large(
    monkeypatch: pytest.MonkeyPatch, headers: list[tuple[bytes, bytes]], read: int, may_become: int
) -> None:
    monkeypatch.setattr(context, "UNKNOWN_BYTES", 4)
    asked: list[tuple[int, int]] = []
    pieces = [piece(b"123", more=True), piece(b"456", more=True), piece(b"789")]

    async def large(size: int) -> float:
        asked.append((3 - len(left), size))
        if refusing:
            raise Problem(slug="key-unknown")
        return time.monotonic() + 60

    for refusing in (False, True):
        request, left = coming(*pieces, headers=headers)
        if refusing:
            with pytest.raises(Problem):
                asyncio.run(read_body(request, 10, large))
            assert len(left) == 3 - read
        else:
            assert asyncio.run(read_body(request, 10, large)) == b"123456789"
    assert asked == [(read, may_become)] * 2


def test_a_small_body_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "UNKNOWN_BYTES", 4)

    async def large(_: int) -> float:
        raise AssertionError

    assert asyncio.run(read_body(coming(piece(b"12", more=True), piece(b"34"))[0], 10, large)) == b"1234"


def test_room_for_large_bodies_is_bounded_and_no_sender_takes_it_all() -> None:
    room = Room(100)
    mine = [room.take("a", 12), room.take("a", 13)]
    with pytest.raises(Problem) as caught:
        room.take("a", 1)
    assert (caught.value.slug, caught.value.retry_after_s) == ("queue-full", 2)
    for other in ("b", "c", "d"):
        room.take(other, 25)
    with pytest.raises(Problem):
        room.take("e", 1)
    [give_back() for give_back in mine]
    room.take("a", 25)


@pytest.mark.parametrize(
    ("stated", "is_taken"),
    [
        ([], True),
        ([b"application/json"], True),
        ([b" Application/JSON ; charset=utf-8"], True),
        ([b"text/plain"], False),
        ([b"\xff"], False),
        ([b"application/json", b"text/plain"], False),
    ],
)
def test_every_type_that_is_stated_has_to_be_the_right_one(stated: list[bytes], is_taken: bool) -> None:
    request, _ = coming(headers=[(b"content-type", each) for each in stated])
    if is_taken:
        require_media(request, "application/json")
    else:
        with pytest.raises(Problem) as caught:
            require_media(request, "application/json")
        assert caught.value.slug == "media-type"


class _Door:
    """Knows a sandbox key, where a trial is asked for."""

    async def identify(self, received: Any, *, is_trial: bool = False) -> tuple[Any, Any]:
        if not is_trial:
            raise Problem(slug="key-unknown", detail="沙箱密钥")
        return SimpleNamespace(created=time.time() - 100), SimpleNamespace(sandbox=True, party="named")


@pytest.mark.parametrize("is_trial", [True, False])
def test_sandbox_keys_share_a_room_of_their_own_and_have_none_where_they_may_not_act(is_trial: bool) -> None:
    """Whoever applied in the name of an organisation takes nothing of its room."""
    clock = SimpleNamespace(received=lambda: datetime.now(UTC))
    room = Room(4_000_000)
    told = SimpleNamespace(
        platform=SimpleNamespace(public_url="http://testclient", demo=False),
        demo_time=SimpleNamespace(fresh=lambda: clock),
        trusted_proxies=frozenset(),
        door=_Door(),
        room=room,
    )
    request, left = coming(piece(b"x" * 100_000), headers=[(b"content-length", b"100000")])
    request.scope |= {
        "app": SimpleNamespace(state=SimpleNamespace(context=told)),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "query_string": b"",
        "raw_path": b"/x/v1/entries",
        "state": {},
    }
    if is_trial:
        assert len(asyncio.run(received(request, 1_000_000, is_trial=True)).body) == 100_000
        assert dict(room._taken) == {SANDBOX: 100_000}
        request.state.give_back()
        assert not room._taken
        return
    with pytest.raises(Problem, match="沙箱密钥"):
        asyncio.run(received(request, 1_000_000))
    assert len(left) == 1 and not room._taken
