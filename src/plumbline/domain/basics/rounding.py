"""Rounding and comparison with limits by GB/T 8170-2008 (数值修约与极限数值比较)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction


def round_half_even_multiple(x: Decimal, interval: Decimal) -> Decimal:
    """Round ``x`` to the nearest multiple of ``interval`` (修约间隔); a tie goes to the even multiple.

    A negative number is rounded by its absolute value and gets its sign back (GB/T 8170-2008, clause 3).
    ``interval`` is positive, in the unit of ``x``: 1, 0.1, 0.5, 0.2, 5, 20, 100. The arithmetic is exact at
    any length, the result carries the exponent of ``interval``, and a zero never carries a sign. Round
    once, from the raw value: rounding a rounded value is against GB/T 8170 and gives other results.
    Raises ``TypeError`` for anything but decimals, ``ValueError`` for an interval that is not positive.
    """
    _require_decimals(x, interval)
    if interval <= 0:
        raise ValueError(f"rounding interval must be positive: {interval}")
    multiple = round(Fraction(abs(x)) / Fraction(interval))
    _, digits, exponent = interval.as_tuple()
    magnitude = multiple * int("".join(map(str, digits)))
    sign = 1 if x < 0 and magnitude else 0
    return Decimal((sign, tuple(map(int, str(magnitude))), int(exponent)))


def round_half_even_places(x: Decimal, places: int) -> Decimal:
    """Round ``x`` to ``places`` digits after the point (negative: tens, hundreds), ties to even."""
    return round_half_even_multiple(x, Decimal((0, (1,), -places)))


class Limit(StrEnum):
    """The relation that a standard writes between a value and its limit (极限数值的表达)."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    MORE_THAN = ">"
    LESS_THAN = "<"

    def holds(self, value: Decimal, limit: Decimal) -> bool:
        """True when ``value`` stands in this relation to ``limit``."""
        if self is Limit.AT_LEAST:
            return value >= limit
        if self is Limit.AT_MOST:
            return value <= limit
        return value > limit if self is Limit.MORE_THAN else value < limit


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer of one comparison: what was compared and whether the limit holds."""

    #: The value that was compared: the raw one, or the rounded one.
    compared: Decimal
    relation: Limit
    limit: Decimal
    conforms: bool


def compare_full_value(x: Decimal, relation: Limit, limit: Decimal) -> Comparison:
    """Compare the raw value without rounding (全数值比较法), the method when a standard names none."""
    _require_decimals(x, limit)
    return Comparison(x, relation, limit, relation.holds(x, limit))


def compare_rounded(
    x: Decimal, relation: Limit, limit: Decimal, *, interval: Decimal | None = None
) -> Comparison:
    """Round the raw value to the limit's own last place, then compare (修约值比较法).

    ``interval`` is only for standards that name a rounding interval other than one unit of the limit's last
    written place. ``x`` is the raw value, not one that was rounded before.
    """
    _require_decimals(x, limit)
    if interval is None:
        interval = Decimal((0, (1,), int(limit.as_tuple().exponent)))
    rounded = round_half_even_multiple(x, interval)
    return Comparison(rounded, relation, limit, relation.holds(rounded, limit))


def _require_decimals(*numbers: Decimal) -> None:
    for number in numbers:
        if not isinstance(number, Decimal):
            raise TypeError(f"rounding takes decimals, never binary floats: {number!r}")
        if not number.is_finite():
            raise ValueError(f"not a finite number: {number}")
