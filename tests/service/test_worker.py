"""The worker (后台工作): decisions once, deadlines as entries, recomputation as entries; one bad case holds nobody up."""

from __future__ import annotations

import threading

import pytest

from plumbline.supervision.projection.rebuild import audit_projection
from plumbline.supervision.worker import due

pytestmark = pytest.mark.service


@pytest.mark.clause("CECS 6.0.3")
def test_two_workers_that_race_make_one_code(quiet_world) -> None:
    case = quiet_world.case().until_tested()
    quiet_world.apply(case)
    quiet_world.settle()
    barrier = threading.Barrier(2)
    workers = [quiet_world.worker() for _ in range(2)]

    def work(worker) -> None:
        barrier.wait()
        for _ in range(3):
            worker.round()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    [t.start() for t in threads]
    [t.join() for t in threads]
    quiet_world.settle()
    asked = "SELECT id FROM fact.event WHERE kind = 'code.reserved'"
    assert len(quiet_world.rows(asked)) == len(quiet_world.rows("SELECT id FROM fact.code")) == 1
    assert len(quiet_world.rows("SELECT id FROM fact.event WHERE kind = 'evaluation.computed'")) == 1


def test_a_run_is_recomputed_once_and_agrees_with_the_report(quiet_world) -> None:
    case = quiet_world.case().until_tested()
    quiet_world.settle()
    worker = quiet_world.worker()
    assert worker.round() >= 1
    quiet_world.settle()
    assert worker.round() == 0
    row = quiet_world.rows("SELECT outcome, body FROM fact.evaluation WHERE id = %s", [case.ids["run"]])[0]
    assert row["outcome"] == "computed"
    values = {v["symbol"]: v["value"] for v in row["body"]["values"]}
    assert values
    quiet_world.apply(case)
    quiet_world.settle()
    worker.round()
    quiet_world.settle()
    found = quiet_world.rows("SELECT code FROM fact.finding WHERE code = 'methods.different_value'")
    assert found == []


def test_a_reported_value_that_differs_is_told_and_never_withholds(quiet_world) -> None:
    import msgspec

    case = quiet_world.case().until_tested()
    application = case.application()
    parameter = application.parameters[0]
    values = [
        msgspec.structs.replace(v, value="99.9") if v.value is not None else v for v in parameter.values
    ]
    quiet_world.apply(case, parameters=[msgspec.structs.replace(parameter, values=values)])
    quiet_world.settle()
    quiet_world.worker().round()
    quiet_world.settle()
    row = quiet_world.rows(
        "SELECT state, reasons FROM fact.application WHERE id = %s", [case.ids["application"]]
    )[0]
    assert row["state"] == "reserved"
    assert "methods.different_value" in {reason["code"] for reason in row["reasons"]}


def test_a_code_that_nobody_used_dies_as_an_entry(quiet_world) -> None:
    quiet_world.stated = True
    case = quiet_world.case(days_ago=100).until_tested()
    quiet_world.apply(case)
    worker = quiet_world.worker()
    for later in (None, quiet_world.case(days_ago=20)):
        if later:  # the story goes on, past the thirty days
            later.issue_tags()
        for _ in range(3):
            quiet_world.settle()
            worker.round()
    quiet_world.settle()
    row = quiet_world.rows("SELECT state FROM fact.application WHERE id = %s", [case.ids["application"]])[0]
    assert row["state"] == "expired"
    assert len(quiet_world.rows("SELECT id FROM fact.event WHERE kind = 'clock.deadline_passed'")) == 1
    assert quiet_world.worker().round() == 0
    assert audit_projection(quiet_world.conninfo()) == []


def test_one_application_that_cannot_be_decided_holds_up_no_other(quiet_world, monkeypatch) -> None:
    bad, good = (quiet_world.case().until_tested() for _ in range(2))
    for case in (bad, good):
        quiet_world.apply(case)
    quiet_world.settle()
    real = due.decide

    def breaks(conn, message, at, *rest):
        if message.number == bad.number:
            raise RuntimeError("injected")
        return real(conn, message, at, *rest)

    worker = quiet_world.worker()
    with monkeypatch.context() as patch:
        patch.setattr(due, "decide", breaks)
        worker.round()
    quiet_world.settle()
    asked = "SELECT state, reasons FROM fact.application WHERE id = %s"
    assert quiet_world.rows(asked, [good.ids["application"]])[0]["state"] == "reserved"
    assert quiet_world.rows(asked, [bad.ids["application"]])[0]["state"] == "applied"
    worker.failed.clear()
    worker.round()
    quiet_world.settle()
    row = quiet_world.rows(asked, [bad.ids["application"]])[0]
    assert row["state"] == "reserved", row["reasons"]


def test_a_run_that_breaks_the_recomputation_is_told_as_such(quiet_world, monkeypatch) -> None:
    case = quiet_world.case().until_tested()
    quiet_world.settle()

    def breaks(*args, **kwargs):
        raise ValueError("injected")

    monkeypatch.setattr(due, "evaluation_message", breaks)
    quiet_world.worker().round()
    quiet_world.settle()
    row = quiet_world.rows("SELECT outcome FROM fact.evaluation WHERE id = %s", [case.ids["run"]])[0]
    assert row["outcome"] == "not_computable"
