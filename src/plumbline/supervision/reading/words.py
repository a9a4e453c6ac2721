"""Words of the trace and the list (页面用词): categories, states, sources, intervals, clauses. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

#: Category on the wire → short name in lists.
CATEGORIES: Final = {
    "concrete_cube": "混凝土抗压",
    "mortar_cube": "砂浆抗压",
    "rebar_tension": "钢筋拉伸",
    "rebar_joint": "钢筋连接",
    "cement": "水泥",
}
TEST_CATEGORIES: Final = {
    "witnessed": "见证取样",
    "client_submitted": "委托送检",
    "on_site": "现场检测",
    "supervision_spot": "监督抽检",
    "doubled_retest": "加倍复检",
    "disputed_retest": "争议复检",
    "after_treatment": "处理后检测",
    "parallel": "平行检测",
    "comparison": "比对试验",
}
CURING: Final = {"standard": "标准养护", "field": "同条件养护", "natural": "自然养护"}
PARTY_ROLES: Final = {
    "platform": "本平台",
    "station": "监督机构",
    "authority": "主管部门",
    "institution": "机构 LIMS",
    "owner": "建设单位",
    "contractor": "施工单位",
    "resident_engineer_firm": "监理单位",
}
#: What proves the sender → what the page says of it.
PROOF_KINDS: Final = {
    "origin": "源头签名",
    "transport": "传输签名",
    "hmac": "对称签名",
    "session": "平台代录",
    "internal": "平台签名",
}
_DOCUMENTS: Final = {
    "CECS-E": "T/CECS 条文说明",
    "CECS": "T/CECS",
    "BJ": "DB6103",
    "GX": "广西",
    "JJ": "九江",
    "GD": "广东",
}


def clause_text(clause: str) -> str:
    """A clause of the register as people cite it: ``BJ 7.1.2-b`` → ``DB6103 7.1.2``."""
    document, _, number = clause.partition(" ")
    if document not in _DOCUMENTS:
        return clause
    return f"{_DOCUMENTS[document]} {number.rsplit('-', 1)[0] if number[-2:-1] == '-' else number}"


def span(length: timedelta) -> str:
    """A length of time in one or two units: ``34 分钟``, ``29 小时 28 分``, ``28 天 3 小时``, ``3 秒``."""
    seconds = abs(int(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds} 秒"
    if minutes < 60:
        return f"{minutes} 分钟"
    if hours < 48:
        rest = minutes % 60
        return f"{hours} 小时" + (f" {rest} 分" if rest else "")
    rest = hours % 24
    return f"{days} 天" + (f" {rest} 小时" if rest else "")


def after(word: str, length: timedelta) -> str:
    """取样后 4 分钟, or 比取样早 4 分钟 where the order is the other way round."""
    return f"{word}后 {span(length)}" if length >= timedelta(0) else f"比{word}早 {span(length)}"
