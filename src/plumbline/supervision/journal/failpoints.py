"""Named failpoints (故障点): the places where a fault may be injected, in the product from the first commit on.

`PLUMB_FAILPOINTS="append.after_commit=kill;file.after_rename=error"` arms them; nothing else does. `kill` ends the process as SIGKILL
would, `error` raises. A name that is not in NAMES is refused, so that a test cannot arm a point that no longer exists.
"""

from __future__ import annotations

import os
import signal

NAMES = frozenset(
    {
        "append.before_begin",
        "append.after_entries",
        "append.after_claims",
        "append.after_personal",
        "append.after_head_lock",
        "append.after_leaves",
        "append.before_commit",
        "append.after_commit",
        "append.after_mark",
        "append.after_sign",
        "mark.locked",
        "mark.compared",
        "mark.temp_written",
        "mark.temp_synced",
        "mark.renamed",
        "mark.folder_synced",
        "file.after_write",
        "file.after_fsync",
        "file.after_rename",
        "file.after_directory_fsync",
        "file.after_row",
        "project.before_commit",
        "project.after_commit",
    }
)


class FailpointError(RuntimeError):
    """An injected fault."""


def _armed() -> dict[str, str]:
    text = os.environ.get("PLUMB_FAILPOINTS", "")
    pairs = dict(part.split("=", 1) for part in text.split(";") if part)
    if unknown := set(pairs) - NAMES:
        raise ValueError(f"unknown failpoints: {sorted(unknown)}")
    return pairs


_ARMED = _armed()


def arm(points: dict[str, str]) -> None:
    """Arm points in this process (tests); an empty mapping disarms all."""
    if unknown := set(points) - NAMES:
        raise ValueError(f"unknown failpoints: {sorted(unknown)}")
    _ARMED.clear()
    _ARMED.update(points)


def hit(name: str) -> None:
    """Pass the named point; does nothing unless it is armed."""
    action = _ARMED.get(name)
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointError(name)
