"""Which source runs (源码版本): what a kept result names, so that it can be had again."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """The commit of the tree that this file lies in, with `-dirty` when it was changed; `unknown` outside a repository or without git."""
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except OSError:  # what was measured for hours is kept all the same
        return "unknown"
    return result.stdout.strip() or "unknown"
