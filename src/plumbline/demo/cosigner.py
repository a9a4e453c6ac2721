"""The demo's cosigner (演示联署方): a process of its own that plays another trust domain, and says that it only plays it."""

from __future__ import annotations

import sys
from pathlib import Path

from plumbline.cosign.cosigner import Cosigner, initialise, trust
from plumbline.cosign.keys import CosignerProblem
from plumbline.embedded.ports import free_port
from plumbline.embedded.supervisor import ProcessSpec
from plumbline.exchange.problems import Problem
from plumbline.supervision.boot import write_trust_roots
from plumbline.supervision.config import Platform
from plumbline.supervision.cosigner_entries import enter
from plumbline.supervision.journal.cosigners import (
    Configured,
    CosignersProblem,
    read_cosigners,
    write_cosigners,
)
from plumbline.supervision.journal.keys import PlatformKeys

NAME = "demo.cosigner.plumbline/1"
TRUST_DOMAIN = "演示（扮作某高校，其实与平台在同一台机器上）"


def cosigner_process(platform: Platform) -> list[ProcessSpec]:
    """Set the cosigner up at first use, put it on the platform's list at a free port; none when its memory is lost."""
    folder, port = platform.data_dir / "cosigner", free_port()
    log_keys = _log_keys(platform)
    try:
        if not (folder / "cosigner.json").exists():
            # A platform of the national suite shows both kinds.
            algorithms = (
                ("ed25519", "sm2") if (platform.folder("keys") / "log-sm2.pem").exists() else ("ed25519",)
            )
            initialise(folder, name=NAME, trust_domain=TRUST_DOMAIN, log_keys=log_keys, algorithms=algorithms)
        trust(folder, log_keys)  # a next epoch of the log is a log of its own
        vkeys = Cosigner(folder).verifier_keys
    except CosignerProblem as problem:
        print(f"演示联署方没有启动：{problem}", file=sys.stderr)
        return []
    marks, keys = platform.folder("marks"), PlatformKeys.load(platform.folder("keys"))
    made = Configured(url=f"http://127.0.0.1:{port}", keys=vkeys, trust_domain=TRUST_DOMAIN)
    try:
        enter(platform, keys, NAME, made, because="演示：看得到联署是什么样子")
    except Problem as problem:  # a log that must not be signed is told by its own processes
        print(f"演示联署方还没有入账：{problem}", file=sys.stderr)
    try:
        write_cosigners(marks, [*(each for each in read_cosigners(marks) if each.name != NAME), made])
    except CosignersProblem as problem:  # what others stand in it is not to be lost
        print(f"演示联署方没有写进名单：{problem}", file=sys.stderr)
    write_trust_roots(platform, keys)
    argv = [sys.executable, "-m", "plumbline.cli", "cosign", "serve", str(folder), "--port", str(port)]
    # Nobody waits for it: the worker sends checkpoints as soon as it answers.
    return [ProcessSpec("cosigner", argv, {"PYTHONUNBUFFERED": "1"})]


def _log_keys(platform: Platform) -> list[str]:
    """The log's keys of every epoch, as `trust.txt` lists them."""
    lines = Path(platform.data_dir / "trust.txt").read_text("utf-8").splitlines()
    return [
        line
        for line in lines
        if line.startswith(f"{platform.origin}/")
        and "-" not in line.partition("+")[0][len(platform.origin) :]
    ]
