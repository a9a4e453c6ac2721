"""Frauds in the curve (曲线造假): too few points, copied, drawn, loaded too fast."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from plumbline.acquisition.curve_scale import restore
from plumbline.acquisition.recordings import Recording
from plumbline.acquisition.recordings.model import peak_of
from plumbline.demo.living.drafts import changed
from plumbline.demo.living.frauds.stage import Stage
from plumbline.demo.measure import packed_integers
from plumbline.exchange.curves import channel_times_us, channel_values
from plumbline.exchange.messages.testing import SpecimenRun

FEW_POINTS = 24


def few_points(stage: Stage) -> None:
    """R02: of the whole curve two dozen points are kept."""
    stage.put(changed(stage.group(stage.team(), "a"), changes={"run": _thinned}))


def _thinned(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"specimens": [_with_few_points(each) for each in fields["specimens"]]}


def _with_few_points(specimen: SpecimenRun) -> SpecimenRun:
    assert specimen.curve is not None
    channels = []
    for channel in specimen.curve.channels:
        values, times = channel_values(channel), channel_times_us(channel)
        # The highest reading stays, else load and curve would differ as well.
        kept = sorted(
            {*np.linspace(0, len(values) - 1, FEW_POINTS - 1).astype(int).tolist(), int(np.argmax(values))}
        )
        channels.append(
            msgspec.structs.replace(
                channel,
                count=len(kept),
                period_us=None,
                start_us=0,
                times_us=None,
                times_dzv=packed_integers([times[i] for i in kept]),
                dzv=packed_integers([values[i] for i in kept]),
                values=None,
            )
        )
    return msgspec.structs.replace(specimen, curve=msgspec.structs.replace(specimen.curve, channels=channels))


def copied_curve(stage: Stage) -> None:
    """R03: a second report of the institution is made of the curves of the first, each scaled a little."""
    team = stage.team()
    first = stage.put(stage.group(team, "a"))
    second = stage.group(team, "b", age=28)
    source, factors = first.plan.recordings, (1.021, 0.984, 1.013)
    stage.put(
        changed(
            second,
            recordings=lambda: tuple(scaled(each, by) for each, by in zip(source(), factors, strict=True)),
        )
    )


def scaled(recording: Recording, factor: float) -> Recording:
    """The recording with all forces multiplied, as somebody does who reuses a curve."""
    return _with_force(recording, np.rint(recording.channels[0].counts * factor).astype(np.int64))


def drawn_curve(stage: Stage) -> None:
    """R04: no machine made this curve; its force grows by the same step at every point."""
    placed = stage.group(stage.team(), "a")
    stage.put(changed(placed, recordings=_ruled(placed.plan.recordings)))


def _ruled(source: Callable[[], tuple[Recording, ...]]) -> Callable[[], tuple[Recording, ...]]:
    def drawn() -> tuple[Recording, ...]:
        return tuple(_ruler(each) for each in source())

    return drawn


def _ruler(recording: Recording) -> Recording:
    force = recording.channels[0]
    top = int(force.counts.argmax())
    step = max(1, round(int(force.counts[top]) / top))
    counts = step * np.arange(1, top + 2, dtype=np.int64)
    return _with_force(recording, counts)


def _with_force(recording: Recording, counts: Any) -> Recording:
    """The recording with other counts of force; shorter ones cut every channel."""
    channels = []
    for place, channel in enumerate(recording.channels):
        kept = counts if place == 0 else channel.counts[: counts.size]
        times = None if channel.time_s is None else channel.time_s[: counts.size]
        channels.append(replace(channel, counts=kept, value=restore(kept, channel.scale), time_s=times))
    mark = hashlib.sha256(recording.sha256.encode() + counts.tobytes()).hexdigest()
    return replace(recording, channels=tuple(channels), peak=peak_of(channels[0]), sha256=mark)


def hasty_loading(stage: Stage) -> None:
    """R20: a C30 group is loaded at more than twice the rate that the method permits."""
    stage.put(stage.group(stage.team(), "a", rate=1.7))
