"""The request to a cosigner, C2SP tlog-witness ``add-checkpoint`` (联署请求): old size, consistency proof, checkpoint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.evidence.note import DEFAULT_NOTE_LIMIT, NoteError, decode_base64, encode_base64

#: Path under a cosigner's address.
ADD_CHECKPOINT = "/add-checkpoint"
#: Media type of the body of a 409: the size that the cosigner cosigned last.
SIZE_TYPE = "text/x.tlog.size"
#: Lines of a proof at most, as the protocol says.
MAX_PROOF = 63
#: Bytes of a request at most: the proof, and a checkpoint with all its signatures.
MAX_REQUEST = DEFAULT_NOTE_LIMIT + 64 * 64

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """One request; nothing in it is verified."""

    #: Size of the checkpoint that the cosigner is thought to have cosigned last.
    old: int
    #: Consistency proof from ``old`` to the checkpoint, hashes of 32 bytes.
    path: tuple[bytes, ...]
    #: The checkpoint, a signed note, verbatim.
    note: str


def format_request(old: int, path: Sequence[bytes], note: str) -> bytes:
    """Body of a request. ValueError for a proof that the protocol has no room for."""
    if not 0 <= old < 2**63 or len(path) > MAX_PROOF or any(len(item) != 32 for item in path):
        raise ValueError("the old size or the proof cannot stand in a request")
    lines = [f"old {old}", *map(encode_base64, path)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def parse_request(body: bytes) -> AddCheckpoint:
    """Request of a body; NoteError with the reason if it is malformed or too long."""
    if len(body) > MAX_REQUEST:
        raise NoteError(f"the request is longer than {MAX_REQUEST} bytes")
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise NoteError("the request is not UTF-8") from error
    first, *rest = head.split("\n")
    match = _OLD.fullmatch(first)
    if match is None or int(match[1]) >= 2**63 or not blank:
        raise NoteError("the request does not begin with the old size, or has no checkpoint")
    path = tuple(map(decode_base64, rest))
    if len(path) > MAX_PROOF or any(len(item) != 32 for item in path):
        raise NoteError("the proof has more than 63 lines, or a line that is no hash")
    return AddCheckpoint(int(match[1]), path, note)


def parse_size(body: str) -> int:
    """The size in the body of a 409; NoteError for anything else."""
    match = _SIZE.fullmatch(body)
    if match is None or int(match[1]) >= 2**63:
        raise NoteError("not a size line")
    return int(match[1])


def checkpoint_path(origin: str) -> str:
    """Where a cosigner of this program shows the newest checkpoint that it cosigned of a log: by SHA-256 of the origin."""
    return f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
