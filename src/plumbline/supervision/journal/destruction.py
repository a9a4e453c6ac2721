"""Destroying a person's records (个人信息销毁): the key goes, the entry `subject.destroyed` stays; the log keeps verifying."""

from __future__ import annotations

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
