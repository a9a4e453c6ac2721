"""Files whose structure is hostile though an accepted signer signed it (结构恶意): active content, bombs, loops, tricks with lists."""

from __future__ import annotations

import random
import zlib
from datetime import UTC, datetime

from plumbline.drill.hostile_pdf.case import Case, refused
from plumbline.drill.hostile_pdf.identities import NAME
from plumbline.drill.hostile_pdf.raw import FREE, RawReport, stream
from plumbline.drill.hostile_pdf.sealing import dated, sealed
from plumbline.drill.hostile_pdf.workshop import Workshop

#: Broken, or not read to its end.
_UNREAD = ("unreadable", "too_complex")
_CATALOG = b"<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R%s>>"


def _odd(family: str, variant: str, data: bytes, *reasons: str) -> Case:
    """Signed by the institution itself: it may hold, or be refused for these reasons."""
    return Case(
        family=family, variant=variant, data=data, reasons=frozenset(reasons), signer=NAME, may_hold=True
    )


def active(shop: Workshop, _: random.Random) -> list[Case]:
    """Scripts, attachments, forms (会自动执行的内容)."""
    script = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    catalog = {
        "打开就执行脚本": b"/OpenAction " + script,
        "名字树里的脚本": b"/Names<</JavaScript<</Names[(a)%s]>>>>" % script,
        "附件": b"/Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/EF<</F 20 0 R>>>>]>>>>",
        "文档动作": b"/AA<</WC %s>>" % script,
        "启动程序": b"/OpenAction<</S/Launch/F(cmd.exe)>>",
        "提交表单": b"/OpenAction<</S/SubmitForm/F(http://example.test)>>",
        "打开别的文件": b"/OpenAction<</S/GoToR/F(x.pdf)>>",
        "拆写的脚本": b"/OpenAction<</S/J#61vaScript/J#53(1)>>",
    }
    attached = {FREE: stream(b"MZ", b"/Type/EmbeddedFile")}
    family = "主动内容"
    made = [
        refused(
            family,
            name,
            shop.seal(RawReport(base=attached if "EF" in str(entry) else {}, update={1: _CATALOG % entry})),
            "active_content",
        )
        for name, entry in catalog.items()
    ]
    xfa = shop.seal(
        RawReport(base={FREE: stream(b"<xdp/>")}, update={6: b"<</Fields[7 0 R]/SigFlags 3/XFA 20 0 R>>"})
    )
    packed = shop.seal(RawReport(base={FREE: script, FREE + 1: b"[1]"}, packed=[FREE, FREE + 1]))
    media = shop.seal(RawReport(base={FREE: b"<</Type/Annot/Subtype/RichMedia/Rect[0 0 9 9]>>"}))
    made += [
        refused(family, "XFA 表单", xfa, "active_content"),
        refused(family, "对象流里的脚本", packed, "active_content"),
        refused(family, "富媒体批注", media, "active_content"),
    ]
    return made


def encrypted(shop: Workshop, _: random.Random) -> list[Case]:
    """Encrypted (加密)."""
    key = b"<</Filter/Standard/V 2/R 3/Length 128/P -4/O(%s)/U(%s)>>" % (b"o" * 32, b"u" * 32)
    entries = b"/Encrypt 20 0 R/ID[(0123456789abcdef)(0123456789abcdef)]"
    whole = shop.seal(RawReport(base={FREE: key}, trailer=entries, update_trailer=entries))
    direct = shop.seal(RawReport(trailer=b"/Encrypt" + key))
    return [
        refused("加密", "标准口令", whole, "encrypted", "unreadable"),
        refused("加密", "直接写在文件尾", direct, "encrypted", "unreadable"),
    ]


def statements(shop: Workshop, _: random.Random) -> list[Case]:
    """What the signature's own dictionary and field may not say (签章的说法)."""
    family, plain = "签章的说法", shop.plain
    hidden = b"<</FT/Sig/T(Stamp)/Type/Annot/Subtype/Widget/F 132/Rect[0 0 0 0]/P 3 0 R/V 9 0 R>>"
    later = dated(plain, datetime(2035, 1, 1, tzinfo=UTC))
    other = plain.replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")
    return [
        refused(family, "签在将来", sealed(later, shop.lab), "future"),
        refused(family, "没有签章时间", sealed(plain.replace(b"/M(D:", b"/N(D:"), shop.lab), "no_time"),
        refused(family, "看不见的章", shop.seal(RawReport(update={7: hidden})), "no_stamp"),
        refused(family, "另一种签章格式", sealed(other, shop.lab), "bad_container"),
    ]


def lists(shop: Workshop, dice: random.Random) -> list[Case]:
    """Tricks with the lists of objects (交叉引用手法)."""
    family, twice = "交叉引用手法", b"20 0 obj\n<</A 1>>\nendobj\n20 0 obj\n<</A 2>>\nendobj\n"
    hybrid = RawReport(update_trailer=b"/XRefStm 15")
    table = b"xref\n0 1\n0000000000 65535 f \n1 5\n" + b"0000000016 00000 n \n" * 5
    false = table + b"trailer\n<</Size 6/Root 1 0 R>>\n"
    shifted = (
        b"xref\n0 1\n0000000000 65535 f \n999999 1\n0000000015 00000 n \ntrailer\n<</Size 6/Root 1 0 R>>\n"
    )
    third = RawReport(prev=None, filler=b"startxref\n15\n%%EOF\n")
    return [
        _odd(family, "同号对象写两遍", shop.seal(RawReport(filler=twice)), "unreadable"),
        refused(family, "混合式", shop.seal(hybrid), "revisions", "unreadable"),
        refused(family, "偏移全指一处", shop.seal(RawReport(base_list=false)), "unreadable"),
        refused(family, "编号超界", shop.seal(RawReport(base_list=shifted)), "unreadable"),
        refused(family, "藏一段改动", shop.seal(third), "revisions"),
        refused(
            family,
            "前一段指向随机处",
            shop.seal(RawReport(prev=dice.randrange(20, 900))),
            "unreadable",
            "revisions",
        ),
        refused(family, "没有前一段", shop.seal(RawReport(base_list=b"nothing\n")), "unreadable"),
        _odd(family, "页面换成引用", shop.seal(RawReport(update={3: b"4 0 R"})), "unreadable", "no_stamp"),
    ]


def loops(shop: Workshop, _: random.Random) -> list[Case]:
    """Loops (循环引用)."""
    family = "循环引用"
    fields = {6: b"<</Fields[20 0 R 7 0 R]/SigFlags 3>>", FREE: b"<</T(a)/Kids[20 0 R]>>"}
    pair = {
        6: b"<</Fields[20 0 R 7 0 R]>>",
        FREE: b"<</T(a)/Kids[21 0 R]>>",
        FREE + 1: b"<</T(b)/Parent 20 0 R/Kids[20 0 R]>>",
    }
    pages = {2: b"<</Type/Pages/Kids[2 0 R]/Count 1>>"}
    outline = {FREE: b"<</First 21 0 R/Last 21 0 R>>", FREE + 1: b"<</Title(a)/Parent 20 0 R/Next 21 0 R>>"}
    return [
        _odd(family, "页面树", shop.seal(RawReport(base=pages)), "unreadable"),
        _odd(family, "大纲", shop.seal(RawReport(base=outline)), "unreadable"),
        _odd(family, "表单域指自己", shop.seal(RawReport(update=fields)), "unreadable"),
        _odd(family, "表单域互指", shop.seal(RawReport(update=pair)), "unreadable"),
        _odd(family, "引用指自己", shop.seal(RawReport(base={FREE: b"20 0 R"})), "unreadable"),
        refused(family, "目录指自己", shop.seal(RawReport(update={1: b"1 0 R"})), "unreadable"),
        refused(family, "前一段指自己", shop.seal(RawReport(prev=-1)), "unreadable", "revisions"),
        refused(
            family,
            "流的长度指自己",
            shop.seal(RawReport(base={FREE: b"<</Length 20 0 R>>\nstream\nx\nendstream"})),
            "unreadable",
        ),
    ]


def bombs(shop: Workshop, dice: random.Random) -> list[Case]:
    """Bombs (解压炸弹): few bytes that cost much; made small, the full drill makes them large too."""
    return _bombs(shop, dice, 1)


def large_bombs(shop: Workshop, dice: random.Random) -> list[Case]:
    """The same, large."""
    return _bombs(shop, dice, 20)


def _bombs(shop: Workshop, dice: random.Random, scale: int) -> list[Case]:
    family, size = "炸弹", 1_000_000 * scale
    zeros = zlib.compress(bytes(3 * size))
    endless = b"/Type/XRef/W[0 0 0]/Index[0 %d]/Size %d/Root 1 0 R" % (900 * size, 900 * size)
    wide = b"/Type/XRef/W[1 4 2]/Index[0 %d]/Size %d/Root 1 0 R/Filter/FlateDecode" % (size, size)
    pack = b"/Type/ObjStm/N 2/First 10/Filter"
    predictor = b"/FlateDecode/DecodeParms<</Predictor 12/Columns %d>>"
    inside = {FREE: b"1", FREE + 1: b"2"}
    many = {FREE + index: b"<</A(\xff)>>" for index in range(1500 * scale)}
    uncommon = {FREE + index: b"<</A(a(b))>>" for index in range(2000 * scale)}

    def packed(data: bytes, entries: bytes) -> bytes:
        return shop.seal(RawReport(base=inside, packed=list(inside), pack=stream(data, pack + entries)))

    def listed(data: bytes, entries: bytes) -> bytes:
        return shop.seal(RawReport(base_list=b"18 0 obj\n%s\nendobj\n" % stream(data, entries)))

    def inner(body: bytes) -> bytes:
        return shop.seal(RawReport(base={FREE: body}))

    deep = dice.randrange(2000, 9000) * scale
    return [
        refused(family, "交叉引用流没有字节的条目", listed(b"", endless), *_UNREAD),
        refused(family, "交叉引用流解压", listed(zeros, wide), *_UNREAD),
        refused(family, "对象流解压", packed(zeros, b"/FlateDecode"), *_UNREAD),
        refused(
            family, "对象流压两层", packed(zlib.compress(zeros), b"[/FlateDecode/FlateDecode]"), *_UNREAD
        ),
        refused(family, "对象流的预测器，一列", packed(zeros, predictor % 1), *_UNREAD),
        refused(family, "对象流的预测器，一行", packed(zeros, predictor % (3 * size - 1)), *_UNREAD),
        _odd(family, "对象流里对象很多", shop.seal(RawReport(base=many, packed=list(many))), *_UNREAD),
        _odd(family, "对象很多", shop.seal(RawReport(base=uncommon)), *_UNREAD),
        _odd(family, "正文解压", inner(stream(zeros, b"/Filter/FlateDecode")), *_UNREAD),
        refused(family, "数组一层套一层", inner(b"[" * deep + b"]" * deep), *_UNREAD),
        refused(family, "字典一层套一层", inner(b"<</A" * deep), *_UNREAD),
        _odd(family, "数组很长", inner(b"[" * 9 + b"1 " * (size // 2) + b"]" * 9), *_UNREAD),
        _odd(
            family,
            "常见写法的对象很大",
            shop.seal(RawReport(base={FREE + i: b"[%s]" % (b"1 " * 90_000) for i in range(5 * scale)})),
            *_UNREAD,
        ),
        refused(family, "括号很多", inner(b"(" * size), *_UNREAD),
        _odd(family, "名字很长", inner(b"/" + b"a" * size), *_UNREAD),
        _odd(family, "很多流共用一段空白", shop.seal(_overlaid(40 * scale, blanks=size)), *_UNREAD),
        _odd(family, "很多流叠在一起", shop.seal(_overlaid(10 * scale, content=size, odd=True)), *_UNREAD),
        _odd(family, "对象流里的表单域", _many_fields(shop, 200 * scale), *_UNREAD),
        _odd(family, "注释很长", inner(b"%" + b"a" * size + b"\n1"), *_UNREAD),
    ]


def _overlaid(count: int, *, content: int = 5, blanks: int = 0, odd: bool = False) -> RawReport:
    """Streams that all end at the same place, each holding those after it."""
    entries = b"/A#42 1" if odd else b""
    head = b"%05d 0 obj\n<</Length %08d%s>>\nstream\n"
    size, first = len(head % (0, 0, entries)), 10_000
    total = count * size + content
    text = b"".join(head % (first + index, total - (index + 1) * size, entries) for index in range(count))
    end = b"x" * content + b" " * blanks + b"\nendstream\nendobj\n"
    return RawReport(
        filler=text + end, overlaid={first + index: index * size for index in range(count)}, listed="stream"
    )


def _many_fields(shop: Workshop, count: int) -> bytes:
    """Form fields in one object stream, asked for one by one."""
    packed = {FREE + index: b"<</FT/Tx/T(f%d)>>" % index for index in range(3 * count)}
    fields = b" ".join(b"%d 0 R" % (FREE + index) for index in range(2 * count, 3 * count))
    form = b"<</Fields[%s 7 0 R]/SigFlags 3>>" % fields
    return shop.seal(RawReport(base=packed, packed=list(packed), update={6: form}))
