"""Evidence of outsiders that is no signature of a key of C2SP: time stamps and anchors, as lines of a note (外部凭据).

A line of a type that a verifier does not know is ignored by it, as C2SP signed-note asks, so that a receipt with such lines is read by
every program that reads receipts. Nothing here verifies: what a line says is checked by whoever knows its type, against the caller's trust.
"""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.evidence.note import Note, encode_base64, require_key_name, typed_key_id

#: RFC 3161: the signature bytes are the DER of a TimeStampToken over the SHA-256 of the note text.
STAMP_TYPE = b"\xffplumbline/rfc3161/v1"
#: A transaction of an EVM chain that holds origin, size and root of the note text: `plumbline.evidence.anchor` has the bytes.
ANCHOR_TYPE = b"\xffplumbline/evm-anchor/v1"
#: Bytes of one attachment: a token with a long certificate path is shorter.
MAX_ATTACHMENT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Attachment:
    """One line of a known type, not verified."""

    #: Key name of the line: what the operator calls the authority or the chain.
    name: str
    data: bytes


def format_attachment(name: str, kind: bytes, data: bytes) -> str:
    """The line to append to a note; NoteError for a name that cannot stand in one, ValueError for data that is empty or too long."""
    if not 0 < len(data) <= MAX_ATTACHMENT:
        raise ValueError(f"an attachment has 1 to {MAX_ATTACHMENT} bytes")
    return f"— {require_key_name(name)} {encode_base64(typed_key_id(name, kind, b'') + data)}\n"


def attachments(note: Note, kind: bytes) -> tuple[Attachment, ...]:
    """The lines of one type, each name once, in the order of the note."""
    found: dict[str, Attachment] = {}
    for line in note.signatures:
        if line.key_id == typed_key_id(line.name, kind, b"") and len(line.signature) <= MAX_ATTACHMENT:
            found.setdefault(line.name, Attachment(line.name, line.signature))
    return tuple(found.values())
