"""Every backend of the national algorithms that this machine has (算法实现)."""

from __future__ import annotations

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.openssl import load_openssl
from plumbline.evidence.gm.pure import PureBackend

PURE = PureBackend()
#: OpenSSL where it is found, else plain Python twice: the tests then prove less, and say so by their ids.
NATIVE: Backend = load_openssl() or PURE
BACKENDS: list[Backend] = [PURE] if NATIVE is PURE else [PURE, NATIVE]
