"""What was sent and what was answered (报送台账): the sender's own memory, against which the platform is held."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.custody import ReceiptRecorded, TagScanned
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import PersonRegistered
from plumbline.exchange.messages.reports import NumberTaken
from plumbline.exchange.personal import PersonalFields, PersonalRecord, make_record


@dataclass(slots=True, kw_only=True)
class Upload:
    """One message or one file, from the sender's side."""

    #: `message`, or `file`.
    what: str
    data: bytes
    uid: str = ""
    #: Personal parts that travel beside the message.
    personal: tuple[PersonalRecord, ...] = ()
    #: How often it was sent.
    attempts: int = 0
    #: Body of the answer with 201 or 200; a file's answer has none and is empty.
    answer: dict[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """Of message or file."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def is_acknowledged(self) -> bool:
        """Whether the platform said that it has it."""
        return self.answer is not None


@dataclass(slots=True)
class Ledger:
    """All uploads of a drill; safe between threads."""

    uploads: list[Upload] = field(default_factory=list)
    #: Answers that no fault explains.
    strange: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _serial: int = 0

    def serial(self) -> int:
        """The next number."""
        with self._lock:
            self._serial += 1
            return self._serial

    def add(self, upload: Upload) -> Upload:
        """Note what is about to be sent."""
        with self._lock:
            self.uploads.append(upload)
        return upload

    def message(self, message: Message, personal: tuple[PersonalRecord, ...] = ()) -> Upload:
        """Note a message that is about to be sent."""
        data = encode_message(message)
        return self.add(Upload(what="message", data=data, uid=str(message.uid), personal=personal))

    def next(self, site: Any) -> Upload:
        """Note the next message: one that claims nothing, one with a claim, one with a personal part, in turn."""
        serial = self.serial()
        if serial % 3 == 2:
            return self._person(site, serial)
        return self.message(received(site, serial) if serial % 3 else number_taken(site, serial))

    def person(self, site: Any) -> Upload:
        """Note a message about a person of whom the platform has no key yet."""
        return self._person(site, self.serial())

    def _person(self, site: Any, serial: int) -> Upload:
        record = make_record(f"{serial:032x}", PersonalFields(name=f"演练{serial}"))
        return self.message(registered_person(site, record), (record,))

    def file(self, size: int) -> Upload:
        """Note a file of random bytes that is about to be sent."""
        return self.add(Upload(what="file", data=secrets.token_bytes(size)))

    def wonder(self, sentence: str) -> None:
        """Note an answer that no fault explains."""
        with self._lock:
            self.strange.append(sentence)

    @property
    def acknowledged(self) -> list[Upload]:
        """Those that the platform said it has."""
        return [each for each in self.uploads if each.is_acknowledged]


def received(site: Any, serial: int) -> Message:
    """A reception, which claims nothing: only its uid keeps it from being entered twice."""
    message: Message = site.message(
        site.party,
        ReceiptRecorded,
        commission=site.commission,
        sample=f"{serial:032x}",
        site="S1",
        receiver="11" * 16,
        scanned=[TagScanned(tag=f"YL{serial:06d}", seal_intact=True, condition="完好")],
        accepted=True,
        witness_present=True,
    )
    return message


def registered_person(site: Any, record: PersonalRecord) -> Message:
    """A person of the institution, whose name travels beside the message."""
    message: Message = site.message(
        site.party,
        PersonRegistered,
        person=record.subject,
        party=site.party,
        roles=["technician"],
        valid_from=f"{datetime.now(UTC):%Y-%m-%d}",
        personal=record.ref,
    )
    return message


def number_taken(site: Any, serial: int) -> Message:
    """A report number that the institution takes: a claim, so that a second entry of it would show."""
    year = datetime.now(UTC).year
    message: Message = site.message(
        site.party,
        NumberTaken,
        document_kind="report",
        prefix="YL",
        site="S1",
        year=year,
        serial=serial,
        number=f"YL-S1-{year}-{serial:06d}",
    )
    return message
