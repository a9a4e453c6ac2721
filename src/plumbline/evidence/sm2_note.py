"""Note signatures by SM2 (国密签名便笺): a log's own key beside its Ed25519 key, in the ``gm`` suite.

C2SP signed-note assigns no type byte to SM2; it keeps 0xff for such types and asks for a longer identifier after
it. A verifier that does not know the type ignores the line, as it ignores every unknown key.

Key id: first 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ 65 bytes 04 ‖ x ‖ y). Signature: 64 bytes r ‖ s over the note
text, with ZA of the default identity: the name is bound by the key id and, in a checkpoint, by the origin line.
"""

from __future__ import annotations

from typing import Self

from plumbline.evidence.gm.backend import Backend
from plumbline.evidence.gm.sm2 import Sm2PrivateKey, Sm2PublicKey
from plumbline.evidence.note import (
    NoteError,
    format_typed_key,
    require_key_name,
    split_verifier_key,
    typed_key_id,
)

#: Type of the signature; ``v1`` stands for all of: curve, SM3, default identity, r ‖ s, the bare note text.
SM2_TYPE = b"\xffplumbline/sm2-sm3/v1"


class Sm2NoteSigner:
    """A log's own SM2 key; with the plain backend its signatures are the same each time."""

    def __init__(self, name: str, private_key: Sm2PrivateKey, *, backend: Backend | None = None) -> None:
        self._private_key, self._backend = private_key, backend
        self._point = private_key.public_key.point
        self.name = require_key_name(name)
        self.key_id = typed_key_id(name, SM2_TYPE, self._point)

    def sign(self, text: bytes) -> bytes:
        """64 bytes of signature, r ‖ s."""
        return self._private_key.sign(text, backend=self._backend)

    def verifier_key(self) -> str:
        """The vkey that others put on their list of trusted logs."""
        return format_typed_key(self.name, SM2_TYPE, self._point)


class Sm2NoteVerifier:
    """Checks SM2 signatures of a log's own key; ValueError for a point that is not on the curve."""

    is_cosigner = False

    def __init__(self, name: str, point: bytes, *, backend: Backend | None = None) -> None:
        self._key, self._backend = Sm2PublicKey(point), backend
        self.name = require_key_name(name)
        self.key_id = typed_key_id(name, SM2_TYPE, point)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Verifier of a ``name+hash+base64`` key; NoteError if it is malformed or of another kind."""
        name, data = split_verifier_key(vkey)
        if not data.startswith(SM2_TYPE):
            raise NoteError("not an SM2 key")
        try:
            return cls(name, data[len(SM2_TYPE) :])
        except NoteError:
            raise
        except ValueError as error:
            raise NoteError(f"not an SM2 key: {error}") from error

    def verify(self, text: bytes, signature: bytes) -> bool:
        """True if the 64 bytes are this key's signature over ``text``."""
        return self._key.verify(text, signature, backend=self._backend)
