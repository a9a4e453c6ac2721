"""Starts the platform's processes in order, keeps them running, stops them cleanly (进程看护)."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO, Literal

from plumbline.embedded import processes
from plumbline.embedded.problems import ProcessProblem

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0
_STABLE_AFTER = 60.0
_KEPT_LINES = 20
_LOG_LIMIT = 20_000_000
_PROBE_INTERVAL = 0.05


@dataclass(frozen=True)
class ReadyLine:
    """Ready when a line of the output matches this regular expression."""

    pattern: str


@dataclass(frozen=True)
class ReadyUrl:
    """Ready when this address answers with a status below 500."""

    url: str
    #: Certificates that the answer is checked against (PEM); None is for plain HTTP or public ones.
    ca_file: Path | None = None


Probe = Callable[[], bool]


@dataclass(frozen=True)
class ProcessSpec:
    """One process: how to start it, how to know that it is ready, what to do when it ends."""

    #: Name in messages and of the log file.
    name: str
    argv: Sequence[str]
    #: Added to this process's environment.
    env: Mapping[str, str] = field(default_factory=dict)
    #: None: ready at once.
    ready: Probe | ReadyLine | ReadyUrl | None = None
    #: Seconds.
    ready_timeout: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    #: Seconds to end after the stop signal before it is killed.
    stop_timeout: float = 10.0
    #: `on-failure`: not after exit code 0.
    restart: Literal["always", "on-failure", "never"] = "always"
    cwd: Path | None = None
    #: Starts together with the one before it, which it does not need; the next one that does not say so waits for both.
    together: bool = False


class _Child:
    """A spec with its present process."""

    def __init__(self, spec: ProcessSpec, log_dir: Path) -> None:
        self.spec = spec
        self.log_path = log_dir / f"{spec.name}.log"
        self.popen: subprocess.Popen[bytes] | None = None
        self.tail: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.failures: collections.deque[float] = collections.deque()
        self._seen_ready = threading.Event()
        self._reader: threading.Thread | None = None

    def launch(self) -> None:
        self._seen_ready.clear()
        self.restart_at = None
        self.started_at = time.monotonic()
        try:
            self.popen = subprocess.Popen(
                list(self.spec.argv),
                env={**os.environ, **self.spec.env},
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C comes to us alone, and we stop the processes in order.
                start_new_session=True,
                preexec_fn=processes.tied_to_parent(self.spec.stop_signal),
            )
        except OSError as error:
            raise ProcessProblem(
                f"进程 {self.spec.name} 无法启动：{error}",
                f"Process {self.spec.name} cannot be started: {error}",
            ) from error
        assert self.popen.stdout is not None  # asked for above
        self._reader = threading.Thread(target=self._read, args=(self.popen.stdout,), daemon=True)
        self._reader.start()

    def exit_code(self) -> int | None:
        """None while it runs. Its session's leftovers are ended before its number is given back."""
        if self.popen is None:
            return 0
        if self.popen.returncode is None and _has_ended(self.popen.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
            if self._reader is not None:
                self._reader.join(2)
        return self.popen.returncode

    def is_ready(self) -> bool:
        ready = self.spec.ready
        if ready is None:
            return True
        if isinstance(ready, ReadyLine):
            return self._seen_ready.is_set()
        if isinstance(ready, ReadyUrl):
            return _answers(ready)
        try:
            return ready()
        except OSError:
            return False

    def stop(self, seconds: float) -> None:
        if self.popen is None or self.exit_code() is not None:
            return
        self.popen.send_signal(self.spec.stop_signal)
        if not processes.wait_until(lambda: self.exit_code() is not None, seconds):
            self.popen.kill()
            processes.wait_until(lambda: self.exit_code() is not None, 5)

    def last_words(self) -> str:
        return "\n".join(self.tail) or "（没有输出）"

    def _read(self, stream: IO[bytes]) -> None:
        pattern = re.compile(self.spec.ready.pattern) if isinstance(self.spec.ready, ReadyLine) else None
        with stream, self.log_path.open("ab", buffering=0) as log:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                self.tail.append(line)
                stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                with contextlib.suppress(OSError):  # a full disk must not stop the process that writes
                    log.write(f"{stamp} {self.spec.name} | {line}\n".encode())
                if pattern is not None and pattern.search(line):
                    self._seen_ready.set()


class Supervisor:
    """The processes of one command.

    Use `run()` from the main thread: children end with the thread that started them, even when it is killed.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        log_dir: Path,
        *,
        report: Callable[[str], None] | None = None,
        crash_limit: int = 5,
        crash_window: float = 60.0,
    ) -> None:
        self._children = [_Child(spec, log_dir) for spec in specs]
        self._log_dir = log_dir
        self._report = report or (lambda message: None)
        self._crash_limit = crash_limit
        self._crash_window = crash_window
        self._stop_requests = 0

    @property
    def pids(self) -> dict[str, int]:
        """Name → process number of every process that runs."""
        found = {}
        for child in self._children:
            if child.popen is not None and child.popen.returncode is None:
                found[child.spec.name] = child.popen.pid
        return found

    def request_stop(self) -> None:
        """Ask `run()` to end; a second request kills instead of waiting. Safe in a signal handler."""
        self._stop_requests += 1

    def run(
        self, on_ready: Callable[[], None] | None = None, *, each_second: Callable[[], None] | None = None
    ) -> None:
        """Start all, call `on_ready`, watch until SIGINT, SIGTERM or `request_stop()`, stop all in reverse.

        `each_second` runs about once a second (for example to see after the database). `ProcessProblem`
        when a process does not become ready or keeps crashing; everything is stopped before it is raised.
        """
        with self._signals():
            try:
                self.start()
                if on_ready is not None and not self._stop_requests:
                    on_ready()
                self._watch(each_second)
            finally:
                self.stop()

    def start(self) -> None:
        """Start in order, each after those before it are ready, or together with them; on a problem stop what was started."""
        self._log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for group in _together(self._children):
                for child in group:
                    if self._stop_requests:
                        return
                    _turn(child.log_path)
                    child.launch()
                for child in group:
                    # Together they share the processors: the first one may be as late as the last would be, one after another.
                    self._await_ready(child, child.spec.ready_timeout * len(group))
        except BaseException:
            self.stop()
            raise

    def poll(self) -> None:
        """One look at the processes: note deaths, restart what is due. `run()` does this by itself."""
        for child in self._children:
            if child.restart_at is not None:
                if time.monotonic() >= child.restart_at:
                    child.launch()
            elif child.popen is not None and (code := child.exit_code()) is not None:
                self._after_death(child, code)

    def stop(self) -> None:
        """Stop in reverse order; each gets its signal, its time, then is killed. Only our own processes."""
        for child in reversed(self._children):
            child.restart_at = None
            hurried = self._stop_requests > 1
            child.stop(0.2 if hurried else child.spec.stop_timeout)
            child.popen = None

    def _await_ready(self, child: _Child, seconds: float) -> None:
        spec = child.spec

        def settled() -> bool:
            return child.exit_code() is not None or child.is_ready() or self._stop_requests > 0

        in_time = processes.wait_until(settled, seconds, interval=_PROBE_INTERVAL)
        code = child.exit_code()
        if code is not None and not (code == 0 and spec.restart != "always"):
            raise ProcessProblem(
                f"进程 {spec.name} 启动后立即退出（代码 {code}），日志：{child.log_path}\n"
                f"{child.last_words()}",
                f"Process {spec.name} ended right after its start (code {code}); log: {child.log_path}",
            )
        if not in_time:
            raise ProcessProblem(
                f"进程 {spec.name} 在 {seconds:g} 秒内没有就绪，日志：{child.log_path}\n{child.last_words()}",
                f"Process {spec.name} was not ready within {seconds:g} s; log: {child.log_path}",
            )

    def _watch(self, each_second: Callable[[], None] | None) -> None:
        next_second = time.monotonic() + 1
        while not self._stop_requests:
            self.poll()
            if each_second is not None and time.monotonic() >= next_second:
                each_second()
                next_second = time.monotonic() + 1
            time.sleep(_PROBE_INTERVAL)

    def _after_death(self, child: _Child, code: int) -> None:
        spec = child.spec
        child.popen = None
        if spec.restart == "never" or (spec.restart == "on-failure" and code == 0):
            self._report(f"进程 {spec.name} 已结束（代码 {code}）。")
            return
        now = time.monotonic()
        if now - child.started_at > _STABLE_AFTER:
            child.failures.clear()
        child.failures.append(now)
        while child.failures[0] < now - self._crash_window:
            child.failures.popleft()
        if len(child.failures) >= self._crash_limit:
            raise ProcessProblem(
                f"进程 {spec.name} 在 {self._crash_window:g} 秒内退出 {len(child.failures)} 次"
                f"（最后代码 {code}），不再重启，日志：{child.log_path}\n{child.last_words()}",
                f"Process {spec.name} ended {len(child.failures)} times within {self._crash_window:g} s; "
                f"log: {child.log_path}",
            )
        delay = min(_FIRST_DELAY * 2 ** (len(child.failures) - 1), _LONGEST_DELAY)
        child.restart_at = now + delay
        self._report(f"进程 {spec.name} 意外退出（代码 {code}），{delay:g} 秒后重新启动。")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def note(signum: int, frame: FrameType | None) -> None:
            self.request_stop()

        before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def _together(children: Sequence[_Child]) -> list[list[_Child]]:
    groups: list[list[_Child]] = []
    for child in children:
        if groups and child.spec.together:
            groups[-1].append(child)
        else:
            groups.append([child])
    return groups


def _has_ended(pid: int) -> bool:
    """True when the child has ended, without reaping it: its number cannot be reused yet."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _answers(ready: ReadyUrl) -> bool:
    # Never through a proxy of the environment: the address is this machine's own.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ready.ca_file is not None:
        context = ssl.create_default_context(cafile=str(ready.ca_file))
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(ready.url, timeout=2) as answer:
            return int(answer.status) < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


def _turn(log_path: Path) -> None:
    with contextlib.suppress(OSError):
        if log_path.stat().st_size > _LOG_LIMIT:
            os.replace(log_path, log_path.with_suffix(".log.1"))
