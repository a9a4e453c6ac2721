"""Named failpoints (故障点): the places where a fault may be injected, in the product from the first commit on.

`PLUMB_FAILPOINTS="append.after_commit=kill;file.after_rename=error"` arms them; nothing else does. `kill` ends the process as SIGKILL
would, `error` raises, `hold` waits until the point is armed otherwise. A name that is not in NAMES is refused, so that a test cannot
arm a point that no longer exists.
"""

from __future__ import annotations

import os
import signal
import time

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
        "answer.before_sent",
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
        "file.after_entry",
        "project.after_rows",
        "project.before_commit",
        "project.after_commit",
        "register.before_append",
        "register.after_append",
        "key.temp_written",
        "key.linked",
        "key.folder_synced",
        "publish.before_row",
        "publish.after_row",
    }
)


class FailpointError(OSError):
    """An injected fault; of the kind that a failing disk raises."""


def _armed() -> dict[str, str]:
    text = os.environ.get("PLUMB_FAILPOINTS", "")
    pairs = dict(part.split("=", 1) for part in text.split(";") if part)
    if unknown := set(pairs) - NAMES:
        raise ValueError(f"unknown failpoints: {sorted(unknown)}")
    return pairs


_ARMED = _armed()
_HELD_S = 0.01
#: Points that struck since they were last armed.
_STRUCK: list[str] = []


def arm(points: dict[str, str]) -> None:
    """Arm points in this process (tests); an empty mapping disarms all."""
    if unknown := set(points) - NAMES:
        raise ValueError(f"unknown failpoints: {sorted(unknown)}")
    _ARMED.clear()
    _STRUCK.clear()
    _ARMED.update(points)


def struck() -> list[str]:
    """The points of this process that struck since :func:`arm`, in order: a fault that never struck proves nothing."""
    return list(_STRUCK)


def hit(name: str) -> None:
    """Pass the named point; does nothing unless it is armed."""
    action = _ARMED.get(name)
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    _STRUCK.append(name)
    if action == "hold":  # until it is armed anew: what happens meanwhile happens between two steps
        while _ARMED.get(name) == "hold":
            time.sleep(_HELD_S)
        return
    raise FailpointError(name)
