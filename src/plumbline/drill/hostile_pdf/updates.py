"""Attacks that write behind the signed part (签发之后追加): incremental saving, shadow documents, certified documents, a second
signature.

Classes after Mladenov et al. 2019 (incremental saving), Mainka et al. 2021 (shadow), Rohlmann et al. 2021 (certification).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from plumbline.drill.hostile_pdf.case import Case, refused
from plumbline.drill.hostile_pdf.identities import Identity
from plumbline.drill.hostile_pdf.raw import FREE, RawReport, stream, xref_table
from plumbline.drill.hostile_pdf.sealing import Manner, cms_over, held_in
from plumbline.drill.hostile_pdf.workshop import Workshop

_FALSE = b"BT /F1 12 Tf 72 720 Td (C35 49.6 MPa) Tj ET"
_START = re.compile(rb"startxref\s+(\d+)")
_ROOT = re.compile(rb"/Root (\d+) 0 R")
_SIZE = re.compile(rb"/Size (\d+)")
_ROOM = 8192


def updated(
    pdf: bytes,
    objects: Mapping[int, bytes],
    *,
    listed: bool = True,
    trailer: bool = True,
    closed: bool = True,
) -> bytes:
    """The file with one more revision; without its list, its trailer or its end where a variant wants that."""
    start = int(_START.findall(pdf)[-1])
    root, size = int(_ROOT.findall(pdf)[-1]), int(_SIZE.findall(pdf)[-1])
    out, places = bytearray(pdf), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    here = len(out)
    if listed:
        out += xref_table(places, size)
    if trailer:
        size = max(size, *(number + 1 for number in places)) if places else size
        out += b"trailer\n<</Size %d/Root %d 0 R/Prev %d>>\n" % (size, root, start)
    if closed:
        out += b"startxref\n%d\n%%%%EOF\n" % here
    return bytes(out)


def object_body(pdf: bytes, number: int) -> bytes:
    """The body of an object in the update that holds the signature."""
    last = pdf[pdf.index(b"startxref") :]
    found = re.findall(rb"(?<!\d)%d 0 obj\s(.*?)\s?endobj" % number, last, re.DOTALL)
    return bytes(found[-1])


def page_number(pdf: bytes) -> int:
    """The first page object's number."""
    return int(
        re.findall(rb"(?<!\d)(\d{1,6}) 0 obj\s*<<[^>]*?/Type\s*/Page(?!s)", pdf[pdf.index(b"startxref") :])[
            -1
        ]
    )


def incremental(shop: Workshop, dice: random.Random) -> list[Case]:
    """Incremental saving (增量保存): a new page behind the signature, listed or not, with and without what belongs to it."""
    pdf = dice.choice(shop.signed)
    page, free = page_number(pdf), 900 + dice.randrange(90)
    false = {
        free: stream(_FALSE),
        page: re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % free, object_body(pdf, page)),
    }
    family = "增量保存"
    again = re.findall(rb"(?<!\d)(\d{1,6}) 0 obj\s*<<[^<]*?/Contents <", pdf[pdf.index(b"startxref") :])[-1]
    copied = false | {int(again): object_body(pdf, int(again))}
    made = [
        ("完整的一段", updated(pdf, false)),
        ("没有交叉引用表", updated(pdf, false, listed=False)),
        ("没有文件尾", updated(pdf, false, listed=False, trailer=False)),
        ("没有结束标志", updated(pdf, false, closed=False)),
        ("只有对象", updated(pdf, false, listed=False, trailer=False, closed=False)),
        ("连签章一起抄一遍", updated(pdf, copied)),
        ("只换文件尾", updated(pdf, {})),
        ("两段", updated(updated(pdf, false), {free + 1: b"<<>>"})),
        ("改文档信息", updated(pdf, {free: b"<</Title(49.6)>>"})),
    ]
    return [refused(family, name, data, "appended") for name, data in made]


def tails(shop: Workshop, dice: random.Random) -> list[Case]:
    """Bytes behind the end (文件末尾追加)."""
    pdf = dice.choice(shop.signed)
    noise = dice.randbytes(dice.randrange(1, 5000))
    chosen = [
        ("一个换行", b"\n"),
        ("注释", b"% nothing\n"),
        ("零字节", bytes(dice.randrange(1, 999))),
        ("随机字节", noise),
        ("再一个结束标志", b"%%EOF\n"),
        ("压缩包", b"PK\x05\x06" + bytes(18)),
        ("另一份真报告", shop.plain),
    ]
    return [refused("末尾追加", name, pdf + tail, "appended") for name, tail in chosen]


def shadow(shop: Workshop, _: random.Random) -> list[Case]:
    """Shadow documents (影子文档): what is to appear later is already in the file when it is signed."""
    hidden, cover = stream(_FALSE), stream(b"q 1 1 1 rg 60 700 300 40 re f Q")
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %s/Resources<</Font<</F1 5 0 R>>>>/Annots[7 0 R]>>"
    prepared = shop.seal(
        RawReport(base={FREE: hidden, FREE + 1: cover}, update={3: page % b"[4 0 R 21 0 R]"})
    )
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>"
    field = b"<</FT/Tx/T(value)/V(49.6)/Type/Annot/Subtype/Widget/Rect[72 700 200 720]>>"
    made = [
        ("藏：拿掉盖住的一层", updated(prepared, {3: page % b"4 0 R"})),
        ("藏：盖住的一层换成空", updated(prepared, {FREE + 1: stream(b"")})),
        ("换：字体换掉", updated(prepared, {5: font})),
        ("换：表单的值换掉", updated(prepared, {FREE + 2: field})),
        (
            "藏而后换：目录指到另一页",
            updated(prepared, {2: b"<</Type/Pages/Kids[22 0 R]/Count 1>>", FREE + 2: page % b"20 0 R"}),
        ),
        ("藏而后换：只换交叉引用", updated(prepared, {3: page % b"20 0 R"}, trailer=True)),
    ]
    moved = prepared.replace(b"/Contents [4 0 R 21 0 R]", b"/Contents [20 0 R     ] ")
    return [
        *(refused("影子文档", name, data, "appended") for name, data in made),
        refused("影子文档", "原地换指向", moved, "changed"),
    ]


def certification(shop: Workshop, dice: random.Random) -> list[Case]:
    """Attacks on certified documents (认证签名攻击): annotations and signature fields that viewers allow."""
    pdf = dice.choice(shop.signed)
    page = page_number(pdf)
    rectangle = b"/Rect[72 700 300 760]/F 4"
    family, free = "认证签名攻击", 950
    notes = {
        "文字批注": b"<</Type/Annot/Subtype/FreeText%s/Contents(49.6)/DA(/Helv 12 Tf)>>" % rectangle,
        "图章批注": b"<</Type/Annot/Subtype/Stamp%s/Name/Approved>>" % rectangle,
        "涂改批注": b"<</Type/Annot/Subtype/Redact%s>>" % rectangle,
        "空签名域，外观写字": b"<</Type/Annot/Subtype/Widget/FT/Sig/T(More)%s/AP<</N 951 0 R>>>>" % rectangle,
    }
    body = object_body(pdf, page)
    listed = re.sub(rb"/Annots\s*\[", b"/Annots [ 950 0 R ", body) if b"/Annots" in body else body
    made = []
    for name, note in notes.items():
        data = updated(
            pdf,
            {
                free: note,
                free + 1: stream(_FALSE, b"/Type/XObject/Subtype/Form/BBox[0 0 200 60]"),
                page: listed,
            },
        )
        made.append(refused(family, name, data, "appended"))
    return made


def covering(shop: Workshop, dice: random.Random) -> list[Case]:
    """A second signature over everything (再盖一个签章)."""
    pdf = dice.choice(shop.signed)
    stranger = Identity(shop.stranger.key, shop.stranger.certificate)
    signers = [("另一家机构", shop.other), ("同一家机构", shop.lab), ("陌生的根", stranger)]
    return [refused("再盖签章", name, with_second(pdf, signer), "appended") for name, signer in signers]


def with_second(pdf: bytes, signer: Identity) -> bytes:
    """The file with a second signature that covers it whole."""
    hole = b"<%s>" % (b"0" * _ROOM)
    body = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20250303020500Z)/Contents %s/ByteRange [%s]>>"
    field = b"<</FT/Sig/T(Second)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/V 961 0 R>>"
    out = bytearray(updated(pdf, {960: field, 961: body % (hole, b" " * 46)}))
    start = out.rindex(hole)
    end = start + len(hole)
    place = out.index(b"/ByteRange [", end) + 12
    out[place : place + 46] = (b"0 %d %d %d" % (start, end, len(out) - end)).ljust(46)
    der = cms_over(bytes(out[:start] + out[end:]), signer, Manner())
    out[start + 1 : end - 1] = der.hex().encode("ascii").ljust(_ROOM, b"0")
    return bytes(out)


def metadata(shop: Workshop, dice: random.Random) -> list[Case]:
    """Properties changed (文档属性): in their place, or behind the signature."""
    pdf = dice.choice(shop.signed)
    assert held_in(pdf)
    xmp = pdf.rindex(b"<?xpacket", 0, pdf.rindex(b"/ByteRange"))
    inside = pdf[: xmp + 2] + b"X" + pdf[xmp + 3 :]
    info = pdf.index(b"/Author")
    named = pdf[: info + 1] + b"Bother"[:6] + pdf[info + 7 :]
    return [
        refused("文档属性", "XMP 原地改", inside, "changed"),
        refused("文档属性", "Info 原地改", named, "changed"),
        refused(
            "文档属性",
            "XMP 追加",
            updated(pdf, {970: stream(b"<x/>", b"/Type/Metadata/Subtype/XML")}),
            "appended",
        ),
    ]
