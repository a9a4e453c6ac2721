"""Accepted certificate roots (受信任的根证书): dated files of the data folder, put there by an administrator, never by a document."""

from __future__ import annotations

import json
import os
from pathlib import Path

from plumbline.sdk.pdf.roots import TrustRoot, root_as_document, root_from_document


class UnreadableRoot(Exception):
    """A file of the folder is no root: nothing is examined until it is mended or taken away, for what is found untrusted stays so."""


def save_root(folder: Path, name: str, root: TrustRoot) -> None:
    """Accept a root: one JSON file a root, whole or not there at all, for a worker may be reading."""
    document = root_as_document(root)
    temporary = folder / f"{name}.json.part"
    temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    os.replace(temporary, folder / f"{name}.json")


def load_roots(folder: Path) -> list[TrustRoot]:
    """The roots of a folder, by file name. Raises UnreadableRoot naming the file that is none."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> TrustRoot:
    try:
        return root_from_document(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableRoot(f"{path}: {type(error).__name__} {error}") from error


class AcceptedRoots:
    """The roots of a folder as they are now; read again when a file of it was put there, changed or taken away.

    A report examined under roots of a moment ago would be called untrusted for good although its root was accepted before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[tuple[str, int, int]] | None = None
        self._roots: list[TrustRoot] = []

    def now(self) -> list[TrustRoot]:
        """The roots. Raises UnreadableRoot, and reads them again the next time."""
        seen = sorted(_marks(each) for each in self._folder.glob("*.json"))
        if seen != self._seen:
            self._roots = load_roots(self._folder)
            self._seen = seen
        return self._roots


def _marks(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return path.name, 0, 0
    return path.name, stat.st_mtime_ns, stat.st_size
