"""Destroying a person's records (个人信息销毁): the key goes, the entry `subject.destroyed` stays; the log keeps verifying."""

from __future__ import annotations

from datetime import datetime

import msgspec
import psycopg

from plumbline.exchange.messages.registry import SubjectDestroyed
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault


def destroy_subject(
    vault: Vault, sender: PlatformSender, *, operator: str, subject: str, because: str
) -> Accepted | None:
    """Destroy the key of `subject` (32 hex) and enter it; the receipt, or None when the entry stands already.

    The key goes first: what a person asked for holds even if the platform dies before the entry is made, and
    the next call makes the missing entry, since its uid follows from the moment in the list.
    Raises ValueError for what is no subject, :class:`Problem` when the journal is not to be had.
    """
    vault.destroy(subject)
    at = vault.destroyed_at(subject)
    assert at is not None
    message = SubjectDestroyed(
        v=1,
        uid=derived_uid("subject.destroyed", "vault", subject, at),
        sender=operator,
        occurred_at=at,
        subject=subject,
        because=because,
    )
    try:
        accepted = sender.submit(message)
    except Problem as problem:
        if problem.slug == "uid-conflict":  # entered before, with another reason
            return None
        raise
    return None if accepted.duplicate else accepted


class _Destroyed(msgspec.Struct):
    kind: str
    subject: str = ""
    occurred_at: datetime | None = None


#: The projection knows which entries these are; what was destroyed stands in the journal's own bytes. Whatever is not
#: projected yet, because the platform stopped before, is looked through as it stands in the log.
_DESTROYED = """
SELECT e.message FROM fact.event v JOIN journal.entry e ON e.uid = v.uid AND e.sender_id = decode(v.sender, 'hex')
 WHERE v.kind = 'subject.destroyed'
UNION ALL
SELECT e.message FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id
 WHERE (l.epoch, l.idx) >= (coalesce((SELECT max(epoch) FROM fact.position), 0), coalesce((SELECT max(pos) FROM fact.position), 0))
   AND position('subject.destroyed'::bytea IN e.message) > 0
"""


def replay_destructions(conninfo: str, vault: Vault) -> int:
    """Destroy again whoever the log says was destroyed and the vault's list does not; how many that were.

    Keys and list may both come from an older backup than the database. Called before anything is served. The list
    takes the moment of the entry, so that destroying the same person again makes no second entry.
    """
    with psycopg.connect(conninfo) as conn:
        entered = [msgspec.json.decode(row[0], type=_Destroyed) for row in conn.execute(_DESTROYED)]
    listed = vault.destroyed()
    forgotten = {
        each.subject: each.occurred_at
        for each in entered
        if each.kind == "subject.destroyed" and each.subject not in listed
    }
    for subject, at in forgotten.items():
        vault.destroy(subject, at)
    return len(forgotten)
