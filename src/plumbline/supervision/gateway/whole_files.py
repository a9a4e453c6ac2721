"""Stored files before they are given (给出以前的核对): held against their digest, and what was held a moment ago is believed.

A viewer asks for a document in dozens of pieces, and asking costs the asker nothing: each file is read through once a minute at most,
unless it was touched meanwhile, and no more than a few at a time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool

from plumbline.supervision.journal.files import FileStore

#: So long a file that nobody touched is believed.
BELIEVED_S = 60.0
#: So many are read through at a time in one process: the threads are for uploads as well.
AT_ONCE = 2
_MOST = 1000
#: Which file it is and when it was last touched, as the system tells it: (device, number, bytes, changed, touched).
Identity = tuple[int, int, int, int, int]


class WholeFiles:
    """Holds stored files against their names. Of one event loop alone."""

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._believed: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def require(self, sha256: str) -> os.stat_result:
        """What the system tells of a file that is whole; raises OSError or
        :class:`~plumbline.supervision.journal.files.FileDigestMismatch`."""
        if told := self._known(sha256):
            return told
        async with self._turn:
            if told := self._known(sha256):  # somebody else asked for it meanwhile
                return told
            before = self._files.path(sha256).stat()
            await run_in_threadpool(self._files.require_whole, sha256)
            if _identity(self._files.path(sha256).stat()) == _identity(before):
                self._believed[sha256] = _identity(before), time.monotonic() + BELIEVED_S
                while len(self._believed) > _MOST:
                    self._believed.popitem(last=False)
            return before

    def _known(self, sha256: str) -> os.stat_result | None:
        identity, until = self._believed.get(sha256, (None, 0.0))
        if time.monotonic() < until:
            told = self._files.path(sha256).stat()
            if _identity(told) == identity:
                return told
        self._believed.pop(sha256, None)
        return None


def _identity(told: os.stat_result) -> Identity:
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns
