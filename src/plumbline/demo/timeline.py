"""The steps of one report (时间线): each at its time, whoever resumes them."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")
#: Yields the time of its next step; the step happens when it is resumed; returns what came of it.
Steps = Generator[datetime, None, T]
