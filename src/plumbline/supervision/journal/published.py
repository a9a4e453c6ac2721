"""What this host has published (发布过的检查点): the sizes, beside the mark and apart from the database.

A checkpoint that is deleted from the database contradicts nothing that is left there. So each host writes down the
size of every checkpoint whose row it has committed: eight bytes each, appended after the commit and never synced on
purpose. A crash may lose the last of them, which leaves a row that nobody asks for; it never invents one.
"""

from __future__ import annotations

from pathlib import Path

_WIDTH = 8
_SUFFIX = ".published"


def remember(marks: Path, host: str, epoch: int, size: int) -> None:
    """Write down that the row of this checkpoint is committed."""
    with (marks / f"{host}.{epoch}{_SUFFIX}").open("ab", buffering=0) as file:
        file.write(size.to_bytes(_WIDTH, "big"))


def published(marks: Path) -> dict[int, set[int]]:
    """Epoch → sizes of all checkpoints that the hosts of this folder have published; a torn end is left out."""
    found: dict[int, set[int]] = {}
    for path in sorted(marks.glob(f"*{_SUFFIX}")):
        epoch = path.name.removesuffix(_SUFFIX).rpartition(".")[2]
        if not epoch.isdigit():
            continue
        data = path.read_bytes()
        whole = len(data) - len(data) % _WIDTH
        sizes = (int.from_bytes(data[at : at + _WIDTH], "big") for at in range(0, whole, _WIDTH))
        found.setdefault(int(epoch), set()).update(sizes)
    return found
