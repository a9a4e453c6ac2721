"""Identity and telephone numbers that slipped into free text (自由文本中的个人信息)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from plumbline.domain.basics.identifiers import is_resident_id


class PersonalKind(StrEnum):
    """What kind of number was found."""

    RESIDENT_ID = "resident_id"
    MOBILE = "mobile"

    @property
    def label(self) -> str:
        """The Chinese word that users read."""
        return {"resident_id": "身份证号", "mobile": "手机号码"}[self.value]


@dataclass(frozen=True, slots=True)
class PersonalSpan:
    """Where a number stands in the text: character offsets, ``end`` excluded; the number is not kept."""

    kind: PersonalKind
    start: int
    end: int


_GAP: Final = r"[ \-–—]?"
# Digits on either side would make the number part of something longer, such as a serial or an amount.
_ID: Final = re.compile(rf"(?<![0-9])[1-9](?:{_GAP}[0-9]){{16}}{_GAP}[0-9Xx](?![0-9])", re.ASCII)
_MOBILE: Final = re.compile(
    rf"(?<![0-9])(?<![0-9]\.)(?:(?:\+|00)?86{_GAP})?1[3-9][0-9]{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}(?![0-9])(?!\.[0-9])",
    re.ASCII,
)
#: The shorter of the two has so many; most texts have fewer, and need no closer look.
_FEWEST_DIGITS: Final = 11
_WORD: Final = re.compile(r"[0-9A-Za-z]+", re.ASCII)
#: From this length on, a run of letters and digits is a hash or a code, in which eleven digits mean nothing.
_CODE_LENGTH: Final = 20


def personal_spans(text: str) -> tuple[PersonalSpan, ...]:
    """Every resident identity number (valid by its check character) and mobile number in ``text``, in order.

    Digits of any script count (full width, too), and so do single spaces or dashes between the groups.
    """
    if sum(map(str.isdecimal, text)) < _FEWEST_DIGITS:
        return ()
    plain = "".join(map(_plain, text))
    found = [*_resident_ids(plain), *_mobiles(plain)]
    return tuple(sorted(found, key=lambda span: (span.start, span.end)))


def _plain(character: str) -> str:
    """One ASCII character for one character, so that offsets stay true."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character in "　\u00a0\u2002\u2003\u2009":
        return " "
    narrow = unicodedata.normalize("NFKC", character)
    # A superscript or a circled figure is a mark beside a number, not one of its digits.
    return narrow if len(narrow) == 1 and not narrow.isdigit() else character


def _resident_ids(plain: str) -> Iterator[PersonalSpan]:
    for match in _ID.finditer(plain):
        if is_resident_id(re.sub(r"[^0-9X]", "", match.group().upper())):
            yield PersonalSpan(PersonalKind.RESIDENT_ID, match.start(), match.end())


def _mobiles(plain: str) -> Iterator[PersonalSpan]:
    codes = [word.span() for word in _WORD.finditer(plain) if len(word.group()) >= _CODE_LENGTH]
    for match in _MOBILE.finditer(plain):
        if not any(start <= match.start() and match.end() <= end for start, end in codes):
            yield PersonalSpan(PersonalKind.MOBILE, match.start(), match.end())
