"""A measured value exactly as the sender wrote it (测量值)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

PATTERN: Final = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?\Z"
_PATTERN: Final = re.compile(PATTERN, re.ASCII)
_LONGEST: Final = 26


class QuantityError(ValueError):
    """The text is not a measured value; reason and remedy are Chinese sentences for the sender."""

    def __init__(self, text: str, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}；{remedy}")
        self.text = text
        self.reason = reason
        self.remedy = remedy


class MeasuredDecimal:
    """One decimal with the digits that were written: ``12.50`` is not ``12.5`` but weighs the same.

    Equality and hash go by text, since the written places are part of the record; order goes by value.
    So ``12.50`` and ``12.5`` are not equal, yet each is ``<=`` the other.
    """

    __slots__ = ("_text", "_value")
    _text: str
    _value: Decimal

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not _PATTERN.match(text):
            raise _why_refused(text)
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_value", Decimal(text))

    @classmethod
    def parse(cls, text: str) -> MeasuredDecimal:
        """Read ``text``; raises `QuantityError` with reason and remedy when it breaks the pattern."""
        return cls(text)

    @property
    def text(self) -> str:
        """The characters as written."""
        return self._text

    @property
    def value(self) -> Decimal:
        """The exact decimal value."""
        return self._value

    @property
    def places(self) -> int:
        """How many digits stand after the point."""
        _, point, decimals = self._text.partition(".")
        return len(decimals) if point else 0

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a MeasuredDecimal never changes")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a MeasuredDecimal never changes")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"MeasuredDecimal({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, MeasuredDecimal) else NotImplemented

    def __hash__(self) -> int:
        return hash((MeasuredDecimal, self._text))

    def __lt__(self, other: MeasuredDecimal) -> bool:
        return self._value < other._value if isinstance(other, MeasuredDecimal) else NotImplemented

    def __le__(self, other: MeasuredDecimal) -> bool:
        return self._value <= other._value if isinstance(other, MeasuredDecimal) else NotImplemented

    def __gt__(self, other: MeasuredDecimal) -> bool:
        return self._value > other._value if isinstance(other, MeasuredDecimal) else NotImplemented

    def __ge__(self, other: MeasuredDecimal) -> bool:
        return self._value >= other._value if isinstance(other, MeasuredDecimal) else NotImplemented

    def __reduce__(self) -> tuple[type[MeasuredDecimal], tuple[str]]:
        return MeasuredDecimal, (self._text,)


def _why_refused(text: object) -> QuantityError:
    """Name the first thing that is wrong, so that the sender need not guess."""
    if not isinstance(text, str):
        return QuantityError(
            str(text), "测量值必须是字符串", '请把数值写成字符串，例如 "25.30"，保留原有位数'
        )
    shown = "".join(c if c.isprintable() else "□" for c in text[:_LONGEST]) + "…" * (len(text) > _LONGEST)
    for applies, reason, remedy in _REASONS:
        if applies(text):
            return QuantityError(text, f"测量值“{shown}”{reason}", remedy)
    return QuantityError(text, f"测量值“{shown}”不是十进制数", "只写数字、一个小数点和可选的负号，例如 25.30")


_REASONS: Final = (
    (lambda t: t == "", "为空", "请填写数值；没有测得时不要上传该字段"),
    (lambda t: t != t.strip(), "前后有空白或换行", "请去掉数值前后的空格和换行"),
    (lambda t: not t.isascii(), "含有全角或非 ASCII 字符", "请改用半角数字和半角小数点"),
    (lambda t: t.startswith("+"), "带有正号", "正数不写正号"),
    (lambda t: bool(re.search(r"[0-9.][eE]", t)), "用了科学计数法", "请写成普通小数，例如 1200 而不是 1.2e3"),
    (lambda t: bool(re.search(r"[,_ ]", t)), "含有分隔符", "请去掉千分位分隔符和空格"),
    (
        lambda t: t.lower().lstrip("-") in {"nan", "inf", "infinity"},
        "不是有限的数",
        "没有测得时不要上传该字段",
    ),
    (lambda t: bool(re.match(r"-?0[0-9]", t)), "有多余的前导零", "请去掉整数部分前面的零"),
    (lambda t: bool(re.match(r"-?\.[0-9]", t)), "缺少整数部分", "小数点前请写 0，例如 0.5"),
    (lambda t: bool(re.match(r"-?[0-9]+\.\Z", t)), "小数点后没有数字", "请去掉小数点或补上小数位"),
    (lambda t: bool(re.match(r"-?[0-9]{16,}(\.|\Z)", t)), "整数部分超过 15 位", "请换用更大的单位"),
    (
        lambda t: bool(re.match(r"-?[0-9]+\.[0-9]{10,}\Z", t)),
        "小数超过 9 位",
        "请按仪器分辨力保留小数，最多 9 位",
    ),
)
