"""What each planted pattern looks like in the messages (造假信号): plain arithmetic, for tests alone; detectors are elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations, pairwise

import numpy as np

from plumbline.demo.living.site import groups_required
from plumbline.demo.living.tests.memory_city import Told, entry_of, grouped
from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, rate_band
from plumbline.exchange.curves import channel_times_us, channel_values
from plumbline.exchange.messages.custody import SamplingRecorded, WitnessingRecorded
from plumbline.exchange.messages.project import ContractSigned, PourRecorded
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.exchange.messages.testing import NonconformityNotified, RunRecorded

AREA_mm2 = 22500.0


def force_of(specimen) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and kN of a specimen's curve."""
    channel = specimen.curve.channels[0]
    return np.array(channel_times_us(channel)) / 1e6, np.array(channel_values(channel)) * float(channel.scale)


def loads(run: RunRecorded) -> tuple[float, ...]:
    return tuple(float(r.value) for s in run.specimens for r in s.readings if r.name in ("load_kN", "Fm_kN"))


def counted(told: Told) -> list[RunRecorded]:
    return [run for run in told.runs if not run.discarded]


def kilometres(a, b) -> float:
    """Between two positions, small distances."""
    east = (float(a.longitude) - float(b.longitude)) * 111.3 * math.cos(math.radians(float(a.latitude)))
    return math.hypot(east, (float(a.latitude) - float(b.latitude)) * 111.2)


def no_record(told: Told) -> set[str]:
    known = {entry_of(run) for run in told.runs}
    return {
        entry_of(m)
        for m in told.all(ReportApplied)
        for p in m.parameters
        for run in p.runs
        if run not in known
    }


def few_points(told: Told) -> set[str]:
    return {entry_of(run) for run, s in told.specimens() if s.curve is None or s.curve.channels[0].count < 50}


def copied_curve(told: Told) -> set[str]:
    shapes = grouped(
        (force_of(s)[1].size, (entry_of(run), force_of(s)[1])) for run, s in told.specimens()
        if run.category == "concrete_cube" and np.unique(np.diff(force_of(s)[1]).round(6)).size > 5
    )  # fmt: skip
    found = set()
    for same_length in shapes.values():
        for (one, a), (other, b) in combinations(same_length, 2):
            if one != other and np.abs(a / a.max() - b / b.max()).max() < 5e-4:
                found |= {one, other}
    return found


def drawn_curve(told: Told) -> set[str]:
    return {
        entry_of(run) for run, s in told.specimens() if np.unique(np.diff(force_of(s)[1]).round(6)).size < 5
    }


def altered_values(told: Told) -> set[str]:
    found = set()
    runs = {entry_of(run): run for run in told.runs}
    for report in told.all(ReportApplied):
        for parameter in report.parameters:
            for run in (runs[each] for each in parameter.runs if each in runs):
                if parameter.parameter != "concrete_cube.compressive":
                    continue
                measured = [load * 1000 / AREA_mm2 for load in loads(run)]
                stated = [float(v.value) for v in parameter.values if v.symbol == "strength"]
                if any(abs(a - b) > 0.11 for a, b in zip(measured, stated, strict=True)):
                    found.add(entry_of(report))
    return found


def picked_results(told: Told) -> set[str]:
    discarded = grouped((run.sample, entry_of(run)) for run in told.runs if run.discarded)
    return {each for runs in discarded.values() if len(runs) > 1 for each in runs}


def swapped_specimens(told: Told) -> set[str]:
    uses = grouped((s.tag, entry_of(run)) for run in counted(told) for s in run.specimens)
    return {each for runs in uses.values() if len(set(runs)) > 1 for each in runs}


def reused_picture(told: Told) -> set[str]:
    shown = grouped((p.sha256, entry_of(m)) for m in told.all(SamplingRecorded) for p in m.pictures)
    return {each for samples in shown.values() if len(set(samples)) > 1 for each in samples}


def early_break(told: Told) -> set[str]:
    found = set()
    for run in counted(told):
        sample = told.sampling(run.sample)
        if sample.required_age_d and abs(
            run.started_at - sample.made_at - timedelta(days=sample.required_age_d)
        ) > timedelta(days=1):
            found.add(entry_of(run))
    return found


def signed_before(told: Told) -> set[str]:
    runs = {entry_of(run): run for run in told.runs}
    return {
        entry_of(m)
        for m in told.all(ReportApplied)
        for p in m.parameters
        for run in p.runs
        if run in runs and m.reviewed_at < runs[run].started_at
    }


def _busy(told: Told):
    return grouped(
        (run.instrument, (s.started_at, s.finished_at, entry_of(run)))
        for run in counted(told)
        for s in run.specimens
    ).values()


def overlapping_tests(told: Told) -> set[str]:
    found = set()
    for machine in _busy(told):
        for (_, ends, one), (begins, _, other) in pairwise(sorted(machine)):
            if begins < ends and one != other:
                found |= {one, other}
    return found


def two_places(told: Told) -> set[str]:
    seen = grouped((m.witness, m) for m in told.all(WitnessingRecorded) if m.position)
    found = set()
    for those in seen.values():
        for a, b in pairwise(sorted(those, key=lambda m: m.witnessed_at)):
            hours = max((b.witnessed_at - a.witnessed_at) / timedelta(hours=1), 1 / 3600)
            if kilometres(a.position, b.position) > 0.5 and kilometres(a.position, b.position) / hours > 120:
                found |= {entry_of(a), entry_of(b)}
    return found


def false_place(told: Told) -> set[str]:
    return {entry_of(m) for m in told.all(SamplingRecorded) if m.position and m.position.mocked}


def entered_afterwards(told: Told) -> set[str]:
    late = [m for m in told.all(SamplingRecorded) if m.occurred_at - m.made_at > timedelta(minutes=30)]
    sittings = grouped((m.project, m) for m in late)
    return {entry_of(m) for those in sittings.values() if len(those) > 2 for m in those}


def made_at_the_plant(told: Told) -> set[str]:
    found = set()
    for plant in told.city.plants:
        near = [m for m in told.all(SamplingRecorded) if m.position and kilometres(m.position, plant) < 0.3]
        if len({m.project for m in near}) > 1:
            found |= {entry_of(m) for m in near}
    return found


def one_phone(told: Told) -> set[str]:
    found = set()
    for m in told.all(WitnessingRecorded):
        sample = told.sampling(m.sample)
        same = {p.sha256 for p in m.pictures} & {p.sha256 for p in sample.pictures}
        if same and m.position == sample.position:
            found.add(entry_of(m))
    return found


def too_few_groups(told: Told) -> set[str]:
    made = grouped((m.pour, m) for m in told.all(SamplingRecorded) if m.pour and m.curing == "standard")
    return {
        entry_of(m)
        for m in told.all(PourRecorded)
        if 0 < len(made.get(entry_of(m), ())) < groups_required(float(m.volume_m3))
    }


def uniform_strengths(told: Told) -> set[str]:
    even = grouped(
        (told.project_of[run.sample], entry_of(run)) for run in counted(told)
        if run.category == "concrete_cube" and np.std(loads(run), ddof=1) / np.mean(loads(run)) < 0.005
    )  # fmt: skip
    return {each for those in even.values() if len(those) > 5 for each in those}


def copied_values(told: Told) -> set[str]:
    same = grouped((loads(run), entry_of(run)) for run in counted(told) if run.category == "concrete_cube")
    return {each for those in same.values() if len(those) > 1 for each in those}


def hasty_loading(told: Told) -> set[str]:
    found = set()
    for run, specimen in told.specimens():
        if run.category != "concrete_cube" or specimen.curve is None:
            continue
        seconds, kN = force_of(specimen)
        peak = int(kN.argmax())
        steady = (kN[: peak + 1] > 0.3 * kN[peak]) & (kN[: peak + 1] < 0.8 * kN[peak])
        rate = np.polyfit(seconds[: peak + 1][steady], kN[: peak + 1][steady], 1)[0] * 1000 / AREA_mm2
        if rate > 1.3 * float(rate_band(run.grade, EDITIONS.known[-1].code).high):
            found.add(entry_of(run))
    return found


def lapsed_machine(told: Told) -> set[str]:
    until = {code: each.calibrated_until for h in told.city.houses for code, each in h.instruments.items()}
    return {entry_of(run) for run in told.runs if until[run.instrument] < run.started_at.date()}


def out_of_scope(told: Told) -> set[str]:
    may = {h.organisation.party: {line.category for line in h.capability} for h in told.city.houses}
    return {entry_of(m) for m in told.all(ReportApplied) if m.category not in may[m.sender]}


def unqualified_technician(told: Told) -> set[str]:
    roles = {p.ref: p.roles for h in told.city.houses for p in h.people.values()}
    return {entry_of(run) for run in told.runs if "technician" not in roles[run.technician]}


def third_institution(told: Told) -> set[str]:
    shared = grouped(((told.project_of[run.sample], run.category), run) for run in told.runs)
    crowded = [runs for runs in shared.values() if len({r.sender for r in runs}) > 2]
    return {entry_of(run) for runs in crowded for run in runs if _is_minor(run, runs)}


def _is_minor(run: RunRecorded, runs: list[RunRecorded]) -> bool:
    most = max({r.sender for r in runs}, key=lambda sender: sum(r.sender == sender for r in runs))
    return run.sender != most


def wrong_client(told: Told) -> set[str]:
    contracts = {entry_of(m) for m in told.all(ContractSigned) if m.client_role != "owner"}
    return {entry for entry, m in told.commission_of.items() if m.contract in contracts}


def _failing_bars(told: Told) -> list[RunRecorded]:
    def ratio(specimen) -> float:
        values = {r.name: float(r.value) for r in specimen.readings}
        return values["Fm_kN"] / values["FeL_kN"]

    return [r for r in counted(told) if r.category == "rebar_tension" and min(map(ratio, r.specimens)) < 1.25]


def dropped_failure(told: Told) -> set[str]:
    reported = {run for m in told.all(ReportApplied) for p in m.parameters for run in p.runs}
    again = grouped((m.arrival, entry_of(m)) for m in told.all(SamplingRecorded) if m.arrival)
    return {
        entry_of(run)
        for run in _failing_bars(told)
        if entry_of(run) not in reported and len(again[told.sampling(run.sample).arrival]) > 1
    }


def untold_failure(told: Told) -> set[str]:
    notified = {m.run for m in told.all(NonconformityNotified)}
    reported = {run for m in told.all(ReportApplied) for p in m.parameters for run in p.runs}
    return {entry_of(r) for r in _failing_bars(told) if entry_of(r) in reported - notified}


def sudden_uploads(told: Told) -> set[str]:
    late = [
        each
        for each in told.platform.kept
        if isinstance(each.message, RunRecorded)
        and each.stated_at - each.message.finished_at > timedelta(hours=1)
    ]
    bursts = grouped((each.stated_at.replace(second=0, microsecond=0), each.message) for each in late)
    return {entry_of(m) for those in bursts.values() if len(those) > 5 for m in those}


def typed_values(told: Told) -> set[str]:
    return {entry_of(r) for r in told.runs if r.data_origin == "keyed" and r.keyed_because is None}


def impossible_pace(told: Told) -> set[str]:
    found: set[str] = set()
    for machine in _busy(told):
        row: list[str] = []
        ordered = sorted(machine)
        for (_, ends, one), (begins, _, other) in pairwise(ordered):
            if timedelta(0) <= begins - ends < timedelta(seconds=45):
                row += [one, other]
            else:
                row = []
            if len(row) > 30:
                found |= set(row)
    return found


SIGNALS: dict[str, Callable[[Told], set[str]]] = {
    "R01": no_record, "R02": few_points, "R03": copied_curve, "R04": drawn_curve, "R05": altered_values,
    "R06": picked_results, "R07": swapped_specimens, "R08": reused_picture, "R09": early_break, "R10": signed_before,
    "R11": overlapping_tests, "R12": two_places, "R13": false_place, "R14": entered_afterwards, "R15": made_at_the_plant,
    "R16": one_phone, "R17": too_few_groups, "R18": uniform_strengths, "R19": copied_values, "R20": hasty_loading,
    "R21": lapsed_machine, "R22": out_of_scope, "R24": unqualified_technician, "R26": third_institution,
    "R27": wrong_client, "R28": dropped_failure, "R29": untold_failure, "R34": sudden_uploads, "R35": typed_values,
    "R36": impossible_pace,
}  # fmt: skip
