"""Damage without design (随机损坏): flipped bits, cuts, swapped pieces; and files that are of two kinds at once."""

from __future__ import annotations

import random

from plumbline.drill.hostile_pdf.case import Case, refused
from plumbline.drill.hostile_pdf.sealing import envelope_of, hole_of
from plumbline.drill.hostile_pdf.workshop import Workshop

#: A change in the signed part; the second where it hits a word that ends a revision.
_SIGNED = ("changed", "revisions")
#: A change behind the CMS object may hit the byte range and the file's end too.
_BEHIND = (*_SIGNED, "no_signature", "not_covered", "appended", "bad_container")
#: What a change in the CMS object may look like.
_OBJECT = ("bad_container", "changed", "bad_signature", "weak_digest", "unsupported")


def flips(shop: Workshop, dice: random.Random) -> list[Case]:
    """One bit of the printed part, of the update, of the CMS object (一位翻转)."""
    pdf = dice.choice(shop.signed)
    start, end = hole_of(pdf)
    used = len(envelope_of(pdf).cms or b"") * 2
    places = [
        (
            "正文",
            dice.randrange(8, start - 60_000 if start > 70_000 else start // 2),
            _SIGNED,
        ),
        ("签章一段", dice.randrange(start - 5000, start - 1), _SIGNED),
        ("签章数据", dice.randrange(start, start + used), _OBJECT),
        ("签章数据后的零", dice.randrange(start + used, end), ("bad_container",)),
        ("签章之后", dice.randrange(end + 1, len(pdf)), _BEHIND),
    ]
    made = []
    for name, at, reasons in places:
        data = bytearray(pdf)
        data[at] ^= 1 << dice.randrange(8)
        made.append(refused("一位翻转", name, bytes(data), *reasons))
    return made


def cuts(shop: Workshop, dice: random.Random) -> list[Case]:
    """Cut anywhere (截断), and pieces taken out, doubled or swapped."""
    pdf = dice.choice(shop.signed)
    # Where bytes are missing, the byte range reaches beyond the end, or is gone itself.
    short = ("not_covered", "no_signature")
    at, size = dice.randrange(10, len(pdf)), dice.randrange(1, 4000)
    # From the CMS object on, so that what is taken out is never of the header.
    inner = dice.randrange(2000, len(pdf) - 9000)
    piece = pdf[inner : inner + size]
    zeroed = pdf[:inner] + bytes(size) + pdf[inner + size :]
    made = {
        "截断": (pdf[:at], short),
        "截掉末尾几个字节": (pdf[: -dice.randrange(2, 60)], ("not_covered",)),
        "挖掉一块": (pdf[:inner] + pdf[inner + size :], short),
        "重复一块": (pdf[: inner + size] + piece + pdf[inner + size :], ("appended",)),
        "填零": (zeroed, (*_SIGNED, "bad_container", "no_signature")),
        "前后对调": (pdf[:9] + pdf[inner:] + pdf[9:inner], short),
    }
    # Zeros over zeros change nothing.
    return [
        refused("随机损坏", name, data, *reasons) for name, (data, reasons) in made.items() if data != pdf
    ]


def polyglots(shop: Workshop, dice: random.Random) -> list[Case]:
    """Files of two kinds (一文两用), and bytes before the header."""
    pdf = dice.choice(shop.signed)
    before = {
        "图片开头": b"GIF89a" + dice.randbytes(200),
        "网页开头": b"<!DOCTYPE html><script>alert(1)</script><!--",
        "程序开头": b"#!/bin/sh\nexit 0\n",
        "一个换行": b"\n",
        "字节序标记": b"\xef\xbb\xbf",
    }
    family = "一文两用"
    made = [refused(family, name, head + pdf, "before_header") for name, head in before.items()]
    made.append(refused(family, "开头太远", bytes(2000) + pdf, "not_pdf"))
    made.append(refused(family, "压缩包开头", b"PK\x03\x04" + bytes(40) + pdf, "before_header"))
    return made
