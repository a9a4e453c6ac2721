"""Who is shown what of a person (遮盖表): one table for pages, exports, answers and the public page. Pure.

Whoever is not in the table is shown nothing. The rows that a reader may see at all are decided by row security before this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Shown = Literal["whole", "masked", "on_request", "never"]
STAR: Final = "\uff0a"
#: Reader (a role of a principal) → what it is called.
READERS: Mapping[str, str] = {
    "officer": "监督人员",
    "institution": "检测机构",
    "party": "参建单位",
    "system_admin": "系统管理员",
    "security_admin": "安全管理员",
    "audit_admin": "审计管理员",
    "public": "公众",
}
FIELDS: Mapping[str, str] = {
    "name": "姓名",
    "resident_id": "证件号",
    "phone": "电话",
    "face_sha256": "人脸摘要",
    "contact": "密钥申请的联系人",
    "person": "人员编号",
    "certificate_number": "证书编号",
}
SHOWN_WORDS: Mapping[Shown, str] = {
    "whole": "看得到",
    "masked": "遮盖",
    "on_request": "点开才看，留痕",
    "never": "看不到",
}
_WORK: Mapping[str, Shown] = {"officer": "whole", "institution": "whole", "party": "whole"}
_TABLE: Mapping[str, Mapping[str, Shown]] = {
    "name": {**_WORK, "public": "masked"},
    "resident_id": {},
    "phone": {},
    "face_sha256": {},
    "contact": {"officer": "on_request"},
    "person": {**_WORK, "audit_admin": "whole"},
    "certificate_number": _WORK,
}


def shown(field: str, reader: str) -> Shown:
    """How a field is shown to a reader; KeyError for a field that the table does not know."""
    return _TABLE[field].get(reader, "never")


def masked_name(name: str) -> str:
    """A person's name with its first and last character (王海涛 keeps 王 and 涛); of two characters the first."""
    if len(name) <= 1:
        return STAR
    if len(name) == 2:
        return name[0] + STAR
    return name[0] + STAR * (len(name) - 2) + name[-1]


def name_for(reader: str, name: str) -> str:
    """A name as this reader is shown it; empty when not at all, and nothing for nothing."""
    how = shown("name", reader)
    if not name or how in ("never", "on_request"):
        return ""
    return name if how == "whole" else masked_name(name)
