"""Whether bytes are strict DER in their lengths, with no free byte (严格编码; ITU-T X.690 §10.1)."""

from __future__ import annotations

_CONSTRUCTED = 0x20
_DEEPEST = 24


def is_strict_der(raw: bytes) -> bool:
    """Whether `raw` is exactly one TLV with definite, minimal lengths at every constructed level."""
    end = _checked(raw, 0, len(raw), 0)
    return end == len(raw)


def _checked(raw: bytes, at: int, limit: int, depth: int) -> int | None:
    """Return the end of the TLV at `at`, None when it is not strict DER or passes `limit`."""
    if depth > _DEEPEST or at + 2 > limit or raw[at] & 0x1F == 0x1F:
        # Tags above 30 occur in no signature.
        return None
    header = _length(raw, at + 1, limit)
    if header is None:
        return None
    start, end = header[0], header[0] + header[1]
    if end > limit:
        return None
    if raw[at] & _CONSTRUCTED:
        inner: int | None = start
        while inner is not None and inner < end:
            inner = _checked(raw, inner, end, depth + 1)
        if inner != end:
            return None
    return end


def _length(raw: bytes, at: int, limit: int) -> tuple[int, int] | None:
    """Return (start of the contents, their length); None when the length is not minimal."""
    first = raw[at]
    if first < 0x80:
        return at + 1, first
    digits = first - 0x80
    if not 1 <= digits <= 3 or at + 1 + digits > limit:
        return None
    length = int.from_bytes(raw[at + 1 : at + 1 + digits], "big")
    if length < 0x80 or raw[at + 1] == 0:
        return None
    return at + 1 + digits, length
