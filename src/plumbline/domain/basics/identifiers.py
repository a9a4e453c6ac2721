"""Identifiers of organisations, persons and divisions (统一社会信用代码、身份证号、行政区划)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from typing import Final

#: The 31 characters of GB 32100-2015; I, O, S, V and Z are left out because they look like digits.
_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_ID_WEIGHTS: Final = tuple(pow(2, 17 - place, 11) for place in range(17))
_ID_CHECKS: Final = "10X98765432"
_PROVINCES: Final = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 "
    "50 51 52 53 54 61 62 63 64 65 71 81 82".split()
)
_EARLIEST_BIRTH: Final = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class IdentifierProblem:
    """Why an identifier cannot be right; never repeats it, since it may be personal data."""

    #: Which part is wrong, in Chinese: 长度, 字符, 行政区划, 出生日期, 校验码 …
    part: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.part}：{self.reason}；{self.remedy}"


def uscc_check_character(body: str) -> str:
    """The check character of 17 valid characters (GB 32100-2015: weights 3ⁱ mod 31)."""
    if len(body) != 17 or any(character not in _USCC_ALPHABET for character in body):
        raise ValueError("the body of a USCC has 17 characters of its alphabet")
    weighted = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(body, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[-weighted % 31]


def uscc_problem(text: str) -> IdentifierProblem | None:
    """What is wrong with a unified social credit code (统一社会信用代码, GB 32100-2015), or None.

    The organisation part's own check character (GB 11714) is not judged: codes issued before the change-over
    may break it.
    """
    if len(text) != 18:
        return IdentifierProblem(
            "长度", f"应为 18 位，现为 {len(text)} 位", "请对照营业执照核对是否漏抄或多抄"
        )
    wrong = next((n for n, c in enumerate(text, start=1) if c not in _USCC_ALPHABET), 0)
    if wrong:
        return _uscc_character_problem(text[wrong - 1], wrong)
    if not text[2:8].isdigit():
        return IdentifierProblem("行政区划", "第 3 至 8 位应为 6 位数字", "请对照营业执照核对第 3 至 8 位")
    if text[17] != uscc_check_character(text[:17]):
        return IdentifierProblem(
            "校验码", "第 18 位与前 17 位不符", "多半有一位抄错或相邻两位写反，请逐位核对"
        )
    return None


def _uscc_character_problem(character: str, place: int) -> IdentifierProblem:
    remedies = {
        "I": "代码中没有字母 I，是否应为数字 1",
        "O": "代码中没有字母 O，是否应为数字 0",
        "S": "代码中没有字母 S，是否应为数字 5",
        "V": "代码中没有字母 V，是否应为字母 U 或 Y",
        "Z": "代码中没有字母 Z，是否应为数字 2",
    }
    remedy = remedies.get(character, "只用半角数字和大写字母（没有 I、O、S、V、Z）")
    if character.isascii() and character.islower():
        remedy = "字母请用大写"
    return IdentifierProblem("字符", f"第 {place} 位不是允许的字符", remedy)


def is_uscc(text: str) -> bool:
    """True when `uscc_problem` finds nothing."""
    return uscc_problem(text) is None


def party_id(uscc: str) -> bytes:
    """The 16 bytes that name an organisation on the wire: SHA-256 over a domain prefix and the USCC, cut.

    Raises ``ValueError`` when the code is not a valid USCC: another spelling would be another party.
    """
    problem = uscc_problem(uscc)
    if problem is not None:
        raise ValueError(f"not a USCC: {problem}")
    return hashlib.sha256(b"plumb-party\0" + uscc.encode("ascii")).digest()[:16]


def resident_id_problems(text: str, on: date | None = None) -> tuple[IdentifierProblem, ...]:
    """All parts of a resident identity number (公民身份号码, GB 11643-1999) that are wrong, in order.

    ``on`` is the day of judgement: a birth date after it is wrong; None leaves the future unjudged. Numbers
    of foreigners' permanent residence cards (18 digits from 9 on) carry the province in places 2 and 3.
    """
    if len(text) == 15 and text.isascii() and text.isdigit():
        return (IdentifierProblem("长度", "这是 15 位的旧号码，已停用", "请填写二代身份证上的 18 位号码"),)
    if len(text) != 18:
        return (
            IdentifierProblem("长度", f"应为 18 位，现为 {len(text)} 位", "请对照证件核对是否漏抄或多抄"),
        )
    if not re.fullmatch(r"[0-9]{17}[0-9X]", text, re.ASCII):
        return (
            IdentifierProblem(
                "字符", "前 17 位应为数字，末位为数字或大写 X", "请改用半角字符，末位 x 写成大写"
            ),
        )
    found = []
    if (text[1:3] if text[0] == "9" else text[:2]) not in _PROVINCES | {"83"}:
        found.append(IdentifierProblem("行政区划", "省级代码不存在", "请核对前 6 位"))
    birth = _birth_date(text)
    if birth is None or birth < _EARLIEST_BIRTH:
        found.append(IdentifierProblem("出生日期", "第 7 至 14 位不是有效日期", "请核对第 7 至 14 位"))
    elif on is not None and birth > on:
        found.append(IdentifierProblem("出生日期", "出生日期晚于判断日", "请核对第 7 至 14 位"))
    if text[17] != resident_id_check_character(text[:17]):
        found.append(
            IdentifierProblem("校验码", "第 18 位与前 17 位不符", "多半有一位抄错或相邻两位写反，请逐位核对")
        )
    return tuple(found)


def _birth_date(text: str) -> date | None:
    try:
        return date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None


def resident_id_check_character(body: str) -> str:
    """The check character (GB 11643-1999) after 17 digits."""
    return _ID_CHECKS[sum(int(c) * w for c, w in zip(body, _ID_WEIGHTS, strict=True)) % 11]


def is_resident_id(text: str, on: date | None = None) -> bool:
    """True when `resident_id_problems` finds nothing."""
    return not resident_id_problems(text, on)


def division_problem(text: str) -> IdentifierProblem | None:
    """What is wrong with a division code (行政区划代码, GB/T 2260: six digits), or None.

    Shape and province only: the list of cities and counties changes every year and is reference data.
    """
    if not re.fullmatch(r"[0-9]{6}", text, re.ASCII):
        return IdentifierProblem(
            "长度", "行政区划代码应为 6 位半角数字", "省级补四个 0，市级补两个 0，例如 610300"
        )
    if text[:2] not in _PROVINCES:
        return IdentifierProblem("省级代码", f"没有代码为 {text[:2]} 的省级行政区", "请核对前两位")
    if text[2:4] == "00" and text[4:] != "00":
        return IdentifierProblem("市级代码", "市级为 00 时县级也应为 00", "请核对第 3 至 6 位")
    return None


def division_prefix(code: str) -> str:
    """The leading digits that a division's own places share: ``610000`` → ``61``, ``610300`` → ``6103``."""
    problem = division_problem(code)
    if problem is not None:
        raise ValueError(f"not a division code: {problem}")
    return code[:2] if code[2:] == "0000" else code[:4] if code[4:] == "00" else code


def division_range(code: str) -> tuple[str, str]:
    """The half-open range ``lo <= code < hi`` of a division and all places in it, for scopes in queries."""
    prefix = division_prefix(code)
    return code, str(int(prefix) + 1).ljust(6, "0")
