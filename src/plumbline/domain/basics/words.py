"""Names and free texts in one normal form, without characters that nobody sees (文字规范化)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Letters by category, yet drawn as nothing: two names that look the same would differ.
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_REASONS: Final = {
    "Cc": "控制字符",
    "Cf": "不可见的格式字符",
    "Cs": "不完整的字符（代理码位）",
    "Cn": "未定义的字符",
    "Zl": "行分隔符",
    "Zp": "段分隔符",
}


@dataclass(frozen=True, slots=True)
class TextProblem:
    """Why a text is refused and where."""

    #: Character offset in the text as given, from 0.
    position: int
    #: The code point, as ``U+202E``.
    code_point: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}；{self.remedy}"


def normalised(text: str) -> str:
    """The text in Unicode normalisation form C, with the blanks at both ends taken away."""
    return unicodedata.normalize("NFC", text).strip()


def text_problem(text: str, *, multiline: bool = False) -> TextProblem | None:
    """The first character that may not stand in a name or text, or None.

    Refused are NUL, control and format characters, marks of writing direction, surrogates, unassigned code
    points and letters that are drawn as nothing. ``multiline`` lets line feed and tab pass. Private-use
    characters pass: rare characters in people's names still live there. So do ideographs that are younger than
    our table of characters: GB 18030 has them for names.
    """
    for position, character in enumerate(text):
        if multiline and character in "\n\t":
            continue
        reason = _reason(character)
        if reason:
            code_point = f"U+{ord(character):04X}"
            return TextProblem(
                position,
                code_point,
                f"第 {position + 1} 个字符是{reason}（{code_point}）",
                "请删去这个字符后重新填写，不要从网页或聊天软件直接粘贴",
            )
    return None


def _reason(character: str) -> str:
    if character == "\0":
        return "空字符 NUL"
    if character in _BIDI:
        return "改变书写方向的字符"
    if character in _INVISIBLE:
        return "看不见的字符"
    category = unicodedata.category(character)
    return "" if category == "Cn" and _is_ideograph(ord(character)) else _REASONS.get(category, "")


def _is_ideograph(code_point: int) -> bool:
    """Whether this is of the two planes that are kept for ideographs and hold nothing else."""
    return 0x20000 <= code_point <= 0x3FFFD and code_point & 0xFFFF < 0xFFFE


def cleaned(text: str, *, multiline: bool = False) -> str | TextProblem:
    """The text in normal form, or why it is refused."""
    return text_problem(text, multiline=multiline) or normalised(text)
