"""A signed report passes the strict examination; whatever is done to it afterwards does not."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdf
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers

from plumbline.lab.keys import DemoAuthority, InstitutionKeys
from plumbline.lab.reporting import sign
from plumbline.lab.reporting.render import render_report
from plumbline.lab.reporting.samples import sample_document
from plumbline.lab.reporting.sign import SigningRefusedError, sign_report
from plumbline.sdk.pdf.examine import LARGEST_FILE, PdfExamination, examine_pdf
from plumbline.sdk.pdf.roots import TrustRoot

SIGNED_AT = datetime(2026, 11, 20, 2, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAME, USCC = "临川市准信建设工程检测有限公司", "91350100M000100Y43"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DemoAuthority:
    return DemoAuthority.create(tmp_path_factory.mktemp("root") / "root")


@pytest.fixture(scope="module")
def keys(authority: DemoAuthority, tmp_path_factory: pytest.TempPathFactory) -> InstitutionKeys:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    return InstitutionKeys.create_demo(folder, NAME, USCC, authority=authority)


@pytest.fixture(scope="module")
def root(authority: DemoAuthority) -> TrustRoot:
    return authority.as_trust_root()


@pytest.fixture(scope="module")
def printed() -> bytes:
    return render_report(sample_document())


@pytest.fixture(scope="module")
def signed(printed: bytes, keys: InstitutionKeys) -> bytes:
    return sign_report(printed, keys, signed_at=SIGNED_AT)


def codes(examination: PdfExamination) -> set[str]:
    assert examination.ok == (not examination.problems)
    return {each.code for each in examination.problems}


def spoiled(signed: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(signed)
    changed[at] ^= 1 << bit
    return bytes(changed)


@pytest.mark.clause("CECS 2.0.12", "CECS 4.1.2-c")
def test_a_signed_report_passes(signed: bytes, root: TrustRoot) -> None:
    found = examine_pdf(signed, roots=[root], at=NOW)
    assert found == PdfExamination(
        ok=True,
        signer_name=NAME,
        signer_uscc=USCC,
        root_kind="demo",
        signed_at=SIGNED_AT,
        covers_whole_file=True,
        revisions=2,
    )


def test_signing_keeps_what_was_printed(signed: bytes, printed: bytes) -> None:
    assert signed.startswith(printed)
    metadata = pypdf.PdfReader(io.BytesIO(signed)).xmp_metadata
    assert metadata is not None
    assert (metadata.pdfaid_part, metadata.pdfaid_conformance) == ("2", "B")


def test_every_kind_of_flipped_bit_is_noticed(signed: bytes, root: TrustRoot) -> None:
    dice = random.Random(20261120)
    contents = signed.index(b"/Contents <", signed.rindex(b"TestingStamp") - 20_000)
    places = [dice.randrange(len(signed)) for _ in range(150)] + [
        contents + 10 + 8 * step for step in range(320)
    ]
    passed = [
        at for at in places if examine_pdf(spoiled(signed, at, dice.randrange(8)), roots=[root], at=NOW).ok
    ]
    assert passed == []


def test_the_zeros_behind_the_signature_are_not_free(signed: bytes, root: TrustRoot) -> None:
    end = signed.index(b">\n/ByteRange")
    changed = signed[: end - 4] + b"beef" + signed[end:]
    assert codes(examine_pdf(changed, roots=[root], at=NOW)) == {"bad_container"}


def test_the_letter_case_of_the_signature_is_not_free(signed: bytes, root: TrustRoot) -> None:
    at = next(i for i in range(signed.index(b"<3082"), len(signed)) if signed[i] in b"abcdef")
    assert not examine_pdf(spoiled(signed, at, 5), roots=[root], at=NOW).ok


@pytest.mark.parametrize("tail", [b"\n", b"%", b"% comment", b"\n%%EOF\n", b"\0" * 100])
def test_appended_bytes_are_counted(signed: bytes, root: TrustRoot, tail: bytes) -> None:
    found = examine_pdf(signed + tail, roots=[root], at=NOW)
    assert not found.ok
    assert (found.appended_bytes, found.covers_whole_file, found.signer_uscc) == (len(tail), False, USCC)
    assert f"{len(tail)} 个字节" in found.problems[0].sentence_zh


def test_an_annotation_added_by_an_update_is_noticed(signed: bytes, root: TrustRoot) -> None:
    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    note = generic.DictionaryObject({generic.pdf_name("/Subtype"): generic.pdf_name("/FreeText")})
    writer.register_annotation(writer.root["/Pages"]["/Kids"].raw_get(0), writer.add_object(note))
    output = io.BytesIO()
    writer.write(output)
    found = examine_pdf(output.getvalue(), roots=[root], at=NOW)
    assert {"appended", "revisions"} <= codes(found)


def test_a_second_signature_is_noticed(signed: bytes, keys: InstitutionKeys, root: TrustRoot) -> None:
    metadata = signers.PdfSignatureMetadata(field_name="Second", subfilter=fields.SigSeedSubFilter.PADES)
    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    # The first signature forbids changes, so the attacker's tool has to ignore that.
    del writer.root["/Perms"]
    signer = signers.PdfSigner(metadata, signer=sign._signer(keys))
    output = signer.sign_pdf(writer).getvalue()
    assert {"several_signatures", "revisions", "appended"} <= codes(examine_pdf(output, roots=[root], at=NOW))


def test_our_own_signing_refuses_a_signed_file(signed: bytes, keys: InstitutionKeys) -> None:
    with pytest.raises(SigningRefusedError):
        sign_report(signed, keys, signed_at=SIGNED_AT)


@pytest.mark.parametrize("garbage", [b"", b"%PDF-1.7", b"not a pdf", b"%PDF-1.7\n" + b"x" * 5000])
def test_our_own_signing_refuses_garbage(garbage: bytes, keys: InstitutionKeys) -> None:
    with pytest.raises(SigningRefusedError):
        sign_report(garbage, keys, signed_at=SIGNED_AT)


def test_another_institution_is_told_by_its_code(
    printed: bytes, authority: DemoAuthority, root: TrustRoot, tmp_path: Path
) -> None:
    other = InstitutionKeys.create_demo(
        tmp_path / "other", "乙检测", "91350100M000100Y52", authority=authority
    )
    found = examine_pdf(sign_report(printed, other, signed_at=SIGNED_AT), roots=[root], at=NOW)
    assert (found.ok, found.signer_name, found.signer_uscc) == (True, "乙检测", "91350100M000100Y52")


def test_another_root_is_not_trusted(signed: bytes, tmp_path: Path) -> None:
    stranger = DemoAuthority.create(tmp_path / "root").as_trust_root()
    found = examine_pdf(signed, roots=[stranger], at=NOW)
    assert (codes(found), found.root_kind) == ({"untrusted"}, None)
    assert codes(examine_pdf(signed, roots=[], at=NOW)) == {"untrusted"}


@pytest.mark.parametrize(("years", "code"), [(-10, "out_of_time"), (20, "out_of_time")])
def test_a_signing_time_outside_the_certificate_is_refused(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot, years: int, code: str
) -> None:
    moment = SIGNED_AT.replace(year=SIGNED_AT.year + years)
    found = examine_pdf(sign_report(printed, keys, signed_at=moment), roots=[root], at=moment)
    assert code in codes(found)


@pytest.mark.parametrize(("ahead", "ok"), [(300, True), (301, False)])
def test_a_signature_from_the_future_is_refused(signed: bytes, root: TrustRoot, ahead: int, ok: bool) -> None:
    assert examine_pdf(signed, roots=[root], at=SIGNED_AT - timedelta(seconds=ahead)).ok is ok


def test_an_unsigned_file_says_so(printed: bytes, root: TrustRoot) -> None:
    assert codes(examine_pdf(printed, roots=[root], at=NOW)) == {"no_signature"}


def test_a_stripped_signature_is_noticed(signed: bytes, root: TrustRoot) -> None:
    start, end = signed.index(b"<3082"), signed.index(b">\n/ByteRange")
    stripped = signed[: start + 1] + b"0" * (end - start - 1) + signed[end:]
    assert codes(examine_pdf(stripped, roots=[root], at=NOW)) == {"bad_container"}


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_noticed(signed: bytes, root: TrustRoot, part: float) -> None:
    assert not examine_pdf(signed[: int(len(signed) * part)], roots=[root], at=NOW).ok


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GIF89a",
        b"%PDF-",
        b"%PDF-1.7\n" + bytes(range(256)) * 40,
        b"%PDF-1.7 /ByteRange [0 9 9999999999 9999999999]",
        b"%PDF-1.7 /ByteRange [0 12 90 1] <" + b"30" * 40 + b">",
        b"%PDF-1.7 " + b"/ByteRange [" * 20_000,
        b"%PDF-1.7 " + b"startxref " * 50_000,
    ],
)
def test_garbage_never_passes_and_never_raises(garbage: bytes, root: TrustRoot) -> None:
    assert codes(examine_pdf(garbage, roots=[root], at=NOW))


def test_a_file_over_the_limit_is_not_read(root: TrustRoot) -> None:
    assert codes(examine_pdf(b"%PDF-" + bytes(LARGEST_FILE), roots=[root], at=NOW)) == {"too_large"}


@pytest.mark.parametrize("key", ["/OpenAction", "/AA", "/Names"])
def test_active_content_is_refused_though_signed(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot, key: str
) -> None:
    writer = IncrementalPdfFileWriter(io.BytesIO(printed))
    action = {
        generic.pdf_name("/S"): generic.pdf_name("/JavaScript"),
        generic.pdf_name("/JS"): generic.pdf_string("1"),
    }
    writer.root[generic.pdf_name(key)] = generic.DictionaryObject(action)
    writer.update_root()
    reader = sign._pdf_signer(keys, SIGNED_AT, "检测专用章")
    found = examine_pdf(reader.sign_pdf(writer).getvalue(), roots=[root], at=NOW)
    assert codes(found) == {"active_content"}


class _Spelled(generic.NameObject):
    """A name that is written with an escape in it; readers take it for the plain one."""

    def write_to_stream(self, stream, handler=None, container_ref=None):
        text = str(self).encode("ascii")
        stream.write(text[:-1] + b"#%02X" % text[-1])


class _Written(generic.PdfObject):
    """An object that is written as it stands."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def write_to_stream(self, stream, handler=None, container_ref=None):
        stream.write(self._text)


def signed_with(printed: bytes, keys: InstitutionKeys, change, *, certify: bool = True) -> bytes:
    """What an accepted institution's key signs after `change` has been made to the update."""
    writer = IncrementalPdfFileWriter(io.BytesIO(printed))
    change(writer)
    signer = sign._pdf_signer(keys, SIGNED_AT, "检测专用章")
    if not certify:
        signer.signature_meta = replace(signer.signature_meta, certify=False)
    return signer.sign_pdf(writer).getvalue()


@pytest.mark.parametrize("key", ["/JS", "/EmbeddedFile", "/XFA"])
def test_a_spelled_name_of_active_content_is_refused_though_signed(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot, key: str
) -> None:
    hidden = signed_with(
        printed,
        keys,
        lambda writer: writer.add_object(generic.DictionaryObject({_Spelled(key): generic.pdf_string("1")})),
    )
    assert key.encode() not in hidden
    assert codes(examine_pdf(hidden, roots=[root], at=NOW)) == {"active_content"}


def test_a_second_signature_with_a_spelled_byte_range_is_refused_though_signed(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot
) -> None:
    def second(writer: IncrementalPdfFileWriter) -> None:
        name, numbers = generic.pdf_name, [generic.NumberObject(n) for n in (0, 10, 20, 10)]
        value = writer.add_object(
            generic.DictionaryObject(
                {
                    name("/Type"): name("/Sig"),
                    name("/Filter"): name("/Adobe.PPKLite"),
                    name("/SubFilter"): name("/ETSI.CAdES.detached"),
                    name("/Contents"): generic.ByteStringObject(bytes.fromhex("3003020101")),
                    _Spelled("/ByteRange"): generic.ArrayObject(numbers),
                }
            )
        )
        field = {name("/FT"): name("/Sig"), name("/T"): generic.pdf_string("Other"), name("/V"): value}
        form = {
            name("/Fields"): generic.ArrayObject([writer.add_object(generic.DictionaryObject(field))]),
            name("/SigFlags"): generic.NumberObject(3),
        }
        writer.root[name("/AcroForm")] = writer.add_object(generic.DictionaryObject(form))
        writer.update_root()

    made = signed_with(printed, keys, second, certify=False)
    assert made.count(b"/ByteRange") == 1
    assert codes(examine_pdf(made, roots=[root], at=NOW)) == {"unreadable"}


def test_a_field_added_to_the_form_after_signing_is_refused(signed: bytes, root: TrustRoot) -> None:
    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    name = generic.pdf_name
    field = generic.DictionaryObject({name("/FT"): name("/Tx"), name("/T"): generic.pdf_string("note")})
    writer.root["/AcroForm"]["/Fields"].append(writer.add_object(field))
    writer.update_container(writer.root["/AcroForm"]["/Fields"])
    output = io.BytesIO()
    writer.write(output)
    assert {"appended", "revisions"} <= codes(examine_pdf(output.getvalue(), roots=[root], at=NOW))


@pytest.mark.parametrize(
    "text", [b"<< /A 1 /A 2 >>", b"<< /A >>", b"<< /A [1 2 >>", b"(open", b"<< /A 1 >> 2", b"<< 1 2 >>"]
)
def test_an_object_that_no_strict_reader_reads_is_refused_though_signed(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot, text: bytes
) -> None:
    made = signed_with(printed, keys, lambda writer: writer.add_object(_Written(text)))
    assert codes(examine_pdf(made, roots=[root], at=NOW)) == {"unreadable"}


def test_every_signature_of_a_key_passes_however_it_was_made(
    printed: bytes, keys: InstitutionKeys, root: TrustRoot
) -> None:
    other = render_report(replace(sample_document(), report_number="另一份"))
    for pdf in (printed, other, printed):
        assert examine_pdf(sign_report(pdf, keys, signed_at=SIGNED_AT), roots=[root], at=NOW).ok
    assert sign._signer(keys)._frames
