"""Anchors of published checkpoints in EVM chains (上链): which chains, and what the journal keeps of them.

See docs/decisions/0024-outside-evidence.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from plumbline.evidence.anchor import AnchorPlace
from plumbline.evidence.checkpoint import Checkpoint, parse_note
from plumbline.evidence.note import NoteError, require_key_name
from plumbline.evidence.paths import MissingSubtree
from plumbline.sdk.anchor.trust import TrustedContract, address_from
from plumbline.supervision.journal.cosigning import Published
from plumbline.supervision.journal.heads import root_at
from plumbline.supervision.journal.outside_lists import (
    ListProblem,
    OutsideList,
    require_domain,
    require_fields,
    require_minutes,
    require_url,
)
from plumbline.supervision.journal.stamping import best_point, stamped_point

EVERY_MINUTES, CONFIRMATIONS = 60, 12
#: The most that a transaction may offer for a unit of gas: no node, and no stalled chain, empties the account.
MAX_GWEI = 200
_WANTED = {"name", "url", "trust_domain", "chain_id", "contract"}
_OPTIONAL = {"every_minutes", "confirmations", "max_gwei", "retired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorChain:
    """One chain as the operator entered it. The account's key is a file: `keys/anchor-<name>.key`, with `/` as `_`."""

    name: str
    #: JSON-RPC of a node
    url: str
    trust_domain: str
    chain_id: int
    #: `0x…`
    contract: str
    every_minutes: int = EVERY_MINUTES
    #: blocks, with its own, after which an anchor counts
    confirmations: int = CONFIRMATIONS
    #: most that is offered for a unit of gas
    max_gwei: int = MAX_GWEI
    #: written to no more; its anchors stay
    retired: bool = False

    @property
    def address(self) -> bytes:
        """The contract's 20 bytes."""
        return address_from(self.contract)

    @property
    def key_file(self) -> str:
        """Name of the file of the account's key, in the folder of keys."""
        return f"anchor-{self.name.replace('/', '_')}.key"

    @property
    def trusted(self) -> TrustedContract:
        """The line of `trust.txt`."""
        return TrustedContract(
            name=self.name, chain_id=self.chain_id, contract=self.address, trust_domain=self.trust_domain
        )


def usable_chain(chain: AnchorChain) -> AnchorChain:
    """The chain; :class:`ListProblem` for a name, an address or a number that is none."""
    try:
        require_key_name(chain.name)
        _ = chain.address
    except NoteError as error:
        raise ListProblem(f"链的名称 {chain.name!r} 不能有空格和加号") from error
    except ValueError as error:
        raise ListProblem(str(error)) from error
    require_url(chain.url, "节点")
    require_domain(chain.trust_domain)
    require_minutes(chain.every_minutes)
    for word, value, most in (
        ("chain_id", chain.chain_id, 2**63),
        ("confirmations", chain.confirmations, 10_000),
        ("max_gwei", chain.max_gwei, 10**9),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < most:
            raise ListProblem(f"{chain.name} 的 {word} 写的是 {value!r}，应是 1 以上的整数")
    return chain


def _read(told: Mapping[str, Any]) -> AnchorChain:
    require_fields(told, _WANTED, _OPTIONAL, "链")
    return usable_chain(
        AnchorChain(
            name=str(told["name"]).strip(),
            url=str(told["url"]).strip().rstrip("/"),
            trust_domain=str(told["trust_domain"]).strip(),
            chain_id=told["chain_id"],
            contract=str(told["contract"]).strip(),
            every_minutes=require_minutes(told.get("every_minutes", EVERY_MINUTES)),
            confirmations=told.get("confirmations", CONFIRMATIONS),
            max_gwei=told.get("max_gwei", MAX_GWEI),
            retired=told.get("retired", False) is True,
        )
    )


def _write(chain: AnchorChain) -> dict[str, str | int | bool]:
    usable_chain(chain)
    return {name: getattr(chain, name) for name in AnchorChain.__dataclass_fields__}


#: `anchors.toml` beside the marks.
CHAINS: OutsideList[AnchorChain] = OutsideList(
    file="anchors.toml",
    table="chain",
    read_item=_read,
    write_item=_write,
    name_of=lambda each: each.name,
)

_LAST = (
    "SELECT size, received_at FROM journal.anchor WHERE origin = %s AND name = %s ORDER BY size DESC LIMIT 1"
)
_NOTE = "SELECT note FROM journal.checkpoint WHERE origin = %s AND size = %s"
_LOST = """
SELECT c.note FROM journal.anchor a JOIN journal.checkpoint c ON c.origin = a.origin AND c.size = a.size
 WHERE a.origin = %s AND a.name = %s AND a.size > %s ORDER BY a.size LIMIT 1
"""
_KEEP = """
INSERT INTO journal.anchor (origin, size, name, proof, anchored_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def last_anchored(conn: psycopg.Connection, origin: str, name: str) -> tuple[int, datetime | None]:
    """(size, when it was confirmed) of the largest checkpoint of a log that a chain holds; (0, None) before the first."""
    row = conn.execute(_LAST, [origin, name]).fetchone()
    return (row[0], row[1]) if row else (0, None)


def point_to_anchor(conn: psycopg.Connection, newest: Published, after: int) -> Checkpoint | None:
    """The checkpoint to anchor: the newest that was stamped, else cosigned, else published; None when none is larger than `after`.

    One is enough: it commits to every entry below it, and so to every checkpoint before it.
    """
    point = stamped_point(conn, newest, after) or best_point(conn, newest, after, patience=False)
    return Checkpoint.parse(parse_note(point[1]).text) if point else None


def lost_anchor(conn: psycopg.Connection, newest: Published, name: str, on_chain: int) -> Checkpoint | None:
    """The smallest checkpoint that a chain held and holds no more."""
    row = conn.execute(_LOST, [newest.origin, name, on_chain]).fetchone()
    return Checkpoint.parse(parse_note(row[0]).text) if row else None


def keep_anchor(conn: psycopg.Connection, origin: str, size: int, name: str, place: AnchorPlace) -> None:
    """Keep where a checkpoint stands; an anchor is never changed."""
    conn.execute(_KEEP, [origin, size, name, place.encode(), place.at])


def has_checkpoint(conn: psycopg.Connection, origin: str, size: int) -> bool:
    """Whether a checkpoint of this size was published."""
    return conn.execute(_NOTE, [origin, size]).fetchone() is not None


def contradiction(conn: psycopg.Connection, newest: Published, size: int, root: bytes) -> str:
    """What is wrong when a chain holds `root` at `size` of this log; empty when the log has the same."""
    if size > newest.head:
        return f"链上已有 {size} 条，这里只有 {newest.head} 条：数据库可能被恢复到了以前"
    try:
        mine = root_at(conn, newest.epoch, size)
    except MissingSubtree:
        return f"日志前 {size} 条算不出根，请执行 plumbline audit"
    return "" if mine == root else f"链上 {size} 条的根与日志不同：日志分了叉或被改写，请立即核对"


def is_due(chain: AnchorChain, last: datetime | None, now: datetime) -> bool:
    """Whether the interval has passed; a last one that lies ahead was dated by a wrong clock, and holds nothing up."""
    return last is None or not timedelta(0) <= now - last < timedelta(minutes=chain.every_minutes)


_STORED = """
SELECT s.size, s.name, s.proof, s.anchored_at, c.note
  FROM journal.anchor s LEFT JOIN journal.checkpoint c ON c.origin = s.origin AND c.size = s.size
 ORDER BY s.origin, s.size, s.name
"""


def anchor_problems(conn: psycopg.Connection, chains: tuple[AnchorChain, ...]) -> list[str]:
    """Stored anchors must be of a published checkpoint, say what their columns say, and be of the contract on the list. Whether the
    chain holds them is asked by `plumbline anchors check`: an audit goes without the network."""
    known, found = {each.name: each for each in chains}, []
    with conn.cursor(name="anchors") as rows:
        rows.execute(_STORED)
        for size, name, proof, at, note in rows:
            label = f"{name} 对 {size} 条的上链："
            if note is None:
                found.append(f"{label}没有这样的检查点")
            elif name not in known:
                found.append(f"{label}{CHAINS.file} 里没有这条链（停用的也要留在名单里）")
            elif problem := _place_problem(bytes(proof or b""), at, known[name]):
                found.append(label + problem)
    return found


def _place_problem(proof: bytes, at: datetime, chain: AnchorChain) -> str:
    try:
        place = AnchorPlace.decode(proof)
    except ValueError:
        return "凭据读不懂"
    if (place.chain_id, place.contract) != (chain.chain_id, chain.address):
        return "不是名单上的链和合同"
    return "" if place.at == at else "时间与凭据里的不同"
