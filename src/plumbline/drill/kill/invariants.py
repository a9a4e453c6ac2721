"""What must hold after every fault (事后核对): nothing acknowledged is lost, doubled or dangling; every receipt still proves.

Each breach is one Chinese sentence that names the object.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import psycopg

from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.site import Site
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.paths import MissingSubtree
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.personal import PersonalFields
from plumbline.supervision.config import ROLES
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore
from plumbline.supervision.journal.heads import log_origin, read_head, root_at
from plumbline.supervision.journal.vault import SealedRecord, SubjectDestroyedError, Vault
from plumbline.supervision.projection.rebuild import audit_projection

#: How many breaches of one kind are told one by one.
_TOLD = 5


@dataclass(slots=True)
class Verdict:
    """What was checked and what was broken."""

    messages: int = 0
    files: int = 0
    receipts: int = 0
    checkpoints: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    disagreeing: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """All breaches; of each kind the first few and how many more."""
        found: list[str] = []
        for kind in (self.lost, self.doubled, self.dangling, self.unproven, self.disagreeing):
            found += kind[:_TOLD]
            if len(kind) > _TOLD:
                found.append(f"……同类共 {len(kind)} 处")
        return found


def check(site: Site, ledger: Ledger, *, projection: bool = True) -> Verdict:
    """Hold the platform against the ledger; the platform runs, nobody sends. `projection`: also against a rebuild."""
    verdict = Verdict(disagreeing=list(ledger.strange))
    site.settle()
    with psycopg.connect(site.platform.conninfo("plumb_gateway")) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute(
            "SET LOCAL idle_in_transaction_session_timeout = 0"
        )  # thousands of receipts and files are read meanwhile
        _counts(conn, verdict)
        log = _Log.read(conn)
        _messages(site, ledger, log, verdict)
        _personal(site, conn, ledger, log, verdict)
        _receipts(site, conn, ledger, verdict)
        _files(site, conn, ledger, log, verdict)
    _projected(site, verdict)
    conninfo = site.platform.conninfo("plumb_gateway")
    verdict.disagreeing += audit_log(conninfo, site.platform.folder("marks"))
    if projection:
        by_role = {role: site.platform.conninfo(role) for role in ROLES}
        verdict.disagreeing += [f"投影与重建不同：{each}" for each in audit_projection(by_role)]
    return verdict


@dataclass(slots=True)
class _Log:
    """The log as the database has it."""

    #: Digest of a message → indexes of its leaves.
    places: dict[str, list[int]]
    uids: dict[int, str]
    #: SHA-256 of a file → how many `blob.stored` name it.
    stored: Counter[str]

    @classmethod
    def read(cls, conn: psycopg.Connection) -> _Log:
        log = cls({}, {}, Counter())
        rows = conn.execute(
            "SELECT l.idx, l.uid::text, e.message FROM journal.leaf l "
            "LEFT JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id"
        )
        for index, uid, message in rows:
            digest = hashlib.sha256(bytes(message or b"")).hexdigest()
            log.places.setdefault(digest, []).append(index)
            log.uids[index] = uid
        rows = conn.execute(
            "SELECT convert_from(message, 'UTF8')::jsonb->>'sha256' FROM journal.entry "
            "WHERE convert_from(message, 'UTF8')::jsonb->>'kind' = 'blob.stored'"
        )
        log.stored.update(row[0] for row in rows)
        return log


def _counts(conn: psycopg.Connection, verdict: Verdict) -> None:
    row = conn.execute(
        "SELECT (SELECT count(*) FROM journal.entry), (SELECT count(*) FROM journal.leaf)"
    ).fetchone()
    assert row is not None
    size = read_head(conn).size
    if not row[0] == row[1] == size:
        verdict.disagreeing.append(f"入账 {row[0]} 条、叶子 {row[1]} 片、日志头 {size} 条，三者不等")


def _messages(site: Site, ledger: Ledger, log: _Log, verdict: Verdict) -> None:
    for upload in ledger.uploads:
        if upload.what != "message":
            continue
        verdict.messages += 1
        places = log.places.get(upload.sha256, [])
        if len(places) > 1:
            verdict.doubled.append(f"消息 {upload.uid} 入账 {len(places)} 次（{places}）")
        if upload.answer is None:
            continue
        index = upload.answer["index"]
        if index not in places:
            verdict.lost.append(f"消息 {upload.uid} 答复过第 {index} 条，日志里是 {places or '没有'}")
        elif log.uids[index] != upload.uid:
            verdict.disagreeing.append(f"第 {index} 条的 uid 不是 {upload.uid}")


def _personal(site: Site, conn: psycopg.Connection, ledger: Ledger, log: _Log, verdict: Verdict) -> None:
    """What travelled beside an acknowledged message is there and can be opened; nothing is there of a message that is not."""
    vault = Vault(site.platform.folder("subjects"))
    rows = conn.execute("SELECT digest, subject, nonce, ciphertext FROM ops.personal").fetchall()
    stored = {
        bytes(row[0]).hex(): SealedRecord(
            digest=bytes(row[0]), subject=row[1], nonce=bytes(row[2]), ciphertext=bytes(row[3])
        )
        for row in rows
    }
    for upload in ledger.uploads:
        for record in upload.personal:
            sealed = stored.get(record.ref)
            is_entered = upload.is_acknowledged or upload.sha256 in log.places
            if (sealed is not None) != is_entered:
                kind = verdict.dangling if sealed else verdict.lost
                kind.append(f"消息 {upload.uid} 的个人信息部分{'多出' if sealed else '不在'}")
            elif sealed is not None and not _opens(vault, sealed, record.fields):
                verdict.lost.append(f"消息 {upload.uid} 的个人信息部分打不开")


def _opens(vault: Vault, sealed: SealedRecord, fields: PersonalFields) -> bool:
    try:
        return vault.open(sealed) == fields
    except SubjectDestroyedError:
        return False


def _receipts(site: Site, conn: psycopg.Connection, ledger: Ledger, verdict: Verdict) -> None:
    """Every receipt verifies offline, and the head that its checkpoint names is one that the log has passed through."""
    origin = log_origin(site.platform.origin, 1)
    verifiers = [parse_verifier(key) for key in site.signer.verifier_keys(origin)]
    heads: dict[int, bytes | None] = {}
    for upload in ledger.acknowledged:
        answer = upload.answer or {}
        if upload.what == "file":
            continue
        if "receipt" not in answer:
            verdict.unproven.append(f"消息 {upload.uid} 的答复没有回执")
            continue
        verdict.receipts += 1
        checked = verify_receipt(str(answer["receipt"]), verifiers, upload.data, origin=origin)
        if not checked.ok:
            verdict.unproven.append(f"消息 {upload.uid} 的回执验不过：{checked.failure}")
            continue
        size, root = signed(str(answer["receipt"]))
        if size not in heads:
            heads[size] = _root(conn, size)
        if heads[size] != root:
            verdict.unproven.append(f"消息 {upload.uid} 的检查点（{size} 条）与日志不同")
    verdict.checkpoints += len(heads)


def signed(receipt: str) -> tuple[int, bytes]:
    """(size, root) of the checkpoint of a receipt."""
    from plumbline.evidence.checkpoint import Checkpoint, parse_note

    stated = Checkpoint.parse(parse_note(parse_proof(receipt).checkpoint_note).text)
    return stated.size, stated.root


def _root(conn: psycopg.Connection, size: int) -> bytes | None:
    try:
        return root_at(conn, 1, size)
    except (MissingSubtree, ValueError):
        return None


def _files(site: Site, conn: psycopg.Connection, ledger: Ledger, log: _Log, verdict: Verdict) -> None:
    """No row and no entry without its file; of acknowledged files bytes, row and exactly one entry."""
    store = FileStore(site.platform.folder("files"))
    states: dict[str, str] = dict(
        conn.execute("SELECT encode(sha256, 'hex'), state::text FROM ops.file").fetchall()
    )
    is_there = {sha256: _is_whole(store, sha256) for sha256 in {*states, *log.stored}}
    for sha256, state in states.items():
        if state != "announced" and not is_there[sha256]:
            verdict.dangling.append(f"文件 {sha256[:16]}… 的状态是 {state}，文件却不在或不完整")
        if state == "verified" and not log.stored[sha256]:
            verdict.dangling.append(f"文件 {sha256[:16]}… 的状态是已入账，日志里却没有")
    for sha256, times in log.stored.items():
        if not is_there[sha256]:
            verdict.dangling.append(f"文件 {sha256[:16]}… 已写进日志，文件却不在或不完整")
        if times > 1:
            verdict.doubled.append(f"文件 {sha256[:16]}… 写进日志 {times} 次")
    for upload in (each for each in ledger.uploads if each.what == "file"):
        verdict.files += 1
        sha256 = upload.sha256
        if upload.is_acknowledged:
            if not _is_whole(store, sha256):
                verdict.lost.append(f"文件 {sha256[:16]}… 答复过已收存，现在不在或不完整")
            if states.get(sha256) != "verified" or not log.stored[sha256]:
                verdict.lost.append(f"文件 {sha256[:16]}… 答复过已收存，状态 {states.get(sha256)}")


def _is_whole(store: FileStore, sha256: str) -> bool:
    try:
        store.read(sha256)
    except (OSError, FileDigestMismatch):
        return False
    return True


_EVENTS = """
SELECT (SELECT count(*) FROM fact.event), (SELECT count(DISTINCT idx) FROM fact.event),
       (SELECT size FROM journal.head), (SELECT count(*) FROM fact.parked)
"""
#: By the log itself: a second decision has no effect in the projection, where it is about nothing but itself.
_DECIDED = """
SELECT coalesce(m->>'application', m->>'registration'), m->>'kind', count(*)
  FROM journal.entry e, LATERAL (SELECT convert_from(e.message, 'UTF8')::jsonb) told(m)
 WHERE m->>'kind' IN ('report.examined', 'code.reserved', 'code.withheld')
 GROUP BY 1, 2 HAVING count(*) > 1
"""


def _projected(site: Site, verdict: Verdict) -> None:
    """Every entry is projected once, none is parked, and the worker decided nothing twice."""
    events, distinct, size, parked = site.rows(_EVENTS)[0]
    if not events == distinct == size:
        verdict.disagreeing.append(f"日志 {size} 条，投影 {events} 条（不同的 {distinct} 条）")
    if parked:
        verdict.disagreeing.append(f"{parked} 条入账投影不了")
    for subject, kind, times in site.rows(_DECIDED, role="plumb_gateway"):
        verdict.doubled.append(f"{kind} 对 {str(subject)[:16]}… 作了 {times} 次")


def find_message(site: Site, upload: Upload) -> int:
    """How many entries there are of a message, whatever uid they have."""
    found = site.rows(
        "SELECT count(*) FROM journal.entry WHERE sha256(message) = %s",
        hashlib.sha256(upload.data).digest(),
        role="plumb_gateway",
    )
    return int(found[0][0])


def find_personal(site: Site, upload: Upload) -> int:
    """How many of the personal parts of a message are stored."""
    wanted = [bytes.fromhex(record.ref) for record in upload.personal]
    found = site.rows(
        "SELECT count(*) FROM ops.personal WHERE digest = ANY(%s)", wanted, role="plumb_gateway"
    )
    return int(found[0][0])


def find_decisions(site: Site, application: str) -> int:
    """How many decisions about an application stand in the log, whether projected or not."""
    found = site.rows(
        "SELECT count(*) FROM journal.entry WHERE convert_from(message, 'UTF8')::jsonb->>'application' = %s "
        "AND convert_from(message, 'UTF8')::jsonb->>'kind' IN ('code.withheld', 'code.reserved')",
        application,
        role="plumb_gateway",
    )
    return int(found[0][0])


def find_file(site: Site, upload: Upload) -> str:
    """How far a file has come: nothing, file, row, entry; `row without file` where the order is broken."""
    is_there = _is_whole(FileStore(site.platform.folder("files")), upload.sha256)
    rows = site.rows(
        "SELECT state FROM ops.file WHERE sha256 = %s", bytes.fromhex(upload.sha256), role="plumb_gateway"
    )
    is_row = bool(rows) and rows[0][0] != "announced"
    entries = site.rows(
        "SELECT count(*) FROM journal.entry WHERE convert_from(message, 'UTF8')::jsonb->>'sha256' = %s",
        upload.sha256,
        role="plumb_gateway",
    )[0][0]
    if (is_row or entries) and not is_there:
        return "row without file"
    if entries:
        return "entry" if entries == 1 else f"{entries} entries"
    return "row" if is_row else "file" if is_there else "nothing"
