"""A platform to measure (被测平台): its own database in a folder of its own, four enrolled parties, and
their messages."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.embedded.postgres import Cluster, Running
from plumbline.embedded.scratch import scratch
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import InstrumentRegistered, KeyEnrolled, PartyRegistered
from plumbline.exchange.signatures import Ed25519Signer, HmacSigner, HmacSm3Signer, Signer
from plumbline.exchange.uids import new_uid
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner, read_head
from plumbline.supervision.journal.keys import PlatformKeys, key_encryption_key, public_bytes
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.projection.projector import Projector

#: Signed into every request; no port of it is used.
PUBLIC_URL = "https://bench.invalid"
INSTRUMENT = "YE-2000-06"
_SUITE = "PLUMB_SUITE"
_BODIES = {
    "institution": "91610300MA6XBM017",
    "contractor": "91610300MA6XBM305",
    "resident_engineer_firm": "91610300MA6XBM407",
}


def _uscc(body: str) -> str:
    return body + uscc_check_character(body)


@dataclass(frozen=True, slots=True)
class Sender:
    """A party with its transport and its origin key."""

    party: str
    transport: Signer
    origin: Ed25519Signer

    @classmethod
    def of(cls, role: str) -> Sender:
        """A party of this role with fresh keys."""
        word = role.replace("_", "-")
        transport, origin = (
            Ed25519Signer(f"{word}.{use}.{uuid.uuid4().hex[:8]}", Ed25519PrivateKey.generate())
            for use in ("transport", "origin")
        )
        return cls(party_id(_uscc(_BODIES[role])).hex(), transport, origin)

    @property
    def keys(self) -> tuple[tuple[str, Signer], tuple[str, Signer]]:
        """(use, key) of both."""
        return ("transport", self.transport), ("origin", self.origin)


@dataclass(slots=True)
class World:
    """One prepared platform on a cluster that belongs to this run alone."""

    cluster: Cluster
    running: Running
    platform: Platform
    signer: CheckpointSigner
    senders: dict[str, Sender] = field(default_factory=dict)

    def connect(self) -> psycopg.Connection:
        """As the superuser, autocommit: for limits, counts and checkpoints."""
        return psycopg.connect(self.running.dsn(DATABASE), autocommit=True)

    def settle(self) -> None:
        """A checkpoint, so that no timed leg pays for the one before it."""
        with self.connect() as conn:
            conn.execute("CHECKPOINT")

    def journal(self) -> Journal:
        """A journal connection of one's own."""
        return Journal(self.platform.conninfo("plumb_gateway"), self.signer)

    def counts(self) -> tuple[int, int, int]:
        """(entries, leaves, size of the head)."""
        with psycopg.connect(self.platform.conninfo("plumb_gateway")) as conn:
            row = conn.execute(
                "SELECT (SELECT count(*) FROM journal.entry), (SELECT count(*) FROM journal.leaf)"
            ).fetchone()
            assert row is not None
            return row[0], row[1], read_head(conn).size

    def project(self) -> None:
        """Let the projector take over whatever the journal holds."""
        projector = Projector(self.platform.conninfo("plumb_projector"))
        projector.catch_up()
        projector.close()

    def with_secret(self, role: str, kind: type[HmacSigner] | type[HmacSm3Signer]) -> Sender:
        """The party of this role with a shared secret for transport, enrolled beside its own key."""
        known = self.senders[role]
        key = kind(f"{role}.secret.{uuid.uuid4().hex[:8]}", secrets.token_bytes(32))
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(key_encryption_key(self.platform.folder("keys"))).encrypt(
            nonce, key.secret, key.key_id.encode()
        )
        journal, keys = self.journal(), PlatformKeys.load(self.platform.folder("keys"))
        station = party_id(DEMO_OPERATOR[0]).hex()
        PlatformSender(journal, keys.signer("web")).submit(
            _key(station, known.party, "transport", key, datetime.now(UTC))
        )
        journal.close()
        with self.connect() as conn:
            conn.execute(
                "INSERT INTO ops.transport_secret (key_id, nonce, ciphertext) VALUES (%s, %s, %s)",
                [key.key_id, nonce, sealed],
            )
        self.project()
        return Sender(known.party, key, known.origin)

    def crash(self) -> None:
        """Kill our own postmaster as a power cut would, and start it again behind the same socket."""
        os.kill(self.running.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while self.cluster.running() is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.running = self.cluster.start()


def message(sender: str, kind: type[Message], at: datetime, /, **fields: Any) -> Message:
    """A message with a fresh uid of instant `at`."""
    return kind(v=1, uid=new_uid(at), sender=sender, occurred_at=at, **fields)


@contextmanager
def open_world(suite: str = "standard") -> Iterator[World]:
    """A platform in a temporary folder, enrolled and projected; everything of it is gone afterwards.

    `suite`: of its keys, `gm` for the national algorithms. The path is short: PostgreSQL's socket must fit into 107 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="plb-", dir=scratch()))
    cluster = Cluster(folder)
    try:
        running = cluster.start()
        settings = Settings(
            origin="bench.plumbline", public_url=PUBLIC_URL, demo=False, operator=DEMO_OPERATOR
        )
        with _chosen(suite):
            platform = prepare(folder, running, settings)
        keys = PlatformKeys.load(platform.folder("keys"))
        world = World(
            cluster, running, platform, CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
        )
        _enrol(world, keys)
        yield world
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _chosen(suite: str) -> Iterator[None]:
    """The suite that a new platform takes, which it reads from the environment; what stood there is put back."""
    before = os.environ.get(_SUITE)
    os.environ[_SUITE] = suite
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SUITE]
        else:
            os.environ[_SUITE] = before


def _enrol(world: World, keys: PlatformKeys) -> None:
    journal, now = world.journal(), datetime.now(UTC)
    sender, station = PlatformSender(journal, keys.signer("web")), party_id(DEMO_OPERATOR[0]).hex()
    for role, body in _BODIES.items():
        party = world.senders[role] = Sender.of(role)
        sender.submit(
            message(
                station,
                PartyRegistered,
                now,
                party=party.party,
                uscc=_uscc(body),
                name=f"测量用单位 {role.replace('_', ' ')}",
                roles=[role],
                division="610300",
            )
        )
        for use, key in party.keys:
            sender.submit(_key(station, party.party, use, key, now))
    sender.submit(_instrument(station, world.senders["institution"].party, now))
    journal.close()
    world.project()


def _key(station: str, party: str, use: str, key: Signer, now: datetime) -> Message:
    fields: dict[str, Any] = {"algorithm": key.algorithm, "use": use}
    if isinstance(key, Ed25519Signer):
        fields["public_key"] = base64.b64encode(public_bytes(key.key)).decode()
    elif isinstance(key, HmacSigner | HmacSm3Signer):
        fields["secret_sha256"] = hashlib.sha256(key.secret).hexdigest()
    else:
        raise TypeError(f"no key of {type(key).__name__} is enrolled here")
    window = {"valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=30)}
    return message(station, KeyEnrolled, now, party=party, key_id=key.key_id, **fields, **window)


def _instrument(station: str, institution: str, now: datetime) -> Message:
    return message(
        station,
        InstrumentRegistered,
        now,
        institution=institution,
        site="S1",
        instrument=INSTRUMENT,
        name="压力试验机",
        model="YE-2000",
        serial_number="20260106",
        calibration_certificate="LX2026-00417",
        calibrated_until=(now + timedelta(days=200)).date().isoformat(),
    )
