"""Points of a curve as arrays (曲线点): what the wire says, decoded all at once; every form that is not the usual one goes the long way."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import numpy.typing as npt

from plumbline.exchange.curves import MAX_POINTS, MAX_VALUE, channel_times_us, channel_values
from plumbline.exchange.messages.testing import CurveChannel

Counts = npt.NDArray[np.int64]
#: Numbers of at most so many bytes move by less than 2²⁷ each, so that 10⁶ of them stay within 53 bits.
_MOST_BYTES = 4
#: So many numbers of more than two bytes are put together one by one.
_FEW = 16


def point_values(channel: CurveChannel) -> Counts:
    """The scaled integers of a channel, as `plumbline.exchange.curves.channel_values` gives them; raises what that raises."""
    if channel.dzv is not None and channel.values is None and channel.count <= MAX_POINTS:
        found = _decoded(channel.dzv, channel.count)
        if found is not None:
            return found
    return np.asarray(channel_values(channel), dtype=np.int64)


def point_times_us(channel: CurveChannel) -> Counts:
    """Times of the points, as `plumbline.exchange.curves.channel_times_us` gives them; raises what that raises."""
    if is_regular(channel) and channel.period_us is not None:
        return regular_times_us(channel.start_us, channel.period_us, channel.count)
    return np.asarray(channel_times_us(channel), dtype=np.int64)


def is_regular(channel: CurveChannel) -> bool:
    """Whether the times follow from start, period and count alone, all of them within bounds."""
    start, period = channel.start_us, channel.period_us
    if period is None or channel.times_us is not None or channel.times_dzv is not None:
        return False
    is_short = 0 < period <= MAX_VALUE and -MAX_VALUE <= start and start + channel.count * period <= MAX_VALUE
    return is_short and 0 <= channel.count <= MAX_POINTS


def regular_times_us(start_us: int, period_us: int, count: int) -> Counts:
    """So many times at a regular period."""
    return start_us + period_us * np.arange(count, dtype=np.int64)


def _decoded(text: str, count: int) -> Counts | None:
    """Delta, zigzag, varint of so many short numbers; None for anything else."""
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        return None
    # Before anything is made of them: arrays of numbers are eight times the bytes.
    if data.size > _MOST_BYTES * max(count, 0):
        return None
    last = (data < 0x80).nonzero()[0]
    if not last.size or last.size != count or last[-1] != data.size - 1:
        return None
    zigzag = _joined(data, last)
    return None if zigzag is None else np.cumsum((zigzag >> 1) ^ -(zigzag & 1))


def _joined(data: npt.NDArray[np.uint8], last: Counts) -> Counts | None:
    """The numbers whose last bytes stand at these places; None where one is of more than four bytes."""
    if data.size == 1:
        return data.astype(np.int64)
    # A steady load moves by one byte or two, and only the break by more. Before the first number stands the last byte of all, which
    # begins none.
    before, high = data[last - 1], data[last].astype(np.int64)
    is_two = before >= 0x80
    longer = (is_two & (data[last - 2] >= 0x80)).nonzero()[0]
    if longer.size > _FEW:
        return _of_any_length(data, last)
    zigzag = np.where(is_two, high << 7 | before & 0x7F, high)
    for at in longer.tolist():
        begin, end = int(last[at - 1]) + 1 if at else 0, int(last[at]) + 1
        if end - begin > _MOST_BYTES:
            return None
        zigzag[at] = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[begin:end].tolist()))
    return zigzag


def _of_any_length(data: npt.NDArray[np.uint8], last: Counts) -> Counts | None:
    """The same, place by place for all numbers at once."""
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    longest = int(length.max())
    if longest > _MOST_BYTES:
        return None
    zigzag = (data[first] & 0x7F).astype(np.int64)
    for place in range(1, longest):
        of = np.flatnonzero(length > place)
        zigzag[of] |= (data[first[of] + place] & 0x7F).astype(np.int64) << (7 * place)
    return zigzag
