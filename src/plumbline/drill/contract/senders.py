"""Who sends (报送的身份): one of every kind that the exchange knows, with keys of its own, and those whom it must not know."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked, PartyRegistered, PartySuspended
from plumbline.exchange.signatures import Ed25519Signer, Target, sign_request
from plumbline.sdk.client.stamp import stamp
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, public_bytes
from plumbline.supervision.journal.submit import PlatformSender

#: Name → role of the party, None for a party that is not on record. The press program and the phone sign with keys of their own, as
#: those programs do: a key is a program's, a role is a party's.
ROLES: dict[str, str | None] = {
    "检测机构": "institution",
    "采集程序": "institution",
    "手机": "contractor",
    "构件厂": "plant",
    "建设单位": "owner",
    "监理单位": "resident_engineer_firm",
    "监督机构": "station",
    "赋码平台": "authority",
    "沙箱密钥": None,
    "停用的密钥": "institution",
    "停用的单位": "institution",
    "陌生人": None,
}
SANDBOX, REVOKED, SUSPENDED, STRANGER = "沙箱密钥", "停用的密钥", "停用的单位", "陌生人"
#: Without any signature at all.
NOBODY = "没有签名的人"


@dataclass(frozen=True, kw_only=True)
class Sender:
    """One of them; `transport` is None for who does not sign."""

    name: str
    role: str | None
    party: str
    transport: Ed25519Signer | None
    origin: Ed25519Signer | None = None

    def signed(self, method: str, uri: str, body: bytes, message: bytes) -> dict[str, str]:
        """Headers of a request to `uri`, as it goes out; with a nonce where something is changed."""
        if self.transport is None:
            return {}
        nonce = secrets.token_urlsafe(12) if method in ("POST", "PATCH") else ""
        target = Target(method=method, uri=uri)
        return sign_request(self.transport, target, body, message, created=int(time.time()), nonce=nonce)


@contextmanager
def _desk(platform: Platform) -> Iterator[Any]:
    """The station's own desk: enters a message, which is durable on return."""
    keys = PlatformKeys.load(platform.folder("keys"))
    journal = Journal(
        platform.conninfo("plumb_gateway"),
        CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2),
    )
    operator, sender = party_id(operator_of(platform)[0]).hex(), PlatformSender(journal, keys.signer("web"))

    def enter(kind: type, **fields: Any) -> None:
        sender.submit(stamp(kind, sender=operator, at=datetime.now(UTC), **fields))

    try:
        yield enter
    finally:
        journal.close()


def enrol(platform: Platform, *, timeout_s: float = 120.0) -> list[Sender]:
    """All of them on a running platform; returns when their keys are projected."""
    found = [_invented(name, role) for name, role in ROLES.items()]
    with _desk(platform) as enter:
        for sender, uscc in found:
            if sender.role is not None:
                _register(enter, sender, uscc)
    _try_out(platform, next(each for each in found if each[0].name == SANDBOX))
    _await(platform, [each for each, _ in found if each.role is not None], timeout_s)
    return [*(each for each, _ in found), Sender(name=NOBODY, role=None, party="0" * 32, transport=None)]


def _invented(name: str, role: str | None) -> tuple[Sender, str]:
    body = f"91610300MA7{secrets.randbelow(10**6):06d}"
    uscc = body + uscc_check_character(body)
    transport, origin = (
        Ed25519Signer(f"contract.{use}.{secrets.token_hex(4)}", Ed25519PrivateKey.generate())
        for use in ("transport", "origin")
    )
    made = Sender(
        name=name, role=role, party=party_id(uscc).hex(), transport=transport, origin=origin if role else None
    )
    return made, uscc


def _register(enter: Any, sender: Sender, uscc: str) -> None:
    now = datetime.now(UTC)
    enter(
        PartyRegistered,
        party=sender.party,
        uscc=uscc,
        name=f"契约演练{sender.name}",
        roles=[sender.role],
        division="610300",
    )
    assert sender.transport is not None
    assert sender.origin is not None
    for use, key in (("transport", sender.transport), ("origin", sender.origin)):
        enter(
            KeyEnrolled,
            party=sender.party,
            key_id=key.key_id,
            algorithm="ed25519",
            use=use,
            public_key=base64.b64encode(public_bytes(key.key)).decode(),
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=30),
        )
    if sender.name == REVOKED:
        enter(KeyRevoked, key_id=sender.transport.key_id, because="演练")
    if sender.name == SUSPENDED:
        decided = {"decided_by": "1a" * 16, "seconded_by": "2b" * 16}
        enter(PartySuspended, party=sender.party, because="演练", **decided)


_APPLIED = """
INSERT INTO ops.key_application (id, link_sha256, challenge, organisation, uscc, party, party_role, division, purpose, state,
                                 decided_by, decided_at, sandbox_until)
VALUES (%s, %s, %s, '契约演练沙箱', %s, %s, 'institution', '610300', '演练', 'sandbox', '演练', now() - interval '1 hour',
        now() + interval '30 days')
"""
_KEY = """
INSERT INTO ops.applied_key (key_id, application, division, use, algorithm, public_key)
VALUES (%s, %s, '610300', 'transport', 'ed25519', %s)
"""


def _try_out(platform: Platform, found: tuple[Sender, str]) -> None:
    """An application that an officer has let into the sandbox, as its rows stand."""
    sender, uscc = found
    assert sender.transport is not None
    application = secrets.token_hex(16)
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(
            _APPLIED, [application, secrets.token_bytes(32), secrets.token_urlsafe(24), uscc, sender.party]
        )
        conn.execute(_KEY, [sender.transport.key_id, application, public_bytes(sender.transport.key)])


def _await(platform: Platform, senders: list[Sender], timeout_s: float) -> None:
    keys = [each.transport.key_id for each in senders if each.transport is not None]
    asked = "SELECT count(*) FROM fact.key WHERE id = ANY(%s)"
    gone = "SELECT count(*) FROM fact.party WHERE id = ANY(%s) AND suspended_at IS NOT NULL"
    until = time.monotonic() + timeout_s
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        while time.monotonic() < until:
            known = conn.execute(asked, [keys]).fetchone()
            stopped = conn.execute(gone, [[each.party for each in senders]]).fetchone()
            if known == (len(keys),) and stopped == (1,):
                return
            time.sleep(0.05)
    raise TimeoutError("登记的密钥没有投影出来")
