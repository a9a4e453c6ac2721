"""The security headers of every page, one text for Django and for the gateway (安全响应头).

No inline script, no inline style, no evaluation: the policy allows our own origin only, so a value that slips
through escaping still cannot run. Pictures may be ``blob:`` because a chart is exported from a canvas, and may
come from the host of attachments, where there is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?")


def files_origin(env: Mapping[str, str] = os.environ) -> str:
    """PLUMB_FILES_URL: scheme and host that serve attachments and nothing else; empty when they share our own."""
    told = env.get("PLUMB_FILES_URL", "").strip().rstrip("/").lower()
    if told and not _ORIGIN.fullmatch(told):
        raise ValueError(
            f"PLUMB_FILES_URL={told[:80]} 不是网址：要写 https://主机，不带路径，请改正后重新启动"
        )
    return told


_PICTURES = f" {files_origin()}" if files_origin() else ""
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{_PICTURES}; "
    "object-src 'none'; connect-src 'self'; font-src 'self'; media-src 'self'; form-action 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

#: A year, subdomains too: said over HTTPS only, where it means something.
STRICT_TRANSPORT_S = 365 * 24 * 3600
STRICT_TRANSPORT = f"max-age={STRICT_TRANSPORT_S}; includeSubDomains"

SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=()",
}
