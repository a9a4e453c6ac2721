"""What the documentation shows (目标表、结果表): the goals, and the newest kept results of `docs/bench`; checked by tests.

`python -m plumbline.bench.table FILE` writes both into the page between their marks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from plumbline.bench.goals import Goal, read_goals
from plumbline.bench.report import number
from plumbline.bench.stats import Verdict

_VERDICTS = {
    Verdict.PASS: "到",
    Verdict.MISS: "**没到**",
    Verdict.NOISY: "太吵，不下结论",
    Verdict.INFORMATION: "—",
}
#: Processor time a unit that grew by more than this since the run before, on a machine of the same make, is said (P14).
REGRESSION = 0.10


def _ratio(value: float | None) -> str:
    if value is None:
        return "—（只作参考）"
    return f"≥ {value:.0%}" if value < 1 else f"≥ {value:g} 倍"


def markdown(goals: dict[str, Goal]) -> str:
    """A markdown table of the goals, one row a comparison."""
    rows = ["| 编号 | 测什么 | 并排的基准 | 门槛 | 目标 |", "|---|---|---|---|---|"]
    rows += [
        f"| {each.name} | {each.zh} | {each.limit_zh} | {_ratio(each.gate)} | {_ratio(each.ambition)} |"
        for each in goals.values()
    ]
    return "\n".join(rows)


def newest(folder: Path) -> list[dict[str, Any]]:
    """The kept results, newest first."""
    kept = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    return sorted(kept, key=lambda each: datetime.fromisoformat(each["at"]), reverse=True)


def results(kept: list[dict[str, Any]]) -> str:
    """The newest results as markdown, with what each cost in processor time then and the run before; a sentence when there are none."""
    if not kept:
        return "还没有留存的结果。"
    last, machine = kept[0], kept[0]["machine"]
    before = next((each for each in kept[1:] if each["machine"]["processor"] == machine["processor"]), None)
    earlier = {row["name"]: row["cpu_us"] for row in before["results"]} if before else {}
    lines = [
        f"{last['at'][:10]}，提交 `{last['commit']}`，{machine['cores']} 核 {machine['processor']}，"
        f"Python {machine['python']}，PostgreSQL {machine['postgresql']}。",
        "",
        "| 编号 | 我们 | 基准 | 比值（90 % 区间） | 门槛 | 判定 | 处理器时间 |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_result(row, earlier.get(row["name"], 0)) for row in last["results"]]
    return "\n".join(lines)


def _result(row: Mapping[str, Any], earlier: float) -> str:
    ours, beside = (sorted(row[side])[len(row[side]) // 2] for side in ("ours", "beside"))
    low, high = row["interval"]
    cells = [
        row["name"],
        f"{number(ours)}{row['unit']}",
        f"{row['limit']} {number(beside)}{row['unit']}",
        f"{row['ratio']:.2f}（{low:.2f}–{high:.2f}）",
        "—" if row["gate"] is None else f"{row['gate']:.2f}",
        _VERDICTS.get(row["verdict"], row["verdict"]),
        _cost(row["cpu_us"], earlier),
    ]
    return "| " + " | ".join(cells) + " |"


def _cost(now: float, before: float) -> str:
    if not now:
        return "—"
    told = f"{now:.0f} µs"
    if before and now > before * (1 + REGRESSION):
        told += f"，**多了 {now / before - 1:.0%}**（上次 {before:.0f}）"
    return told


def filled(page: str, mark: str, table: str) -> str:
    """The page with the text between the marks replaced by the table; ValueError without the marks."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no marks for {mark}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def page_of(page: str, folder: Path) -> str:
    """The reference page with goals and newest results as they are."""
    return filled(filled(page, "goals", markdown(read_goals())), "results", results(newest(folder)))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.write_text(page_of(place.read_text("utf-8"), place.parents[1] / "bench"), "utf-8")
