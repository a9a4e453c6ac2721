"""The demo's parties answer by themselves when the platform asks them to send again (演示各方自动补传), as the clients of other vendors do.

After a restore of the demo, or when a file of it is damaged: `plumbline retransmit ask`, and what was lost comes back.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.demo.cast import Cast, PartyKey
from plumbline.demo.clients import PARTIES, Books
from plumbline.demo.keys import party_folder, party_keys
from plumbline.demo.living.town import City
from plumbline.sdk.client import Client, Refused, Unreachable
from plumbline.sdk.client.answering import Answered, Answerer

#: How often a party looks into its feed.
LOOK_EVERY_S = 60.0
_log = logging.getLogger("plumbline.demo.city")


class _Stopped(Exception):
    """The city ends while a party waits for another."""


def _pause(stop: threading.Event, seconds: float) -> None:
    if stop.wait(seconds):
        raise _Stopped


class OwnFiles:
    """The bytes of a file that a party sent: from its book, or its copies of its reports, which the book does not hold again."""

    def __init__(self, folder: Path, books: Books) -> None:
        self._reports, self._books = folder / "reports", books
        #: SHA-256 → copy, of those that were read.
        self._known: dict[str, Path] = {}
        self._read: set[Path] = set()

    def __call__(self, sha256: str) -> bytes | None:
        """The bytes, or None."""
        if (kept := self._books.sent.file_bytes(sha256)) is not None:
            return kept
        if sha256 not in self._known:
            for path in set(self._reports.glob("*.pdf")) - self._read:
                self._read.add(path)
                self._known[hashlib.sha256(path.read_bytes()).hexdigest()] = path
        path = self._known.get(sha256)
        data = path.read_bytes() if path else b""
        return data if hashlib.sha256(data).hexdigest() == sha256 else None


@dataclass(frozen=True, slots=True)
class Party:
    """A party in one of its projects."""

    cast: Cast
    role: PartyKey

    @property
    def name(self) -> str:
        """Short name."""
        return self.cast.organisations[self.role].short_name


def parties_of(city: City) -> list[Party]:
    """All parties that send, each once."""
    return each_once(team.cast for team in city.teams)


def each_once(casts: Iterable[Cast]) -> list[Party]:
    """All parties of some casts, each once."""
    found: dict[str, Party] = {}
    for cast in casts:
        for role in PARTIES:
            found.setdefault(cast.party(role), Party(cast, role))
    return list(found.values())


@dataclass(slots=True)
class Answering:
    """Every party looks into its feed by itself, since one may wait for what another has to send first."""

    parties: list[Party]
    data_dir: Path
    base_url: str
    ca: Path | None = None
    is_cut_off: Callable[[str], bool] = lambda name: False
    every_s: float = LOOK_EVERY_S
    #: (short name, how a request was answered), as they come.
    told: list[tuple[str, Answered]] = field(default_factory=list)

    def start(self, stop: threading.Event) -> list[threading.Thread]:
        """A thread for each party, until `stop`."""
        threads = [
            threading.Thread(target=self._run, args=(each, stop), name=f"answers-{number}", daemon=True)
            for number, each in enumerate(self.parties)
        ]
        for each in threads:
            each.start()
        return threads

    def _run(self, party: Party, stop: threading.Event) -> None:
        # Not all of them at the same moment.
        if stop.wait(self.every_s * random.random()):  # noqa: S311 - not a secret
            return
        while not stop.is_set():
            try:
                self._answer(party, stop)
            except _Stopped:
                return
            except Exception:
                _log.exception("%s does not look for requests; tried again", party.name)
                stop.wait(self.every_s)

    def _answer(self, party: Party, stop: threading.Event) -> None:
        keys = party_keys(party.cast, self.data_dir, party.role)
        folder = party_folder(party.cast, self.data_dir, party.role)
        with (
            closing(Books.open(folder)) as books,
            Client(
                self.base_url,
                sender=party.cast.party(party.role),
                transport=keys.transport,
                origin=keys.origin,
                ca=self.ca,
                receipts=books.receipts,
                sent=books.sent,
            ) as client,
        ):
            answerer = Answerer(
                client,
                books.sent,
                books.receipts,
                files=OwnFiles(folder, books),
                pause=lambda seconds: _pause(stop, seconds),
            )
            while not stop.is_set():
                if not self.is_cut_off(party.name):
                    self._look(party, answerer)
                stop.wait(self.every_s)

    def _look(self, party: Party, answerer: Answerer) -> None:
        try:
            answered = answerer.answer()
        except (Unreachable, Refused) as error:  # the platform stands still, or signs nothing yet: later
            _log.info("%s could not look for requests: %s", party.name, error)
            return
        for each in answered:
            self.told.append((party.name, each))
            _log.info(
                "%s 补传：新收 %d 条，平台已有 %d 条，文件 %d 个，没有留存 %d 条",
                party.name,
                len(each.resent),
                len(each.present),
                each.files,
                len(each.not_held),
            )
