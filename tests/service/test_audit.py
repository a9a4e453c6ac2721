"""`plumbline audit` (总账核对): whatever an administrator of the database edits, deletes, inserts or dates back is named."""

from __future__ import annotations

import pytest

from plumbline.supervision.journal.audit import audit_log

pytestmark = pytest.mark.service

TABLES = ("entry", "leaf", "node", "head", "claim", "checkpoint")
_SOME = "(SELECT uid FROM journal.leaf WHERE idx = 7)"
#: What is done, statement, a word of the sentence that must be said.
TAMPERING = {
    "message edited": (
        f"UPDATE journal.entry SET message = message || '\\x20' WHERE uid = {_SOME}",
        "第 7 条",
    ),
    "envelope edited": (
        f"UPDATE journal.entry SET envelope = envelope || '\\x20' WHERE uid = {_SOME}",
        "第 7 条",
    ),
    "arrival dated back": (
        f"UPDATE journal.entry SET arrived_at = arrived_at - interval '1 s' WHERE uid = {_SOME}",
        "第 7 条",
    ),
    "entry deleted": (f"DELETE FROM journal.entry WHERE uid = {_SOME}", "第 7 条"),
    "entry inserted": (
        f"INSERT INTO journal.entry SELECT uid, decode(repeat('ab', 16), 'hex'), key_id, envelope, message, arrived_at "
        f"FROM journal.entry WHERE uid = {_SOME}",
        "没有叶子",
    ),
    "leaf dated back": (
        "UPDATE journal.leaf SET logged_at = logged_at - interval '1 s' WHERE idx = 7",
        "第 7 条",
    ),
    "leaf edited": ("UPDATE journal.leaf SET leaf_hash = sha256('x') WHERE idx = 7", "第 7 条"),
    "leaf deleted": ("DELETE FROM journal.leaf WHERE idx = 7", "第 7 条的叶子不见了"),
    "last leaf deleted": (
        "DELETE FROM journal.leaf WHERE idx = (SELECT max(idx) FROM journal.leaf)",
        "叶子有",
    ),
    "leaf inserted": (
        "INSERT INTO journal.leaf SELECT epoch, (SELECT max(idx) + 1 FROM journal.leaf), gen_random_uuid(), sender_id, logged_at, "
        "leaf_hash FROM journal.leaf WHERE idx = 7",
        "叶子有",
    ),
    "two leaves exchanged": (
        "UPDATE journal.leaf SET idx = -idx WHERE idx IN (7, 8); UPDATE journal.leaf SET idx = 15 + idx WHERE idx < 0",
        "根哈希",
    ),
    "head shrunk": ("UPDATE journal.head SET size = size - 1", "日志头记着"),
    "head's root edited": ("UPDATE journal.head SET root = sha256('x')", "根哈希"),
    "head's time edited": (
        "UPDATE journal.head SET last_time = last_time + interval '1 day'",
        "日志头的时间",
    ),
    "node edited": ("UPDATE journal.node SET hash = sha256('x')", "第 8 层"),
    "node deleted": ("DELETE FROM journal.node", "第 8 层"),
    "node inserted": ("INSERT INTO journal.node VALUES (1, 9, 0, sha256('x'))", "第 9 层"),
    "claim deleted": ("DELETE FROM journal.claim WHERE kind = 'serial'", "占用的号码"),
    "claim invented": (
        "INSERT INTO journal.claim VALUES ('serial', 'X', decode(repeat('00', 16), 'hex'))",
        "占用的号码",
    ),
    "checkpoint edited": ("UPDATE journal.checkpoint SET note = replace(note, E'\\n', E'\\nx')", "检查点"),
}


def _log(world) -> None:
    """300 entries, so that there is a node; a number, so that there is a claim; a checkpoint."""
    from plumbline.exchange.messages.project import TagIssued
    from plumbline.supervision.journal.heads import CheckpointSigner
    from plumbline.supervision.journal.keys import PlatformKeys
    from plumbline.supervision.journal.lookup import newest_checkpoint
    from plumbline.supervision.journal.submit import pending_from

    case = world.case()
    case.ids["commission"] = "0" * 32
    case.take_number()
    signer = world.parties["contractor"].origin
    fields = {
        "project": world.project(),
        "tags": ["T-1"],
        "medium": "qr",
        "issued_to": world.cast.person("sampler"),
    }
    for _ in range(5):
        batch = [
            pending_from(world.message("contractor", TagIssued, **fields), signer, channel="internal")
            for _ in range(64)
        ]
        world._journal.append(batch)
    keys = PlatformKeys.load(world.platform.folder("keys"))
    newest_checkpoint(
        world.platform.conninfo("plumb_gateway"), CheckpointSigner(keys.log, world.platform.folder("marks"))
    )
    world.tamper(*(f"CREATE TABLE plumb.kept_{t} AS SELECT * FROM journal.{t}" for t in TABLES))


def _mend(world) -> None:
    for table in TABLES:
        world.tamper(
            f"ALTER TABLE journal.{table} DISABLE TRIGGER ALL",
            f"DELETE FROM journal.{table}",
            f"INSERT INTO journal.{table} SELECT * FROM plumb.kept_{table}",
        )


def test_every_kind_of_tampering_is_named_and_a_clean_log_passes(quiet_world) -> None:
    _log(quiet_world)
    audit = (quiet_world.platform.conninfo("plumb_gateway"), quiet_world.platform.folder("marks"))
    assert audit_log(*audit) == []
    for what, (statement, word) in TAMPERING.items():
        quiet_world.tamper(*statement.split("; "))
        problems = audit_log(*audit)
        assert any(word in sentence for sentence in problems), (what, problems)
        _mend(quiet_world)
        assert audit_log(*audit) == [], what


def test_a_log_restored_to_the_past_is_named_by_the_mark(quiet_world) -> None:
    _log(quiet_world)
    size = quiet_world.size()
    cut = size - 10
    quiet_world.tamper(
        f"DELETE FROM journal.entry WHERE uid IN (SELECT uid FROM journal.leaf WHERE idx >= {cut})",
        f"DELETE FROM journal.leaf WHERE idx >= {cut}",
    )
    problems = audit_log(quiet_world.platform.conninfo("plumb_gateway"), quiet_world.platform.folder("marks"))
    assert any(str(size) in sentence for sentence in problems)
