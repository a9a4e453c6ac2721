"""Numbers of people in the platform's own sentences (遮去个人号码): masked, so that a decision is always made.

A sentence of ours repeats what a sender wrote, and a code that looks like a telephone number passes the door where codes stand but not
where prose stands. Our own message would then be refused, and the sender would wait for a decision for ever.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from plumbline.exchange.masking import masked_text

#: Fields of the platform's messages that hold prose; identifiers and codes are never touched.
PROSE = frozenset({"sentence", "remedy", "clause", "because", "signer", "value", "reason"})
_S = TypeVar("_S", bound=msgspec.Struct)


def masked(message: _S) -> _S:
    """The message with its prose masked, nested parts included; the same object when there is nothing to mask."""
    changes = {}
    for name in message.__struct_fields__:
        old = getattr(message, name)
        new = _masked_value(name, old)
        if new is not old and new != old:
            changes[name] = new
    return msgspec.structs.replace(message, **changes) if changes else message


def _masked_value(name: str, value: object) -> object:
    if isinstance(value, str):
        return masked_text(value) if name in PROSE else value
    if isinstance(value, msgspec.Struct):
        return masked(value)
    if isinstance(value, list):
        return [_masked_value(name, each) for each in value]
    return value
