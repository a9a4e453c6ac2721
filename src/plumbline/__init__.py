"""Plumbline 准绳: supervision of construction-quality testing whose reports anyone can check (建设工程检测监管信息服务平台)."""

from __future__ import annotations

__version__ = "0.1.0"
