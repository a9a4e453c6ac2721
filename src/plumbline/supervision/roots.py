"""Accepted certificate roots (受信任的根证书): dated files of the data folder, put there by an administrator, never by a document."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from plumbline.sdk.pdf.roots import TrustRoot


def save_root(folder: Path, name: str, root: TrustRoot) -> None:
    """Accept a root: one JSON file a root."""
    document = {
        "name": root.name,
        "certificate": root.certificate,
        "kind": root.kind,
        "valid_from": root.valid_from.isoformat(),
        "until": root.until.isoformat() if root.until else None,
        "source": root.source,
    }
    (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")


def load_roots(folder: Path) -> list[TrustRoot]:
    """The roots of a folder, by file name."""
    roots = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        until = datetime.fromisoformat(document["until"]) if document["until"] else None
        fields = document | {"valid_from": datetime.fromisoformat(document["valid_from"]), "until": until}
        roots.append(TrustRoot(**fields))
    return roots
