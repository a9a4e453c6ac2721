"""What the institution reports of a test (结果与结论): values by the method's rules, conclusion in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plumbline.demo.measure import Specimen
from plumbline.domain.methods.evaluations import NOT_JUDGED, VOID, Evaluation, MethodInputError
from plumbline.domain.methods.rebar_tension.limits import EDITIONS as BAR_EDITIONS
from plumbline.domain.methods.rebar_tension.limits import requirements, rounding_path
from plumbline.domain.methods.registry import evaluate
from plumbline.exchange.messages.reports import ReportedParameter, ReportedValue
from plumbline.lab.reporting.document import PrintedTable

_WORDS = {"PASS": "合格", "FAIL": "不合格", NOT_JUDGED: "不作判定", VOID: "试验结果无效"}
_FIT = {"PASS": "符合", "FAIL": "不符合"}
#: Symbol → parameter of the capability schedule, its Chinese name, its unit.
_BAR_VALUES = {
    "ReH": ("rebar.ReH", "上屈服强度 ReH", "MPa"),
    "ReL": ("rebar.ReL", "下屈服强度 ReL", "MPa"),
    "Rp02": ("rebar.Rp02", "规定塑性延伸强度 Rp0.2", "MPa"),
    "Rm": ("rebar.Rm", "抗拉强度 Rm", "MPa"),
    "Agt": ("rebar.Agt", "最大力总延伸率 Agt", "pct"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Reported parameters without their runs, conclusion, and what is printed."""

    parameters: tuple[ReportedParameter, ...]
    conclusion: str
    conclusion_text: str
    table: PrintedTable
    #: Exact strengths before rounding, MPa, in the order of the specimens; for comparison with known ones.
    exact_MPa: tuple[float, ...]
    remarks: str = ""
    #: Whether the result falls short of what was asked for: a bar that fails, cubes below their grade.
    is_failing: bool = False

    def with_run(self, run: str) -> list[ReportedParameter]:
        """The parameters resting on one run (entry id)."""
        return [
            ReportedParameter(
                parameter=each.parameter,
                method=each.method,
                edition=each.edition,
                runs=[run],
                requirement=each.requirement,
                values=each.values,
                conclusion=each.conclusion,
            )
            for each in self.parameters
        ]


def cube_result(specimens: Sequence[Specimen], grade: str | None, edition: str) -> Result:
    """Strength of a group of three cubes by GB/T 50081; `MethodInputError` for what is no such group."""
    raw: dict[str, object] = {"specimens": [each.raw for each in specimens]}
    if grade:
        raw["grade"] = grade
    found = evaluate("concrete_cube", edition, raw)
    values = [
        ReportedValue(
            symbol="strength", name="单块抗压强度", value=found.values[f"strength_{i}"], unit="MPa", ordinal=i
        )
        for i in range(1, len(specimens) + 1)
    ]
    if "value" in found.values:
        values.append(
            ReportedValue(symbol="value", name="抗压强度代表值", value=found.values["value"], unit="MPa")
        )
    if "percent_of_grade" in found.values:
        percent = found.values["percent_of_grade"]
        values.append(
            ReportedValue(symbol="percent_of_grade", name="达到设计强度等级百分率", value=percent, unit="pct")
        )
    parameter = ReportedParameter(
        parameter="concrete_cube.compressive",
        method="concrete_cube",
        edition=edition,
        runs=[],
        requirement=grade,
        values=values,
        conclusion=found.verdict,  # type: ignore[arg-type]  # the methods' words are the wire's
    )
    return Result(
        parameters=(parameter,),
        conclusion=found.verdict,
        conclusion_text=_cube_sentence(found, grade),
        table=_cube_table(specimens, found, grade),
        exact_MPa=tuple(_cube_exact(each) for each in specimens),
        remarks="混凝土强度的合格性按检验批评定，本报告不作批的判定。",
        is_failing=_below_grade(found),
    )


def _below_grade(found: Evaluation) -> bool:
    percent = found.values.get("percent_of_grade")
    return percent is not None and Decimal(percent) < 100


def _cube_sentence(found: Evaluation, grade: str | None) -> str:
    if found.verdict == VOID:
        return "该组试件最大值和最小值与中间值之差均超过中间值的 15 %，试验结果无效。"
    strength = f"该组试件抗压强度代表值为 {found.values['value']} MPa"
    if grade is None:
        return f"{strength}；委托未给出设计强度等级，不作判定。"
    return f"{strength}，达到设计强度等级 {grade} 的 {found.values['percent_of_grade']} %。"


def _cube_table(specimens: Sequence[Specimen], found: Evaluation, grade: str | None) -> PrintedTable:
    columns = ["试件序号", "承压面边长/mm", "破坏荷载/kN", "抗压强度/MPa", "代表值/MPa", "达到设计强度/%"]
    rows = []
    for i, each in enumerate(specimens, start=1):
        sides = f"{each.raw.get('width_mm', '')}×{each.raw.get('height_mm', '')}"
        shared = (
            (found.values.get("value", "无效"), found.values.get("percent_of_grade", "/"))
            if i == 1
            else ("", "")
        )
        rows.append((str(i), sides, each.raw["load_kN"], found.values[f"strength_{i}"], *shared))
    return PrintedTable(columns=tuple(columns), rows=tuple(rows))


def _cube_exact(specimen: Specimen) -> float:
    area = float(specimen.raw["width_mm"]) * float(specimen.raw["height_mm"])
    return float(specimen.raw["load_kN"]) * 1000 / area


def bar_result(specimens: Sequence[Specimen], grade: str | None, edition: str) -> Result:
    """Strengths and elongation of bars; judged only with a grade and for nominal diameters."""
    values, verdict, told = _bar_values(specimens, grade, edition)
    names = [name for name in _BAR_VALUES if all(name in each for each in values)]
    limits = (
        {each.key: each for each in requirements(BAR_EDITIONS.named(edition), grade) or ()} if grade else {}
    )
    parameters = tuple(
        ReportedParameter(
            parameter=_BAR_VALUES[name][0],
            method="rebar_tension",
            edition=edition,
            runs=[],
            requirement=f"{limits[name].relation.value} {limits[name].limit}" if name in limits else None,
            values=[
                ReportedValue(
                    symbol=name,
                    name=_BAR_VALUES[name][1],
                    value=each[name],
                    unit=_BAR_VALUES[name][2],
                    ordinal=i,
                )
                for i, each in enumerate(values, start=1)
            ],
            conclusion=verdict,  # type: ignore[arg-type]  # the methods' words are the wire's
        )
        for name in names
    )
    sentence = (
        f"所检样品的拉伸性能{_FIT[verdict]} {edition} 中 {grade} 的规定，{_WORDS[verdict]}。"
        if grade and verdict in ("PASS", "FAIL")
        else "委托未给出牌号，只报告测得值，不作判定。"
    )
    return Result(
        parameters=parameters,
        conclusion=verdict,
        conclusion_text=sentence,
        table=_bar_table(specimens, values, names),
        exact_MPa=tuple(each.tension.Rm_MPa for each in specimens if each.tension is not None),
        remarks=told,
        is_failing=verdict == "FAIL",
    )


def _bar_values(
    specimens: Sequence[Specimen], grade: str | None, edition: str
) -> tuple[list[dict[str, str]], str, str]:
    raw: dict[str, object] = {"specimens": [each.raw for each in specimens]}
    if grade:
        raw["grade"] = grade
    try:
        found = evaluate("rebar_tension", edition, raw)
    except MethodInputError as problem:
        rows = [_from_curve(each, edition) for each in specimens]
        return rows, NOT_JUDGED, f"强度按实测直径由曲线求得（{problem.reason}），未按公称面积评定。"
    return [_of_bar(each, found.values, i) for i, each in enumerate(specimens, start=1)], found.verdict, ""


def _of_bar(specimen: Specimen, values: Mapping[str, str], number: int) -> dict[str, str]:
    row = {
        name: values[f"{name}_{number}"]
        for name in ("ReH", "ReL", "Rm", "Agt")
        if f"{name}_{number}" in values
    }
    if "Fp02_kN" in specimen.raw:
        # The method computes with the proof force in place of the yield force; the report says which it is.
        row["Rp02"] = row.pop("ReL")
    return row


def _from_curve(specimen: Specimen, edition: str) -> dict[str, str]:
    found, path = specimen.tension, rounding_path(BAR_EDITIONS.named(edition), None)
    assert found is not None
    measured = {"ReH": found.ReH_MPa, "ReL": found.ReL_MPa, "Rm": found.Rm_MPa}
    if found.ReL_MPa is None:
        measured["Rp02"] = found.Rp02_MPa
    row = {
        name: f"{path.rounded('strength_MPa', Decimal(repr(value))):f}"
        for name, value in measured.items()
        if value is not None
    }
    if found.Agt_pct is not None:
        row["Agt"] = f"{path.rounded('Agt_pct', Decimal(repr(found.Agt_pct))):f}"
    return row


def _bar_table(
    specimens: Sequence[Specimen], values: Sequence[Mapping[str, str]], names: Sequence[str]
) -> PrintedTable:
    titles = [f"{_BAR_VALUES[name][1].split()[-1]}/{'%' if name == 'Agt' else 'MPa'}" for name in names]
    rows = [
        (str(i), each.raw["diameter_mm"], each.raw["Fm_kN"], *(row[name] for name in names))
        for i, (each, row) in enumerate(zip(specimens, values, strict=True), start=1)
    ]
    return PrintedTable(columns=("试件序号", "直径/mm", "最大力/kN", *titles), rows=tuple(rows))
