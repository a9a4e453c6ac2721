"""What both sides of P2 do alike (只做检查): the checks of a message by the same functions, in one process, and nothing else.

`python -m plumbline.bench.checks_alone FILE`, what a peer is told in the environment: FILE holds requests as the load generator sends
them. Prints the seconds that all of them took.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.bench.load import pack, unpacked
from plumbline.bench.peers.checks import Peer
from plumbline.supervision.memory import settle


def seconds_each(folder: Path, environment: Mapping[str, str], requests: Sequence[bytes]) -> float:
    """Seconds a message of a fresh process that does nothing but check them; RuntimeError where one is refused."""
    file = folder / "checked.requests"
    file.write_bytes(pack(list(requests)))
    argv = [sys.executable, "-m", "plumbline.bench.checks_alone", str(file)]
    done = subprocess.run(
        argv, env=os.environ | environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise RuntimeError(f"the checks alone failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return float(done.stdout) / len(requests)


def apart(request: bytes) -> tuple[dict[str, str], bytes]:
    """(headers by lower-case names, body) of a request as it goes over the wire."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value for name, _, value in lines}, body


def _run(file: Path) -> None:
    peer, requests = Peer.from_env(), [apart(each) for each in unpacked(file.read_bytes())]
    peer.check(*requests[0])  # what is made at the first use is there
    settle()
    begin = time.perf_counter()
    for headers, body in requests:
        peer.check(headers, body)
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
