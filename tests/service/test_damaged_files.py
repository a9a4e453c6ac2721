"""Damage on our disk is healed by those who have the bytes (坏文件的补传): the patrol finds it, one command asks, clients answer."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from plumbline.sdk.client import Client, ReceiptBook, SentBook
from plumbline.sdk.client.answering import Answerer
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.worker.patrol import Patrol

pytestmark = pytest.mark.service
_PATROLLED = "SELECT action, subject FROM ops.audit_event WHERE request = 'patrol' ORDER BY id"


class Institution:
    """An institution with its books, as the SDK keeps them."""

    def __init__(self, world: Any, folder: Path) -> None:
        who = world.parties["institution"]
        self.book, self.receipts = SentBook(folder / "sent"), ReceiptBook(folder / "receipts.db")
        self.client = Client(
            world.url,
            sender=who.party,
            transport=who.transport,
            origin=who.origin,
            receipts=self.receipts,
            sent=self.book,
        )
        self.answerer = Answerer(self.client, self.book, self.receipts)


@pytest.fixture
def institution(world, tmp_path: Path) -> Iterator[Institution]:
    made = Institution(world, tmp_path)
    made.answerer.answer()  # what was asked before is not about this
    yield made
    made.client.close()
    made.book.close()
    made.receipts.close()


def _asked(world, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plumbline.cli", "retransmit", "ask", "--damaged", "--by", "值班员"]
    command += ["--data-dir", str(world.platform.data_dir), *options]
    return subprocess.run(
        command,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _patrolled(world, *digests: str) -> list[tuple[str, str]]:
    """What the patrol says of these files when their turn has come."""
    conninfo, wanted = world.platform.conninfo("plumb_worker"), [bytes.fromhex(each) for each in digests]
    patrol = Patrol(conninfo, FileStore(world.platform.folder("files")))
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        conn.execute(
            "UPDATE ops.file SET checked_at = CASE WHEN damage = '' THEN NULL ELSE now() - interval '11 minutes' END "
            "WHERE sha256 = ANY(%s)",
            [wanted],
        )
        while patrol.round(conn):
            pass
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        return [row for row in conn.execute(_PATROLLED).fetchall() if row[1] in digests]


@pytest.mark.clause("BJ 4.1.7-a", "CECS 6.0.4")
def test_damaged_files_are_asked_for_and_come_again_by_themselves(world, institution) -> None:
    whole, rotten, gone = (secrets.token_bytes(4000) for _ in range(3))
    digests = [institution.client.upload(each, "application/octet-stream") for each in (whole, rotten, gone)]
    files = world.platform.folder("files")
    paths = [files / each[:2] / each for each in digests]
    assert _asked(world).returncode == 2  # nothing is damaged
    assert "不与 --days" in _asked(world, "--days", "3").stderr
    assert "不是有报送密钥的单位" in _asked(world, "--party", "0" * 32).stderr
    assert "没有查出这些单位上传的坏了的文件" in _asked(world, "--party", institution.client.sender).stderr
    paths[1].write_bytes(rotten[:-1] + b"?")
    paths[2].unlink()
    assert sorted(_patrolled(world, *digests)) == sorted(("file.damaged", each) for each in digests[1:])

    shown = _asked(world)
    assert shown.returncode == 2 and "上传的 2 个" in shown.stdout
    done = _asked(world, "--because", "磁盘坏道", "--yes")
    assert done.returncode == 0 and "已请求" in done.stdout, done.stdout + done.stderr
    assert "平台自己的决定" not in done.stdout, "no entry is lost"
    world.settle()
    (told,) = institution.answerer.answer()
    assert (told.files, told.not_held, told.resent) == (2, {}, [])
    assert [each.read_bytes() for each in paths] == [whole, rotten, gone]
    repaired = [("file.repaired", each) for each in digests[1:]]
    assert sorted(_patrolled(world, *digests)[2:]) == sorted(repaired)
    world.settle()
    (row,) = world.rows("SELECT stage, not_held FROM fact.retransmission WHERE id = %s", [told.request])
    assert (row["stage"], row["not_held"]) == ("done", 0)
