"""A thousand workers killed at their work (后台反复被杀): each begins, finds what is due and is killed, most of them while they enter it.

A worker that starts anew each time spends a second or two on loading its modules, in which there is nothing to kill. So one process loads
them once and is forked: the child runs the worker's own `main` and the parent kills it, or the child dies of a failpoint that is armed in
it. The projector is stopped meanwhile now and then: only then does the next worker find undecided what is decided already.

`python -m plumbline.drill.kill.worker_storm KILLS SEED` is that process; it writes one line a kill, which says how far the worker was.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from plumbline.drill.kill.chain import applied
from plumbline.drill.kill.child import put_in_bugs
from plumbline.drill.kill.ledger import Ledger
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import send_once
from plumbline.supervision.journal import failpoints

#: Seconds from a worker's beginning to a kill at random: from before it has looked to after it has worked for a while.
LIFE = (0.02, 0.5)
#: The steps of an entry at which the others die, and their share. Before the last one the worker holds what it has decided: not entered for
#: good, or not known to be.
STEPS = (
    "register.before_append",
    "append.before_commit",
    "append.after_commit",
    "append.after_sign",
    "register.after_append",
)
AIMED = 2 / 3
#: How long such a step is waited for. After so many in a row that none reached nobody waits for one again: what is counted tells it.
STEP_S = 20.0
MISSES = 8
#: TRUST T9: what a killed worker had in hand is done within so many seconds.
DONE_S = 120.0
#: Of so many kills at least one has to meet a worker with a decision in hand, and one decision at least has to come of them: three in ten
#: do and at least half as many decisions as kills come, on a slow machine too, since the worker is waited for.
FAIR = 10
#: Applications that wait at a time, so that every worker finds some; more would only queue up.
WAITING = 6
#: How many kills in a row the projector stands still, so that two of them at least have entered what they decided, and how many it runs.
STILL, RUNNING = 6, 4
_KILLED = re.compile(r"killed (idle|holding|entered)$")
_UNDECIDED = "SELECT count(*) FROM fact.application WHERE state = 'applied'"
#: With what the projector does not know yet: while it stands still, what is sent does not show as waiting.
_AHEAD = """
SELECT (SELECT count(*) FROM fact.application WHERE state = 'applied') + (SELECT h.size - p.pos FROM journal.head h, fact.position p)
"""
_DECIDED = "SELECT count(*) FROM fact.event WHERE kind IN ('code.reserved', 'code.withheld')"
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
    #: How far workers were when they died: `idle`, `holding` (decided, not entered for good), `entered`.
    killed: Counter[str] = field(default_factory=Counter)
    #: Decisions that were made while nobody worked but workers that were killed.
    decided: int = 0
    sent: int = 0
    slowest_s: float = 0.0
    broken: list[str] = field(default_factory=list)
    #: What ended the sending of applications, the name of its type.
    _ended: str = ""
    #: Kills since the projector runs again.
    _turn: int = 0

    @property
    def at_work(self) -> int:
        """Kills that met a worker with a decision in hand."""
        return self.killed["holding"]

    def run(self) -> None:
        """The storm; the site runs gateways and a projector, and no worker."""
        before = self._decisions()
        process = subprocess.Popen(
            [sys.executable, "-m", "plumbline.drill.kill.worker_storm", str(self.kills), str(self.seed)],
            env=self.site.process_environment("worker"),
            stdout=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        assert process.stdout is not None
        stop = threading.Event()
        sender = threading.Thread(target=self._send, args=(stop,), name="applications", daemon=True)
        sender.start()
        try:
            for line in process.stdout:
                self._told(line)
                self.site.tend()
                if not sender.is_alive():
                    break  # nothing more would be due
        finally:
            stop.set()
            sender.join()
            os.killpg(process.pid, signal.SIGKILL)  # with the worker that it has just begun
            process.stdout.close()
            process.wait()
            self.site.pause("projector", on=False)
        self.decided = self._decisions() - before
        self.judge()

    def judge(self) -> None:
        """Whether the storm was one: as many kills as asked for, applications all the while, and a fair share of workers at work."""
        if self._ended:
            self.broken.append(f"报送申请的线程提前停了（{self._ended}），已报 {self.sent} 份")
        if self.killed.total() < self.kills:
            self.broken.append(f"后台只被击杀 {self.killed.total()} 次，应有 {self.kills} 次")
        fair = -(-self.kills // FAIR)
        if self.at_work < fair:
            self.broken.append(f"只有 {self.at_work} 次击杀时后台手上有没入完账的决定，至少应有 {fair} 次")
        if self.decided < fair:
            self.broken.append(f"被击杀的后台只作出 {self.decided} 个决定，至少应有 {fair} 个")

    def finish(self) -> None:
        """Every application has its one decision, in time; the site runs a worker again, which nobody kills and which does what is left."""
        until = time.monotonic() + DONE_S
        while (left := self._waiting()) and time.monotonic() < until:
            self.site.tend()
            time.sleep(0.1)
        if left:
            self.broken.append(f"{left} 份申请在最后一次击杀以后 {DONE_S:.0f} 秒还没有决定")
        self.slowest_s = float(self.site.rows(_SLOWEST)[0][0])
        if self.slowest_s > DONE_S:
            self.broken.append(f"有一份申请等了 {self.slowest_s:.0f} 秒才有决定")

    def _told(self, line: str) -> None:
        """One line of the process; what a worker prints goes by as well, and may be cut in mid-line."""
        if found := _KILLED.search(line.rstrip()):
            self.killed[found[1]] += 1
            self._turn += 1
            if self._turn == RUNNING and not self._stands_still():
                self._turn -= 1  # at the next kill
            elif self._turn == RUNNING + STILL:
                self.site.pause("projector", on=False)
                self._turn = 0

    def _stands_still(self) -> bool:
        """Stop the projector while applications are undecided: they stay so for every worker, whatever is entered. False when none is."""
        self.site.pause("projector", on=True)
        time.sleep(0.05)  # what the database has been told is done
        if int(self.site.rows(_UNDECIDED)[0][0]):
            return True
        self.site.pause("projector", on=False)
        return False

    def _waiting(self) -> int:
        self.site.settle()
        return int(self.site.rows(_UNDECIDED)[0][0])

    def _decisions(self) -> int:
        self.site.settle()
        return int(self.site.rows(_DECIDED)[0][0])

    def _send(self, stop: threading.Event) -> None:
        try:
            self._keep_waiting(stop)
        except Exception as error:  # told by whoever waits for this thread
            self._ended = type(error).__name__

    def _keep_waiting(self, stop: threading.Event) -> None:
        """Send as many applications as are wanted to wait, until told to stop."""
        with self.site.client(0) as client:
            while not stop.is_set():
                if int(self.site.rows(_AHEAD)[0][0]) >= WAITING:
                    time.sleep(0.02)
                    continue
                upload = self.ledger.message(applied(self.site, self.ledger.serial()))
                self.sent += send_once(client, self.site, upload, self.ledger)


# The process that forks ------------------------------------------------------------------------------

_NOTED = {"register.before_append": b"h", "register.after_append": b"e"}
_FAR = {b"": "idle", b"h": "holding", b"e": "entered"}


def _note_entries() -> int:
    """Workers that are forked from now on write into a pipe when they begin an entry and when it is done; its end to read from."""
    from plumbline.supervision.worker import due

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    plain = due.hit

    def noting(name: str) -> None:
        os.write(writer, _NOTED.get(name, b""))
        plain(name)

    due.hit = noting
    return reader


def _how_far(reader: int) -> str:
    """How far the worker was that has just died."""
    try:
        return _FAR[os.read(reader, 1 << 16)[-1:]]
    except BlockingIOError:
        return "idle"


def _ends_within(child: int, seconds: float) -> bool:
    """Whether a process ends in so many seconds; it is left to be waited for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return True
        time.sleep(0.002)
    return False


def _nursery(kills: int, chance: random.Random) -> None:
    """Fork a worker and kill it, again and again."""
    from plumbline.supervision.worker.__main__ import main as work

    put_in_bugs()
    reader, missed = _note_entries(), 0
    for _ in range(kills):
        step, life = chance.choice(STEPS), chance.uniform(*LIFE)
        is_aimed = chance.random() < AIMED and missed < MISSES
        child = os.fork()
        if child == 0:
            try:
                # what others have entered already goes through no more steps than the last
                failpoints.arm({step: "kill", STEPS[-1]: "kill"} if is_aimed else {})
                work()
            finally:
                os._exit(1)  # a worker that ends by itself has failed
        if is_aimed:
            missed = 0 if _ends_within(child, STEP_S) else missed + 1
        else:
            time.sleep(life)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(f"killed {_how_far(reader)}" if was_killed else f"ended by itself: {status}", flush=True)


if __name__ == "__main__":
    _nursery(int(sys.argv[1]), random.Random(int(sys.argv[2])))  # noqa: S311 - a drill's dice, no secret
