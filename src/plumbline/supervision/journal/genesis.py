"""Opening a log (创世): the head row, the first mark, and entry 0 with the platform's root keys."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.tree import EMPTY_ROOT, Frontier
from plumbline.exchange.messages.registry import LogOpened, RootKey
from plumbline.exchange.uids import new_uid
from plumbline.supervision.config import Operator
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner, HeadRow
from plumbline.supervision.journal.keys import PLATFORM_KEYS, PlatformKeys, key_id_of
from plumbline.supervision.journal.setup import SetupProblem
from plumbline.supervision.journal.submit import pending_from


def is_open(migrate_conninfo: str) -> bool:
    """Whether this database holds a log with its entry 0; one that was interrupted before it is opened again."""
    with psycopg.connect(migrate_conninfo) as conn:
        conn.execute("SET ROLE plumb_owner")
        return conn.execute("SELECT 1 FROM journal.head WHERE size > 0 OR epoch > 1").fetchone() is not None


def open_log(
    conninfo: dict[str, str],
    *,
    origin: str,
    operator: Operator,
    keys: PlatformKeys,
    signer: CheckpointSigner,
    at: datetime | None = None,
) -> None:
    """Make head and mark at size 0 and append entry 0; may be repeated after a crash. `at` dates a demo log back.

    Raises :class:`SetupProblem` when this folder's mark is another log's: the database was emptied or exchanged.
    """
    head = HeadRow(
        origin=origin,
        epoch=1,
        size=0,
        root=EMPTY_ROOT,
        frontier=Frontier.empty(),
        last_time=datetime(2000, 1, 1, tzinfo=UTC),
    )
    mark = signer.mark()
    if mark not in (None, head.mark):
        raise SetupProblem(
            f"数据文件夹里的水位说已签过 {mark.size} 条，数据库却是空的：请恢复数据库的备份，或换一个数据文件夹。"
        )
    with psycopg.connect(conninfo["plumb_migrate"]) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute(
            "INSERT INTO journal.head (origin, epoch, size, root, frontier, last_time) VALUES (%s, %s, 0, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            [origin, head.epoch, head.root, head.frontier.encode(), head.last_time],
        )
        conn.execute("INSERT INTO journal.epoch (epoch) VALUES (1) ON CONFLICT DO NOTHING")
    if mark is None:
        signer.open_log(head)
    now = at or datetime.now(UTC)
    message = LogOpened(
        v=1,
        uid=new_uid(now),
        sender=party_id(operator.uscc).hex(),
        occurred_at=now,
        origin=origin,
        epoch=1,
        operator_uscc=operator.uscc,
        operator_name=operator.name,
        operator_division=operator.division,
        keys=root_keys(keys),
    )
    journal = Journal(conninfo["plumb_gateway"], signer)
    try:
        journal.append(
            [pending_from(message, keys.signer("web"), channel="internal", stated_at=at)], opening=True
        )
    finally:
        journal.close()


def root_keys(keys: PlatformKeys) -> list[RootKey]:
    """What entry 0 makes known: log, web, code issuer; last, in the suite `gm`, the log's SM2 key."""
    made = [
        RootKey(key_id=keys.signer(use).key_id, algorithm="ed25519", use=use, public_key=keys.public(use))  # type: ignore[arg-type]
        for use in PLATFORM_KEYS
    ]
    if keys.log_sm2 is not None:
        point = keys.log_sm2.public_key.point
        told = base64.b64encode(point).decode()
        made.append(RootKey(key_id=key_id_of("log-sm2", point), algorithm="sm2", use="log", public_key=told))
    return made
