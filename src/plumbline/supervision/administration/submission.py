"""Entries that a page makes (网页入账): appended in process like the gateway's, then the projector is waited for (PROTOCOL §1)."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages.header import Message
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender

#: How long a page waits for the projector before it says 已受理，正在入账.
WAIT_S = 2.0
_lock = threading.Lock()


@cache
def _sender() -> PlatformSender:
    platform = settings.PLUMBLINE_PLATFORM
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    return PlatformSender(Journal(platform.conninfo("plumb_gateway"), signer), keys.signer("web"))


@cache
def operator_party() -> str:
    """Party id of whoever operates the platform: the sender of what its administrators decide."""
    return party_id(operator_of(settings.PLUMBLINE_PLATFORM).uscc).hex()


def submit(message: Message, request: HttpRequest) -> Accepted:
    """Append an entry on behalf of the session; raises :class:`Problem`. It commits by itself, outside the request's transaction.

    In a demo it happens at the demo's present, as everything does.
    """
    session = hashlib.sha256(f"session\0{request.session.session_key}".encode()).hexdigest()[:32]
    with _lock:
        sender = _sender()
    return sender.submit(sender.in_demo_time(message), session=session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an entry: passed by the projector, and then taken over, refused with a reason, or parked."""

    passed: bool = False
    sentence: str = ""
    remedy: str = ""
    parked: bool = False


def await_outcome(accepted: Accepted) -> Outcome:
    """Wait at most `WAIT_S` until the projector has passed the entry, and say what it made of it."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT passed, sentence, remedy, parked FROM ops.outcome_of(%s, %s)",
                [accepted.entry.hex(), accepted.position],
            )
            row = cursor.fetchone()
        if row and row[0]:
            return Outcome(passed=True, sentence=row[1] or "", remedy=row[2] or "", parked=row[3])
        time.sleep(0.02)
    return Outcome()
