"""What of a refused message may be kept for looking at (遮盖留样): no personal part, no identity or telephone number, nothing large.

A refused request is often refused because a number stood where it must not. What is kept is therefore read again, string by string:
a text that holds a number of a person becomes stars whole, and so does every text in Chinese beside it, for a name may stand there.
What cannot be read is kept only when no such number can be seen in it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

import msgspec

from plumbline.domain.basics.personal_text import personal_spans
from plumbline.exchange.masks import STAR

#: Larger messages are not kept: mostly curves, which nobody compares by eye.
MAX_KEPT_BYTES = 128 * 1024
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
#: Fields of a curve's points; a run of digits in base64 is none of a person.
_POINTS = frozenset({"dzv", "times_dzv"})


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that may be kept, and whether something in them was masked."""

    data: bytes
    masked: bool


def masked_text(text: str) -> str:
    """`text` in NFC with every identity and telephone number as stars, character by character."""
    text = unicodedata.normalize("NFC", text)
    while spans := personal_spans(text):
        for span in spans:
            text = text[: span.start] + STAR * (span.end - span.start) + text[span.end :]
    return text


def kept_name(typed: str) -> str:
    """What of a typed login name may be written down: people type their telephone, identity number or name into that box."""
    return "".join(each if each.isascii() else STAR for each in masked_text(typed[:40]))


def _masked(value: object, name: str = "") -> object:
    """The value without numbers of people: a text that holds one is starred whole, since a name may stand beside it."""
    if isinstance(value, str):
        is_points = name in _POINTS and _BASE64.fullmatch(value) is not None
        return value if is_points else _starred(value)
    if isinstance(value, list):
        return [_masked(each, name) for each in value]
    if isinstance(value, dict):
        return {_starred(key): _masked(each, key) for key, each in value.items() if key != "salt"}
    if isinstance(value, int) and not isinstance(value, bool) and personal_spans(str(value)):
        return STAR * len(str(value))
    return value


def _starred(text: str) -> str:
    return STAR * len(text) if personal_spans(text) else text


def _without_words(value: object) -> object:
    """Every text that is not plain ASCII as stars: codes, numbers and times are left to compare."""
    if isinstance(value, str):
        return value if value.isascii() else STAR * len(value)
    if isinstance(value, list):
        return [_without_words(each) for each in value]
    if isinstance(value, dict):
        return {str(_without_words(key)): _without_words(each) for key, each in value.items()}
    return value


def kept_message(body: bytes) -> Kept | None:
    """What may be kept of a request's body: its message part as it was sent, masked where it has to be; None when nothing may be."""
    message = _message_part(body)
    if message is None or len(message) > MAX_KEPT_BYTES:
        return None
    try:
        text = message.decode("utf-8")
        read = json.loads(text)
    except (ValueError, RecursionError):
        return _unread(message)
    try:
        clean = _masked(read)
        if (
            clean == read
        ):  # as it was sent, so that it can be tried again byte by byte; a repeated name could hide another value
            return Kept(message, False) if not personal_spans(_unescaped(text)) else None
        data = json.dumps(_without_words(clean), ensure_ascii=False).encode()
        return Kept(data, True) if len(data) <= MAX_KEPT_BYTES else None  # a star is longer than a figure
    except (ValueError, RecursionError):
        return None


def _message_part(body: bytes) -> bytes | None:
    """The bytes under `message`; a body that has no such part is not kept, since anything may stand in it."""
    try:
        return bytes(msgspec.json.decode(body, type=_Outer).message)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


class _Outer(msgspec.Struct):
    message: msgspec.Raw


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _unread(message: bytes) -> Kept | None:
    text = _unescaped(message.decode("utf-8", "replace"))
    return None if personal_spans(text) else Kept(message, False)


class Headline(msgspec.Struct):
    """What a message says of itself first: kind and uid."""

    kind: str = ""
    uid: str = ""


def headline(body: bytes) -> Headline:
    """Kind and uid of a body that may be anything; empty where they cannot be read."""
    message = _message_part(body)
    if message is None:
        return Headline()
    try:
        return msgspec.json.decode(message, type=Headline)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return Headline()
