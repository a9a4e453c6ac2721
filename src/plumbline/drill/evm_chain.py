"""A real EVM chain for drills (演练用的链): ganache from npm, as a process that can be killed, and its entry on a platform's list."""

from __future__ import annotations

import subprocess
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import httpx

from plumbline.embedded.ports import free_port
from plumbline.supervision.anchor_commands import run_anchors
from plumbline.supervision.config import Platform

#: Of an account that has funds on that chain and nowhere else.
KEY = "0x" + "17" * 32
WAIT_S = 120.0


class EvmProcess:
    """A ganache node with a folder of its own, so that it can be killed and started again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(trust_env=False, timeout=60)
        self._command = ["node", str(program), "--logging.quiet", "--server.port", str(self.port)]
        self._command += [f"--wallet.accounts={KEY},1000000000000000000000", "--database.dbPath", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)
        until = time.monotonic() + WAIT_S
        while True:
            try:
                self.call("eth_chainId")
                return
            except httpx.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)

    def call(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC question."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        return self.http.post(self.url, json=body).json().get("result")


def enlist(platform: Platform, node: EvmProcess, name: str, *, confirmations: int) -> None:
    """A contract on the node's chain and its line on the platform's list, as an operator makes them; RuntimeError where it fails."""
    key = platform.folder("keys") / f"anchor-{name.replace('/', '_')}.key"
    key.write_text(KEY)
    key.chmod(0o600)
    told = {"url": node.url, "chain_id": 1337, "contract": None, "deploy": True, "every": 1}
    told |= {"trust_domain": "演练", "confirmations": confirmations, "max_gwei": None, "by": "演练"}
    if run_anchors(platform, Namespace(what="add", name=name, **told)):
        raise RuntimeError("the chain could not be registered")
