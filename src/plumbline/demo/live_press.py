"""A press that runs while somebody watches (实时演示试验机): chunks as they are read, then the recorded test.

The stream shows a test as it happens and keeps nothing; what counts is the run that is sent at its end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.simulator import SimulatedPress
from plumbline.demo.cast import REPLAY_PROJECT, Cast
from plumbline.demo.chain import Chain, ChainResult
from plumbline.demo.city import cube_plan, simulated_cubes
from plumbline.demo.clients import PartyClient
from plumbline.demo.measure import duration_of
from plumbline.demo.plan import Plan, starts_of
from plumbline.exchange.signatures import Signer, Target, sign_request
from plumbline.sdk.client import Refused, Unreachable

EVERY = timedelta(seconds=30)
UNWATCHED = timedelta(hours=2)
CHUNK_S = 0.5
#: A cube takes about a minute on the machine; sped up to this it leaves the half minute some rest.
TAKES_S = 25.0
_log = logging.getLogger("plumbline.demo.live")


def stream_of(cast: Cast) -> str:
    """Name of the live stream of the cast's press."""
    return f"press-{cast.machines['concrete_cube']}"


@dataclass(slots=True, kw_only=True)
class LivePress:
    """Runs one simulated cube after another on the institution's press until nobody watches for two hours."""

    client: PartyClient
    transport: Signer
    cast: Cast
    chain: Chain
    #: How long the shown test takes, s; the curve keeps the machine's own times.
    takes_s: float = TAKES_S
    pause: Callable[[float], None] = time.sleep
    #: While the institution's line is cut nothing is shown; what it does meanwhile waits elsewhere.
    is_cut_off: Callable[[], bool] = lambda: False
    #: The present; in a demo whose clock was put forward it lies ahead of the host's.
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set or nobody has watched for two hours; a platform out of reach is tried
        again."""
        last_watched, number = time.monotonic(), 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                if self.viewers():
                    last_watched = began
                if not self.is_cut_off():
                    self.one_test(self.now(), number)
            except (Refused, Unreachable, OSError) as error:
                _log.warning("live test was not sent: %s", error)
            if began - last_watched > UNWATCHED.total_seconds():
                _log.info("nobody watched for two hours, the press rests")
                return
            number += 1
            stop.wait(max(1.0, EVERY.total_seconds() - (time.monotonic() - began)))

    def viewers(self) -> int:
        """How many follow the stream; 0 when the platform does not say."""
        answer = self.client.http.get(f"{self.client.base_url}/live/status/{stream_of(self.cast)}")
        if answer.status_code != 200:
            return 0
        return int(msgspec.json.decode(answer.content).get("viewers", 0))

    def one_test(self, now: datetime, number: int) -> ChainResult:
        """Bring a group in, break its last cube live, then send the test and the report on it."""
        plan = live_plan(self.cast, now + timedelta(seconds=self.takes_s), number)
        recordings = plan.recordings()
        plan = replace(plan, recordings=lambda: recordings)
        steps = self.chain.steps(plan)
        # Each resumption carries out the step before; the test is the one that waits for the machine.
        while next(steps) < plan.times.finished:
            pass
        self._stream(plan, recordings[-1])
        try:
            while True:
                # Nothing is sent before the moment that it states: what is logged may not precede what it rests on.
                self._wait_for(next(steps))
        except StopIteration as ended:
            result: ChainResult = ended.value
            return result

    def _wait_for(self, moment: datetime) -> None:
        if (ahead := (moment - self.now()).total_seconds()) > 0:
            self.pause(ahead)

    def _stream(self, plan: Plan, recording: Recording) -> None:
        force = recording.channels[0]
        speed = duration_of(recording).total_seconds() / self.takes_s
        head = {
            "test": plan.key,
            "instrument": self.cast.machines["concrete_cube"],
            "specimen": f"{plan.count}/{plan.count}",
            "grade": plan.grade,
            "part": f"{plan.unit_work} {plan.part}",
            "project": self.cast.projects[plan.project].name,
            "unit": force.unit,
            "scale": force.scale,
            "area_mm2": 22500,
            "started_at": self.now().isoformat(),
            "speed": round(speed, 2),
            # A simulated machine has no hand control; what the page says of a real one comes from its own driver.
            "load_control": "automatic",
            "simulated": True,
        }
        self.publish("start", head)
        began = time.monotonic()
        for times, values in SimulatedPress.samples(recording, CHUNK_S * speed):
            # Sleep until the chunk is due, so that the calls themselves do not add up.
            self.pause(max(0.0, float(times[-1]) / speed - (time.monotonic() - began)))
            counts = np.rint(values / float(force.scale)).astype(np.int64)
            at_us = np.rint(times * 1e6).astype(np.int64)
            self.publish("samples", {"t_us": at_us.tolist(), "v": counts.tolist()})
        self.publish("end", {"reason": "broken", "peak_kN": recording.peak.value.text})

    def publish(self, event: str, data: dict[str, Any]) -> None:
        """Send one event of the stream, signed like every other call; `Refused` when the platform
        declines."""
        uri = f"{self.client.base_url}/live/publish/{stream_of(self.cast)}"
        body = msgspec.json.encode({"event": event, "data": data})
        signed = sign_request(
            self.transport, Target(method="POST", uri=uri), body, body, created=int(time.time())
        )
        answer = self.client.http.post(
            uri, content=body, headers={"Content-Type": "application/json", **signed}
        )
        if answer.status_code >= 400:
            raise Refused({"title": f"实时曲线没有被接受（{answer.status_code}）"}, answer.status_code)


def live_plan(cast: Cast, ends_at: datetime, number: int) -> Plan:
    """A group of cubes of 28 days whose last one breaks at `ends_at` (aware); the seed follows from the time."""
    seed = int(ends_at.timestamp()) % 100_000_000
    rng = np.random.default_rng([cast.seed, seed])
    grade = ("C30", "C35", "C40")[number % 3]
    strengths = tuple(round(float(grade[1:]) * float(rng.normal(1.17, 0.03)), 2) for _ in range(3))
    works = next(each for key, each in cast.projects.items() if key != REPLAY_PROJECT)
    common = {
        "key": f"live/{seed}",
        "project": works.key,
        "unit_work": works.unit_works[-1],
        "part": f"{3 + number % 9} 层 ①–⑤ 轴框架柱",
        "technician": "technician",
    }
    _, over = starts_of(ends_at, simulated_cubes(seed, strengths, grade))
    first = ends_at - (over - ends_at)
    plan = cube_plan(
        common,
        seed=seed,
        made=first - timedelta(days=28),
        age=28,
        grade=grade,
        strengths=strengths,
        start=first,
    )
    # The paper work of a demonstration follows at once, in its order.
    done = [plan.times.finished + timedelta(milliseconds=200 * step) for step in range(1, 5)]
    times = replace(plan.times, reviewed=done[0], approved=done[1], applied=done[2], registered=done[3])
    return replace(plan, times=times, uid_at=ends_at)
