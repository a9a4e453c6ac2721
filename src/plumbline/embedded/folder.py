"""The data folder: its lock, its format, its passwords, and where the database files lie (数据目录)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets as random_secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from plumbline.embedded.identity import SYSTEM_FOLDER, Identity
from plumbline.embedded.problems import DataFolderProblem

#: Version of the folder's own layout; raised when an older program could not read it.
FORMAT_VERSION = 1

#: Bytes that must be free to make a database, and to start one.
FREE_TO_INITIALISE = 150 * 1024 * 1024
FREE_TO_START = 32 * 1024 * 1024

_REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}

_FORMAT = "FORMAT"
_LOCK = "lock"
_UNFINISHED = "INITIALISING"
_SECRETS = "secrets.json"
_LOCATION = "pgdata.location"
#: What may lie in a folder that has no FORMAT yet: an interrupted first start, and the processes' logs.
#: What may lie in a folder before the database does: `tls` is made first, since the address must be known.
_OWN_NAMES = {_LOCK, _UNFINISHED, _SECRETS, _LOCATION, "logs", "pgdata", "socket", "tls"}


class DataFolder:
    """One Plumbline data folder. Every refusal is a `DataFolderProblem` with its remedy."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._lock_file: int | None = None

    @property
    def is_initialised(self) -> bool:
        """True when the database was made completely."""
        return (self.path / _FORMAT).exists()

    @property
    def is_locked_here(self) -> bool:
        """True when this object holds the folder."""
        return self._lock_file is not None

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.path / "logs"

    @property
    def pgdata(self) -> Path:
        """Folder of the database files: inside the data folder unless its identity could not reach that."""
        with contextlib.suppress(FileNotFoundError):
            return Path((self.path / _LOCATION).read_text("utf-8").strip())
        return self.path / "pgdata"

    def lock(self) -> None:
        """Take the folder for this process, making it when absent; refuse a second instance."""
        if self._lock_file is not None:
            return
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_a_foreign_folder()
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "?"
            os.close(handle)
            raise DataFolderProblem(
                f"另一个 Plumbline（进程 {holder}）正在使用数据目录 {self.path}，"
                "请先停止它，或用 --data-dir 指定别的目录。",
                f"Another Plumbline (process {holder}) is using the data folder {self.path}; stop it first, "
                "or choose another folder with --data-dir.",
            ) from None
        with explained(self.path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
        self._lock_file = handle

    def unlock(self) -> None:
        """Give the folder free (the lock also ends with the process)."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def begin_initialising(self, identity: Identity) -> Path:
        """Clear what an interrupted first start left, and return the empty place for the database files."""
        with explained(self.path):
            if (self.path / _UNFINISHED).exists():
                shutil.rmtree(self.pgdata, ignore_errors=True)
                (self.path / _LOCATION).unlink(missing_ok=True)
            (self.path / _UNFINISHED).touch(mode=0o600)
            if not identity.reaches(self.path):
                self._relocate(identity)
            pgdata = self.pgdata
            pgdata.mkdir(mode=0o700)
            identity.own(pgdata)
        return pgdata

    def finish_initialising(self, postgres_version: int) -> None:
        """Declare the database complete."""
        write_whole(
            self.path / _FORMAT, f"plumbline {FORMAT_VERSION}\npostgresql {postgres_version}\n", self.path
        )
        (self.path / _UNFINISHED).unlink(missing_ok=True)

    def require_version(self, postgres_version: int) -> None:
        """Refuse a folder of another layout or another PostgreSQL."""
        words = (self.path / _FORMAT).read_text("utf-8", "replace").split()
        layout = words[1] if len(words) > 1 and words[0] == "plumbline" else "?"
        if layout != str(FORMAT_VERSION):
            raise self._other_version(
                f"Plumbline 格式 {layout}", FORMAT_VERSION, f"Plumbline layout {layout}"
            )
        try:
            found = (self.pgdata / "PG_VERSION").read_text("ascii", "replace").strip()
        except FileNotFoundError:
            raise DataFolderProblem(
                f"数据目录 {self.path} 中的数据库文件（{self.pgdata}）缺失或不完整，"
                "请从备份恢复，或用 --data-dir 指定新目录。",
                f"The database files {self.pgdata} of the data folder {self.path} are missing; restore a "
                "backup or choose a new folder with --data-dir.",
            ) from None
        if found != str(postgres_version):
            raise self._other_version(
                f"PostgreSQL {found} 格式", postgres_version, f"the format of PostgreSQL {found}"
            )

    def require_space(self, wanted: int) -> None:
        """Refuse to begin on a disk with less than this many bytes free."""
        places = [place for place in (self.path, self.pgdata.parent) if place.exists()]
        if any(shutil.disk_usage(place).free < wanted for place in places):
            raise full_disk(self.path)

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """Passwords by name, made at first asking and kept in a file that only the owner reads (0600)."""
        path = self.path / _SECRETS
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            guard = os.open(self.path / ".secrets.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)
                kept: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
                wanted = {name: kept.get(name) or random_secrets.token_urlsafe(32) for name in names}
                if any(name not in kept for name in wanted):
                    write_whole(path, json.dumps({**kept, **wanted}, indent=1) + "\n", self.path)
            finally:
                os.close(guard)
        return wanted

    def erase(self) -> None:
        """Remove the folder with all data (for `--reset`); only a Plumbline folder that nobody uses."""
        if not self.path.exists():
            return
        held = self.is_locked_here
        self.lock()
        try:
            pgdata = self.pgdata
            if not pgdata.is_relative_to(self.path):
                shutil.rmtree(pgdata, ignore_errors=True)
            for entry in self.path.iterdir():
                if entry.name == _LOCK:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        finally:
            if not held:
                self.unlock()

    def _relocate(self, identity: Identity) -> None:
        """Point to a place that the database's user may enter: it cannot pass, say, /root (mode 0700).

        The parents' modes are never changed; the rest of the data folder stays where the user wanted it.
        """
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not identity.reaches(SYSTEM_FOLDER):
            raise _unwritable(self.path)
        place = SYSTEM_FOLDER / f"pgdata-{random_secrets.token_hex(8)}"
        write_whole(self.path / _LOCATION, f"{place}\n", self.path)

    def _refuse_a_foreign_folder(self) -> None:
        if self.is_initialised:
            return
        names = {entry.name for entry in self.path.iterdir() if not _is_draft(entry.name)}
        unfinished = _UNFINISHED in names
        if names - _OWN_NAMES or ("pgdata" in names and not unfinished):
            raise DataFolderProblem(
                f"目录 {self.path} 不是 Plumbline 的数据目录且不为空，请用 --data-dir 指定空目录或新目录。",
                f"{self.path} is not empty and not a Plumbline data folder; choose an empty or new one with "
                "--data-dir.",
            )

    def _other_version(self, found: str, wanted: int, english: str) -> DataFolderProblem:
        return DataFolderProblem(
            f"数据目录 {self.path} 是另一版本（{found}）留下的，本程序只认版本 {wanted}，"
            "请用原版本导出数据，或用 --data-dir 指定新目录。",
            f"The data folder {self.path} is of another version ({english}; wanted {wanted}); export it with "
            "that version, or choose a new folder with --data-dir.",
        )


def _is_draft(name: str) -> bool:
    """A hidden companion of one of our files, left by an interrupted write."""
    return name.startswith(".") and any(name.startswith(f".{own.split('.')[0]}.") for own in _OWN_NAMES)


class explained(contextlib.AbstractContextManager[None]):
    """Turns the operating system's refusals inside its block into a `DataFolderProblem`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Re-raise what has a known remedy; let everything else through."""
        if isinstance(error, OSError):
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full_disk(self._folder) from error
            if error.errno in _REFUSALS:
                raise _unwritable(self._folder) from error


def full_disk(folder: Path) -> DataFolderProblem:
    """The problem of a disk without room."""
    return DataFolderProblem(
        f"数据目录 {folder} 所在磁盘空间不足，请清理磁盘，或用 --data-dir 指定空间足够的目录。",
        f"The disk of the data folder {folder} is full; free some space, or choose another with --data-dir.",
    )


def _unwritable(folder: Path) -> DataFolderProblem:
    return DataFolderProblem(
        f"数据目录 {folder} 无法写入，请检查目录权限，或用 --data-dir 指定可写的目录。",
        f"The data folder {folder} cannot be written; check its mode, or choose another with --data-dir.",
    )


def write_whole(path: Path, text: str, folder: Path) -> None:
    """Write a file of mode 0600 so that a reader sees the old text or the new one, never half."""
    with explained(folder):
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
