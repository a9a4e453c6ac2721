"""Reserving and withholding (预留与暂不发放): the decision becomes an entry signed by the platform."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.findings import Finding
from plumbline.domain.custody.timing import duration
from plumbline.domain.reporting.code import new_code
from plumbline.domain.reporting.gate_facts import GateDecision
from plumbline.exchange.claims import CodeClaims, read_claims, sign_claims
from plumbline.exchange.messages.reports import CodeReserved, CodeWithheld, GateReason, ReportApplied
from plumbline.exchange.signatures import Signer
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.rules import parameters

ISSUER = "HC0"
KEY_NUMBER = 1
MAX_SENTENCE = 2000


def reason_of(finding: Finding) -> GateReason:
    """A finding as it travels in a message."""
    return GateReason(
        code=finding.code,
        clause=finding.clause or "平台约定",
        sentence=finding.sentence[:MAX_SENTENCE],
        remedy=finding.remedy or None,
    )


def reservation(
    application: str,
    message: ReportApplied,
    message_bytes: bytes,
    decision: GateDecision,
    *,
    at: datetime,
    cause: tuple[str, datetime],
    operator: str,
    issuer: Signer,
    division: str,
    shown: str | None = None,
) -> CodeReserved:
    """A code with its signed claims.

    `cause` (state of the application, when it was logged) names the decision: workers that race make entries of one uid, so that
    the first stands and the second gets 409. `shown`: claims that we signed for this application before a restore; their code again.
    """
    code, claims = _issued(message, message_bytes, at, issuer) if shown is None else _as_shown(shown)
    life = duration(parameters().value("reservation_life", division, local_date(at)))
    return CodeReserved(
        v=1,
        uid=derived_uid("code.decision", cause[0], application, cause[1]),
        sender=operator,
        occurred_at=at,
        application=application,
        institution=message.sender,
        code=code,
        claims=claims,
        dies_at=at + life,
        notes=[reason_of(f) for f in decision.notes],
    )


def _as_shown(shown: str) -> tuple[str, str]:
    return read_claims(shown)[0].code, shown


def _issued(message: ReportApplied, message_bytes: bytes, at: datetime, issuer: Signer) -> tuple[str, str]:
    """A new code and its signed claims."""
    code = new_code(local_date(at), ISSUER, secrets.randbits)
    claims = CodeClaims(
        key_number=KEY_NUMBER,
        code=code,
        issued_on=local_date(at),
        institution=bytes.fromhex(message.sender)[:8],
        verdict=message.conclusion,
        report_digest=hashlib.sha256(message_bytes).digest()[:16],
        report_number=message.number,
    )
    return code, sign_claims(claims, issuer)


def withholding(
    application: str,
    message: ReportApplied,
    decision: GateDecision,
    *,
    at: datetime,
    cause: tuple[str, datetime],
    operator: str,
) -> CodeWithheld:
    """The refusal of a code with every reason."""
    return CodeWithheld(
        v=1,
        uid=derived_uid("code.decision", cause[0], application, cause[1]),
        sender=operator,
        occurred_at=at,
        application=application,
        institution=message.sender,
        reasons=[reason_of(f) for f in decision.reasons],
    )
