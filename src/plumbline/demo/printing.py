"""The report as the institution prints and signs it (出具报告): our layout, the institution's key."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path

from pyhanko.pdf_utils.reader import PdfFileReader

from plumbline.demo.cast import Cast
from plumbline.demo.clients import Clients
from plumbline.demo.measure import Specimen
from plumbline.demo.plan import Plan
from plumbline.demo.results import Result
from plumbline.domain.basics.calendar import local_date
from plumbline.domain.reporting.code import format_code
from plumbline.lab.keys import InstitutionKeys
from plumbline.lab.reporting.document import (
    PrintedCurve,
    PrintedInstrument,
    PrintedSignature,
    PrintedTable,
    ReportDocument,
)
from plumbline.lab.reporting.render import render_report
from plumbline.lab.reporting.sign import sign_counted

TITLES = {"concrete_cube": "混凝土立方体抗压强度检测报告", "rebar_tension": "钢筋拉伸性能检测报告"}
STANDARDS = {
    "GB/T 50081-2019": "GB/T 50081-2019 混凝土物理力学性能试验方法标准",
    "GB/T 1499.2-2018": "GB/T 1499.2-2018 钢筋混凝土用钢 第2部分：热轧带肋钢筋",
    "GB 1499.2-2024": "GB 1499.2-2024 钢筋混凝土用钢 第2部分：热轧带肋钢筋",
}
ENVIRONMENT = ("20", "56")
_CURING = {"standard": "标准养护", "field": "同条件养护", "natural": "自然养护", "none": "/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What the printed report takes from the steps before it."""

    number: str
    commission_number: str
    code: str
    claims: str
    edition: str
    tags: Sequence[str]
    specimens: Sequence[Specimen]
    result: Result


def document(plan: Plan, cast: Cast, issued: Issued, public_url: str) -> ReportDocument:
    """Everything that is printed, as plain values."""
    times, organisations = plan.times, cast.organisations
    institution = organisations["institution"]
    machine = cast.instruments[cast.machines[plan.category]]
    witnessed = plan.oddities.unwitnessed is None
    days = sorted({local_date(times.tested[0]), local_date(times.finished)})
    return ReportDocument(
        title=TITLES[plan.category],
        institution=institution.name,
        institution_address=institution.address,
        qualification_number=cast.qualification_number,
        report_number=issued.number,
        supervision_code=format_code(issued.code),
        qr_payload=f"{public_url}/v/{issued.code}#{issued.claims}".upper(),
        client=organisations[plan.client].name,
        owner=organisations["owner"].name,
        contractor=organisations["contractor"].name,
        resident_engineer_firm=organisations["resident_engineer_firm"].name,
        witness=cast.people["witness"].name if witnessed else "/",
        witness_firm=organisations["resident_engineer_firm"].name if witnessed else "/",
        project=cast.projects[plan.project].name,
        structural_part=f"{plan.unit_work} {plan.part}",
        purpose="见证取样检测",
        commission_number=issued.commission_number,
        received_on=local_date(times.received),
        tested_on=" 至 ".join(day.isoformat() for day in days),
        environment=f"温度 {ENVIRONMENT[0]} ℃，相对湿度 {ENVIRONMENT[1]} %",
        samples=_samples(plan, issued),
        methods=(STANDARDS[issued.edition],),
        instruments=(
            PrintedInstrument(
                name=machine.name, number=machine.code, calibrated_until=machine.calibrated_until
            ),
        ),
        results=issued.result.table,
        conclusion=issued.result.conclusion_text,
        remarks=issued.result.remarks,
        technician=_signature(cast, plan.technician, times.finished),
        reviewer=_signature(cast, "reviewer", times.reviewed),
        approver=_signature(cast, "approver", times.approved),
        printed_at=times.applied,
        curves=_curves(issued.specimens),
        is_demo=True,
    )


def _signature(cast: Cast, person: str, at: datetime) -> PrintedSignature:
    return PrintedSignature(name=cast.people[person].name, day=local_date(at))


def _samples(plan: Plan, issued: Issued) -> PrintedTable:
    shared = (local_date(plan.times.made).isoformat(), plan.quantity or "/")
    if plan.category == "rebar_tension":
        return PrintedTable(
            columns=("样品标识", "牌号", "取样日期", "代表数量"),
            rows=tuple((tag, plan.grade or "未给出", *shared) for tag in issued.tags),
        )
    age = str(plan.required_age_d) if plan.required_age_d else "/"
    columns = ("样品标识", "强度等级", "成型日期", "代表数量", "龄期/d", "养护条件")
    rows = tuple((tag, plan.grade or "未给出", *shared, age, _CURING[plan.curing]) for tag in issued.tags)
    return PrintedTable(columns=columns, rows=rows)


def _curves(specimens: Sequence[Specimen]) -> tuple[PrintedCurve, ...]:
    curves = []
    for number, each in enumerate(specimens, start=1):
        if each.run.curve is not None:
            xs, ys = each.force_over_time
            curves.append(PrintedCurve(label=f"试件 {number}", unit="kN", xs=xs, ys=ys))
    return tuple(curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """The final bytes of a report."""

    pdf: bytes
    pages: int

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, hex."""
        return hashlib.sha256(self.pdf).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJob:
    """A report that is to be printed and signed (待出报告): plain values, so that another process can do it."""

    document: ReportDocument
    #: Folder of the institution's keys.
    keys: Path
    #: Where the institution keeps its copy.
    path: Path
    signed_at: datetime


#: Is given what is to be printed as soon as everything is known of it, and gives what hands it over.
Press = Callable[[PrintJob], Callable[[], SignedReport]]


def print_job(plan: Plan, cast: Cast, issued: Issued, clients: Clients) -> PrintJob:
    """What is to be printed of a report that has its code."""
    return PrintJob(
        document=document(plan, cast, issued, clients.public_url),
        keys=clients.keys.folder,
        path=clients.reports / f"{issued.code}.pdf",
        signed_at=plan.times.applied,
    )


def when_asked(job: PrintJob) -> Callable[[], SignedReport]:
    """Print a report at the moment at which it is needed."""
    return partial(signed_report, job)


def signed_report(job: PrintJob) -> SignedReport:
    """The signed report; the copy in the institution's folder, when this code was printed before."""
    if job.path.exists():
        pdf = job.path.read_bytes()
        return SignedReport(pdf=pdf, pages=int(PdfFileReader(io.BytesIO(pdf)).root["/Pages"]["/Count"]))
    pdf, pages = sign_counted(render_report(job.document), _keys(job.keys), signed_at=job.signed_at)
    _keep(job.path, pdf)
    return SignedReport(pdf=pdf, pages=pages)


_keys = lru_cache(maxsize=64)(InstitutionKeys.load)


def _keep(path: Path, pdf: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(pdf)
    temporary.replace(path)
