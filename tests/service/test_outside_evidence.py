"""Time stamps of a platform's checkpoints: kept, carried by receipts, audited, caught up, told (时间戳)."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from plumbline.domain.basics.identifiers import party_id
from plumbline.embedded.ports import free_port
from plumbline.evidence.proof import parse_proof
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.timestamp.findings import stamp_findings
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.journal.audit import audit_journal
from plumbline.supervision.journal.audit_checkpoints import Kept
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.outside_lists import ListProblem
from plumbline.supervision.journal.receipts import receipts_of
from plumbline.supervision.journal.stamping import SOURCES
from plumbline.supervision.reading.outside import is_late, stamp_sentence
from plumbline.supervision.stamp_commands import run_timestamps
from plumbline.supervision.worker.stamping import StampRounds
from plumbline.timestamp.authority import Authority
from plumbline.timestamp.command import run_timestamp
from plumbline.timestamp.serve import AuthorityServer

pytestmark = pytest.mark.service
STATION = party_id(DEMO_OPERATOR.uscc).hex()
NAME = "tsa.test/1"


class Kit:
    """A platform, a time-stamp authority on its list, and what the worker does for them."""

    def __init__(self, tested: Any, folder: Path) -> None:
        self.tested, self.folder, self.port = tested, folder, free_port()
        self.gateway = tested.platform.conninfo("plumb_gateway")
        self.marks = tested.platform.folder("marks")
        made = Namespace(what="init", folder=str(folder), name=NAME, trust_domain="某大学", policy="")
        assert run_timestamp(made) == 0
        self.http = httpx.Client(trust_env=False, timeout=30)
        self.rounds = StampRounds(self.marks, self.http)

    def command(self, what: str, name: str = "", **told: Any) -> int:
        """`plumbline timestamps`."""
        given = {"url": None, "certificate": None, "trust_domain": None, "own": False, "every": None}
        given |= {"policy": "", "by": "某人"} | told
        return run_timestamps(self.tested.platform, Namespace(what=what, name=name, **given))

    def listed(self) -> None:
        """The authority is put on the list as an operator does it."""
        root = str(self.folder / "root.cert.pem")
        url = f"http://127.0.0.1:{self.port}"
        assert self.command("add", NAME, url=url, certificate=root, trust_domain="某大学") == 0

    @contextmanager
    def served(self) -> Iterator[None]:
        """The authority answers."""
        server = AuthorityServer(("127.0.0.1", self.port), Authority(self.folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def append(self) -> tuple[Any, bytes]:
        """An entry, a checkpoint over it, and its identity."""
        now, sender = datetime.now(UTC), self.tested.sender()
        message = PartyRegistered(
            v=1,
            uid=new_uid(now),
            sender=STATION,
            occurred_at=now,
            party=STATION,
            uscc=DEMO_OPERATOR.uscc,
            name="某站",
            roles=["station"],
            division="610300",
        )
        sender.append([sender.pending(message)])
        newest_checkpoint(self.gateway, self.tested.signer)
        return message.uid, bytes.fromhex(STATION)

    def round(self) -> dict[str, Any]:
        """What the worker does every few seconds, and the row that the page reads."""
        with psycopg.connect(self.gateway, autocommit=True, row_factory=psycopg.rows.tuple_row) as conn:
            self.rounds.round(conn)
        with psycopg.connect(
            self.tested.platform.conninfo("plumb_worker"), row_factory=psycopg.rows.dict_row
        ) as conn:
            row = conn.execute(
                "SELECT *, stamped_at AS at, clock_timestamp() AS now FROM ops.stamp_authority"
            ).fetchone()
        assert row is not None
        return row

    def pass_an_interval(self) -> None:
        """What was stamped was stamped two hours ago."""
        self._as_administrator("UPDATE journal.stamp SET received_at = received_at - interval '2 hours'", [])
        self.rounds._paused.clear()

    def audited(self, change: str = "") -> list[str]:
        """What an audit says after a change of the stamp that is taken back."""
        return self._as_administrator(change, Kept.of(self.marks))

    def _as_administrator(self, change: str, kept: Any) -> list[str]:
        with psycopg.connect(self.tested.administrator, dbname=self.tested.platform.database.name) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            if change:
                conn.execute(change.encode())
            if not isinstance(kept, Kept):
                conn.commit()
                return []
            told = audit_journal(conn, kept)
            conn.rollback()
        return told

    def receipt(self, identity: Any) -> str:
        """A receipt as the gateway gives it."""
        with psycopg.connect(self.gateway, autocommit=True) as conn:
            return receipts_of(conn, self.tested.signer, [identity], attested=True)[identity].receipt


@pytest.fixture
def kit(quiet_platform: Any, tmp_path: Path) -> Iterator[Kit]:
    made = Kit(quiet_platform, tmp_path / "tsa")
    yield made
    made.http.close()


def test_a_checkpoint_is_stamped_at_its_interval_and_every_receipt_below_it_says_so(kit: Kit) -> None:
    first = kit.append()
    kit.listed()
    down = kit.round()
    assert (down["size"], down["problem"]) == (0, "没有答复（ConnectError）")
    assert is_late(down)
    kit.rounds._paused.clear()
    with kit.served():
        seen = kit.round()
        assert (seen["size"], seen["problem"], seen["behind_since"]) == (2, "", None)
        assert not is_late(seen)
        assert stamp_sentence(seen).startswith("某大学，盖到 ") and "每 1 小时一次" in stamp_sentence(seen)
        later = kit.append()
        assert kit.round()["size"] == 2  # the interval has not passed
        assert kit.round()["behind_since"] is not None
        kit.pass_an_interval()
        assert kit.round()["size"] == 3
        kit.pass_an_interval()
        assert kit.round()["size"] == 3  # nothing new: nothing is stamped
    trust = read_trust([str(kit.tested.platform.data_dir / "trust.txt")])
    notes = [parse_proof(kit.receipt(each)).checkpoint_note for each in (first, later)]
    assert [note.split("\n")[1] for note in notes] == ["2", "3"]  # the earliest that covers it says the most
    for note in notes:
        (told,) = stamp_findings(note, trust.authorities)
        assert told.standing == "holds" and "某大学" in told.zh
    assert kit.audited() == []
    for change in ("name = 'tsa.test/2'", "stamped_at = stamped_at + interval '1 s'", "size = size + 7"):
        (told,) = kit.audited(f"UPDATE journal.stamp SET {change} WHERE size = 2")
        assert "条的时间戳：" in told, change
    (told,) = kit.audited("UPDATE journal.stamp SET token = set_byte(token, 90, 0) WHERE size = 2")
    assert f"{NAME} 对 2 条的时间戳：" in told
    assert kit.command("remove", NAME) == 0
    assert kit.audited() == []  # its root stays on the list
    assert kit.command("list") == 0


def test_an_authority_that_is_not_the_one_on_the_list_is_named_and_nothing_is_kept(
    kit: Kit, tmp_path: Path
) -> None:
    kit.append()
    other = Kit(kit.tested, tmp_path / "other")
    kit.listed()
    (source,) = SOURCES.read(kit.marks)
    with other.served():
        SOURCES.write(kit.marks, [replace(source, url=f"http://127.0.0.1:{other.port}")])
        told = kit.round()
    other.http.close()
    assert (told["size"], told["problem"]) == (0, "时间戳不是您信任的机构盖的")
    assert kit.append()  # reception knows nothing of it


def test_a_list_that_cannot_be_read_leaves_the_last_one_in_force_and_says_why(kit: Kit) -> None:
    kit.listed()
    path = kit.marks / SOURCES.file
    good = path.read_text("utf-8")
    for spoilt, word in (
        (good.replace("http:", "ftp:"), "http"),
        (good.replace("某大学", ""), "信任域"),
        (good.replace("every_minutes = 60", "every_minutes = 0"), "every_minutes"),
        (good.replace("BEGIN", "BEGUN"), "PEM"),
        (good.replace("url", "adress"), "adress"),
        (good.replace(NAME, "a b"), "空格"),
        (good + good, "同名"),
        ("[[authority", "读不懂"),
    ):
        path.write_text(spoilt, "utf-8")
        with pytest.raises(ListProblem, match=word):
            SOURCES.read(kit.marks)
        assert SOURCES.known(kit.marks)[0][0].name == NAME
    kit.append()
    assert "读不懂" in kit.round()["list_problem"]
