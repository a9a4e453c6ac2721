"""The curve panel of each run (曲线面板): per-specimen figures, the institution's values beside the platform's."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Protocol

from plumbline.supervision.pages.view_models import (
    Agreement,
    CurveFact,
    CurvePanel,
    SpecimenCurve,
    cube_facts,
    tension_facts,
)
from plumbline.supervision.reading.curve_documents import axis_maximum
from plumbline.supervision.reading.curve_numbers import (
    BARS,
    CUBES,
    Channel,
    area_mm2,
    channels_of,
    load_channel,
    measures,
    permitted_rate,
    rate_of,
)
from plumbline.supervision.reading.database import Row

_CUBE_COLUMNS = ("承压面 mm", "荷载 kN", "强度 MPa", "速度 MPa/s")
_BAR_COLUMNS = ("直径 mm", "Fm kN", "Rm MPa", "ReL MPa", "Agt %")
_OTHER_COLUMNS = ("最大值",)
#: Symbols compared between report and recomputation, by category.
_COMPARED = {"concrete_cube": ("strength",), "rebar_tension": ("ReH", "ReL", "Rm", "A", "Agt")}


class Measured(Protocol):
    """Runs whose curves are drawn: those of a report, or one run by itself."""

    address: str
    instruments: dict[str, Row]
    evaluations: dict[str, Row]

    @property
    def runs(self) -> list[Row]:
        """The runs in the order of the page."""

    @property
    def reported(self) -> list[Row]:
        """Parameters with values, as the institution reports them."""


def panels(facts: Measured) -> tuple[CurvePanel, ...]:
    """One panel for each run of the report."""
    runs = facts.runs
    channels = channels_of([run["id"] for run in runs])
    made, place = [], 1
    for number, run in enumerate(runs, start=1):
        specimens = []
        for index, specimen in enumerate(run["body"]["specimens"], start=1):
            own = channels.get((run["id"], specimen["ordinal"]), {})
            specimens.append(_specimen(facts, run, specimen, (index, place), load_channel(own)))
            place += 1
        peaks = [
            float(c.series.value.max())
            for key, own in channels.items()
            if key[0] == run["id"] and (c := load_channel(own))
        ]
        made.append(
            CurvePanel(
                title="力值–时间曲线" if len(runs) == 1 else f"力值–时间曲线 第 {number} 次试验",
                columns=_columns(run),
                specimens=tuple(specimens),
                decisive_column=2 if run["category"] in (*CUBES, *BARS) else None,
                force_axis_max_kN=axis_maximum(peaks),
            )
        )
    return tuple(made)


def _columns(run: Row) -> tuple[str, ...]:
    return (
        _CUBE_COLUMNS
        if run["category"] in CUBES
        else _BAR_COLUMNS
        if run["category"] in BARS
        else _OTHER_COLUMNS
    )


def _specimen(
    facts: Measured, run: Row, specimen: Row, places: tuple[int, int], channel: Channel | None
) -> SpecimenCurve:
    index, place = places
    values = _values(facts, run, specimen, index)
    agreement, theirs = agreement_of(run["category"], values["reported"], values["computed"])
    strip, cells = _figures(run, specimen, values["shown"], channel)
    rate = (specimen.get("curve") or {}).get("sampling_rate_hz")
    return SpecimenCurve(
        label=f"试件 {index}",
        tag=specimen["tag"],
        data_url=f"{facts.address}/curves/{place}.json" if channel else None,
        facts=strip,
        cells=cells,
        institution_value_agrees=agreement,
        institution_value=theirs,
        sampling_note=f"{rate.rstrip('0').rstrip('.') if '.' in rate else rate} Hz 原始值" if rate else "",
        reason_if_missing="" if channel else _why_missing(run, specimen),
    )


def _values(facts: Measured, run: Row, specimen: Row, index: int) -> dict[str, dict[str, str]]:
    """Reported and recomputed values of one specimen by symbol; shown is the platform's where it has one."""
    reported = {
        value["symbol"]: value["value"]
        for parameter in facts.reported
        if run["id"] in parameter["runs"]
        for value in parameter["values"]
        if value.get("value") is not None and value.get("ordinal") in (index, specimen["ordinal"])
    }
    found = facts.evaluations.get(run["id"])
    computed = {}
    if found and found["outcome"] == "computed":
        suffix = f"_{index}"
        computed = {
            v["symbol"].removesuffix(suffix): v["value"]
            for v in found["body"]["values"]
            if v["symbol"].endswith(suffix)
        }
    return {"reported": reported, "computed": computed, "shown": reported | computed}


def agreement_of(category: str, reported: dict[str, str], computed: dict[str, str]) -> tuple[Agreement, str]:
    """Whether every value that both have is the same number; and the institution's first one that is not."""
    both = [
        symbol
        for symbol in _COMPARED.get(category, tuple(reported))
        if symbol in reported and symbol in computed
    ]
    if not both:
        return Agreement.NOT_COMPARED, ""
    for symbol in both:
        try:
            same = Decimal(reported[symbol]) == Decimal(computed[symbol])
        except InvalidOperation:
            same = reported[symbol] == computed[symbol]
        if not same:
            return Agreement.DIFFER, reported[symbol]
    return Agreement.AGREE, ""


def _figures(
    run: Row, specimen: Row, shown: dict[str, str], channel: Channel | None
) -> tuple[tuple[CurveFact, ...], tuple[str, ...]]:
    sizes = measures(specimen)
    duration = f"{channel.peak_s:.1f}" if channel else ""
    if run["category"] in CUBES:
        peak = channel.peak_text if channel else sizes.get("load_kN", "")
        band, rate = permitted_rate(run), None
        if channel:
            rate = rate_of(channel, area_mm2(specimen), band)
        rate_text = f"{rate.mean_MPa_per_s:.2f}" if rate else ""
        strength = shown.get("strength", "")
        permitted = f"{band.low:.2f}–{band.high:.2f}" if band else ""
        strip = cube_facts(
            peak_kN=peak,
            strength_MPa=strength,
            rate_MPa_per_s=rate_text,
            permitted=permitted,
            duration_s=duration,
        )
        edge = sizes.get("edge_mm", "")
        face = (
            f"{sizes.get('width_mm', edge)}×{sizes.get('height_mm', edge)}"
            if edge or "width_mm" in sizes
            else ""
        )
        return strip, (face, sizes.get("load_kN", peak), strength, rate_text)
    peak = channel.peak_text if channel else sizes.get("Fm_kN", "")
    if run["category"] in BARS:
        low, agt = shown.get("ReL") or shown.get("Rp02", ""), shown.get("Agt", "")
        strip = tension_facts(
            peak_kN=peak, rm_MPa=shown.get("Rm", ""), rel_MPa=low, agt_percent=agt, duration_s=duration
        )
        return strip, (sizes.get("diameter_mm", ""), sizes.get("Fm_kN", peak), shown.get("Rm", ""), low, agt)
    unit = channel.unit if channel else ""
    return (
        CurveFact(label="最大值", value=peak, unit=unit),
        CurveFact(label="用时", value=duration, unit="s"),
    ), (peak,)


def _why_missing(run: Row, specimen: Row) -> str:
    if run["data_origin"] == "keyed":
        because = run["body"].get("keyed_because")
        return "机构报送的是人工录入的读数" + (f"：{because}" if because else "，没有写原因。")
    if specimen.get("curve"):
        return "曲线以文件另行报送，文件还没有展开。"
    return "采集程序没有报送这个试件的曲线。"


def why_no_panel(facts: Measured) -> str:
    """Said in place of the panels when the report names no test."""
    return "" if facts.runs else "报告没有引用已报送的试验记录，所以没有曲线。"
