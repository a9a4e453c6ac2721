"""The fonts that every printed document is set in (印刷字体): a folder of files and the name of the family."""

from __future__ import annotations

from pathlib import Path

FONT_FAMILY = "Plumbline Serif"
FONT_FOLDER = Path(__file__).parent
