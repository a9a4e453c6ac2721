"""How far the demo's city has come (演示城市的生成进度): one small file, written by the process that fills, read by page and terminal."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

#: `stopped`: broken off; it goes on with the next start.
Phase = Literal["core", "filling", "stopped", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at a city that is being filled."""

    phase: Phase
    done: int = 0
    total: int = 0
    #: Day that the story has reached.
    day: str = ""
    #: 0 … 1, of the work.
    share: float = 0.0
    #: Seconds; None where nothing honest can be said yet.
    left_s: float | None = None
    text: str = ""


def progress_file(data_dir: Path) -> Path:
    """Where the filling process writes."""
    return data_dir / "city" / "progress.json"


def read_progress(data_dir: Path) -> Progress | None:
    """The newest progress of a folder's city; None when it has none, or none that can be read."""
    try:
        return Progress(**json.loads(progress_file(data_dir).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_progress(data_dir: Path, progress: Progress) -> None:
    """Put it in the place of the one before, whole at every moment."""
    path = progress_file(data_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(progress), ensure_ascii=False), "utf-8")
    os.replace(temporary, path)


def core_file(data_dir: Path) -> Path:
    """Is there as soon as the city's core is."""
    return data_dir / "city" / "core"
