"""What `trust.txt` says (公布的公钥): every key of the platform and of those who vouch for it, and the entry in which it stands."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC

import msgspec
import psycopg

from plumbline.evidence.note import split_verifier_key
from plumbline.evidence.position import place_text
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.registry import LogOpened
from plumbline.exchange.problems import Problem
from plumbline.sdk.anchor.trust import contract_as_line
from plumbline.sdk.bundle.trust import RETIRED
from plumbline.sdk.timestamp.authority import authority_as_line
from plumbline.supervision.config import Platform
from plumbline.supervision.journal.acceptances import Acceptance, Acceptances, acceptances_of
from plumbline.supervision.journal.anchoring import CHAINS
from plumbline.supervision.journal.cosigners import Configured, known_cosigners
from plumbline.supervision.journal.heads import CheckpointSigner, closing_origin, log_origin
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.stamping import SOURCES

_FIRST = """
SELECT e.message FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id
 WHERE l.epoch = 1 AND l.idx = 0
"""
_IN_FIRST, _NOT_IN_LOG = "日志第 0 条", "不在日志里：以您在别处得到的一份为准"
_OPERATORS_WORD = "不在日志里：运营单位登记的，请与对方自己公布的核对"


def trust_lines(platform: Platform, keys: PlatformKeys, operator: str) -> list[str]:
    """The lines of `trust.txt`; one that begins with # tells in which entry the keys after it stand.

    `operator` is the party of entry 0. An outsider's line is the operator's word: who relies on it compares it with what the
    outsider itself tells.
    """
    marks = platform.folder("marks")
    signer = CheckpointSigner(keys.log, marks, sm2=keys.log_sm2)
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        epochs = conn.execute("SELECT epoch, kept_epoch FROM journal.epoch ORDER BY epoch").fetchall()
        first, accepted = _keys_of_first(conn), acceptances_of(conn, operator)
    origins = [log_origin(platform.origin, epoch) for epoch, _ in epochs]
    origins += [closing_origin(platform.origin, kept, epoch) for epoch, kept in epochs if kept]
    told = [(_where(key, first), key) for origin in origins for key in signer.verifier_keys(origin)]
    told.append(
        (
            _IN_FIRST if base64.b64decode(keys.public("code")) in first else _NOT_IN_LOG,
            f"code {keys.signer('code').key_id} ed25519 {keys.public('code')}",
        )
    )
    told += _cosigner_lines(known_cosigners(marks)[0], accepted)
    told += _retired_lines(accepted)
    told += [(_OPERATORS_WORD, contract_as_line(each.trusted)) for each in CHAINS.known(marks)[0]]
    told += [(_OPERATORS_WORD, authority_as_line(each.authority)) for each in SOURCES.known(marks)[0]]
    return list(_headed(told))


def _headed(told: list[tuple[str, str]]) -> Iterator[str]:
    """Each line after the remark that it shares with its neighbours."""
    last = ""
    for where, line in told:
        if where != last:
            yield f"# {where}"
        last = where
        yield line


def _cosigner_lines(listed: tuple[Configured, ...], accepted: Acceptances) -> Iterator[tuple[str, str]]:
    for each in listed:
        for key in each.keys:
            said = next(
                (told for told in accepted.standing() if told.key == key and told.says(*each.told)), None
            )
            where = f"日志{said.place}（入账编号 {said.entry}）" if said else _OPERATORS_WORD
            yield where, f"cosigner {key} {each.trust_domain}"


def _retired_lines(accepted: Acceptances) -> Iterator[tuple[str, str]]:
    """Keys that the log accepts no longer: what they signed before still counts, what they sign after does not."""
    ended: dict[str, Acceptance] = {}
    for each in accepted:  # in the order of the log: the last word on a key counts
        ended[each.key] = each
    for each in ended.values():
        if each.retired_at is not None and each.retired_position is not None:
            where = f"日志第 {place_text(each.retired_position)} 条停用，{each.place}接受（入账编号 {each.entry}）"
            at = each.retired_at.astimezone(UTC).isoformat(timespec="seconds")
            yield where, f"{RETIRED} {each.key} {at} {each.trust_domain}"


def _keys_of_first(conn: psycopg.Connection) -> frozenset[bytes]:
    """The public keys that entry 0 makes known; none while it is not there or cannot be read."""
    row = conn.execute(_FIRST).fetchone()
    try:
        message = parse_message(bytes(row[0])) if row else None
    except (msgspec.MsgspecError, ValueError, Problem):
        message = None
    told = message.keys if isinstance(message, LogOpened) else []
    return frozenset(base64.b64decode(each.public_key) for each in told)


def _where(vkey: str, first: frozenset[bytes]) -> str:
    """A log's key: of a vkey's data the type comes first, then the key."""
    data = split_verifier_key(vkey)[1]
    return _IN_FIRST if any(data.endswith(each) for each in first if each) else _NOT_IN_LOG
