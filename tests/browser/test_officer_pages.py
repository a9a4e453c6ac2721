"""An officer at a desk: the trace with its eight steps and its curve, the numbers, the bundle; a stranger sees none of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]
STEPS = ["contract", "commission", "sampling", "witnessing", "receipt", "test", "report", "evidence"]
DESK = {"width": 1440, "height": 900}


@pytest.fixture
def officer(visit: Callable[..., Any]) -> Any:
    visitor = visit(**DESK)
    visitor.enter("officer")
    return visitor


def open_curve(visitor: Any, address: str) -> None:
    visitor.goto(address)
    visitor.page.wait_for_selector('[data-specimen-panel="0"] canvas')
    visitor.until(lambda: visitor.page.locator("[data-marks] tr").count() > 0)


@pytest.mark.clause("CECS 4.1.2-b", "CECS 3.0.3")
def test_the_trace_of_cubes_has_eight_steps_and_a_drawn_curve(town: Any, officer: Any) -> None:
    open_curve(officer, town.trace("cube"))
    officer.shoot("trace-cube-1440")
    steps = officer.page.eval_on_selector_all(
        ".chain .step", "all => all.map(s => s.id.replace('step-', ''))"
    )
    assert sorted(steps) == sorted(STEPS)
    assert officer.inked('[data-specimen-panel="0"] canvas') > 800
    peak = re.search(r"极限荷载\s*([\d.]+)", officer.page.inner_text(".fact-strip"))
    assert peak
    assert f"破坏 {peak[1]} kN" in officer.page.text_content("[data-marks]")
    assert officer.page.locator("[data-specimen-row]").count() == 3


def test_every_specimen_has_a_curve_and_marks_of_its_own(town: Any, officer: Any) -> None:
    open_curve(officer, town.trace("cube"))
    first = officer.page.text_content("[data-marks]")
    officer.page.click('[data-specimen="2"]')
    officer.page.wait_for_selector('[data-specimen-panel="2"] canvas')
    officer.page.wait_for_function(
        "old => document.querySelector('[data-marks]').textContent !== old", arg=first
    )
    assert officer.inked('[data-specimen-panel="2"] canvas') > 800


def test_the_trace_of_bars_marks_yield_and_tensile_strength(town: Any, officer: Any) -> None:
    open_curve(officer, town.trace("bar"))
    officer.shoot("trace-bar-1440")
    marks = officer.page.text_content("[data-marks]")
    assert re.search(r"ReL \d+ MPa", marks)
    assert re.search(r"Rm \d+ MPa", marks)
    assert officer.inked('[data-specimen-panel="0"] canvas') > 800


def test_the_trace_of_a_withheld_report_says_why(town: Any, officer: Any) -> None:
    open_curve(officer, town.trace("withheld"))
    officer.shoot("trace-withheld-1440")
    text = officer.page.inner_text("main")
    assert "暂不发码" in text
    assert "委托类别是见证取样，应当有" in officer.page.inner_text("#step-witnessing")
    assert "没有监管码" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_trace_fits_a_phone_in_both_schemes(town: Any, visit: Callable[..., Any], scheme: str) -> None:
    visitor = visit(color_scheme=scheme)
    visitor.enter("officer")
    open_curve(visitor, town.trace("cube"))
    visitor.shoot(f"trace-cube-390-{scheme}")
    assert visitor.overflow() <= 0
    assert visitor.inked('[data-specimen-panel="0"] canvas') > 300


def test_the_dark_trace_draws_its_curve_in_the_dark_palette(town: Any, visit: Callable[..., Any]) -> None:
    visitor = visit(**DESK, color_scheme="dark")
    visitor.enter("officer")
    open_curve(visitor, town.trace("cube"))
    visitor.shoot("trace-cube-1440-dark")
    assert visitor.inked('[data-specimen-panel="0"] canvas') > 800


@pytest.mark.parametrize("name", ["cube", "withheld"])
def test_the_public_does_not_see_a_trace(town: Any, visit: Callable[..., Any], name: str) -> None:
    visitor = visit(**DESK)
    answer = visitor.goto(town.trace(name))
    visitor.complaints.clear()  # the browser's own line on a document that answers 404
    assert answer.status == 404
    assert visitor.page.inner_text("h1") == "看全过程要先登录"
    assert visitor.page.locator(".chain").count() == 0
    assert town.results[name].number not in visitor.page.content()


@pytest.mark.clause("BJ 9.1.2-a")
def test_the_numbers_of_the_division_are_accounted_for(town: Any, officer: Any) -> None:
    officer.page.click("text=编号连续性")
    officer.page.wait_for_selector(".series")
    officer.page.locator(".used summary").first.click()
    officer.shoot("numbers-1440")
    assert officer.page.locator(".series").count() >= 3
    assert "缺号" in officer.page.inner_text(".tally >> nth=0")
    officer.page.evaluate("document.querySelectorAll('.used').forEach(each => { each.open = true; })")
    officer.page.click(f"text={town.results['bar'].number}")
    officer.page.wait_for_selector(".chain .step")
    assert town.results["bar"].number in officer.page.inner_text(".head-facts")


@pytest.mark.clause("CECS 1.0.1")
def test_the_bundle_of_a_report_is_downloaded_and_checked_without_the_platform(
    town: Any, officer: Any, tmp_path: Path
) -> None:
    officer.goto(town.trace("cube"))
    with officer.page.expect_download() as download:
        officer.page.click("text=案卷包 >> nth=0")
    folder = tmp_path / "bundle.zip"
    download.value.save_as(folder)
    assert download.value.suggested_filename == f"{town.results['cube'].number}.zip"
    officer.page.click("text=验证方法")
    assert "plumbline verify" in officer.page.inner_text(".verify-command")
    trust = town.platform.data_dir / "trust.txt"
    command = [sys.executable, "-m", "plumbline.cli", "verify", str(folder), "--trust", str(trust)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert town.results["cube"].number in done.stdout
    assert "✗" not in done.stdout


@pytest.mark.parametrize("card", ["institution", "owner", "contractor", "resident-engineer"])
def test_the_parties_of_the_project_may_take_the_bundle(
    town: Any, visit: Callable[..., Any], card: str
) -> None:
    visitor = visit(**DESK)
    visitor.enter(card)
    # A card enters as the first party of its kind, which another file may have put on record: its own report is asked for.
    visitor.goto("/reports/?state=registered")
    own = visitor.page.get_attribute("table.records td.number a", "href")
    answer = visitor.page.request.get(f"{town.url}{own}bundle.zip")
    assert (answer.status, answer.body()[:2]) == (200, b"PK")


def test_a_stranger_gets_no_bundle(town: Any, visit: Callable[..., Any]) -> None:
    visitor = visit(**DESK)
    answer = visitor.page.request.get(town.trace("cube") + "bundle.zip")
    assert answer.status == 403
    assert not answer.body().startswith(b"PK")


def test_every_process_is_listed_with_its_heartbeat(officer: Any) -> None:
    officer.goto("/status/")
    officer.shoot("status-1440")
    for kind in ("网关", "网页", "入账", "后台"):
        assert (
            officer.page.locator(f"td:text-is('{kind}')").count() >= 1
        )  # one that was killed stays listed as silent
