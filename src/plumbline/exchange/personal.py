"""Personal parts (个人信息部分): they travel beside the message, which names each only by SHA-256(salt ‖
record).

The salt is 128 random bits; the platform stores it only inside the ciphertext, so that after the subject's
key is destroyed the digest in the log says nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Annotated

import msgspec

from plumbline.domain.basics.words import normalised, text_problem
from plumbline.exchange.messages.header import Part
from plumbline.exchange.problems import FieldProblem
from plumbline.exchange.wire import Base64Text, Digest, PersonRef

PersonalText = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


#: What a person's record may say in words; each is checked as a name in a message is.
_TEXTS = ("name", "resident_id", "phone")


class PersonalFields(Part, frozen=True, kw_only=True):
    """What may be personal in version 1. All optional; unknown names are refused."""

    name: PersonalText | None = None
    resident_id: PersonalText | None = None
    phone: PersonalText | None = None
    face_sha256: Digest | None = None


class PersonalRecord(Part, frozen=True, kw_only=True):
    """One record: `digest` (= `ref` in the message), the person it is about, salt and fields."""

    ref: Digest
    subject: PersonRef
    salt: Base64Text
    fields: PersonalFields


_ENCODER = msgspec.json.Encoder(order="deterministic")


def record_digest(salt: bytes, subject: str, fields: PersonalFields) -> str:
    """SHA-256(salt ‖ record) in hex; record = JSON of {subject, fields} with sorted keys, no spaces, empty
    fields left out."""
    body = {k: v for k, v in msgspec.structs.asdict(fields).items() if v is not None}
    return hashlib.sha256(salt + _ENCODER.encode({"fields": body, "subject": subject})).hexdigest()


def text_problem_of(record: PersonalRecord) -> FieldProblem | None:
    """The first text of a record with characters that nobody sees, or not in normal form; it repeats nothing of the text."""
    for name in _TEXTS:
        text = getattr(record.fields, name) or ""
        pointer = f"/personal/fields/{name}"
        if problem := text_problem(text):
            return FieldProblem(pointer=pointer, reason=problem.reason, remedy=problem.remedy)
        if text != normalised(text):
            return FieldProblem(
                pointer=pointer,
                reason="文字不是 NFC 规范形式，或两头有空格",
                remedy="转换成 NFC、去掉两头的空格后重发",
            )
    return None


def make_record(subject: str, fields: PersonalFields) -> PersonalRecord:
    """A record with a fresh salt; its `ref` goes into the message."""
    salt = secrets.token_bytes(16)
    return PersonalRecord(
        ref=record_digest(salt, subject, fields),
        subject=subject,
        salt=base64.b64encode(salt).decode(),
        fields=fields,
    )
