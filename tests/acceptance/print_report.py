"""The institution's own printing program of the curl-and-openssl run (机构的排版程序): structured report in, unsigned PDF out."""

from __future__ import annotations

import io
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader

from plumbline.demo.cast import PRESS, Cast, build_cast
from plumbline.demo.story import SEED
from plumbline.domain.reporting.code import format_code
from plumbline.lab.reporting.document import PrintedInstrument, PrintedSignature, PrintedTable, ReportDocument
from plumbline.lab.reporting.render import render_report


def document(report: dict[str, Any], cast: Cast, code: str, payload: str) -> ReportDocument:
    """What is printed: values from the structured report, names from the institution's own records."""
    parties, press, issued = (
        cast.organisations,
        cast.instruments[PRESS],
        date.fromisoformat(report["issued_on"]),
    )
    values = report["parameters"][0]["values"]
    names = {person.ref: person.name for person in cast.people.values()}
    return ReportDocument(
        title=report["title"],
        institution=parties["institution"].name,
        institution_address=parties["institution"].address,
        qualification_number=cast.qualification_number,
        report_number=report["number"],
        supervision_code=format_code(code),
        qr_payload=payload,
        client=parties["owner"].name,
        owner=parties["owner"].name,
        contractor=parties["contractor"].name,
        resident_engineer_firm=parties["resident_engineer_firm"].name,
        witness=cast.people["witness"].name,
        witness_firm=parties["resident_engineer_firm"].name,
        project=next(iter(cast.projects.values())).name,
        structural_part="三层 ③至⑤ 轴梁板",
        purpose="见证取样检测",
        commission_number=report["number"].replace("BG", "WT"),
        received_on=issued,
        tested_on=issued.isoformat(),
        environment="温度 20 ℃，相对湿度 56 %",
        samples=PrintedTable(columns=("强度等级", "养护条件"), rows=(("C30", "标准养护"),)),
        methods=(report["parameters"][0]["edition"],),
        instruments=(
            PrintedInstrument(name=press.name, number=press.code, calibrated_until=press.calibrated_until),
        ),
        results=PrintedTable(
            columns=("项目", "序号", "结果/MPa"),
            rows=tuple((each["name"], str(each.get("ordinal", "")), each["value"]) for each in values),
        ),
        conclusion=report["conclusion_text"],
        technician=PrintedSignature(name=names[report["tested_by"][0]], day=issued),
        reviewer=PrintedSignature(name=names[report["reviewer"]], day=issued),
        approver=PrintedSignature(name=names[report["approver"]], day=issued),
        printed_at=datetime.fromisoformat(report["approved_at"]),
        is_demo=True,
    )


def main(report_file: str, code: str, payload: str, out: str) -> None:
    """Print the report to `out` and its number of pages to standard output."""
    report = json.loads(Path(report_file).read_text("utf-8"))
    cast = build_cast(SEED, date.fromisoformat(report["issued_on"]))
    pdf = render_report(document(report, cast, code, payload))
    Path(out).write_bytes(pdf)
    print(PdfFileReader(io.BytesIO(pdf)).root["/Pages"]["/Count"])


if __name__ == "__main__":
    main(*sys.argv[1:])
