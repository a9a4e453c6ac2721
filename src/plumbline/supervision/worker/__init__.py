"""The worker (后台工作进程): derives what is due from the tables; every effect is an entry with a deterministic uid."""

from __future__ import annotations
