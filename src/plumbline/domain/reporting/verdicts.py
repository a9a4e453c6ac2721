"""The words of a result and the states of a report, with what may follow what (结论与报告状态)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What a report says of the material; it says nothing of whether the report is genuine."""

    PASS = "pass"  # noqa: S105 -- a verdict, not a password
    FAIL = "fail"
    NOT_JUDGED = "not_judged"
    VOID = "void"

    @property
    def label(self) -> str:
        """The Chinese word that is printed."""
        return _VERDICT_LABELS[self]


_VERDICT_LABELS: Final = {
    Verdict.PASS: "合格",
    Verdict.FAIL: "不合格",
    Verdict.NOT_JUDGED: "不作判定",
    Verdict.VOID: "无效",
}


class ReportState(StrEnum):
    """Where a report stands on its way from application to its end."""

    #: The institution has applied for a code and is waiting for the answer.
    APPLIED = "applied"
    #: The gate gave reasons and no code.
    WITHHELD = "withheld"
    #: A code is kept for the report; it is not valid until the final bytes are registered.
    RESERVED = "reserved"
    #: The final bytes are registered: only now is the code valid.
    REGISTERED = "registered"
    #: Taken back by the institution or the authority, with a reason.
    WITHDRAWN = "withdrawn"
    #: Replaced by a later report that names it.
    SUPERSEDED = "superseded"
    #: Reserved and never registered in time; counts as unused.
    EXPIRED = "expired"

    @property
    def label(self) -> str:
        """The Chinese word that users read."""
        return _STATE_LABELS[self]

    @property
    def has_valid_code(self) -> bool:
        """True only while the registered report stands."""
        return self is ReportState.REGISTERED


_STATE_LABELS: Final = {
    ReportState.APPLIED: "申请中",
    ReportState.WITHHELD: "暂不发码",
    ReportState.RESERVED: "已预留",
    ReportState.REGISTERED: "已登记",
    ReportState.WITHDRAWN: "已撤回",
    ReportState.SUPERSEDED: "已被替代",
    ReportState.EXPIRED: "未使用",
}

#: What may follow each state. A withheld report becomes reserved when an officer releases it, or applied
#: again when the institution has put right what was missing.
TRANSITIONS: Final[dict[ReportState, frozenset[ReportState]]] = {
    ReportState.APPLIED: frozenset({ReportState.WITHHELD, ReportState.RESERVED}),
    ReportState.WITHHELD: frozenset({ReportState.RESERVED, ReportState.APPLIED}),
    ReportState.RESERVED: frozenset({ReportState.REGISTERED, ReportState.EXPIRED}),
    ReportState.REGISTERED: frozenset({ReportState.WITHDRAWN, ReportState.SUPERSEDED}),
    ReportState.WITHDRAWN: frozenset(),
    ReportState.SUPERSEDED: frozenset(),
    ReportState.EXPIRED: frozenset(),
}


def may_follow(current: ReportState, following: ReportState) -> bool:
    """True when a report in ``current`` may go to ``following``."""
    return following in TRANSITIONS[current]
