"""Replaying recordings of testing machines (记录回放): each ends as a registered report or with the reason
why not.

The recordings keep their own dates as event times; only uids carry the present. So the platform finds them
late, and says so; the order of events is what the gate judges.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from plumbline.acquisition.recordings import Recording, Unreadable, cube_groups, discover
from plumbline.acquisition.simulator.write import write_folder
from plumbline.demo.cast import REPLAY_PROJECT, Cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.clients import Clients
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.plan import BETWEEN_SPECIMENS, Plan, Times, local, plausible_times, starts_of
from plumbline.domain.basics.calendar import SHANGHAI
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.registry import method_named
from plumbline.sdk.client import Refused

#: Known strengths are given to a thousandth of a MPa.
STRENGTH_AGREES_MPa = 0.001
KNOWN_STRENGTHS = "groups.json"
#: A data folder of several machines holds one folder for each.
_SIBLINGS = ("lucas_steel", "matcal_304L_ASTME8")
_CLOCK_TIME = (10, 0)
Progress = Callable[[str], None]
Outcome = Literal["registered", "accounted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one group, bar or file."""

    name: str
    outcome: Outcome
    recordings: int
    #: Code of a registered report, or the reason in plain words.
    told: str
    number: str = ""
    #: Greatest difference from the known strengths, MPa; None when none are known.
    difference_MPa: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Everything that the folder held."""

    folder: Path
    simulated: bool
    rows: tuple[Row, ...]
    results: tuple[ChainResult, ...]

    @property
    def exit_status(self) -> int:
        """0 when every recording is a registered report or accounted for, else 1."""
        registered = any(row.outcome == "registered" for row in self.rows)
        return 0 if registered and not any(row.outcome == "failed" for row in self.rows) else 1

    def table(self) -> str:
        """The result as text, one line a row, with a summary of what was left out and why."""
        lines = [f"记录文件夹：{self.folder}{'（模拟数据，不是真实试验）' if self.simulated else ''}"]
        for row in self.rows:
            if row.outcome != "accounted":
                known = (
                    "" if row.difference_MPa is None else f"，与已知强度最大相差 {row.difference_MPa:.4f} MPa"
                )
                word = "已登记" if row.outcome == "registered" else "未成"
                lines.append(f"{word}  {row.name}  {row.number}  {row.told}{known}")
        for reason, number in sorted(
            Counter(row.told for row in self.rows if row.outcome == "accounted").items()
        ):
            lines.append(f"未出报告 {number} 个记录：{reason}")
        counts = Counter(row.outcome for row in self.rows)
        compared = sum(row.difference_MPa is not None for row in self.rows)
        lines.append(
            f"共 {sum(row.recordings for row in self.rows)} 个记录：报告 {counts['registered']} 份，"
            f"有原因不出报告 {counts['accounted']} 个，失败 {counts['failed']} 个；{compared} 组强度与已知值比对，"
            f"容许差 {STRENGTH_AGREES_MPa} MPa"
        )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A report to be made of recordings; `plan` may find that it cannot."""

    name: str
    recordings: tuple[Recording, ...]
    grade: str | None
    required_age_d: int | None = None


def replay(
    folder: Path | None,
    clients: Clients,
    cast: Cast,
    enrolment: Enrolment,
    *,
    progress: Progress = print,
    now: datetime | None = None,
) -> ReplayReport:
    """Send every recording of `folder` through the whole platform.

    Without a folder, or when it is not there, recordings are written by the project's own simulator and the
    report says so. `now` (aware) is the instant of the replay; a second replay of the same folder makes new
    reports.
    """
    moment = now or datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="plumbline-replay-") as spare:
        simulated = folder is None or not folder.exists()
        if folder is None or simulated:
            asked = f"没有找到文件夹 {folder}，" if folder else ""
            progress(f"{asked}以下是模拟数据：由本软件的模拟试验机按相同格式写出，不是真实试验。")
            folder = Path(spare) / "simulated"
            write_folder(folder, cast.seed)
        found = [item for each in folders_of(folder) for item in discover(each)]
        known = known_strengths(folders_of(folder))
        chain = Chain(clients, cast, enrolment)
        rows: list[Row] = []
        results: list[ChainResult] = []
        for row, result in _rows(chain, found, known, moment):
            rows.append(row)
            results += [result] if result else []
            if row.outcome != "accounted":
                progress(f"{row.name}：{row.told}")
    return ReplayReport(folder=folder, simulated=simulated, rows=tuple(rows), results=tuple(results))


def folders_of(folder: Path) -> list[Path]:
    """The folder; with one machine's folder of a data collection also the tension recordings beside it."""
    beside = [folder.resolve().parent / name for name in _SIBLINGS if folder.name not in _SIBLINGS]
    if not (folder / KNOWN_STRENGTHS).exists():
        return [folder]
    return [folder, *(each for each in beside if each.is_dir())]


def known_strengths(folders: Sequence[Path]) -> dict[str, list[float]]:
    """Strengths of cube groups, MPa, from every groups.json in the folders; empty when there is none."""
    known: dict[str, list[float]] = {}
    for folder in folders:
        for path in sorted(folder.rglob(KNOWN_STRENGTHS)):
            known |= json.loads(path.read_text("utf-8"))
    return known


def _rows(
    chain: Chain, found: Sequence[Recording | Unreadable], known: Mapping[str, list[float]], now: datetime
) -> Iterator[tuple[Row, ChainResult | None]]:
    for item in found:
        if isinstance(item, Unreadable):
            yield (
                Row(name=item.path.name, outcome="accounted", recordings=1, told=f"不能读取（{item.code}）"),
                None,
            )
        elif item.method is None:
            reason = item.reason
            told = _REASONS.get(reason.code, reason.sentence) if reason else "没有检测方法"
            yield Row(name=item.specimen_label, outcome="accounted", recordings=1, told=told), None
        elif item.method == "concrete_cube" and not item.group_label:
            yield (
                Row(name=item.specimen_label, outcome="accounted", recordings=1, told="立方体试件没有组号"),
                None,
            )
    for number, job in enumerate(_jobs(found)):
        yield _report(chain, job, known.get(job.name), now + timedelta(seconds=number))


_REASONS = {
    "recording.buffer_limited": "采集缓存写满，最大值不是破坏荷载",
    "recording.modulus_cycles": "弹性模量试验，未加载至破坏",
    "recording.no_method_cylinder": "圆柱体试件，检测方法目录中没有对应方法",
    "recording.no_method": "检测方法目录中没有对应方法",
    "recording.stress_strain_only": "只有应力—应变数据，不能构成力值—时间曲线",
}


def _jobs(found: Sequence[Recording | Unreadable]) -> Iterator[_Job]:
    for label, members in cube_groups(found).items():
        age = label.rpartition("|")[2]
        grade = members[0].grade
        yield _Job(
            name=label, recordings=members, grade=grade, required_age_d=int(age) if age.isdigit() else None
        )
    for item in found:
        if isinstance(item, Recording) and item.method == "rebar_tension":
            yield _Job(name=item.specimen_label, recordings=(item,), grade=item.grade)


def _report(
    chain: Chain, job: _Job, known: list[float] | None, now: datetime
) -> tuple[Row, ChainResult | None]:
    count = len(job.recordings)
    tested_on = job.recordings[0].tested_on or now.astimezone(SHANGHAI).date()
    try:
        method_named(job.recordings[0].method or "").edition_on(tested_on)
    except MethodInputError as problem:
        return Row(name=job.name, outcome="accounted", recordings=count, told=problem.reason), None
    try:
        result = chain.run(replay_plan(job.name, job.recordings, job.grade, job.required_age_d, now=now))
    except (Refused, MethodInputError, ValueError) as error:
        return Row(name=job.name, outcome="failed", recordings=count, told=str(error)), None
    apart = _difference(result, known)
    good = result.state == "registered" and (apart is None or apart <= STRENGTH_AGREES_MPa)
    told = (
        result.code
        if good and result.code
        else f"{result.state}：{'；'.join(result.reasons) or '强度与已知值不符'}"
    )
    row = Row(
        name=job.name,
        outcome="registered" if good else "failed",
        recordings=count,
        told=told,
        number=result.number,
        difference_MPa=apart,
    )
    return row, result


def _difference(result: ChainResult, known: list[float] | None) -> float | None:
    if known is None:
        return None
    if len(known) != len(result.exact_MPa):
        return float("inf")
    # The known values are themselves rounded to a thousandth, which the tolerance allows for.
    return max(abs(ours - theirs) for ours, theirs in zip(result.exact_MPa, known, strict=True))


def replay_plan(
    name: str,
    recordings: tuple[Recording, ...],
    grade: str | None,
    required_age_d: int | None,
    *,
    now: datetime,
) -> Plan:
    """The report of one group or bar with its own dates; machine times count as the city's local time."""
    cubes = recordings[0].method == "concrete_cube"
    starts, finished = _moments(recordings, now)
    cast_on = recordings[0].cast_on
    made = local(cast_on, 9) if cast_on else starts[0] - timedelta(days=1)
    times = _until(plausible_times(made, starts, finished), now)
    return Plan(
        key=f"replay/{int(now.timestamp())}/{name}",
        project=REPLAY_PROJECT,
        category="concrete_cube" if cubes else "rebar_tension",
        grade=grade,
        unit_work="既有试验记录",
        part=name.replace("|", " 龄期 "),
        recordings=lambda: recordings,
        count=len(recordings),
        times=times,
        required_age_d=required_age_d,
        curing="standard" if cubes else "none",
        uid_at=now,
    )


def _moments(recordings: tuple[Recording, ...], now: datetime) -> tuple[tuple[datetime, ...], datetime]:
    """Start of each specimen by the machine's clock, and the end of the last; files with a day only begin at
    ten."""
    written = [each.tested_at for each in recordings]
    if all(at is not None for at in written):
        starts = tuple(at.replace(tzinfo=SHANGHAI) for at in written if at is not None)
        last = max(range(len(starts)), key=lambda index: starts[index])
        return starts, starts_of(starts[last], recordings[last : last + 1])[1]
    day = recordings[0].tested_on
    if day is not None:
        return starts_of(local(day, *_CLOCK_TIME), recordings)
    # No date at all: the replay itself is the only moment that is known.
    _, end = starts_of(now, recordings)
    return starts_of(now - (end - now) - BETWEEN_SPECIMENS, recordings)


def _until(times: Times, now: datetime) -> Times:
    """Steps after the test brought before `now`, in their order; nothing of a report lies in the future."""
    if times.registered <= now:
        return times
    span = now - times.finished
    return replace(
        times,
        reviewed=times.finished + span * 0.2,
        approved=times.finished + span * 0.5,
        applied=times.finished + span * 0.8,
        registered=now,
    )


def first_day(recordings: Sequence[Recording]) -> date | None:
    """The earliest day of a folder's recordings; None when no file tells one."""
    days = [each.cast_on or each.tested_on for each in recordings]
    return min((day for day in days if day is not None), default=None)
