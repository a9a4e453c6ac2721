"""Answering a request to send again (补传): same uid and bytes, in order, with files; waits are bounded, and what is gone is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.evidence.leaf import LEAF_SIZE, Leaf
from plumbline.evidence.proof import format_proof
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import EntryWithdrawn
from plumbline.exchange.messages.reports import ReportRegistered
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.sdk.client import Client, ReceiptBook, SentBook, stamp
from plumbline.sdk.client import answering as module
from plumbline.sdk.client.answering import Answered, Answerer, place_in
from plumbline.sdk.client.client import _entry_of
from plumbline.sdk.client.problems import Refused, Unreachable
from plumbline.sdk.client.tests.loopback_platform import LoopbackPlatform, answer_with

SENDER, OTHERS = "5e" * 16, ("0a" * 16, "0b" * 16, "0c" * 16)
AT = datetime(2026, 11, 19, 6, 2, tzinfo=UTC)
TRANSPORT, ORIGIN, FORMER = (
    Ed25519Signer(f"test.{name}", ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number, name in enumerate(("transport", "origin", "former"))
)
KEYS = {"test.transport": ("ed25519", TRANSPORT.key.public_key().public_bytes_raw())}


class Clock:
    """A clock that only the pauses of the answerer move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def pause(self, seconds: float) -> None:
        self.now += seconds


class Bench:
    """A sender with a full book before a platform that has lost everything."""

    def __init__(self, folder: Path, platform: LoopbackPlatform) -> None:
        self.platform, self.clock = platform, Clock()
        self.book, self.receipts = SentBook(folder, synced=False), ReceiptBook(folder / "receipts.db")
        self.client = Client(
            platform.url,
            sender=SENDER,
            transport=TRANSPORT,
            origin=ORIGIN,
            retries=0,
            receipts=self.receipts,
            sent=self.book,
            pause=self.clock.pause,
        )
        self.answerer = Answerer(
            self.client, self.book, self.receipts, patience_s=6.0, pause=self.clock.pause
        )

    def acknowledged(self, index: int, named: str = "", key: Ed25519Signer = ORIGIN) -> tuple[str, bytes]:
        """A message that was sent and acknowledged at a place of epoch 1: entry id and bytes."""
        made = stamp(EntryWithdrawn, sender=SENDER, at=AT, entry=named or "0f" * 16, because=f"第 {index} 条")
        data, entry = encode_message(made), _entry_of(encode_message(made))
        self.book.keep(entry, data, [sign_origin(key, data)])
        self.receipts.keep(entry, receipt(index, made))
        return entry, data

    def ask(self, **asked: Any) -> list[Answered]:
        """The platform's request, and what the sender makes of it. What names nothing real is taken to be there."""
        request = {"ranges": [{"epoch": 1, "first": 10}], "entries": [], "since": None} | asked
        item = {"kind": "retransmit.requested", "entry": "ab" * 16, "request": request}
        self.platform.changes = [item | {"idx": (2 << 40) + 5 + len(self.platform.changes)}]
        return self.answerer.answer()

    def said(self) -> list[dict[str, Any]]:
        """The sender's own words about the request."""
        told = [json.loads(each) for each in self.platform.entries.values()]
        return [each for each in told if each["kind"] == "retransmit.answered"]

    def came(self) -> list[bytes]:
        """What came again, in order."""
        every = self.platform.entries.values()
        return [each for each in every if json.loads(each)["kind"] != "retransmit.answered"]


def receipt(index: int, message: Message, at: datetime = AT) -> str:
    leaf = Leaf.decode(bytes([1]) + bytes(LEAF_SIZE - 1))
    data = bytearray(leaf.encode())
    data[1:17], data[17:33] = bytes.fromhex(message.sender), message.uid.bytes
    data[41:49] = round(at.timestamp() * 1_000_000).to_bytes(8, "big")
    return format_proof(index, [], "plumb.example/log/1\n1\nAAAA\n\n— x y\n", bytes(data))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with LoopbackPlatform(KEYS) as running:
        made = Bench(tmp_path, running)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.clock.now))
        yield made
        made.client.close()
        made.book.close()
        made.receipts.close()


def _present(bench: Bench, name: str) -> None:
    """An entry of somebody else that never has to be waited for."""
    bench.answerer._absent.add(name)


def test_the_lost_range_comes_again_in_order_with_its_own_bytes_and_nothing_else(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    kept = bench.acknowledged(9)
    lost = [bench.acknowledged(index) for index in (12, 10, 11)]
    told = bench.ask()
    assert [each.resent for each in told] == [[entry for entry, _ in lost]]
    assert bench.came() == [data for _, data in lost]
    assert kept[1] not in bench.platform.entries.values()
    assert [(each["stage"], each.get("resent", 0)) for each in bench.said()] == [("begun", 0), ("done", 3)]
    assert bench.answerer.answer() == []


def test_what_the_platform_has_is_not_doubled(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    entry, data = bench.acknowledged(10)
    bench.platform.entries[json.loads(data)["uid"]] = data
    told = bench.ask()[0]
    assert (told.resent, told.present) == ([], [entry])
    assert bench.came() == [data]


def test_a_range_that_ends_a_foreign_epoch_and_a_name(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    named, inside, _ = (bench.acknowledged(index)[0] for index in (3, 10, 11))
    assert bench.ask(ranges=[{"epoch": 1, "first": 10, "end": 11}], entries=[named])[0].resent == [
        named,
        inside,
    ]
    assert bench.ask(ranges=[{"epoch": 2, "first": 0}])[0].resent == []


def test_files_since_the_loss_go_before_the_messages(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    bench.book.keep_file(b"before", "application/pdf")
    bench.acknowledged(10)
    bench.book.keep_file(b"after", "application/pdf")
    assert bench.ask()[0].files == 1
    assert bytes(bench.platform.files[hashlib.sha256(b"after").hexdigest()]) == b"after"
    assert hashlib.sha256(b"before").hexdigest() not in bench.platform.files


def test_a_file_of_a_wrong_type_from_earlier_days_comes_back_as_bytes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.acknowledged(10)
    bench.book.keep_file(b"no picture", "image/jpeg")
    upload = bench.client.upload

    def strict(data: bytes, media_type: str) -> str:
        if media_type != "application/octet-stream":
            raise Refused({"type": "/x/problems/file-type-mismatch"}, 422)
        return upload(data, media_type)

    monkeypatch.setattr(bench.client, "upload", strict)
    told = bench.ask()[0]
    assert (told.files, len(told.resent)) == (1, 1)
    assert bytes(bench.platform.files[hashlib.sha256(b"no picture").hexdigest()]) == b"no picture"


def test_files_that_are_asked_for_by_name_come_again_and_nothing_else(bench: Bench) -> None:
    """The platform's copies are damaged; no entry is lost, so that no code is shown and no message comes."""
    bench.acknowledged(3)
    wanted, kept_elsewhere, lost = b"damaged", b"kept elsewhere", "ff" * 32
    bench.book.keep_file(wanted, "application/pdf")
    bench.book.keep_file(b"whole", "application/pdf")
    other = hashlib.sha256(kept_elsewhere).hexdigest()
    own = bench.answerer._files
    bench.answerer._files = lambda digest: kept_elsewhere if digest == other else own(digest)
    digests = [hashlib.sha256(wanted).hexdigest(), other, lost]
    told = bench.ask(ranges=[], files=digests)[0]
    assert (told.files, told.resent, set(told.not_held)) == (2, [], {lost[:32]})
    assert {name: bytes(data) for name, data in bench.platform.files.items()} == {
        digests[0]: wanted,
        other: kept_elsewhere,
    }
    assert [each["stage"] for each in bench.said()] == ["done"] and bench.came() == []


def test_a_file_that_is_gone_and_a_bare_receipt_are_told(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    bench.acknowledged(10)
    bare = stamp(EntryWithdrawn, sender=SENDER, at=AT, entry="0f" * 16, because="只有回执")
    entry = _entry_of(encode_message(bare))
    bench.receipts.keep(entry, receipt(11, bare))
    bench.book.keep_file(b"after", "application/pdf")
    digest = hashlib.sha256(b"after").hexdigest()
    (bench.book.folder / "files" / digest[:2] / digest).unlink()
    told = bench.ask()[0]
    assert set(told.not_held) == {entry, digest[:32]}
    assert {each["entry"] for each in bench.said()[-1]["not_held"]} == {entry, digest[:32]}


def test_a_refused_message_is_told_and_the_others_come(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    first, second = bench.acknowledged(10)[0], bench.acknowledged(11)[0]
    bench.platform.faults += [lambda _: False, lambda _: False, answer_with(422, "schema")]
    told = bench.ask()[0]
    assert (told.resent, list(told.not_held)) == ([second], [first])


def test_a_message_of_a_replaced_key_is_signed_anew(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    entry, data = bench.acknowledged(10, key=FORMER)
    bench.platform.faults += [lambda _: False, lambda _: False, answer_with(401, "key-revoked")]
    assert bench.ask()[0].resent == [entry]
    tried = [json.loads(body) for _, path, _, body in bench.platform.seen if path == "/x/v1/entries"][1:3]
    assert [each["origin"][0]["key_id"] for each in tried] == ["test.former", "test.origin"]
    assert bench.came() == [data]


def test_one_patience_bounds_the_waits_for_all_who_send_nothing(bench: Bench) -> None:
    lost = [bench.acknowledged(10 + place, named)[0] for place, named in enumerate(OTHERS)]
    began = bench.clock.now
    assert bench.ask()[0].resent == lost
    assert bench.clock.now - began < 9
    assert set(bench.platform.looked_for) == set(OTHERS)


def test_what_came_after_a_wait_renews_the_patience(bench: Bench) -> None:
    theirs = stamp(EntryWithdrawn, sender="7e" * 16, at=AT, entry="0f" * 16, because="别家的")
    data = encode_message(theirs)
    bench.acknowledged(10, _entry_of(data))
    bench.acknowledged(11, OTHERS[0])
    began, pause = bench.clock.now, bench.clock.pause

    def sends_meanwhile(seconds: float) -> None:
        pause(seconds)
        if bench.clock.now - began > 4:
            bench.platform.entries.setdefault(str(theirs.uid), data)

    bench.answerer._pause = sends_meanwhile
    assert len(bench.ask()[0].resent) == 2
    assert 10 <= bench.clock.now - began < 15
    assert bench.answerer._absent == {OTHERS[0]}


def test_where_nobody_knows_the_range_receipts_of_the_last_days_are_asked_for(bench: Bench) -> None:
    _present(bench, "0f" * 16)
    for index, days in enumerate((9, 1)):
        made = stamp(EntryWithdrawn, sender=SENDER, at=AT, entry="0f" * 16, because=f"第 {index} 条")
        bench.receipts.keep(_entry_of(encode_message(made)), receipt(index, made, AT - timedelta(days=days)))
        if days == 1:
            wanted = _entry_of(encode_message(made))
            bench.book.keep(wanted, encode_message(made), [])
    bench.platform.faults += [lambda _: False, answer_with(404, "not-found")]
    asked = {"ranges": [], "since": (AT - timedelta(days=2)).isoformat()}
    assert bench.ask(**asked)[0].resent == [wanted]


def test_no_place_is_read_from_what_is_no_receipt() -> None:
    assert place_in(None) is None
    assert place_in("回执") is None


def _registration(bench: Bench, index: int) -> tuple[str, str]:
    """An application that had been given a code, and the registration with it: entry ids. The platform lacks both."""
    _present(bench, "0f" * 16)
    application, _ = bench.acknowledged(index)
    bench.book.keep_claims(application, "CLAIMS")
    made = stamp(
        ReportRegistered,
        sender=SENDER,
        at=AT,
        application=application,
        code="2611HC0TKM1GAN70X408H",
        pdf_sha256="ab" * 32,
        pdf_bytes=1000,
        pages=1,
        signed_at=AT,
        certificate_sha256="cd" * 32,
    )
    data = encode_message(made)
    entry = _entry_of(data)
    bench.book.keep(entry, data, [sign_origin(ORIGIN, data)])
    bench.receipts.keep(entry, receipt(index + 1, made))
    return application, entry


def _came(bench: Bench, entry: str) -> bool:
    return entry in {_entry_of(data) for data in bench.came()}


def test_a_registration_waits_until_the_platform_has_decided_and_nothing_overtakes_it(bench: Bench) -> None:
    application, registration = _registration(bench, 10)
    withdrawal, _ = bench.acknowledged(12)
    for _ in range(3):  # looks
        assert bench.ask() == []
        assert [_entry_of(data) for data in bench.came()] == [application]
    # The codes, and once that it waits.
    assert [each["stage"] for each in bench.said()] == ["begun", "waiting"]
    bench.platform.decisions[application] = {"code": "2611HC0TKM1GAN70X408H"}
    (told,) = bench.answerer.answer()
    assert told.resent == [application, registration, withdrawal]
    assert [_entry_of(data) for data in bench.came()] == told.resent
    assert [(each["stage"], each.get("resent", 0)) for each in bench.said()][2:] == [
        ("begun", 2),
        ("done", 3),
    ]
    assert bench.answerer.answer() == []


def test_a_registration_waits_where_the_code_was_learned_of_in_another_way(bench: Bench) -> None:
    """A corrected application: the claims stand with the second version, the registration names the first."""
    application, _ = _registration(bench, 10)
    bench.book._db.execute("UPDATE sent SET claims = NULL")
    assert bench.ask() == []
    assert [_entry_of(data) for data in bench.came()] == [application]


def test_who_waits_for_others_says_so_and_when_it_goes_on_says_so_too(bench: Bench) -> None:
    first, _ = bench.acknowledged(10, named=OTHERS[0])
    (told,) = bench.ask()  # in vain: the patience is six seconds, it is said after five
    assert told.resent == [first]
    assert [each["stage"] for each in bench.said()] == ["begun", "waiting", "begun", "done"]


def test_another_run_of_the_program_goes_on_where_the_first_one_waited(bench: Bench) -> None:
    application, registration = _registration(bench, 10)
    bench.ask()
    bench.answerer = Answerer(
        bench.client, bench.book, bench.receipts, patience_s=6.0, pause=bench.clock.pause
    )
    _present(bench, "0f" * 16)
    bench.platform.decisions[application] = {"code": "2611HC0TKM1GAN70X408H"}
    (told,) = bench.answerer.answer()
    assert registration in told.resent
    assert bench.said()[-1]["stage"] == "done"


def test_who_is_withheld_a_code_for_good_waits_no_longer_than_its_patience(bench: Bench) -> None:
    application, registration = _registration(bench, 10)
    bench.platform.decisions[application] = {"state": "withheld", "code": None}
    began = bench.clock.now
    (told,) = bench.ask()
    assert 6.0 <= bench.clock.now - began < 20.0
    assert told.resent == [application, registration]  # in its order: the platform says what it makes of it


def test_a_line_that_is_cut_meanwhile_loses_and_doubles_nothing(bench: Bench) -> None:
    application, registration = _registration(bench, 10)
    bench.ask()
    bench.platform.decisions[application] = {"code": "2611HC0TKM1GAN70X408H"}
    bench.platform.faults.extend([lambda handler: False, answer_with(503, "unavailable")])
    with pytest.raises((Refused, Unreachable)):
        bench.answerer.answer()
    (told,) = bench.answerer.answer()
    assert (told.resent, told.present) == ([application, registration], [])
    assert [each["stage"] for each in bench.said()] == ["begun", "waiting", "begun", "done"]


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_an_answer_that_says_nothing_of_the_message_does_not_call_it_lost(bench: Bench, status: int) -> None:
    _present(bench, "0f" * 16)
    first, second = (bench.acknowledged(index)[0] for index in (10, 11))
    # The feed, the codes, then the first of them.
    bench.platform.faults.extend([lambda handler: False] * 2 + [answer_with(status, "unavailable")])
    with pytest.raises((Refused, Unreachable)):
        bench.ask()
    assert bench.came() == []
    (told,) = bench.answerer.answer()
    assert (told.resent, told.not_held) == ([first, second], {})
