"""The three answers (真伪、结果、过程): separate, so that a failing report stays genuine. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from plumbline.supervision.pages.view_models import Answer, Chip
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.database import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a report says, read from the application's body (报告值)."""

    category: str
    conclusion: str
    conclusion_text: str
    #: (name, value, unit) of the values that decide, one each.
    values: tuple[tuple[str, str, str], ...]
    #: Group strength of cubes, MPa as written; None for other tests and void groups.
    strength: str | None = None
    percent_of_grade: str | None = None
    grade: str = ""
    required_age_d: int | None = None

    @property
    def is_compared_with_grade(self) -> bool:
        """A strength at an early age says nothing about reaching the grade."""
        return self.percent_of_grade is not None and (
            self.required_age_d is None or self.required_age_d >= 28
        )

    @property
    def reaches_grade(self) -> bool:
        """True when the group has the characteristic strength of its grade."""
        return self.percent_of_grade is not None and Decimal(self.percent_of_grade) >= 100


def reported(category: str, body: Row, sample: Row | None) -> Reported:
    """Read the deciding values: symbols without ordinal first, else those of the first specimen."""
    flat = [
        value
        for parameter in body["parameters"]
        for value in parameter["values"]
        if value.get("value") is not None
    ]
    whole = {value["symbol"]: value["value"] for value in flat if not value.get("ordinal")}
    chosen = [value for value in flat if value["symbol"] == "value"] or [
        value for value in flat if (value.get("ordinal") or 1) == 1 and value["symbol"] != "percent_of_grade"
    ]
    return Reported(
        category=category,
        conclusion=body["conclusion"],
        conclusion_text=body["conclusion_text"],
        values=tuple((value["name"], value["value"], unit_text(value.get("unit"))) for value in chosen),
        strength=whole.get("value") if category == "concrete_cube" else None,
        percent_of_grade=whole.get("percent_of_grade"),
        grade=(sample or {}).get("grade") or "",
        required_age_d=(sample or {}).get("required_age_d"),
    )


def unit_text(unit: str | None) -> str:
    """A unit as it is printed: ``pct`` is %."""
    return {"pct": "%", "1": ""}.get(unit or "", unit or "")


def result_text(said: Reported) -> str:
    """The result in a list: 39.3 MPa 112 %, or ReL 447 Rm 611 MPa."""
    if said.category == "concrete_cube":
        if said.strength is None:
            return "无效" if said.conclusion == "VOID" else ""
        return f"{said.strength} MPa" + (f" {said.percent_of_grade} %" if said.percent_of_grade else "")
    return _values_text(said)


def _values_text(said: Reported) -> str:
    """ReL 447，Rm 611 MPa: yield and tensile strength where there are such, else the first values."""
    named = [(name.split()[-1], value, unit) for name, value, unit in said.values]
    chosen = [each for each in named if each[0] in ("ReL", "Rp0.2", "Rm")] or named[:2]
    units = {unit for _, _, unit in chosen}
    if len(units) == 1:
        return "，".join(f"{name} {value}" for name, value, _ in chosen) + f" {units.pop()}".rstrip()
    return "，".join(f"{name} {value} {unit}".strip() for name, value, unit in chosen)


def result_chip(said: Reported, state: str) -> Chip:
    """The verdict column of the list: what the material did; for a report without code, how the report
    stands."""
    ended = {"withheld": ("暂不发码", Tone.WARN, "lock"), "applied": ("正在判定", Tone.TODO, "hourglass"),
             "released": ("正在判定", Tone.TODO, "hourglass"), "reserved": ("未登记", Tone.OFF, "circle-dashed"),
             "expired": ("未使用", Tone.OFF, "circle-dashed"), "withdrawn": ("已撤回", Tone.WARN, "history"),
             "superseded": ("已替代", Tone.OFF, "history")}.get(state)  # fmt: skip
    if ended:
        return Chip(text=ended[0], tone=ended[1], icon=ended[2])
    tone, text = _result_word(said)
    return Chip(
        text=text,
        tone=tone,
        icon={Tone.OK: "circle-check", Tone.BAD: "circle-x", Tone.WARN: "alert-triangle"}.get(
            tone, "circle-dashed"
        ),
    )


def _result_word(said: Reported) -> tuple[Tone, str]:
    if said.conclusion == "VOID":
        return Tone.WARN, "结果无效"
    if said.conclusion in ("PASS", "FAIL"):
        return (Tone.OK, "合格") if said.conclusion == "PASS" else (Tone.BAD, "不合格")
    if said.is_compared_with_grade:
        return (Tone.OK, "达到设计") if said.reaches_grade else (Tone.BAD, "未达设计")
    return Tone.OFF, "不作判定"


def result_answer(said: Reported, recomputed: str) -> Answer:
    """结果: what the material reached; ``recomputed`` says what the platform's own computation gave."""
    tone, word = _result_word(said)
    if said.category == "concrete_cube" and said.strength is not None:
        headline = f"{said.strength} MPa"
        if said.percent_of_grade and said.grade:
            headline += f"，为 {said.grade} 的 {said.percent_of_grade} %"
        told = "未达设计等级。" if said.is_compared_with_grade and not said.reaches_grade else ""
        lot = "本组是否合格由检验批按 GB/T 50107 评定。" if said.is_compared_with_grade else _early(said)
        return Answer(tone=tone, headline=headline, detail=f"{told}{recomputed}{lot}")
    values = _values_text(said)
    headline = word if said.conclusion in ("PASS", "FAIL", "VOID") or not values else f"{values}，{word}"
    detail = f"{values}。" if values and headline == word else ""
    return Answer(tone=tone, headline=headline, detail=f"{detail}{recomputed}" or said.conclusion_text)


def _early(said: Reported) -> str:
    if said.required_age_d and said.required_age_d < 28:
        return f"{said.required_age_d} 天龄期的强度不与设计等级比。"
    return "委托没有给出设计等级，不作判定。" if not said.grade else ""


def authenticity_answer(
    application: Row, registration: Row | None, institution: str, reasons: Sequence[Row]
) -> Answer:
    """真伪: is it the registered document, and is it in force. It never looks at the result."""
    state = application["state"]
    if state in ("withdrawn", "superseded"):
        because = (registration or {}).get("withdrawn_because") or ""
        said = {
            "withdrawn": ("已撤回，不要再用", f"机构说明：{because}" if because else ""),
            "superseded": ("已有新版，不要再用", "旧版留着可查。"),
        }[state]
        return Answer(tone=Tone.WARN, headline=said[0], detail=said[1])
    if state == "registered" and registration is not None:
        return _registered(registration, institution)
    words = {
        "withheld": (
            Tone.WARN,
            "没有发码",
            f"暂不发码，{len(reasons)} 条原因：{reasons[0]['sentence']}" if reasons else "暂不发码",
        ),
        "reserved": (Tone.OFF, "报告还没有登记", "监管码已预留，机构登记终稿以后才生效。"),
        "expired": (Tone.OFF, "监管码没有使用", "预留的监管码过期，没有登记过报告。"),
    }
    tone, headline, detail = words.get(state, (Tone.TODO, "正在判定", "机构已申请监管码，平台正在核对。"))
    return Answer(tone=tone, headline=headline, detail=detail)


def _registered(registration: Row, institution: str) -> Answer:
    if not registration["examined"]:
        return Answer(tone=Tone.TODO, headline="正在查验签章", detail="报告已登记，签章查验通常不到一分钟。")
    if not registration["accepted"]:
        problems = registration["examination"] or []
        why = problems[0]["sentence"] if problems else "签章没有通过查验"
        return Answer(tone=Tone.BAD, headline="签章没有通过查验", detail=why)
    detail = f"由{institution}签发，登记后一字未改。"
    if registration["root_kind"] == "demo":
        return Answer(
            tone=Tone.OK, headline="报告真实，演示证书", detail=f"{detail}签章用的是演示证书，不能用于工程。"
        )
    return Answer(tone=Tone.OK, headline="报告真实", detail=detail)


def process_answer(severities: Sequence[str], *, is_visible: bool) -> Answer:
    """过程: how many findings of weight, never mixed with the other two answers."""
    if not is_visible:
        return Answer(
            tone=Tone.OFF, headline="由监督机构核对", detail="没有认定的提醒只给监督机构和检测机构看。"
        )
    blocking = sum(each == "block" for each in severities)
    severe = sum(each == "severe" for each in severities)
    warning = sum(each == "warning" for each in severities)
    notices = sum(each in ("notice", "info") for each in severities)
    also = f"另有 {notices} 条提示。" if notices else ""
    if blocking:
        return Answer(
            tone=Tone.BAD, headline=f"{blocking} 项不满足发码条件", detail="补齐以后机构可以重新申请。"
        )
    if severe:
        return Answer(
            tone=Tone.BAD,
            headline=f"{severe + warning} 项提醒，{severe} 项严重",
            detail=f"是疑点，还没有人认定。{also}",
        )
    if warning:
        return Answer(tone=Tone.WARN, headline=f"{warning} 项提醒，不影响真伪", detail=also)
    return Answer(tone=Tone.OK, headline="没有提醒", detail=also)
