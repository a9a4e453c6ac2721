"""Files on disk against the log (文件与分片的核对): what `blob.stored` says of a file, its row, its bytes, and the tiles.

A tile that is missing is no difference: tiles follow from the log and may be deleted at any time. A file that nobody
registered is one, unless it is what its name says: such a file is what a crash between its rename and its row leaves,
or a restore of the database; nothing speaks of it, and it gets a note once it is older than an upload takes there.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg

from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.platform import BlobStored
from plumbline.exchange.problems import Problem
from plumbline.supervision.journal.audit_gaps import begin_long
from plumbline.supervision.journal.tiles import TileStore, tile_path

#: Between a file's rename and its row.
SETTLED_S = 600.0
#: How many entries are read at once.
CHUNK = 2000
_ENTRIES = """
SELECT l.epoch, l.idx, e.message FROM journal.entry e
  JOIN journal.leaf l ON l.uid = e.uid AND l.sender_id = e.sender_id
 WHERE position('"blob.stored"'::bytea IN e.message) > 0 ORDER BY l.epoch, l.idx
"""
_ROWS = "SELECT encode(sha256, 'hex'), bytes, media_type, encode(uploaded_by, 'hex'), state FROM ops.file"


class _Stated(NamedTuple):
    """What an entry `blob.stored` says of a file."""

    bytes: int
    media_type: str
    uploaded_by: str


def audit_files(
    conninfo: str, files: Path, tiles: Path, *, settled_s: float = SETTLED_S, notes: list[str] | None = None
) -> list[str]:
    """Every stored file is there with the bytes that the log names, nothing else is; every tile is that of the log.

    `notes` takes what is no difference and yet worth a line.
    """
    # Before the database is asked: a file is durable before its row, and its row before its entry.
    seen = _listing(files)
    with psycopg.connect(conninfo) as conn:
        begin_long(conn)
        return audit_blobs(conn, files, seen, settled_s=settled_s, notes=notes) + audit_tiles(conn, tiles)


def _listing(files: Path) -> list[Path]:
    return sorted(
        path for path in files.rglob("*") if path.is_file() and path.relative_to(files).parts[0] != "incoming"
    )


def audit_blobs(
    conn: psycopg.Connection,
    files: Path,
    seen: list[Path] | None = None,
    *,
    settled_s: float = SETTLED_S,
    notes: list[str] | None = None,
) -> list[str]:
    """Entries `blob.stored`, rows of ops.file and files on disk, against one another."""
    seen = _listing(files) if seen is None else seen
    entered = _entered(conn)
    rows = {row[0]: (row[1], row[2], row[3], row[4]) for row in conn.execute(_ROWS).fetchall()}
    found = []
    for sha256 in sorted({*entered, *rows}):
        found += _row_problems(sha256, entered.get(sha256), rows.get(sha256))
        if sha256 in entered or rows[sha256][3] != "announced":
            size = entered[sha256].bytes if sha256 in entered else rows[sha256][0]
            found += _bytes_problems(files / sha256[:2] / sha256, sha256, size)
    for path in seen:
        place, name = path.relative_to(files).as_posix(), path.name
        if place == f"{name[:2]}/{name}" and (name in entered or name in rows):
            continue
        if place != f"{name[:2]}/{name}" or not _has_own_hash(path):
            found.append(f"文件 {place} 没有登记，是多出来的")
        elif notes is not None and _age_s(path) > settled_s:
            notes.append(f"文件 {place} 与它的名字相符，却没有登记：上传中断或恢复备份所余，不属于任何记录")
    return found


def _has_own_hash(path: Path) -> bool:
    """Whether a file is what its name says; one that has gone meanwhile is nobody's concern."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == path.name
    except FileNotFoundError:
        return True


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_ctime
    except FileNotFoundError:
        return 0.0


def _entered(conn: psycopg.Connection) -> dict[str, _Stated]:
    """What the log says of each file; the first entry counts. The entries come in portions: there are as many as files."""
    found: dict[str, _Stated] = {}
    with conn.cursor(name="blobs") as cur:
        cur.itersize = CHUNK
        for _, _, message in cur.execute(_ENTRIES):
            try:
                parsed = parse_message(bytes(message))
            except (msgspec.MsgspecError, ValueError, Problem):
                continue
            if isinstance(parsed, BlobStored):
                found.setdefault(parsed.sha256, _Stated(parsed.bytes, parsed.media_type, parsed.uploaded_by))
    return found


def _row_problems(sha256: str, entry: _Stated | None, row: tuple[int, str, str, str] | None) -> list[str]:
    if entry is None:
        told = row is not None and row[3] == "verified"
        return [f"ops.file 里的文件 {sha256} 说已入账，日志里没有"] if told else []
    if row is None:
        return [f"日志里的文件 {sha256} 在 ops.file 里没有了"]
    wrong = [name for name, mine, theirs in zip(_Stated._fields, row, entry, strict=False) if mine != theirs]
    if row[3] not in ("stored", "verified"):
        wrong.append("state")
    return [f"ops.file 里的文件 {sha256} 与日志不同：{'、'.join(wrong)}"] if wrong else []


def _bytes_problems(path: Path, sha256: str, size: int) -> list[str]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            length = file.tell()
    except FileNotFoundError:
        return [f"文件 {sha256} 不见了"]
    if digest != sha256:
        return [f"文件 {sha256} 的内容被改过（现有 {length} 字节，应有 {size} 字节）"]
    return []


def audit_tiles(conn: psycopg.Connection, tiles: Path) -> list[str]:
    """Tiles that are not what the log gives, and files beside them that are none."""
    sizes: dict[int, int] = dict(conn.execute("SELECT epoch, size FROM journal.head").fetchall())
    ended: dict[int, int] = dict(
        conn.execute(
            "SELECT kept_epoch, kept_size FROM journal.epoch WHERE epoch > 1 ORDER BY epoch"
        ).fetchall()
    )
    found = []
    for path in sorted(each for each in tiles.rglob("*") if each.is_file()):
        place = path.relative_to(tiles).as_posix()
        if path.suffix == ".new":  # being written, or left by a crash: nobody is given it
            continue
        epoch, _, rest = place.partition("/tile/")
        where = _tile_of(rest)
        if not epoch.isdigit() or where is None or int(epoch) not in sizes | ended:
            found.append(f"分片文件 {place} 不属于日志")
            continue
        size = (ended | sizes)[int(epoch)]
        if (where[1] + 1) << (8 * (where[0] + 1)) > size:
            # Of an epoch that has ended a tile may tell what a restore has lost.
            found += [] if int(epoch) in ended else [f"分片文件 {place} 比日志还长"]
        elif TileStore(tiles, int(epoch)).read(*where) != _expected(conn, tiles, int(epoch), where):
            found.append(f"分片文件 {place} 与日志不同")
    return found


def _tile_of(text: str) -> tuple[int, int] | None:
    level, _, index = text.partition("/")
    if not level.isdigit() or not index.replace("x", "").replace("/", "").isdigit():
        return None
    number = int(index.replace("x", "").replace("/", ""))
    return (int(level), number) if tile_path(int(level), number) == text else None


def _expected(conn: psycopg.Connection, tiles: Path, epoch: int, where: tuple[int, int]) -> bytes | None:
    try:
        return TileStore(tiles, epoch).made(conn, *where)
    except LookupError:
        return None
