"""A pytest plugin: tells what was skipped and fails a whole run that left a ring out (测试环守卫).

Loaded by `./plumb test`. PLUMB_RING is `whole`, `quick` or `chosen`; only a whole run is held to have run at
least one test of each ring: a machine without a browser or a database must not look green.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

#: Markers of which a whole run must have carried out at least one test.
RINGS = {"service": "服务", "browser": "浏览器", "replay": "回放", "chain": "上链"}

#: Exit code of a run that left a ring out, whatever else failed: none of pytest's own, so it is never taken for them.
RING_MISSING = 70
_JUDGED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.TESTS_FAILED)


class RingGuard:
    """Counts what ran and why the rest did not."""

    def __init__(self, ring: str) -> None:
        self.ring = ring
        self.carried_out: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test whose body was carried out, and the reason of one that was not; reports of all lanes come by here."""
        if report.skipped:
            self.skipped[_reason(report)] += 1
        elif report.when == "call":
            self.carried_out.update(str(value) for name, value in report.user_properties if name == "ring")

    def missing(self) -> list[str]:
        """The rings of which no test was carried out, for a whole run."""
        if self.ring != "whole":
            return []
        return [name for name in RINGS if not self.carried_out[name]]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        """Turn a pass into a failure when a ring is missing, and a failure into this one."""
        if self.missing() and exitstatus in _JUDGED:
            session.exitstatus = RING_MISSING
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print both in one place."""
        write = terminalreporter.write_line
        terminalreporter.section("测试环")
        for name, label in RINGS.items():
            write(f"{label}（{name}）：已运行 {self.carried_out[name]} 项")
        for reason, count in self.skipped.most_common():
            write(f"跳过 {count} 项：{reason}")
        for name in self.missing():
            write(f"失败：没有运行任何{RINGS[name]}测试（{name}）", red=True)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "")) or "未说明"


#: What takes longest begins first, so that no lane is left with it alone at the end.
LONGEST = (
    "tests/mutants/",
    "tests/acceptance/",
    "tests/browser/",
    "src/plumbline/demo/",
    "tests/service/isolation/",
)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, part in enumerate(LONGEST) if item.nodeid.startswith(part)), len(LONGEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest first; and write the rings of a test into its report, which is all that comes back from a lane."""
    items.sort(key=_rank)
    for item in items:
        item.user_properties.extend(("ring", name) for name in RINGS if item.get_closest_marker(name))


def pytest_configure(config: pytest.Config) -> None:
    """Join the run; a lane of a run leaves counting to the run itself."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(RingGuard(os.environ.get("PLUMB_RING", "chosen")), "plumb-ring-guard")
