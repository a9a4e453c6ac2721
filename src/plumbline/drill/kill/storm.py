"""Random kills under load (随机击杀): clients send, processes die; half of the clients send again what failed, half do not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import psycopg

from plumbline.drill.kill.chain import applied
from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.site import BACK_S, Site
from plumbline.exchange.origin import sign_origin
from plumbline.sdk.client import Client, Outgoing, Sent
from plumbline.sdk.client.problems import Refused, Unreachable

#: What a sender may be told while the platform is being broken; anything else needs an explanation.
_EXPECTED = frozenset({"unavailable", "internal", "queue-full", "rate-limited"})
#: Bytes of a file: most go with their announcement, some are sent in pieces after it.
_SIZES = (700, 9_000, 60_000, 600_000)

#: Messages that a client sends in one request.
TOGETHER = 4


def send_once(client: Client, site: Site, upload: Upload, ledger: Ledger) -> bool:
    """One attempt (or as many as the client makes); True when it was acknowledged."""
    try:
        deliver(client, site, upload, ledger)
    except Unreachable:
        return False
    except Refused as refused:
        _refused(upload, refused, ledger)
        return False
    except httpx.HTTPError:
        return False
    return True


def deliver(client: Client, site: Site, upload: Upload, ledger: Ledger) -> None:
    """Send it and note the answer; raises what the client raises."""
    upload.attempts += 1
    if upload.what == "file":
        client.upload(upload.data, "application/octet-stream")
        upload.answer = upload.answer or {}
    else:
        origin = [sign_origin(site.origin_key, upload.data)]
        _answered(upload, client.send_bytes(upload.data, origin=origin, personal=upload.personal), ledger)


def _answered(upload: Upload, sent: Sent, ledger: Ledger) -> None:
    if upload.answer and upload.answer["index"] != sent.index:
        ledger.wonder(f"消息 {upload.uid} 先答复第 {upload.answer['index']} 条，再答复第 {sent.index} 条")
    upload.answer = sent.body


def _refused(upload: Upload, refused: Refused, ledger: Ledger) -> None:
    if refused.slug not in _EXPECTED and refused.status < 500:
        ledger.wonder(f"{upload.what} {upload.uid or upload.sha256[:16]} 被拒：{refused.slug}")


def send_some(client: Client, site: Site, uploads: Sequence[Upload], ledger: Ledger) -> bool:
    """One attempt for what is not acknowledged yet: files one by one, several messages in one request; True when all are."""
    messages = [each for each in uploads if each.what != "file" and not each.is_acknowledged]
    alone = [each for each in uploads if each.what == "file" and not each.is_acknowledged]
    if len(messages) == 1:
        alone, messages = [*alone, *messages], []
    for each in alone:
        send_once(client, site, each, ledger)
    if messages:
        _send_together(client, site, messages, ledger)
    return all(each.is_acknowledged for each in uploads)


def _send_together(client: Client, site: Site, messages: Sequence[Upload], ledger: Ledger) -> None:
    waiting = []
    for each in messages:
        each.attempts += 1
        origin = [sign_origin(site.origin_key, each.data)]
        waiting.append(Outgoing(data=each.data, origin=origin, personal=each.personal))
    try:
        answers = client.send_many(waiting)
    except (Unreachable, httpx.HTTPError):
        return
    except Refused as refused:
        _refused(messages[0], refused, ledger)
        return
    for upload, answer in zip(messages, answers, strict=True):
        if isinstance(answer, Refused):
            _refused(upload, answer, ledger)
        else:
            _answered(upload, answer, ledger)


@dataclass(slots=True)
class Load:
    """Clients that send until their share is done."""

    site: Site
    ledger: Ledger
    uploads: int
    clients: int = 8
    files_each: int = 5
    _threads: list[threading.Thread] = field(default_factory=list)
    _left: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin sending."""
        self._left = self.uploads
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"client-{number}", daemon=True)
            for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        """Whether somebody still sends."""
        return any(thread.is_alive() for thread in self._threads)

    def _take(self, most: int) -> list[int]:
        with self._lock:
            taken = list(range(self._left - 1, max(-1, self._left - 1 - most), -1))
            self._left -= len(taken)
            return taken

    def _work(self, number: int) -> None:
        tries_again = number % 2 == 0
        client = self.site.client(number // 2)
        # half of them send one by one, half what has gathered
        while taken := self._take(TOGETHER if number % 4 >= 2 else 1):
            uploads = [self._made(at) for at in taken]
            acknowledged = send_some(client, self.site, uploads, self.ledger)
            until = time.monotonic() + BACK_S
            while tries_again and not acknowledged and time.monotonic() < until:
                time.sleep(0.1)
                acknowledged = send_some(client, self.site, uploads, self.ledger)
            for upload in uploads if tries_again else ():
                if not upload.is_acknowledged:
                    self.ledger.wonder(f"{upload.what} {upload.uid or upload.sha256[:16]} 一直没有送到")
            if not tries_again and not acknowledged:
                self._pause(client)
        client.close()

    def _pause(self, client: Client) -> None:
        """Who does not send again goes on with the next when the gateway answers: else a stop would use up all uploads."""
        until = time.monotonic() + BACK_S
        while time.monotonic() < until:
            time.sleep(0.1)
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{client.base_url}/healthz", trust_env=False, timeout=2).status_code == 200:
                    return

    def _made(self, at: int) -> Upload:
        if at % self.files_each == 0:
            return self.ledger.file(_SIZES[at // self.files_each % len(_SIZES)] + at % 97)
        if at % 40 == 1:
            return self.ledger.message(applied(self.site, self.ledger.serial()))
        return self.ledger.next(self.site)


#: Who is killed, how often in proportion.
VICTIMS = {"gateway": 5, "projector": 2, "worker": 2, "backend": 3, "postmaster": 2}


@dataclass(slots=True)
class Killer:
    """Kills one process after another; a seed gives the same order."""

    site: Site
    chance: random.Random
    #: Seconds between two kills.
    between: tuple[float, float] = (0.6, 2.4)
    victims: dict[str, int] = field(default_factory=lambda: dict(VICTIMS))
    killed: Counter[str] = field(default_factory=Counter)

    def during(self, load: Load, limit: int = 1_000_000) -> None:
        """Kill until the load is done or `limit` kills are; from the main thread, which restarts what died."""
        while load.is_running:
            until = time.monotonic() + self.chance.uniform(*self.between)
            while time.monotonic() < until and load.is_running:
                self.site.tend()
                time.sleep(0.02)
            if load.is_running and self.killed.total() < limit:
                self.strike()

    def strike(self) -> None:
        """One kill; who is dead already is spared."""
        victim = self.chance.choices(list(self.victims), list(self.victims.values()))[0]
        if victim == "gateway":
            hit = self.site.kill(f"gateway-{self.chance.randrange(len(self.site.ports))}")
        elif victim == "postmaster":
            self.site.kill_postmaster()
            hit = True
        elif victim == "backend":
            hit = self._backend()
        else:
            hit = self.site.kill(victim)
        if hit:
            self.killed[victim] += 1

    def _backend(self) -> bool:
        with contextlib.suppress(psycopg.Error, ProcessLookupError):
            if pids := self.site.backends():
                os.kill(self.chance.choice(pids), signal.SIGKILL)
                return True
        return False


def storm(site: Site, load: Load, killer: Killer, *, kills: int = 1_000_000) -> None:
    """Load and kills together; on return the platform is up again and nobody sends."""
    load.start()
    killer.during(load, kills)
    site.wait_back()
