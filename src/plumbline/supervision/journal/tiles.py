"""Tiles of the log as files (日志分片文件): full tiles of 256 hashes in the layout of C2SP tlog-tiles, for monitors and mirrors.

Derived and idempotent: the files follow from leaves and nodes alone, any worker may write them, and they may be deleted at any time.
"""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from plumbline.supervision.journal.keys import sync_folder, write_temporary

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_BYTES = 32
_INDEX = re.compile(r"(x[0-9]{3}/)*[0-9]{3}")
_LEAVES = "SELECT leaf_hash FROM journal.leaf WHERE epoch = %s AND idx >= %s AND idx < %s ORDER BY idx"
_NODES = "SELECT hash FROM journal.node WHERE epoch = %s AND level = %s AND start >= %s AND start < %s ORDER BY start"


def tile_path(level: int, index: int) -> str:
    """`0/x001/067`: level, then the index in groups of three digits, all but the last with `x`."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join([str(level), *reversed(groups)])


def index_of(text: str) -> int | None:
    """The index that a path names, as `x001/067`; None for anything else."""
    return int(text.replace("x", "").replace("/", "")) if _INDEX.fullmatch(text) else None


class TileStore:
    """Tiles of one epoch under `folder/<epoch>/tile/`."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self._root = folder / str(epoch) / "tile"
        self._epoch = epoch
        self._next: dict[int, int] = {}

    def read(self, level: int, index: int) -> bytes | None:
        """The 8192 bytes of a full tile, or None when it is not (yet) full."""
        try:
            return (self._root / tile_path(level, index)).read_bytes()
        except FileNotFoundError:
            return None

    def publish(self, conn: psycopg.Connection, size: int) -> int:
        """Write the tiles that a log of `size` leaves fills and that are missing; returns how many were written."""
        written = level = 0
        while full := size >> (TILE_HEIGHT * (level + 1)):
            for index in range(self._next.get(level, 0), full):
                path = self._root / tile_path(level, index)
                if not path.exists():
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    write_temporary(path, self.made(conn, level, index)).rename(path)
                    sync_folder(path.parent)
                    written += 1
                self._next[level] = index + 1
            level += 1
        return written

    def made(self, conn: psycopg.Connection, level: int, index: int) -> bytes:
        """The bytes of a full tile as leaves and nodes give them; LookupError when they are not all there."""
        span = 1 << (TILE_HEIGHT * (level + 1))
        low, high = index * span, (index + 1) * span
        statement = _NODES if level else _LEAVES
        depth = [TILE_HEIGHT * level] if level else []
        rows = conn.execute(statement, [self._epoch, *depth, low, high]).fetchall()
        if len(rows) != TILE_WIDTH:
            raise LookupError(f"tile {tile_path(level, index)} has {len(rows)} of {TILE_WIDTH} hashes")
        return b"".join(bytes(row[0]) for row in rows)
