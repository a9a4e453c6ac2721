"""Attacks on what the signature covers (伪造签章): universal forgery, wrapping, and the CMS object itself."""

from __future__ import annotations

import random
import re
from typing import Any

from asn1crypto import cms, core  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import serialization

from plumbline.drill.hostile_pdf.case import Case, held, refused
from plumbline.drill.hostile_pdf.identities import NAME
from plumbline.drill.hostile_pdf.sealing import (
    Change,
    Manner,
    changed_cms,
    envelope_of,
    held_in,
    hole_of,
    put,
    sealed,
)
from plumbline.drill.hostile_pdf.workshop import Workshop

_RANGE = re.compile(rb"/ByteRange\s*\[[^\]]*\]")
_CMS = frozenset({"bad_container", "changed", "bad_signature"})


def _ranged(pdf: bytes, text: bytes) -> bytes:
    """The file with other bytes in the place of `/ByteRange [...]`, as long where they fit."""
    found = _RANGE.search(pdf, envelope_of(pdf).byte_range[1])
    if found is None:
        raise ValueError("no byte range")
    return pdf[: found.start()] + text.ljust(len(found[0])) + pdf[found.end() :]


def ranges(shop: Workshop, dice: random.Random) -> list[Case]:
    """Universal forgery (通用伪造) by /ByteRange."""
    pdf = dice.choice(shop.signed)
    _, length, second, rest = envelope_of(pdf).byte_range
    size = len(pdf)
    # The update that holds a signature may be shorter than what the case would leave out.
    late = min(1000, rest // 2)
    unseen = {
        "没有": b"",
        "没有值": b"/ByteRange",
        "空值": b"/ByteRange null",
        "空数组": b"/ByteRange []",
        "负数": b"/ByteRange [0 -%d %d %d]" % (length, second, rest),
        "第一个是负数": b"/ByteRange [-1 %d %d %d]" % (length, second, rest),
        "三个数": b"/ByteRange [0 %d %d]" % (length, second),
        "五个数": b"/ByteRange [0 %d %d %d 0]" % (length, second, rest),
        "小数": b"/ByteRange [0.0 %d.0 %d %d]" % (length, second, rest),
        "字符串": b"/ByteRange (0 %d %d %d)" % (length, second, rest),
        "真值": b"/ByteRange true",
        "名字": b"/ByteRange /All",
        "嵌套": b"/ByteRange [[0 %d] [%d %d]]" % (length, second, rest),
        "引用": b"/ByteRange 4 0 R",
        "大得出奇": b"/ByteRange [0 99999999999999999999 1 1]",
        "拆写的名字": b"/Byte#52ange [0 %d %d %d]" % (length, second, rest),
    }
    covering = {
        "全是零": (b"0 0 0 0", "appended"),
        "重叠": (b"0 %d %d %d" % (second + 5, length, size - length), "not_covered"),
        "第一段短一截": (b"0 %d %d %d" % (length - 1000, second, rest), "not_covered"),
        "第二段晚一截": (b"0 %d %d %d" % (length, second + late, rest - late), "not_covered"),
        "不从头开始": (b"1 %d %d %d" % (length - 1, second, rest), "not_covered"),
        "超出文件": (b"0 %d %d %d" % (length, second, rest + 99999), "not_covered"),
        "少盖末尾": (b"0 %d %d %d" % (length, second, rest - 10), "appended"),
        "两段对调": (b"%d %d 0 %d" % (second, rest, length), "appended"),
        "整个文件": (b"0 %d %d 0" % (size, size), "not_covered"),
        "很大": (b"0 9999999999 9999999999 9", "not_covered"),
    }
    family = "通用伪造"
    made = [
        refused(family, f"ByteRange {name}", _ranged(pdf, text), "no_signature")
        for name, text in unseen.items()
    ]
    for name, (text, reason) in covering.items():
        data = _ranged(pdf, b"/ByteRange [%s]" % text)
        made.append(
            refused(family, f"ByteRange {name}", data, reason, "appended", "not_covered", "bad_container")
        )
    return made


def contents(shop: Workshop, dice: random.Random) -> list[Case]:
    """Universal forgery by /Contents."""
    pdf = dice.choice(shop.signed)
    start, end = hole_of(pdf)
    room = end - start

    def filled(text: bytes, fill: bytes = b" ") -> bytes:
        return pdf[: start - 1] + text.ljust(room + 2, fill) + pdf[end + 1 :]

    keyless = pdf[: start - 11] + b"/Kontents " + pdf[start - 1 :]
    der = held_in(pdf).hex().encode("ascii")
    made = {
        "空值": filled(b"null"),
        "空": filled(b"<>"),
        "没有值": filled(b""),
        "零": filled(b"<" + b"0" * room + b">"),
        "一个零字节": filled(b"<00>"),
        "数": filled(b"0"),
        "真值": filled(b"true"),
        "数组": filled(b"[1 2]"),
        "字符串": filled(b"(0)"),
        "不是十六进制": filled(b"<" + b"z" * room + b">"),
        "夹空白": filled(b"<" + der[:40] + b" " + der[40:] + b">"),
        "夹注释": filled(b"<" + der + b">%" + b"x" * 20),
        "大小写混写": filled(b"<" + der[:100].lower() + der[100:].upper() + b"0" * (room - len(der)) + b">"),
        "奇数位": filled(b"<" + der[:-1] + b">"),
        "后面藏字节": filled(b"<" + der + b"beef".rjust(room - len(der), b"0") + b">"),
        "前面多零": filled(b"<00" + der + b"0" * (room - 2 - len(der)) + b">"),
        "截短": filled(b"<" + der[: len(der) // 2 & ~1] + b"0" * (room - (len(der) // 2 & ~1)) + b">"),
    }
    family = "通用伪造"
    found = [refused(family, f"Contents {name}", data, "bad_container") for name, data in made.items()]
    return [*found, refused(family, "Contents 没有", keyless, "bad_container", "changed", "not_covered")]


def wrapping(shop: Workshop, dice: random.Random) -> list[Case]:
    """Signature wrapping (签章包裹): the signed second part is moved away and false objects take its place."""
    pdf = dice.choice(shop.signed)
    _, length, second, _ = envelope_of(pdf).byte_range
    head, hole, tail = pdf[:length], pdf[length:second], pdf[second:]
    false = b">>\nendobj\n990 0 obj\n<</Type/Catalog>>\nendobj\n" + b"%" * dice.randrange(10, 4000) + b"\n"
    moved = head + hole + false + tail
    entry = b"/ByteRange [0 %d %d %d]"
    kept = len(head) + len(hole)
    inside = head + hole + (entry % (length, kept + len(false) + 60, len(tail))).ljust(60) + false + tail
    comment = head + hole[:-1] + b"0" * 200 + b">" + false + tail
    other = head + hole + false[:-1].ljust(len(false) - 1) + b"\n" + (entry % (length, kept, len(false)))
    padded = head + b"<" + hole[1:-1] + b">" + b" " * 100 + tail
    codes = ("appended", "not_covered", "bad_container", "several_signatures")
    made = {
        "第二段后移": moved,
        "包裹里另写一个 ByteRange": inside,
        "签章加长": comment,
        "第二段丢掉": other + b"\n%%EOF\n",
        "签章后加空白": padded,
    }
    return [refused("签章包裹", name, data, *codes) for name, data in made.items()]


def _info(signed: Any) -> Any:
    return signed["signer_infos"][0]


def _certificate(shop: Workshop) -> Any:
    raw = shop.other.certificate.public_bytes(serialization.Encoding.DER)
    return cms.CertificateChoices("certificate", asn1_x509.Certificate.load(raw))


def _attribute_changes(dice: random.Random) -> dict[str, Change]:
    """Changes of what the signer's own entry holds."""

    def digest(signed: Any) -> None:
        _info(signed)["signed_attrs"][1]["values"] = cms.SetOfOctetString([dice.randbytes(32)])

    def unsigned(signed: Any) -> None:
        note = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.OctetString(b"x")]})
        _info(signed)["unsigned_attrs"] = cms.CMSAttributes([note])

    def signature(signed: Any) -> None:
        value = bytearray(_info(signed)["signature"].native)
        value[dice.randrange(8, len(value))] ^= 1
        _info(signed)["signature"] = bytes(value)

    def bare(signed: Any) -> None:
        del _info(signed)["signed_attrs"]

    return {"文件摘要": digest, "未签属性": unsigned, "签名值": signature, "去掉已签属性": bare}


def _container_changes(shop: Workshop) -> dict[str, Change]:
    """Changes around the signer's entry."""

    def second(signed: Any) -> None:
        signed["signer_infos"].append(_info(signed).copy())

    def stranger(signed: Any) -> None:
        signed["certificates"].append(_certificate(shop))

    def swapped(signed: Any) -> None:
        signed["certificates"] = cms.CertificateSet([_certificate(shop)])

    def embedded(signed: Any) -> None:
        signed["encap_content_info"]["content"] = core.OctetString(b"x")

    def version(signed: Any) -> None:
        signed["version"] = "v3"

    return {
        "两个签名人": second,
        "夹带证书": stranger,
        "换掉证书": swapped,
        "夹带内容": embedded,
        "版本号": version,
    }


def attributes(shop: Workshop, dice: random.Random) -> list[Case]:
    """Changes inside the CMS object (签章数据改动): its signed and unsigned parts."""
    pdf, family = dice.choice(shop.signed), "签章数据改动"
    changes = _attribute_changes(dice) | _container_changes(shop)
    made = [
        refused(family, name, changed_cms(pdf, change), *_CMS, "untrusted")
        for name, change in changes.items()
    ]
    der = held_in(pdf)
    made.append(refused(family, "长度写长", put(pdf, b"\x30\x83\x00" + der[2:]), *_CMS))
    made.append(refused(family, "不定长", put(pdf, b"\x30\x80" + der[4:] + bytes(2)), *_CMS))
    return made


def digests(shop: Workshop, _: random.Random) -> list[Case]:
    """Weak or mixed algorithms (弱算法), signed by the institution's own key."""
    family, pdf = "弱摘要算法", shop.signed[0]
    made = [
        refused(family, name, sealed(pdf, shop.lab, Manner(digest=name)), "weak_digest")
        for name in ("md5", "sha1")
    ]
    mixed = sealed(pdf, shop.lab, Manner(digest="sha256", signature_digest="sha1"))
    return [
        *made,
        refused(family, "摘要 SHA-256、签名 SHA-1", mixed, "bad_container", "weak_digest", "bad_signature"),
    ]


def signers(shop: Workshop, dice: random.Random) -> list[Case]:
    """Other signers (签章人不对): under the same root, under another of the same names, with certificates that are no good."""
    pdf = dice.choice(shop.signed)
    family = "签章人不对"
    made = [held(family, "同一个根下的另一家机构", sealed(pdf, shop.other), shop.other.name, "other_signer")]
    for name, identity, reason in shop.broken():
        made.append(
            refused(
                "证书不对" if reason != "weak_digest" else "弱摘要算法", name, sealed(pdf, identity), reason
            )
        )
    return made


def lawful(shop: Workshop, dice: random.Random) -> list[Case]:
    """Sound files that are not the registered one (不是登记的那份)."""
    family = "不是登记的那份"
    return [
        held(family, "改了结论，由本机构重签", shop.resigned(shop.altered()), NAME),
        held(family, "同一份再签一次", sealed(dice.choice(shop.signed), shop.lab), NAME),
        held(
            family,
            "本机构的另一份报告",
            shop.signed[-1] if len(shop.signed) > 1 else shop.resigned(shop.altered()),
            NAME,
        ),
    ]
