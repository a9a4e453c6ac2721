"""The system identity that PostgreSQL runs under, for it refuses root (数据库进程的系统身份)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline.embedded.problems import ClusterProblem

#: Name of the dedicated user of the fallback.
DEDICATED_USER = "plumbline"
#: Where the fallback keeps what its user could not reach elsewhere (for example below /root).
SYSTEM_FOLDER = Path("/var/lib/plumbline")

_UNSHARE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True)
class Identity:
    """How to start a PostgreSQL program: a prefix of its command line, or another user."""

    #: `plain` (an ordinary user), `namespace` (root inside a user namespace), `dedicated` (another OS user).
    kind: str
    #: Owner of the data files as the outside sees it.
    uid: int
    gid: int
    #: Words put before the command.
    prefix: tuple[str, ...] = ()
    #: Arguments for `subprocess.Popen`.
    popen: Mapping[str, Any] = field(default_factory=dict)

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line as this identity starts it."""
        return [*self.prefix, *argv]

    def own(self, folder: Path) -> None:
        """Give a folder and all below it to this identity (nothing above it is touched)."""
        if os.geteuid() != 0 or not folder.exists():
            return
        self._own_one(folder)
        for top, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self._own_one(Path(top, name))

    def _own_one(self, path: Path) -> None:
        status = path.lstat()
        if (status.st_uid, status.st_gid) != (self.uid, self.gid):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, folder: Path) -> bool:
        """True when this identity may enter the folder (its nearest existing parent, if not made yet)."""
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        probe = self.command(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])
        result = subprocess.run(probe, cwd="/", capture_output=True, check=False, **self.popen)
        return result.returncode == 0


def choose_identity() -> Identity:
    """The identity for this process: an ordinary user as it is, root in a user namespace or as another user.

    `PLUMB_NO_USERNS=1` takes the dedicated user at once. `ClusterProblem` when root has neither way.
    """
    if os.geteuid() != 0:
        return Identity("plain", os.geteuid(), os.getegid())
    if os.environ.get("PLUMB_NO_USERNS") != "1" and _namespaces_work():
        return Identity("namespace", 0, 0, prefix=_UNSHARE)
    return _dedicated()


def _namespaces_work() -> bool:
    try:
        result = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _dedicated() -> Identity:
    try:
        entry = pwd.getpwnam(DEDICATED_USER)
    except KeyError:
        entry = _made_user()
    popen = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return Identity("dedicated", entry.pw_uid, entry.pw_gid, popen=popen)


def _made_user() -> pwd.struct_passwd:
    tool = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if tool is not None:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)]
        shell = "/usr/sbin/nologin"
        result = subprocess.run(
            [tool, *options, "--shell", shell, DEDICATED_USER], capture_output=True, check=False
        )
        if result.returncode == 0:
            return pwd.getpwnam(DEDICATED_USER)
    raise ClusterProblem(
        "PostgreSQL 不能以 root 身份运行，而本机既不允许用户命名空间，也不能创建系统用户 plumbline，"
        "请改用普通用户运行，或设置 DATABASE_URL 使用外部数据库。",
        "PostgreSQL refuses to run as root, user namespaces are off and the system user 'plumbline' cannot "
        "be made; run as an ordinary user, or set DATABASE_URL.",
    )
