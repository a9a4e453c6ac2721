"""Which backend answers where the caller names none (算法实现的选择)."""

from __future__ import annotations

import functools

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.openssl import load_openssl
from plumbline.evidence.gm.pure import PureBackend


@functools.cache
def default_backend() -> Backend:
    """OpenSSL if it is there and passes its known answers, else plain Python."""
    return load_openssl() or PureBackend()
