"""Looking for many byte strings at once (搜寻明文): in files, archives, PDF streams, packed sessions."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIECE = 8 * 1024 * 1024
#: A stream that unpacks to more is cut: nothing of ours is that large.
_MOST_UNPACKED = 64 * 1024 * 1024
_STREAM = re.compile(rb"stream\r?\n")
_SESSION = re.compile(rb"\.(eJ[A-Za-z0-9_-]{20,})")


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where something stood in clear; the datum itself is not repeated."""

    where: str
    offset: int
    what: str

    def __str__(self) -> str:
        """For the terminal and the kept result."""
        return f"{self.where} 第 {self.offset} 字节起：{self.what}"


class Searcher:
    """Finds patterns by their first four bytes, vectorised; the candidates are then compared whole."""

    def __init__(self, patterns: Mapping[bytes, str]) -> None:
        self._patterns = dict(patterns)
        self.size = len(self._patterns)
        self._longest = max((len(each) for each in patterns), default=1)
        self._by_prefix: dict[int, list[bytes]] = {}
        self._first = np.zeros(65536, dtype=bool)
        self._second = np.zeros(65536, dtype=bool)
        for pattern in patterns:
            prefix = int.from_bytes(pattern[:4], "little")
            self._by_prefix.setdefault(prefix, []).append(pattern)
            self._first[prefix & 0xFFFF] = True
            self._second[prefix >> 16] = True
        self._prefixes = np.array(sorted(self._by_prefix), dtype=np.uint32)

    def in_bytes(self, data: bytes, where: str, start: int = 0) -> list[Hit]:
        """Every place in `data`; `start` is added to the offsets."""
        if len(data) < 4:
            return []
        raw = np.frombuffer(data, dtype=np.uint8).astype(np.uint16)
        pairs = raw[:-1] | raw[1:] << 8
        places = np.flatnonzero(self._first[pairs[:-2]] & self._second[pairs[2:]])
        words = pairs[places].astype(np.uint32) | pairs[places + 2].astype(np.uint32) << 16
        places = places[np.isin(words, self._prefixes)]
        return [
            Hit(where, start + place, self._patterns[pattern])
            for place in places.tolist()
            for pattern in self._by_prefix[int.from_bytes(data[place : place + 4], "little")]
            if data.startswith(pattern, place)
        ]

    def deep(self, data: bytes, where: str) -> list[Hit]:
        """As `in_bytes`, and in what is packed inside: members of an archive, streams of a PDF, sessions."""
        found = self.in_bytes(data, where)
        for name, inner in unpacked(data):
            found += self.in_bytes(inner, f"{where}（{name}）")
        return found

    def in_file(self, path: Path, where: str) -> tuple[list[Hit], int]:
        """Every place in a file, and its size; pieces overlap by the longest pattern."""
        found: list[Hit] = []
        size = 0
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(0)
            if head.startswith((b"%PDF", b"PK\x03\x04")):
                data = file.read()
                return self.deep(data, where), len(data)
            kept = b""
            while piece := file.read(PIECE):
                data = kept + piece
                found += self.in_bytes(data, where, size - len(kept))
                size += len(piece)
                kept = data[-(self._longest - 1) :]
        return list(dict.fromkeys(found)), size

    def in_folder(self, folder: Path, name: str) -> tuple[list[Hit], int, int]:
        """Every place in every file below, number of files, bytes; a file that goes away meanwhile is passed over."""
        found: list[Hit] = []
        files = size = 0
        # os.walk passes over a folder that goes away meanwhile; Path.rglob of Python 3.11 fails on it.
        for path in sorted(Path(inner, file) for inner, _, found in os.walk(folder) for file in found):
            try:
                if not path.is_file() or path.is_symlink():
                    continue
                hits, length = self.in_file(path, f"{name}/{path.relative_to(folder)}")
            except FileNotFoundError:
                continue
            found += hits
            files += 1
            size += length
        return found, files, size


def unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is compressed inside: name and bytes."""
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                inner = archive.read(member)
                yield member, inner
                yield from ((f"{member}/{name}", deeper) for name, deeper in unpacked(inner))
    elif data.startswith(b"%PDF"):
        for number, found in enumerate(_STREAM.finditer(data)):
            if inner := _inflated(data[found.end() :]):
                yield f"流 {number}", inner
    else:
        for number, found in enumerate(_SESSION.finditer(data)):
            if inner := _inflated(_from_base64(found[1])):
                yield f"会话 {number}", inner


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_UNPACKED)
    except zlib.error:
        return b""


def distinct(hits: Iterable[Hit], most: int = 12) -> list[str]:
    """The first few hits as sentences, one for each place and datum."""
    told = list(dict.fromkeys(f"{hit.where}：{hit.what}" for hit in hits))
    return told[:most] + ([f"……另有 {len(told) - most} 处"] if len(told) > most else [])
