"""The code's claims, the report file, and whether the report was withdrawn (监管码、报告文件、是否有效)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec

from plumbline.domain.reporting.code import CodeProblem, format_code, parse_code
from plumbline.exchange.claims import ClaimsProblem, CodeClaims, claims_hold, read_claims
from plumbline.exchange.messages.platform import DeadlinePassed
from plumbline.exchange.messages.reports import (
    CodeReserved,
    ReportApplied,
    ReportExamined,
    ReportRegistered,
    ReportWithdrawn,
)
from plumbline.sdk.bundle.check import Step, failed, held, note
from plumbline.sdk.bundle.links import Chain
from plumbline.sdk.bundle.records import Record
from plumbline.sdk.pdf.roots import TrustRoot

#: (key id, algorithm, base64 of the public key) of a code issuer whom the caller trusts.
CodeKey = tuple[str, str, str]


def claims_steps(chain: Chain, code_keys: Sequence[CodeKey]) -> list[Step]:
    """What the QR code says, against the application and the issuer's key."""
    if chain.reserved is None or chain.application is None:
        return []
    record, reserved = chain.reserved
    try:
        claims, _, _ = read_claims(reserved.claims)
    except ClaimsProblem:
        return [
            failed(
                "claims", f"{record.label}：二维码声明读不懂。", "The claims of the code are not readable."
            )
        ]
    steps = [
        failed("claims", f"二维码声明里的{zh}与报告不符。", f"The claims state another {en} than the report.")
        for zh, en in _differences(claims, reserved, chain)
    ]
    if not code_keys:
        zh = "没有给出发码公钥，监管码的签发没有核验。"
        return [
            *steps,
            note("claims", zh, "No code issuer's key was given: the code's issue was not checked."),
        ]
    if not any(claims_hold(reserved.claims, algorithm, _raw(key)) for _, algorithm, key in code_keys):
        zh = "监管码不是由您信任的发码密钥签发的。"
        return [*steps, failed("claims", zh, "No code issuer's key that you trust has signed the code.")]
    if not steps:
        zh = f"监管码 {format_code(reserved.code)} 的签发成立，二维码声明与报告一致。"
        steps = [
            held(
                "claims", zh, "The issuer's signature over the code holds; its claims agree with the report."
            )
        ]
    return steps


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _differences(claims: CodeClaims, reserved: CodeReserved, chain: Chain) -> list[tuple[str, str]]:
    assert chain.application is not None
    record, application = chain.application
    wanted = {
        ("监管码", "code"): claims.code == reserved.code
        and not isinstance(parse_code(claims.code), CodeProblem),
        ("报告编号", "report number"): claims.report_number == application.number,
        ("结论", "verdict"): claims.verdict == application.conclusion,
        ("机构", "institution"): claims.institution.hex() == application.sender[:16],
        ("报告摘要", "report digest"): claims.report_digest
        == hashlib.sha256(record.part.message).digest()[:16],
    }
    return [words for words, agrees in wanted.items() if not agrees]


def report_steps(chain: Chain, roots: Sequence[TrustRoot]) -> list[Step]:
    """The PDF: the registered bytes, signed by the issuing institution."""
    if chain.registration is None:
        return []
    registered, pdf = chain.registration[1], chain.content.pdf
    if pdf is None:
        return [
            note(
                "report", "包里没有报告 PDF，没有核验。", "The report PDF is not in the bundle; not checked."
            )
        ]
    digest = hashlib.sha256(pdf).hexdigest()
    if digest != registered.pdf_sha256 or len(pdf) != registered.pdf_bytes:
        zh = f"report.pdf 不是登记的那一份：登记的 SHA-256 是 {registered.pdf_sha256}，它是 {digest}。"
        return [failed("report", zh, f"report.pdf is not the registered file: its SHA-256 is {digest}.")]
    same = held("report", "report.pdf 就是登记的那一份。", "report.pdf is the registered file.")
    return [same, *_signature_steps(chain, registered, pdf, roots)]


def can_read_pdf() -> bool:
    """Whether the optional libraries of the strict reader are installed: without them every file would look broken."""
    return all(find_spec(name) is not None for name in ("pyhanko", "asn1crypto"))


def _signature_steps(
    chain: Chain, registered: ReportRegistered, pdf: bytes, roots: Sequence[TrustRoot]
) -> list[Step]:
    name = "report_signature"
    if not roots:
        zh = "没有给出您信任的根证书，报告的签章没有核验。"
        return [note(name, zh, "No trust roots were given: the report's signature was not checked.")]
    if not can_read_pdf():
        zh = "本机没有安装 PDF 查验部件（plumbline[server]），报告的签章没有核验。"
        return [
            note(name, zh, "The PDF libraries are not installed: the report's signature was not checked.")
        ]
    # The strict reader needs the optional PDF libraries; receipts and entries are checked without them.
    from plumbline.sdk.pdf.examine import examine_pdf

    assert chain.registration is not None
    found = examine_pdf(pdf, roots=roots, at=chain.registration[0].receipt.logged_at or datetime.now(UTC))
    if not found.ok:
        return [
            failed(name, f"report.pdf：{each.sentence_zh}", f"report.pdf: {each.code}.")
            for each in found.problems
        ]
    institution = chain.institution
    if institution is None or found.signer_uscc != institution.uscc:
        issuer = institution.name if institution else "登记的机构"
        zh = f"report.pdf 由 {found.signer_name}（{found.signer_uscc}）签章，不是出报告的 {issuer}。"
        return [failed(name, zh, "report.pdf is signed by somebody else than the issuing institution.")]
    demo = found.root_kind == "demo"
    zh = f"报告由 {found.signer_name} 签章（{'演示' if demo else '正式'}证书），签章以后没有改动。"
    kind = "demonstration" if demo else "licensed"
    return [
        held(
            name, zh, f"The report is signed by {found.signer_name} ({kind} certificate) and unchanged since."
        )
    ]


def force_steps(chain: Chain) -> list[Step]:
    """Withdrawn, replaced or unsound, as far as the bundle shows: later events only the platform knows."""
    steps: list[Step] = []
    if (withdrawn := withdrawal_of(chain)) is not None:
        gone, message = withdrawn
        zh = f"这份报告已于 {gone.logged} 撤回，原因：{message.because}。请不要采用。"
        steps.append(failed("force", zh, f"The report was withdrawn at {gone.logged}."))
    if is_unsound(chain):
        zh = "平台查验登记的终稿时没有通过。"
        steps.append(failed("force", zh, "The platform found the registered file unsound."))
    if (newer := replacement_of(chain)) is not None:
        application, registered = newer
        zh = f"这份报告已被第 {application.version} 版（监管码 {format_code(registered.code)}）替代，请看新版。"
        steps.append(failed("force", zh, f"The report was replaced by version {application.version}."))
    if is_lapsed(chain):
        steps.append(failed("force", "监管码过期未用，已失效。", "The code died unused."))
    return steps


def withdrawal_of(chain: Chain) -> tuple[Record, ReportWithdrawn] | None:
    """The last withdrawal of the registered report by whoever registered it."""
    found = None
    if chain.registration is not None:
        record, registered = chain.registration
        for gone, message in chain.records.of(ReportWithdrawn):
            if chain.same(message.registration, record.entry) and message.sender == registered.sender:
                found = gone, message
    return found


def is_unsound(chain: Chain) -> bool:
    """Whether the platform's own examination of the registered file failed."""
    return chain.registration is not None and any(
        chain.same(found.registration, chain.registration[0].entry)
        and found.sender == chain.keys.operator
        and not found.accepted
        for _, found in chain.records.of(ReportExamined)
    )


def is_lapsed(chain: Chain) -> bool:
    """Whether the code died before anything was registered under it."""
    return chain.registration is None and any(
        chain.same(deadline.subject, chain.content.application)
        for _, deadline in chain.records.of(DeadlinePassed)
    )


def replacement_of(chain: Chain) -> tuple[ReportApplied, ReportRegistered] | None:
    """Application and registration of the version that took this one's place."""
    for record, message in chain.records.of(ReportApplied):
        if (
            message.replaces_code != chain.content.code
            or chain.content.code is None
            or chain.application is None
        ):
            continue
        newer = [
            each
            for _, each in chain.records.of(ReportRegistered)
            if chain.same(each.application, record.entry) and each.sender == message.sender
        ]
        if newer and message.sender == chain.application[1].sender:
            return message, newer[0]
    return None
