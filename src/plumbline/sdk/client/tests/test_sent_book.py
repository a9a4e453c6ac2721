"""What was sent is kept, and a person is taken out of it (已报留底): nothing of a destroyed person stays readable in the files."""

from __future__ import annotations

import base64
from pathlib import Path

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
