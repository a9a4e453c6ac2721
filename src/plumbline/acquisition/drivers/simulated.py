"""Driver that plays a recording of the simulated press (模拟试验机驱动)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from plumbline.acquisition.curve_scale import exact_value
from plumbline.acquisition.press import BadLine, Ended, Reading
from plumbline.acquisition.recordings.model import Recording
from plumbline.acquisition.simulator.press import SimulatedPress


class SimulatedDriver:
    """Plays a recording; ``pace`` is called with the seconds of each piece before it is delivered.

    Pass ``time.sleep`` for a live demonstration; without it everything comes at once.
    """

    def __init__(
        self, recording: Recording, chunk_s: float = 0.2, pace: Callable[[float], object] | None = None
    ) -> None:
        self._recording = recording
        self._chunk_s = chunk_s
        self._pace = pace

    def events(self) -> Iterator[Reading | BadLine | Ended]:
        """The recording's readings in order, then the end."""
        force = self._recording.channels[0]
        done = 0
        for times, _ in SimulatedPress.samples(self._recording, self._chunk_s):
            if self._pace is not None:
                self._pace(self._chunk_s)
            for time in times:
                yield Reading(round(float(time) * 1e6), exact_value(int(force.counts[done]), force.scale))
                done += 1
        yield Ended("finished")
