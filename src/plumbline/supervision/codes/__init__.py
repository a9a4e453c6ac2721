"""Supervision codes (监管码): facts for the gate, the decision, the reservation."""

from __future__ import annotations
