"""The supervision code of a report: making, reading, checking (监管码).

``YYMM`` + issuer (3) + 13 random characters + check, in Crockford's base 32: 21 characters. The check is
Σ dᵢ·gⁱ⁺¹ over GF(32) with g = 2 and x⁵ + x² + 1: it finds every single wrong character and every swap of two
neighbours. The division is looked up, not printed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import accumulate
from operator import getitem, xor
from typing import Final

from plumbline.domain.basics.clauses import carries_out

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 21
#: Year and month, issuer, then the random part in fours with the check character at the end.
GROUPS: Final = (4, 3, 4, 4, 4, 2)
RANDOM_BITS: Final = 65

_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
#: A code as it is printed without its dashes, and as every QR code and program gives it: nothing to be read out of it but its check.
_PLAIN: Final = re.compile(f"[0-9]{{2}}(?:0[1-9]|1[0-2])[{ALPHABET}]{{{LENGTH - 4}}}")
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015\u2212\uff0d_.·/]+")
#: Characters that people and cameras take for one another; used only to say where a slip is likely.
_LOOKALIKES: Final = (
    "0DQ",
    "17",
    "2Z",
    "5S",
    "8B",
    "6G",
    "VY",
    "MN",
    "EF",
    "PR",
    "CG",
    "38",
    "49",
    "KX",
    "VW",
)


@dataclass(frozen=True, slots=True)
class ParsedCode:
    """A code whose characters, month and check are right; whether it was ever issued is another question."""

    #: The 21 characters, upper case, no separators.
    text: str

    @property
    def year(self) -> int:
        """Year of issue."""
        return 2000 + int(self.text[:2])

    @property
    def month(self) -> int:
        """Month of issue, 1 to 12, in China's time."""
        return int(self.text[2:4])

    @property
    def issuer(self) -> str:
        """The three characters of the issuing platform."""
        return self.text[4:7]


@dataclass(frozen=True, slots=True)
class CodeProblem:
    """Why a text is not a supervision code."""

    #: The groups, counted from 1, that look wrong; empty when it cannot be told.
    groups: tuple[int, ...]
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}；{self.remedy}"


@carries_out("CECS 4.1.2-a")
def new_code(month: date, issuer: str, randbits: Callable[[int], int]) -> str:
    """Make a code: ``month`` of issue (the day in China), three issuer characters, 65 bits from ``randbits``.

    ``randbits`` is ``secrets.randbits`` in production: 65 unpredictable bits keep codes from being guessed.
    Uniqueness is the caller's claim on the database. Raises ``ValueError`` for an impossible issuer or year.
    """
    if len(issuer) != 3 or any(character not in _VALUES for character in issuer):
        raise ValueError(f"an issuer has three characters of Crockford's base 32: {issuer!r}")
    if not 2000 <= month.year <= 2099:
        raise ValueError(f"the code has two digits for the year: {month.year}")
    random = randbits(RANDOM_BITS)
    if not 0 <= random < 1 << RANDOM_BITS:
        raise ValueError("randbits gave a number out of range")
    letters = "".join(ALPHABET[random >> shift & 31] for shift in range(RANDOM_BITS - 5, -1, -5))
    body = f"{month:%y%m}{issuer}{letters}"
    return body + check_character(body)


def check_character(body: str) -> str:
    """The check of the first 20 characters."""
    if len(body) != LENGTH - 1:
        raise ValueError(f"the check stands over {LENGTH - 1} characters, not {len(body)}")
    return ALPHABET[reduce(xor, map(getitem, _WEIGHTED, body))]


def _product(a: int, b: int) -> int:
    """Multiply in GF(32)."""
    result = 0
    while b:
        result ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
        a ^= 0b100101 if a & 0b100000 else 0
    return result


_POWERS: Final = tuple(accumulate([2] * (LENGTH - 1), _product))
#: For each place, character → dᵢ·gⁱ⁺¹; a table, since a mistyped code is checked against many repairs.
_WEIGHTED: Final = tuple({c: _product(value, power) for c, value in _VALUES.items()} for power in _POWERS)


def _is_consistent(text: str) -> bool:
    return check_character(text[:-1]) == text[-1]


@carries_out("CECS 4.1.2-a")
def parse_code(text: str) -> ParsedCode | CodeProblem:
    """Read a code as people type it: spaces, dashes, lower and full-width letters, O for 0, I and L for 1."""
    if _PLAIN.fullmatch(text) and _is_consistent(text):
        return ParsedCode(text)
    typed = unicodedata.normalize("NFKC", text[:200]).upper()
    pieces = [piece for piece in _SEPARATORS.split(typed) if piece]
    code = "".join(pieces).translate(_READ_AS)
    return (
        _strange_character(code)
        or _wrong_length(code, pieces)
        or _wrong_month(code)
        or (None if _is_consistent(code) else _wrong_check(code))
        or ParsedCode(code)
    )


def format_code(code: str) -> str:
    """The code in groups with dashes, as it is printed: ``2611-HCA-K7QM-4X9W-TRH3-PD``."""
    return "-".join(code[start:end] for start, end in _bounds())


def _bounds() -> Iterator[tuple[int, int]]:
    ends = list(accumulate(GROUPS))
    return zip([0, *ends], ends, strict=False)


def _group_of(place: int) -> int:
    return next(number for number, (_, end) in enumerate(_bounds(), start=1) if place < end or end == LENGTH)


def _strange_character(code: str) -> CodeProblem | None:
    for place, character in enumerate(code):
        if character not in _VALUES:
            group = _group_of(place)
            shown = character if character.isprintable() else "□"
            hint = "是否应为 V" if character == "U" else "监管码只用数字和字母（没有 I、L、O、U）"
            return CodeProblem(
                (group,), f"第 {group} 组有不该出现的字符“{shown}”", f"请核对第 {group} 组，{hint}"
            )
    return None


def _wrong_length(code: str, pieces: list[str]) -> CodeProblem | None:
    if len(code) == LENGTH:
        return None
    reason = f"监管码应为 {LENGTH} 位，现为 {len(code)} 位"
    typed_in_groups = len(pieces) == len(GROUPS)
    wrong = [n for n, (piece, size) in enumerate(zip(pieces, GROUPS, strict=False), 1) if len(piece) != size]
    if typed_in_groups and wrong:
        return CodeProblem(tuple(wrong), reason, f"请核对{_named(wrong)}，看是否漏抄或多抄")
    return CodeProblem((), reason, "请从报告上完整抄写，或直接扫描二维码")


def _wrong_month(code: str) -> CodeProblem | None:
    if re.fullmatch(r"[0-9]{2}(0[1-9]|1[0-2])", code[:4]):
        return None
    return CodeProblem((1,), "第 1 组应为两位年份和两位月份", "请核对第 1 组字符")


def _wrong_check(code: str) -> CodeProblem:
    """Say where a slip is likely: groups in which one look-alike or one swap would make the check right."""
    groups = sorted({_group_of(place) for place in _repairs(code)})
    if 0 < len(groups) < len(GROUPS):
        return CodeProblem(tuple(groups), "监管码校验不符", f"请先核对{_named(groups)}，看是否抄错或写反")
    return CodeProblem((), "监管码校验不符", "请逐组核对，看是否抄错一位或相邻两位写反")


def _repairs(code: str) -> Iterator[int]:
    for place, character in enumerate(code):
        others = {other for family in _LOOKALIKES if character in family for other in family} - {character}
        if any(_is_consistent(code[:place] + other + code[place + 1 :]) for other in others):
            yield place
        swapped = code[:place] + code[place : place + 2][::-1] + code[place + 2 :]
        if swapped != code and _is_consistent(swapped):
            yield place


def _named(groups: list[int]) -> str:
    return "、".join(f"第 {group} 组" for group in groups)
