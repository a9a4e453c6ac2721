"""The published test vectors, read from their files (测试向量文件)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


def load_vector(name: str) -> Any:
    """The JSON value of one vector file; FileNotFoundError for an unknown name."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))
