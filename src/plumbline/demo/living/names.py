"""Invented names and numbers (虚构的名称与号码): well formed, with valid check characters, of nobody who exists."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from plumbline.domain.basics.identifiers import resident_id_check_character, uscc_check_character

#: Division → name: districts and counties of the demo's city, and counties of its neighbour. The names are invented.
HOME: Final[dict[str, str]] = {
    "610302": "衡川市望川区",
    "610303": "衡川市石桥区",
    "610304": "衡川市临河区",
    "610322": "衡川市岐南县",
    "610323": "衡川市扶岭县",
}
NEIGHBOURS: Final[dict[str, str]] = {"610431": "泾屏市武宁县", "610424": "泾屏市乾泉县"}
#: Middle of each division, degrees: longitude, latitude.
PLACES: Final[dict[str, tuple[float, float]]] = {
    "610302": (107.144, 34.371),
    "610303": (107.238, 34.352),
    "610304": (107.371, 34.353),
    "610322": (107.402, 34.521),
    "610323": (107.892, 34.376),
    "610431": (108.212, 34.260),
    "610424": (108.238, 34.528),
}
_SURNAMES: Final = "许顾程罗卞沈陆岑苗尹邵霍施翟葛柏田盛游蒲阮景乔牧"
_GIVEN: Final = (
    "砚秋", "明岫", "小满", "亦舟", "知行", "未央", "廷昉", "望舒", "青禾", "照野", "怀瑾", "云起", "书白",
    "长庚", "听澜", "子衿", "行简", "若谷", "清和", "思齐", "南乔", "以宁", "秉文", "既明", "令仪", "星阑",
)  # fmt: skip
_FIRM_WORDS: Final = (
    "正衡", "中垣", "诚度", "嘉砺", "广陆", "恒筑", "信石", "华梁", "远岳", "同辉", "立方", "金垚", "安澜", "方圆",
    "泰墉", "川阳", "南屏", "北辰", "瑞丰", "宏基", "润城", "清源", "兴田", "和岳", "晟达", "天枢", "启明", "永固",
)  # fmt: skip
_WORKS_WORDS: Final = (
    "云庭", "河畔", "东苑", "锦程", "朝阳", "梧桐", "青杨", "学府", "桃园", "望岳", "清溪", "金穗", "长宁", "南山",
    "安和", "新桥", "文昌", "春晓", "松涛", "秋水",
)  # fmt: skip
_WORKS_KINDS: Final = (
    "安置房",
    "中学教学楼",
    "综合医院",
    "保障房",
    "产业园厂房",
    "实验小学",
    "养老服务中心",
    "住宅小区",
)
_KINDS: Final = {
    "institution": "工程检测有限公司",
    "contractor": "建设工程有限公司",
    "owner": "置业有限公司",
    "resident_engineer_firm": "工程监理有限公司",
    "plant": "混凝土有限公司",
}
_USCC_LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def digest(*parts: object) -> bytes:
    """Sixteen bytes that follow from the parts alone."""
    return hashlib.sha256("\0".join(("plumb-city", *map(str, parts))).encode()).digest()[:16]


def firm_name(role: str, number: int, division: str) -> tuple[str, str]:
    """Full and short name of the organisation number `number` of its role; different for every number."""
    word = _FIRM_WORDS[number % len(_FIRM_WORDS)]
    turn = number // len(_FIRM_WORDS)
    word += "甲乙丙丁戊己庚辛壬癸"[turn - 1] if turn else ""
    city = (HOME | NEIGHBOURS)[division][:3]
    short = {"institution": "检测", "contractor": "建设", "owner": "置业", "plant": "商砼"}.get(role, "监理")
    return f"{city[:2]}{word}{_KINDS[role]}", f"{city[:2]}{word}{short}"


def works_name(number: int, division: str) -> str:
    """Name of a project; different for every number."""
    word = _WORKS_WORDS[number % len(_WORKS_WORDS)]
    kind = _WORKS_KINDS[(number * 3 + number // len(_WORKS_WORDS)) % len(_WORKS_KINDS)]
    phase = "一二三四五六七八九十"[(number // len(_WORKS_WORDS)) % 10]
    return f"{(HOME | NEIGHBOURS)[division]}{word}{kind}{phase}期工程"


def uscc(seed: int, role: str, number: int, division: str) -> str:
    """A unified social credit code (统一社会信用代码) with a valid check character."""
    drawn = int.from_bytes(digest(seed, "uscc", role, number)[:8], "big")
    letters = "".join(_USCC_LETTERS[drawn // 31**i % 31] for i in range(5))
    body = f"91{division}MA7{letters[0]}{letters[1:]}0"[:17]
    return body + uscc_check_character(body)


def person_name(rng: np.random.Generator) -> str:
    """Surname and given name."""
    return _SURNAMES[int(rng.integers(len(_SURNAMES)))] + _GIVEN[int(rng.integers(len(_GIVEN)))]


def resident_id(rng: np.random.Generator, division: str) -> str:
    """A resident number (公民身份号码) with a valid check character; serial 000 is given to nobody."""
    birth = f"{int(rng.integers(1965, 2001))}{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
    body = f"{division}{birth}000"
    return body + resident_id_check_character(body)
