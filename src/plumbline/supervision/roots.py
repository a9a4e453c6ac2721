"""Accepted certificate roots (受信任的根证书): dated files of the data folder, put there by an administrator, never by a document."""

from __future__ import annotations

import json
from pathlib import Path

from plumbline.sdk.pdf.roots import TrustRoot, root_as_document, root_from_document


def save_root(folder: Path, name: str, root: TrustRoot) -> None:
    """Accept a root: one JSON file a root."""
    document = root_as_document(root)
    (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")


def load_roots(folder: Path) -> list[TrustRoot]:
    """The roots of a folder, by file name."""
    return [root_from_document(json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.json"))]


class AcceptedRoots:
    """The roots of a folder as they are now; read again when a file of it was put there, changed or taken away.

    A report examined under roots of a moment ago would be called untrusted for good although its root was accepted before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[tuple[str, int, int]] | None = None
        self._roots: list[TrustRoot] = []

    def now(self) -> list[TrustRoot]:
        """The roots. Raises ValueError or OSError where a file is not a root, and reads them again the next time."""
        seen = sorted(
            (each.name, each.stat().st_mtime_ns, each.stat().st_size) for each in self._folder.glob("*.json")
        )
        if seen != self._seen:
            self._roots = load_roots(self._folder)
            self._seen = seen
        return self._roots
