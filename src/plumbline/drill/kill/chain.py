"""The way of a report in a cell (登记链): applied, withheld, released by two officers, reserved, registered, examined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from plumbline.drill.kill.site import Site
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.reports import (
    CodeReleased,
    ReportApplied,
    ReportedParameter,
    ReportedValue,
    ReportRegistered,
)


def applied(
    site: Site,
    serial: int,
    *,
    runs: Sequence[str] = ("44" * 16,),
    number_entry: str = "66" * 16,
    sample: str = "77" * 16,
) -> Message:
    """An application that rests on no test, so that its code is withheld: a decision that the worker makes."""
    now, person = datetime.now(UTC), "11" * 16
    reported = ReportedParameter(
        parameter="concrete_cube.compressive",
        method="concrete_cube",
        edition="GB/T 50081-2019",
        runs=list(runs),
        requirement="C30",
        values=[ReportedValue(symbol="strength_MPa", name="抗压强度", value="38.5", unit="MPa")],
        conclusion="NOT_JUDGED",
    )
    return site.message(
        site.party,
        ReportApplied,
        commission=site.commission,
        number_entry=number_entry,
        number=f"BG-{serial:06d}",
        title="混凝土抗压强度检测报告",
        site="S1",
        category="concrete_cube",
        samples=[sample],
        parameters=[reported],
        conclusion="NOT_JUDGED",
        conclusion_text="该组试件抗压强度代表值为 38.5 MPa",
        tested_by=[person],
        reviewer=person,
        reviewed_at=now,
        approver=person,
        approved_at=now,
        issued_on=f"{now:%Y-%m-%d}",
    )


def state_of(site: Site, application: str) -> tuple[str, str | None] | None:
    """(state, code) of an application, None while it is not projected."""
    found: list[Any] = site.rows("SELECT state, code FROM fact.application WHERE id = %s", application)
    return found[0] if found else None


def release(site: Site, application: str) -> None:
    """Two officers of the station release a withheld code."""
    site.desk(
        site.message(
            site.station,
            CodeReleased,
            application=application,
            officer=site.officers[0],
            second_officer=site.officers[1],
            because="演练放行",
        )
    )


def registered(site: Site, application: str, code: str, pdf_sha256: str, size: int) -> Message:
    """The registration of a final file that was uploaded before."""
    return site.message(
        site.party,
        ReportRegistered,
        application=application,
        code=code,
        pdf_sha256=pdf_sha256,
        pdf_bytes=size,
        pages=1,
        signed_at=datetime.now(UTC),
        certificate_sha256="88" * 32,
    )


def examined(site: Site, registration: str) -> bool:
    """Whether the worker has examined a registration."""
    found = site.rows("SELECT examined FROM fact.registration WHERE id = %s", registration)
    return bool(found and found[0][0])
