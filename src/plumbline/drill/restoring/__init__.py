"""The drill of point-in-time recovery (恢复演练): what is lost is listed exactly, asked for, and sent again."""

from __future__ import annotations
