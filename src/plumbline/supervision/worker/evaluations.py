"""Recomputation (平台复算): from raw readings and curves, by the method in force, compared with what the institution concluded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.methods.curve import Series, check_series
from plumbline.domain.methods.evaluations import MethodInputError
from plumbline.domain.methods.registry import METHODS, Evaluation, differences, evaluate
from plumbline.exchange.messages.platform import ComputedValue, EvaluationComputed
from plumbline.exchange.messages.reports import GateReason, ReportApplied
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.codes.issue import reason_of
from plumbline.supervision.projection.curve_rows import unpacked

_PEAKS = {"load_kN": "force", "Fm_kN": "force"}


def raw_record(body: Mapping[str, Any]) -> dict[str, object]:
    """The method's raw record from a run: `name_unit` of each dimension and reading, as written."""
    specimens = []
    for specimen in body["specimens"]:
        values = {}
        for item in [*specimen.get("dimensions", []), *specimen["readings"]]:
            name = (
                item["name"]
                if item["name"].endswith(f"_{item['unit']}")
                else f"{item['name']}_{item['unit']}"
            )
            values[name] = item["value"]
        specimens.append(values)
    record: dict[str, object] = {"specimens": specimens}
    if body.get("grade"):
        record["grade"] = body["grade"]
    return record


def curve_findings(body: Mapping[str, Any], curves: list[dict[str, Any]]) -> list[Finding]:
    """What the curves say against the readings: gaps, time running back, cut buffers, and a peak that is not the reported load."""
    found: list[Finding] = []
    for specimen in body["specimens"]:
        row = next(
            (c for c in curves if c["ordinal"] == specimen["ordinal"] and c["channel"] == "force"), None
        )
        if row is None:
            continue
        counts = unpacked(row["values"]).astype(np.float64)
        times = unpacked(row["times_us"]).astype(np.float64) / 1e6
        found += check_series(
            Series(times, counts * float(row["scale"]))
        )  # curve points are floats by nature; readings are not
        found += _peak_difference(specimen, row, int(counts.max()) if len(counts) else 0)
    return found


def _peak_difference(specimen: Mapping[str, Any], row: Mapping[str, Any], peak_count: int) -> list[Finding]:
    scale = Decimal(row["scale"])
    if row["unit"] != "kN":
        return []
    for item in specimen["readings"]:
        name = item["name"] if item["name"].endswith("_kN") else f"{item['name']}_{item['unit']}"
        if name in _PEAKS and abs(Decimal(item["value"]) - peak_count * scale) > max(scale, Decimal("0.1")):
            return [
                Finding(
                    code="methods.different_peak",
                    clause="BJ 6.1.2",
                    severity=Severity.WARNING,
                    facts={"tag": specimen["tag"]},
                    sentence=f"试件 {specimen['tag']} 报送的荷载是 {item['value']} kN，曲线的最大值是 {peak_count * scale} kN",
                    remedy="核对采集数据；确需更正的按更正程序提交",
                )
            ]
    return []


def evaluation_message(
    run: Mapping[str, Any], curves: list[dict[str, Any]], *, operator: str, at: datetime
) -> EvaluationComputed:
    """The entry for one run: values, verdict and findings, or why it cannot be computed."""
    body = run["body"]
    common = {
        "v": 1,
        "uid": derived_uid("evaluation.computed", run["method"], run["entry"], at),
        "sender": operator,
        "occurred_at": at,
        "run": run["id"],
        "method": run["method"],
        "edition": run["edition"],
    }
    if run["method"] not in METHODS:
        return EvaluationComputed(
            **common,
            version="0",
            outcome="not_computable",
            verdict="NOT_JUDGED",
            because=f"平台还不会复算方法 {run['method']}",
        )
    findings = curve_findings(body, curves)
    try:
        result = evaluate(run["method"], run["edition"], raw_record(body))
    except (MethodInputError, KeyError, ValueError) as error:
        return EvaluationComputed(
            **common,
            version="1",
            outcome="not_computable",
            verdict="NOT_JUDGED",
            because=f"原始数据不足以复算：{error}"[:500],
            findings=[reason_of(f) for f in findings],
        )
    return EvaluationComputed(
        **common,
        version=result.version,
        outcome="computed",
        verdict=result.verdict,  # type: ignore[arg-type]
        values=_values(result),
        findings=[reason_of(f) for f in [*findings, *result.findings]],
    )


def unreadable_message(run: Mapping[str, Any], *, operator: str, at: datetime) -> EvaluationComputed:
    """The entry for a run whose readings or curves break the recomputation itself."""
    return EvaluationComputed(
        v=1,
        uid=derived_uid("evaluation.computed", run["method"], run["entry"], at),
        sender=operator,
        occurred_at=at,
        run=run["id"],
        method=run["method"],
        edition=run["edition"],
        version="1",
        outcome="not_computable",
        verdict="NOT_JUDGED",
        because="原始数据或曲线异常，平台无法复算",
        findings=[
            GateReason(
                code="methods.unreadable_run",
                clause="BJ 6.1.2",
                sentence="原始数据或曲线异常，平台无法复算",
                remedy="核对采集数据后更正重报",
            )
        ],
    )


def _values(result: Evaluation) -> list[ComputedValue]:
    return [ComputedValue(symbol=name, value=value[:200]) for name, value in result.values.items() if value]


def reported_differences(
    message: ReportApplied, evaluations: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Findings where the report's values differ from the platform's recomputation; they never withhold a code."""
    found: list[Finding] = []
    for parameter in message.parameters:
        reported = {
            f"{v.symbol}_{v.ordinal}" if v.ordinal else v.symbol: v.value
            for v in parameter.values
            if v.value is not None
        }
        for run in parameter.runs:
            computed = evaluations.get(run)
            if computed is None or computed["outcome"] != "computed":
                continue
            values = {v["symbol"]: v["value"] for v in computed["body"]["values"]}
            found += differences({k: v for k, v in reported.items() if k in values}, values)
    return [f for f in found if f.code == "methods.different_value"]
