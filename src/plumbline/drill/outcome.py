"""What a drill found out (演练结果): printed, and kept as a file that says where, when and on which commit it was run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plumbline.embedded.source import commit

#: A full drill older than this is called stale.
STALE_AFTER = timedelta(days=30)
_NOTHING = "什么也没有试，不能算成立；请在有所需部件的机器上做"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of a drill; `counts` are the figures, in the order in which they are to be read."""

    drill: str
    seed: int
    seconds: float
    counts: Mapping[str, int | float | str]
    #: What broke a promise, one plain Chinese sentence each; empty when all held.
    broken: tuple[str, ...] = ()
    #: What this drill never tries, or was asked not to, and why.
    left_out: tuple[str, ...] = ()
    #: What was not tried because a part is missing here (a program, a file system, somebody else's implementation).
    lacking: tuple[str, ...] = ()
    ran_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: The figure that says how often it was tried; unnamed, any number will do.
    deed: str = ""

    @property
    def is_tried(self) -> bool:
        """Whether anything was tried at all: where the machine lacks what it needs, nothing is broken and nothing shown."""
        if self.deed:
            return bool(self.counts.get(self.deed))
        return any(figure for figure in self.counts.values() if not isinstance(figure, str))

    @property
    def held(self) -> bool:
        """Whether it was tried, and every promise held."""
        return self.is_tried and not self.broken

    def text(self) -> str:
        """The result in Chinese, for the terminal."""
        lines = [f"演练 {self.drill}（种子 {self.seed}），{self.seconds:.0f} 秒"]
        lines += [f"  {name}：{value}" for name, value in self.counts.items()]
        lines += [f"  不成立：{sentence}" for sentence in self.broken]
        lines += [f"  没有试：{sentence}" for sentence in (*self.lacking, *self.left_out)]
        found = "全部成立" if self.held else f"{len(self.broken)} 项不成立" if self.broken else _NOTHING
        lines.append(f"  结论：{found}")
        return "\n".join(lines)

    def keep(self, path: Path) -> None:
        """Write the result as JSON, with host and commit."""
        content: dict[str, Any] = {
            "drill": self.drill,
            "ran_at": self.ran_at.isoformat(timespec="seconds"),
            "host": f"{platform.system()} {platform.release()}, {os.cpu_count()} processors",
            "commit": commit(),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "held": self.held,
            "counts": dict(self.counts),
            "broken": list(self.broken),
            "left_out": [*self.lacking, *self.left_out],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf-8")


def ages(folder: Path, now: datetime) -> list[str]:
    """One Chinese line a kept result in `folder`: its age, and a warning where it is stale or did not hold."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        kept = json.loads(path.read_text("utf-8"))
        ran_at = datetime.fromisoformat(kept["ran_at"])
        line = f"演练 {kept['drill']}：{ran_at.date()} 在 {kept['commit']} 上做过，{_since(ran_at, now)}"
        if not kept["held"]:
            line += f"；{len(kept['broken'])} 项不成立" if kept["broken"] else f"；{_NOTHING}"
        lines.append(line)
    return lines


def age_of_measurement(folder: Path, now: datetime) -> str:
    """A Chinese line on the newest bench result kept in `folder`: its age, a warning where it is stale, and what it missed."""
    kept = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    if not kept:
        return f"测量：{folder} 里没有留存的结果"
    last = max(kept, key=lambda each: datetime.fromisoformat(each["at"]))
    ran_at = datetime.fromisoformat(last["at"])
    line = f"测量：{ran_at.date()} 在 {last['commit']} 上做过，{_since(ran_at, now)}"
    missed = sum(row["verdict"] == "MISS" for row in last["results"])
    return line + (f"；{missed} 项没到门槛" if missed else "")


def _since(ran_at: datetime, now: datetime) -> str:
    age = now - ran_at
    return f"{age.days} 天前" + (f"；超过 {STALE_AFTER.days} 天，请重做" if age > STALE_AFTER else "")
