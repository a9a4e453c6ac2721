"""A store that is full or fails (存储满了、出错): nothing is acknowledged, the sender is told to come again, and can."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import resource
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway import uploads
from plumbline.supervision.gateway.answers import guarded
from plumbline.supervision.gateway.directory import Directory
from plumbline.supervision.journal.clock import ClockWatch
from plumbline.supervision.journal.files import FileStore


def _answer(error: Exception) -> tuple[int, dict[str, str], dict[str, object]]:
    async def endpoint(_: object) -> None:
        raise error

    request = SimpleNamespace(url=SimpleNamespace(path="/x/v1/files"), method="POST", scope={})
    answer = asyncio.run(guarded(endpoint)(request))  # type: ignore[arg-type]
    return answer.status_code, dict(answer.headers), json.loads(answer.body)


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "满了"), (errno.EDQUOT, "满了"), (errno.EFBIG, "满了"), (errno.EIO, "出错")],
)
def test_a_store_that_takes_nothing_answers_503_with_a_remedy(number: int, told: str) -> None:
    status, headers, body = _answer(OSError(number, os.strerror(number)))
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert headers["retry-after"] == "60"
    assert told in str(body["detail"])
    assert body["remedy"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_who_has_no_memory_left_says_come_again(error: Exception) -> None:
    status, headers, body = _answer(error)
    assert (status, headers["retry-after"]) == (503, "10")
    assert "内存" in str(body["detail"]) and body["remedy"]


def test_any_other_refusal_of_the_system_is_a_fault_of_ours() -> None:
    assert _answer(PermissionError(errno.EACCES, "no"))[0] == 500
    assert _answer(RuntimeError("any other"))[0] == 500


def _note(data: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "length": len(data), "media_type": "x", "party": "p"}


def test_a_full_store_keeps_what_came_and_goes_on_from_there(tmp_path: Path) -> None:
    """A real limit of the system on the size of a file: the kernel takes a part and refuses the rest."""
    data, path = os.urandom(60_000), tmp_path / "0f"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(OSError, match="too large") as refused:
            uploads._begin(path, _note(data), data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert _answer(refused.value)[0] == 503
    reached = path.stat().st_size
    assert reached <= 20_000
    assert uploads._write(path, reached, len(data), data[reached:]) == len(data)
    assert path.read_bytes() == data


def test_bytes_that_could_not_be_synced_are_not_built_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path, genuine = b"x" * 100, tmp_path / "0f", os.fsync
    uploads._announce(path, _note(data))

    def fails_once(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", genuine)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails_once)
    with pytest.raises(OSError, match="Input/output") as refused:
        uploads._write(path, 0, 100, data)
    assert _answer(refused.value)[0] == 503
    assert not path.exists()
    assert uploads._begin(path, _note(data), data) == 100


def test_a_finished_file_that_could_not_be_synced_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, data, genuine = FileStore(tmp_path), b"y" * 100, os.fsync
    digest, path = hashlib.sha256(data).hexdigest(), store.incoming("0f" * 16)
    path.write_bytes(data)

    def fails_once(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", genuine)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails_once)
    with pytest.raises(OSError, match="Input/output"):
        store.adopt(path, digest)
    assert not store.has(digest)
    assert store.store(data) == digest


@pytest.mark.parametrize(
    ("database_s", "last_s", "confirmed", "words"),
    [
        (0, -60, False, None),
        (0, 4, False, None),
        (-3600, -3600, False, "本机时钟与数据库"),
        (0, 3600, False, "慢"),
        (0, -7200, False, "clock-confirm"),
        (0, -7200, True, None),
    ],
)
def test_a_clock_of_ours_that_is_wrong_refuses_nothing_for_good(
    database_s: int, last_s: int, confirmed: bool, words: str | None
) -> None:
    """Asked before a message is refused for the time in its uid: a wrong clock is 503, and the same uid may come again."""
    now = datetime.now(UTC)
    told = (now, None, None, now) if confirmed else (None,) * 4
    row = (now + timedelta(seconds=database_s), now + timedelta(seconds=last_s), *told)

    class Pool:
        @contextlib.asynccontextmanager
        async def connection(self) -> AsyncIterator[object]:
            async def one() -> object:
                return row

            async def execute(statement: str, _told: dict[str, str]) -> object:
                return SimpleNamespace(fetchone=one)

            yield SimpleNamespace(execute=execute)

    directory = Directory(Pool(), b"0" * 32)  # type: ignore[arg-type]
    if (
        last_s == -7200
    ):  # as one sees it that was started two hours ago by the clock, and a moment ago by what passed
        directory._clocks = ClockWatch(now - timedelta(seconds=7200))
    if words is None:
        asyncio.run(directory.require_right_clock())
        return
    with pytest.raises(Problem, match=words) as refused:
        asyncio.run(directory.require_right_clock())
    assert (refused.value.slug, refused.value.kind.status) == ("clock-off", 503)


class _Keys:
    """A pool whose database answers that there is no such key, or not at all; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False
        #: Set as the last thing that a question does.
        self.given_back = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[object]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.is_down:
            raise psycopg.OperationalError("down")

        async def nothing(*_: object) -> None:
            return None

        @contextlib.asynccontextmanager
        async def cursor(**_: object) -> AsyncIterator[object]:
            yield SimpleNamespace(execute=nothing, fetchone=nothing)

        yield SimpleNamespace(cursor=cursor)
        self.given_back.set()


def test_a_key_that_many_requests_name_at_once_is_asked_for_once() -> None:
    async def scene() -> None:
        pool = _Keys()
        directory = Directory(pool, b"0" * 32, cache_s=0)  # type: ignore[arg-type]
        gone = asyncio.create_task(directory.key("k"))
        others = [asyncio.create_task(directory.key("k")) for _ in range(20)]
        await asyncio.sleep(0)
        gone.cancel()
        assert await asyncio.gather(*others) == [None] * 20
        assert pool.asked == 1
        pool.is_down = True
        failed = await asyncio.gather(*(directory.key("k") for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in failed] == [psycopg.OperationalError] * 3
        pool.is_down = False
        assert await directory.key("k") is None
        assert pool.asked == 3
        assert not directory._asked

    asyncio.run(scene())


def test_who_names_a_key_in_the_moment_when_a_question_ends_is_asked_for_anew() -> None:
    async def scene() -> None:
        pool = _Keys()
        directory = Directory(pool, b"0" * 32, cache_s=0)  # type: ignore[arg-type]
        first = asyncio.create_task(directory.key("k"))
        await pool.given_back.wait()  # woken after the question and before anything that its end calls
        assert not first.done()
        assert await directory.key("k") is None
        assert await first is None
        assert pool.asked == 2
        assert not directory._asked

    asyncio.run(scene())
