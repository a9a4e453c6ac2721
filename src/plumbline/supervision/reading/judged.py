"""What the rules said about a report (发现栏): cards for what was found, and one line for every rule that was kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plumbline.domain.basics.findings import Severity
from plumbline.supervision.pages.view_models import FindingCard, FindingsPanel
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.words import clause_text


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """One rule that was judged: what it says when it is kept, its clause, and the findings that break it."""

    sentence: str
    clause: str
    broken_by: tuple[str, ...]


#: The conditions of the code gate in its order, one a line; a test holds them against `gate.CONDITIONS`.
GATE_RULES = (
    JudgedRule(
        "每个报告参数都有已接收的试验记录。", "CECS-E 4.1.2", ("gate.missing_test", "gate.missing_parameters")
    ),
    JudgedRule(
        "须上传曲线的项目都有力值-时间曲线，且为自动采集。",
        "BJ 6.3.2.1",
        ("gate.missing_curve", "gate.keyed_force"),
    ),
    JudgedRule("从成型到批准，时间先后没有颠倒。", "CECS-E 4.1.2", ("gate.broken_time_order",)),
    JudgedRule("样品都在册并有唯一性标识。", "CECS-E 4.3.4-1b", ("gate.missing_sample", "gate.missing_tag")),
    JudgedRule("须见证的样品都有见证记录。", "CECS-E 4.3.4-2", ("gate.missing_witness",)),
    JudgedRule(
        "批准人在核准范围内，审核与批准不是同一人。",
        "CECS 4.1.1-7",
        (
            "gate.missing_approver",
            "gate.approver_outside",
            "gate.approver_unknown",
            "gate.shared_duties",
            "gate.unlisted_reviewer",
        ),
    ),
    JudgedRule(
        "报告的参数都在核准的检测能力内。",
        "CECS-E 4.1.1-8b",
        ("gate.parameter_outside", "gate.parameter_unknown"),
    ),
    JudgedRule("检测场所在核准的场所内。", "CECS 4.1.1-6", ("gate.site_outside", "gate.site_unknown")),
    JudgedRule(
        "机构在工程所在省有资格（本省或已备案）。",
        "CECS-E 4.1.3-b",
        ("gate.filing_outside", "gate.filing_unknown"),
    ),
    JudgedRule("委托方符合检测类别的规定。", "CECS 4.3.3-1", ("gate.excluded_client",)),
    JudgedRule(
        "样品都在委托给本机构的委托单上。", "CECS 3.0.3", ("gate.foreign_commission", "gate.foreign_sample")
    ),
)
SAMPLING_RULES = (
    JudgedRule("取样在规定时间内登记。", "BJ 7.1.2-b", ("custody.late_registration",)),
    JudgedRule("取样人员经监督机构核验。", "BJ 7.1.1", ("custody.unconfirmed_sampler",)),
    JudgedRule(
        "标识已领用，没有重复使用。",
        "CECS 4.3.4-1a",
        ("custody.reused_tag", "custody.unissued_tag", "custody.reissued_tag"),
    ),
)
WITNESSING_RULES = (
    JudgedRule("见证在规定时间内完成。", "BJ 7.1.2-e", ("custody.late_witnessing",)),
    JudgedRule("见证人员经监督机构核验。", "BJ 7.1.1", ("custody.unconfirmed_witness",)),
)
COMMISSION_RULES = (JudgedRule("样品属于委托单上的工程。", "BJ 7.1.2-h", ("custody.foreign_sample",)),)
RECEIPT_RULES = (
    JudgedRule(
        "收样逐件扫码，编号一致，封志完好。",
        "BJ 7.1.2-h",
        ("custody.wrong_tag", "custody.unscanned_tag", "custody.broken_tag"),
    ),
    JudgedRule("收样时见证人员在场。", "JJ 一(六)", ("custody.absent_witness",)),
    JudgedRule("样品只收过一次。", "CECS 3.0.3", ("custody.second_receipt",)),
)
RUN_RULES = (
    JudgedRule(
        "样品先收样、后试验，试件与标识一致。",
        "CECS 3.0.3",
        ("testing.without_receipt", "testing.wrong_tag", "custody.unknown_object"),
    ),
    JudgedRule(
        "仪器已登记，在校准有效期内。",
        "CECS 4.1.1-7",
        ("testing.unknown_instrument", "testing.lapsed_instrument"),
    ),
)
AGE_RULES = (JudgedRule("试验在要求的龄期内。", "", ("custody.late_test", "custody.early_test")),)
#: Broken by any finding of the group `curve.`.
CURVE_RULES = (JudgedRule("曲线完整，没有缺口、截断或平滑。", "BJ 6.2.1.3", ("curve.",)),)
RECOMPUTED_RULES = (
    JudgedRule("平台用原始读数复算，与机构一致。", "BJ 6.1.2", ("methods.different_value",)),
    JudgedRule("报送的荷载等于曲线的最大值。", "BJ 6.1.2", ("methods.different_peak",)),
)
EXAMINED_RULES = (
    JudgedRule("登记的终稿通过签章查验，只有一个版本。", "CECS 4.1.2-c", ("reporting.unsound_pdf",)),
)

_TITLES = {
    "custody.late_registration": "取样登记晚了",
    "custody.late_witnessing": "见证晚了",
    "custody.unconfirmed_sampler": "取样人员没有核验",
    "custody.unconfirmed_witness": "见证人员没有核验",
    "custody.reused_tag": "标识重复使用",
    "custody.unissued_tag": "标识没有领用记录",
    "custody.wrong_tag": "标识对不上",
    "custody.unscanned_tag": "有标识没有扫到",
    "custody.broken_tag": "封志破损",
    "custody.absent_witness": "收样时见证人员不在场",
    "custody.second_receipt": "同一样品收了两次",
    "custody.foreign_sample": "样品属于别的工程",
    "custody.unknown_object": "引用的记录没有报送",
    "custody.late_test": "超过龄期才试验",
    "custody.early_test": "没有到龄期就试验",
    "testing.without_receipt": "没有收样就做了试验",
    "testing.wrong_tag": "试件不属于这组样品",
    "testing.unknown_instrument": "仪器没有登记",
    "testing.lapsed_instrument": "仪器校准过期",
    "methods.different_value": "机构值与复算不一致",
    "methods.different_peak": "荷载与曲线不一致",
    "reporting.foreign_number": "报告编号不是受理时取的号",
    "reporting.unsound_pdf": "签章没有通过查验",
    "reporting.paper_differs": "有人反映纸面不一致",
    "gate.missing_test": "缺试验记录",
    "gate.missing_curve": "缺力值曲线",
    "gate.missing_witness": "缺见证记录",
    "gate.missing_tag": "缺唯一性标识",
    "gate.broken_time_order": "时间先后颠倒",
    "gate.excluded_client": "委托方不符合规定",
    "concrete_cube.scattered_group": "同组强度离散",
    "concrete_cube.void_group": "同组强度离散，结果无效",
    "concrete_cube.slow_loading": "加荷偏慢",
    "concrete_cube.fast_loading": "加荷偏快",
    "concrete_cube.unsteady_loading": "加荷不稳",
    "rebar_tension.failed_requirement": "没有达到规定值",
    "curve.interrupted_curve": "曲线有中断",
    "curve.buffer-limited": "曲线被缓存截断",
    "curve.undropped_end": "曲线没有记到破坏",
    "curve.smoothed_curve": "曲线没有测量纹理",
}
_TONES = {Severity.BLOCK: Tone.BAD, Severity.SEVERE: Tone.BAD, Severity.WARNING: Tone.WARN}


def card(found: Row) -> FindingCard:
    """One finding as a card; what nobody has confirmed says so."""
    severity = Severity(found["severity"])
    confirmed = (
        "" if severity.rank < Severity.WARNING.rank or severity is Severity.BLOCK else "疑点，尚未认定。"
    )
    remedy = (
        f"{'' if found['sentence'].endswith('。') else '。'}{found['remedy']}。"
        if found.get("remedy")
        else ""
    )
    return FindingCard(
        code=found["code"],
        tone=_TONES.get(severity, Tone.OFF),
        level=severity.label,
        title=_TITLES.get(found["code"]) or _short(found["sentence"]),
        sentence=f"{found['sentence']}{remedy}".replace("。。", "。"),
        clause=clause_text(found["clause"]),
        standing=confirmed,
        url=f"/findings/{str(found['id']).replace('-', '')}/" if found.get("id") else "",
    )


def _short(sentence: str) -> str:
    first = sentence.split("，")[0].split("；")[0].rstrip("。")
    return first if len(first) <= 24 else f"{first[:23]}…"


def panel(findings: Iterable[Row], judged: Iterable[JudgedRule]) -> FindingsPanel:
    """Cards by weight, heaviest first; a rule that no finding breaks counts as kept."""
    unique = list({(each["code"], each["sentence"]): each for each in findings}.values())
    unique.sort(key=lambda each: -Severity(each["severity"]).rank)
    codes = {each["code"] for each in unique}
    rules = list(judged)
    kept = [rule for rule in rules if not any(_breaks(code, rule) for code in codes)]
    # What was found by a rule that has no line of its own was judged too: the counts on the page add up.
    unlisted = {code for code in codes if not any(_breaks(code, rule) for rule in rules)}
    return FindingsPanel(
        judged=len(rules) + len(unlisted),
        cards=tuple(card(each) for each in unique),
        satisfied=tuple((rule.sentence, clause_text(rule.clause)) for rule in kept),
    )


def _breaks(code: str, rule: JudgedRule) -> bool:
    return any(code == each or (each.endswith(".") and code.startswith(each)) for each in rule.broken_by)
