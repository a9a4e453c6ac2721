"""The goals as the documentation shows them (目标表): printed by `python -m plumbline.bench.table`, checked
by a test."""

from __future__ import annotations

from plumbline.bench.goals import Goal, read_goals

BEGIN, END = "<!-- goals -->", "<!-- /goals -->"


def _ratio(value: float) -> str:
    return f"≥ {value:.0%}" if value < 1 else f"≥ {value:g} 倍"


def markdown(goals: dict[str, Goal]) -> str:
    """A markdown table of the goals, one row a comparison."""
    rows = ["| 编号 | 测什么 | 并排的基准 | 门槛 | 目标 |", "|---|---|---|---|---|"]
    rows += [
        f"| {each.name} | {each.zh} | {each.limit_zh} | {_ratio(each.gate)} | {_ratio(each.ambition)} |"
        for each in goals.values()
    ]
    return "\n".join(rows)


def filled(page: str, table: str) -> str:
    """The page with the text between the marks replaced by the table; ValueError without the marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks for the table")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    print(markdown(read_goals()))
