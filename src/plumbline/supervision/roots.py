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
