"""The curve sm2p256v1 in plain integers (椭圆曲线), GB/T 32918.5.

Checks of points and ranges stand here for both backends. The arithmetic is for the pure backend alone: Python's
integers do not run in constant time.
"""

from __future__ import annotations

from dataclasses import dataclass

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
#: Order of the base point.
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

#: Jacobian coordinates (X, Y, Z); Z = 0 is the point at infinity.
_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class Point:
    """A finite point of the curve (曲线上的点); ValueError for coordinates that are not."""

    x: int
    y: int

    def __post_init__(self) -> None:
        if not (0 <= self.x < P and 0 <= self.y < P):
            raise ValueError("a coordinate of the point is out of range")
        if (self.y * self.y - (self.x * self.x + A) * self.x - B) % P:
            raise ValueError("the point is not on the curve sm2p256v1")

    def encode(self) -> bytes:
        """65 bytes, uncompressed: 04 ‖ x ‖ y."""
        return b"\x04" + self.x.to_bytes(32, "big") + self.y.to_bytes(32, "big")

    def encode_compressed(self) -> bytes:
        """33 bytes: 02 or 03 by the parity of y, then x."""
        return bytes([2 + (self.y & 1)]) + self.x.to_bytes(32, "big")


BASE = Point(
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)


def decode_point(data: bytes) -> Point:
    """Point of 65 (04 ‖ x ‖ y) or 33 bytes (02 or 03 ‖ x); ValueError for anything else."""
    if len(data) == 65 and data[0] == 4:
        return Point(int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big"))
    if len(data) == 33 and data[0] in (2, 3):
        x = int.from_bytes(data[1:], "big")
        # p ≡ 3 mod 4: a power gives the root, and Point refuses it where there is none.
        y = pow((x * x + A) * x + B, (P + 1) // 4, P)
        return Point(x, y if y & 1 == data[0] & 1 else P - y)
    raise ValueError("a point has 65 bytes beginning 04, or 33 bytes beginning 02 or 03")


def multiply(scalar: int, point: Point = BASE) -> Point:
    """``scalar`` times ``point``, for 0 < scalar < n: always 256 doublings and 256 additions (Montgomery ladder)."""
    if not 0 < scalar < N:
        raise ValueError("the scalar is out of range")
    low, high = _INFINITY, (point.x, point.y, 1)
    for bit in range(255, -1, -1):
        if scalar >> bit & 1:
            low, high = _add(low, high), _double(high)
        else:
            low, high = _double(low), _add(low, high)
    found = _affine(low)
    if found is None:
        raise ValueError("the multiple is the point at infinity")
    return found


def multiply_sum(first: int, second: int, point: Point) -> Point | None:
    """``first``·G + ``second``·point for public scalars (not constant in time); None for infinity."""
    base, other = (BASE.x, BASE.y, 1), (point.x, point.y, 1)
    table = (None, base, other, _add(base, other))
    total = _INFINITY
    for bit in range(255, -1, -1):
        total = _double(total)
        chosen = table[(first >> bit & 1) | (second >> bit & 1) << 1]
        if chosen is not None:
            total = _add(total, chosen)
    return _affine(total)


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z or not y:
        return _INFINITY
    square, z_square = y * y % P, z * z % P
    middle = 4 * x * square % P
    slope = 3 * (x - z_square) * (x + z_square) % P  # a = −3
    new_x = (slope * slope - 2 * middle) % P
    return new_x, (slope * (middle - new_x) - 8 * square * square) % P, 2 * y * z % P


def _add(left: _Jacobian, right: _Jacobian) -> _Jacobian:
    if not left[2]:
        return right
    if not right[2]:
        return left
    left_z, right_z = left[2] * left[2] % P, right[2] * right[2] % P
    x, other_x = left[0] * right_z % P, right[0] * left_z % P
    y, other_y = left[1] * right_z * right[2] % P, right[1] * left_z * left[2] % P
    if x == other_x:
        return _double(left) if y == other_y else _INFINITY
    width, rise = (other_x - x) % P, (other_y - y) % P
    square = width * width % P
    cube, shared = width * square % P, x * square % P
    new_x = (rise * rise - cube - 2 * shared) % P
    return new_x, (rise * (shared - new_x) - y * cube) % P, width * left[2] * right[2] % P


def _affine(point: _Jacobian) -> Point | None:
    if not point[2]:
        return None
    inverse = pow(point[2], -1, P)
    square = inverse * inverse % P
    return Point(point[0] * square % P, point[1] * square * inverse % P)
