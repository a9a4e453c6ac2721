"""Registers of security standards (安全对照登记): which requirement is met by which test, by deployment, not applicable, or open."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where the registers lie in a checkout of the sources.
DOCS: Final = Path(__file__).parents[3] / "docs"
#: File → what it is a register of.
TITLES: Final = {
    "asvs": "OWASP ASVS 5.0 一、二级",
    "dengbao": "GB/T 22239-2019 第二级（应用相关）",
    "miping": "GB/T 39786-2021 第二级",
}
#: State → how readers say it.
STATES: Final = {
    "met_by_test": "测试证明",
    "met_by_deployment": "由部署单位办",
    "not_applicable": "不适用",
    "open": "没有做到",
}
COLUMNS: Final = ("id", "level", "chapter", "summary", "state", "evidence", "note")


class RegisterProblem(ValueError):
    """A register is missing or out of form; the message names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement and how it stands."""

    id: str
    level: int
    chapter: str
    summary: str
    state: str
    #: Tests (`file::name`), or places in the documents.
    evidence: tuple[str, ...]
    note: str


def read_register(name: str, folder: Path = DOCS) -> list[Requirement]:
    """The requirements of one register; raises `RegisterProblem` for what is out of form."""
    path = folder / f"{name}.csv"
    try:
        lines = list(csv.reader(path.read_text("utf-8").splitlines()))
    except OSError as error:
        raise RegisterProblem(f"{path} 读不了：登记只在源码里，请在源码目录里运行") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise RegisterProblem(f"{path.name} 的表头应为 {','.join(COLUMNS)}")
    return [_requirement(path.name, number, cells) for number, cells in enumerate(lines[1:], start=2)]


def _requirement(file: str, number: int, cells: list[str]) -> Requirement:
    if len(cells) != len(COLUMNS) or cells[4] not in STATES or cells[1] not in ("1", "2", "3"):
        raise RegisterProblem(
            f"{file} 第 {number} 行不对：要有 {len(COLUMNS)} 格，状态为 {'、'.join(STATES)} 之一"
        )
    given = tuple(each.strip() for each in cells[5].split(";") if each.strip())
    return Requirement(
        id=cells[0],
        level=int(cells[1]),
        chapter=cells[2],
        summary=cells[3],
        state=cells[4],
        evidence=given,
        note=cells[6],
    )


def told(name: str, rows: list[Requirement]) -> list[str]:
    """The counts of a register and its open rows, as lines to print."""
    counts = Counter(each.state for each in rows)
    said = "，".join(f"{word} {counts[state]}" for state, word in STATES.items())
    applicable = len(rows) - counts["not_applicable"]
    share = 100 * counts["met_by_test"] / max(applicable, 1)
    lines = [
        f"{TITLES[name]}：{len(rows)} 条；{said}。",
        f"  适用的 {applicable} 条里测试证明 {counts['met_by_test']} 条（{share:.1f}%），"
        f"要由部署单位办好 {counts['met_by_deployment']} 条，没有做到 {counts['open']} 条。",
    ]
    return lines + [
        f"  没有做到 {each.id} {each.summary}：{each.note}" for each in rows if each.state == "open"
    ]
