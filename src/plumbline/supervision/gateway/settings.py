"""Limits of a gateway process (网关参数): rates, queue, cache; by environment, each with its default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from plumbline.supervision.gateway.appender import QUEUE_LIMIT
from plumbline.supervision.gateway.directory import CACHE_S


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """How much one gateway process takes on."""

    #: PLUMB_RATE: signed requests a second and key, twice as many in one go.
    rate: float = 200.0
    #: PLUMB_LOOKUP_RATE: public look-ups a second and address, four times as many in one go.
    lookup_rate: float = 50.0
    #: PLUMB_QUEUE: submissions that may wait for the append.
    queue: int = QUEUE_LIMIT
    #: PLUMB_KEY_CACHE_S: how long keys and parties are remembered, at most 5 s.
    key_cache_s: float = CACHE_S
    #: PLUMB_TRUSTED_PROXY: addresses of the reverse proxies, by comma, whose X-Forwarded-For and -Proto are believed.
    trusted_proxies: frozenset[str] = frozenset()

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> GatewaySettings:
        """The settings of this process; ValueError names a value that is not a number above zero."""
        made = cls(
            rate=_positive(env, "PLUMB_RATE", cls.rate),
            lookup_rate=_positive(env, "PLUMB_LOOKUP_RATE", cls.lookup_rate),
            queue=int(_positive(env, "PLUMB_QUEUE", cls.queue)),
            key_cache_s=min(CACHE_S, _positive(env, "PLUMB_KEY_CACHE_S", cls.key_cache_s)),
            trusted_proxies=frozenset(
                filter(None, map(str.strip, env.get("PLUMB_TRUSTED_PROXY", "").split(",")))
            ),
        )
        return made


def _positive(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ValueError(f"{name}={text} 不是大于零的数")
    return value
