"""Stored files before they are given (给出以前的核对): read through once, again when touched, and no more than a few at a time."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from plumbline.supervision.gateway import whole_files
from plumbline.supervision.gateway.whole_files import AT_ONCE, WholeFiles
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore


class _Counting(FileStore):
    """Counts how often files are read through, and how many at a time."""

    read, now, most = 0, 0, 0
    lock = threading.Lock()

    def require_whole(self, sha256: str) -> None:
        with self.lock:
            self.read, self.now = self.read + 1, self.now + 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        super().require_whole(sha256)


@pytest.fixture
def files(tmp_path: Path) -> _Counting:
    return _Counting(tmp_path)


def test_a_file_that_nobody_touched_is_read_through_once(files: _Counting, monkeypatch) -> None:
    digest, whole = files.store(b"a report"), WholeFiles(files)

    async def ask() -> None:
        await asyncio.gather(*[whole.require(digest) for _ in range(20)])

    asyncio.run(whole.require(digest))
    asyncio.run(ask())
    assert files.read == 1
    monkeypatch.setattr(whole_files, "BELIEVED_S", 0.0)
    forgetful = WholeFiles(files)
    asyncio.run(forgetful.require(digest))
    asyncio.run(forgetful.require(digest))
    assert files.read == 3


def test_a_file_that_was_touched_is_read_through_again(files: _Counting) -> None:
    """Even one that has its size, and its old time of change put back."""
    digest, whole = files.store(b"a report"), WholeFiles(files)
    path = files.path(digest)
    before = path.stat()
    assert asyncio.run(whole.require(digest)).st_size == 8
    path.write_bytes(b"A report")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(FileDigestMismatch):
        asyncio.run(whole.require(digest))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        asyncio.run(whole.require(digest))
    files.store(b"a report")
    assert asyncio.run(whole.require(digest)).st_size == 8


def test_a_few_are_read_through_at_a_time(files: _Counting) -> None:
    digests = [files.store(f"report {number}".encode()) for number in range(12)]

    async def ask() -> None:
        whole = WholeFiles(files)
        await asyncio.gather(*[whole.require(each) for each in digests])

    asyncio.run(ask())
    assert (files.read, files.most) == (12, AT_ONCE)
