"""Memory of long-lived processes (常驻进程的内存): what is there once a process serves is not looked through again for garbage."""

from __future__ import annotations

import gc

#: New objects until the collector looks, and rounds until it looks at older ones: Python's own are made for short programs.
NEW, YOUNG, OLD = 20_000, 20, 20


#: Bytes of a file after which is cleared up at once.
LARGE = 2 * 1024 * 1024


def clear_up(size: int) -> None:
    """Call after work on so many bytes: what read them points at itself in circles, and would hold large ones until the collector looks."""
    if size >= LARGE:
        gc.collect(1)


def settle() -> None:
    """Call when everything has been loaded: modules, keys and routes stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW, YOUNG, OLD)
