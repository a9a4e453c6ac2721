"""The institution's own keys (密钥盒): the platform never holds them."""

from __future__ import annotations

from plumbline.lab.keys.authority import DemoAuthority
from plumbline.lab.keys.institution import InstitutionKeys, public_bytes
from plumbline.lab.keys.keybox import KeyboxError
from plumbline.sdk.pdf.roots import TrustRoot

__all__ = ["DemoAuthority", "InstitutionKeys", "KeyboxError", "TrustRoot", "public_bytes"]
