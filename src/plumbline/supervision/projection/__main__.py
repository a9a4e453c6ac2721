"""`python -m plumbline.supervision.projection`: one projector process (投影进程); several may run, one is active."""

from __future__ import annotations

import signal
import threading

from plumbline.supervision.config import Platform
from plumbline.supervision.heartbeat import Heartbeat
from plumbline.supervision.logs import begin_logging
from plumbline.supervision.memory import settle
from plumbline.supervision.projection.projector import Projector


def main() -> None:
    """Run until SIGTERM."""
    begin_logging()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    platform = Platform.from_env()
    heartbeat = Heartbeat(platform.conninfo("plumb_projector"), "projector")
    heartbeat.start()
    projector = Projector(platform.conninfo("plumb_projector"))
    settle()
    print("projector ready", flush=True)
    try:
        projector.run(stop.is_set)
    finally:
        projector.close()
        heartbeat.stop()


if __name__ == "__main__":
    main()
