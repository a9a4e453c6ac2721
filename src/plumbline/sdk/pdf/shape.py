"""Objects of the common shape, checked by their bytes alone (PDF 对象的常规写法; ISO 32000-1 §7.3).

Reading every object into Python costs more than everything else in an examination. An object is of the common
shape when its bytes are nothing but properly nested dictionaries, arrays and plain values, no key twice, no
comment, and a stream as long as it says. Whatever is not of that shape, or not surely so, is left to the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPACE = rb"[\x00\t\n\f\r ]"
_REGULAR = rb"[^\x00\t\n\f\r ()<>\[\]{}/%]"
_AFTER = rb"(?=[\x00\t\n\f\r ()<>\[\]/])"
_TEXT = rb"\((?:[^()\\]|\\(?:[nrtbf()\\]|[0-7]{3}))*+\)"
_HEX = rb"<[0-9A-Fa-f]*+>"
_WORD = rb"(?:[+\-]?(?:\d++(?:\.\d*+)?+|\.\d++)|true|false|null)" + _AFTER
#: Printable, and an escape is two hex digits: strict readers take no other.
_NAME = rb"/(?:(?!#)(?=[!-~])" + _REGULAR + rb"|#[0-9A-Fa-f]{2})*+"
#: `number generation obj`, what stands in it, and the word at its end
_OBJECT = re.compile(
    rb"\d{1,10} \d{1,5} obj"
    + rb"((?:<<|>>|[\[\]]|%s|%s|%s|%s|R%s|%s++)++)" % (_NAME, _TEXT, _HEX, _WORD, _AFTER, _SPACE)
    + rb"(endobj|stream\r?\n)",
)
_STRING = re.compile(rb"%s|(?<!<)%s" % (_TEXT, _HEX))
#: Begins where a token begins: `/A1 0 R` is a name and two strays.
_REFERENCE = re.compile(
    rb"(?<![^\x00\t\n\f\r ()<>\[\]])[1-9]\d{0,9}%s++\d{1,5}%s++R%s" % (_SPACE, _SPACE, _AFTER)
)
_VALUE = rb"(?:%s|%s)" % (_NAME, _WORD)
_ARRAY = re.compile(rb"\[%s*+(?:%s%s*+)*+\]" % (_SPACE, _VALUE, _SPACE))
_DICTIONARY = re.compile(rb"<<%s*+((?:%s%s*+%s%s*+)*+)>>" % (_SPACE, _NAME, _SPACE, _VALUE, _SPACE))
_PAIR = re.compile(rb"(%s)%s*+(%s)" % (_NAME, _SPACE, _VALUE))
_WHOLE = re.compile(rb"%s*+%s%s*+" % (_SPACE, _VALUE, _SPACE))
#: Few blanks: many streams may end at the same ones.
_STREAM_END = re.compile(rb"%s{0,4}+endstream%s{1,4}+endobj" % (_SPACE, _SPACE))
#: dictionaries and arrays within one another; a report's have six levels
_DEEPEST = 20
#: Bytes of an object without its stream; a report's have a few hundred.
_LONGEST = 256 * 1024
#: What is remembered of objects: bytes of one, and how many; some twenty-five megabytes at most.
_LONGEST_KNOWN, _MOST_KNOWN = 1024, 20_000
#: A value that stands for what was found in order; no number, so that it never becomes part of a reference.
_DONE = b" null "


def names_pattern(names: Iterable[str]) -> re.Pattern[bytes]:
    """What any of the names (with their solidus) looks like in a file, however its characters are escaped."""
    spelled = (b"".join(_spelled(character) for character in name[1:].encode("ascii")) for name in names)
    return re.compile(rb"/(?:" + rb"|".join(spelled) + rb")(?!" + _REGULAR.replace(b"%]", b"%#]") + rb")")


def _spelled(character: int) -> bytes:
    # A letter's code holds a letter only in small hex digits; both cases of those are written by some.
    code = b"".join(
        bytes([digit]) if chr(digit).isdigit() else b"[%c%c]" % (digit, digit - 32)
        for digit in b"%02x" % character
    )
    return b"(?:%c|#%s)" % (character, code)


def is_common(data: bytes, start: int, number: int, generation: int) -> bool:
    """Whether the object at `start` bears this number and is of the common shape."""
    return common_length(data, start, number, generation) > 0


def common_length(data: bytes, start: int, number: int, generation: int) -> int:
    """How many bytes, without its stream, the object at `start` takes; 0 when it bears another number or is not of the common
    shape."""
    # Its number first: many entries may point into one long object.
    if not data.startswith(b"%d %d obj" % (number, generation), start):
        return 0
    found = _OBJECT.match(data, start, start + _LONGEST)
    if found is None:
        return 0
    value = found[1]
    if b"(" in value or b"<" in value:
        value = _STRING.sub(_DONE, value)
    value = _REFERENCE.sub(_DONE, value)
    length: int | None = None
    for _ in range(_DEEPEST):
        if b"[" in value:
            value = _ARRAY.sub(_DONE, value)
        outermost = _DICTIONARY.fullmatch(value.strip(b"\x00\t\n\f\r "))
        if outermost is not None:
            pairs = _pairs(outermost[1])
            if pairs is None:
                return 0
            stated = pairs.get(b"/Length", b"")
            length = int(stated) if stated.isdigit() and len(stated) < 10 else None
            value = _DONE
            break
        shorter = _DICTIONARY.sub(_closed, value)
        if shorter == value:
            break
        value = shorter
    if _WHOLE.fullmatch(value + b" ") is None:
        return 0
    if found[2] == b"endobj":
        return found.end() - start
    if length is None or _STREAM_END.match(data, found.end() + length) is None:
        return 0
    return found.end() - start


class KnownShapes:
    """Objects that were seen to be of the common shape (已核过的对象), byte for byte: reports of one layout have nine in ten of theirs in
    common. Only bytes that were all looked at count, so that what is known of an object holds in every file."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, bytes], int] = {}

    def length(self, data: bytes, start: int, following: int, reference: tuple[int, int]) -> int:
        """As :func:`common_length` of the object at `start`; the next one begins at `following`."""
        key = (*reference, data[start:following]) if following - start <= _LONGEST_KNOWN else None
        if key is not None and (known := self._known.get(key)):
            return known
        found = common_length(data, start, *reference)
        # A stream's end depends on what lies beyond these bytes.
        if key is not None and 0 < found <= following - start and key[2][:found].endswith(b"endobj"):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = found
        return found


def _closed(found: re.Match[bytes]) -> bytes:
    """A dictionary in order becomes a value; one with a key twice stays, so that nothing around it is in order."""
    return found[0] if _pairs(found[1]) is None else _DONE


def _pairs(text: bytes) -> dict[bytes, bytes] | None:
    """Key → value; None when a key stands twice, or is escaped and may be another's double."""
    pairs = _PAIR.findall(text + b" ")
    known = dict(pairs)
    return None if len(known) != len(pairs) or any(b"#" in key for key in known) else known
