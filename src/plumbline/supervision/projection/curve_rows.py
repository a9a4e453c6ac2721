"""Curves as they are stored (入库的曲线): points and times packed without loss, and the digest over the integers themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pcodec

from plumbline.exchange.messages.testing import CurveChannel, RunRecorded
from plumbline.supervision.projection.curve_points import (
    Counts,
    is_regular,
    point_times_us,
    point_values,
    regular_times_us,
)
from plumbline.supervision.projection.table import Row

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


_BULKY = ("values", "dzv", "times_us", "times_dzv")


def pack(values: Sequence[int] | Counts) -> bytes:
    """Lossless storage of scaled integers: pcodec, at the noise floor of the sensor."""
    array = np.asarray(values, dtype=np.int64)
    return bytes(pcodec.standalone.simple_compress(array, pcodec.ChunkConfig()))


def unpack(data: bytes) -> list[int]:
    """Inverse of :func:`pack`."""
    return [int(each) for each in unpacked(data).tolist()]


def unpacked(data: bytes) -> Counts:
    """Inverse of :func:`pack`, as an array."""
    result = pcodec.standalone.simple_decompress(data)
    return np.asarray([] if result is None else result, dtype=np.int64)


def begin_digest(times_us: Sequence[int] | Counts) -> Hash:
    """SHA-256 of the canonical integers (not of the compressed bytes), times first: equal curves have equal digests."""
    return hashlib.sha256(_canonical(times_us))


def end_digest(begun: Hash, values: Sequence[int] | Counts) -> str:
    """The digest of a curve of these values, begun with its times; what was begun can go on with other values."""
    digest = begun.copy()
    digest.update(_canonical(values))
    return digest.hexdigest()


def _canonical(numbers: Sequence[int] | Counts) -> bytes:
    return np.asarray(numbers, dtype=">i8").tobytes()


@lru_cache(maxsize=256)
def _regular_times(start_us: int, period_us: int, count: int) -> tuple[bytes, Hash]:
    """(packed, digest begun with them) of times at a regular period: a controller records at few periods, for about as long."""
    times = regular_times_us(start_us, period_us, count)
    return pack(times), begin_digest(times)


def times_of(channel: CurveChannel) -> tuple[bytes, Hash]:
    """The packed times of a curve, and the digest of the curve as far as its times go."""
    if is_regular(channel):
        assert channel.period_us is not None
        return _regular_times(channel.start_us, channel.period_us, channel.count)
    times = point_times_us(channel)
    return pack(times), begin_digest(times)


def curve_rows(m: RunRecorded) -> dict[str, Row]:
    """`ordinal/channel` → row of every curve that has points."""
    rows: dict[str, Row] = {}
    for specimen in m.specimens:
        for channel in specimen.curve.channels if specimen.curve else ():
            values = point_values(channel)
            if not values.size:
                continue
            times, begun = times_of(channel)
            rows[f"{specimen.ordinal}/{channel.channel}"] = {
                "ordinal": specimen.ordinal,
                "channel": channel.channel,
                "unit": channel.unit,
                "scale": channel.scale,
                "points": int(values.size),
                "times_us": times,
                "values": pack(values),
                "digest": end_digest(begun, values),
            }
    return rows


def without_points(run: dict[str, Any]) -> dict[str, Any]:
    """A test as plain JSON values, its curves without their points, which have rows of their own; changes what is given."""
    for specimen in run["specimens"]:
        for channel in (specimen.get("curve") or {}).get("channels", []):
            for name in _BULKY:
                channel.pop(name, None)
    return run
