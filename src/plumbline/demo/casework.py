"""The work on one report before it is issued (试验业务): custody, commission, reception, test, review."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from plumbline.demo.cast import Cast, PartyKey
from plumbline.demo.clients import Clients
from plumbline.demo.enrolment import Enrolment
from plumbline.demo.measure import Specimen, bar, cube
from plumbline.demo.plan import Plan
from plumbline.demo.post import Draft, Post
from plumbline.demo.printing import ENVIRONMENT
from plumbline.demo.results import Result, bar_result, cube_result
from plumbline.domain.basics.calendar import SHANGHAI, local_date
from plumbline.domain.methods.registry import method_named
from plumbline.exchange.messages import custody, project, reports, testing
from plumbline.exchange.messages.header import Dimension, Environment, Position

_PREFIXES = {"concrete_cube": "HNT", "rebar_tension": "GJ"}
_PARAMETERS = {
    "concrete_cube": ["concrete_cube.compressive"],
    "rebar_tension": ["rebar.ReL", "rebar.Rm", "rebar.Agt"],
}
_MATERIALS = {"concrete_cube": "concrete_cube", "rebar_tension": "rebar"}


def number_series(kind: str, category: str, at: datetime) -> str:
    """Name in the ledger of the yearly series from which a commission or report takes its number."""
    prefix = "WT" if kind == "commission" else _PREFIXES[category]
    return f"{kind}/{prefix}/{local_date(at).year}"


@dataclass(slots=True)
class Case:
    """What a report's steps hand on to one another."""

    plan: Plan
    post: Post
    entries: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    commission_number: str = ""
    number: str = ""
    specimens: list[Specimen] = field(default_factory=list)
    result: Result | None = None


class CaseWork:
    """Sends the messages of each party for the steps of a report, up to its approval."""

    def __init__(self, clients: Clients, cast: Cast, enrolment: Enrolment, *, stated: bool) -> None:
        self.clients = clients
        self.cast = cast
        self._enrolment = enrolment
        self._stated = stated

    def ensure_contract(
        self, works: str, at: datetime, uid_at: datetime | None = None, client: PartyKey = "owner"
    ) -> str:
        """Entry id of the project's contract with `client`; signed at `at` when there is none yet."""
        name = works if client == "owner" else f"{works}/{client}"
        known = self.clients.ledger.get(f"contract/{name}")
        if known is not None:
            return str(known)
        post = Post(self.clients, f"contract/{name}", self.cast.seed, uid_at=uid_at, stated=self._stated)
        year = local_date(at).year
        serial = self.clients.ledger.serial(f"contract/{year}", name)
        entry = post.send(
            "institution",
            project.ContractSigned,
            at,
            "contract",
            project=self._enrolment.projects[works],
            number=f"{self.cast.prefix}-HT-{year}-{serial:03d}",
            client=self.cast.party(client),
            client_role=client,
            institution=self.cast.party("institution"),
            signed_on=local_date(at).isoformat(),
            scope=[
                project.ScopeLine(category=line.category, parameters=list(line.parameters))
                for line in self.cast.capability
            ],
            client_person=self.cast.person("client") if client == "owner" else None,
        ).entry
        self.clients.ledger.put(f"contract/{name}", entry)
        return entry

    def issue_tags(self, case: Case, at: datetime) -> None:
        """The contractor draws tags for the specimens."""
        plan = case.plan
        case.tags = self.tags_of(plan)
        case.post.send(
            "contractor",
            project.TagIssued,
            at,
            "tags",
            project=self._enrolment.projects[plan.project],
            tags=case.tags,
            medium="qr",
            issued_to=self.cast.person("sampler"),
        )

    def tags_of(self, plan: Plan) -> list[str]:
        """Tags of the plan's specimens, the same at every call."""
        numbers = [self.clients.ledger.serial("tag", f"{plan.key}/{i}") for i in range(plan.count)]
        return [f"{self.cast.prefix}{self.cast.seed % 100:02d}{number:06d}" for number in numbers]

    def sample(self, case: Case, at: datetime) -> None:
        """The sampler makes, tags and photographs the group."""
        plan, post = case.plan, case.post
        where = [self.cast.projects[plan.project].name, f"{plan.unit_work} {plan.part}"]
        made = f"{plan.times.made.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        lines = {
            "placard": [*where, f"强度等级或牌号 {plan.grade or '未给出'}", f"制样 {made}"],
            "sealed_sample": [f"标识 {case.tags[0]} 等 {plan.count} 件", made],
            "sampler": [f"取样人 {self.cast.person('sampler')[:8]}", made],
        }
        pictures, missing = self._pictures(case, "contractor", lines, at)
        nominal = [Dimension(name="edge", value="150", unit="mm")] if plan.category == "concrete_cube" else []
        case.entries["sample"] = post.send(
            "contractor",
            custody.SamplingRecorded,
            at,
            "sampling",
            project=self._enrolment.projects[plan.project],
            pour=plan.pour,
            arrival=plan.arrival,
            position=_standing_at(plan.place),
            sample_kind=_MATERIALS[plan.category],
            unit_work=plan.unit_work,
            structural_part=plan.part,
            grade=plan.grade,
            curing=plan.curing,
            required_age_d=plan.required_age_d,
            represented_quantity=plan.quantity,
            made_at=plan.times.made,
            sampler=self.cast.person("sampler"),
            pictures=pictures,
            missing_pictures=missing,
            unwitnessed_because=plan.oddities.unwitnessed,
            specimens=[
                custody.SpecimenMade(ordinal=i, tag=tag, nominal=nominal)
                for i, tag in enumerate(case.tags, start=1)
            ],
        ).entry

    def witness(self, case: Case, at: datetime) -> None:
        """The witness seals the sample; nothing is sent when nobody witnessed."""
        if case.plan.oddities.unwitnessed is not None:
            return
        lines = {"witness": [f"见证人 {self.cast.person('witness')[:8]}", f"标识 {case.tags[0]} 等"]}
        pictures, missing = self._pictures(case, "resident_engineer_firm", lines, at)
        case.entries["witnessing"] = case.post.send(
            "resident_engineer_firm",
            custody.WitnessingRecorded,
            at,
            "witnessing",
            sample=case.entries["sample"],
            witness=self.cast.person("witness"),
            witnessed_at=at,
            seal=f"FZ{case.tags[0][2:]}",
            face_verification="alternative",
            position=_standing_at(case.plan.witness_place),
            pictures=pictures,
            missing_pictures=missing,
        ).entry

    def cure(self, case: Case, at: datetime) -> None:
        """The sample's days in the curing room, told when it leaves."""
        assert case.plan.cured is not None
        room, entered, left = case.plan.cured
        case.post.send(
            "contractor",
            custody.CuringRecorded,
            at,
            "curing",
            sample=case.entries["sample"],
            room=room,
            entered_at=entered,
            left_at=left,
            environment=Environment(temperature_C="20.1", humidity_pct="96"),
        )

    def commission(self, case: Case, at: datetime) -> None:
        """The owner's commission; the institution takes its number at once."""
        plan = case.plan
        case.commission_number = self._number(case, "commission", "WT", at)[1]
        request = custody.RequestedWork(
            category=plan.category,
            parameters=_PARAMETERS[plan.category],
            method=plan.category,
            edition=self.edition(plan),
        )
        case.entries["commission"] = case.post.send(
            plan.client,
            custody.CommissionPlaced,
            at,
            "commission",
            contract=self.ensure_contract(plan.project, at - timedelta(days=2), plan.uid_at, plan.client),
            institution=self.cast.party("institution"),
            number=case.commission_number,
            test_category="witnessed",
            samples=[case.entries["sample"]],
            requests=[request],
            submitter=self.cast.person("client") if plan.client == "owner" else None,
            witness=self.cast.person("witness"),
        ).entry
        _, number = self._taken(case, "commission", "WT", at)
        (taken,) = case.post.send_together("institution", at, number)
        case.entries["number.commission"] = taken.entry

    def receive(self, case: Case, at: datetime) -> None:
        """Every tag is scanned, and the report number taken (受理即取号)."""
        pictures, missing = self._pictures(
            case, "institution", {"receipt": [f"收样 {case.commission_number}"]}, at
        )
        receipt = {
            "commission": case.entries["commission"],
            "sample": case.entries["sample"],
            "site": self.cast.site,
            "receiver": self.cast.person("receiver"),
            "accepted": True,
            "scanned": [
                custody.TagScanned(tag=tag, seal_intact=True, condition="外观完好，无缺棱掉角")
                for tag in case.tags
            ],
            "witness_present": case.plan.oddities.unwitnessed is None,
            "pictures": pictures,
            "missing_pictures": missing,
        }
        case.number, number = self._taken(case, "report", _PREFIXES[case.plan.category], at)
        received, taken = case.post.send_together(
            "institution", at, Draft(custody.ReceiptRecorded, "receipt", receipt), number
        )
        case.entries |= {"receipt": received.entry, "number.report": taken.entry}

    def test(self, case: Case, at: datetime) -> None:
        """The test with its curves, signed by the machine itself, and the result by the method."""
        plan = case.plan
        make = cube if plan.category == "concrete_cube" else bar
        curves = not plan.oddities.without_curves
        case.specimens = [
            make(recording, ordinal=i, tag=tag, started_at=start, with_curve=curves)
            for i, (recording, tag, start) in enumerate(
                zip(plan.recordings(), case.tags, plan.times.tested, strict=True), start=1
            )
        ]
        evaluate = cube_result if plan.category == "concrete_cube" else bar_result
        case.result = evaluate(case.specimens, plan.grade, self.edition(plan))
        lines = {"press_start": [f"开始 {case.tags[0]}"], "break": [f"破型 {case.tags[-1]}"]}
        pictures, missing = self._pictures(case, "institution", lines, at)
        temperature, humidity = ENVIRONMENT
        case.entries["run"] = case.post.send(
            "institution",
            testing.RunRecorded,
            at,
            "run",
            device=self.cast.machines[plan.category],
            commission=case.entries["commission"],
            sample=case.entries["sample"],
            site=self.cast.site,
            category=plan.category,
            parameters=[each.parameter for each in case.result.parameters],
            method=plan.category,
            edition=self.edition(plan),
            instrument=self.cast.machines[plan.category],
            technician=self.cast.person(plan.technician),
            data_origin="acquired",
            started_at=plan.times.tested[0],
            finished_at=max(each.run.finished_at for each in case.specimens),
            software="准绳数据自动采集",
            environment=Environment(temperature_C=temperature, humidity_pct=humidity),
            grade=plan.grade,
            specimens=[each.run for each in case.specimens],
            pictures=pictures,
            missing_pictures=missing,
        ).entry

    def review(self, case: Case, step: str, person: str, at: datetime) -> None:
        """A reviewer's or approver's step."""
        case.entries[step] = case.post.send(
            "institution",
            testing.ReviewRecorded,
            at,
            step,
            run=case.entries["run"],
            step=step,
            person=self.cast.person(person),
            decision="accepted",
        ).entry

    def notify(self, case: Case, at: datetime) -> None:
        """Client and station are told of a failing result (不合格告知)."""
        case.entries["notified"] = case.post.send(
            "institution",
            testing.NonconformityNotified,
            at,
            "notified",
            run=case.entries["run"],
            told=["client", "station"],
            note="试验结果不合格，已电话并书面告知委托方和监督机构",
        ).entry

    def dispose(self, case: Case, at: datetime, *, closed: bool) -> None:
        """What the owner did about a failing result (不合格处置)."""
        done = "设计单位复核，同意验收" if closed else "该部位暂停后续施工，委托实体检测"
        if case.plan.category == "rebar_tension":
            done = "该批钢筋退场，已留退场影像" if closed else "该批钢筋封存，不得使用"
        step = "closed" if closed else "disposed"
        case.entries[step] = case.post.send(
            "owner",
            testing.NonconformityDisposed,
            at,
            step,
            run=case.entries["run"],
            disposition=done,
            closed=closed,
        ).entry

    def edition(self, plan: Plan) -> str:
        """Edition of the standard in force on the day of the test; `MethodInputError` when there was none."""
        return method_named(plan.category).edition_on(local_date(plan.times.tested[0]))

    def _taken(self, case: Case, kind: str, prefix: str, at: datetime) -> tuple[str, Draft]:
        """A number, and the message that says that it is taken."""
        serial, number = self._number(case, kind, prefix, at)
        fields = {
            "document_kind": kind,
            "prefix": prefix,
            "site": self.cast.site,
            "year": local_date(at).year,
            "serial": serial,
            "number": number,
            "commission": case.entries["commission"],
        }
        return number, Draft(reports.NumberTaken, f"number.{kind}", fields)

    def _number(self, case: Case, kind: str, prefix: str, at: datetime) -> tuple[int, str]:
        year = local_date(at).year
        serial = self.clients.ledger.serial(number_series(kind, case.plan.category, at), case.plan.key)
        return serial, f"{self.cast.prefix}-{prefix}-{year}-{serial:06d}"

    def _pictures(
        self, case: Case, party: PartyKey, lines: dict[str, list[str]], at: datetime
    ) -> tuple[list[Any], str | None]:
        if not case.plan.pictures:
            return [], "演示数据：本组影像从略"
        lost = case.plan.oddities.missing_picture
        kept = {kind: text for kind, text in lines.items() if lost is None or kind != lost[0]}
        return case.post.pictures(party, kept, at), lost[1] if lost and lost[0] in lines else None


def _standing_at(place: tuple[str, str] | None) -> Position | None:
    if place is None:
        return None
    return Position(longitude=place[0], latitude=place[1], accuracy_m="12")
