"""SM4 and its mode GCM in plain Python (分组密码), GB/T 32907, NIST SP 800-38D, RFC 8998.

Slow (some 15 KB/s) and not constant in time: for hosts whose libraries lack the mode, and to check them by.
"""

from __future__ import annotations

import hmac
import struct

TAG_SIZE = 16
_MASK = 0xFFFFFFFF
_FAMILY_KEY = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
#: Byte k of constant j is 7·(4j + k) mod 256.
_CONSTANTS = tuple(int.from_bytes(bytes(7 * (4 * j + k) % 256 for k in range(4)), "big") for j in range(32))
#: The field of GHASH: x¹²⁸ + x⁷ + x² + x + 1, bits reversed.
_GHASH_FIELD = 0xE1 << 120


def _substitution() -> tuple[int, ...]:
    """The S-box by its algebra: affine map, inverse in GF(2⁸) over x⁸+x⁷+x⁶+x⁵+x⁴+x²+1, affine map."""
    powers = [1]
    for _ in range(254):
        value = powers[-1] << 1
        powers.append(value ^ 0x1F5 if value & 0x100 else value)
    inverse = {0: 0} | {value: powers[-at % 255] for at, value in enumerate(powers)}

    def affine(value: int) -> int:
        result = 0xD3
        for by in (0, 1, 3, 6, 7):
            result ^= (value << by | value >> (8 - by)) & 0xFF
        return result

    return tuple(affine(inverse[affine(value)]) for value in range(256))


_SUBSTITUTION = _substitution()


def _turn(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK


def _substitute(word: int) -> int:
    return int.from_bytes(bytes(_SUBSTITUTION[value] for value in word.to_bytes(4, "big")), "big")


def round_keys(key: bytes) -> tuple[int, ...]:
    """The 32 round keys of a key of 16 bytes."""
    words = [word ^ family for word, family in zip(struct.unpack(">4I", key), _FAMILY_KEY, strict=True)]
    for constant in _CONSTANTS:
        mixed = _substitute(words[-3] ^ words[-2] ^ words[-1] ^ constant)
        words.append(words[-4] ^ mixed ^ _turn(mixed, 13) ^ _turn(mixed, 23))
    return tuple(words[4:])


def encrypt_block(keys: tuple[int, ...], block: bytes) -> bytes:
    """One block of 16 bytes; with the round keys in reverse order it is decrypted."""
    a, b, c, d = struct.unpack(">4I", block)
    for key in keys:
        mixed = _substitute(b ^ c ^ d ^ key)
        mixed ^= _turn(mixed, 2) ^ _turn(mixed, 10) ^ _turn(mixed, 18) ^ _turn(mixed, 24)
        a, b, c, d = b, c, d, a ^ mixed
    return struct.pack(">4I", d, c, b, a)


def _multiply(left: int, right: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_GHASH_FIELD if right & 1 else 0)
    return product


def _ghash(subkey: int, associated: bytes, data: bytes) -> int:
    value = 0
    lengths = struct.pack(">QQ", 8 * len(associated), 8 * len(data))
    for part in (associated, data, lengths):
        for at in range(0, len(part), 16):
            value = _multiply(value ^ int.from_bytes(part[at : at + 16].ljust(16, b"\0"), "big"), subkey)
    return value


def _count(keys: tuple[int, ...], nonce: bytes, data: bytes) -> bytes:
    blocks = range(2, 2 + (len(data) + 15) // 16)
    stream = b"".join(encrypt_block(keys, nonce + struct.pack(">I", number)) for number in blocks)
    return bytes(left ^ right for left, right in zip(data, stream, strict=False))


def _tag(keys: tuple[int, ...], nonce: bytes, associated: bytes, ciphertext: bytes) -> bytes:
    subkey = int.from_bytes(encrypt_block(keys, bytes(16)), "big")
    mask = int.from_bytes(encrypt_block(keys, nonce + b"\0\0\0\1"), "big")
    return (_ghash(subkey, associated, ciphertext) ^ mask).to_bytes(16, "big")


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext ‖ tag under a key of 16 and a nonce of 12 bytes."""
    keys = round_keys(key)
    ciphertext = _count(keys, nonce, plaintext)
    return ciphertext + _tag(keys, nonce, associated, ciphertext)


def open_sealed(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
    """Plaintext of ciphertext ‖ tag; None if the tag does not hold."""
    keys, ciphertext = round_keys(key), sealed[:-TAG_SIZE]
    if not hmac.compare_digest(_tag(keys, nonce, associated, ciphertext), sealed[-TAG_SIZE:]):
        return None
    return _count(keys, nonce, ciphertext)
