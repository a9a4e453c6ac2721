"""Examples from sampling to filing (保管链、试验、报告类示例)."""

from __future__ import annotations

from plumbline.exchange.handbook.example_cast import PARTY, SITE, SUPERVISION_CODE, at, digest, person
from plumbline.exchange.handbook.example_story import Story
from plumbline.exchange.messages.custody import RequestedWork, SpecimenMade, TagScanned
from plumbline.exchange.messages.header import Dimension, Environment, Picture, Position
from plumbline.exchange.messages.reports import GateReason, ReportedParameter, ReportedValue
from plumbline.exchange.messages.testing import Curve, CurveChannel, SpecimenRun

_EDGE = [Dimension(name="edge", value="150", unit="mm")]
_POSITION = Position(longitude="107.14487", latitude="34.36917", accuracy_m="6.5")
_LOADS = ("884.2", "861.0", "853.7")


def _picture(kind: str, minutes: int, days: int = 0) -> Picture:
    return Picture(picture=kind, sha256=digest(kind), captured_at=at(minutes, days=days))  # type: ignore[arg-type]


def work_steps(story: Story, curve: str, count: int) -> None:
    """Sampling, witnessing, commission, receipt, run, review; `curve` is the dzv text of `count` points."""
    _sampling(story)
    _reception(story)
    _testing(story, curve, count)
    _test_steps(story)
    _aftermath(story)


def _sampling(story: Story) -> None:
    tell, entries = story.tell, story.entries
    specimens = [SpecimenMade(ordinal=n, tag=f"HC000{n}", nominal=_EDGE) for n in (1, 2, 3)]
    tell(
        "sampling.recorded",
        "contractor",
        at(102),
        project=entries["project.registered"],
        pour=entries["pour.recorded"],
        sample_kind="concrete_cube",
        unit_work="教学楼",
        structural_part="二层柱 A~D 轴",
        grade="C30",
        curing="standard",
        required_age_d=28,
        represented_quantity="100 m³",
        made_at=at(100),
        sampler=person("sampler"),
        specimens=specimens,
        position=_POSITION,
        pictures=[_picture("placard", 101), _picture("sampler", 101)],
    )
    sample = entries["sampling.recorded"]
    tell(
        "witnessing.recorded",
        "resident_engineer_firm",
        at(106),
        sample=sample,
        witness=person("witness"),
        witnessed_at=at(105),
        seal="FZ00017",
        face_verification="passed",
        position=_POSITION,
        pictures=[_picture("sealed_sample", 105)],
    )
    tell(
        "curing.recorded",
        "institution",
        at(0, days=2),
        sample=sample,
        room="标准养护室",
        entered_at=at(0, days=2),
        environment=Environment(temperature_C="20.1", humidity_pct="97"),
    )


def _reception(story: Story) -> None:
    tell, entries, sample = story.tell, story.entries, story.entries["sampling.recorded"]
    work = RequestedWork(
        category="concrete_cube",
        parameters=["concrete_cube.compressive"],
        method="GB/T 50081",
        edition="GB/T 50081-2019",
    )
    tell(
        "commission.placed",
        "contractor",
        at(30, days=1),
        contract=entries["contract.signed"],
        institution=PARTY["institution"],
        number="WT-2026-0417",
        test_category="witnessed",
        samples=[sample],
        requests=[work],
        submitter=person("sampler"),
        witness=person("witness"),
        required_on="2026-12-17",
    )
    scanned = [TagScanned(tag=f"HC000{n}", seal_intact=True, condition="完好") for n in (1, 2, 3)]
    tell(
        "receipt.recorded",
        "institution",
        at(90, days=1),
        commission=entries["commission.placed"],
        sample=sample,
        site=SITE,
        receiver=person("receiver"),
        scanned=scanned,
        accepted=True,
        witness_present=True,
        pictures=[_picture("receipt", 89, 1)],
    )
    tell(
        "number.taken",
        "institution",
        at(91, days=1),
        document_kind="report",
        prefix="HNT",
        site=SITE,
        year=2026,
        serial=417,
        number="HNT-S1-2026-00417",
        commission=entries["commission.placed"],
    )
    tell(
        "sample.transferred",
        "institution",
        at(95, days=1),
        sample=sample,
        from_person=person("receiver"),
        to_person=person("technician"),
    )


def _testing(story: Story, curve: str, count: int) -> None:
    tell, entries = story.tell, story.entries
    channel = CurveChannel(
        channel="force", unit="kN", scale="0.01", count=count, period_us=100_000, dzv=curve
    )
    recorded = Curve(
        started_at=at(10, days=28),
        sampling_rate_hz="10",
        controller="YE-2000 #06",
        device_counter=10417,
        channels=[channel],
    )
    specimens = [
        SpecimenRun(
            ordinal=n,
            tag=f"HC000{n}",
            started_at=at(7 + 3 * n, days=28),
            finished_at=at(9 + 3 * n, days=28),
            dimensions=_EDGE,
            readings=[Dimension(name="load_kN", value=load, unit="kN")],
            curve=recorded if n == 1 else None,
        )
        for n, load in enumerate(_LOADS, 1)
    ]
    tell(
        "run.recorded",
        "institution",
        at(20, days=28),
        commission=entries["commission.placed"],
        sample=entries["sampling.recorded"],
        site=SITE,
        category="concrete_cube",
        parameters=["concrete_cube.compressive"],
        method="concrete_cube",
        edition="GB/T 50081-2019",
        instrument="YE-2000-06",
        technician=person("technician"),
        data_origin="acquired",
        software="诚测采集 3.2",
        started_at=at(10, days=28),
        finished_at=at(18, days=28),
        environment=Environment(temperature_C="21", humidity_pct="55"),
        grade="C30",
        specimens=specimens,
        pictures=[_picture("press_start", 10, 28), _picture("break", 12, 28)],
    )


def _test_steps(story: Story) -> None:
    tell, entries = story.tell, story.entries
    run = entries["run.recorded"]
    tell(
        "value.corrected",
        "institution",
        at(25, days=28),
        run=run,
        ordinal=1,
        symbol="load_kN",
        before="884.2",
        after="884.1",
        person=person("technician"),
        because="峰值处有一个尖刺，按曲线重新读取",
    )
    tell(
        "onsite.recorded",
        "institution",
        at(30, days=28),
        item=entries["insitu.registered"],
        commission=entries["commission.placed"],
        category="concrete_insitu",
        parameters=["concrete_insitu.rebound"],
        method="JGJ/T 23",
        edition="JGJ/T 23-2011",
        technician=person("technician"),
        started_at=at(26, days=28),
        finished_at=at(29, days=28),
        readings=[Dimension(name="R1", value="38", unit="1")],
    )
    tell(
        "review.recorded",
        "institution",
        at(40, days=28),
        run=run,
        step="review",
        person=person("reviewer"),
        decision="accepted",
    )


def _aftermath(story: Story) -> None:
    tell, entries, run = story.tell, story.entries, story.entries["run.recorded"]
    tell(
        "nonconformity.notified",
        "institution",
        at(50, days=28),
        run=run,
        told=["client", "station"],
        note="强度低于设计等级",
    )
    tell(
        "nonconformity.disposed",
        "contractor",
        at(0, days=35),
        run=run,
        disposition="经原设计单位核算，满足结构安全",
        closed=True,
    )
    tell(
        "retained.disposed",
        "institution",
        at(0, days=60),
        sample=entries["sampling.recorded"],
        kept_until="2027-01-16",
        method="集中清运",
    )


def report_steps(story: Story) -> None:
    """Application, code, registration and what follows."""
    _application(story)
    _codes(story)
    _registration(story)
    _after_registration(story)


def _application(story: Story) -> None:
    tell, entries = story.tell, story.entries
    reported = ReportedParameter(
        parameter="concrete_cube.compressive",
        method="concrete_cube",
        edition="GB/T 50081-2019",
        runs=[entries["run.recorded"]],
        requirement="C30",
        values=[ReportedValue(symbol="strength_MPa", name="抗压强度代表值", value="38.5", unit="MPa")],
        conclusion="NOT_JUDGED",
    )
    tell(
        "report.applied",
        "institution",
        at(60, days=28),
        commission=entries["commission.placed"],
        number_entry=entries["number.taken"],
        number="HNT-S1-2026-00417",
        title="混凝土立方体试件抗压强度检测报告",
        site=SITE,
        category="concrete_cube",
        samples=[entries["sampling.recorded"]],
        parameters=[reported],
        conclusion="NOT_JUDGED",
        conclusion_text="该组试件抗压强度代表值为 38.5 MPa，达到设计强度等级 C30 的 128%。",
        tested_by=[person("technician")],
        reviewer=person("reviewer"),
        reviewed_at=at(40, days=28),
        approver=person("approver"),
        approved_at=at(55, days=28),
        issued_on="2026-12-17",
    )


def _codes(story: Story) -> None:
    tell, entries = story.tell, story.entries
    application = entries["report.applied"]
    tell(
        "code.reserved",
        "platform",
        at(61, days=28),
        application=application,
        institution=PARTY["institution"],
        code=SUPERVISION_CODE,
        claims="AEAUQ",
        dies_at=at(61, days=58),
    )
    reason = GateReason(
        code="gate.missing_curve",
        clause="DB6103 6.3.2.1",
        sentence="抗压强度没有上传力值—时间曲线。",
        remedy="补传曲线后重新申请。",
    )
    tell(
        "code.withheld",
        "platform",
        at(61, days=28),
        application=application,
        institution=PARTY["institution"],
        reasons=[reason],
    )
    tell(
        "code.released",
        "station",
        at(0, days=29),
        application=application,
        officer=person("officer"),
        second_officer=person("second officer"),
        because="采集软件故障，原始曲线已现场核对",
    )
    tell(
        "number.voided",
        "institution",
        at(5, days=29),
        number_entry=entries["number.taken"],
        because="委托方撤回委托",
    )


def _registration(story: Story) -> None:
    tell, entries = story.tell, story.entries
    tell(
        "report.registered",
        "institution",
        at(70, days=28),
        application=entries["report.applied"],
        code=SUPERVISION_CODE,
        pdf_sha256=digest("report"),
        pdf_bytes=412_310,
        pages=2,
        signed_at=at(68, days=28),
        certificate_sha256=digest("certificate"),
    )
    registration = entries["report.registered"]
    tell(
        "report.examined",
        "platform",
        at(71, days=28),
        registration=registration,
        accepted=True,
        root_kind="demo",
        signer="衡川诚测检测有限公司",
    )
    tell(
        "report.withdrawn",
        "institution",
        at(0, days=40),
        registration=registration,
        because="工程部位写错，另出更正报告",
    )


def _after_registration(story: Story) -> None:
    tell, entries, registration = story.tell, story.entries, story.entries["report.registered"]
    tell(
        "report.delivered",
        "institution",
        at(0, days=30),
        registration=registration,
        to=PARTY["owner"],
        copies=3,
    )
    tell("authenticity.confirmed", "owner", at(30, days=30), registration=registration, genuine=True)
    tell(
        "complaint.filed",
        "platform",
        at(0, days=31),
        code=SUPERVISION_CODE,
        differs=["grade"],
        note="纸面写的是 C40",
    )
    tell(
        "dossier.archived",
        "institution",
        at(0, days=45),
        registration=registration,
        kept_until="2046-12-31",
        shelf="A-12",
    )
    tell(
        "completion.checked",
        "station",
        at(0, days=80),
        project=entries["project.registered"],
        complete=False,
        missing=["三层梁混凝土强度 2 组"],
    )
