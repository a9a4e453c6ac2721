"""The handbook as a list of chapters (手册正文): one content for the page and for the PDF; marks in texts as in
`blocks`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from plumbline.exchange.handbook import prose
from plumbline.exchange.handbook.blocks import Block, Chapter, Code, Heading, Paragraph, Table
from plumbline.exchange.handbook.examples import CURVE_BYTES, CURVE_POINTS, CURVE_TEXT, example_bytes
from plumbline.exchange.handbook.fields import Field, fields_of_kind, header_fields, structures
from plumbline.exchange.handbook.layout import indented
from plumbline.exchange.handbook.vector_files import load_vector
from plumbline.exchange.messages import KINDS, Kind
from plumbline.exchange.problems import KINDS as PROBLEMS

TITLE = "检测数据上传指导手册"

ROLES = {
    "platform": "平台",
    "authority": "住建主管部门",
    "station": "监督站",
    "institution": "检测机构",
    "auxiliary": "协作单位",
    "owner": "建设单位",
    "contractor": "施工单位",
    "resident_engineer_firm": "监理单位",
    "plant": "混凝土生产单位",
    "association": "行业协会",
    "public": "公众",
}


@dataclass(frozen=True, slots=True)
class Book:
    """Title and chapters, complete."""

    title: str
    chapters: tuple[Chapter, ...]


@cache
def book() -> Book:
    """The handbook of this version of the code."""
    return Book(
        TITLE,
        (
            Chapter("start", "从这里开始", prose.START),
            Chapter("keys", "申请密钥", prose.KEYS),
            Chapter("signature", "签名", (*prose.SIGNATURE, *_signature_example())),
            Chapter("origin", "源头签名", (*prose.ORIGIN, *_tables("OriginSignature"))),
            Chapter("batch", "批量签名", (*prose.BATCH, *_tables("BatchPlace"))),
            Chapter("together", "成批报送", prose.TOGETHER),
            Chapter("personal", "个人信息", (*prose.PERSONAL, *_tables("PersonalRecord", "PersonalFields"))),
            Chapter("curve", "曲线", (*prose.CURVE, *_curve_example())),
            Chapter("files", "文件续传", prose.FILES),
            Chapter("code", "三步办理监管码", prose.CODE),
            Chapter("numbers", "编号", prose.NUMBERS),
            Chapter("time", "时间与重试", prose.TIME),
            Chapter("changes", "变更", prose.CHANGES),
            Chapter("messages", "消息表", tuple(_messages())),
            Chapter("structures", "结构表", tuple(_structures())),
            Chapter("problems", "错误表", (Paragraph(prose.PROBLEMS), _problems())),
        ),
    )


def _signature_example() -> tuple[Block, ...]:
    case = next(each for each in load_vector("transport.json") if each["name"] == "post, ed25519")
    lines = "\n".join(f"{name}: {value}" for name, value in case["headers"].items())
    return (
        Heading("例子"),
        Paragraph("私钥是 32 个字节 `01`，`created` 是 1795067400。被签名的文字如下，末尾没有换行："),
        Code(case["signature_base"]),
        Paragraph("请求头："),
        Code(lines),
        Paragraph("请求体："),
        Code(case["body"]),
    )


def _curve_example() -> tuple[Block, ...]:
    rows, previous, offset = [], 0, 0
    for value in CURVE_POINTS:
        delta = value - previous
        z = 2 * delta if delta >= 0 else -2 * delta - 1
        length = max(1, (z.bit_length() + 6) // 7)
        rows.append((str(value), str(delta), str(z), CURVE_BYTES[offset : offset + length].hex(" ")))
        previous, offset = value, offset + length
    return (
        Heading("例子"),
        Paragraph("力值 0、0.12、0.40 … kN，每 100 ms 一点，`scale` 为 `0.01`，整数如下："),
        Table(("整数", "差", "折叠", "字节（十六进制）"), tuple(rows)),
        Paragraph(f"连起来做 base64，就是 `{CURVE_TEXT}`，`count` 写 {len(CURVE_POINTS)}。"),
    )


def senders_zh(kind: Kind) -> str:
    """Who may send a kind, in the order of the role list."""
    return "、".join(text for role, text in ROLES.items() if role in kind.senders)


def _messages() -> list[Block]:
    blocks: list[Block] = [Paragraph(prose.MESSAGES)]
    rows = tuple(
        (f"[`{tag}`](#{_anchor(tag)})", kind.title, senders_zh(kind), kind.page)
        for tag, kind in KINDS.items()
    )
    blocks += [
        Table(("类型", "名称", "谁可以发", "在哪里看到"), rows),
        Heading("每条消息都有的字段", "header"),
    ]
    blocks.append(_fields(header_fields()))
    for tag, kind in KINDS.items():
        blocks += _message(tag, kind)
    return blocks


def _anchor(tag: str) -> str:
    return f"m-{tag.replace('.', '-')}"


def _message(tag: str, kind: Kind) -> list[Block]:
    rows = fields_of_kind(tag)
    blocks: list[Block] = [Heading(f"{kind.title} `{tag}`", _anchor(tag))]
    blocks.append(
        Paragraph(
            f"谁可以发：{senders_zh(kind)}。{'重要：请用源头签名。' if kind.weighty else ''}"
            f"机器可读的结构：[JSON Schema](/x/schemas/{tag}.json)。"
        )
    )
    if rows:
        blocks.append(_fields(rows))
    return [*blocks, Code(indented(example_bytes(tag)))]


def _structures() -> list[Block]:
    blocks: list[Block] = [Paragraph("消息里嵌套的结构，按名称查。没有列出的字段不收。")]
    for name, rows in structures().items():
        blocks += [Heading(f"`{name}`", f"s-{name}"), _fields(rows)]
    return blocks


def _tables(*names: str) -> list[Block]:
    found = structures()
    return [_fields(found[name]) for name in names]


def _fields(rows: list[Field]) -> Table:
    return Table(
        ("字段", "类型", "必填", "含义"),
        tuple((f"`{row.name}`", _type(row), "是" if row.required else "", _meaning(row)) for row in rows),
    )


def _type(row: Field) -> str:
    if not row.structure:
        return row.type_zh
    return row.type_zh.replace(row.structure, f"[{row.structure}](#s-{row.structure})")


def _meaning(row: Field) -> str:
    if not row.choices:
        return row.meaning
    return f"{row.meaning}。代码：{'、'.join(f'`{choice}`' for choice in row.choices)}"


def _problems() -> Table:
    rows = tuple((f"`{slug}`", str(row.status), row.title, row.remedy) for slug, row in PROBLEMS.items())
    return Table(("代码", "状态", "平台怎么说", "怎么办"), rows)
