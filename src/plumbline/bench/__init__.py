"""The measuring rod (测量): each figure stands beside a limit that ran in the same minutes on the same
machine."""

from __future__ import annotations
