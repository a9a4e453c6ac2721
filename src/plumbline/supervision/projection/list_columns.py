"""What the lists ask of the tables (列表所需的列与索引): columns that follow from a row, and the indexes that keep a page fast.

An index begins with the column by which a reader's rows are found (place, institution, project) and ends with the place in
the log, newest first, so that a page is the first few rows of it (docs/decisions/0015).
"""

from __future__ import annotations

from typing import Any

_NEWEST = {"place": "jurisdiction", "institution": "institution", "project": "project"}


def _by(table: str, *scopes: str) -> dict[str, str]:
    return {f"{table}_newest_of_{scope}": f"({_NEWEST[scope]}, idx DESC)" for scope in scopes}


LIST_INDEXES: dict[str, dict[str, str]] = {
    "application": _by("application", "place", "institution", "project")
    | {
        "application_by_number": "(number)",
        "application_of_category": "(jurisdiction, category, idx DESC)",
        "application_of_outcome": "(jurisdiction, outcome, idx DESC)",
        "application_with_gap": "(jurisdiction, idx DESC) WHERE gap IS NOT NULL",
        "application_not_registered": "(jurisdiction, idx DESC) WHERE state <> 'registered'",
        "application_by_day": "(logged_at, idx)",
    },
    "reminder": _by("reminder", "place", "institution"),
    "sample": _by("sample", "place", "institution", "project")
    | {
        "sample_at_stage": "(jurisdiction, stage, idx DESC)",
        "sample_of_kind": "(jurisdiction, sample_kind, idx DESC)",
        "sample_by_day": "(logged_at, idx)",
    },
    "run": _by("run", "place", "institution", "project")
    | {
        "run_standing": "(jurisdiction, standing, idx DESC)",
        "run_on_instrument": "(jurisdiction, instrument, idx DESC)",
        "run_of_category": "(jurisdiction, category, idx DESC)",
        "run_by_day": "(logged_at, idx)",
    },
    "finding": {
        # Several findings come of one entry: the id is part of their order.
        "finding_newest_of_place": "(jurisdiction, idx DESC, id DESC)",
        "finding_about": "(about, idx DESC, id DESC)",
        "finding_of_severity": "(jurisdiction, severity, idx DESC, id DESC)",
        "finding_of_subject_kind": "(jurisdiction, subject_kind, idx DESC, id DESC)",
        "finding_of_rule": "(jurisdiction, code, idx DESC, id DESC)",
        "finding_by_day": "(logged_at, idx)",
    },
    "registration": {"registration_of_application": "(application)"},
    "commission": {"commission_by_number": "(number)"},
    "contract": {"contract_by_number": "(number)"},
    "project": {"project_by_code": "(code)"},
    "party": {"party_by_uscc": "(uscc)"},
    "person": {"person_by_certificate": "(certificate_number)"},
    "instrument": {"instrument_of_institution": "(institution)", "instrument_by_number": "(instrument)"},
    "event": {"event_by_uid": "(uid)"},
    "reach": {"reach_of_holder": "(holder, object)"},
    "partner": {"partner_of_holder": "(holder, party)"},
}


def sample_stage(row: dict[str, Any]) -> str:
    """How far a sample has come: taken, witnessed, commissioned, received, tested."""
    if row.get("runs"):
        return "tested"
    if row.get("receipts"):
        return "received"
    if row.get("commission"):
        return "commissioned"
    return "witnessed" if row.get("witnessing") else "taken"


def run_standing(row: dict[str, Any]) -> str:
    """What a test counts for: discarded, keyed by hand, or acquired from the machine."""
    if row.get("discarded"):
        return "discarded"
    return "keyed" if row.get("data_origin") == "keyed" else "acquired"
