"""The script `plumb`: old Pythons, interrupted installations, two at once, the rings."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "plumb"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the script is only in the repository")


@pytest.fixture
def plumb() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("plumb_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader("plumb_script", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """The real script with an empty lock and a command line that only greets: no network is needed."""
    root = tmp_path / "项目 with a blank"
    (root / "requirements").mkdir(parents=True)
    package = root / "src" / "plumbline"
    package.mkdir(parents=True)
    shutil.copy(SCRIPT, root / "plumb")
    for name in ("server", "test"):
        (root / "requirements" / f"{name}.lock").write_text(f"# {name}: nothing is needed\n")
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text("import sys\nprint('hello', sys.prefix, *sys.argv[1:])\n")
    return root


def run(root: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PLUMB_VENV", "PYTHONPATH")}
    argv = [sys.executable, str(root / "plumb"), *arguments]
    return subprocess.Popen(argv, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_script_parses_on_old_pythons_and_needs_the_standard_library_only() -> None:
    tree = ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 6))
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert names <= sys.stdlib_module_names
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 99)])
def test_an_old_python_gets_one_sentence(plumb: ModuleType, version: tuple[int, int, int]) -> None:
    sentence = plumb.refusal_of_python(version)
    assert sentence.startswith("需要 Python 3.11 或更高")
    assert ".".join(map(str, version)) in sentence


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (4, 0, 0)])
def test_a_new_python_is_accepted(plumb: ModuleType, version: tuple[int, int, int]) -> None:
    assert plumb.refusal_of_python(version) is None


@pytest.mark.slow
def test_cold_then_warm_start(small_project: Path) -> None:
    output, messages = run(small_project, "demo", "--port", "1").communicate(timeout=120)
    assert output.split("hello ")[1].strip() == f"{small_project / '.venv'} demo --port 1"
    assert "正在准备运行环境" in messages
    output, messages = run(small_project, "verify").communicate(timeout=20)
    assert output.endswith("verify\n")
    assert messages == ""


@pytest.mark.slow
def test_two_at_once_install_once(small_project: Path) -> None:
    both = [run(small_project, "demo") for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert all(output.startswith("hello") for output, _ in answers)
    assert sum("正在准备运行环境" in messages for _, messages in answers) == 1


@pytest.mark.slow
def test_an_interrupted_installation_is_made_anew(plumb: ModuleType, small_project: Path) -> None:
    venv = small_project / ".venv"
    run(small_project, "demo").communicate(timeout=120)
    (venv / plumb.INSTALLING).write_text("1")
    (venv / "half-written").write_text("")
    output, messages = run(small_project, "demo").communicate(timeout=120)
    assert output.startswith("hello")
    assert "正在准备运行环境" in messages
    assert not (venv / "half-written").exists()


@pytest.mark.slow
def test_a_failed_installation_is_not_taken_for_a_whole_one(plumb: ModuleType, small_project: Path) -> None:
    lock = small_project / "requirements" / "server.lock"
    lock.write_text("plumbline-no-such-file @ file:///nowhere.whl --hash=sha256:" + "0" * 64 + "\n")
    for _ in range(2):
        process = run(small_project, "demo")
        messages = process.communicate(timeout=120)[1]
        assert process.returncode == 2
        assert "依赖安装失败" in messages
        assert (small_project / ".venv" / plumb.INSTALLING).exists()


@pytest.fixture
def made_venv(plumb: ModuleType, small_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = small_project / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(plumb, "ROOT", str(small_project))
    monkeypatch.delenv("PLUMB_VENV", raising=False)
    return venv


def test_the_test_lock_holds_the_server_lock(plumb: ModuleType, made_venv: Path) -> None:
    stamp = made_venv / plumb.STAMP
    stamp.write_text(json.dumps({"locks": {"test": plumb.lock_hash("test")}}))
    assert plumb.is_current(str(made_venv), "test")
    assert plumb.is_current(str(made_venv), "server")
    stamp.write_text(json.dumps({"locks": {"server": plumb.lock_hash("server")}}))
    assert plumb.is_current(str(made_venv), "server")
    assert not plumb.is_current(str(made_venv), "test")


@pytest.mark.parametrize("stamp", ["", "{", '{"locks": {"server": "of another lock"}}'])
def test_another_or_broken_stamp_is_not_current(plumb: ModuleType, made_venv: Path, stamp: str) -> None:
    (made_venv / plumb.STAMP).write_text(stamp)
    assert not plumb.is_current(str(made_venv), "server")


def test_a_strange_folder_is_never_removed(plumb: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(plumb.Refusal, match="PLUMB_VENV"):
        plumb.remove_venv(str(tmp_path))
    assert (tmp_path / "holiday.jpg").exists()


def test_debian_without_venv_uses_its_own_pip(
    plumb: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    if not plumb.module_in(sys.executable, "pip"):
        pytest.skip("this Python has no pip to stand for Debian's")
    command = plumb.installer(str(tmp_path / "v"), True)
    assert command[:5] == [sys.executable, "-m", "pip", "--python", str(tmp_path / "v" / "bin" / "python")]
    (tmp_path / "empty.lock").write_text("# nothing\n")
    result = subprocess.run([*command, "-r", str(tmp_path / "empty.lock")], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_python_without_venv_and_pip_gets_one_sentence(
    plumb: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(plumb.Refusal, match="apt install python3-venv"):
        plumb.installer(str(tmp_path / "v"), True)


@pytest.mark.parametrize(
    ("programs", "fonts", "wanted"),
    [
        (("chromium", "fc-list"), "wqy-microhei.ttc", None),
        (("chromium", "fc-list"), "", ["fonts-wqy-microhei"]),
        (("chromium",), "", ["fontconfig", "fonts-wqy-microhei"]),
        (("fc-list",), "", ["chromium", "fonts-wqy-microhei"]),
        (("fc-list",), "wqy-microhei.ttc", ["chromium"]),
    ],
)
def test_a_chinese_font_is_installed_wherever_there_is_none(
    plumb: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    programs: tuple[str, ...],
    fonts: str,
    wanted: list[str] | None,
) -> None:
    """Chromium without one shows boxes, whoever installed it."""
    for name in (*programs, "apt-get"):
        (tmp_path / name).write_text(f"#!/bin/sh\n[ -z '{fonts}' ] || echo '{fonts}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(plumb.os, "geteuid", lambda: 0)
    asked: list[list[str]] = []
    monkeypatch.setattr(plumb, "call", lambda command, settings: asked.append(command))
    plumb.ensure_chromium()
    assert [command[5:] for command in asked if "install" in command] == ([wanted] if wanted else [])


RINGS = """
import pytest
@pytest.mark.service
def test_s(): pass
@pytest.mark.browser
def test_b(): pytest.skip("no browser here")
@pytest.mark.replay
def test_r(): assert {replay}
@pytest.mark.fuse
def test_f(): pytest.skip("no power cuts")
"""


def guarded(tmp_path: Path, ring: str, *options: str, replay: str = "True") -> tuple[int, str]:
    (tmp_path / "test_rings.py").write_text(RINGS.format(replay=replay))
    marks = "[pytest]\nmarkers =\n service: s\n browser: b\n replay: r\n fuse: f\n"
    (tmp_path / "pytest.ini").write_text(marks)
    settings = {
        **os.environ,
        "PLUMB_RING": ring,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(tmp_path)]),
    }
    argv = [sys.executable, "-m", "pytest", "-p", "ring_guard", "-p", "no:cacheprovider", "-q", *options, "."]
    result = subprocess.run(argv, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


def test_a_whole_run_without_a_browser_test_fails(tmp_path: Path) -> None:
    code, output = guarded(tmp_path, "whole")
    assert code == 70
    assert "没有运行任何浏览器测试" in output
    assert "跳过 1 项：no browser here" in output
    assert "没有运行任何服务测试" not in output


@pytest.mark.parametrize("is_there", [True, False])
def test_power_cuts_that_were_skipped_fail_a_run_where_they_could_be_made_and_are_told_elsewhere(
    tmp_path: Path, is_there: bool
) -> None:
    """The guard's own question is answered by a plugin beside it, for /dev/fuse itself is as it is here."""
    answer = "import ring_guard as guard\nlabel, _, absent = guard.CONDITIONAL['fuse']\n"
    answer += f"guard.CONDITIONAL['fuse'] = (label, lambda: {is_there}, absent)\n"
    (tmp_path / "answering.py").write_text(answer)
    code, output = guarded(tmp_path, "whole", "-p", "answering")
    assert code == 70  # there is no browser test either
    assert ("失败：没有运行任何断电与 fsync 出错测试" in output) is is_there
    assert ("注意：本机打不开 /dev/fuse" in output) is not is_there


def test_lanes_count_as_one_run(tmp_path: Path) -> None:
    code, output = guarded(tmp_path, "whole", "-n", "2")
    assert code == 70
    assert "没有运行任何浏览器测试" in output
    assert "服务（service）：已运行 1 项" in output
    assert "跳过 1 项：no browser here" in output


@pytest.mark.parametrize("asked", ["many", "-1", "65"])
def test_lanes_are_a_number(plumb: ModuleType, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("PLUMB_LANES", asked)
    with pytest.raises(plumb.Refusal, match="PLUMB_LANES"):
        plumb.lanes()


def test_an_external_server_has_one_lane(plumb: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUMB_LANES", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/plumb")
    assert plumb.lanes() == 0


def test_a_chosen_run_may_leave_rings_out(tmp_path: Path) -> None:
    code, output = guarded(tmp_path, "chosen")
    assert code == 0
    assert "回放（replay）：已运行 1 项" in output


def test_a_failing_test_still_fails_and_counts_as_run(tmp_path: Path) -> None:
    code, output = guarded(tmp_path, "whole", replay="False")
    assert code == 70
    assert "没有运行任何回放测试" not in output
