"""Reading a file at bounded cost (有限度的读取): so many reads, so many inflated bytes, no list that repeats itself.

A reader does what a file tells it. A few bytes may tell it to go through a thousand million objects, or through one list of
objects again for each object of the list.
"""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

#: A report of ten pages with curves takes about 20 000, one second allows some 400 000.
_MOST_READS = 400_000
_INFLATED_LIST = 512 * 1024
_INFLATED_OBJECTS = 8 * 1024 * 1024
_INFLATED_TOGETHER = 12 * 1024 * 1024
#: As printed and as signed, each with a table and a stream.
_MOST_LISTS = 4


class Meter:
    """Reads that are left for one file."""

    def __init__(self, reads: int = _MOST_READS) -> None:
        self.left = reads

    def spend(self, reads: int = 1) -> None:
        """So many reads; `ValueError` when none is left."""
        self.left -= reads
        if self.left < 0:
            raise ValueError("the file takes too many reads")


class MeteredFile(io.BytesIO):
    """Bytes whose reads are counted."""

    def __init__(self, data: bytes, meter: Meter) -> None:
        self._meter = meter
        super().__init__(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file does; `ValueError` when the meter has run out."""
        self._meter.spend()
        return super().read(size)


def decode_limits() -> Any:
    """What may be inflated: lists of objects and object streams; a reader of signatures needs nothing else."""
    from pyhanko.pdf_utils.decode_limits import (
        DecodeLimits,
        DecodePurpose,
        DocumentDecodeBudget,
        StreamDecodeLimits,
    )

    return DecodeLimits(
        per_purpose={
            DecodePurpose.XREF_STREAM: StreamDecodeLimits(max_output_size=_INFLATED_LIST),
            DecodePurpose.OBJECT_STREAM: StreamDecodeLimits(max_output_size=_INFLATED_OBJECTS),
        },
        document_budget=DocumentDecodeBudget(base_allowance=_INFLATED_TOGETHER, max_ratio=0),
    )


def refuse_endless_lists(file: io.BytesIO) -> None:
    """`ValueError` when a cross-reference stream has entries without a byte of their own: its length is then whatever it says
    (ISO 32000-1 §7.5.8.2 gives every field a default)."""
    from pyhanko.pdf_utils import generic, misc
    from pyhanko.pdf_utils.reader import process_data_at_eof
    from pyhanko.pdf_utils.xref import parse_xref_table, read_object_header

    file.seek(-1, os.SEEK_END)
    places, seen = [process_data_at_eof(file)], 0
    while places:
        seen += 1
        if seen > _MOST_LISTS:
            raise ValueError("too many lists of objects")
        file.seek(places.pop())
        misc.skip_over_whitespace(file)
        first = file.read(1)
        if first.isdigit():
            file.seek(-1, os.SEEK_CUR)
            number, generation = read_object_header(file, strict=True)  # type: ignore[no-untyped-call]
            trailer = generic.StreamObject.read_from_stream(file, generic.Reference(number, generation))
            _refuse_free_entries(trailer.raw_get("/W"))
        elif first + file.read(3) == b"xref":
            for _ in parse_xref_table(file, strict=True):
                pass
            trailer = generic.DictionaryObject.read_from_stream(file, generic.Reference(0, 0))
        else:
            raise ValueError("no list of objects where one should be")
        places += [int(trailer[key]) for key in ("/Prev", "/XRefStm") if key in trailer]
    file.seek(0)


def _refuse_free_entries(widths: Any) -> None:
    fields = [widths.raw_get(index) for index in range(len(widths))]
    if (
        len(fields) != 3
        or not all(isinstance(each, int) and 0 <= each <= 8 for each in fields)
        or not fields[0]
    ):
        raise ValueError("entries without a type of their own")


def unpack(reader: Any, references: Iterable[Any], meter: Meter) -> None:
    """Read every object stream once, for all its objects; the reader would go through its head again for each of them.

    `ValueError` where the head does not list what the file's own list says.
    """
    from pyhanko.pdf_utils.xref import ObjStreamRef

    wanted: dict[int, dict[int, Any]] = defaultdict(dict)
    for reference in references:
        place = reader.xrefs[reference]
        if isinstance(place, ObjStreamRef):
            wanted[place.obj_stream_id][place.ix_in_stream] = reference
    for number, members in wanted.items():
        for reference, value in _members(reader, number, members, meter):
            reader.cache_indirect_object(reference.generation, reference.idnum, value)


def _members(reader: Any, number: int, members: dict[int, Any], meter: Meter) -> list[tuple[Any, Any]]:
    from pyhanko.pdf_utils import generic, misc
    from pyhanko.pdf_utils.decode_limits import DecodePurpose

    container = generic.Reference(number, 0, reader).get_object()
    if not isinstance(container, generic.StreamObject) or container["/Type"] != "/ObjStm":
        raise ValueError("not an object stream")
    if "/DecodeParms" in container or "/DP" in container:
        raise ValueError("a predictor in an object stream")
    file = MeteredFile(container.read_data(DecodePurpose.OBJECT_STREAM), meter)
    heads = []
    for _ in range(int(container["/N"])):
        head = []
        for _ in range(2):
            misc.read_non_whitespace(file, seek_back=True)  # type: ignore[no-untyped-call]
            value = generic.NumberObject.read_from_stream(file)  # type: ignore[no-untyped-call]
            head.append(int(value))
        heads.append(head)
    found = []
    for index, reference in members.items():
        own, offset = heads[index]
        if own != reference.idnum:
            raise ValueError("an object stream lists another object")
        file.seek(int(container["/First"]) + offset)
        value = generic.read_object(file, generic.Reference(reference.idnum, 0, reader))
        if isinstance(value, generic.StreamObject | generic.IndirectObject):
            raise ValueError("an object that may not be in an object stream")
        found.append((reference, value))
    return found
