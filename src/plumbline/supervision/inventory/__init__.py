"""Inventory of fields (字段清单): class, purpose, retention and mask of every column, message field and kind of file."""

from __future__ import annotations
