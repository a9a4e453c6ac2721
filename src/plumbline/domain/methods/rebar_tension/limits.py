"""How a bar's values are rounded and what its grade asks of them, read from ``limits.toml`` (限值与修约)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from plumbline.domain.basics.rounding import Limit, round_half_even_multiple
from plumbline.domain.methods.editions import Edition, editions_of
from plumbline.domain.methods.evaluations import MethodInputError, plain

EDITIONS = editions_of(__package__)


@dataclass(frozen=True, slots=True)
class RoundingPath:
    """One practice of rounding tension results (修约路径): product practice or that of the test standard."""

    name: str
    intervals: Mapping[str, Sequence[Mapping[str, str]]]
    ratio_interval: Decimal
    #: True when ratios are formed from the rounded strengths.
    ratio_of_rounded: bool

    def rounded(self, quantity: str, value: Decimal) -> Decimal:
        """``value`` rounded once by the interval of its size; ``quantity``: strength_MPa, A_pct, Agt_pct."""
        for row in self.intervals[quantity]:
            if "up_to" not in row or value <= Decimal(row["up_to"]):
                return round_half_even_multiple(value, Decimal(row["interval"]))
        raise LookupError(f"{self.name}: no interval for {quantity} {value}")

    def in_words(self) -> str:
        """The path as a sentence for the raw record (修约路径说明)."""
        steps = []
        for quantity, word in (("strength_MPa", "强度"), ("A_pct", "A"), ("Agt_pct", "Agt")):
            rows = self.intervals[quantity]
            unit = " MPa" if quantity == "strength_MPa" else "%"
            parts = [
                f"{row['interval']}{unit}" + (f"（不大于 {row['up_to']}）" if "up_to" in row else "")
                for row in rows
            ]
            steps.append(f"{word}修约间隔 {'、'.join(parts)}")
        source = "修约后的" if self.ratio_of_rounded else "未修约的"
        steps.append(f"强屈比、超屈比由{source}强度计算并修约到 {plain(self.ratio_interval)}")
        return f"{self.name}：{'；'.join(steps)}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One limit of a grade (规定值)."""

    #: Key of the value: ReL, Rm, A, Agt, ratio_Rm_ReL, ratio_ReL_k.
    key: str
    word: str
    relation: Limit
    limit: Decimal
    unit: str


#: Key in limits.toml → what it limits.
_REQUIREMENTS = {
    "ReL_MPa": ("ReL", "下屈服强度 ReL", Limit.AT_LEAST, " MPa"),
    "Rm_MPa": ("Rm", "抗拉强度 Rm", Limit.AT_LEAST, " MPa"),
    "A_pct": ("A", "断后伸长率 A", Limit.AT_LEAST, "%"),
    "Agt_pct": ("Agt", "最大力总延伸率 Agt", Limit.AT_LEAST, "%"),
    "ratio_Rm_ReL": ("ratio_Rm_ReL", "强屈比 R°m/R°eL", Limit.AT_LEAST, ""),
    "ratio_ReL_k": ("ratio_ReL_k", "超屈比 R°eL/ReL", Limit.AT_MOST, ""),
}


def rounding_paths(rules: Edition) -> dict[str, RoundingPath]:
    """All rounding paths of an edition by name."""
    tables: dict[str, Any] = {
        name: table for name, table in rules.limits["rounding"].items() if isinstance(table, Mapping)
    }
    return {
        name: RoundingPath(
            name=name,
            intervals={key: table[key] for key in ("strength_MPa", "A_pct", "Agt_pct")},
            ratio_interval=Decimal(table["ratio"]),
            ratio_of_rounded=table["ratio_on"] == "rounded",
        )
        for name, table in tables.items()
    }


def rounding_path(rules: Edition, name: str | None) -> RoundingPath:
    """The named path, or the edition's default; raises `MethodInputError` for an unknown name."""
    paths = rounding_paths(rules)
    wanted = rules.text("rounding", "default") if name is None else name
    if wanted not in paths:
        raise MethodInputError("rounding", f"没有修约路径 {wanted!r}，可用：{'、'.join(paths)}")
    return paths[wanted]


def requirements(rules: Edition, grade: str) -> tuple[Requirement, ...] | None:
    """What a grade (牌号) must reach, or None when the edition does not know it."""
    table = rules.limits["grade"].get(grade)
    if table is None:
        return None
    return tuple(
        Requirement(word[0], word[1], word[2], Decimal(table[key]), word[3])
        for key, word in _REQUIREMENTS.items()
        if key in table
    )


def nominal_area_mm2(rules: Edition, diameter_mm: Decimal) -> Decimal:
    """Nominal cross-section (公称横截面面积), mm²; strengths always stand on it.

    Raises `MethodInputError` for a diameter that the standard does not know.
    """
    key = plain(diameter_mm.normalize())
    area = rules.limits["nominal_area_mm2"].get(key)
    if area is None:
        raise MethodInputError("diameter_mm", f"公称直径 {key} mm 不在标准的公称直径表内")
    return Decimal(area)


def weight_limit_percent(rules: Edition, diameter_mm: Decimal) -> Decimal:
    """Permitted deviation of the weight per metre, ± per cent (重量偏差允许值)."""
    for row in rules.rows("weight"):
        if diameter_mm <= Decimal(row["up_to_mm"]):
            return Decimal(row["percent"])
    raise MethodInputError("diameter_mm", f"公称直径 {plain(diameter_mm)} mm 没有重量偏差规定")
