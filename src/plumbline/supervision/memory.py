"""Memory of long-lived processes (常驻进程的内存): what is there once a process serves is not looked through again for garbage."""

from __future__ import annotations

import gc

#: New objects until the collector looks, and rounds until it looks at older ones: Python's own are made for short programs.
NEW, YOUNG, OLD = 20_000, 20, 20


def settle() -> None:
    """Call when everything has been loaded: modules, keys and routes stay until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW, YOUNG, OLD)
