"""Signatures of one key, again and again (成批签章): what is the same in each CMS object is encoded once.

pyHanko makes the first signature of a key. In every further one only the digest of the file and the signature differ;
the rest is laid aside as the bytes that pyHanko wrote (RFC 5652 §5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.sign.signers import SimpleSigner

#: A PAdES B-B signature states its time in the dictionary (/M), so that nothing but the digest varies among these.
_ATTRIBUTES = {"content_type", "message_digest", "signing_certificate_v2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The parts of a CMS object that do not change from file to file, in DER."""

    content_type: bytes
    #: Version, digest algorithms, content type and certificates.
    before: bytes
    #: Version, signer's name and digest algorithm.
    signer: bytes
    #: Contents of the set of signed attributes, before and after the file's digest.
    attributes: tuple[bytes, bytes]
    #: The signature algorithm.
    after: bytes

    @classmethod
    def of(cls, made: Any, digest: bytes) -> Self | None:
        """The frame of a CMS object over `digest`; None when it is not of the plain kind that can be made again."""
        signed = made["content"]
        info = signed["signer_infos"][0]
        names = {each["type"].native for each in info["signed_attrs"]}
        contents = info["signed_attrs"].contents
        if names != _ATTRIBUTES or contents.count(digest) != 1:
            return None
        left, _, right = contents.partition(digest)
        frame = cls(
            content_type=made["content_type"].dump(),
            before=_joined(signed, "version", "digest_algorithms", "encap_content_info", "certificates"),
            signer=_joined(info, "version", "sid", "digest_algorithm"),
            attributes=(left, right),
            after=_joined(info, "signature_algorithm"),
        )
        same = frame.filled(digest, info["signature"].native) == made.dump()
        return frame if same else None

    def signed_bytes(self, digest: bytes) -> bytes:
        """What is signed for a file of this digest: the attributes as a SET OF (RFC 5652 §5.4)."""
        return _der(0x31, digest.join(self.attributes))

    def filled(self, digest: bytes, signature: bytes) -> bytes:
        """The CMS object, DER."""
        attributes = _der(0xA0, digest.join(self.attributes))
        info = _der(0x30, self.signer + attributes + self.after + _der(0x04, signature))
        signed = _der(0x30, self.before + _der(0x31, info))
        return _der(0x30, self.content_type + _der(0xA0, signed))


class RepeatingSigner(SimpleSigner):
    """A signer that encodes the parts that stay the same once."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, **options: Any) -> None:
        self._key = key
        self._frames: dict[str, Frame] = {}
        super().__init__(**options)

    async def async_sign(self, data_digest: bytes, digest_algorithm: str, **options: Any) -> Any:  # type: ignore[override]
        """As pyHanko does; from the second signature on as bytes from the frame of the first."""
        plain = not options.get("dry_run") and options.get("timestamper") is None
        frame = self._frames.get(digest_algorithm) if plain and digest_algorithm == "sha256" else None
        if frame is not None:
            signature = self._key.sign(frame.signed_bytes(data_digest), ec.ECDSA(hashes.SHA256()))
            return frame.filled(data_digest, signature)
        made = await super().async_sign(data_digest, digest_algorithm, **options)
        if plain and (found := Frame.of(made, data_digest)):
            self._frames[digest_algorithm] = found
        return made


def _joined(sequence: Any, *names: str) -> bytes:
    return b"".join(sequence[name].dump() for name in names)


def _der(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    if size < 0x80:
        return bytes([tag, size]) + contents
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + contents
