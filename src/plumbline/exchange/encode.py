"""From a message to wire bytes (编码): what senders sign and send; absent fields are left out, so that old
readers see no new names."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from plumbline.exchange.messages.header import Message
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.submission import OriginSignature

_ENCODER = msgspec.json.Encoder()


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return value if value and isinstance(value[0], int) else [_without_nulls(each) for each in value]
    return value


def encode_message(message: Message) -> bytes:
    """The bytes of a message: JSON, fields in the order of the type, absent fields left out at every depth.

    The same message gives the same bytes, but receivers never rely on that: they keep and hash what arrived.
    """
    return _ENCODER.encode(_without_nulls(msgspec.to_builtins(message)))


def encode_submission(
    message: bytes, *, origin: Sequence[OriginSignature] = (), personal: Sequence[PersonalRecord] = ()
) -> bytes:
    """The body of POST /x/v1/entries around message bytes that are taken over unchanged (PROTOCOL: 报送)."""
    body: dict[str, object] = {"message": msgspec.Raw(message)}
    if origin:
        body["origin"] = [_without_nulls(msgspec.to_builtins(each)) for each in origin]
    if personal:
        body["personal"] = [_without_nulls(msgspec.to_builtins(each)) for each in personal]
    return _ENCODER.encode(body)


def encode_batch(submissions: Sequence[bytes]) -> bytes:
    """The body of POST /x/v1/batches around submissions that :func:`encode_submission` made (成批报送)."""
    return b'{"submissions":[' + b",".join(submissions) + b"]}"
