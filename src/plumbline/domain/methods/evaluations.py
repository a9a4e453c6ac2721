"""What every test method answers, and how a raw record is read before it is evaluated (评定)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Final

from plumbline.domain.basics.findings import Finding
from plumbline.domain.basics.quantities import MeasuredDecimal, QuantityError

#: Verdict words shared by all methods; users read 合格, 不合格, 不作判定, 无效.
PASS: Final = "PASS"  # noqa: S105 (a verdict, not a password)
FAIL: Final = "FAIL"
NOT_JUDGED: Final = "NOT_JUDGED"
VOID: Final = "VOID"

#: Products and quotients are formed in this context, never in the thread's: a quotient that ends (only such
#: a one can be a tie of GB/T 8170) ends long before 60 digits for numbers as long as measured ones.
EXACT: Final = Context(prec=60)


class MethodInputError(ValueError):
    """The raw record cannot be evaluated; field and reason say where and why (原始记录有误)."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}：{reason}")
        #: Path of the field in the raw record, for example ``specimens[1].load_kN``.
        self.field = field
        #: Chinese sentence for the sender.
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result that the platform itself computed from one raw record (平台复算结果)."""

    #: Every computed value as text, rounded once; an absent key means that it could not be computed.
    values: Mapping[str, str]
    #: PASS, FAIL, NOT_JUDGED or VOID.
    verdict: str
    findings: tuple[Finding, ...]
    method: str
    #: Edition of the standard by which it was computed.
    edition: str
    #: Version of this program's evaluation, raised with every change that can alter a value.
    version: str

    def __post_init__(self) -> None:
        """Freeze the values: an evaluation is logged and must not change afterwards."""
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))


@dataclass(frozen=True, slots=True)
class RawReader:
    """Reads fields of a raw record and names the field when one is wrong."""

    raw: Mapping[str, object]
    path: str = ""

    def where(self, field: str) -> str:
        """Full path of ``field`` as the sender would look for it."""
        return f"{self.path}.{field}" if self.path else field

    def optional_quantity(self, field: str) -> MeasuredDecimal | None:
        """A decimal as written, or None when the field is absent or empty; must not be negative."""
        written = self.raw.get(field)
        if written is None or written == "":
            return None
        if isinstance(written, MeasuredDecimal):
            quantity = written
        elif isinstance(written, str):
            quantity = self._parsed(field, written)
        else:
            raise MethodInputError(self.where(field), "数值应以文本形式按原样书写，不能用二进制浮点数")
        if quantity.value < 0:
            raise MethodInputError(self.where(field), f"数值 {quantity} 为负")
        return quantity

    def quantity(self, field: str) -> MeasuredDecimal:
        """A decimal that must be there and be greater than zero."""
        quantity = self.optional_quantity(field)
        if quantity is None:
            raise MethodInputError(self.where(field), "缺少数值")
        if quantity.value == 0:
            raise MethodInputError(self.where(field), "数值为零")
        return quantity

    def optional_text(self, field: str) -> str | None:
        """Short text, or None when absent or empty."""
        written = self.raw.get(field)
        if written is None or written == "":
            return None
        if not isinstance(written, str) or len(written) > 64:
            raise MethodInputError(self.where(field), "应为不超过 64 个字符的文本")
        return written.strip()

    def rows(self, field: str, *, at_least: int, at_most: int) -> list[RawReader]:
        """The objects of a list, each with its own path."""
        written = self.raw.get(field)
        if isinstance(written, str) or not isinstance(written, Sequence):
            raise MethodInputError(self.where(field), "应为列表")
        if not at_least <= len(written) <= at_most:
            wanted = str(at_least) if at_least == at_most else f"{at_least} 至 {at_most}"
            raise MethodInputError(self.where(field), f"应有 {wanted} 项，实有 {len(written)} 项")
        rows = []
        for index, row in enumerate(written):
            path = f"{self.where(field)}[{index}]"
            if not isinstance(row, Mapping):
                raise MethodInputError(path, "应为一组字段")
            rows.append(RawReader(row, path))
        return rows

    def quantities(self, field: str, *, at_least: int, at_most: int) -> list[MeasuredDecimal]:
        """A list of decimals, each greater than zero."""
        written = self.raw.get(field)
        if isinstance(written, str) or not isinstance(written, Sequence):
            raise MethodInputError(self.where(field), "应为列表")
        if not at_least <= len(written) <= at_most:
            reason = f"应有 {at_least} 至 {at_most} 项，实有 {len(written)} 项"
            raise MethodInputError(self.where(field), reason)
        named = RawReader({f"{field}[{i}]": value for i, value in enumerate(written)}, self.path)
        return [named.quantity(name) for name in named.raw]

    def _parsed(self, field: str, written: str) -> MeasuredDecimal:
        try:
            return MeasuredDecimal.parse(written)
        except QuantityError as error:
            raise MethodInputError(self.where(field), str(error)) from error


def plain(value: Decimal) -> str:
    """A decimal without exponent, with its places: ``Decimal("1E+1")`` → ``10``."""
    return format(value, "f")


def as_percent(share: Decimal) -> str:
    """A share as a per cent number in text: ``Decimal("0.20")`` → ``20``."""
    return plain((share * 100).normalize())
