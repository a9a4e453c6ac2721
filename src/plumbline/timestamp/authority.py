"""The authority itself (时间戳签发; RFC 3161): each answer has a serial number and a time that no answer before it had.

Both are durable before the answer leaves, so that a crash skips numbers and never gives one twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core, tsp  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from plumbline.sdk.timestamp.request import response_type
from plumbline.timestamp.keys import AuthorityProblem, Settings, read_settings, write_durably

#: How far this machine's clock may be off; the operator keeps it so (NTP).
ACCURACY = timedelta(seconds=1)
_LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
#: A clock that steps back further than this stops the authority: it must not tell one order and another time.
STEP_BACK = timedelta(seconds=1)
MAX_QUERY = 4 * 1024


class _Refused(Exception):
    def __init__(self, failure: str) -> None:
        self.failure = failure
        super().__init__(failure)


@dataclass(frozen=True, slots=True)
class _Asked:
    imprint: Any
    nonce: int | None
    wants_certificate: bool


class Authority:
    """One authority of a folder made by `keys.initialise`. Several processes may serve it: the numbers are under a lock of the file."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder, self._now = folder, now
        self.settings: Settings = read_settings(folder)
        try:
            key = serialization.load_pem_private_key((folder / "signer.key.pem").read_bytes(), None)
            self.certificate = x509.load_pem_x509_certificate((folder / "signer.cert.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise AuthorityProblem(f"{folder} 里的密钥或证书读不了：{error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityProblem(f"{folder} 里的签名密钥不是 P-256")
        self._key = key
        self._lock = threading.Lock()
        with self._numbers() as (number, _):
            self.last_serial = number

    def answer(self, query: bytes) -> bytes:
        """The DER of a TimeStampResp, granted or refused; never raises for what the query holds. OSError when the numbers are not kept."""
        try:
            asked = self._read(query)
            number, at = self._next()
        except _Refused as refused:
            return _rejection(refused.failure)
        info = tsp.TSTInfo(
            {
                "version": 1,
                "policy": self.settings.policy,
                "message_imprint": asked.imprint,
                "serial_number": number,
                "gen_time": at,
                "accuracy": {"seconds": int(ACCURACY.total_seconds())},
                "ordering": True,
                "nonce": asked.nonce,
            }
        )
        token = self._signed(info.dump(), certificate=asked.wants_certificate)
        return bytes(response_type()({"status": {"status": "granted"}, "time_stamp_token": token}).dump())

    def _read(self, query: bytes) -> _Asked:
        if len(query) > MAX_QUERY:
            raise _Refused("bad_data_format")
        try:
            read = tsp.TimeStampReq.load(query, strict=True)
            version, imprint = read["version"].native, read["message_imprint"]
            algorithm = imprint["hash_algorithm"]["algorithm"].native
            length = len(imprint["hashed_message"].native)
            policy = read["req_policy"].native and read["req_policy"].dotted
            extensions = [each["critical"].native for each in read["extensions"] or ()]
            nonce, wants = read["nonce"].native, bool(read["cert_req"].native)
            plain = imprint["hash_algorithm"]["parameters"].dump() in (b"", b"\x05\x00")
        except Exception as error:  # whatever the decoder says about garbage
            raise _Refused("bad_data_format") from error
        if version != "v1":
            raise _Refused("bad_request")
        if algorithm not in _LENGTHS or not plain:
            raise _Refused("bad_alg")
        if length != _LENGTHS[algorithm]:
            raise _Refused("bad_data_format")
        if policy and policy != self.settings.policy:
            raise _Refused("unaccepted_policy")
        if any(extensions):
            raise _Refused("unaccepted_extensions")
        return _Asked(imprint, nonce, wants)

    @contextmanager
    def _numbers(self) -> Iterator[tuple[int, datetime]]:
        """(last serial, last time) under the lock of the file."""
        path = self.folder / "serial.json"
        with self._lock, (self.folder / "serial.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                told = json.loads(path.read_text("ascii"))
                last = int(told["serial"]), datetime.fromisoformat(told["at"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise AuthorityProblem(
                    f"{path} 丢了或坏了：已用过的序号不能再用。请执行 plumbline timestamp renew {self.folder}"
                ) from error
            yield last

    def _next(self) -> tuple[int, datetime]:
        """The next serial number and a time after every earlier one, both kept."""
        with self._numbers() as (number, last):
            now = self._now()
            if now < last - STEP_BACK or not self._is_valid(now):
                raise _Refused("time_not_available")
            at = max(now, last + timedelta(microseconds=1))
            write_numbers(self.folder, number + 1, at)
            self.last_serial = number + 1
            return number + 1, at

    def _is_valid(self, now: datetime) -> bool:
        return self.certificate.not_valid_before_utc <= now <= self.certificate.not_valid_after_utc

    def _signed(self, content: bytes, *, certificate: bool) -> cms.ContentInfo:
        mine = asn1_x509.Certificate.load(self.certificate.public_bytes(serialization.Encoding.DER))
        sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
        named = tsp.SigningCertificateV2(
            {"certs": [{"cert_hash": self.certificate.fingerprint(hashes.SHA256())}]}
        )
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
                {"type": "signing_certificate_v2", "values": [named]},
            ]
        )
        info = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {
                        "issuer_and_serial_number": {
                            "issuer": mine.issuer,
                            "serial_number": mine.serial_number,
                        }
                    }
                ),
                "digest_algorithm": sha256,
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": self._key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        signed = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": core.ParsableOctetString(content),
            },
            "signer_infos": [info],
        }
        if certificate:
            signed["certificates"] = [cms.CertificateChoices({"certificate": mine})]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


def write_numbers(folder: Path, number: int, at: datetime) -> None:
    """Keep the last serial number and time durably."""
    data = json.dumps({"serial": number, "at": at.isoformat()}).encode("ascii")
    write_durably(folder / "serial.json", data)


def first_number(now: datetime) -> int:
    """A number above all that an authority may have given before `now`: it gives fewer than 2¹² in a microsecond."""
    return int(now.timestamp() * 1_000_000) << 12


def _rejection(failure: str) -> bytes:
    status = {"status": "rejection", "fail_info": tsp.PKIFailureInfo({failure})}
    return bytes(response_type()({"status": status}).dump())
