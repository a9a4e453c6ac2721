"""Drills (演练): each breaks something on purpose and proves that a promise of the platform holds, or says where it does not."""

from __future__ import annotations
