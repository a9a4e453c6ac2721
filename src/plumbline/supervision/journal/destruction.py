"""Destroying a person's records (个人信息销毁): the key goes, the entry `subject.destroyed` stays; the log keeps verifying."""

from __future__ import annotations

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


class _Subject(msgspec.Struct):
    subject: str


#: The projection knows which entries these are; what was destroyed stands in the journal's own bytes.
_DESTROYED = (
    "SELECT e.message FROM fact.event v JOIN journal.entry e ON e.uid = v.uid AND e.sender_id = decode(v.sender, 'hex') "
    "WHERE v.kind = 'subject.destroyed'"
)


def replay_destructions(conninfo: str, vault: Vault) -> int:
    """Destroy again whoever the log says was destroyed and the vault's list does not; how many that were.

    Keys and list may both come from an older backup than the database. Called before anything is served.
    """
    with psycopg.connect(conninfo) as conn:
        entered = [msgspec.json.decode(row[0], type=_Subject).subject for row in conn.execute(_DESTROYED)]
    forgotten = [subject for subject in entered if not vault.is_destroyed(subject)]
    for subject in forgotten:
        vault.destroy(subject)
    return len(forgotten)
