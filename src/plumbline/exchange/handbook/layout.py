"""JSON as the handbook prints it (示例的排版): indented, short lists and objects on one line."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 88


def indented(data: bytes) -> str:
    """The same JSON value, laid out for reading; what is sent need not look like it."""
    return _laid_out(json.loads(data), 0)


def _laid_out(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (depth and len(flat) + 2 * depth <= WIDTH):
        return flat
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        inner = [
            f"{pad}{json.dumps(k, ensure_ascii=False)}: {_laid_out(v, depth + 1)}" for k, v in value.items()
        ]
        return "{\n" + ",\n".join(inner) + "\n" + "  " * depth + "}"
    inner = [pad + _laid_out(each, depth + 1) for each in value]
    return "[\n" + ",\n".join(inner) + "\n" + "  " * depth + "]"
