"""Reading a file at bounded cost (有限度的读取): so many reads, so many inflated bytes, no list that repeats itself.

A reader does what a file tells it. A few bytes may tell it to go through a thousand million objects, or through one list of
objects again for each object of the list.
"""

from __future__ import annotations

import io
import os
import re
from itertools import pairwise
from typing import Any

from plumbline.sdk.pdf.shape import common_length

#: A report of ten pages with curves takes about 20 000, one second allows some 400 000.
_MOST_READS = 400_000
_INFLATED_LIST = 512 * 1024
_INFLATED_OBJECTS = 8 * 1024 * 1024
_INFLATED_TOGETHER = 12 * 1024 * 1024
#: Bytes of one read; streams may lie over one another, and what is read of each is kept.
_BYTES_A_READ = 512
#: Bytes of the common shape that are looked through in the time of one read.
_COMMON_BYTES_A_READ = 8
#: As printed and as signed, each with a table and a stream.
_MOST_LISTS = 4
#: of a number in the head of an object stream
_DIGITS = 10


class Meter:
    """Reads that are left for one file."""

    def __init__(self, reads: int = _MOST_READS) -> None:
        self.left = reads

    def spend(self, reads: int = 1) -> None:
        """So many reads; `ValueError` when none is left."""
        self.left -= reads
        if self.left < 0:
            raise ValueError("the file takes too many reads")

    def spend_common(self, length: int) -> None:
        """So many bytes of the common shape (`shape.py`)."""
        self.spend(length // _COMMON_BYTES_A_READ)

    @property
    def empty(self) -> bool:
        """Whether the file took more than there was."""
        return self.left < 0


_read, _tell, _seek = io.BytesIO.read, io.BytesIO.tell, io.BytesIO.seek


class MeteredFile(io.BytesIO):
    """Bytes whose reads are counted, long ones as many.

    `blanks` (from, to) is a run of them that a reader passes in one step: who reads one of them alone stands behind the last.
    """

    def __init__(self, data: bytes, meter: Meter, blanks: tuple[int, int] = (0, 0)) -> None:
        self._meter = meter
        self._blanks = blanks
        super().__init__(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file does; `ValueError` when the meter has run out."""
        found = _read(self, size)
        # as `Meter.spend`, without a call: a file is read in some ten thousand places, most of them one byte long
        meter = self._meter
        meter.left -= 1 + len(found) // _BYTES_A_READ
        if meter.left < 0:
            meter.spend(0)
        if found == b" " and self._blanks[0] < _tell(self) <= self._blanks[1]:
            _seek(self, self._blanks[1])
        return found


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


class Packed:
    """The objects of a reader's object streams, each stream gone through once.

    The reader goes through a stream's head again for each object that it is asked for; here it finds them as if it had read them before.
    """

    def __init__(self, reader: Any, meter: Meter) -> None:
        self._reader, self._meter = reader, meter
        self._streams: dict[int, tuple[bytes, list[tuple[int, int]]]] = {}
        self._cached = reader.cache_get_indirect_object
        reader.cache_get_indirect_object = self._get

    def silent(self, reference: Any, active: re.Pattern[bytes]) -> bool:
        """Whether the object is packed, of the common shape, and spells no `active` name: it needs no reading."""
        place = self._place(reference)
        if place is None:
            return False
        data, start, end = self._slice(reference, place)
        text = b"0 0 obj\n%s\nendobj" % data[start:end]
        self._meter.spend_common(len(text))
        return active.search(text) is None and common_length(text, 0, 0, 0) == len(text)

    def _place(self, reference: Any) -> Any:
        from pyhanko.pdf_utils.xref import ObjStreamRef

        try:
            place = self._reader.xrefs[reference]
        except KeyError:
            return None
        return place if isinstance(place, ObjStreamRef) else None

    def _get(self, generation: int, number: int) -> Any:
        from pyhanko.pdf_utils import generic

        found = self._cached(generation, number)
        if found is not None:
            return found
        reference = generic.Reference(number, generation, self._reader)
        place = self._place(reference)
        if place is None:
            return None
        data, start, end = self._slice(reference, place)
        file = MeteredFile(data[start:end] + b" ", self._meter)
        value = generic.read_object(file, reference)
        if isinstance(value, generic.StreamObject | generic.IndirectObject):
            raise ValueError("an object that may not be in an object stream")
        return self._reader.cache_indirect_object(generation, number, value)

    def _slice(self, reference: Any, place: Any) -> tuple[bytes, int, int]:
        number = place.obj_stream_id
        if number not in self._streams:
            self._streams[number] = self._opened(number)
        data, heads = self._streams[number]
        if place.ix_in_stream >= len(heads) - 1 or heads[place.ix_in_stream][0] != reference.idnum:
            raise ValueError("an object stream lists another object")
        return data, heads[place.ix_in_stream][1], heads[place.ix_in_stream + 1][1]

    def _opened(self, number: int) -> tuple[bytes, list[tuple[int, int]]]:
        """What an object stream holds: its bytes, number and start of each object, and last the end."""
        from pyhanko.pdf_utils import generic
        from pyhanko.pdf_utils.decode_limits import DecodePurpose

        container = generic.Reference(number, 0, self._reader).get_object()
        if not isinstance(container, generic.StreamObject) or container["/Type"] != "/ObjStm":
            raise ValueError("not an object stream")
        if "/DecodeParms" in container or "/DP" in container:
            raise ValueError("a predictor in an object stream")
        data = container.read_data(DecodePurpose.OBJECT_STREAM)
        count, first = int(container["/N"]), int(container["/First"])
        if not 0 <= first <= len(data):
            raise ValueError("an object stream without its head")
        self._meter.spend_common(first)
        words = data[:first].split()
        if len(words) != 2 * count or not all(word.isdigit() and len(word) <= _DIGITS for word in words):
            raise ValueError("the head of an object stream is not its objects' numbers and places")
        starts = [*(first + int(word) for word in words[1::2]), len(data)]
        # Increasing (ISO 32000-1 §7.5.7): no byte belongs to two objects.
        if any(here >= after for here, after in pairwise(starts)):
            raise ValueError("objects in an object stream lie over one another")
        return data, [*zip(map(int, words[::2]), starts, strict=False), (0, len(data))]
