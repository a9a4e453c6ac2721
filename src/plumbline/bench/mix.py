"""What is sent while measuring (测量用报文): tests with curves of the usual size, and the whole chain of a
report."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from plumbline.bench.world import INSTRUMENT, World, message
from plumbline.evidence.leaf import entry_id
from plumbline.exchange.curves import encode_dzv
from plumbline.exchange.messages.custody import (
    CommissionPlaced,
    ReceiptRecorded,
    RequestedWork,
    SamplingRecorded,
    SpecimenMade,
    TagScanned,
    WitnessingRecorded,
)
from plumbline.exchange.messages.header import Dimension, Environment, Message
from plumbline.exchange.messages.reports import NumberTaken, ReportApplied, ReportedParameter, ReportedValue
from plumbline.exchange.messages.testing import (
    Curve,
    CurveChannel,
    ReviewRecorded,
    RunRecorded,
    SpecimenRun,
)

#: Points of one cube test: 75 s at 10 Hz; three of them make a message of about 8 kB.
POINTS = 750
#: The one person who samples, witnesses and tests.
PERSON = "11" * 16
_CUBE = RequestedWork(
    category="concrete_cube",
    parameters=["concrete_cube.compressive"],
    method="concrete_cube",
    edition="GB/T 50081-2019",
)
_EDGE = [Dimension(name="edge", value="150", unit="mm")]
_SHAPES = 24


def press_curve(seed: int, points: int = POINTS) -> list[int]:
    """Force of a cube test in steps of 0.01 kN: settling, steady load, break; noise of a few steps."""
    chance = random.Random(seed)  # noqa: S311 - a shape, not a secret
    peak = chance.uniform(70_000, 100_000)
    rise = [peak * (at / (points - 12)) ** 1.02 for at in range(points - 12)]
    drop = [peak * (0.55 - at * 0.04) for at in range(12)]
    return [max(0, round(value + chance.gauss(0, 3))) for value in (*rise, *drop)]


@cache
def _curve_text(seed: int) -> tuple[str, str]:
    """(dzv in base64, greatest force in kN as written) of one of a few dozen shapes."""
    values = press_curve(seed)
    return base64.b64encode(encode_dzv(values)).decode(), f"{max(values) / 100:.2f}"


def _specimen(ordinal: int, tag: str, at: datetime, seed: int) -> SpecimenRun:
    text, greatest = _curve_text(seed % _SHAPES)
    channel = CurveChannel(
        channel="force", unit="kN", scale="0.01", count=POINTS, period_us=100_000, dzv=text
    )
    return SpecimenRun(
        ordinal=ordinal,
        tag=tag,
        started_at=at,
        finished_at=at + timedelta(seconds=POINTS / 10),
        dimensions=_EDGE,
        readings=[Dimension(name="load_kN", value=greatest, unit="kN")],
        curve=Curve(started_at=at, sampling_rate_hz="10", controller="YE-2000 #06", channels=[channel]),
    )


def run_recorded(institution: str, number: int, at: datetime, refs: tuple[str, str]) -> Message:
    """A test of three cubes with three curves; `refs` are commission and sample."""
    first = at - timedelta(minutes=12)
    specimens = [
        _specimen(n, f"HC{number:06d}-{n}", first + timedelta(minutes=3 * n), number * 3 + n)
        for n in (1, 2, 3)
    ]
    fields: dict[str, Any] = {name: getattr(_CUBE, name) for name in _CUBE.__struct_fields__}
    return message(
        institution,
        RunRecorded,
        at,
        commission=refs[0],
        sample=refs[1],
        site="S1",
        instrument=INSTRUMENT,
        technician=PERSON,
        data_origin="acquired",
        software="测量 1",
        started_at=first,
        finished_at=at,
        environment=Environment(temperature_C="21", humidity_pct="55"),
        grade="C30",
        specimens=specimens,
        **fields,
    )


def runs(world: World, count: int, at: datetime, first: int = 0) -> list[Message]:
    """`count` tests of samples that are on their way, as a backlog would bring them."""
    institution = world.senders["institution"].party
    return [
        run_recorded(institution, number, at, (f"{number:032x}", f"{number + 1:032x}"))
        for number in range(first, first + count)
    ]


def entry_of(sent: Message) -> str:
    """The entry id of a message, in hex."""
    return entry_id(bytes.fromhex(sent.sender), sent.uid).hex()


@dataclass(frozen=True, slots=True)
class Chain:
    """Makes the nine messages of one report, in the order of the work; later ones name earlier ones."""

    world: World
    at: datetime
    #: Entries of the project and of the contract; nobody registered these.
    project: str = "22" * 16
    contract: str = "33" * 16

    def make(self, role: str, kind: type[Message], /, **fields: Any) -> tuple[str, Message]:
        """(role of the sender, message)."""
        return role, message(self.world.senders[role].party, kind, self.at, **fields)

    def custody(self, number: int) -> list[tuple[str, Message]]:
        """Sampling, witnessing, commission, reception."""
        made = self.at - timedelta(days=28)
        tags = [f"HC{number:06d}-{n}" for n in (1, 2, 3)]
        sampled = self.make(
            "contractor",
            SamplingRecorded,
            project=self.project,
            sample_kind="concrete_cube",
            structural_part="二层柱 A~D 轴",
            grade="C30",
            curing="standard",
            required_age_d=28,
            made_at=made,
            sampler=PERSON,
            specimens=[SpecimenMade(ordinal=n, tag=tag, nominal=_EDGE) for n, tag in enumerate(tags, 1)],
        )
        sample, institution = entry_of(sampled[1]), self.world.senders["institution"].party
        witnessed = self.make(
            "resident_engineer_firm", WitnessingRecorded, sample=sample, witness=PERSON, witnessed_at=made
        )
        placed = self.make(
            "contractor",
            CommissionPlaced,
            contract=self.contract,
            institution=institution,
            number=f"WT-{number:06d}",
            test_category="witnessed",
            samples=[sample],
            requests=[_CUBE],
        )
        received = self.make(
            "institution",
            ReceiptRecorded,
            commission=entry_of(placed[1]),
            sample=sample,
            site="S1",
            receiver=PERSON,
            scanned=[TagScanned(tag=tag, seal_intact=True, condition="完好") for tag in tags],
            accepted=True,
            witness_present=True,
        )
        return [sampled, witnessed, placed, received]

    def report(self, number: int) -> list[tuple[str, Message]]:
        """All nine."""
        steps = self.custody(number)
        sample, commission = entry_of(steps[0][1]), entry_of(steps[2][1])
        institution = self.world.senders["institution"].party
        run = run_recorded(institution, number, self.at, (commission, sample))
        steps.append(("institution", run))
        for step in ("review", "approval"):
            steps.append(
                self.make(
                    "institution",
                    ReviewRecorded,
                    run=entry_of(run),
                    step=step,
                    person=PERSON,
                    decision="accepted",
                )
            )
        taken = self.make(
            "institution",
            NumberTaken,
            document_kind="report",
            prefix="HNT",
            site="S1",
            year=2026,
            serial=number,
            number=f"HNT-S1-2026-{number:06d}",
            commission=commission,
        )
        return [*steps, taken, self._application(number, (commission, sample, entry_of(run)), taken[1])]

    def _application(self, number: int, refs: tuple[str, str, str], taken: Message) -> tuple[str, Message]:
        value = ReportedValue(symbol="strength_MPa", name="抗压强度", value="38.5", unit="MPa")
        reported = ReportedParameter(
            parameter=_CUBE.parameters[0],
            method=_CUBE.method,
            edition=_CUBE.edition,
            runs=[refs[2]],
            requirement="C30",
            values=[value],
            conclusion="NOT_JUDGED",
        )
        return self.make(
            "institution",
            ReportApplied,
            commission=refs[0],
            number_entry=entry_of(taken),
            number=f"HNT-S1-2026-{number:06d}",
            title="混凝土抗压强度检测报告",
            site="S1",
            category=_CUBE.category,
            samples=[refs[1]],
            parameters=[reported],
            conclusion="NOT_JUDGED",
            conclusion_text="该组试件抗压强度代表值为 38.5 MPa",
            tested_by=[PERSON],
            reviewer=PERSON,
            reviewed_at=self.at,
            approver=PERSON,
            approved_at=self.at,
            issued_on=f"{self.at:%Y-%m-%d}",
        )


def reports(world: World, count: int, at: datetime) -> Iterator[tuple[str, Message]]:
    """(role, message) of `count` whole reports: one in nine is a test with curves."""
    chain = Chain(world, at)
    for number in range(1, count + 1):
        yield from chain.report(number)
