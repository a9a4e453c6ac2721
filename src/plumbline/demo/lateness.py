"""What came late and why (迟传与断网): an upload is told by its own capture time from the outages that were declared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Why = Literal["in_time", "outage", "late"]
#: What is made and uploaded within this is in time.
PROMPT = timedelta(minutes=10)
#: After an outage what waited goes out within this.
CATCHING_UP = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A line that was cut, or a platform that was stopped: `party` is None for everybody."""

    party: str | None
    begins: datetime
    ends: datetime

    def explains(self, sender: str, captured: datetime, logged: datetime) -> bool:
        """Whether what was captured then could not come before, and came soon after."""
        concerns = self.party in (None, sender)
        return concerns and self.begins <= captured < self.ends and logged <= self.ends + CATCHING_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """When something was captured, and when it was logged."""

    sender: str
    captured: datetime
    logged: datetime


def why_late(upload: Upload, outages: Sequence[Outage]) -> Why:
    """In time; late because of an outage; or late without one."""
    if upload.logged - upload.captured <= PROMPT:
        return "in_time"
    told = any(each.explains(upload.sender, upload.captured, upload.logged) for each in outages)
    return "outage" if told else "late"


def counted(uploads: Iterable[Upload], outages: Sequence[Outage]) -> Counter[Why]:
    """How many of each."""
    return Counter(why_late(each, outages) for each in uploads)
