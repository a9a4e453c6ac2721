"""Signing a report with the institution's own key (报告签章, PAdES; ETSI EN 319 142-1, ISO 32000-1 §12.8).

Shape of a signed report, and the only one that `plumbline.sdk.pdf.examine` accepts: the file as printed,
followed by exactly one incremental update that holds the signature field, its visible stamp and the
signature, which covers every byte of the file but its own contents. Straddle stamps and QR code are in the
printed file. Whoever must sign signs before registration; nothing, not even validation data, is added
afterwards.
"""

from __future__ import annotations

import binascii
import io
import threading
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from asn1crypto import keys as asn1_keys  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.content import PdfContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from plumbline.lab.keys import InstitutionKeys
from plumbline.lab.reporting.layout import stamp_box
from plumbline.lab.reporting.seal import RepeatingSigner
from plumbline.lab.reporting.stamp import STAMP_TEXT, stamp_pdf

#: name of the one signature field
FIELD_NAME = "TestingStamp"
#: room for the CMS object (hex digits): a P-256 signature with one certificate takes about 3 400
_BYTES_RESERVED = 12288
#: A drawing that was read once serves all signatures of its institution; its reader moves about in one file.
_ONE_READS = threading.Lock()


class SigningRefusedError(Exception):
    """这份文件不能签章."""


class _StampContent(PdfContent):
    """The stamp's drawing, imported from memory (pyHanko's own importer wants a file)."""

    def __init__(self, drawing: PdfFileReader) -> None:
        self._drawing = drawing
        super().__init__()

    def render(self) -> bytes:
        """Import the drawing as a form object and return the operator that paints it."""
        with _ONE_READS:
            form = self._ensure_writer.import_page_as_xobject(self._drawing)
        left, bottom, right, top = form.get_object()["/BBox"]
        self.box = BoxConstraints(width=abs(right - left), height=abs(top - bottom))
        name = b"/Stamp" + binascii.hexlify(uuid.uuid4().bytes)
        self.resources.xobject[name.decode("ascii")] = form
        return name + b" Do"


# Loading a key, drawing a stamp and reading the drawing cost more than a signature: both are done once for each loaded key folder.
@lru_cache(maxsize=32)
def _signer(keys: InstitutionKeys) -> RepeatingSigner:
    der = keys.report_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return RepeatingSigner(
        keys.report_key,
        signing_cert=_as_asn1(keys.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(der),
        # The root stays out: the verifier uses its own list, and a byte that nothing binds could be changed.
        cert_registry=SimpleCertificateStore(),  # type: ignore[no-untyped-call]
        embed_roots=False,
    )


@lru_cache(maxsize=32)
def _stamp(keys: InstitutionKeys, text: str) -> PdfFileReader:
    return PdfFileReader(io.BytesIO(stamp_pdf(keys.name, is_demo=keys.is_demo, text=text)))


class _DatedSigner(PdfSigner):
    """Signs with a given signing time: a demonstration's clock is not the computer's."""

    def __init__(self, metadata: PdfSignatureMetadata, signed_at: datetime, **options: Any) -> None:
        self._signed_at = signed_at
        super().__init__(metadata, **options)

    def init_signing_session(self, *args: Any, **options: Any) -> PdfSigningSession:
        """Open the session as pyHanko does, then set its clock."""
        session = super().init_signing_session(*args, **options)
        session.system_time = self._signed_at.astimezone(UTC)
        return session


class _StampingWriter(IncrementalPdfFileWriter):
    """Adds field, stamp and signature and nothing else: what the printed file says of itself, its dates among it, stays as printed.

    pyHanko would write the metadata anew, dated by this computer's clock, which takes a third of the time of signing.
    """

    def _update_meta(self) -> None:
        return


def _as_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def sign_report(
    pdf: bytes, keys: InstitutionKeys, *, signed_at: datetime, stamp_text: str = STAMP_TEXT
) -> bytes:
    """Return `pdf` signed by the institution, stamp visible on the last page (PAdES B-B, P-256, SHA-256).

    `signed_at` (aware) is what the signature states as signing time. `SigningRefusedError` when the file
    cannot be read or is signed already: a second signature would make the first one's reader guess what was
    added.
    """
    return sign_counted(pdf, keys, signed_at=signed_at, stamp_text=stamp_text)[0]


def sign_counted(
    pdf: bytes, keys: InstitutionKeys, *, signed_at: datetime, stamp_text: str = STAMP_TEXT
) -> tuple[bytes, int]:
    """As :func:`sign_report`, and how many pages the file has, which the signing has read anyway."""
    if signed_at.tzinfo is None:
        raise ValueError("signed_at carries a time zone")
    try:
        writer = _StampingWriter(io.BytesIO(pdf), strict=True)
        if writer.prev.embedded_signatures or "/AcroForm" in writer.root:
            raise SigningRefusedError("这份文件已有签章或表单，不能再签。")
        pages = int(writer.root["/Pages"]["/Count"])
        signer = _pdf_signer(keys, signed_at, stamp_text)
        output = signer.sign_pdf(writer, bytes_reserved=_BYTES_RESERVED)
    except PdfError as error:
        raise SigningRefusedError("这不是一份完整的 PDF 文件，没有签章。") from error
    return bytes(output.getvalue()), pages


def _pdf_signer(keys: InstitutionKeys, signed_at: datetime, stamp_text: str) -> PdfSigner:
    metadata = PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        name=keys.name,
        reason="检测报告签发",
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    style = StaticStampStyle(background=_StampContent(_stamp(keys, stamp_text)), border_width=0)
    field = SigFieldSpec(FIELD_NAME, on_page=-1, box=stamp_box(), readable_field_name="检测专用章")
    return _DatedSigner(metadata, signed_at, signer=_signer(keys), stamp_style=style, new_field_spec=field)
