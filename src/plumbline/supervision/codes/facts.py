"""Facts for the code gate (发码关口的事实): read from schema fact, each as of its own day; the rule itself is pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.findings import Finding
from plumbline.domain.reporting.gate import code_gate
from plumbline.domain.reporting.gate_facts import (
    AcceptedTest,
    CodeApplicationFacts,
    DataOrigin,
    GateDecision,
    PersonFacts,
    ReportedParameter,
    SampleFacts,
    Standing,
)
from plumbline.domain.reporting.verdicts import Verdict
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.supervision.journal.staleness import stopping_reason
from plumbline.supervision.rules import parameters

WITNESSED = frozenset({"witnessed", "doubled_retest", "parallel"})
_VERDICTS = {
    "PASS": Verdict.PASS,
    "FAIL": Verdict.FAIL,
    "NOT_JUDGED": Verdict.NOT_JUDGED,
    "VOID": Verdict.VOID,
}


@dataclass(slots=True)
class _Reader:
    """Rows of schema fact by table and id, over one connection."""

    conn: psycopg.Connection[DictRow]

    def one(self, table: str, key: str | None) -> dict[str, Any] | None:
        return (
            self.conn.execute(f"SELECT * FROM fact.{table} WHERE id = %s".encode(), [key]).fetchone()
            if key
            else None
        )

    def many(self, table: str, keys: list[str]) -> dict[str, dict[str, Any]]:
        rows = self.conn.execute(f"SELECT * FROM fact.{table} WHERE id = ANY(%s)".encode(), [keys]).fetchall()
        return {row["id"]: row for row in rows}


def _samples(
    reader: _Reader, message: ReportApplied, commission: dict[str, Any] | None
) -> tuple[SampleFacts, ...]:
    rows = reader.many("sample", message.samples)
    witnessings = reader.many("witnessing", [row["witnessing"] for row in rows.values() if row["witnessing"]])
    receipts = reader.many("receipt", [ref for row in rows.values() for ref in row["receipts"] or []])
    listed = commission["samples"] if commission else []
    facts = []
    for ref in message.samples:
        row = rows.get(ref)
        if row is None:
            facts.append(
                SampleFacts(uid=ref, label=f"{ref[:8]}…", tag=None, witnessed=False, commissioned=False)
            )
            continue
        witnessing = witnessings.get(row["witnessing"] or "")
        received = [
            receipt["occurred_at"]
            for key in row["receipts"] or []
            if (receipt := receipts.get(key))
            and (receipt["sender"], receipt["commission"]) == (message.sender, message.commission)
        ]
        facts.append(
            SampleFacts(
                uid=ref,
                label=row["structural_part"],
                tag=(row["tags"] or [None])[0],
                witnessed=witnessing is not None,
                made_at=row["made_at"],
                witnessed_at=witnessing["witnessed_at"] if witnessing else None,
                commissioned_at=commission["occurred_at"] if commission else None,
                received_at=min(received) if received else None,
                commissioned=commission is not None
                and ref in listed
                and row["project"] == commission["project"],
            )
        )
    return tuple(facts)


def _tests(reader: _Reader, message: ReportApplied, parameter: Any) -> tuple[AcceptedTest, ...]:
    tests = []
    for run in reader.many("run", parameter.runs).values():
        if (
            run["institution"] != message.sender
            or run["discarded"]
            or (run["commission"], run["method"]) != (message.commission, parameter.method)
            or parameter.parameter not in run["parameters"]
        ):
            continue
        tests.append(
            AcceptedTest(
                uid=run["id"],
                sample=run["sample"],
                started_at=run["started_at"],
                finished_at=run["finished_at"],
                origin=DataOrigin(run["data_origin"]),
                curve_points=run["points"] if run["curves"] else 0,
                technician=run["technician"],
            )
        )
    return tuple(tests)


def _capability(reader: _Reader, message: ReportApplied, parameter: str, on: date) -> Standing:
    rows = reader.conn.execute(
        "SELECT site, category, parameters, valid_from, valid_until FROM fact.capability WHERE institution = %s",
        [message.sender],
    ).fetchall()
    held = any(
        row["site"] == message.site
        and row["category"] == message.category
        and parameter in row["parameters"]
        and row["valid_from"] <= on <= row["valid_until"]
        for row in rows
    )
    return Standing.WITHIN if held else Standing.OUTSIDE


def _site(reader: _Reader, message: ReportApplied) -> Standing:
    rows = reader.conn.execute(
        "SELECT site FROM fact.site WHERE institution = %s", [message.sender]
    ).fetchall()
    return Standing.WITHIN if message.site in {row["site"] for row in rows} else Standing.OUTSIDE


def _filing(reader: _Reader, institution: str, division: str, on: date) -> Standing:
    row = reader.conn.execute(
        "SELECT 1 FROM fact.filing WHERE institution = %s AND left(division, 2) = left(%s, 2) AND valid_from <= %s AND valid_until >= %s",
        [institution, division, on, on],
    ).fetchone()
    return Standing.WITHIN if row else Standing.OUTSIDE


def _person(reader: _Reader, message: ReportApplied, person: str, role: str, on: date) -> PersonFacts:
    row = reader.one("person", person)
    good = (
        row is not None
        and row["party"] == message.sender
        and role in row["roles"]
        and row["valid_from"] <= on
        and (row["valid_until"] is None or on <= row["valid_until"])
        and (not row["scope"] or message.category in row["scope"])
        and (not row["sites"] or message.site in row["sites"])
    )
    return PersonFacts(uid=person, standing=Standing.WITHIN if good else Standing.OUTSIDE)


def gate_facts(
    conn: psycopg.Connection[DictRow], message: ReportApplied, applied_at: datetime
) -> CodeApplicationFacts:
    """Everything that the gate asks, as plain values."""
    reader = _Reader(conn)
    commission = reader.one("commission", message.commission)
    contract = reader.one("contract", commission["contract"]) if commission else None
    project = reader.one("project", commission["project"]) if commission else None
    institution = reader.one("party", message.sender)
    reported = []
    for each in message.parameters:
        tests = _tests(reader, message, each)
        on = local_date(max((t.finished_at for t in tests), default=applied_at))
        reported.append(
            ReportedParameter(
                code=each.parameter,
                name=each.values[0].name if each.values else each.parameter,
                method=each.method,
                tests=tests,
                capability=_capability(reader, message, each.parameter, on),
            )
        )
    day = local_date(message.approved_at)
    division = project["division"] if project else "CN"
    return CodeApplicationFacts(
        institution=message.sender,
        institution_division=institution["division"] if institution else "",
        filing=_filing(reader, message.sender, division, day),
        site=message.site,
        site_standing=_site(reader, message),
        division=division,
        test_category=commission["test_category"] if commission else "",
        witnessing_required=bool(commission and commission["test_category"] in WITNESSED),
        client_role=contract["client_role"] if contract else "",
        own_commission=commission is not None and commission["institution"] == message.sender,
        applied_at=applied_at,
        parameters=tuple(reported),
        samples=_samples(reader, message, commission),
        reviewer=_person(reader, message, message.reviewer, "reviewer", local_date(message.reviewed_at)),
        approver=_person(reader, message, message.approver, "approver", day),
        reviewed_at=message.reviewed_at,
        approved_at=message.approved_at,
        conclusion=_VERDICTS[message.conclusion],
    )


def decide(conn: psycopg.Connection[DictRow], message: ReportApplied, applied_at: datetime) -> GateDecision:
    """The gate's decision on an application, on facts of record; and none while the log goes too long without a cosigner."""
    facts = gate_facts(conn, message, applied_at)
    decision = code_gate(facts, parameters())
    stopped = stopping_reason(conn, parameters(), facts.division)
    if stopped is None:
        return decision
    return replace(decision, reserved=False, reasons=(*decision.reasons, stopped))


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "code": finding.code,
        "clause": finding.clause,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }


def dry_run_decision(conninfo: str, message: ReportApplied, at: datetime) -> dict[str, object]:
    """The decision, were the report applied for at `at`, as an answer to a dry run; nothing is stored."""
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        decision = decide(conn, message, at)
    return {
        "reserved": decision.reserved,
        "reasons": [_plain(f) for f in decision.reasons],
        "notes": [_plain(f) for f in decision.notes],
    }
