"""The journal (总账): append protocol, database roles, files, keys and clock of the platform; no Django."""

from __future__ import annotations
