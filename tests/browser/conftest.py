"""A real city with a few reports, and a real Chromium that complains of nothing (浏览器测试夹具)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from plumbline.acquisition.simulator import BarSteel
from plumbline.demo.cast import Cast, build_cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.city import bar_plan, cube_plan
from plumbline.demo.clients import Clients, open_clients
from plumbline.demo.plan import Oddities
from plumbline.demo.story import SEED, enrol_cast
from plumbline.supervision.config import Platform

CHROMIUM = (
    os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
#: Chromium refuses its sandbox to root; elsewhere it stays on.
ARGUMENTS = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
STEEL = BarSteel(ReL_MPa=447.0, Rm_MPa=611.0, Agt_pct=13.2)


@dataclass(frozen=True, kw_only=True)
class Town:
    """The running platform, its people, and one report of each kind."""

    platform: Platform
    url: str
    cast: Cast
    clients: Clients
    chain: Chain
    results: dict[str, ChainResult] = field(default_factory=dict)

    def code(self, name: str) -> str:
        """The supervision code of a report."""
        return str(self.results[name].code)

    def trace(self, name: str) -> str:
        """Address of the trace of a report."""
        return f"{self.url}/reports/{self.results[name].entries['application']}/"

    def document(self, name: str) -> bytes:
        """The registered PDF, as the public gets it."""
        return httpx.get(f"{self.url}/v/{self.code(name)}/document", trust_env=False).content

    def soon(self, statement: str, *values: object) -> tuple[Any, ...]:
        """The first row that the projector's role sees, as soon as there is one."""
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with psycopg.connect(self.platform.conninfo("plumb_projector")) as conn:
                if row := conn.execute(statement.encode(), values).fetchone():
                    return row
            time.sleep(0.1)
        raise AssertionError("没有等到这一行")


def _common(key: str, part: str) -> dict[str, str]:
    return {
        "key": f"browser/{key}",
        "project": "riverside",
        "unit_work": "3# 楼",
        "part": part,
        "technician": "technician",
    }


def _make(town: Town, now: datetime, where: str) -> None:
    made, start = now - timedelta(days=31), now - timedelta(days=3)
    cubes = cube_plan(
        _common(f"{where}/cube", "五层 ③–⑦ 轴框架柱"),
        seed=61,
        made=made,
        age=28,
        grade="C35",
        strengths=(39.3, 38.6, 40.1),
        start=start,
    )
    bars = bar_plan(
        _common(f"{where}/bar", ""),
        seed=62,
        made=now - timedelta(days=5),
        grade="HRB400E",
        diameter=20,
        steels=(STEEL, STEEL),
        start=start,
    )
    plans = {
        "cube": cubes,
        "bar": bars,
        "withheld": replace(
            cubes,
            key=f"browser/{where}/withheld",
            oddities=Oddities(unwitnessed="夜间连续浇筑，监理未安排见证人员到场"),
        ),
    }
    for name, plan in plans.items():
        town.results[name] = town.chain.run(replace(plan, uid_at=now))


@pytest.fixture(scope="module")
def town(running_platform: Any, request: pytest.FixtureRequest) -> Iterator[Town]:
    """Everybody enrolled; a report of cubes, one of bars, and one whose code is withheld."""
    platform, now = running_platform.platform, datetime.now(UTC)
    enrolment = enrol_cast(platform, at=now, stated=False, today=now.date())
    cast = build_cast(SEED, now.date())
    with open_clients(cast, platform.data_dir, platform.public_url) as clients:
        chain = Chain(clients, cast, enrolment)
        made = Town(platform=platform, url=running_platform.url, cast=cast, clients=clients, chain=chain)
        _make(made, now, request.module.__name__.rpartition(".")[2])
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium a module: beyond it the driver's event loop would stand in the way of other tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="没有 playwright，浏览器测试没有跑")
    if CHROMIUM is None:
        pytest.skip("没有 Chromium，浏览器测试没有跑")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@dataclass(kw_only=True)
class Visitor:
    """One person at one screen; what the browser complained of is kept."""

    page: Any
    town: Town
    complaints: list[str] = field(default_factory=list)

    def goto(self, path: str) -> Any:
        """Open an address of the platform; answers the response."""
        return self.page.goto(path if path.lower().startswith("http") else self.town.url + path)

    def enter(self, card: str) -> None:
        """Come in by a role card."""
        self.goto("/")
        self.page.locator(f'form[action="/demo/sign-in/{card}/"] button').click()
        self.page.wait_for_selector('form[action="/demo/sign-out/"]')

    def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something holds. Asked from here: the content policy lets nobody evaluate text in the page."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "没有等到"
            self.page.wait_for_timeout(100)

    def shoot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the page for people to look at."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def inked(self, selector: str) -> int:
        """How many pixels of a canvas have the colour of the curve."""
        return int(self.page.evaluate(_INKED, selector))


_INKED = """selector => {
  const canvas = document.querySelector(selector), pen = canvas.getContext("2d");
  const hex = getComputedStyle(document.documentElement).getPropertyValue("--acc").trim();
  const wanted = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 200 && wanted.every((c, k) => Math.abs(data[i + k] - c) < 24)) { count += 1; }
  }
  return count;
}"""


@pytest.fixture
def visit(browser: Any, town: Town) -> Iterator[Callable[..., Visitor]]:
    """Opens a fresh, signed-out browser; at the end nobody may have met a script error or a policy violation."""
    opened: list[tuple[Any, Visitor]] = []

    def begin(width: int = 390, height: int = 844, **options: Any) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN", **options)
        page = context.new_page()
        visitor = Visitor(page=page, town=town)
        page.on("console", lambda m: visitor.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        opened.append((context, visitor))
        return visitor

    yield begin
    for context, _ in opened:
        context.close()
    assert [text for _, visitor in opened for text in visitor.complaints] == []
