"""Drivers of presses: one module a kind of line (试验机驱动)."""
