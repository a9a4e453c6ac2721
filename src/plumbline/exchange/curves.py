"""Curve encoding of the wire (曲线编码): delta, zigzag, varint of scaled integers (dzv).

For integers v₀, v₁, …: dᵢ = vᵢ − vᵢ₋₁ (v₋₁ = 0); zᵢ = 2·dᵢ for dᵢ ≥ 0, −2·dᵢ − 1 otherwise; zᵢ is written as
LEB128 (seven bits a byte, least significant first, high bit = more). At most 10⁶ points; a value must fit
into 53 bits so that every language can hold it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import sub

from plumbline.exchange.messages.testing import CurveChannel

MAX_POINTS = 1_000_000
MAX_VALUE = 2**53


class CurveProblem(ValueError):
    """A channel that does not decode. `reason` is a plain Chinese sentence, `too_long` asks for 413."""

    def __init__(self, reason: str, *, too_long: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_long = too_long


class _Numbers(dict[int, bytes]):
    """Difference → its bytes; those of two bytes at most are written once."""

    def __missing__(self, delta: int) -> bytes:
        out = bytearray()
        z = delta << 1 if delta >= 0 else ((-delta) << 1) - 1
        while z > 0x7F:
            out.append((z & 0x7F) | 0x80)
            z >>= 7
        out.append(z)
        if len(out) <= 2:
            self[delta] = bytes(out)
        return bytes(out)


_NUMBERS = _Numbers()


def encode_dzv(values: Iterable[int]) -> bytes:
    """Delta-zigzag-varint bytes of scaled integers."""
    given = list(values)
    return b"".join(map(_NUMBERS.__getitem__, map(sub, given, chain((0,), given))))


def decode_dzv(data: bytes, limit: int = MAX_POINTS) -> list[int]:
    """Scaled integers; raises :class:`CurveProblem` on truncation, overlong numbers or more than `limit`
    points."""
    values: list[int] = []
    value = z = shift = 0
    for byte in data:
        z |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 56:
                raise CurveProblem("dzv 里有一个数超过 8 个字节")
            continue
        value += z >> 1 if not z & 1 else -((z + 1) >> 1)
        if not -MAX_VALUE <= value <= MAX_VALUE:
            raise CurveProblem("dzv 里有一个数超出 53 位整数")
        values.append(value)
        if len(values) > limit:
            raise CurveProblem("一条曲线超过 1 000 000 点", too_long=True)
        z = shift = 0
    if shift:
        raise CurveProblem("dzv 在一个数的中间断了")
    return values


def _base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error too; a character beyond ASCII is none
        raise CurveProblem(f"{name} 不是正确的 base64") from error


def _require_53_bits(values: Sequence[int]) -> None:
    if any(not -MAX_VALUE <= each <= MAX_VALUE for each in values):
        raise CurveProblem("有一个点或时间超出 53 位整数")


def channel_values(channel: CurveChannel) -> list[int]:
    """The scaled integers of a channel from either form it came in; checks `count`."""
    if channel.count > MAX_POINTS:
        raise CurveProblem("一条曲线超过 1 000 000 点", too_long=True)
    if (channel.values is None) == (channel.dzv is None):
        raise CurveProblem("values 和 dzv 必须且只能给一个")
    if channel.values is not None:
        values: Sequence[int] = channel.values
        _require_53_bits(values)
    else:
        values = decode_dzv(_base64(channel.dzv or "", "dzv"))
    if len(values) != channel.count:
        raise CurveProblem(f"count 写的是 {channel.count}，实际有 {len(values)} 点")
    return list(values)


def channel_times_us(channel: CurveChannel) -> list[int]:
    """Times of the points in microseconds since the curve's start."""
    given = [form for form in (channel.period_us, channel.times_us, channel.times_dzv) if form is not None]
    if len(given) != 1:
        raise CurveProblem("period_us、times_us、times_dzv 三者必须且只能给一个")
    if channel.period_us is not None:
        if channel.period_us <= 0:
            raise CurveProblem("period_us 必须大于 0")
        _require_53_bits((channel.start_us, channel.start_us + channel.count * channel.period_us))
        return [channel.start_us + i * channel.period_us for i in range(channel.count)]
    times = (
        channel.times_us
        if channel.times_us is not None
        else decode_dzv(_base64(channel.times_dzv or "", "times_dzv"))
    )
    if len(times) != channel.count:
        raise CurveProblem(f"count 写的是 {channel.count}，时间有 {len(times)} 个")
    _require_53_bits(times)
    return list(times)
