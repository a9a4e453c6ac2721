"""A file system that forgets what nobody made durable (断电文件系统): FUSE, all in memory, for the drill of power cuts.

It keeps every file and every folder twice: as processes see it, and as a disk would have it. `fsync` of a file copies its bytes to the
second, `fsync` of a folder its names: creation, rename, link and removal alike. A power cut puts the second in the place of the first;
what a cut would leave can be looked at without one.

`python -m plumbline.drill.kill.lossy_files FOLDER` mounts it there until SIGTERM; :func:`cut_power` cuts, :func:`look` looks. It needs
/dev/fuse, libfuse 2 or 3 and mfusepy (`apt install fuse3`, `pip install plumbline[drill]`); no other module of ours imports it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

#: Making a folder of this name at the top cuts the power; it is refused as ECANCELED when that is done.
CUT = ".power-cut"
#: Making `.fsync-fails-NAME` at the top lets `fsync` fail as EIO below NAME, `.fsync-works-NAME` ends that; `.fsync-hiccup-NAME` lets it
#: fail for one file only, once; never for the note beside one. All are refused as ECANCELED when they are done.
FAILS, WORKS, HICCUP = ".fsync-fails-", ".fsync-works-", ".fsync-hiccup-"
#: Making a folder of the first name at the top writes what changed on the disk since the last time into a file of the second name.
LOOK, SEEN = ".look", ".seen"
_BLOCK = 4096
#: A file so small is told with its bytes.
_TOLD_WHOLE = 1024


@dataclass(slots=True, eq=False)
class Node:
    """A file or a folder."""

    mode: int
    #: Nanoseconds since 1970.
    changed: int = field(default_factory=time.time_ns)
    #: Of a file: bytes as seen, and bytes on the disk.
    seen: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    #: Of a folder: names as seen, and names on the disk.
    names: dict[str, Node] = field(default_factory=dict)
    kept_names: dict[str, Node] = field(default_factory=dict)
    #: Bytes whose `fsync` has failed: the kernel has dropped them from what it will ever write, and does not say so again.
    is_dropped: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    def sync(self) -> None:
        """What `fsync` of it promises, and no more."""
        if not self.is_dropped:
            self.kept = bytes(self.seen)
        self.kept_names = dict(self.names)

    def lose(self) -> None:
        """Back to what the disk has, with everything below."""
        self.seen = bytearray(self.kept)
        self.names = dict(self.kept_names)
        for node in self.names.values():
            node.lose()


class OnDisk(msgspec.Struct, frozen=True, array_like=True):
    """A file as a power cut would leave it now."""

    size: int
    sha256: str
    #: Of a small file.
    data: bytes = b""


class Changes(msgspec.Struct, frozen=True):
    """What is other on the disk than when it was last looked at, by paths such as `/files/ab`."""

    now: dict[str, OnDisk]
    gone: list[str]


def _is_note(path: str) -> bool:
    """What stands beside a file that is coming in: made durable before it, so that it would always be the first that fails."""
    return ".json" in path.rpartition("/")[2]


class LossyTree:
    """The operations of the file system on paths such as `/files/ab`; errors are OSError with errno."""

    def __init__(self) -> None:
        self.root = Node(stat.S_IFDIR | 0o700)
        self.cuts = 0
        #: Folders of the top below which `fsync` fails.
        self.failing: set[str] = set()
        #: Folders of the top below which it fails for the next file.
        self.once: set[str] = set()
        #: Bytes of every file on the disk when it was last looked at.
        self._looked: dict[str, bytes] = {}

    def _find(self, path: str) -> Node:
        node = self.root
        for name in filter(None, path.split("/")):
            found = node.names.get(name)
            if found is None:
                raise OSError(errno.ENOENT, path)
            node = found
        return node

    def _place(self, path: str) -> tuple[Node, str]:
        folder, _, name = path.rstrip("/").rpartition("/")
        return self._find(folder), name

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Attributes."""
        node = self._find(path)
        at = node.changed
        return {
            "st_mode": node.mode,
            "st_size": len(node.seen),
            "st_nlink": 2 if node.is_folder else 1,
            "st_atime": at,
            "st_mtime": at,
            "st_ctime": at,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
        }

    def readdir(self, path: str, fh: int | None = None) -> list[str]:
        """Names in a folder."""
        return [".", "..", *self._find(path).names]

    def mkdir(self, path: str, mode: int) -> None:
        """A new folder, or the power cut."""
        folder, name = self._place(path)
        if name == CUT:
            seen = self.root.names.get(SEEN)
            self.root.lose()
            if seen is not None:  # whoever looked before the cut may still read it
                self.root.names[SEEN] = seen
            self.cuts += 1
            raise OSError(errno.ECANCELED, "the power was cut")
        if name == LOOK:
            self.root.names[SEEN] = Node(
                stat.S_IFREG | 0o600, seen=bytearray(msgspec.json.encode(self._changes()))
            )
            raise OSError(errno.ECANCELED, "looked at")
        self._told(name)
        if name in folder.names:
            raise OSError(errno.EEXIST, path)
        folder.names[name] = Node(stat.S_IFDIR | mode)

    def _changes(self) -> Changes:
        """Since the last time."""
        before, self._looked = self._looked, dict(_on_disk(self.root))
        fresh = {path: kept for path, kept in self._looked.items() if before.get(path) is not kept}
        now = {
            path: OnDisk(
                len(kept), hashlib.sha256(kept).hexdigest(), kept if len(kept) <= _TOLD_WHOLE else b""
            )
            for path, kept in fresh.items()
        }
        return Changes(now, [path for path in before if path not in self._looked])

    def _told(self, name: str) -> None:
        """Names that are no folders but orders."""
        for prefix, act in (
            (FAILS, self.failing.add),
            (WORKS, self.failing.discard),
            (HICCUP, self.once.add),
        ):
            if name.startswith(prefix):
                act(name.removeprefix(prefix))
                raise OSError(errno.ECANCELED, name)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        if self._find(path).names:
            raise OSError(errno.ENOTEMPTY, path)
        self.unlink(path)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        """A new file."""
        folder, name = self._place(path)
        folder.names[name] = Node(stat.S_IFREG | (mode & 0o777))
        return 0

    def open(self, path: str, flags: int) -> int:
        """An open file has no state of its own: operations name the path."""
        self._find(path)
        if flags & os.O_TRUNC:
            self.truncate(path, 0)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int | None = None) -> bytes:
        """Bytes as processes see them."""
        return bytes(self._find(path).seen[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int | None = None) -> int:
        """Bytes that only :meth:`fsync` makes durable."""
        node = self._find(path)
        node.seen.extend(b"\0" * (offset - len(node.seen)))
        node.seen[offset : offset + len(data)] = data
        node.changed = time.time_ns()
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        """Shorter or longer."""
        node = self._find(path)
        node.is_dropped &= length > 0  # what is written anew is not what was dropped
        del node.seen[length:]
        node.seen.extend(b"\0" * (length - len(node.seen)))

    def unlink(self, path: str) -> None:
        """Remove a name; on the disk it stays until its folder is synced."""
        folder, name = self._place(path)
        if folder.names.pop(name, None) is None:
            raise OSError(errno.ENOENT, path)

    def rename(self, old: str, new: str) -> None:
        """Both names change as seen; each folder's `fsync` makes its own change durable."""
        node = self._find(old)
        folder, name = self._place(new)
        self.unlink(old)
        folder.names[name] = node

    def link(self, target: str, source: str) -> None:
        """A second name of a file; `target` is the new one, as libfuse has it."""
        folder, name = self._place(target)
        if name in folder.names:
            raise OSError(errno.EEXIST, target)
        folder.names[name] = self._find(source)

    def chmod(self, path: str, mode: int) -> None:
        """Rights; nobody relies on their durability."""
        node = self._find(path)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Everything belongs to whoever mounted it."""

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        """Times of access and change."""
        self._find(path).changed = times[1] if times else time.time_ns()

    def fsync(self, path: str, datasync: int, fh: int | None = None) -> None:
        """The file's bytes; not its name."""
        node = self._find(path)
        top = path.strip("/").partition("/")[0]
        is_once = top in self.once and not _is_note(path)
        if top in self.failing or is_once:
            if is_once:
                self.once.discard(top)
            node.is_dropped = True
            raise OSError(errno.EIO, path)
        node.sync()

    def fsyncdir(self, path: str, datasync: int, fh: int | None = None) -> None:
        """The folder's names; not the bytes of what they name. A failure here is no more than that: names are in a journal."""
        if path.strip("/").partition("/")[0] in self.failing:
            raise OSError(errno.EIO, path)
        self._find(path).sync()

    def statfs(self, path: str) -> dict[str, int]:
        """Room enough."""
        return {
            "f_bsize": _BLOCK,
            "f_frsize": _BLOCK,
            "f_blocks": 1 << 20,
            "f_bavail": 1 << 20,
            "f_bfree": 1 << 20,
        }


def _on_disk(folder: Node, path: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every file that is reached by names on the disk."""
    for name, node in folder.kept_names.items():
        if node.is_folder:
            yield from _on_disk(node, f"{path}/{name}")
        else:
            yield f"{path}/{name}", node.kept


def look(mounted: Path) -> Changes:
    """What a power cut in this very moment would leave, as far as it is other than when this was last asked."""
    _ask((mounted / LOOK).mkdir)
    return msgspec.json.decode((mounted / SEEN).read_bytes(), type=Changes)


def cut_power(mounted: Path) -> None:
    """Cut the power under a mounted folder, after all its processes were killed."""
    _ask((mounted / CUT).mkdir)


def let_fsync_fail(mounted: Path, name: str, *, on: bool) -> None:
    """From now on `fsync` fails below the folder `name` of the top, or succeeds again."""
    _ask((mounted / f"{FAILS if on else WORKS}{name}").mkdir)


def let_one_fsync_fail(mounted: Path, name: str) -> None:
    """The next `fsync` of a file below the folder `name` of the top fails, once: as kernels tell a failure."""
    _ask((mounted / f"{HICCUP}{name}").mkdir)


def _ask(act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        if error.errno == errno.ECANCELED:
            return
        raise
    raise RuntimeError("not a lossy file system")


def serve(folder: str) -> None:
    """Mount and answer until unmounted."""
    import mfusepy  # type: ignore[import-not-found,import-untyped,unused-ignore]

    class Operations(LossyTree, mfusepy.Operations):  # type: ignore[misc,unused-ignore]
        """What the tree does not have is answered as ENOSYS."""

        use_ns = True

    # One thread: each operation is whole before the next. Nothing is cached outside, so that a cut is seen at once.
    options = {"direct_io": True, "attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    if mfusepy.fuse_version_major == 2:  # later ones write so anyway and know the option no more
        options["big_writes"] = True
    mfusepy.FUSE(Operations(), folder, foreground=True, nothreads=True, **options)


if __name__ == "__main__":
    serve(sys.argv[1])
