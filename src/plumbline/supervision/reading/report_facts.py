"""All rows of one report (一份报告的事实): what the trace, its curves and its pictures are made of. Scope
first, then rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from plumbline.domain.reporting.code import ParsedCode, parse_code
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.scopes import report_scope
from plumbline.supervision.projection.reads import parking_key
from plumbline.supervision.reading.database import Row, by_id, row, rows

_PARTIES = "SELECT id, name, roles, division FROM fact.party WHERE"
_ENTRY = re.compile(r"[0-9a-f]{32}\Z")
_FIND_ID = "SELECT a.id, a.institution FROM fact.application a WHERE a.id = %s AND ({scope})"
_FIND_CODE = "SELECT a.id, a.institution FROM fact.application a JOIN fact.code c ON c.application = a.id WHERE c.id = %s AND ({scope})"
_FIND_NUMBER = (
    "SELECT a.id, a.institution FROM fact.application a WHERE a.number = %s AND ({scope}) "
    "ORDER BY (a.state = 'registered') DESC, a.idx DESC LIMIT 20"
)


@dataclass(slots=True, kw_only=True)
class SampleRecord:
    """One sample of the report with what happened to it; `row` is None for a sample that is not on record."""

    id: str
    row: Row | None
    witnessing: Row | None
    receipts: list[Row]
    #: Runs that the report rests on, in the order in which it names them.
    runs: list[Row]
    #: Other runs of the sample: discarded, or left out of the report.
    other_runs: list[Row]


@dataclass(slots=True, kw_only=True)
class CustodyFacts:
    """Samples with what happened to them, from the contract to the test. Every row is a dictionary of its columns."""

    #: Where pictures and curves of these records are had: the page's own address.
    address: str
    commission: Row | None
    contract: Row | None
    samples: list[SampleRecord]
    instruments: dict[str, Row]
    #: Where each row came from, by entry.
    events: dict[str, Row] = field(default_factory=dict)
    parties: dict[str, Row] = field(default_factory=dict)

    @property
    def runs(self) -> list[Row]:
        """Runs that count for these samples."""
        return [run for sample in self.samples for run in sample.runs]

    @property
    def specimens(self) -> list[tuple[Row, Row]]:
        """(run, specimen) of every specimen in the order of the page; the curve's address counts from 1
        here."""
        return [(run, specimen) for run in self.runs for specimen in run["body"]["specimens"]]


@dataclass(slots=True, kw_only=True)
class ReportFacts(CustodyFacts):
    """One report as the tables hold it."""

    application: Row
    institution: Row | None
    project: Row | None
    code: Row | None
    registration: Row | None
    evaluations: dict[str, Row]
    reviews: list[Row]
    corrections: list[Row]
    findings: list[Row] = field(default_factory=list)
    versions: list[Row] = field(default_factory=list)
    #: Indices of entries about this report that could not be projected yet.
    parked: list[int] = field(default_factory=list)
    #: (run, ordinal) → channels with their number of points.
    curves: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The application's id: the address of the report."""
        return str(self.application["id"])

    @property
    def reported(self) -> list[Row]:
        """Parameters with their values, as the institution reports them."""
        return list(self.application["body"]["parameters"])

    def subjects(self) -> list[str]:
        """Ids of everything that a finding may be about."""
        found: list[str | None] = [self.id, self.application["commission"], self.application["code"]]
        found += [self.registration["id"] if self.registration else None]
        for sample in self.samples:
            found += [sample.id, sample.witnessing["id"] if sample.witnessing else None]
            found += [each["id"] for each in (*sample.receipts, *sample.runs, *sample.other_runs)]
        return sorted({each for each in found if each})

    def people(self) -> set[str]:
        """Person ids that stand on the page."""
        body = self.application["body"]
        found = {body["reviewer"], body["approver"], *body["tested_by"]}
        for sample in self.samples:
            found |= {
                sample.row["sampler"] if sample.row else None,
                sample.witnessing["witness"] if sample.witnessing else None,
            }
            found |= {each["body"].get("receiver") for each in sample.receipts} | {
                each["technician"] for each in sample.runs
            }
        for correction in self.corrections:
            found.add(correction["body"]["person"])
        for each in (self.commission, self.contract):
            found |= {each["body"].get("submitter"), each["body"].get("client_person")} if each else set()
        return {person for person in found if person}


def resolve(principal: Principal, text: str) -> str | None:
    """The application named by its id, a supervision code, or a report number, within the principal's scope.

    A number of two institutions names neither; of several versions of one report it names the newest in
    force.
    """
    text = text.strip()
    scope = report_scope(principal)
    code = parse_code(text)
    if _ENTRY.match(text):
        statement, key = _FIND_ID, text
    elif isinstance(code, ParsedCode):
        statement, key = _FIND_CODE, code.text
    else:
        statement, key = _FIND_NUMBER, text
    found = rows(statement.replace("{scope}", scope.condition), [key, *scope.parameters])
    return str(found[0]["id"]) if len({each["institution"] for each in found}) == 1 else None


def load(application_id: str) -> ReportFacts | None:
    """Every row of a report. The caller has made sure that the reader may see it (`resolve`)."""
    application = row("SELECT * FROM fact.application WHERE id = %s", [application_id])
    if application is None:
        return None
    commission = _one("SELECT * FROM fact.commission WHERE id = %s", application["commission"])
    contract = _one(
        "SELECT * FROM fact.contract WHERE id = %s", commission["contract"] if commission else None
    )
    samples = _samples(application)
    runs = [run["id"] for sample in samples for run in sample.runs]
    facts = ReportFacts(
        address=f"/reports/{application_id}",
        application=application,
        institution=_one(f"{_PARTIES} id = %s", application["institution"]),
        project=_one("SELECT * FROM fact.project WHERE id = %s", application["project"]),
        commission=commission,
        contract=contract,
        samples=samples,
        code=_one("SELECT * FROM fact.code WHERE id = %s", application["code"]),
        registration=row(
            "SELECT * FROM fact.registration WHERE application = %s AND state <> 'refused' ORDER BY idx DESC LIMIT 1",
            [application_id],
        ),
        evaluations=by_id("SELECT * FROM fact.evaluation WHERE id = ANY(%s::text[])", runs),
        reviews=rows(
            "SELECT * FROM fact.review WHERE run = ANY(%s::text[]) AND sender = %s ORDER BY idx",
            [runs, application["institution"]],
        ),
        corrections=rows(
            "SELECT * FROM fact.correction WHERE run = ANY(%s::text[]) AND sender = %s ORDER BY idx",
            [runs, application["institution"]],
        ),
        instruments=by_id(
            "SELECT * FROM fact.instrument WHERE id = ANY(%s::text[])",
            [f"{run['institution']}/{run['instrument']}" for sample in samples for run in sample.runs],
        ),
    )
    _surroundings(facts, runs)
    return facts


def _one(statement: str, key: str | None) -> Row | None:
    return row(statement, [key]) if key else None


def _samples(application: Row) -> list[SampleRecord]:
    body = application["body"]
    reported = [run for parameter in body["parameters"] for run in parameter["runs"]]
    found = by_id("SELECT * FROM fact.sample WHERE id = ANY(%s::text[])", body["samples"])
    runs = rows(
        "SELECT * FROM fact.run WHERE id = ANY(%s::text[]) OR sample = ANY(%s::text[]) ORDER BY started_at, idx",
        [reported, body["samples"]],
    )
    witnessings = by_id(
        "SELECT * FROM fact.witnessing WHERE id = ANY(%s::text[])",
        [each["witnessing"] for each in found.values()],
    )
    receipts = rows(
        "SELECT * FROM fact.receipt WHERE sample = ANY(%s::text[]) AND institution = %s ORDER BY idx",
        [
            body["samples"],
            application["institution"],
        ],  # what a stranger sent of this sample has its own finding
    )
    ids = [
        *body["samples"],
        *sorted({run["sample"] for run in runs if run["id"] in reported} - set(body["samples"])),
    ]
    return [
        SampleRecord(
            id=key,
            row=found.get(key),
            witnessing=witnessings.get(found[key]["witnessing"] or "") if key in found else None,
            receipts=[each for each in receipts if each["sample"] == key],
            runs=[run for run in runs if run["sample"] == key and run["id"] in reported],
            other_runs=[run for run in runs if run["sample"] == key and run["id"] not in reported],
        )
        for key in ids
    ]


def _surroundings(facts: ReportFacts, runs: list[str]) -> None:
    subjects = facts.subjects()
    objects: list[Row | None] = [facts.application, facts.commission, facts.contract, facts.registration]
    for sample in facts.samples:
        objects += [sample.row, sample.witnessing, *sample.receipts, *sample.runs]
    facts.events = {each["entry"]: event_of(each) for each in objects if each}
    facts.parties = by_id(f"{_PARTIES} id = ANY(%s::text[])", _party_ids(facts))
    facts.findings = rows(
        "SELECT * FROM fact.finding WHERE subject = ANY(%s::text[]) ORDER BY idx", [subjects]
    )
    facts.versions = rows(
        "SELECT *, after->>'uid' AS uid FROM fact.version WHERE object = ANY(%s::text[]) ORDER BY idx",
        [subjects],
    )
    facts.parked = _parked(subjects)
    for each in rows(
        "SELECT run, ordinal, channel, points FROM fact.curve WHERE run = ANY(%s::text[])", [runs]
    ):
        facts.curves.setdefault((each["run"], each["ordinal"]), {})[each["channel"]] = each["points"]


def event_of(row: Row) -> Row:
    """The entry that a row came from, by the row's own account of it."""
    names = ("idx", "sender", "key_id", "attestation", "occurred_at", "arrived_at", "logged_at")
    return {"id": row["entry"], "uid": row["body"]["uid"]} | {name: row[name] for name in names}


def _party_ids(facts: ReportFacts) -> Iterable[str | None]:
    yield from (each["sender"] for each in facts.events.values())
    if facts.contract:
        yield facts.contract["client"]


def _parked(subjects: list[str]) -> list[int]:
    keys = [parking_key(table, subject) for table in ("application", "code") for subject in subjects]
    return [each["idx"] for each in rows("SELECT idx FROM ops.parked_about(%s::text[])", [keys])]
