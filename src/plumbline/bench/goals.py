"""Gates and ambitions (测量目标), read from goals.toml: the verdicts and the documentation's table have one
source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

GOALS_FILE = Path(__file__).with_name("goals.toml")
#: Names that the command takes; one may hold several comparisons (`P6`, `P6-pymerkle`).
NAMES = ("P0", "P1a", "P1b", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P13")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One comparison: ours ÷ limit must reach `gate`, and is meant to reach `ambition`.

    A row without both is shown for information only: the two sides do not do the same.
    """

    name: str
    title: str
    zh: str
    limit: str
    limit_zh: str
    #: What is counted, in the singular.
    one: str
    gate: float | None = None
    ambition: float | None = None
    #: What both sides are measured in; the higher, the better.
    unit: str = "/s"


def read_goals(path: Path = GOALS_FILE) -> dict[str, Goal]:
    """Goals by name, in the file's order."""
    rows = tomllib.loads(path.read_text("utf-8"))
    return {name: Goal(name=name, **row) for name, row in rows.items()}
