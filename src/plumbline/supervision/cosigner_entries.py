"""Entering which cosigner's key is accepted, and which no longer (联署方公钥的入账): what the list is to say, the log says first."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import CosignerAccepted, CosignerRetired
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.acceptances import Acceptance, Acceptances, acceptances_of
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.cosigners import Configured, CosignersProblem
from plumbline.supervision.journal.heads import CheckpointSigner, read_head
from plumbline.supervision.journal.keys import PLATFORM_KEYS, PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender


def operator_id(platform: Platform) -> str:
    """The party that entry 0 names."""
    return party_id(operator_of(platform).uscc).hex()


def read_acceptances(platform: Platform) -> Acceptances:
    """What the log says now."""
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        return acceptances_of(conn, operator_id(platform))


def require_acceptable(platform: Platform, keys: PlatformKeys, wanted: Configured) -> None:
    """Raise :class:`CosignersProblem` for a key of the platform itself, a name of its log, a key that had another name, or one that has the
    key id of another key of that name."""
    own = {base64.b64decode(keys.public(use)) for use in PLATFORM_KEYS}
    if keys.log_sm2 is not None:
        own.add(keys.log_sm2.public_key.point)
    if wanted.name == platform.origin or wanted.name.startswith(f"{platform.origin}/"):
        raise CosignersProblem(f"{wanted.name} 是本平台日志的名称，不能用作联署方的名称")
    accepted = read_acceptances(platform)
    for key in wanted.keys:
        verifier = parse_cosigner(key)
        public = verifier.public
        if public in own:
            raise CosignersProblem("这是平台自己的公钥：平台不能给自己联署")
        for each in accepted:
            if each.name != wanted.name and each.verifier.public == public:
                raise CosignersProblem(
                    f"这把公钥在日志{each.place}以 {each.name} 的名称接受过，不能再用另一个名称"
                )
            other = each.verifier
            if (each.name, other.key_id) == (wanted.name, verifier.key_id) and other.public != public:
                raise CosignersProblem(
                    f"这把公钥的密钥编号（{verifier.key_id.hex()}）与日志{each.place}接受的另一把相同，"
                    "签名分不清是哪一把签的：请联署方换一把"
                )


def changes(
    accepted: Acceptances, name: str, wanted: Configured | None, *, sender: str, at: datetime, because: str
) -> list[Message]:
    """The entries that make the log say what the list is to say of a cosigner; none when it says so already. None: retired."""
    standing = [each for each in accepted.standing() if each.name == name]
    kept = set(wanted.keys) if wanted else set()
    told: list[Message] = []
    done: set[str] = set()
    for key in wanted.keys if wanted else ():
        assert wanted is not None
        former = _former(standing, key, kept, done)
        if former is not None:
            done.add(former.entry)
            if former.key == key and former.says(name, wanted.trust_domain, wanted.external):
                continue
        told.append(
            CosignerAccepted(
                v=1,
                uid=new_uid(at),
                sender=sender,
                occurred_at=at,
                name=name,
                key=key,
                trust_domain=wanted.trust_domain,
                external=wanted.external,
                valid_from=at,
                because=because,
                former=former.entry if former else None,
            )
        )
    for each in standing:
        if each.entry not in done:
            told.append(
                CosignerRetired(
                    v=1,
                    uid=new_uid(at),
                    sender=sender,
                    occurred_at=at,
                    acceptance=each.entry,
                    name=name,
                    key=each.key,
                    because=because,
                )
            )
    return told


def _former(standing: list[Acceptance], key: str, kept: set[str], done: set[str]) -> Acceptance | None:
    """What an acceptance of `key` replaces: the same key, else one of the same algorithm that is not to stay."""
    free = [each for each in standing if each.entry not in done]
    algorithm = parse_cosigner(key).algorithm
    alike = [each for each in free if each.key not in kept and each.verifier.algorithm == algorithm]
    return next((each for each in [*(e for e in free if e.key == key), *alike]), None)


def enter(
    platform: Platform, keys: PlatformKeys, name: str, wanted: Configured | None, *, because: str
) -> list[Accepted]:
    """Append what the log does not say yet, in one transaction; raises :class:`Problem` when nothing can be entered."""
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    journal = Journal(platform.conninfo("plumb_gateway"), signer)
    sender = PlatformSender(journal, keys.signer("web"))
    try:
        at, stated = _present(platform)
        messages = changes(
            read_acceptances(platform),
            name,
            wanted,
            sender=operator_id(platform),
            at=at,
            because=because,
        )
        if not messages:
            return []
        outcomes = sender.append([sender.pending(each, stated_at=stated) for each in messages])
    finally:
        journal.close()
    for outcome in outcomes:
        if isinstance(outcome, Problem):
            raise outcome
    return [outcome for outcome in outcomes if isinstance(outcome, Accepted)]


def _present(platform: Platform) -> tuple[datetime, datetime | None]:
    """Now; in a demo of which only the first entry is told, that entry's instant, since its past is yet to come."""
    now = datetime.now(UTC)
    if not platform.origin.startswith("demo."):
        return now, None
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        head = read_head(conn)
    return (head.last_time, head.last_time) if (head.epoch, head.size) == (1, 1) else (now, None)
