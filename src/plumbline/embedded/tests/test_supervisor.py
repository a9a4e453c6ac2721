"""The supervisor: order, readiness, restarts, crash loops, clean stop."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.embedded import processes
from plumbline.embedded.ports import free_port, port_in_use, require_free_port
from plumbline.embedded.problems import ProcessProblem
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, ReadyUrl, Supervisor

FOREVER = "import time; print('ready now', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN);" + FOREVER


def spec(name: str, code: str = FOREVER, **settings: object) -> ProcessSpec:
    values: dict[str, object] = {"ready": ReadyLine("ready now"), "ready_timeout": 10.0, **settings}
    return ProcessSpec(name, [sys.executable, "-u", "-c", code], **values)  # type: ignore[arg-type]


@pytest.fixture
def supervisors() -> Iterator[list[Supervisor]]:
    made: list[Supervisor] = []
    yield made
    for supervisor in made:
        supervisor.stop()


def test_processes_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    record = tmp_path / "record"
    code = (
        "import signal, sys, time\n"
        f"note = lambda word: open({str(record)!r}, 'a').write(word + '\\n')\n"
        "def end(*_):\n    note('stop ' + sys.argv[1]); sys.exit(0)\n"
        "signal.signal(15, end); note('start ' + sys.argv[1]); print('ready now', flush=True)\n"
        "time.sleep(600)"
    )
    names = ("first", "second", "third")
    specs = [ProcessSpec(n, [sys.executable, "-c", code, n], ready=ReadyLine("ready now")) for n in names]
    supervisor = Supervisor(specs, tmp_path / "logs")
    supervisor.start()
    assert list(supervisor.pids) == list(names)
    supervisor.stop()
    words = record.read_text().split("\n")[:-1]
    assert words == [*(f"start {n}" for n in names), *(f"stop {n}" for n in reversed(names))]
    assert supervisor.pids == {}


def test_processes_that_start_together_do_not_wait_for_one_another_but_the_next_one_does(
    tmp_path: Path, supervisors: list[Supervisor]
) -> None:
    code = (
        "import pathlib, sys, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "(folder / sys.argv[1]).touch()\n"
        "while not all((folder / name).exists() for name in sys.argv[2:]): time.sleep(0.01)\n"
        "print('ready now', flush=True); time.sleep(600)"
    )
    one, two = spec("one", code), spec("two", code, together=True)
    last = ProcessSpec("last", [sys.executable, "-c", code, "last"], ready=ReadyLine("ready now"))
    pair = [replace(one, argv=[*one.argv, "1", "2"]), replace(two, argv=[*two.argv, "2", "1"])]
    supervisors.append(Supervisor([*pair, last], tmp_path / "logs"))
    supervisors[0].start()
    assert list(supervisors[0].pids) == ["one", "two", "last"]


def test_output_goes_to_the_log_with_name_and_time(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    supervisors.append(Supervisor([spec("web")], tmp_path))
    supervisors[0].start()
    supervisors[0].stop()
    line = (tmp_path / "web.log").read_text().splitlines()[0]
    assert line.endswith("Z web | ready now")


def test_a_dead_process_is_started_again(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    messages: list[str] = []
    supervisor = Supervisor([spec("web"), spec("worker")], tmp_path, report=messages.append)
    supervisors.append(supervisor)
    supervisor.start()
    before = supervisor.pids
    os.kill(before["web"], signal.SIGKILL)

    def restarted() -> bool:
        supervisor.poll()
        return supervisor.pids.get("web", before["web"]) != before["web"]

    assert processes.wait_until(restarted, 60)
    assert supervisor.pids["worker"] == before["worker"]
    assert "web 意外退出（代码 -9）" in messages[0]


def test_a_finished_process_is_not_started_again_when_told_so(tmp_path: Path) -> None:
    code = "print('ready now', flush=True)"
    supervisor = Supervisor([spec("once", code, restart="on-failure")], tmp_path)
    supervisor.start()
    for _ in range(5):
        supervisor.poll()
        time.sleep(0.02)
    assert supervisor.pids == {}


def test_a_crash_loop_ends_with_the_last_lines(tmp_path: Path) -> None:
    code = (
        "import time; print('ready now', flush=True); time.sleep(.1);"
        "print('no such table'); raise SystemExit(3)"
    )
    supervisor = Supervisor([spec("other"), spec("bad", code)], tmp_path, crash_limit=2)
    with pytest.raises(ProcessProblem) as problem:
        supervisor.run()
    assert "代码 3" in problem.value.chinese
    assert "no such table" in problem.value.chinese
    assert supervisor.pids == {}


def test_a_process_that_ends_at_once_is_reported_and_the_others_stop(tmp_path: Path) -> None:
    supervisor = Supervisor([spec("good"), spec("bad", "raise SystemExit('port taken')")], tmp_path)
    with pytest.raises(ProcessProblem, match="port taken"):
        supervisor.start()
    assert supervisor.pids == {}


def test_a_process_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    late = spec("late", "import time; time.sleep(600)", ready_timeout=0.3)
    with pytest.raises(ProcessProblem, match="没有就绪"):
        Supervisor([late], tmp_path).start()


def test_a_missing_program_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ProcessProblem, match="无法启动"):
        Supervisor([ProcessSpec("ghost", ["/no/such/program"])], tmp_path).start()


def test_a_stubborn_process_is_killed_in_bounded_time(tmp_path: Path) -> None:
    supervisor = Supervisor([spec("stubborn", STUBBORN, stop_timeout=0.3)], tmp_path)
    supervisor.start()
    pid = supervisor.pids["stubborn"]
    begun = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begun < 3
    assert not processes.is_alive(pid)


def test_children_of_a_killed_process_end_too(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    code = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600']);"
        "print('ready now', child.pid, flush=True); time.sleep(600)"
    )
    supervisors.append(Supervisor([spec("parent", code)], tmp_path))
    supervisors[0].start()
    grandchild = int((tmp_path / "parent.log").read_text().split()[-1])
    os.kill(supervisors[0].pids["parent"], signal.SIGKILL)
    time.sleep(0.1)
    supervisors[0].poll()
    assert processes.wait_until(lambda: not processes.is_alive(grandchild), 60)


def test_ready_by_address(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    port = free_port()
    code = (
        "import http.server as h, time; time.sleep(.2);"
        f"h.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler).serve_forever()"
    )
    probe = ReadyUrl(f"http://127.0.0.1:{port}/")
    supervisors.append(Supervisor([spec("site", code, ready=probe, cwd=tmp_path)], tmp_path))
    supervisors[0].start()
    assert port_in_use("127.0.0.1", port)


def test_ready_by_question(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    answers = iter([False, False, True])
    supervisors.append(Supervisor([spec("asked", ready=lambda: next(answers, True))], tmp_path))
    supervisors[0].start()
    assert next(answers, None) is None


OUTER = """
import sys
from pathlib import Path
from plumbline.embedded.supervisor import ProcessSpec, ReadyLine, Supervisor
code = "import time; print('ready now', flush=True); time.sleep(600)"
specs = [ProcessSpec(n, [sys.executable, "-c", code], ready=ReadyLine("ready now")) for n in ("a", "b")]
supervisor = Supervisor(specs, Path(sys.argv[1]))
supervisor.run(lambda: print(*supervisor.pids.values(), flush=True))
print("stopped", flush=True)
"""


def supervising_process(log_dir: Path) -> tuple[subprocess.Popen[str], list[int]]:
    argv = [sys.executable, "-c", OUTER, str(log_dir)]
    outer = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert outer.stdout is not None
    return outer, [int(word) for word in outer.stdout.readline().split()]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_cleanly(tmp_path: Path, signum: signal.Signals) -> None:
    outer, pids = supervising_process(tmp_path)
    assert len(pids) == 2
    outer.send_signal(signum)
    assert outer.communicate(timeout=10)[0] == "stopped\n"
    assert outer.returncode == 0
    assert not any(processes.is_alive(pid) for pid in pids)


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    outer, pids = supervising_process(tmp_path)
    outer.kill()
    outer.communicate()
    assert processes.wait_until(lambda: not any(processes.is_alive(pid) for pid in pids), 60)


def test_a_port_in_use_is_one_sentence() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        port = server.server_port
        assert port_in_use("127.0.0.1", port)
        with pytest.raises(ProcessProblem, match=f"端口 {port}.*已被别的程序占用.*--port"):
            require_free_port("127.0.0.1", port)
    require_free_port("127.0.0.1", port)


def test_the_free_port_is_free() -> None:
    assert not port_in_use("127.0.0.1", free_port())


def test_a_watcher_is_called_while_running(tmp_path: Path) -> None:
    supervisor = Supervisor([spec("web")], tmp_path)
    timer = threading.Timer(8, supervisor.request_stop)
    timer.start()
    supervisor.run(each_second=supervisor.request_stop)
    timer.cancel()
    timer.join()
    assert supervisor.pids == {}
