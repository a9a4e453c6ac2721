"""How a demo begins (演示开场): when its log opens, the station's own desk, the enrolment of a cast.

Everything else speaks to the platform as everybody does, over HTTP; only enrolment goes through the station's sender.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice

from plumbline.demo.cast import build_cast
from plumbline.demo.enrolment import Enrolment, enroll
from plumbline.exchange.messages.header import Message
from plumbline.exchange.personal import PersonalRecord
from plumbline.lab.keys import InstitutionKeys
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import MAX_BATCH, Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Outcome
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.roots import save_root

SEED = 20261119
SPAN = timedelta(days=92)
#: The log is opened this long before its first day, so that the enrolment lies before every report.
OPENED_BEFORE = timedelta(days=136)


class StationSender:
    """The station's own desk: submits in process, sealing personal records."""

    def __init__(self, platform: Platform) -> None:
        keys = PlatformKeys.load(platform.folder("keys"))
        signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
        self._journal = Journal(platform.conninfo("plumb_gateway"), signer)
        self._sender = PlatformSender(self._journal, keys.signer("web"))
        self._vault = Vault(platform.folder("subjects"), is_national=keys.log_sm2 is not None)

    def __call__(
        self, message: Message, personal: Sequence[PersonalRecord] = (), stated_at: datetime | None = None
    ) -> object:
        """Append one message; durable on return."""
        return self._sender.submit(
            message, personal=[self._vault.seal(record) for record in personal], stated_at=stated_at
        )

    def submit_all(
        self, messages: Iterable[tuple[Message, Sequence[PersonalRecord]]], stated_at: datetime
    ) -> Iterator[Outcome]:
        """Append many messages, as many in a transaction as one takes; what became of each, in the order given."""
        left = iter(messages)
        while some := list(islice(left, MAX_BATCH)):
            yield from self._sender.append(
                [
                    self._sender.pending(
                        message,
                        personal=[self._vault.seal(record) for record in personal],
                        stated_at=stated_at,
                    )
                    for message, personal in some
                ]
            )

    def close(self) -> None:
        """Drop the connection."""
        self._journal.close()


def enrol_cast(platform: Platform, *, at: datetime, stated: bool, today: date) -> Enrolment:
    """Enrol the demo's cast and make its certificate root known as a demo root."""
    cast = build_cast(SEED, today)
    desk = StationSender(platform)
    try:
        enrolment = enroll(cast, desk, data_dir=platform.data_dir, at=at, stated=stated)
    finally:
        desk.close()
    keys = InstitutionKeys.load(enrolment.root_pem.parent)
    save_root(platform.folder("roots"), "demo-institution", keys.export_root())
    return enrolment
