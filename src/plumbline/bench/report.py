"""What the bench prints and keeps (测量结果): one line a comparison, notes under it, JSON on request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from plumbline.bench.goals import Goal
from plumbline.bench.stats import NOISE, Comparison, Verdict
from plumbline.embedded.source import commit


@dataclass(slots=True, kw_only=True)
class Measured:
    """One comparison that was run, with what the reader should know of it."""

    goal: Goal
    comparison: Comparison
    #: Processor time of the servers per unit, in µs; 0 where it was not taken.
    cpu_us: float = 0.0
    #: Lines printed under the comparison: configuration, generator, proofs.
    notes: list[str] = field(default_factory=list)
    #: Whether only a certain miss is one, as in a run that must not fail for noise.
    is_firm: bool = False

    @property
    def verdict(self) -> Verdict:
        """Against the goal's gate."""
        return self.comparison.verdict(self.goal.gate, firmly=self.is_firm)


def number(value: float) -> str:
    """A rate with thin spaces between thousands; a small one with two decimals."""
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def line(measured: Measured) -> str:
    """`P1a accept  ours 4 948/s  raw COPY 12 300/s  ratio 0.40 [0.37,0.43]  gate 0.35 PASS  ambition
    0.50`."""
    goal, found = measured.goal, measured.comparison
    low, high = found.interval
    parts = [
        f"{goal.name} {goal.title}",
        f"ours {number(sorted(found.ours)[len(found.ours) // 2])}{goal.unit}",
        f"{goal.limit} {number(sorted(found.limit)[len(found.limit) // 2])}{goal.unit}",
        f"ratio {found.ratio:.2f} [{low:.2f},{high:.2f}]",
    ]
    if goal.gate is None or goal.ambition is None:
        parts.append(f"for information {measured.verdict}")
    else:
        parts += [f"gate {goal.gate:.2f} {measured.verdict}", f"ambition {goal.ambition:.2f}"]
    if measured.cpu_us:
        parts.append(f"CPU {measured.cpu_us:.0f} µs/{goal.one}")
    if found.noise > NOISE:
        parts.append(f"limit strays {found.noise:.0%}")
    return "  ".join(parts)


def as_json(machine: dict[str, str], results: list[Measured]) -> dict[str, object]:
    """Everything that was measured, as plain values."""
    rows = [
        {
            "name": each.goal.name,
            "one": each.goal.one,
            "limit": each.goal.limit,
            "gate": each.goal.gate,
            "ambition": each.goal.ambition,
            "verdict": each.verdict.value,
            "ratio": each.comparison.ratio,
            "interval": list(each.comparison.interval),
            "unit": each.goal.unit,
            "ours": list(each.comparison.ours),
            "beside": list(each.comparison.limit),
            "cpu_us": each.cpu_us,
            "notes": each.notes,
        }
        for each in results
    ]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"at": at, "commit": commit(), "machine": machine, "results": rows}


def write(folder: Path, machine: dict[str, str], results: list[Measured]) -> Path:
    """Write `<date>-<host>.json` into `folder`; a second run of a day replaces the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y-%m-%d}-{machine['host']}.json"
    path.write_text(json.dumps(as_json(machine, results), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def exit_status(results: list[Measured], *, noise: int = 3) -> int:
    """0: every gate reached. 1: one missed. `noise`: none missed, but one without a verdict."""
    verdicts = {each.verdict for each in results}
    if Verdict.MISS in verdicts:
        return 1
    return noise if Verdict.NOISY in verdicts else 0


def unjudged(results: list[Measured]) -> str:
    """A sentence that names what was too noisy for a verdict; empty when nothing was."""
    names = [each.goal.name for each in results if each.verdict is Verdict.NOISY]
    return f"太吵，不下结论：{'、'.join(names)}（不算过，也不算没过）" if names else ""
