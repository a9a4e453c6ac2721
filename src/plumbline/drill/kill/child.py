"""How the drill starts the platform's processes (演练进程): the real ones, with a switch for failpoints and, on demand, a seeded bug.

`python -m plumbline.drill.kill.child projector|worker`, or `gateway` as a factory for the ASGI server. PLUMB_DRILL_SWITCH names the
socket by which failpoints are armed while the process runs; PLUMB_DRILL_BUG the bugs to put in,
joined by `+`, which only tests of the drill do.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.supervision.journal import failpoints

if TYPE_CHECKING:
    from starlette.applications import Starlette

SWITCH, BUG = "PLUMB_DRILL_SWITCH", "PLUMB_DRILL_BUG"
_ANSWER_S = 10.0


def gateway() -> Starlette:
    """The gateway's application, as the product makes it."""
    from plumbline.supervision.gateway.app import application

    _prepare()
    return application()


def main() -> None:
    """Run the projector or the worker until SIGTERM."""
    _prepare()
    if sys.argv[1].startswith("projector"):
        from plumbline.supervision.projection.__main__ import main as run
    else:
        from plumbline.supervision.worker.__main__ import main as run
    run()


def put_in_bugs() -> None:
    """The bugs that the environment names; only tests of the drill name any."""
    for bug in filter(None, os.environ.get(BUG, "").split("+")):
        from plumbline.drill.kill.bugs import put_in

        put_in(bug)


def _prepare() -> None:
    put_in_bugs()
    path = Path(os.environ[SWITCH])
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=_serve, args=(listener,), name="switch", daemon=True).start()


def _serve(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        with conn:
            points, struck = json.loads(conn.recv(4096)), failpoints.struck()
            if points is not None:
                failpoints.arm(points)
            conn.sendall(json.dumps(struck).encode())


def arm(switch: Path, points: dict[str, str] | None) -> list[str]:
    """Arm the points of a running child, or with None only ask; those that struck since they were armed. OSError when it is gone."""
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(_ANSWER_S)
        conn.connect(str(switch))
        conn.sendall(json.dumps(points).encode())
        answer = conn.recv(4096)
    if not answer:
        raise ConnectionResetError(switch)
    return list(json.loads(answer))


if __name__ == "__main__":
    main()
