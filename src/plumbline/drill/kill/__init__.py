"""Drills of durability (耐久演练): processes killed, steps broken, power cut; what was acknowledged must be there once and whole."""

from __future__ import annotations
