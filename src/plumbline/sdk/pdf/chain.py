"""From the signer's certificate to an accepted root (证书链; RFC 5280 §6, the part that a report needs).

What was revoked stands in the verifier's own list beside its root; nothing is fetched.
KNOWN: a revocation that nobody has put into that list is not seen. Bound: the verdict also needs the registered
digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from plumbline.sdk.pdf.roots import TrustRoot

#: institution, issuing CA, operating CA, root
_LONGEST_PATH = 4
_UNDERSTOOD = {
    x509.BasicConstraints.oid,
    x509.KeyUsage.oid,
    x509.ExtendedKeyUsage.oid,
    x509.CertificatePolicies.oid,
    x509.SubjectAlternativeName.oid,
}


def accepted_root(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[TrustRoot],
    moment: datetime,
    *,
    ever: bool = False,
) -> TrustRoot | None:
    """Return the accepted root at the end of the signer's path, all valid at `moment`; None without one.

    `others` are certificates from the signature: each must be on the path, or there is no path at all. The
    roots come from the verifier's list alone. With `ever` a root counts that is accepted at any time.
    """
    if not _may_sign_documents(signer):
        return None
    path, unused = [signer], list(others)
    while len(path) <= _LONGEST_PATH:
        for root in roots:
            certificate = x509.load_pem_x509_certificate(root.certificate.encode("ascii"))
            if (
                not unused
                and (ever or root.accepted_at(moment))
                and _path_holds([*path, certificate], moment)
            ):
                return root
        issuer = next((each for each in unused if each.subject == path[-1].issuer), None)
        if issuer is None:
            return None
        unused.remove(issuer)
        path.append(issuer)
    return None


def issued_path(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    root: x509.Certificate,
    moment: datetime,
) -> bool:
    """Whether the signer's path ends at this very root, all valid at `moment`; certificates that are not on it are passed over."""
    path = [signer]
    while len(path) <= _LONGEST_PATH:
        if path[-1] == root:
            return valid_at(root, moment) and _path_holds(path, moment)
        if _path_holds([*path, root], moment):
            return True
        issuer = next((each for each in others if each.subject == path[-1].issuer and each not in path), None)
        if issuer is None:
            return False
        path.append(issuer)
    return False


def valid_at(certificate: x509.Certificate, moment: datetime) -> bool:
    """Whether `moment` (aware) lies in the certificate's own period."""
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _path_holds(path: Sequence[x509.Certificate], moment: datetime) -> bool:
    for depth, (subject, issuer) in enumerate(pairwise(path)):
        if not (valid_at(subject, moment) and valid_at(issuer, moment) and _may_issue(issuer, depth)):
            return False
        if any(each.critical and each.oid not in _UNDERSTOOD for each in subject.extensions):
            return False
        try:
            subject.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
    return True


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    """Whether the certificate is a CA's and allows `below` further CAs between itself and the signer."""
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign and (basic.path_length is None or basic.path_length >= below)


def _may_sign_documents(signer: x509.Certificate) -> bool:
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return usage.digital_signature or usage.content_commitment
