"""What the lists ask of the tables is kept as entries come in: stage, standing, outcome, gap, reminders."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.exchange.messages import reports
from plumbline.supervision.projection.reminders import mention, remind

pytestmark = pytest.mark.service


def _kept(log: Any, *names: str) -> list[object]:
    log.project()
    row = log.row("application", log.ids["application"])
    return [row[name] for name in names]


def _cubes(log: Any, percent: str) -> reports.ReportedParameter:
    value = reports.ReportedValue(symbol="percent_of_grade", name="占设计等级", value=percent, unit="pct")
    return reports.ReportedParameter(
        parameter="concrete_cube.compressive",
        method="concrete_cube",
        edition="GB/T 50081-2019",
        runs=[log.ids["run"]],
        values=[value],
        conclusion="PASS",
    )


def test_a_sample_goes_through_its_stages_and_belongs_to_whom_it_was_given(city: Any) -> None:
    found = []
    for step in (city.issue_tags, city.sample, city.witness, city.commission, city.receive, city.run):
        step()
        city.project()
        if row := city.row("sample", city.ids.get("sample", "")):
            found.append((row["stage"], row["institution"]))
    given = city.party("institution")
    stages = ["taken", "witnessed", "commissioned", "received", "tested"]
    assert found == [(stage, given if place > 1 else None) for place, stage in enumerate(stages)]
    assert city.row("run", city.ids["run"])["standing"] == "acquired"


def test_an_honest_report_has_a_gap_until_its_final_document_is_examined(tested: Any) -> None:
    tested.apply()
    assert _kept(tested, "outcome", "gap", "registered_at") == ["passed", None, None]
    tested.reserve()
    tested.register_report()
    outcome, gap, registered_idx = _kept(tested, "outcome", "gap", "registered_idx")
    assert (outcome, gap) == ("passed", "unexamined")
    assert registered_idx == tested.row("registration", tested.ids["registration"])["idx"]


def test_a_grown_cube_below_its_grade_failed_and_keyed_values_leave_a_gap(city: Any) -> None:
    for step in (city.issue_tags, city.sample, city.witness, city.commission, city.receive):
        step()
    city.run(data_origin="keyed")
    city.take_number()
    city.apply(parameters=[_cubes(city, "92")])
    assert _kept(city, "outcome", "gap") == ["failed", "keyed"]


class _State:
    """Rows in memory, as the projector's working set holds them."""

    def __init__(self) -> None:
        values = {"idx": 7, "institution": "i", "jurisdiction": "610300"}
        self.rows: dict[tuple[str, str], dict[str, Any]] = {("application", "report"): values}

    def get(self, table: str, key: str | None) -> dict[str, Any] | None:
        return self.rows.get((table, key or ""))

    def put(self, table: str, key: str, values: dict[str, Any]) -> None:
        self.rows[table, key] = (self.get(table, key) or {}) | values


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("kind", ["sample", "run", "commission"])
def test_a_reminder_reaches_the_report_whether_it_comes_before_or_behind_it(
    kind: str, is_first: bool
) -> None:
    state: Any = _State()
    steps = [lambda: remind(state, kind, "subject"), lambda: mention(state, "report", ["subject", "other"])]
    for step in steps if is_first else reversed(steps):
        assert state.get("reminder", "report") is None
        step()
    assert state.get("reminder", "report") == {"idx": 7, "institution": "i", "jurisdiction": "610300"}


def test_a_finding_about_something_else_reminds_of_no_report() -> None:
    state: Any = _State()
    mention(state, "report", ["subject"])
    remind(state, "person", "subject")
    remind(state, "sample", "another")
    assert state.get("reminder", "report") is None
