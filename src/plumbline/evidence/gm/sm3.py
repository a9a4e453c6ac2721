"""SM3 and HMAC-SM3 in plain Python (杂凑算法), GB/T 32905 and GB/T 15852.2: for hosts without OpenSSL 3."""

from __future__ import annotations

import struct

_START = (
    0x7380166F,
    0x4914B2B9,
    0x172442D7,
    0xDA8A0600,
    0xA96F30BC,
    0x163138AA,
    0xE38DEE4D,
    0xB0FB0E4E,
)
_MASK = 0xFFFFFFFF


def _turn(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK


#: Constant of each round, turned as its round turns it.
_CONSTANTS = tuple(_turn(0x79CC4519 if j < 16 else 0x7A879D8A, j % 32) for j in range(64))


def _expand(block: bytes) -> list[int]:
    words = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        mixed = words[j - 16] ^ words[j - 9] ^ _turn(words[j - 3], 15)
        mixed ^= _turn(mixed, 15) ^ _turn(mixed, 23)
        words.append(mixed ^ _turn(words[j - 13], 7) ^ words[j - 6])
    return words


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    words = _expand(block)
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        turned = _turn(a, 12)
        first = _turn((turned + e + _CONSTANTS[j]) & _MASK, 7)
        if j < 16:
            left, right = a ^ b ^ c, e ^ f ^ g
        else:
            left, right = (a & b) | (a & c) | (b & c), (e & f) | (~e & g)
        one = (left + d + (first ^ turned) + (words[j] ^ words[j + 4])) & _MASK
        two = (right + h + first + words[j]) & _MASK
        a, b, c, d = one, a, _turn(b, 9), c
        e, f, g, h = two ^ _turn(two, 9) ^ _turn(two, 17), e, _turn(f, 19), g
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


def sm3(data: bytes) -> bytes:
    """SM3 of ``data``, 32 bytes."""
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack(">Q", 8 * len(data))
    state: tuple[int, ...] = _START
    for at in range(0, len(padded), 64):
        state = _compress(state, padded[at : at + 64])
    return struct.pack(">8I", *state)


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC (RFC 2104) with SM3, 32 bytes."""
    block = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
    inner = sm3(bytes(value ^ 0x36 for value in block) + data)
    return sm3(bytes(value ^ 0x5C for value in block) + inner)
