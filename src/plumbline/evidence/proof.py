"""Inclusion proofs as text, C2SP ``tlog-proof@v1``: index, path and checkpoint in one file (存在性证明).

The ``extra`` line is opaque and unauthenticated; whoever uses it must tie it to the proof (a receipt does, by
hashing the leaf it carries).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from plumbline.evidence.note import DEFAULT_NOTE_LIMIT, NoteError, decode_base64, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"
#: A tree of 2**63 leaves is 63 levels high.
MAX_PATH = 63
_WRONG_PATH = "a path has at most 63 hashes of 32 bytes"

_INDEX_LINE = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ProofError(ValueError):
    """The text is not a tlog-proof."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed proof; nothing in it is verified yet."""

    #: Zero-based index of the leaf.
    index: int
    #: Hashes (32 bytes each) from the leaf's sibling up.
    path: tuple[bytes, ...]
    #: The signed note, verbatim.
    checkpoint_note: str
    #: Application data; empty if the line is absent.
    extra: bytes = b""


@lru_cache(maxsize=4096)
def _path_line(item: bytes) -> str:
    """One hash of a path. The receipts of a batch share most of theirs, so that few of them are written anew."""
    if len(item) != 32:
        raise ValueError(_WRONG_PATH)
    return encode_base64(item)


def format_proof(index: int, path: Sequence[bytes], checkpoint_note: str, extra: bytes = b"") -> str:
    """Text of a proof. ValueError if index or path cannot stand in one."""
    if not 0 <= index < 2**63:
        raise ValueError("the index of a proof is out of range")
    if len(path) > MAX_PATH:
        raise ValueError(_WRONG_PATH)
    lines = [HEADER]
    if extra:
        lines.append(f"extra {encode_base64(extra)}")
    lines.append(f"index {index}")
    lines.extend(map(_path_line, path))
    return "\n".join(lines) + "\n\n" + checkpoint_note


def parse_proof(text: str, limit: int = DEFAULT_NOTE_LIMIT) -> TlogProof:
    """Proof of ``text``; ProofError with the reason if it is malformed or longer than ``limit`` characters.

    The checkpoint is only split off here; ``open_checkpoint`` reads it.
    """
    if len(text) > limit:
        raise ProofError(f"the proof is longer than {limit} characters")
    head, blank, checkpoint_note = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != HEADER:
        raise ProofError(f"the first line is not {HEADER}")
    if not blank or not checkpoint_note:
        raise ProofError("the proof has no checkpoint")
    rest = lines[1:]
    try:
        extra = (
            decode_base64(rest.pop(0).removeprefix("extra "))
            if rest and rest[0].startswith("extra ")
            else b""
        )
        match = _INDEX_LINE.fullmatch(rest.pop(0)) if rest else None
        path = tuple(map(decode_base64, rest))
    except NoteError as error:
        raise ProofError(f"extra data or path: {error}") from error
    if match is None or int(match[1]) >= 2**63:
        raise ProofError("the index line is missing or malformed")
    if len(path) > MAX_PATH or any(len(item) != 32 for item in path):
        raise ProofError(_WRONG_PATH)
    return TlogProof(int(match[1]), path, checkpoint_note, extra)
