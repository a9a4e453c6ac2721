"""Bugs that the drill of faults must find (故意的缺陷): put into its child processes, or into its supervising process.

The product knows nothing of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast


def _fsync_error_swallowed() -> None:
    """A failed fsync is taken for one that succeeded."""
    genuine = os.fsync

    def fsync(descriptor: int) -> None:
        with contextlib.suppress(OSError):
            genuine(descriptor)

    cast(Any, os).fsync = fsync


def _fsync_asked_again() -> None:
    """A failed fsync is asked again, and believed the second time: the kernel has dropped the bytes meanwhile."""
    genuine = os.fsync

    def fsync(descriptor: int) -> None:
        try:
            genuine(descriptor)
        except OSError:
            genuine(descriptor)

    cast(Any, os).fsync = fsync


def _gone_on_with() -> None:
    """The file whose fsync failed stays, and whoever comes again goes on where it ended."""
    from plumbline.supervision.gateway import uploads

    plain = uploads._write

    def write(path: Any, offset: int, length: int, body: bytes) -> int:
        kept, spare = path.with_suffix(".json").read_bytes(), path.with_suffix(".again")
        os.link(path, spare)
        try:
            return plain(path, offset, length, body)
        except OSError:
            os.link(spare, path)
            path.with_suffix(".json").write_bytes(kept)
            raise
        finally:
            spare.unlink()

    cast(Any, uploads)._write = write


def _full_disk_not_told() -> None:
    """A store that is full is a fault like any other: 500, and nobody comes again."""
    from plumbline.supervision.gateway import answers

    cast(Any, answers)._of_the_store = lambda error: None


def _mark_error_swallowed() -> None:
    """A mark that cannot be written does not stop the signature."""
    from plumbline.evidence.mark import HeadMark

    plain = HeadMark.advance

    def advance(self: Any, head: Any) -> None:
        with contextlib.suppress(OSError):
            plain(self, head)

    cast(Any, HeadMark).advance = advance


def _clock_step_taken() -> None:
    """Entries are logged at whatever the database's clock says."""
    from plumbline.supervision.journal.clock import ClockWatch

    cast(Any, ClockWatch).check = lambda self, database_now, last_time, host_now, *, confirmed: database_now


def _no_baseline() -> None:
    """A process that has appended nothing yet takes any step forward for time that passed."""
    from plumbline.supervision.journal.clock import ClockWatch

    cast(Any, ClockWatch).__post_init__ = lambda self, began: None


def _wrong_time_remembered() -> None:
    """A process keeps to the latest time that it has ever seen in the log, whatever was corrected since."""
    from plumbline.supervision.journal.clock import ClockWatch

    plain, latest = ClockWatch.check, []

    def check(self: Any, database_now: Any, last_time: Any, host_now: Any, *, confirmed: Any) -> Any:
        latest[:] = [max([last_time, *latest])]
        return plain(self, database_now, latest[0], host_now, confirmed=confirmed)

    cast(Any, ClockWatch).check = check


def _peers_not_asked() -> None:
    """Each signing host knows only what itself has signed."""
    from plumbline.supervision.journal.heads import CheckpointSigner

    cast(Any, CheckpointSigner).check_peers = lambda self, conn: setattr(self, "_peers_asked", 1e18)


def _mark_not_compared() -> None:
    """A host signs whatever the database holds, and its mark follows."""
    from plumbline.evidence.mark import HeadMark
    from plumbline.supervision.journal.heads import CheckpointSigner, read_head

    def advance(self: Any, head: Any) -> None:
        with self._locked():
            self._replace(head)

    cast(Any, HeadMark).advance = advance
    cast(Any, CheckpointSigner).check_extends = lambda self, conn: read_head(conn)


def _one_fails_all() -> None:
    """A message whose partition is missing fails all that came with it."""
    from plumbline.supervision.journal.append import Journal

    def refuse(self: Any, batch: Any) -> Any:
        return self._append_once(batch)

    cast(Any, Journal)._append_halving = refuse


def _left_half_done() -> None:
    """Nobody looks after a job whose process was killed."""
    from plumbline.supervision.worker import errands

    cast(Any, errands).RESCUE_EVERY_S = 1e9


#: In the platform's own processes.
IN_PROCESSES: dict[str, Callable[[], None]] = {
    "fsync-error-swallowed": _fsync_error_swallowed,
    "fsync-asked-again": _fsync_asked_again,
    "gone-on-with": _gone_on_with,
    "full-disk-not-told": _full_disk_not_told,
    "mark-error-swallowed": _mark_error_swallowed,
    "clock-step-taken": _clock_step_taken,
    "no-baseline": _no_baseline,
    "wrong-time-remembered": _wrong_time_remembered,
    "peers-not-asked": _peers_not_asked,
    "mark-not-compared": _mark_not_compared,
    "one-fails-all": _one_fails_all,
    "left-half-done": _left_half_done,
}


@contextmanager
def _database_given_up() -> Iterator[None]:
    """A database that did not come back at once ends the platform."""
    from plumbline.supervision.run import DatabaseKeeper

    keeper, plain = cast(Any, DatabaseKeeper), DatabaseKeeper.look
    keeper.look = lambda self: self.cluster.start()
    try:
        yield
    finally:
        keeper.look = plain


@contextmanager
def _partitions_not_made() -> Iterator[None]:
    """Nobody makes a partition that is missing."""
    from plumbline.supervision import run

    module = cast(Any, run)
    plain = module.ensure_partitions
    module.ensure_partitions = lambda conninfo, now: []
    try:
        yield
    finally:
        module.ensure_partitions = plain


#: In the supervising process, which here is the drill itself.
IN_SUPERVISION: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "database-given-up": _database_given_up,
    "partitions-not-made": _partitions_not_made,
}

#: What is put in, and the cell that has to find it.
FOUND_BY = {
    "full-disk-not-told": "磁盘满：文件",
    "mark-error-swallowed": "fsync 出错：水位",
    "database-given-up": "磁盘满：数据库的预写日志",
    "fsync-error-swallowed": "fsync 出错：文件",
    "fsync-asked-again": "fsync 出错：文件，只报一次",
    "gone-on-with": "fsync 出错：文件，只报一次",
    "clock-step-taken": "时钟：整机倒退一小时",
    "no-baseline": "时钟：整机前进一天，进程还没有入过账",
    "wrong-time-remembered": "时钟：走错并入了账，两个人更正",
    "no-idempotency": "两个网关：同一条消息同时送到",
    "peers-not-asked": "水位：数据库和本机水位一起回到以前",
    "mark-not-compared": "水位：数据库回到以前",
    "one-fails-all": "缺分区：一条消息的月份",
    "partitions-not-made": "缺分区：一条消息的月份",
    "left-half-done": "被杀死的任务：自己补办",
}
