"""Claims in the QR code (二维码声明): what the code says about the report, readable and checkable without a
server.

At most 100 bytes plus a raw 64-byte signature, in upper-case base32 in the URL fragment, so that no server's
log sees them and the QR stays in alphanumeric mode. Layout, big-endian: version u8 = 1 · key number u8 ·
code 21 ASCII · issue day u16 (days since 2000-01-01) · institution 8 (first bytes of the party id) · verdict
u8 · report digest 16 · report number (length u8, UTF-8 ≤ 40). The PDF's hash cannot stand here, since the QR
is inside the PDF; so the offline answer is never 真.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import date, timedelta

from plumbline.exchange.signatures import Signer, verify

_FIXED = struct.Struct(">BB21sH8sB16sB")
_EPOCH = date(2000, 1, 1)
VERDICTS = {"NOT_JUDGED": 0, "PASS": 1, "FAIL": 2, "VOID": 3}
MAX_NUMBER_BYTES = 40
CONTEXT = b"plumb/code-claims/v1\n"


class ClaimsProblem(ValueError):
    """The fragment is not claims that we can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeClaims:
    """What the issuer signed for a code. `institution` and `report_digest` are prefixes (8 and 16 bytes)."""

    key_number: int
    code: str
    issued_on: date
    institution: bytes
    verdict: str
    report_digest: bytes
    report_number: str

    def encode(self) -> bytes:
        """The signed bytes without signature."""
        number = self.report_number.encode()
        if len(number) > MAX_NUMBER_BYTES:
            raise ClaimsProblem(f"report number longer than {MAX_NUMBER_BYTES} bytes")
        return (
            _FIXED.pack(
                1,
                self.key_number,
                self.code.encode("ascii"),
                (self.issued_on - _EPOCH).days,
                self.institution[:8],
                VERDICTS[self.verdict],
                self.report_digest[:16],
                len(number),
            )
            + number
        )


def sign_claims(claims: CodeClaims, signer: Signer) -> str:
    """The URL fragment: base32 of claims ‖ signature, upper case, without padding."""
    body = claims.encode()
    return base64.b32encode(body + signer.sign(CONTEXT + body)).decode().rstrip("=")


def read_claims(fragment: str) -> tuple[CodeClaims, bytes, bytes]:
    """(claims, signed bytes, signature) of a fragment; raises :class:`ClaimsProblem`."""
    text = fragment.strip().lstrip("#").upper()
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
        body, signature = raw[:-64], raw[-64:]
        version, key_number, code, days, institution, verdict, digest, length = _FIXED.unpack(
            body[: _FIXED.size]
        )
        number = body[_FIXED.size :]
        if version != 1 or len(number) != length:
            raise ClaimsProblem("unknown version or length")
        claims = CodeClaims(
            key_number=key_number,
            code=code.decode("ascii"),
            issued_on=_EPOCH + timedelta(days=days),
            institution=institution,
            verdict={v: k for k, v in VERDICTS.items()}[verdict],
            report_digest=digest,
            report_number=number.decode(),
        )
    except ClaimsProblem:
        raise
    except (binascii.Error, struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ClaimsProblem("not claims") from error
    return claims, body, signature


def claims_hold(fragment: str, algorithm: str, key: bytes) -> CodeClaims | None:
    """The claims if the issuer's key signed them, else None."""
    try:
        claims, body, signature = read_claims(fragment)
    except ClaimsProblem:
        return None
    return claims if verify(algorithm, key, CONTEXT + body, signature) else None
