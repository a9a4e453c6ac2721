"""Applications for keys in the database (密钥申请): what is asked, in which state it is, and what of it may be read.

Forms write in web's own role with the scope in every statement; the officer's list reads in the officer's role (docs/decisions/0013).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from plumbline.supervision.access.principals import Principal, division_range
from plumbline.supervision.journal.vault import SealedRecord

STATES = {"applied": "待审", "sandbox": "沙箱试报", "production": "已正式启用", "refused": "已退回"}
TONES = {"applied": "warn", "sandbox": "acc", "production": "ok", "refused": "bad"}
SANDBOX_LASTS = timedelta(days=30)
#: Applications of one organisation that may be open at the same time, and of everybody in an hour.
MOST_OPEN, MOST_AN_HOUR = 3, 100
_COLUMNS = "id, at, organisation, uscc, party, party_role, division, purpose, state, decided_by, decided_at, because, sandbox_until"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedKey:
    """One key of an application."""

    key_id: str
    use: str
    algorithm: str
    public_key: bytes
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application as its pages show it."""

    id: str
    at: datetime
    organisation: str
    uscc: str
    party: str
    party_role: str
    division: str
    purpose: str
    state: str
    decided_by: str
    decided_at: datetime | None
    because: str
    sandbox_until: datetime | None
    keys: tuple[AppliedKey, ...] = ()
    #: Kind → conforming messages on trial.
    passed: dict[str, int] | None = None

    @property
    def word(self) -> str:
        """The state in words."""
        return STATES[self.state]

    @property
    def tone(self) -> str:
        """The colour of the state."""
        return TONES[self.state]


def fetched(statement: str, values: list[object]) -> list[dict[str, Any]]:
    """Rows in web's own role; nothing may have been read in the reader's role before."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, each, strict=True)) for each in cursor.fetchall()]


def made(found: dict[str, Any], **more: Any) -> Application:
    """An application from its row."""
    values = {name: found[name] for name in _COLUMNS.split(", ")}
    for name in ("decided_by", "because"):
        values[name] = values[name] or ""
    return Application(**values, **more)


def _whole(found: dict[str, Any]) -> Application:
    keys = fetched(
        "SELECT key_id, use, algorithm, public_key, coalesce(holder_code, '') AS device FROM ops.applied_key "
        "WHERE application = %s ORDER BY key_id",
        [found["id"]],
    )
    counted = fetched(
        "SELECT kind, count(*) AS times FROM ops.sandbox_passed WHERE application = %s GROUP BY kind ORDER BY kind",
        [found["id"]],
    )
    applied = tuple(AppliedKey(**each | {"public_key": bytes(each["public_key"])}) for each in keys)
    return made(found, keys=applied, passed={each["kind"]: each["times"] for each in counted})


def application_of(principal: Principal, wanted: str) -> Application | None:
    """One application in the officer's region; absent and out of scope look the same."""
    low, high = division_range(principal.division)
    found = fetched(
        f"SELECT {_COLUMNS} FROM ops.key_application WHERE id = %s AND division >= %s AND division < %s FOR UPDATE",  # noqa: S608 - names from our own declaration, values are parameters
        [wanted, low, high],
    )
    return _whole(found[0]) if found and low else None


def application_by_link(token: str) -> Application | None:
    """The application whose link somebody has."""
    digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
    found = fetched(f"SELECT {_COLUMNS} FROM ops.key_application WHERE link_sha256 = %s", [digest])  # noqa: S608 - names from our own declaration, values are parameters
    return _whole(found[0]) if found else None


def asked_by(party: str) -> list[Application]:
    """Applications in an organisation's name that nobody has decided yet, whoever made them."""
    found = fetched(
        f"SELECT {_COLUMNS} FROM ops.key_application WHERE party = %s AND state IN ('applied', 'sandbox') "  # noqa: S608 - names from our own declaration, values are parameters
        "ORDER BY at DESC LIMIT 20",
        [party],
    )
    return [made(each) for each in found] if party else []


def is_challenge_used(challenge: str) -> bool:
    """Whether a challenge has brought an application already."""
    return bool(fetched("SELECT 1 AS one FROM ops.key_application WHERE challenge = %s", [challenge]))


def open_counts(uscc: str) -> tuple[int, int]:
    """(open applications of the organisation, applications of everybody within an hour)."""
    row = fetched(
        "SELECT count(*) FILTER (WHERE uscc = %s AND (state = 'applied' OR state = 'sandbox' AND sandbox_until > now())) AS own, "
        "count(*) FILTER (WHERE at > now() - interval '1 hour') AS hour FROM ops.key_application",
        [uscc],
    )[0]
    return row["own"], row["hour"]


def applied_elsewhere(key_id: str, encodings: list[bytes]) -> bool:
    """Whether the key stands in another application that has not been refused, or on record."""
    waiting = fetched(
        "SELECT 1 AS one FROM ops.applied_key WHERE public_key = ANY(%s::bytea[]) OR key_id = %s",
        [encodings, key_id],
    )
    return bool(waiting) or bool(known_keys(key_id, encodings))


def known_keys(key_id: str, encodings: list[bytes]) -> list[dict[str, Any]]:
    """Keys on record of this name or of these bytes."""
    return fetched("SELECT * FROM ops.key_of(%s, %s::bytea[])", [key_id, encodings])


def insert(values: dict[str, object], keys: list[AppliedKey], sealed: SealedRecord) -> str:
    """Store an application; returns the token of its link, which is kept by its hash only."""
    token = secrets.token_urlsafe(32)
    row = values | {
        "link_sha256": hashlib.sha256(token.encode()).digest(),
        "state": "applied",
        "contact_digest": sealed.digest,
        "contact_nonce": sealed.nonce,
        "contact_ciphertext": sealed.ciphertext,
    }
    names = ", ".join(row)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ops.key_application ({names}) VALUES ({', '.join(['%s'] * len(row))})",  # noqa: S608 - own names
            list(row.values()),
        )
        for key in keys:
            cursor.execute(
                "INSERT INTO ops.applied_key (key_id, application, division, use, algorithm, public_key, holder_code) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    key.key_id,
                    row["id"],
                    row["division"],
                    key.use,
                    key.algorithm,
                    key.public_key,
                    key.device or None,
                ],
            )
    return token


def decide(application: str, state: str, by: str, because: str = "") -> None:
    """Move an application on; a refused one gives its keys free for another."""
    now = datetime.now(UTC)
    until = now + SANDBOX_LASTS if state == "sandbox" else None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ops.key_application SET state = %s, decided_by = %s, decided_at = %s, because = %s, "
            "sandbox_until = coalesce(%s, sandbox_until) WHERE id = %s",
            [state, by, now, because, until, application],
        )
        if state == "refused":
            cursor.execute("DELETE FROM ops.applied_key WHERE application = %s", [application])


def sealed_contact(application: str) -> SealedRecord | None:
    """The contact as it is stored; None after its time."""
    found = fetched(
        "SELECT id, contact_digest, contact_nonce, contact_ciphertext FROM ops.key_application "
        "WHERE id = %s AND contact_digest IS NOT NULL",
        [application],
    )
    if not found:
        return None
    row = found[0]
    return SealedRecord(
        digest=bytes(row["contact_digest"]),
        subject=row["id"],
        nonce=bytes(row["contact_nonce"]),
        ciphertext=bytes(row["contact_ciphertext"]),
    )
