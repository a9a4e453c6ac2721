"""Positions (日志位置): one number for a place in a log of several epochs, that orders all entries and is never given twice.

Each epoch is a tree with indexes from 0. A position is the index with the epoch in its high bits, so that in the first epoch it *is* the
index, a later epoch lies behind all earlier ones whatever was lost of them, and every position fits into a JSON number (2^53).
"""

from __future__ import annotations

#: Entries that one epoch can hold; at 250 a second it lasts for 139 years.
EPOCH_SPAN = 1 << 40
MAX_EPOCH = 1 << 13


def position_of(epoch: int, index: int) -> int:
    """The position of the entry at `index` of `epoch`, counted from 1."""
    if not 1 <= epoch <= MAX_EPOCH or not 0 <= index < EPOCH_SPAN:
        raise ValueError(f"no position: epoch {epoch}, index {index}")
    return (epoch - 1) * EPOCH_SPAN + index


def place_of(position: int) -> tuple[int, int]:
    """(epoch, index) of a position."""
    epoch, index = divmod(position, EPOCH_SPAN)
    return epoch + 1, index


def place_text(position: int) -> str:
    """`12`, and in a later epoch `2-12`: how a position is written for people."""
    epoch, index = place_of(position)
    return str(index) if epoch == 1 else f"{epoch}-{index}"
