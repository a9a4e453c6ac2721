"""What this host has published (发布过的检查点): the sizes, beside the mark and apart from the database.

A checkpoint that is deleted from the database contradicts nothing that is left there. So each host writes down the
size of every checkpoint whose row it has committed: one line of twenty digits each, appended after the commit and never
synced on purpose. A crash may lose the last of them, which leaves a row that nobody asks for; it never invents one: a
line that was torn, or that the disk filled with zeros, is no line of twenty digits, whatever is appended after it.
"""

from __future__ import annotations

import re
from pathlib import Path

_SUFFIX = ".published"
_LINE = re.compile(rb"[0-9]{20}")


def remember(marks: Path, host: str, epoch: int, size: int) -> None:
    """Write down that the row of this checkpoint is committed."""
    with (marks / f"{host}.{epoch}{_SUFFIX}").open("ab", buffering=0) as file:
        file.write(b"%020d\n" % size)


def published(marks: Path) -> dict[int, set[int]]:
    """Epoch → sizes of all checkpoints that the hosts of this folder have published; what is torn is left out."""
    found: dict[int, set[int]] = {}
    for path in sorted(marks.glob(f"*{_SUFFIX}")):
        epoch = path.name.removesuffix(_SUFFIX).rpartition(".")[2]
        if not epoch.isdigit():
            continue
        lines = path.read_bytes().split(b"\n")[:-1]
        found.setdefault(int(epoch), set()).update(int(line) for line in lines if _LINE.fullmatch(line))
    return found
