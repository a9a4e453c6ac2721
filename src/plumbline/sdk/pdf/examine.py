"""Strict examination of a signed report file (报告文件验签).

One shape passes and nothing else: the file as printed plus exactly one incremental update that holds
exactly one PAdES signature, which covers every byte but its own contents. "The signature is valid" is not
enough: readers call files valid to which content was appended after signing. And even a passing file is
genuine only when its digest is the registered one (`verdict.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from cryptography import x509
from cryptography.x509.oid import NameOID

from plumbline.sdk.pdf.chain import accepted_root, valid_at
from plumbline.sdk.pdf.cms import CmsProblemError, SignedContent, verify_cms
from plumbline.sdk.pdf.envelope import Envelope, count_revisions, count_signatures, find_envelope
from plumbline.sdk.pdf.problems import Problem, problem
from plumbline.sdk.pdf.roots import RootKind, TrustRoot
from plumbline.sdk.pdf.structure import structure_problems

__all__ = ["LARGEST_FILE", "PdfExamination", "Problem", "examine_pdf"]

PDF_HEADER = b"%PDF-"
#: readers look for the header in so many bytes and pass over what stands before it
HEADER_WITHIN = 1024
#: bytes
LARGEST_FILE = 30 * 1024 * 1024
#: how far the signer's clock may be ahead
_CLOCK_TOLERANCE = timedelta(minutes=5)
#: as printed, and as signed
_REVISIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfExamination:
    """What was found out about one file."""

    #: no problem was found
    ok: bool
    #: as certified; None until a signature has been verified
    signer_name: str | None = None
    signer_uscc: str | None = None
    #: kind of the accepted root; None when the chain reaches none
    root_kind: RootKind | None = None
    #: as stated by the signer
    signed_at: datetime | None = None
    covers_whole_file: bool = False
    #: how many times the file was closed: 2 for a signed report
    revisions: int = 0
    #: bytes after the signed part
    appended_bytes: int = 0
    problems: tuple[Problem, ...] = ()


def examine_pdf(data: bytes, *, roots: Sequence[TrustRoot], at: datetime) -> PdfExamination:
    """Examine `data` against the verifier's own `roots` at the instant `at` (aware).

    Never raises for anything that a file may hold. Until the signature proves whose bytes they are, the
    file is only searched, in linear time; `ValueError` only for a naive `at`, `MemoryError` only where the machine has none.
    """
    if at.tzinfo is None:
        raise ValueError("at carries a time zone")
    if len(data) > LARGEST_FILE:
        return PdfExamination(ok=False, problems=(problem("too_large"),))
    if not data.startswith(PDF_HEADER):
        before = data.find(PDF_HEADER, 0, HEADER_WITHIN)
        found = problem("before_header", count=before) if before > 0 else problem("not_pdf")
        return PdfExamination(ok=False, problems=(found,))
    revisions = count_revisions(data)
    envelope = find_envelope(data)
    if envelope is None:
        return PdfExamination(ok=False, revisions=revisions, problems=(problem("no_signature"),))
    return _examine_signed(data, envelope, revisions, roots, at)


def _examine_signed(
    data: bytes, envelope: Envelope, revisions: int, roots: Sequence[TrustRoot], at: datetime
) -> PdfExamination:
    problems = _coverage_problems(data, envelope, revisions)
    signed_at = _parsed_time(envelope.stated_time)
    content, more = _signature(data, envelope)
    problems += more
    root = None
    if content is not None:
        root, more = _trust(content, roots, signed_at, at)
        problems += more
    # Only an untouched file of an accepted signer is opened: everyone else's pointers stay unread.
    if not problems:
        problems += _inner_problems(data, envelope)
    return PdfExamination(
        ok=not problems,
        signer_name=_subject(content, NameOID.COMMON_NAME),
        signer_uscc=_subject(content, NameOID.SERIAL_NUMBER),
        root_kind=root.kind if root else None,
        signed_at=signed_at,
        covers_whole_file=envelope.contiguous and envelope.appended == 0,
        revisions=revisions,
        appended_bytes=envelope.appended,
        problems=tuple(dict.fromkeys(problems)),
    )


def _coverage_problems(data: bytes, envelope: Envelope, revisions: int) -> list[Problem]:
    found = []
    if envelope.appended:
        found.append(problem("appended", count=envelope.appended))
    if not envelope.contiguous:
        found.append(problem("not_covered"))
    signatures = count_signatures(data)
    if signatures != 1:
        found.append(problem("several_signatures", count=signatures))
    if revisions != _REVISIONS:
        found.append(problem("revisions", count=revisions))
    return found


def _signature(data: bytes, envelope: Envelope) -> tuple[SignedContent | None, list[Problem]]:
    if envelope.cms is None:
        return None, [problem("bad_container")]
    try:
        return verify_cms(envelope.cms, envelope.signed_bytes(data)), []
    except CmsProblemError as error:
        return None, [problem(error.code)]
    except MemoryError:
        raise
    except Exception:
        # The decoders raise whatever they like on garbage; the file has failed in every case.
        return None, [problem("bad_container")]


def _trust(
    content: SignedContent, roots: Sequence[TrustRoot], signed_at: datetime | None, at: datetime
) -> tuple[TrustRoot | None, list[Problem]]:
    if signed_at is None:
        return None, [problem("no_time")]
    found = []
    if signed_at > at + _CLOCK_TOLERANCE:
        found.append(problem("future"))
    if not _subject(content, NameOID.COMMON_NAME) or not _subject(content, NameOID.SERIAL_NUMBER):
        found.append(problem("no_name"))
    path = (content.signer, content.others, roots, signed_at)
    try:
        root = accepted_root(*path)
        former = None if root else accepted_root(*path, ever=True)
        in_time = valid_at(content.signer, signed_at)
    except Exception:
        # A certificate with a broken extension only shows when that extension is read.
        return None, [*found, problem("untrusted")]
    if former is not None:
        found.append(problem("root_ended", name=former.name))
    elif root is None:
        found.append(problem("untrusted" if in_time else "out_of_time"))
    else:
        found += _revocation(
            content, [each for each in roots if each.certificate.strip() == root.certificate.strip()], at
        )
    return root, found


def _revocation(content: SignedContent, entries: Sequence[TrustRoot], at: datetime) -> list[Problem]:
    """What any entry of the list for the root says: one root may stand there twice, once as a bare certificate.

    A time that the signer states proves nothing once the key may be a thief's: only `at` does, the time of the
    examination, which is the log's where a registered report is examined.
    """
    serials = [each.serial_number for each in (content.signer, *content.others)]
    taken_back = [found for each in entries if (found := each.revocation_of(serials)) is not None]
    revocation = min(taken_back, key=lambda each: each.at, default=None)
    if revocation is None or at < revocation.at:
        return []
    return [problem("revoked", day=f"{revocation.at:%Y-%m-%d}")]


def _inner_problems(data: bytes, envelope: Envelope) -> list[Problem]:
    try:
        return structure_problems(data, envelope)
    except MemoryError:
        # The machine's fault: what is read is metered. A sound file must not be told to be broken for it.
        raise
    except Exception:
        # pyHanko has many errors, and a strict reader that fails says all there is to say.
        return [problem("unreadable")]


def _subject(content: SignedContent | None, oid: x509.ObjectIdentifier) -> str | None:
    if content is None:
        return None
    values = content.signer.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else None


def _parsed_time(stated: tuple[str, str] | None) -> datetime | None:
    """Return a PDF date (ISO 32000-1 §7.9.4) as an aware instant; None when it is none."""
    if stated is None:
        return None
    digits, zone = stated
    try:
        naive = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 (the zone follows)
        if zone == "Z":
            return naive.replace(tzinfo=UTC)
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return naive.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))
    except (ValueError, OverflowError):
        return None
