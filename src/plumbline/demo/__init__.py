"""The demo city (演示城市): invented parties at the real interfaces, and the replay of recordings."""

from __future__ import annotations
