"""The wire (数据交换): message types, signatures, codes, curve encoding and problem details; knows no database and no web framework."""

from __future__ import annotations
