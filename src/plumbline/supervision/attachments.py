"""Addresses of attachments (附件地址): `/a/<until>/<mac>/<name>`, good for minutes, on a path that knows no session.

Web checks who asks and redirects here; the gateway serves, reads no cookie and sets none. With PLUMB_FILES_URL the path lives on a host of
its own, where the browser sends no cookie of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time

#: An address is good for at least so long; its end lies on a grid, so that a browser may keep what it has for the same while.
LIFE_S, GRID_S = 60, 300
_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg)")
_UNTIL = re.compile(r"[0-9]{10}")


class Attachments:
    """Makes and checks addresses with a secret that web and gateway share."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"plumbline attachments", hashlib.sha256)

    def address(self, name: str, *, now: float | None = None) -> str:
        """The path of an attachment for somebody who may have it now."""
        if not _NAME.fullmatch(name):
            raise ValueError("no name of an attachment")
        at = int(time.time() if now is None else now)
        until = (at + LIFE_S + GRID_S) // GRID_S * GRID_S
        return f"/a/{until}/{self._mac(str(until), name)}/{name}"

    def is_good(self, until: str, mac: str, name: str, *, now: float | None = None) -> bool:
        """Whether somebody who might have it was given this address, and not long ago."""
        at = time.time() if now is None else now
        if not (_NAME.fullmatch(name) and _UNTIL.fullmatch(until)):
            return False
        told = mac.encode("utf-8", "replace")
        return hmac.compare_digest(told, self._mac(until, name).encode()) and at < int(until)

    def _mac(self, until: str, name: str) -> str:
        return hmac.new(self._key, f"{until}/{name}".encode(), hashlib.sha256).hexdigest()[:40]
