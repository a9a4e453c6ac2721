"""How values are written for readers: times, numbers, codes, hashes, names (显示格式).

Pure functions, shared by the Django and the Jinja templates so that both write alike.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

from plumbline.evidence.position import place_of

#: China has had one zone without daylight saving since 1991, so a fixed offset needs no zone database.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
THIN_SPACE = "\u2009"


def local_time(instant: datetime | None, precision: str = "minute") -> str:
    """Return an aware instant as ``2026-11-19 14:02`` in Shanghai; ``precision``: day, minute, second, short.

    ``short`` leaves out the year (lists of this year). None gives an empty string; a naive value is a
    caller's error and raises ValueError.
    """
    if instant is None:
        return ""
    if instant.tzinfo is None:
        raise ValueError("时间必须带时区。")
    pattern = {"day": "%Y-%m-%d", "minute": "%Y-%m-%d %H:%M", "second": "%Y-%m-%d %H:%M:%S"}.get(
        precision, "%m-%d %H:%M"
    )
    return instant.astimezone(SHANGHAI).strftime(pattern)


def grouped_number(number: int | None) -> str:
    """Return an integer with thin spaces between thousands, never commas: ``1 284 619``."""
    if number is None:
        return ""
    return f"{number:,}".replace(",", THIN_SPACE).replace("-", "\u2212")


def log_place(position: int | None) -> str:
    """Return a position in the log as it is read: ``1 284 619``, in a later epoch ``第 2 期 1 284``."""
    if position is None:
        return ""
    epoch, index = place_of(position)
    return grouped_number(index) if epoch == 1 else f"第 {epoch} 期 {grouped_number(index)}"


def short_hash(digest: str) -> str:
    """Return ``9f3c 7a10 … e4d8 b27e`` for a hexadecimal digest; short ones stay whole."""
    text = digest.lower()
    if len(text) <= 16:
        return text
    return f"{text[:4]} {text[4:8]} … {text[-8:-4]} {text[-4:]}"


def file_size(size: int | None) -> str:
    """Return a number of bytes as B, KB or MB with one decimal where it helps."""
    if size is None:
        return ""
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:.0f} KB"
    return f"{size / 1024 / 1024:.1f} MB"


def rule_spacing(text: str) -> str:
    """Return ``C35`` and ``39.3 MPa`` kept on one line by no-break spaces between a number and its unit."""
    words = text.split(" ")
    joined = words[0]
    for before, word in pairwise(words):
        glue = "\u00a0" if before[-1:].isdigit() and word[:1].isascii() else " "
        joined += glue + word
    return joined
