"""The projector (投影): reads the journal in order and keeps the tables of facts and derivations; rebuildable at any time."""

from __future__ import annotations
