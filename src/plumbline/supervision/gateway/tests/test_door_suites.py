"""The suite of algorithms at the door (国密套件), without a database: the directory is a dictionary."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.exchange.handbook.examples import examples
from plumbline.exchange.messages import KINDS, PLATFORM
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import (
    SYMMETRIC,
    HmacSm3Signer,
    Signer,
    Sm2Signer,
    Target,
    read_signature,
    sign_request,
)
from plumbline.supervision.gateway.directory import Directory, KnownKey
from plumbline.supervision.gateway.door import Door, Proof, Received

TARGET, MESSAGE = Target(method="POST", uri="https://jianguan.example/x/v1/entries"), b"{}"
SIGNER = Sm2Signer("lab.origin", Sm2PrivateKey.from_secret(bytes([9]) * 32))


def known(**changes: Any) -> KnownKey:
    now = datetime.now(UTC)
    row = {"key_id": SIGNER.key_id, "party": "a" * 32, "algorithm": "sm2", "use": "origin"}
    row |= {"material": SIGNER.key.public_key.point, "revoked_at": None, "roles": frozenset({"institution"})}
    row |= {"valid_from": now - timedelta(1), "valid_until": now + timedelta(1)}
    return KnownKey(**(row | {"party_name": "检测机构", "division": "330000"} | changes))


class Listed:
    """A directory that knows one key; its clock may be wrong."""

    def __init__(self, key: KnownKey, *, is_off: bool = False) -> None:
        self.only, self.is_off = key, is_off

    async def require_right_clock(self) -> None:
        if self.is_off:
            raise Problem(slug="clock-off")

    async def key(self, key_id: str) -> KnownKey | None:
        return self.only if key_id == self.only.key_id else None


def door(key: KnownKey, *, is_national: bool = True) -> Door:
    return Door(Listed(key), None, is_national=is_national)  # type: ignore[arg-type]


def request(signer: Signer = SIGNER) -> Received:
    now = datetime.now(UTC)
    headers = sign_request(signer, TARGET, MESSAGE, MESSAGE, created=int(now.timestamp()))
    lower = {name.lower(): value for name, value in headers.items()}
    return Received(target=TARGET, headers=lower, body=MESSAGE, arrived_at=now)


def authenticate(at: Door, received: Received) -> KnownKey:
    return asyncio.run(at.authenticate(received, MESSAGE))[1]


def test_in_the_suite_gm_a_request_may_be_signed_by_sm2() -> None:
    assert authenticate(door(known()), request()).key_id == "lab.origin"


def test_in_the_standard_suite_the_refusal_names_the_suite_and_the_remedy() -> None:
    with pytest.raises(Problem, match="国密套件") as caught:
        authenticate(door(known(), is_national=False), request())
    assert caught.value.slug == "signature-invalid" and "Ed25519" in str(caught.value.detail)


@pytest.mark.parametrize(
    "material",
    [b"", SIGNER.key.public_key.point[:-1] + b"\0", b"\x04" + bytes(64)],
    ids=["none", "off", "zero"],
)
def test_a_key_that_is_no_point_of_the_curve_opens_nothing(material: bytes) -> None:
    with pytest.raises(Problem, match="验不过"):
        authenticate(door(known(material=material)), request())


@pytest.mark.parametrize(
    ("is_off", "revoked", "slug"),
    [(False, False, "key-revoked"), (True, False, "clock-off"), (True, True, "key-revoked")],
)
def test_only_a_right_clock_says_that_the_time_of_a_key_is_over(
    is_off: bool, revoked: bool, slug: str
) -> None:
    now = datetime.now(UTC)
    key = known(valid_until=now - timedelta(hours=1), revoked_at=now if revoked else None)
    at = Door(Listed(key, is_off=is_off), None, is_national=True)  # type: ignore[arg-type]
    with pytest.raises(Problem) as caught:
        authenticate(at, request())
    assert caught.value.slug == slug


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Problem, match="验不过"):
        authenticate(door(known()), request(Sm2Signer("lab.origin", Sm2PrivateKey.generate())))


def test_a_key_enrolled_for_another_algorithm_is_unknown() -> None:
    with pytest.raises(Problem, match="不认识密钥"):
        authenticate(door(known(algorithm="p256")), request())


def test_an_origin_signature_by_sm2_follows_the_suite() -> None:
    origin, key = sign_origin(SIGNER, MESSAGE), known()

    def check(at: Door, data: bytes, number: int) -> None:
        signed = read_signature(request().headers, TARGET)
        proof = Proof(signed, key, hashlib.sha256(data).digest())
        asyncio.run(at._check_origin(origin, data, proof, (number, None)))

    check(door(key), MESSAGE, 0)
    with pytest.raises(Problem, match="源头签名验不过"):
        check(door(key), b"{ }", 0)
    with pytest.raises(Problem, match="国密套件") as caught:
        check(door(key, is_national=False), MESSAGE, 3)
    assert caught.value.errors[0].pointer == "/origin/3"


def test_hmac_sm3_follows_the_suite() -> None:
    shared = HmacSm3Signer("lab.origin", b"s" * 32)
    key = known(algorithm="hmac-sm3", material=shared.secret, use="transport")
    assert authenticate(door(key), request(shared)).algorithm == "hmac-sm3"
    with pytest.raises(Problem, match="HMAC-SM3"):
        authenticate(door(key, is_national=False), request(shared))
    with pytest.raises(Problem, match="验不过"):
        authenticate(door(known(algorithm="hmac-sm3", material=b"")), request(shared))


def test_the_secret_of_an_hmac_key_never_comes_from_its_public_column() -> None:
    directory = Directory(None, bytes(32))  # type: ignore[arg-type]
    for algorithm in SYMMETRIC:
        row = {"id": "k", "algorithm": algorithm, "public_key": b"s" * 32, "ciphertext": None}
        assert directory._known(row) is None


@pytest.mark.parametrize("kind", [each.tag for each in KINDS.values() if each.senders == PLATFORM])
def test_what_the_platform_alone_records_comes_in_by_no_key(kind: str) -> None:
    """Not even by one of the operator's own office, which is a party like others at the door."""
    message = examples()[kind]
    key = known(party=message.sender, roles=frozenset({"platform", "station"}))
    with pytest.raises(Problem, match="只由平台自己入账") as refused:
        door(key)._check_sender(message, key)
    assert refused.value.slug == "kind-not-allowed"
