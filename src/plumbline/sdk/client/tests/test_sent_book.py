"""What was sent is kept, and a person is taken out of it (已报留底): nothing of a destroyed person stays readable in the files."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from pathlib import Path

import pytest

from plumbline.exchange.personal import PersonalFields, PersonalRecord
from plumbline.sdk.client.sent import SentBook

ANNE, BERT = "1a" * 16, "2b" * 16


def _record(subject: str, name: str) -> PersonalRecord:
    salt = base64.b64encode(bytes(16)).decode()
    return PersonalRecord(ref="0" * 64, subject=subject, salt=salt, fields=PersonalFields(name=name))


def test_a_person_is_taken_out_and_the_others_stay(tmp_path: Path) -> None:
    book = SentBook(tmp_path, synced=False)
    anne, bert = _record(ANNE, "Anne Secretname"), _record(BERT, "Bert")
    book.keep("aa" * 16, b"{}", personal=[anne, bert])
    book.keep("bb" * 16, b"{}", personal=[bert])
    assert book.forget_person(ANNE) == 1
    assert book.forget_person(ANNE) == 0
    first, second = book.submission("aa" * 16), book.submission("bb" * 16)
    assert first is not None
    assert second is not None
    assert (first.personal, first.message, second.personal) == ([bert], b"{}", [bert])
    assert not any(b"Secretname" in file.read_bytes() for file in tmp_path.glob("sent.db*"))
    book.close()


def test_many_are_kept_in_their_order_and_what_is_there_stays(tmp_path: Path) -> None:
    book = SentBook(tmp_path, synced=False)
    book.keep("aa" * 16, b"first")
    book.keep_all(
        [("bb" * 16, b"second", [], []), ("aa" * 16, b"other", [], []), ("cc" * 16, b"third", [], [])]
    )
    kept = [book.submission(entry) for entry in book.entries()]
    assert [each and (each.entry[:2], each.message, each.seq) for each in kept] == [
        ("aa", b"first", 1),
        ("bb", b"second", 2),
        ("cc", b"third", 3),
    ]
    book.keep_file(b"photograph", "image/png")
    assert [each.seq for each in book.files()] == [4]
    book.close()


def test_all_of_them_are_kept_or_none(tmp_path: Path) -> None:
    book = SentBook(tmp_path, synced=False)
    with pytest.raises(sqlite3.Error):
        book.keep_all([("aa" * 16, b"first", [], []), ("bb" * 16, object(), [], [])])  # type: ignore[list-item]
    assert book.entries() == []
    book.keep("cc" * 16, b"later")
    assert book.submission("cc" * 16).seq == 1  # type: ignore[union-attr]
    book.close()


def test_the_bytes_of_what_the_sender_keeps_elsewhere_are_not_kept_again(tmp_path: Path) -> None:
    book = SentBook(tmp_path, elsewhere=("application/pdf",), synced=False)
    for data, media_type in ((b"report", "application/pdf"), (b"photograph", "image/png")):
        book.keep_file(data, media_type)
    report, photograph = (hashlib.sha256(each).hexdigest() for each in (b"report", b"photograph"))
    assert (book.file_bytes(report), book.file_bytes(photograph)) == (None, b"photograph")
    assert [each.media_type for each in book.files()] == ["application/pdf", "image/png"]
    book.close()
