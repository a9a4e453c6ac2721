"""Who is asked to send again (请求补传): those who can; who could not answer is named with the reason, and nobody waits for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from plumbline.supervision.journal.retransmission import NothingToAsk, plan, plan_files, senders

pytestmark = pytest.mark.service

NOW = datetime.now(UTC)
SOUND, SUSPENDED, REVOKED, EXPIRED, RENEWED = (each * 16 for each in ("1a", "2b", "3c", "4d", "5e"))


class Record:
    """Parties and keys on record, put there directly."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn, self._number = conn, 1 << 50

    def _insert(self, table: str, row: dict[str, object]) -> None:
        self._number += 1
        whole: dict[str, object] = {
            "entry": f"{self._number:032x}",
            "idx": self._number,
            "sender": "0f" * 16,
            "key_id": "k",
            "attestation": "internal",
            "occurred_at": NOW,
            "arrived_at": NOW,
            "logged_at": NOW,
            "version": 1,
            "body": json.dumps({}),
            **row,
        }
        marks = ", ".join(["%s"] * len(whole))
        statement = f"INSERT INTO fact.{table} ({', '.join(whole)}) VALUES ({marks})"
        self.conn.execute(statement.encode(), list(whole.values()))

    def party(self, party: str, name: str, suspended_because: str = "") -> None:
        row: dict[str, object] = {"id": party, "uscc": party[:18], "name": name, "division": "610300"}
        row["roles"] = ["institution"]
        if suspended_because:
            row |= {"suspension": "ab" * 16, "suspended_at": NOW, "suspended_because": suspended_because}
        self._insert("party", row)

    def key(self, party: str, use: str = "transport", *, days: int = 30, revoked: bool = False) -> None:
        row: dict[str, object] = {
            "id": f"key.{self._number}",
            "party": party,
            "algorithm": "ed25519",
            "use": use,
        }
        row |= {"valid_from": NOW - timedelta(days=60), "valid_until": NOW + timedelta(days=days)}
        if revoked:
            row |= {"revoked_idx": 7, "revoked_at": NOW}
        self._insert("key", row)


@pytest.fixture
def conn(quiet_platform) -> Iterator[psycopg.Connection]:
    """A record with one party of each kind, read as the command reads it."""
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        record = Record(conn)
        record.party(SOUND, "守信检测")
        record.key(SOUND)
        record.party(SUSPENDED, "停用检测", "出具虚假报告")
        record.key(SUSPENDED)
        record.party(REVOKED, "吊销监理")
        record.key(REVOKED, revoked=True)
        record.key(REVOKED, "code")
        record.party(EXPIRED, "过期施工")
        record.key(EXPIRED, "origin", days=-1)
        record.party(RENEWED, "换钥检测")
        record.key(RENEWED, revoked=True)
        record.key(RENEWED, days=-1)
        record.key(RENEWED, "origin")
        yield conn
        conn.rollback()


def test_who_can_send_is_asked_and_who_cannot_is_named(conn: psycopg.Connection) -> None:
    before = {party: each for party, each in senders(conn).items() if party not in _MADE}
    wanted = plan(conn, days=3, because="恢复备份")
    assert wanted.parties == {party: each.name for party, each in before.items() if not each.mute} | {
        SOUND: "守信检测",
        RENEWED: "换钥检测",
    }
    assert [(each.name, each.mute) for each in wanted.mute if each.party in _MADE] == [
        ("停用检测", "已停用：出具虚假报告"),
        ("吊销监理", "没有有效的报送密钥"),
        ("过期施工", "没有有效的报送密钥"),
    ]


@pytest.mark.parametrize("days", [3, 0])
def test_who_is_named_and_cannot_send_is_refused_with_the_reason(conn: psycopg.Connection, days: int) -> None:
    with pytest.raises(
        NothingToAsk, match="停用检测（已停用：出具虚假报告）现在不能报送，请了也答复不了；恢复使用"
    ):
        plan(conn, parties=[SUSPENDED], days=days, because="恢复备份")
    with pytest.raises(NothingToAsk, match="不是有报送密钥的单位"):
        plan(conn, parties=["00" * 16], days=days, because="恢复备份")


def test_of_several_that_are_named_those_who_can_are_asked(conn: psycopg.Connection) -> None:
    wanted = plan(conn, parties=[SUSPENDED, SOUND], days=3, because="恢复备份")
    assert (list(wanted.parties), [each.party for each in wanted.mute]) == ([SOUND], [SUSPENDED])


def test_files_of_who_cannot_send_come_from_the_backup(conn: psycopg.Connection) -> None:
    damaged = [(SOUND, "aa" * 32), (SUSPENDED, "bb" * 32), ("00" * 16, "cc" * 32)]
    wanted = plan_files(conn, damaged, because="坏了")
    assert wanted.files == {SOUND: ["aa" * 32]}
    assert sorted(wanted.orphans) == ["bb" * 32, "cc" * 32]
    assert [each.party for each in wanted.mute] == [SUSPENDED]
    with pytest.raises(NothingToAsk, match="上传的单位现在不能报送，请从备份放回"):
        plan_files(conn, damaged[1:], because="坏了")


_MADE = {SOUND, SUSPENDED, REVOKED, EXPIRED, RENEWED}
