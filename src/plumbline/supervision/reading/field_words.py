"""Fields and values of messages in the words of a page (字段名与取值的用词): what a change history calls them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from plumbline.supervision.reading import words
from plumbline.web.formats import local_time, short_hash

FIELDS: Final = {
    "accepted": "是否接收", "accuracy_class": "准确度等级", "address": "地址", "approved_at": "批准时间", "approver": "批准人",
    "calibrated_until": "校准有效期至", "calibration_certificate": "校准证书", "category": "检测项目", "certificate_number": "证书编号",
    "channels": "曲线通道", "client": "委托单位", "client_person": "委托人", "client_role": "委托单位性质", "code": "编号",
    "commission": "委托单", "conclusion": "结论", "conclusion_text": "结论文字", "condition": "状况", "contract": "合同",
    "contractor": "施工单位", "curing": "养护", "curve": "曲线", "data_origin": "数据来源", "decision": "意见", "dimensions": "尺寸",
    "discarded": "是否作废", "discarded_because": "作废原因", "division": "行政区划", "edition": "标准版本", "environment": "温湿度",
    "face_verification": "人脸核验", "fence_m": "围栏半径 m", "finished_at": "结束时间", "grade": "设计等级", "groups": "组数",
    "humidity_pct": "湿度 %", "institution": "检测机构", "instrument": "仪器", "issued_on": "签发日期", "keyed_because": "人工录入原因",
    "latitude": "纬度", "lines": "计划内容", "load_control": "加荷控制", "longitude": "经度", "made_at": "成型时间", "method": "方法",
    "missing_pictures": "缺影像的原因", "model": "型号", "name": "名称", "nominal": "名义尺寸", "note": "说明", "number": "编号",
    "occurred_at": "发生时间", "ordinal": "件号", "owner": "建设单位", "parameters": "参数", "party": "单位", "permit_number": "施工许可证",
    "person": "人员", "personal": "个人信息记录", "pictures": "影像", "position": "定位", "project": "工程", "range_kN": "量程 kN",
    "readings": "读数", "receiver": "收样人", "refusal": "拒收原因", "remarks": "备注", "replaces_code": "替代的监管码",
    "represented_quantity": "代表数量", "requests": "检测要求", "required_age_d": "要求龄期 d", "required_on": "要求完成日期",
    "resident_engineer_firm": "监理单位", "reviewed_at": "审核时间", "reviewer": "审核人", "roles": "角色", "sample": "样品",
    "sample_kind": "样品种类", "sampler": "取样人", "samplers": "取样人员", "samples": "样品", "scanned": "扫到的标识", "scope": "检测范围",
    "seal": "封志", "seal_intact": "封志完好", "serial_number": "出厂编号", "short_name": "简称", "signed_on": "签订日期",
    "site": "检测场所", "sites": "检测场所", "software": "采集软件", "specimens": "试件", "started_at": "开始时间",
    "structural_part": "工程部位", "submitter": "送检人", "tag": "标识", "tags": "标识", "technician": "检测员",
    "temperature_C": "温度 °C", "test_category": "委托类别", "tested_by": "检测人员", "title": "报告名称", "unit": "单位",
    "unit_work": "单位工程", "unit_works": "单位工程", "unwitnessed_because": "没有见证的原因", "uscc": "统一社会信用代码",
    "valid_from": "有效期起", "valid_until": "有效期止", "value": "数值", "values": "数值", "version": "版次", "witness": "见证人",
    "witness_present": "见证人员在场", "witnessed_at": "见证时间", "witnesses": "见证人员",
}  # fmt: skip
PERSON_ROLES: Final = {
    "sampler": "取样员", "witness": "见证员", "receiver": "收样员", "technician": "检测员", "reviewer": "审核人", "approver": "批准人",
    "officer": "监督员", "submitter": "送检人", "legal_representative": "法定代表人", "technical_manager": "技术负责人",
    "quality_manager": "质量负责人",
}  # fmt: skip
PARTY_KINDS: Final = {
    "platform": "本平台", "authority": "主管部门", "station": "监督站", "institution": "检测机构", "auxiliary": "辅助机构",
    "owner": "建设单位", "contractor": "施工单位", "resident_engineer_firm": "监理单位", "plant": "搅拌站", "association": "行业协会",
    "public": "公众",
}  # fmt: skip
SAMPLE_KINDS: Final = {
    "concrete_cube": "混凝土立方体试块", "mortar_cube": "砂浆试块", "rebar": "钢筋", "rebar_joint": "钢筋接头",
    "cement": "水泥", "other": "其他",
}  # fmt: skip
_VALUES: Final = {
    "conclusion": {"PASS": "合格", "FAIL": "不合格", "NOT_JUDGED": "不作判定", "VOID": "无效"},
    "data_origin": {"acquired": "自动采集", "keyed": "人工录入"},
    "load_control": {"automatic": "自动", "manual": "手动"},
    "face_verification": {"passed": "通过", "alternative": "用替代方式", "not_done": "没有做"},
    "decision": {"accepted": "同意", "returned": "退回"},
    "curing": {**words.CURING, "none": "不养护"},
    "category": words.CATEGORIES, "test_category": words.TEST_CATEGORIES, "roles": {**PARTY_KINDS, **PERSON_ROLES},
    "sample_kind": SAMPLE_KINDS, "client_role": PARTY_KINDS,
}  # fmt: skip
_HEX = re.compile(r"[0-9a-f]{32,128}\Z")
_LONGEST = 80


def field_word(path: tuple[str | int, ...]) -> str:
    """``("specimens", 0, "readings", 1, "value")`` → 试件 1 读数 2 数值; a field without a word stays as it is written."""
    return " ".join(str(part + 1) if isinstance(part, int) else FIELDS.get(part, part) for part in path)


def value_word(field: str, value: Any, known: dict[str, str]) -> str:
    """A value of a message as readers write it; ``known``: names of parties, people and records by id."""
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        inner = [value_word(field, each, known) for each in value]
        return (
            _cut("、".join(inner))
            if all(not isinstance(v, list | dict) for v in value)
            else f"{len(value)} 项"
        )
    if isinstance(value, dict):
        return f"{len(value)} 项"
    text = str(value)
    if named := known.get(text) or _VALUES.get(field, {}).get(text):
        return named
    if _HEX.match(text):
        return short_hash(text)
    return _instant(text) if field.endswith("_at") else _cut(text)


def _instant(text: str) -> str:
    try:
        return local_time(datetime.fromisoformat(text), "second")
    except ValueError:
        return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
