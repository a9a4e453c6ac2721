"""Keys and parties as the door needs them (密钥与单位目录): newest state from schema fact, cached for at most five seconds."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import SYMMETRIC
from plumbline.supervision.journal.clock import (
    CLOCKS,
    ClockProblem,
    ClockWatch,
    Confirmed,
    boot_id,
)

CACHE_S = 5.0
_FIND = """
SELECT k.id, k.party, k.algorithm, k.use, k.public_key, k.valid_from, k.valid_until, k.revoked_at, k.person, k.device,
       p.roles, p.name, p.division, p.suspended_at, p.suspended_because, s.nonce, s.ciphertext
  FROM fact.key k JOIN fact.party p ON p.id = k.party
  LEFT JOIN ops.transport_secret s ON s.key_id = k.id
 WHERE k.id = %s
"""
#: A key that is on trial: its application has been let into the sandbox, and nothing of it is on record.
_FIND_SANDBOX = """
SELECT k.key_id AS id, a.party, k.algorithm, k.use, k.public_key, a.decided_at AS valid_from, a.sandbox_until AS valid_until,
       NULL::timestamptz AS revoked_at, coalesce(p.roles, ARRAY[a.party_role]) AS roles, a.organisation AS name, a.division,
       a.id AS application, p.id IS NOT NULL AS is_registered,
       p.suspended_at, p.suspended_because
  FROM ops.applied_key k JOIN ops.key_application a ON a.id = k.application LEFT JOIN fact.party p ON p.id = a.party
 WHERE k.key_id = %s AND a.state = 'sandbox'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key and its party, as of the newest projection. `material` is the public key, or the secret of an HMAC key."""

    key_id: str
    party: str
    algorithm: str
    use: str
    material: bytes
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None
    roles: frozenset[str]
    party_name: str
    division: str
    #: Since when and why the party is suspended; None and empty while it works.
    suspended_at: datetime | None = None
    suspended_because: str = ""
    #: Application of a sandbox key; empty for a key that is on record.
    sandbox: str = ""
    #: Whether the party is on record; that of a sandbox key may not be.
    is_registered: bool = True

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the key or its party; if not, only the time can speak against it."""
        return self.suspended_at is not None or self.revoked_at is not None

    def problem(self, now: datetime) -> Problem | None:
        """Why this key cannot be used now, or None."""
        if self.suspended_at is not None:
            told = f"{self.party_name} 于 {self.suspended_at:%Y-%m-%d %H:%M} 停用：{self.suspended_because}"
            return Problem(slug="party-suspended", detail=told)
        if self.revoked_at is not None:
            return Problem(
                slug="key-revoked", detail=f"密钥 {self.key_id} 已于 {self.revoked_at:%Y-%m-%d %H:%M} 停用"
            )
        if not self.valid_from <= now < self.valid_until:
            return Problem(
                slug="key-revoked",
                detail=f"密钥 {self.key_id} 的有效期是 {self.valid_from:%Y-%m-%d} 至 {self.valid_until:%Y-%m-%d}",
            )
        return None


class Directory:
    """Answers which key and party a request is of. An unknown key is asked again after five seconds at the latest."""

    def __init__(self, pool: AsyncConnectionPool, kek: bytes, *, cache_s: float = CACHE_S) -> None:
        self._pool = pool
        self._cache_s = min(cache_s, CACHE_S)
        self._kek = AESGCM(kek)
        self._cache: dict[str, tuple[float, KnownKey | None]] = {}
        self._asked: dict[str, asyncio.Task[KnownKey | None]] = {}
        self._clocks = ClockWatch(datetime.now(UTC))

    async def key(self, key_id: str) -> KnownKey | None:
        """The key of this id, or None; as of at most the cache's seconds and one question ago."""
        cached = self._cache.get(key_id)
        if cached and time.monotonic() - cached[0] < self._cache_s:
            return cached[1]
        # One question for all who come while it is under way; somebody who goes away takes nobody's answer with them.
        asked = self._asked.get(key_id)
        if asked is None or asked.done():
            asked = self._asked[key_id] = asyncio.create_task(self._find(key_id))
        return await asyncio.shield(asked)

    async def _find(self, key_id: str) -> KnownKey | None:
        try:
            return await self._ask(key_id)
        finally:
            # Here and not in a callback, which comes later: until then somebody would be told what was found before they asked.
            self._asked.pop(key_id, None)

    async def _ask(self, key_id: str) -> KnownKey | None:
        async with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            await cur.execute(_FIND, [key_id])
            row = await cur.fetchone()
            if row is None:
                await cur.execute(_FIND_SANDBOX, [key_id])
                row = await cur.fetchone()
        if len(self._cache) > 10_000:
            self._cache.clear()
        known = self._known(row) if row else None
        self._cache[key_id] = (time.monotonic(), known)
        return known

    async def require_right_clock(self) -> None:
        """Asked before anything is refused for its time: raises 503 when it is our own clock that is wrong."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(CLOCKS, {"boot": boot_id()})).fetchone()
        if row is None:
            return
        try:
            self._clocks.check(row[0], row[1], datetime.now(UTC), confirmed=Confirmed.of(row[2:6]))
        except ClockProblem as error:
            raise Problem(slug="clock-off", detail=str(error), retry_after_s=30) from None

    def _known(self, row: dict[str, Any]) -> KnownKey | None:
        material = bytes(row["public_key"]) if row["public_key"] else b""
        if row["algorithm"] in SYMMETRIC:
            if row["ciphertext"] is None:
                return None
            try:
                material = self._kek.decrypt(
                    bytes(row["nonce"]), bytes(row["ciphertext"]), str(row["id"]).encode()
                )
            except InvalidTag:
                return None
        return KnownKey(
            key_id=row["id"],
            party=row["party"],
            algorithm=row["algorithm"],
            use=row["use"],
            material=material,
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
            revoked_at=row["revoked_at"],
            roles=frozenset(row["roles"]),
            party_name=row["name"],
            division=row["division"],
            suspended_at=row.get("suspended_at"),
            suspended_because=row.get("suspended_because") or "",
            sandbox=row.get("application", ""),
            is_registered=row.get("is_registered", True),
        )
