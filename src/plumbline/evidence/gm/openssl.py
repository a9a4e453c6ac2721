"""OpenSSL 3 through ctypes (OpenSSL 实现): SM2, SM3 and HMAC-SM3 by the system's libcrypto.

SM4-GCM is not in OpenSSL 3.0, so it is taken from the newer OpenSSL that the package `cryptography` carries.
Nothing is used before known answers were given (:func:`load_openssl`).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from plumbline.evidence.gm import encodings
from plumbline.evidence.gm.known_answers import gives_known_answers

_NAMES = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll")
#: Longer than any DER signature of SM2.
_SIGNATURE_ROOM = 80

_POINTER, _BYTES, _SIZE, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
_SIZE_OUT = ctypes.POINTER(_SIZE)
#: Function of libcrypto: its result, its arguments.
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "OPENSSL_version_major": (ctypes.c_uint, ()),
    "EVP_sm3": (_POINTER, ()),
    "EVP_Digest": (_INT, (_BYTES, _SIZE, _POINTER, _POINTER, _POINTER, _POINTER)),
    "HMAC": (_POINTER, (_POINTER, _BYTES, _INT, _BYTES, _SIZE, _POINTER, _POINTER)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, ctypes.POINTER(_BYTES), ctypes.c_long)),
    "d2i_AutoPrivateKey": (_POINTER, (_POINTER, ctypes.POINTER(_BYTES), ctypes.c_long)),
    "i2d_PUBKEY": (_INT, (_POINTER, ctypes.POINTER(_POINTER))),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_new": (_POINTER, (_POINTER, _POINTER)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_POINTER, _BYTES, _SIZE)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_POINTER, _POINTER)),
    "EVP_DigestSignInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestSign": (_INT, (_POINTER, _POINTER, _SIZE_OUT, _BYTES, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (_INT, (_POINTER, _BYTES, _SIZE, _BYTES, _SIZE)),
    "ERR_clear_error": (None, ()),
    "ERR_peek_error": (ctypes.c_ulong, ()),
}


class OpensslFailed(RuntimeError):
    """A call into libcrypto failed where it should not: no answer was given."""


class OpensslBackend:
    """The system's libcrypto; AttributeError or OSError if it is not OpenSSL 3 with SM2 and SM3."""

    def __init__(self, library: ctypes.CDLL) -> None:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        if library.OPENSSL_version_major() < 3:
            raise OSError("libcrypto is older than OpenSSL 3")
        self._library = library
        self.name = "openssl"

    def sm3(self, data: bytes) -> bytes:
        """SM3, 32 bytes."""
        room = ctypes.create_string_buffer(32)
        library = self._library
        self._expect(library.EVP_Digest(data, len(data), room, None, library.EVP_sm3(), None) == 1)
        return room.raw

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """HMAC-SM3, 32 bytes."""
        room = ctypes.create_string_buffer(32)
        library = self._library
        self._expect(library.HMAC(library.EVP_sm3(), key, len(key), data, len(data), room, None))
        return room.raw

    def sm2_public(self, secret: bytes) -> bytes:
        """Public point of a secret."""
        with self._key("d2i_AutoPrivateKey", encodings.private_to_der(secret, None)) as key:
            room = ctypes.create_string_buffer(256)
            at = _POINTER(ctypes.addressof(room))
            size = self._library.i2d_PUBKEY(key, ctypes.byref(at))
            self._expect(0 < size <= len(room))
            return encodings.public_from_der(room.raw[:size])

    def sm2_sign(self, secret: bytes, point: bytes, message: bytes, identity: bytes) -> bytes:
        """Signature r ‖ s with a nonce of OpenSSL's random numbers."""
        der = encodings.private_to_der(secret, point)
        with self._key("d2i_AutoPrivateKey", der) as key, self._context("Sign", key, identity) as context:
            room, size = ctypes.create_string_buffer(_SIGNATURE_ROOM), _SIZE(_SIGNATURE_ROOM)
            made = self._library.EVP_DigestSign(context, room, ctypes.byref(size), message, len(message))
            self._expect(made == 1)
            return encodings.signature_from_der(room.raw[: size.value])

    def sm2_verify(self, point: bytes, message: bytes, signature: bytes, identity: bytes) -> bool:
        """Whether OpenSSL accepts r ‖ s."""
        der = encodings.signature_to_der(signature)
        with (
            self._key("d2i_PUBKEY", encodings.public_to_der(point)) as key,
            self._context("Verify", key, identity) as context,
        ):
            answer = self._library.EVP_DigestVerify(context, der, len(der), message, len(message))
        return bool(answer == 1)

    def sm4_gcm_seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext ‖ tag."""
        sealer = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
        sealer.authenticate_additional_data(associated)
        return sealer.update(plaintext) + sealer.finalize() + sealer.tag

    def sm4_gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """Plaintext, or None if the tag does not hold."""
        opener = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-16:])).decryptor()
        opener.authenticate_additional_data(associated)
        try:
            return opener.update(sealed[:-16]) + opener.finalize()
        except InvalidTag:
            return None

    @contextmanager
    def _key(self, reader: str, der: bytes) -> Iterator[int]:
        try:
            key = getattr(self._library, reader)(None, ctypes.byref(_BYTES(der)), len(der))
            self._expect(key)
            try:
                yield key
            finally:
                self._library.EVP_PKEY_free(key)
        finally:
            # The queue of errors is shared with Python's own TLS in this thread: leave nothing in it.
            self._library.ERR_clear_error()

    @contextmanager
    def _context(self, act: str, key: int, identity: bytes) -> Iterator[int]:
        library = self._library
        with ExitStack() as owned:
            holder = library.EVP_PKEY_CTX_new(key, None)
            self._expect(holder)
            owned.callback(library.EVP_PKEY_CTX_free, holder)
            self._expect(library.EVP_PKEY_CTX_set1_id(holder, identity, len(identity)) == 1)
            context = library.EVP_MD_CTX_new()
            self._expect(context)
            owned.callback(library.EVP_MD_CTX_free, context)
            library.EVP_MD_CTX_set_pkey_ctx(context, holder)
            begin = getattr(library, f"EVP_Digest{act}Init")
            self._expect(begin(context, None, library.EVP_sm3(), None, key) == 1)
            yield context

    def _expect(self, good: object) -> None:
        if not good:
            self._library.ERR_clear_error()
            raise OpensslFailed("a call into libcrypto failed")


def load_openssl() -> OpensslBackend | None:
    """The backend, if a libcrypto of OpenSSL 3 is found and gives the published answers; else None."""
    for name in (*_NAMES, ctypes.util.find_library("crypto")):
        if name is None:
            continue
        try:
            backend = OpensslBackend(ctypes.CDLL(name))
            if gives_known_answers(backend):
                return backend
        except (OSError, AttributeError, ValueError, OpensslFailed, UnsupportedAlgorithm):
            continue
    return None
