"""Fifty trace pages drawn by lot: no step is empty without a stated reason, whatever happened to the report (随机抽查追溯页)."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from plumbline.acquisition.simulator import BarSteel
from plumbline.demo.cast import build_cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.city import bar_plan, cube_plan
from plumbline.demo.clients import open_clients
from plumbline.demo.plan import Oddities, Plan
from plumbline.demo.story import SEED, enrol_cast

pytestmark = [pytest.mark.service, pytest.mark.slow]
STEPS = {"contract", "commission", "sampling", "witnessing", "receipt", "test", "report", "evidence"}
PAGES = 50
GOOD, WEAK = (
    BarSteel(ReL_MPa=447.0, Rm_MPa=611.0, Agt_pct=13.2),
    BarSteel(ReL_MPa=472.0, Rm_MPa=565.0, Agt_pct=11.8),
)
VOID_REASON = "委托方撤销委托，样品未试验完即退回"
PICTURE_REASON = "手机存储已满，封样照片未能保存"
ODDITIES = {
    "withheld": Oddities(unwitnessed="夜间连续浇筑，监理未安排见证人员到场"),
    "missing picture": Oddities(missing_picture=("sealed_sample", PICTURE_REASON)),
    "without curves": Oddities(without_curves=True),
    "superseded": Oddities(superseded="委托方更正代表数量，报告换版"),
    "withdrawn": Oddities(withdrawn="结构部位填写有误，撤回后重新出具"),
    "reserved": Oddities(end="reserved"),
    "void": Oddities(end="voided", voided=VOID_REASON),
}


@dataclass
class Node:
    """One element of a page; text in order, children below."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """Every element below that has a class, an id or a tag of this name."""
        for child in self.children:
            if isinstance(child, Node):
                if name in (*child.attributes.get("class", "").split(), child.tag):
                    yield child
                yield from child.all(name)

    @property
    def text(self) -> str:
        """Words of the element, spaces folded."""
        parts = (child.text if isinstance(child, Node) else child for child in self.children)
        return " ".join(" ".join(parts).split())


class Reader(HTMLParser):
    """A page as a tree."""

    EMPTY = frozenset({"meta", "link", "input", "img", "use", "br", "path", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Node("page", {})
        self.open = [self.root]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in self.EMPTY:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while tag not in self.EMPTY and len(self.open) > 1 and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def plans(now: datetime) -> dict[str, Plan]:
    """Four ordinary reports, one that failed, one registered late, and each oddity once."""
    made, start = now - timedelta(days=31), now - timedelta(days=3)

    def common(name: str) -> dict[str, str]:
        return {
            "key": f"traces/{name}",
            "project": "school",
            "unit_work": "教学楼",
            "part": "二层 ⑥–⑩ 轴梁板",
            "technician": "technician_2",
        }

    def cubes(name: str, seed: int) -> Plan:
        return cube_plan(
            common(name), seed=seed, made=made, age=28, grade="C30", strengths=(35.1, 34.2, 36.3), start=start
        )

    def bars(name: str, steel: BarSteel) -> Plan:
        return bar_plan(
            common(name),
            seed=81,
            made=now - timedelta(days=5),
            grade="HRB400E",
            diameter=16,
            steels=(steel, steel),
            start=start,
        )

    late = cubes("late", 73)
    entered = late.times.made + timedelta(minutes=34)
    late = replace(late, times=replace(late.times, entered=entered, witnessed=entered + timedelta(minutes=6)))
    found = {
        "cube": cubes("cube", 71),
        "cube 2": cubes("cube 2", 72),
        "late": late,
        "bar": bars("bar", GOOD),
        "weak": bars("weak", WEAK),
    }
    found |= {
        name: replace(cubes(name, 90 + n), oddities=odd) for n, (name, odd) in enumerate(ODDITIES.items())
    }
    return {name: replace(plan, uid_at=now) for name, plan in found.items()}


@pytest.fixture(scope="module")
def results(running_platform: Any) -> dict[str, ChainResult]:
    """Every report made by the real chain."""
    platform, now = running_platform.platform, datetime.now(UTC)
    enrolment = enrol_cast(platform, at=now, stated=False, today=now.date())
    cast = build_cast(SEED, now.date())
    with open_clients(cast, platform.data_dir, platform.public_url) as clients:
        chain = Chain(clients, cast, enrolment)
        return {name: chain.run(plan) for name, plan in plans(now).items()}


@pytest.fixture(scope="module")
def officer(running_platform: Any, results: dict[str, ChainResult]) -> Iterator[httpx.Client]:
    """Signed in by the role card, with the form's own token."""
    with httpx.Client(base_url=running_platform.url, trust_env=False, timeout=30) as client:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/").text)
        assert token
        entered = client.post("/demo/sign-in/officer/", data={"csrfmiddlewaretoken": token[1]})
        assert entered.status_code == 303
        yield client


def page_of(client: httpx.Client, result: ChainResult) -> Node:
    answer = client.get(f"/reports/{result.entries['application']}/")
    assert answer.status_code == 200
    return Reader(answer.text).root


def empty_steps(page: Node) -> list[str]:
    """Titles of steps that show neither a record nor the reason for its absence."""
    faults = []
    for step in page.all("step"):
        said = next(step.all("step-what")).text
        reason = said.removeprefix("没有记录。").strip()
        if "is-missing" in step.attributes["class"]:
            has_record = said.startswith("没有记录。") and reason not in ("", "原因没有说明。")
        else:
            has_record = bool(said) and any(step.all("time")) and bool(next(step.all("who")).text)
        if not has_record:
            faults.append(step.text)
    return faults


def unexplained_pictures(page: Node) -> list[str]:
    """Captions of pictures that are neither shown nor missing with a reason."""
    faults = []
    for figure in page.all("picture"):
        absent = next(figure.all("no-picture"), None)
        reason = absent.text.removeprefix("没有记录").strip() if absent else ""
        if (absent is None and not any(figure.all("img"))) or (absent and reason in ("", "原因没有说明。")):
            faults.append(figure.text)
    return faults


def test_each_kind_of_ending_is_among_the_reports(results: dict[str, ChainResult]) -> None:
    assert len(results) >= 12
    ends = {name: result.state for name, result in results.items()}
    assert {name for name, state in ends.items() if state == "registered"} == {
        "cube", "cube 2", "late", "bar", "weak", "missing picture", "superseded"
    }  # fmt: skip
    assert ends["withheld"] == ends["without curves"] == "withheld"
    assert (ends["withdrawn"], ends["reserved"], ends["void"]) == ("withdrawn", "reserved", "voided")


@pytest.mark.clause("CECS 1.0.1", "CECS 3.0.3", "CECS 4.1.2-b")
def test_no_step_of_fifty_traces_is_empty_without_a_reason(
    officer: httpx.Client, results: dict[str, ChainResult]
) -> None:
    traced = sorted(name for name, result in results.items() if "application" in result.entries)
    for name in random.Random(20261121).choices(traced, k=PAGES):
        page = page_of(officer, results[name])
        steps = {step.attributes["id"].removeprefix("step-") for step in page.all("step")}
        assert (name, steps) == (name, STEPS)
        assert (name, empty_steps(page)) == (name, [])
        assert (name, unexplained_pictures(page)) == (name, [])


@pytest.mark.clause("CECS 4.1.2-b")
def test_a_code_and_a_number_lead_to_the_same_trace(
    officer: httpx.Client, results: dict[str, ChainResult]
) -> None:
    for name in ("cube", "bar", "late"):
        result = results[name]
        pages = [officer.get(f"/reports/{key}/").text for key in (result.code, result.number)]
        assert all(result.number in page and 'id="step-evidence"' in page for page in pages)


def test_every_picture_and_curve_that_a_trace_names_can_be_opened(
    officer: httpx.Client, results: dict[str, ChainResult]
) -> None:
    page = page_of(officer, results["cube"])
    pictures = [image.attributes["src"] for figure in page.all("picture") for image in figure.all("img")]
    curves = [each.attributes["data-url"] for each in page.all("div") if each.attributes.get("data-url")]
    assert (len(pictures), len(curves)) == (7, 3)
    shown = [officer.get(address, follow_redirects=True) for address in (*pictures, *curves)]
    assert {each.status_code for each in shown} == {200}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing picture", PICTURE_REASON),
        ("late", "限 30 分钟，超 4 分钟"),
        ("withdrawn", "撤回：结构部位填写有误"),
        ("reserved", "终稿还没有登记"),
        ("withheld", "没有见证记录"),
        ("without curves", "没有曲线"),
        ("weak", "不合格"),
    ],
)
def test_what_is_odd_about_a_report_stands_on_its_trace(
    officer: httpx.Client, results: dict[str, ChainResult], name: str, said: str
) -> None:
    assert said in page_of(officer, results[name]).text


def test_both_versions_of_a_superseded_report_have_their_trace(
    officer: httpx.Client, results: dict[str, ChainResult]
) -> None:
    newer = page_of(officer, results["superseded"])
    assert "第 2 版，替代" in newer.text
    listed = Reader(officer.get("/reports/", params={"q": results["superseded"].number}).text).root
    older = [row for row in listed.all("tr") if "已替代" in row.text]
    assert len(older) == 1
    page = Reader(officer.get(next(older[0].all("a")).attributes["href"]).text).root
    assert "已有新版" in page.text
    assert empty_steps(page) == []


@pytest.mark.clause("BJ 9.1.2-a", "CECS-E 3.0.3")
def test_a_void_number_stands_among_the_numbers_with_its_reason(
    officer: httpx.Client, results: dict[str, ChainResult]
) -> None:
    page = Reader(officer.get("/numbers/").text).root
    rows = [row.text for row in page.all("tr") if results["void"].number in row.text]
    assert len(rows) == 1
    assert "作废" in rows[0]
    assert VOID_REASON in rows[0]


@pytest.mark.parametrize("name", ["cube", "withheld"])
def test_the_stranger_sees_no_trace(
    running_platform: Any, results: dict[str, ChainResult], name: str
) -> None:
    address = f"{running_platform.url}/reports/{results[name].entries['application']}/"
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 404
    assert results[name].number not in answer.text
