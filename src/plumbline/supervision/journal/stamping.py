"""Time stamps of published checkpoints (盖时间戳): who gives them, when one is due, asking for it, keeping it.

See docs/decisions/0024-outside-evidence.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from cryptography import x509

from plumbline.evidence.attachments import STAMP_TYPE, format_attachment
from plumbline.evidence.checkpoint import parse_note
from plumbline.evidence.note import NoteError, require_key_name
from plumbline.sdk.timestamp.authority import StampAuthority, authority_of
from plumbline.sdk.timestamp.request import ask, make_query
from plumbline.sdk.timestamp.token import Stamp, StampProblem, verify_token
from plumbline.supervision.fetch import Client
from plumbline.supervision.journal.cosigning import Published
from plumbline.supervision.journal.outside_lists import (
    ListProblem,
    OutsideList,
    require_domain,
    require_fields,
    require_minutes,
    require_url,
)

#: How often a checkpoint is stamped unless the list says otherwise: a year is 8 760 rows of about 1.5 KB.
EVERY_MINUTES = 60
_WANTED = {"name", "url", "trust_domain", "certificate"}
_OPTIONAL = {"external", "every_minutes", "policy", "retired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StampSource:
    """One authority as the operator entered it."""

    name: str
    url: str
    trust_domain: str
    #: its root, PEM: tokens that do not chain to it are not kept
    certificate: str
    #: whether somebody else than the operator of this platform runs it
    external: bool = True
    every_minutes: int = EVERY_MINUTES
    #: the policy that tokens must be under, dotted; empty: whatever it gives
    policy: str = ""
    #: asked no more; its root stays, since its tokens stay
    retired: bool = False

    @property
    def authority(self) -> StampAuthority:
        """The authority to check tokens by."""
        certificate = x509.load_pem_x509_certificate(self.certificate.encode())
        return authority_of(self.name, self.trust_domain, certificate, SOURCES.file)


def usable(source: StampSource) -> StampSource:
    """The source; :class:`ListProblem` for a name, an address, a certificate or an interval that is none."""
    try:
        require_key_name(source.name)
        _ = source.authority
    except NoteError as error:
        raise ListProblem(f"时间戳机构的名称 {source.name!r} 不能有空格和加号") from error
    except ValueError as error:
        raise ListProblem(f"{source.name} 的根证书不是 PEM：{error}") from error
    require_url(source.url, "时间戳机构")
    require_domain(source.trust_domain)
    require_minutes(source.every_minutes)
    if source.policy and not all(part.isdigit() for part in source.policy.split(".")):
        raise ListProblem(f"{source.name} 的策略 {source.policy!r} 应写成点分数字（OID）")
    return source


def _read(told: Mapping[str, Any]) -> StampSource:
    require_fields(told, _WANTED, _OPTIONAL, "时间戳机构")
    return usable(
        StampSource(
            name=str(told["name"]).strip(),
            url=str(told["url"]).strip().rstrip("/"),
            trust_domain=str(told["trust_domain"]).strip(),
            certificate=str(told["certificate"]),
            external=told.get("external", True) is True,
            every_minutes=require_minutes(told.get("every_minutes", EVERY_MINUTES)),
            policy=str(told.get("policy", "")),
            retired=told.get("retired", False) is True,
        )
    )


def _write(source: StampSource) -> dict[str, str | int | bool]:
    usable(source)
    return {
        "name": source.name,
        "url": source.url,
        "trust_domain": source.trust_domain,
        "certificate": source.certificate,
        "external": source.external,
        "every_minutes": source.every_minutes,
        "policy": source.policy,
        "retired": source.retired,
    }


#: `timestamps.toml` beside the marks.
SOURCES: OutsideList[StampSource] = OutsideList(
    file="timestamps.toml",
    table="authority",
    read_item=_read,
    write_item=_write,
    name_of=lambda each: each.name,
)

_LAST = (
    "SELECT size, received_at FROM journal.stamp WHERE origin = %s AND name = %s ORDER BY size DESC LIMIT 1"
)
_COSIGNED = """
SELECT c.size, c.note FROM journal.checkpoint c
 WHERE c.origin = %(origin)s
   AND c.size = (SELECT max(size) FROM journal.cosignature WHERE origin = %(origin)s AND size > %(after)s)
"""
_STAMPED = """
SELECT c.size, c.note FROM journal.checkpoint c
 WHERE c.origin = %(origin)s AND c.size = (SELECT max(size) FROM journal.stamp WHERE origin = %(origin)s AND size > %(after)s)
"""
_KEEP = """
INSERT INTO journal.stamp (origin, size, name, token, stamped_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def last_stamped(conn: psycopg.Connection, origin: str, name: str) -> tuple[int, datetime | None]:
    """(size, when it came) of the largest checkpoint of a log that an authority has stamped; (0, None) before the first."""
    row = conn.execute(_LAST, [origin, name]).fetchone()
    return (row[0], row[1]) if row else (0, None)


def best_point(
    conn: psycopg.Connection, newest: Published, after: int, *, patience: bool
) -> tuple[int, str] | None:
    """(size, note) of the checkpoint to have attested: the newest cosigned one larger than `after`, else the newest published.

    A receipt holds one checkpoint, so outsiders should speak of the same. With `patience` a log that has cosigners waits for one of them.
    """
    row = conn.execute(_COSIGNED, {"origin": newest.origin, "after": after}).fetchone()
    if row is not None:
        return row[0], row[1]
    has_cosigners = conn.execute("SELECT 1 FROM ops.cosigner LIMIT 1").fetchone() is not None
    if newest.size <= after or (patience and has_cosigners):
        return None
    return newest.size, newest.note


def stamped_point(conn: psycopg.Connection, newest: Published, after: int) -> tuple[int, str] | None:
    """(size, note) of the newest stamped checkpoint that is larger than `after`."""
    row = conn.execute(_STAMPED, {"origin": newest.origin, "after": after}).fetchone()
    return (row[0], row[1]) if row else None


def stamp(
    conn: psycopg.Connection, http: Client, source: StampSource, origin: str, point: tuple[int, str]
) -> Stamp:
    """Have a checkpoint stamped and keep the token; raises StampProblem, or FetchFailed for an authority that is out of reach."""
    size, note = point
    imprint = hashlib.sha256(parse_note(note).text.encode()).digest()
    token, told = ask(http, source.url, make_query(imprint, source.policy), [source.authority])
    conn.execute(_KEEP, [origin, size, source.name, token, told.at])
    return told


def stamp_lines(rows: list[tuple[str, bytes]]) -> str:
    """The lines that a receipt carries, of (name, token)."""
    return "".join(format_attachment(name, STAMP_TYPE, bytes(token)) for name, token in rows)


_STORED = """
SELECT s.size, s.name, s.token, s.stamped_at, c.note
  FROM journal.stamp s LEFT JOIN journal.checkpoint c ON c.origin = s.origin AND c.size = s.size
 ORDER BY s.origin, s.size, s.name
"""


def stamp_problems(conn: psycopg.Connection, sources: tuple[StampSource, ...]) -> list[str]:
    """Stored time stamps must be of a published checkpoint, say what their columns say, and be the authority's. One that was taken
    away is seen by nobody here: receipts that were given hold it."""
    known = {each.name: each.authority for each in sources}
    found = []
    with conn.cursor(name="stamps") as rows:
        rows.execute(_STORED)
        for size, name, token, at, note in rows:
            label = f"{name} 对 {size} 条的时间戳："
            if note is None:
                found.append(f"{label}没有这样的检查点")
            elif name not in known:
                found.append(f"{label}{SOURCES.file} 里没有这个机构（停用的也要留在名单里）")
            elif problem := _token_problem(bytes(token), note, at, known[name]):
                found.append(label + problem)
    return found


def _token_problem(token: bytes, note: str, at: datetime, authority: StampAuthority) -> str | None:
    try:
        told = verify_token(token, hashlib.sha256(parse_note(note).text.encode()).digest(), [authority])
    except (StampProblem, NoteError) as problem:
        return str(problem)
    return None if told.at == at else "时间与令牌里的不同"


def is_due(source: StampSource, last: datetime | None, now: datetime) -> bool:
    """Whether the interval has passed; a last one that lies ahead was dated by a wrong clock, and holds nothing up."""
    return last is None or not timedelta(0) <= now - last < timedelta(minutes=source.every_minutes)
