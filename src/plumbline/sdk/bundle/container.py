"""The file of a large bundle (大包的容器): a zip without compression in one exact layout, written as it streams, read member by member.

Every byte follows from names and contents: no dates, no comments, no gaps, 64-bit end records always. So a file of gigabytes needs no
memory but for its directory, any changed byte is noticed, and nothing unpacks to more than it is.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from plumbline.sdk.bundle.archive import BundleProblem

#: Members of one file, and bytes of one member.
MAX_MEMBERS, MAX_MEMBER_BYTES = 600_000, 200 * 1024 * 1024
#: Bytes of a member that is parsed; what is parsed takes many times its size in memory.
MAX_TEXT_BYTES = 64 * 1024 * 1024
#: Folders whose members are only summed, or examined with limits of their own.
_FILES = ("pdf/", "pictures/")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_FAR = struct.Struct("<2HQ")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_TAIL = _END64.size + _LOCATOR.size + _END.size
#: 1 January 1980, the first date that a zip can hold.
_DATE, _WIDE, _FULL = 0x0021, 0xFFFFFFFF, 0xFFFF
_FILE_MODE = 0o100644 << 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member's header begins, how long its bytes are, and what they are summed to."""

    offset: int
    size: int
    crc: int


def _most(name: str) -> int:
    return MAX_MEMBER_BYTES if name.startswith(_FILES) else MAX_TEXT_BYTES


def _local(name: str, place: Place) -> bytes:
    raw = name.encode("ascii")
    values = (20, 0, 0, 0, _DATE, place.crc, place.size, place.size, len(raw), 0)
    return _LOCAL.pack(b"PK\x03\x04", *values) + raw


def _central(name: str, place: Place) -> bytes:
    raw = name.encode("ascii")
    far = _FAR.pack(1, 8, place.offset) if place.offset >= _WIDE else b""
    needed = 45 if far else 20
    sums = (place.crc, place.size, place.size)
    lengths = (len(raw), len(far), 0, 0, 0)
    values = (3 << 8 | needed, needed, 0, 0, 0, _DATE, *sums, *lengths, _FILE_MODE, min(place.offset, _WIDE))
    return _CENTRAL.pack(b"PK\x01\x02", *values) + raw + far


def _end(members: int, size: int, offset: int) -> bytes:
    """The three end records of a directory of `size` bytes at `offset`."""
    wide = _END64.pack(b"PK\x06\x06", 44, 3 << 8 | 45, 45, 0, 0, members, members, size, offset)
    count = min(members, _FULL)
    last = _END.pack(b"PK\x05\x06", 0, 0, count, count, min(size, _WIDE), min(offset, _WIDE), 0)
    return wide + _LOCATOR.pack(b"PK\x06\x07", 0, offset + size, 1) + last


class ContainerWriter:
    """Writes members one after another; nothing but their names and sums is kept."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._places: dict[str, Place] = {}
        self.bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, name: str, data: bytes) -> None:
        """Append a member. ValueError for a name that is there already or may not be one, and for one too large or too many."""
        if name in self._places or _NAME.fullmatch(name) is None:
            raise ValueError(f"not a new member name: {name!r}")
        if len(data) > _most(name) or len(self._places) >= MAX_MEMBERS:
            raise ValueError(f"too large, or one too many: {name}")
        place = Place(self.bytes, len(data), zlib.crc32(data))
        header = _local(name, place)
        self._target.write(header)
        self._target.write(data)
        self._places[name] = place
        self.bytes += len(header) + len(data)

    def close(self) -> None:
        """Write directory and end; the target stays open."""
        offset = self.bytes
        for name, place in self._places.items():
            line = _central(name, place)
            self._target.write(line)
            self.bytes += len(line)
        end = _end(len(self._places), self.bytes - offset, offset)
        self._target.write(end)
        self.bytes += len(end)


@dataclass(frozen=True, slots=True)
class Member:
    """The bytes of a member; `is_intact` says whether header and sum are as the directory states."""

    data: bytes
    is_intact: bool


class ContainerReader:
    """Reads a file that anybody may have made; raises :class:`BundleProblem` unless it is laid out as :class:`ContainerWriter` does."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self.places = self._directory(path.stat().st_size)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str) -> Member:
        """One member; KeyError when there is none of that name."""
        place = self.places[name]
        self._file.seek(place.offset)
        header = _local(name, place)
        found = self._file.read(len(header))
        data = self._file.read(place.size)
        return Member(data, found == header and zlib.crc32(data) == place.crc)

    def _directory(self, length: int) -> dict[str, Place]:
        """Names and places, read from the end and proven to be the only directory that these places can have."""
        if length < _TAIL:
            raise _broken()
        self._file.seek(length - _TAIL)
        tail = self._file.read(_TAIL)
        mark, *_, members, _, size, offset = _END64.unpack_from(tail)
        if mark != b"PK\x06\x06" or offset + size + _TAIL != length or tail != _end(members, size, offset):
            raise _broken()
        if members > MAX_MEMBERS or size > members * (_CENTRAL.size + _FAR.size + 200):
            raise BundleProblem(f"包里的文件太多：{members} 个。", f"Too many members: {members}.")
        self._file.seek(offset)
        directory = self._file.read(size)
        places: dict[str, Place] = {}
        at = begin = 0
        for _ in range(members):
            name, place, line = _line(directory, at, begin)
            if name in places:
                raise BundleProblem(f"包里有两个同名文件：{name}。", f"Two members of one name: {name}.")
            places[name] = place
            at += line
            begin += _LOCAL.size + len(name) + place.size
        if at != size or begin != offset:
            raise _broken()
        return places


def _line(directory: bytes, at: int, begin: int) -> tuple[str, Place, int]:
    """Name, place and length of the directory's line at `at`, whose member must begin at `begin`: no gap, no overlap."""
    if at + _CENTRAL.size > len(directory):
        raise _broken()
    fields = _CENTRAL.unpack_from(directory, at)
    crc, size, name_bytes = fields[7], fields[8], fields[10]
    raw = directory[at + _CENTRAL.size : at + _CENTRAL.size + name_bytes]
    name = raw.decode("ascii", "replace")
    if _NAME.fullmatch(name) is None:
        shown = ascii(name[:80])
        raise BundleProblem(
            f"包里有不该有的文件：{shown}。", f"A member that a bundle does not have: {shown}."
        )
    if size > _most(name):
        raise BundleProblem(f"{name} 太大，没有检查。", f"{name} is too large; not checked.")
    place = Place(begin, size, crc)
    line = _central(name, place)
    if directory[at : at + len(line)] != line:
        zh = f"压缩包的目录里，{name} 一行被改过，或文件被截断、夹带、重新打包过：请用出具时的原文件。"
        raise BundleProblem(
            zh, f"The directory line of {name} is not as written: use the file as it was handed out."
        )
    return name, place, len(line)


def _broken() -> BundleProblem:
    zh = "压缩包的结尾不对：被截断、前后夹带了别的内容，或重新打包过。请用出具时的原文件。"
    en = "The end of the zip is not as it should be: cut, added to or packed anew. Use the file as it was handed out."
    return BundleProblem(zh, en)
