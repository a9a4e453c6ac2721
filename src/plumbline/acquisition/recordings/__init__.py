"""Recordings of testing machines, one parser a format, one shape for all (试验记录读取)."""

from __future__ import annotations

from plumbline.acquisition.recordings.discover import cube_groups, discover, read, read_all
from plumbline.acquisition.recordings.model import (
    DEFAULT_LIMITS,
    Channel,
    Companion,
    Dimension,
    Limits,
    Note,
    Peak,
    Recording,
    RecordingError,
    Unreadable,
)

__all__ = [
    "DEFAULT_LIMITS",
    "Channel",
    "Companion",
    "Dimension",
    "Limits",
    "Note",
    "Peak",
    "Recording",
    "RecordingError",
    "Unreadable",
    "cube_groups",
    "discover",
    "read",
    "read_all",
]
