"""Report files written byte by byte (逐字节写出的 PDF): any structure, honest or not, with one place for a signature.

As printed, then one update that holds the signature field: the shape that the verifier accepts, so that nothing but what was
made wrong on purpose is wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from plumbline.drill.hostile_pdf.identities import SIGNED_AT

#: Hex digits kept for the CMS object.
_ROOM = 12288
#: Objects below this number belong to the report itself.
FREE = 20
_TEXT = b"BT /F1 12 Tf 72 720 Td (C35 39.6 MPa) Tj ET"


def stream(data: bytes, entries: bytes = b"", length: int | None = None) -> bytes:
    """A stream object's body."""
    stated = len(data) if length is None else length
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (stated, entries, data)


@dataclass(kw_only=True)
class RawReport:
    """What stands in the file; every part may be replaced."""

    #: objects of the printed part and of the update, beside the report's own or instead of them
    base: dict[int, bytes] = field(default_factory=dict)
    update: dict[int, bytes] = field(default_factory=dict)
    #: objects of `base` that stand in an object stream
    packed: Sequence[int] = ()
    #: how the printed part lists its objects
    listed: Literal["table", "stream"] = "table"
    #: entries of the printed part's and the update's trailer
    trailer: bytes = b""
    update_trailer: bytes = b""
    #: instead of the printed part's list of objects
    base_list: bytes | None = None
    #: object stream's own body, where it is not simply what is packed
    pack: bytes | None = None
    #: bytes between the objects of the printed part
    filler: bytes = b""
    #: objects in those bytes: number and offset
    overlaid: Mapping[int, int] = field(default_factory=dict)
    prev: int | None = None
    signed_at: datetime = SIGNED_AT

    def write(self) -> bytes:
        """The file; its signature is still zeros."""
        out = bytearray(b"%PDF-1.7\n%\x80\x80\x80\x80\n")
        places: dict[int, int] = {}
        objects = _report() | self.base
        inside = {number: objects.pop(number) for number in self.packed}
        _put_objects(out, objects, places)
        places.update({number: len(out) + offset for number, offset in self.overlaid.items()})
        out += self.filler
        inner: dict[int, tuple[int, int]] = {}
        if inside or self.pack is not None:
            places[FREE - 1] = len(out)
            out += _object(FREE - 1, self.pack or _packed(inside))
            inner = {number: (FREE - 1, index) for index, number in enumerate(inside)}
        start = self._write_list(out, places, inner)
        out += b"startxref\n%d\n%%%%EOF\n" % start
        self._write_update(out, start, max([*places, *inner]) + 2)
        return bytes(_with_range(out))

    def _write_list(
        self, out: bytearray, places: dict[int, int], inner: Mapping[int, tuple[int, int]]
    ) -> int:
        start = len(out)
        if self.base_list is not None:
            out += self.base_list.replace(b"@START@", b"%d" % start)
        elif self.listed == "stream" or inner:
            number = max([*places, *inner]) + 1
            places[number] = start
            out += _object(number, xref_stream(places, inner, number + 1, self.trailer))
        else:
            out += xref_table(places, max(places) + 1) + b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (
                max(places) + 1,
                self.trailer,
            )
        return start

    def _write_update(self, out: bytearray, start: int, size: int) -> None:
        places: dict[int, int] = {}
        moment = self.signed_at.strftime("%Y%m%d%H%M%S").encode("ascii")
        _put_objects(out, _signing(moment) | self.update, places)
        here = len(out)
        prev = start if self.prev is None else self.prev if self.prev >= 0 else here
        size = max(size, *(number + 1 for number in places))
        trailer = b"trailer\n<</Size %d/Root 1 0 R/Prev %d%s>>\n" % (size, prev, self.update_trailer)
        out += xref_table(places, size) + trailer
        out += b"startxref\n%d\n%%%%EOF\n" % here


def xref_table(places: Mapping[int, int], size: int) -> bytes:
    """A table of the objects at these places; object 0 is free when it begins a file's first one."""
    text = bytearray(b"xref\n")
    if 1 in places and 2 in places:
        text += b"0 1\n0000000000 65535 f \n"
    numbers = sorted(places)
    while numbers:
        run = 1
        while run < len(numbers) and numbers[run] == numbers[0] + run:
            run += 1
        text += b"%d %d\n" % (numbers[0], run)
        text += b"".join(b"%010d 00000 n \n" % places[number] for number in numbers[:run])
        del numbers[:run]
    return bytes(text)


def xref_stream(
    places: Mapping[int, int], inner: Mapping[int, tuple[int, int]], size: int, trailer: bytes = b""
) -> bytes:
    """The same as a stream (ISO 32000-1 §7.5.8)."""
    rows = bytearray()
    runs: list[list[int]] = []
    for number in sorted({*places, *inner}):
        if number in inner:
            rows += b"\x02" + inner[number][0].to_bytes(4, "big") + inner[number][1].to_bytes(2, "big")
        else:
            rows += b"\x01" + places[number].to_bytes(4, "big") + b"\0\0"
        if runs and sum(runs[-1]) == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    index = b" ".join(b"%d %d" % (first, count) for first, count in runs)
    entries = b"/Type/XRef/W[1 4 2]/Index[%s]/Size %d/Root 1 0 R/Filter/FlateDecode%s" % (
        index,
        size,
        trailer,
    )
    return stream(zlib.compress(bytes(rows)), entries)


def _report() -> dict[int, bytes]:
    return {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        4: stream(_TEXT),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }


def _signing(moment: bytes) -> dict[int, bytes]:
    hole = b"/Contents <%s>/ByteRange [%s]" % (b"0" * _ROOM, b" " * 46)
    return {
        1: b"<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R>>",
        3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/Annots[7 0 R]>>",
        6: b"<</Fields[7 0 R]/SigFlags 3>>",
        7: b"<</FT/Sig/T(Stamp)/Type/Annot/Subtype/Widget/F 132/Rect[400 100 500 200]/P 3 0 R/AP<</N 8 0 R>>/V 9 0 R>>",
        8: stream(b"0 0 100 100 re S", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]"),
        9: b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:%sZ)%s>>" % (moment, hole),
    }


def _object(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n%s\nendobj\n" % (number, body)


def _put_objects(out: bytearray, objects: Mapping[int, bytes], places: dict[int, int]) -> None:
    for number, body in objects.items():
        places[number] = len(out)
        out += _object(number, body)


def _packed(inside: Mapping[int, bytes]) -> bytes:
    head, body = bytearray(), bytearray()
    for number, text in inside.items():
        head += b"%d %d " % (number, len(body))
        body += text + b" "
    entries = b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (len(inside), len(head))
    return stream(zlib.compress(bytes(head + body)), entries)


def _with_range(out: bytearray) -> bytearray:
    at = out.rindex(b"/Contents <" + b"0" * _ROOM) + 10
    after = at + _ROOM + 2
    numbers = b"0 %d %d %d" % (at, after, len(out) - after)
    place = out.index(b"/ByteRange [", after) + 12
    out[place : place + 46] = numbers.ljust(46)
    return out
