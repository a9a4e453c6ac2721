"""What a rule answers when it sees something worth saying (提示、预警与阻断)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_CODE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_-]*\Z")


class Severity(StrEnum):
    """How much a finding weighs, from a remark to a reason that withholds something."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    SEVERE = "severe"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """The place on the scale, 0 for the lightest; the text values do not sort by weight."""
        return _RANKS[self]

    @property
    def label(self) -> str:
        """The Chinese word that users read."""
        return _LABELS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_LABELS = {
    Severity.INFO: "说明",
    Severity.NOTICE: "提示",
    Severity.WARNING: "预警",
    Severity.SEVERE: "严重预警",
    Severity.BLOCK: "阻断",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a rule has seen: a stored statement, never an exception (规则结论)."""

    #: Stable name, ``module.adjective_noun``.
    code: str
    #: Identifier of the clause in the standards register, for example ``BJ 7.1.2``; empty when there is none.
    clause: str
    #: One plain Chinese sentence with the measured value and the limit.
    sentence: str
    severity: Severity
    #: The values the sentence was made of, as text, for filters and for the reader who wants to check.
    facts: Mapping[str, str]
    #: What the reader can do about it, in Chinese; empty when nothing can be done.
    remedy: str = ""
    #: True when the rule or its limit has not been checked against the standard's own text (未核实).
    unverified: bool = False

    def __post_init__(self) -> None:
        """Refuse a malformed code and freeze the facts: a finding is shared between readers."""
        if not _CODE.match(self.code):
            raise ValueError(f"finding code is not module.adjective_noun: {self.code!r}")
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))
