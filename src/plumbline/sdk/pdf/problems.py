"""What can be wrong with a signed report file, each with one plain sentence (报告文件的问题)."""

from __future__ import annotations

from dataclasses import dataclass

#: code → sentence; `{…}` are figures of the case
SENTENCES = {
    "too_large": "文件超过 30 MB，没有检查。",
    "not_pdf": "这不是一份 PDF 文件。",
    "before_header": "PDF 的开头以前夹了 {count} 个字节的别的内容。",
    "no_signature": "文件里没有机构签章。",
    "several_signatures": "文件里有 {count} 个签章，报告只应有一个。",
    "appended": "签发之后又被人写入了 {count} 个字节的内容。",
    "not_covered": "签章没有盖住整个文件。",
    "revisions": "文件有 {count} 段改动记录，签好的报告只应有两段：正文和签章。",
    "bad_container": "签章的数据残缺或夹带了别的内容。",
    "changed": "签章以后内容被改过。",
    "bad_signature": "签章算不对：不是用证书里的密钥签的。",
    "weak_digest": "签章用的摘要算法强度不够。",
    "unsupported": "签章用的算法本程序还不会检查。",
    "untrusted": "签章证书不是由受信任的机构签发的。",
    "out_of_time": "签章的时间不在证书有效期内。",
    "root_ended": "签章的时间不在根证书的采用期内（{name}）。",
    "revoked": "签章证书已在 {day} 吊销，不能证明是在吊销以前签的。",
    "no_time": "签章里没有签章时间。",
    "future": "签章时间晚于现在。",
    "no_name": "签章证书里没有机构名称或统一社会信用代码。",
    "unreadable": "文件结构残缺，读不完整。",
    "too_complex": "文件结构太复杂，超出查验的限度，没有读完。",
    "active_content": "文件里有脚本、附件或会自动执行的内容（{name}）。",
    "encrypted": "文件加了密，不能作为报告。",
    "no_stamp": "签章没有可见的检测专用章。",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a file does not pass."""

    code: str
    sentence_zh: str


def problem(code: str, **figures: object) -> Problem:
    """Return the problem `code` with its sentence filled in; `KeyError` for an unknown code."""
    return Problem(code, SENTENCES[code].format(**figures))
