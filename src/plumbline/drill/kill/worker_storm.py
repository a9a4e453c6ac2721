"""A thousand workers killed at their work (后台反复被杀): each begins, finds what is due, and is killed at a random moment of it.

A worker that starts anew each time spends a second or two on loading its modules, in which there is nothing to kill. So one process loads
them once and is forked: the child runs the worker's own `main`, the parent kills it.

`python -m plumbline.drill.kill.worker_storm KILLS SEED` is that process; it writes one line a kill.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from plumbline.drill.kill.chain import applied
from plumbline.drill.kill.child import put_in_bugs
from plumbline.drill.kill.ledger import Ledger
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import send_once

#: Seconds from a worker's beginning to its end: from before it has looked to after it has worked for a while.
LIFE = (0.02, 0.5)
#: TRUST T9: what a killed worker had in hand is done within so many seconds.
DONE_S = 120.0
#: Applications that wait at a time, so that every worker finds some; more would only queue up.
WAITING = 6
_UNDECIDED = "SELECT count(*) FROM fact.application WHERE state = 'applied'"
_SLOWEST = """
SELECT coalesce(max(extract(epoch FROM d.logged_at - a.logged_at)), 0)::float8
  FROM fact.event a JOIN fact.event d ON d.subject = a.id AND d.kind IN ('code.reserved', 'code.withheld')
 WHERE a.kind = 'report.applied'
"""


@dataclass(slots=True)
class WorkerStorm:
    """Kills workers while applications come in that only a worker decides."""

    site: Site
    ledger: Ledger
    kills: int
    seed: int = 1
    killed: int = 0
    #: Kills while an application waited for its decision.
    at_work: int = 0
    sent: int = 0
    slowest_s: float = 0.0
    broken: list[str] = field(default_factory=list)

    def run(self) -> None:
        """The storm; the site runs gateways and a projector, and no worker. Afterwards a worker that nobody kills finishes what is left."""
        process = subprocess.Popen(
            [sys.executable, "-m", "plumbline.drill.kill.worker_storm", str(self.kills), str(self.seed)],
            env=self.site.process_environment("worker"),
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert process.stdout is not None
        stop = threading.Event()
        sender = threading.Thread(target=self._send, args=(stop,), name="applications", daemon=True)
        sender.start()
        try:
            for line in process.stdout:
                # what a worker prints goes by here as well, and may be cut in mid-line
                if line.rstrip().endswith("killed"):
                    self.killed += 1
                    self.at_work += self._waiting() > 0
                self.site.tend()
        finally:
            stop.set()
            sender.join()
            process.kill()
            process.stdout.close()
            process.wait()

    def finish(self) -> None:
        """Every application has its one decision, in time; the site runs a worker again."""
        until = time.monotonic() + DONE_S
        while (left := self._waiting()) and time.monotonic() < until:
            self.site.tend()
            time.sleep(0.1)
        if left:
            self.broken.append(f"{left} 份申请在最后一次击杀以后 {DONE_S:.0f} 秒还没有决定")
        self.slowest_s = float(self.site.rows(_SLOWEST)[0][0])
        if self.slowest_s > DONE_S:
            self.broken.append(f"有一份申请等了 {self.slowest_s:.0f} 秒才有决定")
        if self.killed < self.kills:
            self.broken.append(f"后台只被击杀 {self.killed} 次，应有 {self.kills} 次")

    def _waiting(self) -> int:
        self.site.settle()
        return int(self.site.rows(_UNDECIDED)[0][0])

    def _send(self, stop: threading.Event) -> None:
        with self.site.client(0) as client:
            while not stop.is_set():
                if int(self.site.rows(_UNDECIDED)[0][0]) >= WAITING:
                    time.sleep(0.02)
                    continue
                upload = self.ledger.message(applied(self.site, self.ledger.serial()))
                self.sent += send_once(client, self.site, upload, self.ledger)


def _nursery(kills: int, chance: random.Random) -> None:
    """Fork a worker and kill it, again and again."""
    from plumbline.supervision.worker.__main__ import main as work

    put_in_bugs()
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(1)  # a worker that ends by itself has failed
        time.sleep(chance.uniform(*LIFE))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"ended by itself: {status}", flush=True)


if __name__ == "__main__":
    _nursery(int(sys.argv[1]), random.Random(int(sys.argv[2])))  # noqa: S311 - a drill's dice, no secret
