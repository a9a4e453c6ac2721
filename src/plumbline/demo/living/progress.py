"""How far a city has come (生成进度): counted reports, the share of the work that is done, and the time that is left as measured."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Final

from plumbline.demo.living.story import Story
from plumbline.demo.plan import Plan
from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.city_progress import Phase, Progress

#: What a step costs beside the others: a test carries its curves, a registration its PDF.
_TEST, _APPLICATION, _REGISTRATION, _OTHER = 4.0, 2.0, 5.0, 1.0
#: The rate is that of the last so many seconds; before so many nothing is foretold.
WINDOW_S, LEAST_S = 90.0, 8.0


class Course:
    """The work of a story over its time: how much of it lies before a given moment."""

    def __init__(self, story: Story) -> None:
        steps = sorted(step for each in story.placed for step in _steps(each.plan) if step[0] <= story.end)
        self._at = [at for at, _ in steps]
        self._sum = [0.0, *accumulate(cost for _, cost in steps)]

    def share(self, at: datetime) -> float:
        """Share of the work before `at`, 0 … 1."""
        return self._sum[bisect_right(self._at, at)] / self._sum[-1] if self._at else 1.0


def _steps(plan: Plan) -> list[tuple[datetime, float]]:
    times = plan.times
    light = (times.made, times.entered, times.witnessed, times.commissioned, times.received, times.reviewed)
    return [
        *((at, _OTHER) for at in (*light, times.approved)),
        (times.finished, _TEST),
        (times.applied, _APPLICATION),
        (times.registered, _REGISTRATION),
    ]


@dataclass(slots=True)
class Meter:
    """Measures a filling run; call it about once a second."""

    course: Course
    total: int
    #: Time of the log's newest entry; None when nobody can say.
    reached: Callable[[], datetime | None]
    #: Reports that came to their end.
    done: Callable[[], int]
    clock: Callable[[], float] = time.monotonic
    _seen: deque[tuple[float, float]] = field(default_factory=deque)

    def look(self) -> Progress:
        """Where the city stands now."""
        at, now = self.reached(), self.clock()
        share = self.course.share(at) if at else 0.0
        self._seen.append((now, share))
        while now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        left, done = self._left(now, share), self.done()
        day = local_date(at).isoformat() if at else ""
        return Progress(
            phase="filling",
            done=done,
            total=self.total,
            day=day,
            share=round(share, 4),
            left_s=left,
            text=_text(done, self.total, day, left),
        )

    def _left(self, now: float, share: float) -> float | None:
        first_at, first_share = self._seen[0]
        if now - first_at < LEAST_S or share <= first_share:
            return None
        return round((1 - share) * (now - first_at) / (share - first_share), 0)


def _text(done: int, total: int, day: str, left: float | None) -> str:
    counted = f"演示城市正在补齐：报告 {done}/{total} 份"
    reached = f"，已到 {day}" if day else ""
    return f"{counted}{reached}，{_left_text(left)}"


def _left_text(left: float | None) -> str:
    if left is None:
        return "还要多久正在估计"
    if left < 90:
        return f"大约还要 {max(10, round(left, -1)):.0f} 秒"
    return f"大约还要 {left / 60:.0f} 分钟"


_ENDS: Final = {
    "registered": "登记",
    "withheld": "没有给码",
    "reserved": "有码未用",
    "voided": "作废",
    "withdrawn": "撤回",
    "superseded": "换版",
    "dropped": "没有申请",
}
CORE: Final = Progress(phase="core", text="演示城市刚开始：正在准备头几份报告")


def whole(states: Mapping[str, int], under_way: int, seconds: float) -> str:
    """What they say when it has come to its end: how many reports ended how."""
    counted = "、".join(f"{_ENDS.get(state, '其他')} {count} 份" for state, count in states.items())
    return f"演示城市已经补齐，用时 {seconds:.0f} 秒：报告{counted or ' 0 份'}；还在办 {under_way} 份"


def broken_off(known: Progress | None) -> Progress:
    """What page and terminal say when the filling ends before its end."""
    counted = f"，已有报告 {known.done}/{known.total} 份" if known and known.total else ""
    text = f"演示城市还没有补齐就停了{counted}。已入账的都在，再运行 ./plumb demo 接着补齐"
    return replace(known or CORE, phase="stopped", left_s=None, text=text)


def goes_on(known: Progress) -> Progress:
    """What they say when it goes on."""
    phase: Phase = "filling" if known.total else "core"
    return replace(known, phase=phase, text="演示城市接着补齐：已经入账的正在核对")
