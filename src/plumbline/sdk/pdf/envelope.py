"""Where the signature lies in the file and what it covers, from the bytes alone (签章在文件中的位置).

Nothing here follows a pointer of the file, inflates a stream or recurses: an unauthenticated file is only
searched, in time linear to its size. Structure is read (`structure.py`) after the signature has proved
whose bytes these are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BYTE_RANGE = re.compile(
    rb"/ByteRange\s{0,8}\[\s{0,8}(\d{1,10})\s{1,8}(\d{1,10})\s{1,8}(\d{1,10})\s{1,8}(\d{1,10})\s{0,64}\]"
)
_REVISION_END = re.compile(rb"startxref\s{1,8}\d{1,10}\s{1,8}%%EOF")
_CLEAN_END = re.compile(rb"%%EOF\r?\n?\Z")
#: a writer may spell the colon as the octal escape \\072
_SIGNING_TIME = re.compile(rb"/M\s{0,8}\(D(?::|\\072)(\d{14})(Z|[+-]\d\d'\d\d'?)\)")
#: a CMS object with certificates takes a few KB; the hex text of it is twice as long
_LARGEST_CONTENTS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """The one signature of a file, as its bytes show it."""

    #: /ByteRange: start and length of the two signed parts
    byte_range: tuple[int, int, int, int]
    #: DER of the CMS object; None when the contents are not the hex text of exactly one
    cms: bytes | None
    #: bytes that stand after the signed part
    appended: int
    #: the parts are [0, contents) and (contents, end of the signed file]
    contiguous: bool
    #: /M of the signature dictionary as written: date digits and zone
    stated_time: tuple[str, str] | None

    def signed_bytes(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the two parts of `data` that the signature covers."""
        start, length, second, rest = self.byte_range
        return data[start : start + length], data[second : second + rest]


def count_signatures(data: bytes) -> int:
    """Return how many signature dictionaries the bytes show."""
    return sum(1 for _ in _BYTE_RANGE.finditer(data))


def count_revisions(data: bytes) -> int:
    """Return how many times the file was closed: 1 as printed, 2 with its signature."""
    return sum(1 for _ in _REVISION_END.finditer(data))


def find_envelope(data: bytes) -> Envelope | None:
    """Return the first signature's envelope; None when the file shows none."""
    found = _BYTE_RANGE.search(data)
    if found is None:
        return None
    start, length, second, rest = (int(each) for each in found.groups())
    gap = data[length:second] if length < second else b""
    contiguous = start == 0 and len(gap) > 2 and second + rest <= len(data)
    return Envelope(
        byte_range=(start, length, second, rest),
        cms=_cms_of(gap),
        appended=max(0, len(data) - (second + rest)),
        contiguous=contiguous
        and _CLEAN_END.search(data[max(0, second + rest - 8) : second + rest]) is not None,
        stated_time=_stated_time(data, found.start(), length, second),
    )


def _cms_of(gap: bytes) -> bytes | None:
    """Return the DER inside `<hex>`; None unless it is one object, in one letter case, then only zeros.

    The contents are the only bytes that a signature does not cover, so nothing may be free in them.
    """
    if len(gap) > _LARGEST_CONTENTS or gap[:1] != b"<" or gap[-1:] != b">":
        return None
    text = gap[1:-1]
    if not re.fullmatch(rb"[0-9a-f]*|[0-9A-F]*", text) or len(text) % 2:
        return None
    raw = bytes.fromhex(text.decode("ascii"))
    size = _der_size(raw)
    if size is None or size > len(raw) or raw[size:].strip(b"\0"):
        return None
    return raw[:size]


def _der_size(raw: bytes) -> int | None:
    """Return the length of the SEQUENCE at the start (header included), DER with a long form of 2–3 bytes."""
    if len(raw) < 5 or raw[0] != 0x30 or raw[1] not in (0x82, 0x83):
        return None
    digits = raw[1] - 0x80
    return 2 + digits + int.from_bytes(raw[2 : 2 + digits], "big")


def _stated_time(data: bytes, at: int, length: int, second: int) -> tuple[str, str] | None:
    """Return /M of the dictionary that holds the byte range, looking only at signed bytes around it."""
    begin = max(data.rfind(b" obj", 0, at), 0)
    end = data.find(b"endobj", max(at, second))
    dictionary = (
        data[begin : min(length, at + 4096)] + data[second : min(end if end > 0 else second, second + 4096)]
    )
    stated = _SIGNING_TIME.findall(dictionary[:_LARGEST_CONTENTS])
    if len(stated) != 1:
        return None
    digits, zone = stated[0]
    return digits.decode("ascii"), zone.decode("ascii")
