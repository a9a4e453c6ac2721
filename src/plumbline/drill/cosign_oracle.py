"""Our cosigner and platform against a C2SP implementation that is not ours (联署互证); it runs in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.embedded.ports import free_port
from plumbline.supervision.journal.cosigners import Configured

if TYPE_CHECKING:
    from plumbline.drill.cosign_story import Stage

#: Verifies notes with the other implementation: `origin`, log key, cosigner key; the note on standard input. Then with one byte changed.
_VERIFY = """
import sys
from aics_tlog import parse_note, parse_vkey, verify_checkpoint
origin, log, cosigner = sys.argv[1:]
text = sys.stdin.read()
def good(note):
    try:
        return verify_checkpoint(parse_note(note), parse_vkey(log), [parse_vkey(cosigner)], 1, expected_origin=origin).ok
    except ValueError:
        return False
lines = text.split("\\n")
lines[1] = str(int(lines[1]) + 1)
print(good(text), good("\\n".join(lines)))
"""


def run_oracle(stage: Stage, path: Path) -> tuple[dict[str, int | float | str], list[str]]:
    """(figures, broken promises): its verifier reads our cosignatures, and its witness follows our log by our worker's requests."""
    env = os.environ | {"PYTHONPATH": str(path)}
    broken: list[str] = []
    origin, log_key = f"{stage.platform.origin}/1", stage.log_keys()[0]
    rows = stage.rows(
        "SELECT c.note || s.line FROM journal.cosignature s JOIN journal.checkpoint c USING (origin, size) "
        "WHERE s.name = 'drill.cosigner/1' ORDER BY c.size DESC LIMIT 20"
    )
    for (note,) in rows:
        command = [sys.executable, "-c", _VERIFY, origin, log_key, stage.configured.keys[0]]
        told = subprocess.run(
            command, input=note, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        if told.stdout.split() != ["True", "False"]:
            broken.append(
                f"别人写的核验程序对我们的联署说 {told.stdout.strip() or told.stderr.strip()[-200:]}"
            )
    followed = _followed(stage, env, origin, log_key, broken)
    return {"别人的核验程序认可的联署": len(rows) - len(broken), "别人的联署程序联署到": followed}, broken


def _followed(stage: Stage, env: dict[str, str], origin: str, log_key: str, broken: list[str]) -> int:
    """Its witness as a second cosigner of our platform, over two growths of the log and a restart in between."""
    config, port = str(stage.folder / "other" / "witness.json"), free_port()
    os.makedirs(stage.folder / "other")

    def call(*arguments: str) -> str:
        command = [sys.executable, "-m", "aics_witness", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout

    call("init", "-c", config, "--name", "other.example/1", "--listen", f"127.0.0.1:{port}")
    call("add-log", "-c", config, "--origin", origin, "--vkey", log_key)
    status = call("status", "-c", config)
    key = next(word for word in status.split() if word.startswith("other.example/1+"))
    other = Configured(url=f"http://127.0.0.1:{port}", keys=(key,), trust_domain="别人的程序")
    stage.list_cosigners(stage.configured, other)
    for _ in range(2):
        serve = [sys.executable, "-m", "aics_witness", "serve", "-c", config, "--log-level", "ERROR"]
        process = subprocess.Popen(serve, env=env)
        try:
            stage.append(37)
            if not stage.await_cosigned("other.example/1"):
                told = stage.rows("SELECT problem FROM ops.cosigner WHERE name = 'other.example/1'")
                broken.append(f"别人写的联署程序没有联署：{told}")
        finally:
            process.kill()
            process.wait(30)
    stage.list_cosigners(stage.configured)
    found = stage.rows(
        "SELECT COALESCE(max(size), 0) FROM journal.cosignature WHERE name = 'other.example/1'"
    )
    return int(found[0][0])
