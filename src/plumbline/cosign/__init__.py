"""The cosigner (联署方): a small program for somebody else's machine that follows a log and signs only what extends what it saw."""

from __future__ import annotations
