"""A pytest plugin: tells what was skipped and fails a whole run that left a ring out (测试环守卫).

Loaded by `./plumb test`. PLUMB_RING is `whole`, `quick` or `chosen`; only a whole run is held to have run at
least one test of each ring: a machine without a browser or a database must not look green.

Some faults cannot be made everywhere: a container may have no /dev/fuse, a user may not mount. Such a ring is
held to have run where the machine lets it; where it does not, a whole run says so in yellow and may pass.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: Markers of which a whole run must have carried out at least one test.
RINGS = {"service": "服务", "browser": "浏览器", "replay": "回放", "chain": "上链"}

_SYS_ADMIN = 1 << 21


def has_fuse() -> bool:
    """Whether /dev/fuse can be opened: a container may have the name, and not the right to it."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN; root in a container mostly has not."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        return False
    words = status.partition("CapEff:")[2].split()
    return bool(words) and bool(int(words[0], 16) & _SYS_ADMIN)


def has_compiler() -> bool:
    """Whether there is a C compiler."""
    return bool(shutil.which("cc") or shutil.which("gcc"))


#: Markers of which a whole run must have carried out at least one test where the machine lets it: label, whether it does, what is missing.
CONDITIONAL: dict[str, tuple[str, Callable[[], bool], str]] = {
    "fuse": ("断电与 fsync 出错", has_fuse, "打不开 /dev/fuse"),
    "disk": ("磁盘满", may_mount, "没有挂载权限（CAP_SYS_ADMIN）"),
    "clock": ("时钟跳变", has_compiler, "没有 C 编译器"),
}
LABELS = RINGS | {name: label for name, (label, _, _) in CONDITIONAL.items()}

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
        wanted = [*RINGS, *(name for name, (_, is_possible, _) in CONDITIONAL.items() if is_possible())]
        return [name for name in wanted if not self.carried_out[name]]

    def impossible(self) -> list[str]:
        """For a whole run, what this machine does not let be tried, with the reason; so that nobody takes the pass for more than it is."""
        if self.ring != "whole":
            return []
        return [
            f"本机{absent}，{label}的测试（{name}）一项也没有运行；这次通过不说明这些"
            for name, (label, is_possible, absent) in CONDITIONAL.items()
            if not self.carried_out[name] and not is_possible()
        ]

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
        for name, label in LABELS.items():
            write(f"{label}（{name}）：已运行 {self.carried_out[name]} 项")
        for reason, count in self.skipped.most_common():
            write(f"跳过 {count} 项：{reason}")
        for sentence in self.impossible():
            write(f"注意：{sentence}", yellow=True, bold=True)
        for name in self.missing():
            write(f"失败：没有运行任何{LABELS[name]}测试（{name}）", red=True)


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
        item.user_properties.extend(("ring", name) for name in LABELS if item.get_closest_marker(name))


def pytest_configure(config: pytest.Config) -> None:
    """Join the run; a lane of a run leaves counting to the run itself."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(RingGuard(os.environ.get("PLUMB_RING", "chosen")), "plumb-ring-guard")
