"""Today in China (今天), for the pages that say whether something is in force."""

from __future__ import annotations

from datetime import UTC, date, datetime

from plumbline.domain.basics.calendar import local_date


def today() -> date:
    """The day in Asia/Shanghai."""
    return local_date(datetime.now(UTC))


def local_moment(text: str) -> datetime:
    """An instant as a message writes it."""
    return datetime.fromisoformat(text)
