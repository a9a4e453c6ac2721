"""Which reports have a reminder (报告的提醒): kept as findings come in, so that a list need not look for them.

A finding may be about the report, its code or registration, or about the sample, test or commission that it rests on, before or
after the report was applied for. A reminder stays: what it was about is in the finding.
"""

from __future__ import annotations

from collections.abc import Iterable

from plumbline.supervision.projection.facts import FactState

#: What a report rests on; a finding about one of these is a reminder of the report.
_BELOW = frozenset({"sample", "run", "commission"})
_WITH_REPORT = frozenset({"code", "registration"})


def remind(state: FactState, kind: str, subject: str) -> None:
    """There is a finding about the subject that asks for attention."""
    if kind == "application":
        _list(state, subject)
    elif kind in _WITH_REPORT:
        row = state.get(kind, subject)
        if row is not None:
            _list(state, row["application"])
    elif kind in _BELOW:
        known = state.get("mention", subject)
        reports = known["reports"] if known else []
        state.put("mention", subject, {"reports": reports, "reminded": True})
        for report in reports:
            _list(state, report)


def mention(state: FactState, application: str, subjects: Iterable[str]) -> None:
    """The report rests on these; a later version of it keeps its reminder and takes it to its new place."""
    is_reminded = state.get("reminder", application) is not None
    for subject in dict.fromkeys(subjects):
        known = state.get("mention", subject)
        reports = known["reports"] if known else []
        if application not in reports:
            reports = [*reports, application]
        state.put("mention", subject, {"reports": reports, "reminded": bool(known and known["reminded"])})
        is_reminded = is_reminded or bool(known and known["reminded"])
    if is_reminded:
        _list(state, application)


def _list(state: FactState, application: str) -> None:
    row = state.get("application", application)
    if row is not None:
        values = {name: row[name] for name in ("idx", "institution", "jurisdiction")}
        state.put("reminder", application, values)
