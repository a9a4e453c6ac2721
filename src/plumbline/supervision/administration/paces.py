"""How often one person may ask for a page (按人限速的数值); multiplied by the environment, for demos and tests that ask for more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Paces:
    """Requests a second, and in one go, of one person. PLUMB_PAGE_RATE multiplies them all."""

    costly: float = 1.0
    costly_burst: int = 200
    others: float = 10.0
    others_burst: int = 600

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Paces:
        """ValueError names a value that is not a number above zero."""
        text = env.get("PLUMB_PAGE_RATE", "1")
        try:
            times = float(text)
        except ValueError:
            times = 0.0
        if not 0 < times < 1e6:
            raise ValueError(f"PLUMB_PAGE_RATE={text} 不是大于零的数")
        return cls(
            costly=cls.costly * times,
            costly_burst=max(1, round(cls.costly_burst * times)),
            others=cls.others * times,
            others_burst=max(1, round(cls.others_burst * times)),
        )
