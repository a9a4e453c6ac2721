"""One course of cells on one platform (故障格子的进程): attempts with what was told, promises, and what was broken."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import deliver
from plumbline.sdk.client.problems import Refused, Unreachable

#: A refusal is to come within this time: whoever sends must not hang.
TOLD_WITHIN_S = 45.0


class NotTried(RuntimeError):
    """The machine does not let a fault be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a sender was told by one attempt; status 0 when nobody answered."""

    status: int
    slug: str = ""
    words: str = ""
    remedy: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether it was acknowledged."""
        return self.status == 200

    @property
    def is_come_again(self) -> bool:
        """Whether it says in plain words that it may be sent again."""
        return self.status == 503 and self.slug in ("unavailable", "clock-off") and bool(self.remedy)


@dataclass(slots=True)
class Course:
    """The cells of one group, done one after another on one site."""

    site: Site
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    broken: list[str] = field(default_factory=list)
    counts: dict[str, int | float | str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    cell: str = ""
    #: What the ground of the group offers: a mounted folder, a clock.
    ground: Any = None

    def require(self, held: object, sentence: str) -> bool:
        """A promise."""
        if not held:
            self.broken.append(f"{self.cell}：{sentence}")
        return bool(held)

    def count(self, name: str, times: int = 1) -> None:
        """A figure."""
        self.counts[name] = int(self.counts.get(name, 0)) + times

    # Sending ------------------------------------------------------------------------------------------

    def attempt(self, upload: Upload, gateway: int = 0) -> Told:
        """One attempt at one gateway."""
        with self.site.client(gateway) as client:
            try:
                deliver(client, self.site, upload, self.ledger)
            except Refused as refused:
                problem = refused.problem
                return Told(
                    status=refused.status,
                    slug=refused.slug,
                    words=f"{problem.get('title', '')}；{problem.get('detail', '')}",
                    remedy=str(problem.get("remedy", "")),
                )
            except (Unreachable, httpx.HTTPError) as error:
                return Told(status=0, words=type(error).__name__)
        return Told(status=200)

    def must_come_again(self, upload: Upload, what: str, gateway: int = 0, *, saying: str = "") -> Told:
        """One attempt that must be refused with 503, in time, with a remedy."""
        began = time.monotonic()
        told = self.attempt(upload, gateway)
        took = time.monotonic() - began
        if told.is_taken:
            self.require(False, f"{what}仍然答复已收")
        else:
            said = f"{told.status} {told.slug} {told.words}"
            self.require(told.is_come_again, f"{what}应答复 503 和补救办法，实为 {said}")
            self.require(saying in told.words, f"{what}的答复没有说“{saying}”，说的是 {told.words}")
            self.require(took < TOLD_WITHIN_S, f"{what}等了 {took:.0f} 秒才有答复")
            self.count("故障中被请稍后再来")
        return told

    def delivered(self, upload: Upload, gateway: int | None = None) -> None:
        """Attempts until it is acknowledged, while dead processes are restarted."""
        last: list[Told] = []

        def taken() -> bool:
            number = self.chance.randrange(len(self.site.ports)) if gateway is None else gateway
            last[:] = [self.attempt(upload, number)]
            if not last[0].is_taken:
                time.sleep(0.3)
            return last[0].is_taken

        self.site.wait(taken, f"{self.cell}：重发得到答复")

    def some(self, count: int) -> list[Upload]:
        """Messages and files that are delivered, so that there is something to lose."""
        made = [self.ledger.next(self.site) if at % 3 else self.ledger.file(900 + at) for at in range(count)]
        for each in made:
            self.delivered(each)
        return made

    # Looking ------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Entries in the log as the database has it, but for the seals of the audit trail, which the worker makes when it is time."""
        seals = 'SELECT count(*) FROM journal.entry WHERE position(\'"kind":"trail.sealed"\'::bytea IN message) > 0'
        return self.head() - int(self.site.rows(seals)[0][0])

    def head(self) -> int:
        """The size of the log's head."""
        return int(self.site.rows("SELECT size FROM journal.head")[0][0])

    def pids(self) -> dict[str, int | None]:
        """Process numbers: what goes on by itself keeps its own."""
        names = [f"gateway-{number}" for number in range(len(self.site.ports))] + ["projector", "worker"]
        return {name: self.site.pid(name) for name in names}

    @contextmanager
    def as_owner(self) -> Iterator[psycopg.Connection]:
        """A connection that may change the journal's tables, as an administrator could."""
        with psycopg.connect(self.site.platform.conninfo("plumb_migrate"), autocommit=True) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute("SET lock_timeout = '20s'")
            yield conn

    def in_background(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do something in a thread, while the main thread tends the processes."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(work, *arguments)
        pool.shutdown(wait=False)
        return future

    def tend_for(self, seconds: float) -> None:
        """Let the supervising process look for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(psycopg.Error):
                self.site.tend()
            time.sleep(0.1)
