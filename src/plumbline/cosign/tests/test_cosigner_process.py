"""The cosigner as a process over loopback HTTP, killed and started again (联署服务)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from plumbline.evidence.checkpoint import open_checkpoint, parse_verifier
from plumbline.evidence.testing import InMemoryLog, make_cosigner
from plumbline.evidence.witnessing import checkpoint_path, format_request

ORIGIN = "demo.log.test"


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "plumbline.cli", "cosign", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    _, _, url, key = process.stdout.readline().split()
    try:
        yield url, key, process
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plumbline.cli", "cosign", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    log, folder = InMemoryLog(ORIGIN), tmp_path / "cosigner"
    log.cosigners.append(make_cosigner("somebody.else", 5))  # a stranger's line is passed over
    log.grow(5)
    made = _run(
        "init",
        str(folder),
        "--name",
        "w/1",
        "--trust-domain",
        "某大学",
        "--log-key",
        log.signer.verifier_key(),
    )
    assert made.returncode == 0, made.stderr
    with _served(folder) as (url, key, process), httpx.Client(trust_env=False, timeout=30) as http:
        trusted = [*log.verifiers, parse_verifier(key)]
        answer = http.post(f"{url}/add-checkpoint", content=format_request(0, [], log.checkpoint()))
        assert answer.status_code == 200
        assert open_checkpoint(log.checkpoint() + answer.text, trusted).cosigned_by[0].name == "w/1"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    log.grow(300)
    with _served(folder) as (url, same, _), httpx.Client(trust_env=False, timeout=30) as http:
        assert same == key
        late = http.post(f"{url}/add-checkpoint", content=format_request(0, [], log.checkpoint()))
        assert (late.status_code, late.text, late.headers["content-type"]) == (409, "5\n", "text/x.tlog.size")
        answer = http.post(
            f"{url}/add-checkpoint", content=format_request(5, log.consistency(5, 305), log.checkpoint())
        )
        assert answer.status_code == 200
        kept = http.get(url + checkpoint_path(ORIGIN)).text
        assert open_checkpoint(kept, trusted).checkpoint.size == 305
        told = http.get(f"{url}/status").json()
        assert (told["trust_domain"], told["logs"][0]["size"]) == ("某大学", 305)
        assert http.post(f"{url}/add-checkpoint", content=b"x" * 200_000).status_code == 413
        assert http.get(f"{url}/etc/passwd").status_code == 404
    next((folder / "state").glob("*.state")).unlink()
    stopped = _run("serve", str(folder), "--port", "0")
    assert stopped.returncode == 1
    assert "--new-key" in stopped.stderr


@pytest.mark.parametrize(
    "arguments",
    [["init", "{}"], ["init", "{}", "--name", "a b", "--trust-domain", "x", "--log-key", "{key}"]],
)
def test_wrong_usage_is_told_in_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    key = InMemoryLog(ORIGIN).signer.verifier_key()
    result = _run(*(each.replace("{key}", key).replace("{}", str(tmp_path / "c")) for each in arguments))
    assert result.returncode in (1, 2)
    assert len(result.stderr.strip().splitlines()) == 1
