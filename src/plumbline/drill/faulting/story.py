"""The drill of faults (故障演练的进程): groups of cells, each on its own platform, then the bugs put in on purpose."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from plumbline.drill.faulting import clocks, disks, twins
from plumbline.drill.faulting.bugs import FOUND_BY, IN_PROCESSES, IN_SUPERVISION
from plumbline.drill.faulting.course import Course, NotTried
from plumbline.drill.faulting.grounds import own_clocks, small_disk
from plumbline.drill.kill.bugs import BUGS
from plumbline.drill.kill.invariants import check
from plumbline.drill.kill.power import NoFuse, lossy_folders
from plumbline.drill.kill.site import NotBack, Site, open_site
from plumbline.drill.outcome import Outcome
from plumbline.embedded.problems import EmbeddedProblem

Cell = Callable[[Course], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that share a platform, and the ground that it stands on."""

    cells: Mapping[str, Cell]
    open: Callable[[str], Any]
    gateways: int = 2
    others: tuple[str, ...] = ("projector", "worker")
    #: Deaths of a process within so many seconds count together, as in the product; 0 where the drill itself kills again and again.
    crash_window: float = 60.0


@contextmanager
def _plain(bug: str) -> Iterator[tuple[Site, None]]:
    with open_site(bug) as site:
        yield site, None


@contextmanager
def _on_small_disk(bug: str) -> Iterator[tuple[Site, None]]:
    with open_site(bug, small_disk) as site:
        yield site, None


@contextmanager
def failing_files(site: Site) -> Iterator[tuple[Site, Any]]:
    """The site with its folders on a file system whose fsync can be made to fail; raises :class:`NotTried` without FUSE."""
    try:
        with lossy_folders(site) as mounted:
            try:
                yield site, mounted
            finally:
                site.stop()
    except NoFuse as absent:
        raise NotTried(str(absent)) from None


@contextmanager
def _on_failing_files(bug: str) -> Iterator[tuple[Site, Any]]:
    with open_site(bug) as site, failing_files(site) as both:
        yield both


@contextmanager
def _with_clocks(bug: str) -> Iterator[tuple[Site, Any]]:
    with own_clocks() as set_clocks, open_site(bug) as site:
        site.surroundings = set_clocks.environment("host")
        site.surroundings_of = {"gateway-1": set_clocks.environment("other")}
        yield site, set_clocks


GROUPS = (
    Group(cells=disks.DISK, open=_on_small_disk),
    Group(cells=disks.FSYNC, open=_on_failing_files, crash_window=0.0),
    Group(cells=clocks.CLOCKS, open=_with_clocks),
    Group(cells=twins.TWINS, open=_plain, others=("projector", "projector-2", "worker", "worker-2")),
    Group(cells=twins.HEADS, open=_plain),
)


@dataclass(slots=True)
class Result:
    """What all groups found together."""

    counts: dict[str, int | float | str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def run_group(
    group: Group, wanted: list[str], seed: int, *, bug: str = "", say: Callable[[str], None] = print
) -> Result:
    """The wanted cells of a group; with a bug nothing is checked beyond the cells."""
    result = Result()
    inside = bug if bug in BUGS | IN_PROCESSES else ""
    try:
        with ExitStack() as stack:
            site, ground = stack.enter_context(group.open(inside))
            stack.enter_context(IN_SUPERVISION.get(bug, nullcontext)())
            site.crash_window = group.crash_window
            site.start(gateways=group.gateways, others=group.others)
            course = Course(site, random.Random(seed), ground=ground)  # noqa: S311 - a drill's dice, no secret
            try:
                for name in wanted:
                    _cell(course, name, group.cells[name], say)
                    if bug and course.broken:
                        break
                if not bug:
                    _afterwards(course)
            finally:
                site.stop()
                result.broken += course.broken
                result.left_out += course.left_out
                result.counts |= course.counts
    except NotTried as absent:
        result.left_out += [f"{name}：{absent}" for name in wanted]
    return result


def _cell(course: Course, name: str, cell: Cell, say: Callable[[str], None]) -> None:
    course.cell, before = name, len(course.broken)
    try:
        cell(course)
    except NotTried as absent:
        course.left_out.append(f"{name}：{absent}")
        say(f"没有试  {name}：{absent}")
        return
    except NotBack as error:
        course.broken.append(f"{name}：平台没有恢复：{error}")
    except EmbeddedProblem as error:
        course.broken.append(f"{name}：平台停下了：{error.chinese}")
    course.count("格子")
    say(f"{'不成立' if len(course.broken) > before else '成立'}  {name}")


def _afterwards(course: Course) -> None:
    """Everything that was acknowledged is held against the platform, as after kills."""
    course.cell = "事后核对"
    try:
        course.site.wait_back()
        verdict = check(course.site, course.ledger)
    except NotBack as error:
        course.broken.append(f"事后核对：平台没有恢复：{error}")
        return
    course.broken += [f"事后核对：{each}" for each in verdict.broken]
    course.count("消息", verdict.messages)
    course.count("文件", verdict.files)
    course.count("答复已收", len(course.ledger.acknowledged))
    course.count("验过的回执", verdict.receipts)
    course.count("答复过而丢失", len(verdict.lost))
    course.count("重复", len(verdict.doubled))
    course.count("悬空", len(verdict.dangling))


def run_story(arguments: argparse.Namespace) -> Outcome:
    """All groups, then the bugs one by one."""
    began, seed = time.monotonic(), arguments.seed
    if arguments.bug and arguments.bug not in FOUND_BY:
        raise SystemExit(f"--bug {arguments.bug}：没有这处缺陷；有 {'、'.join(FOUND_BY)}")
    found = Result()
    for group in GROUPS:
        names = [FOUND_BY[arguments.bug]] if arguments.bug else list(group.cells)
        wanted = [name for name in names if name in group.cells and _is_asked(name, arguments.only)]
        if wanted:
            _merge(found, run_group(group, wanted, seed, bug=arguments.bug))
    if not (arguments.bug or arguments.no_bugs):
        _bugs(found, arguments.only, seed)
    return Outcome(
        drill="faults",
        seed=seed,
        seconds=time.monotonic() - began,
        counts=found.counts,
        broken=tuple(found.broken),
        lacking=tuple(found.left_out),
        left_out=LEFT_OUT,
    )


def _is_asked(name: str, only: list[str]) -> bool:
    return not only or any(each in name for each in only)


def _merge(found: Result, part: Result) -> None:
    found.broken += part.broken
    found.left_out += part.left_out
    for name, value in part.counts.items():
        before = found.counts.get(name, 0)
        found.counts[name] = (
            value + before if not isinstance(value, str) and not isinstance(before, str) else value
        )


def _bugs(found: Result, only: list[str], seed: int) -> None:
    """Each bug in its cell: the drill proves nothing unless the cell breaks."""
    put_in = seen = 0
    for bug, cell in FOUND_BY.items():
        group = next(each for each in GROUPS if cell in each.cells)
        if not _is_asked(cell, only):
            continue
        part = run_group(group, [cell], seed, bug=bug, say=lambda text: None)
        if part.left_out:
            found.left_out.append(f"缺陷 {bug}：{part.left_out[0]}")
            continue
        put_in += 1
        seen += bool(part.broken)
        print(f"缺陷 {bug}：{part.broken[0] if part.broken else '没有发现'}")
        if not part.broken:
            found.broken.append(f"放进缺陷 {bug}，“{cell}”没有发现")
    found.counts |= {"放进的缺陷": put_in, "发现的缺陷": seen}


LEFT_OUT = (
    "操作系统在时钟跳变以后重新启动：新启动的进程没有比较的起点，整机一起前进的时钟看不出来",
    "网页会话、直播令牌、联署方和时间戳机构在时钟跳变时的行为",
    "两台主机：两个签名主机是一台主机上的两个网关进程，各有自己的水位",
    "fsync 失败以后目录项丢失：目录的 fsync 出错只当作没有做成，名字仍在文件系统的日志里",
)
