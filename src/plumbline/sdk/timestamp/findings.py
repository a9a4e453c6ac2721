"""What the time stamps of a checkpoint say (时间戳结论), in one sentence each, for receipts and bundles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from plumbline.evidence.attachments import STAMP_TYPE, attachments
from plumbline.evidence.checkpoint import parse_note
from plumbline.sdk.timestamp.authority import StampAuthority
from plumbline.sdk.timestamp.token import StampProblem, verify_token

#: `unchecked`: nobody whom the reader trusts, or this computer cannot read tokens.
Standing = Literal["holds", "fails", "unchecked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StampFinding:
    """One time stamp of a checkpoint."""

    name: str
    standing: Standing
    zh: str
    en: str
    #: what the checkpoint covers existed before this instant, when the stamp holds
    at: datetime | None = None
    trust_domain: str = ""


def stamp_findings(checkpoint_note: str, authorities: Sequence[StampAuthority]) -> tuple[StampFinding, ...]:
    """The stamps of a checkpoint; the reader's list alone decides who is believed. NoteError for a note that is none."""
    note = parse_note(checkpoint_note)
    imprint = hashlib.sha256(note.text.encode()).digest()
    found = []
    for each in attachments(note, STAMP_TYPE):
        mine = [known for known in authorities if known.name == each.name]
        found.append(_finding(each.name, each.data, imprint, mine))
    return tuple(found)


def _finding(name: str, token: bytes, imprint: bytes, mine: Sequence[StampAuthority]) -> StampFinding:
    if not mine:
        return StampFinding(
            name=name,
            standing="unchecked",
            zh=f"带有 {name} 的时间戳；您没有登记这个机构，没有核验。",
            en=f"There is a time stamp of {name}, which is not on your list: not checked.",
        )
    try:
        stamp = verify_token(token, imprint, mine)
    except ImportError:
        zh = f"带有 {name} 的时间戳；本机没有安装核验部件（plumbline[server]），没有核验。"
        return StampFinding(
            name=name, standing="unchecked", zh=zh, en=f"A time stamp of {name} was not checked."
        )
    except StampProblem as problem:
        return StampFinding(
            name=name,
            standing="fails",
            zh=f"{name} 的时间戳不成立：{problem.zh}。",
            en=f"The time stamp of {name} does not hold: {problem.en}.",
        )
    domain = stamp.authority.trust_domain
    # Up to the next whole second: never earlier than what is attested.
    when = (stamp.at + timedelta(microseconds=-stamp.at.microsecond % 1_000_000)).astimezone()
    told = when.isoformat(timespec="seconds")
    off = f"，误差不超过 {stamp.accuracy.total_seconds():g} 秒" if stamp.accuracy else ""
    return StampFinding(
        name=name,
        standing="holds",
        zh=f"在 {told} 之前已存在，由 {name} 证明（信任域：{domain or '您没有写明'}{off}）。",
        en=f"It existed before {told}, as {name} attests (trust domain: {domain or 'not named by you'}).",
        at=stamp.at,
        trust_domain=domain,
    )
