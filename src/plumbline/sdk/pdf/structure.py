"""The inner structure of a file whose signature has been verified (报告文件的内部结构).

Called only for bytes that an accepted signer vouches for, because here pointers are followed and streams
inflated. Such a signer may be hostile too: what is read and inflated is metered, and a file that costs more than
any report does is not read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from plumbline.sdk.pdf.envelope import Envelope
from plumbline.sdk.pdf.metered import Meter, MeteredFile, Packed, decode_limits, refuse_endless_lists
from plumbline.sdk.pdf.problems import Problem, problem
from plumbline.sdk.pdf.shape import KnownShapes, names_pattern

#: anything that a reader may run, open, send or unpack by itself
_ACTIVE = frozenset(
    {
        *("/JS", "/JavaScript", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/RichMedia", "/XFA", "/AA"),
        *("/ImportData", "/SubmitForm", "/GoToE", "/GoToR", "/Movie", "/Sound", "/Rendition", "/3D"),
    }
)
_ACTIVE_SPELLED = names_pattern(_ACTIVE)
_KNOWN = KnownShapes()
_MOST_OBJECTS = 50_000
_DEEPEST = 40


def structure_problems(data: bytes, envelope: Envelope) -> list[Problem]:
    """Return what is wrong inside a signed file; raises what pyHanko raises when it cannot be read."""
    meter = Meter()
    try:
        return _structure_problems(data, envelope, meter)
    except MemoryError:
        raise
    except Exception:
        if meter.empty:
            # Not said to be broken: it may be sound, and nobody has read it to its end.
            return [problem("too_complex")]
        raise


def _structure_problems(data: bytes, envelope: Envelope, meter: Meter) -> list[Problem]:
    from pyhanko.pdf_utils.reader import PdfFileReader

    file = MeteredFile(*_without_padding(data, envelope, meter))
    refuse_endless_lists(file)
    reader = PdfFileReader(file, strict=True, decode_limits=decode_limits())
    packed = Packed(reader, meter)
    if reader.encrypted:
        return [problem("encrypted")]
    found: list[Problem] = []
    if reader.xrefs.total_revisions != 2 or reader.xrefs.hybrid_xrefs_present:
        found.append(problem("revisions", count=reader.xrefs.total_revisions))
    signatures = reader.embedded_signatures
    if len(signatures) != 1:
        return [*found, problem("several_signatures", count=len(signatures))]
    found += _signature_problems(signatures[0], envelope)
    name = next(_active_names(reader, data, packed, meter), None)
    if name is not None:
        found.append(problem("active_content", name=name.lstrip("/")))
    return found


def _signature_problems(signature: Any, envelope: Envelope) -> list[Problem]:
    found = []
    same_range = tuple(int(each) for each in signature.byte_range) == envelope.byte_range
    same_contents = signature.pkcs7_content[: len(envelope.cms or b"")] == envelope.cms
    if not (same_range and same_contents) or signature.sig_object.get("/SubFilter") != "/ETSI.CAdES.detached":
        found.append(problem("bad_container"))
    rectangle = [float(each) for each in signature.sig_field.get("/Rect", (0, 0, 0, 0))]
    visible = abs(rectangle[2] - rectangle[0]) > 1 and abs(rectangle[3] - rectangle[1]) > 1
    if not visible or "/N" not in signature.sig_field.get("/AP", {}):
        found.append(problem("no_stamp"))
    return found


def _without_padding(data: bytes, envelope: Envelope, meter: Meter) -> tuple[bytes, Meter, tuple[int, int]]:
    """The file with blanks for the zeros behind the CMS object, which `find_envelope` has seen to be zeros, and where the blanks are:
    they are as many digits, and as many places, again for the reader. Everything keeps its place."""
    if envelope.cms is None or not envelope.contiguous:
        return data, meter, (0, 0)
    _, length, second, _ = envelope.byte_range
    last = length + 1 + 2 * len(envelope.cms)
    return data[:last] + b">".ljust(second - last) + data[second:], meter, (last + 1, second)


def _active_names(reader: Any, data: bytes, packed: Packed, meter: Meter) -> Iterator[str]:
    """Names of active content. Where none is spelled anywhere in the file, an object of the common shape holds none; every
    other object, and all of them where one is spelled, are read and walked through."""
    spelled = _ACTIVE_SPELLED.search(data) is not None
    references = set()
    for revision in range(reader.xrefs.total_revisions):
        references |= set(reader.xrefs.explicit_refs_in_revision(revision))
    if len(references) > _MOST_OBJECTS:
        raise ValueError("too many objects")
    places = {} if spelled else {each: reader.xrefs[each] for each in references}
    starts = sorted(place for place in places.values() if isinstance(place, int))
    following = dict(pairwise([*starts, len(data)]))
    for reference in references:
        place = places.get(reference)
        if isinstance(place, int):
            number = (reference.idnum, reference.generation)
            length = _KNOWN.length(data, place, following[place], number)
            meter.spend_common(length)
            if length:
                continue
        elif packed.silent(reference, _ACTIVE_SPELLED):
            continue
        yield from _active_in(reader.get_object(reference), 0)


def _active_in(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    from pyhanko.pdf_utils import generic

    if isinstance(value, generic.DictionaryObject):
        yield from (key for key in value if key in _ACTIVE)
        for key in value:
            yield from _active_in(value.raw_get(key), depth + 1)
    elif isinstance(value, generic.ArrayObject):
        for index in range(len(value)):
            yield from _active_in(value.raw_get(index), depth + 1)
    elif isinstance(value, generic.NameObject) and value in _ACTIVE:
        yield value
