"""The gateway (接口网关): lean ASGI application for signed uploads, receipts, files, public verification and live streams; no Django."""

from __future__ import annotations
