"""`python -m plumbline.demo.story` (演示故事): enrols the cast, sends the reports of three months, then runs
the live press.

Speaks to the platform as everybody does, over HTTP; only the enrolment goes through the station's own sender.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from plumbline.demo.cast import build_cast
from plumbline.demo.chain import Chain
from plumbline.demo.city import first_form
from plumbline.demo.clients import PartyClient, open_clients
from plumbline.demo.enrolment import Enrolment, enroll
from plumbline.demo.keys import party_keys
from plumbline.demo.live_press import LivePress
from plumbline.exchange.messages.header import Message
from plumbline.exchange.personal import PersonalRecord
from plumbline.lab.keys import InstitutionKeys
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.roots import save_root

SEED = 20261119
SPAN = timedelta(days=92)
#: The log is opened this long before its first day, so that the enrolment lies before every report.
OPENED_BEFORE = timedelta(days=100)
_log = logging.getLogger("plumbline.demo")


class StationSender:
    """The station's own desk: submits in process, sealing personal records."""

    def __init__(self, platform: Platform) -> None:
        keys = PlatformKeys.load(platform.folder("keys"))
        signer = CheckpointSigner(keys.log, platform.folder("marks"))
        self._journal = Journal(platform.conninfo("plumb_gateway"), signer)
        self._sender = PlatformSender(self._journal, keys.signer("web"))
        self._vault = Vault(platform.folder("subjects"))

    def __call__(
        self, message: Message, personal: Sequence[PersonalRecord] = (), stated_at: datetime | None = None
    ) -> object:
        """Append one message; durable on return."""
        return self._sender.submit(
            message, personal=[self._vault.seal(record) for record in personal], stated_at=stated_at
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


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story of this data folder; goes on where it was broken off."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--ca", default=None)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (stop.set(), sys.exit(0)))
    platform = Platform.from_env()
    now = datetime.now(UTC)
    today = now.date()
    cast = build_cast(SEED, today)
    enrolment = enrol_cast(platform, at=now - OPENED_BEFORE + timedelta(hours=1), stated=True, today=today)
    ca = Path(arguments.ca) if arguments.ca else None
    with open_clients(cast, platform.data_dir, platform.public_url, ca) as clients:
        if clients.ledger.get("story_told") is None:
            report = first_form(
                clients,
                cast,
                enrolment,
                start=now - SPAN,
                end=now,
                count=arguments.reports,
                progress=_log.info,
            )
            clients.ledger.put("story_told", dict(report.states))
            _log.info("the story is told: %s", dict(report.states))
        institution = clients.parties["institution"]
        assert isinstance(institution, PartyClient)
        press = LivePress(
            client=institution,
            transport=party_keys(cast, platform.data_dir, "institution").transport,
            cast=cast,
            chain=Chain(clients, cast, enrolment),
        )
        press.run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
