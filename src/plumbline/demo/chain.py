"""One report from contract to registration (一份报告的全过程), through the same interface as any institution.

Each step is a message of the party whose step it is. A step waits for nothing but the platform's answer; when
it takes place is the plan's affair, so that many reports can be under way at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from plumbline.demo.casework import Case, CaseWork
from plumbline.demo.cast import Cast, PartyKey
from plumbline.demo.clients import Clients
from plumbline.demo.enrolment import Enrolment, certificate_sha256
from plumbline.demo.plan import Plan
from plumbline.demo.post import Post
from plumbline.demo.printing import TITLES, Issued, Press, PrintJob, SignedReport, print_job, when_asked
from plumbline.domain.basics.calendar import local_date
from plumbline.exchange.messages import reports

#: How long an answer may take that depends on the platform's worker, seconds.
DECISION_WAIT_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """How a report ended."""

    key: str
    number: str
    #: The 21 characters; None when the code was withheld or never asked for.
    code: str | None = None
    pdf_sha256: str | None = None
    #: registered, reserved, withheld, voided, withdrawn, superseded, refused.
    state: str = "registered"
    #: Why a code was withheld, or a registration did not hold; plain sentences.
    reasons: tuple[str, ...] = ()
    #: Step → entry id.
    entries: dict[str, str] = field(default_factory=dict)
    exact_MPa: tuple[float, ...] = ()
    conclusion: str = ""


class Chain:
    """Drives reports of one cast through the platform; `stated` moves the clock of a demo log along."""

    def __init__(
        self,
        clients: Clients,
        cast: Cast,
        enrolment: Enrolment,
        *,
        stated: bool = False,
        press: Press = when_asked,
    ) -> None:
        self.clients = clients
        self.cast = cast
        self.work = CaseWork(clients, cast, enrolment, stated=stated)
        self._stated = stated
        self._press = press

    def run(self, plan: Plan) -> ChainResult:
        """The whole report, one step after another; a withheld code is a result with its reasons."""
        steps = self.steps(plan)
        try:
            while True:
                next(steps)
        except StopIteration as ended:
            result: ChainResult = ended.value
            return result

    def steps(self, plan: Plan) -> Generator[datetime, None, ChainResult]:
        """Yields the time of the next step; the step takes place when the generator is resumed."""
        post = Post(
            self.clients,
            plan.key,
            self.cast.seed,
            uid_at=plan.uid_at,
            stated=self._stated,
            changes=plan.changes,
            clock=plan.clock,
            uploaded=plan.uploaded,
        )
        case, times = Case(plan, post), plan.times
        for at, party, step in self._course(case):
            yield plan.uploaded(party, at)
            step(case, at)
        if plan.oddities.end == "dropped":
            return _ended(case, "dropped")
        if plan.oddities.end == "voided":
            yield plan.uploaded("institution", times.reviewed)
            return self._void(case, times.reviewed)
        for at, step_name, person in (
            (times.reviewed, "review", "reviewer"),
            (times.approved, "approval", "approver"),
        ):
            yield plan.uploaded("institution", at)
            self.work.review(case, step_name, person, at)
        yield plan.uploaded("institution", times.applied)
        result = yield from self._issue(case)
        yield from self._settle(case)
        return replace(result, entries=dict(case.entries))

    def _course(self, case: Case) -> list[tuple[datetime, PartyKey, Callable[[Case, datetime], None]]]:
        """The steps up to the test with the party whose step it is, in order of time."""
        plan, times = case.plan, case.plan.times
        course: list[tuple[datetime, PartyKey, Callable[[Case, datetime], None]]] = [
            (times.made - timedelta(hours=1), "contractor", self.work.issue_tags),
            (times.entered, "contractor", self.work.sample),
            (times.witnessed, "resident_engineer_firm", self.work.witness),
            (times.commissioned, plan.client, self.work.commission),
            (times.received, "institution", self.work.receive),
            (times.finished, "institution", self.work.test),
            *plan.extras,
        ]
        if plan.cured is not None:
            course.append((plan.cured[2], "contractor", self.work.cure))
        return sorted(course, key=lambda step: step[0])

    def _settle(self, case: Case) -> Generator[datetime, None, None]:
        """A failing result is told within the day and dealt with; only where the plan says so."""
        result, approved = case.result, case.plan.times.applied
        if not case.plan.told or result is None or not result.is_failing:
            return
        if (case.plan.required_age_d or 28) < 28:
            return  # too young to be held against its grade
        for after, step in (
            (timedelta(hours=3), self.work.notify),
            (timedelta(days=2), partial(self.work.dispose, closed=False)),
            (timedelta(days=9), partial(self.work.dispose, closed=True)),
        ):
            yield approved + after
            step(case, approved + after)

    def _void(self, case: Case, at: datetime) -> ChainResult:
        case.entries["voided"] = case.post.send(
            "institution",
            reports.NumberVoided,
            at,
            "voided",
            number_entry=case.entries["number.report"],
            because=case.plan.oddities.voided or "委托方撤销委托",
        ).entry
        return _ended(case, "voided")

    def _issue(self, case: Case) -> Generator[datetime, None, ChainResult]:
        """Apply, print, register; then what the plan says happens to the report afterwards."""
        odd, times = case.plan.oddities, case.plan.times
        first = yield from self._version(case, 1, None, (times.applied, times.registered))
        if first.state != "registered":
            return first
        if odd.withdrawn is not None:
            at = times.registered + timedelta(hours=30)
            yield at
            case.post.send(
                "institution",
                reports.ReportWithdrawn,
                at,
                "withdrawn",
                registration=case.entries["registration"],
                because=odd.withdrawn,
            )
            return _ended(case, "withdrawn", code=first.code, pdf_sha256=first.pdf_sha256)
        if odd.superseded is not None:
            at = times.registered + timedelta(hours=26)
            yield at
            return (yield from self._version(case, 2, first.code, (at, at + timedelta(minutes=20))))
        return first

    def _version(
        self, case: Case, version: int, replaces: str | None, moments: tuple[datetime, datetime]
    ) -> Generator[datetime, None, ChainResult]:
        applied, registered = moments
        decision = self._apply(case, version, replaces, applied)
        if decision["state"] != "reserved":
            reasons = [str(each["sentence"]) for each in decision.get("reasons") or []]
            return _ended(case, str(decision["state"]), reasons=reasons)
        code = str(decision["code"])
        if case.plan.oddities.end == "reserved":
            return _ended(case, "reserved", code=code)
        printed = self._press(self._print_job(case, code, str(decision["claims"])))
        yield case.plan.uploaded("institution", registered)
        return self._register(case, version, code, printed(), registered)

    def _apply(self, case: Case, version: int, replaces: str | None, at: datetime) -> dict[str, Any]:
        plan, result = case.plan, case.result
        assert result is not None
        sent = case.post.send(
            "institution",
            reports.ReportApplied,
            at,
            f"application/{version}",
            wait_s=DECISION_WAIT_S,
            commission=case.entries["commission"],
            number_entry=case.entries["number.report"],
            number=case.number,
            version=version,
            replaces_code=replaces,
            title=TITLES[plan.category],
            site=self.cast.site,
            category=plan.category,
            samples=[case.entries["sample"]],
            parameters=result.with_run(case.entries["run"]),
            conclusion=result.conclusion,
            conclusion_text=result.conclusion_text,
            tested_by=[self.cast.person(plan.technician)],
            reviewer=self.cast.person("reviewer"),
            reviewed_at=plan.times.reviewed,
            approver=self.cast.person("approver"),
            approved_at=plan.times.approved,
            issued_on=local_date(at).isoformat(),
            remarks=plan.oddities.superseded if version > 1 else None,
        )
        case.entries["application"] = sent.entry
        return _decision(sent.result)

    def _print_job(self, case: Case, code: str, claims: str) -> PrintJob:
        assert case.result is not None
        issued = Issued(
            number=case.number,
            commission_number=case.commission_number,
            code=code,
            claims=claims,
            edition=self.work.edition(case.plan),
            tags=case.tags,
            specimens=case.specimens,
            result=case.result,
        )
        return print_job(case.plan, self.cast, issued, self.clients)

    def _register(
        self, case: Case, version: int, code: str, signed: SignedReport, at: datetime
    ) -> ChainResult:
        case.post.upload("institution", signed.pdf, "application/pdf", at)
        sent = case.post.send(
            "institution",
            reports.ReportRegistered,
            at,
            f"registration/{version}",
            wait_s=DECISION_WAIT_S,
            application=case.entries["application"],
            code=code,
            pdf_sha256=signed.sha256,
            pdf_bytes=len(signed.pdf),
            pages=signed.pages,
            signed_at=case.plan.times.applied,
            certificate_sha256=certificate_sha256(self.clients.keys),
        )
        case.entries["registration"] = sent.entry
        state, reasons = _registration(sent.result)
        return _ended(case, state, code=code, pdf_sha256=signed.sha256, reasons=reasons)


def _decision(result: dict[str, Any] | None) -> dict[str, Any]:
    found = (result or {}).get("decision") or {"state": "undecided"}
    if found["state"] == "applied":
        return {"state": "undecided", "reasons": [{"sentence": "平台还没有作出决定"}]}
    return dict(found)


def _registration(result: dict[str, Any] | None) -> tuple[str, Sequence[str]]:
    row = (result or {}).get("registration") or {"state": "undecided"}
    reasons = [str(each["sentence"]) for each in (result or {}).get("findings") or []]
    return str(row["state"]), reasons


def _ended(
    case: Case,
    state: str,
    *,
    code: str | None = None,
    pdf_sha256: str | None = None,
    reasons: Sequence[str] = (),
) -> ChainResult:
    result = case.result
    return ChainResult(
        key=case.plan.key,
        number=case.number,
        code=code,
        pdf_sha256=pdf_sha256,
        state=state,
        reasons=tuple(reasons),
        entries=dict(case.entries),
        exact_MPa=result.exact_MPa if result else (),
        conclusion=result.conclusion if result else "",
    )
