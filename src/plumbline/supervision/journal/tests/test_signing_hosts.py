"""When a host may sign: doubtful commits, other hosts' marks, connections that were not checked (能不能签名)."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest

from plumbline.evidence.mark import Head
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.messages.reports import NumberTaken
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import new_uid
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.replication import CommitUnknown
from plumbline.supervision.journal.submit import pending_from

pytestmark = pytest.mark.service
STATION = "0" * 32


def _party() -> PartyRegistered:
    now = datetime.now(UTC)
    return PartyRegistered(
        v=1,
        uid=new_uid(now),
        sender=STATION,
        occurred_at=now,
        party=STATION,
        uscc="12610300MB2960001Y",
        name="某站",
        roles=["station"],
        division="610300",
    )


def _pending(platform):
    return pending_from(_party(), platform.keys.signer("web"), channel="internal")


def _as_owner(platform, *statements: str) -> None:
    with psycopg.connect(platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for statement in statements:
            conn.execute(statement.encode())


DOUBT = """
CREATE FUNCTION journal.doubt() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE WARNING 'canceling wait for synchronous replication due to user request' USING ERRCODE = '01000'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER doubt AFTER INSERT ON journal.leaf DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal.doubt();
"""


def test_a_commit_whose_replication_wait_was_cancelled_is_never_signed(quiet_platform) -> None:
    _as_owner(quiet_platform, DOUBT)
    journal, before = quiet_platform.journal(), quiet_platform.signer.mark()
    with pytest.raises(CommitUnknown):
        journal.append([_pending(quiet_platform)])
    assert quiet_platform.signer.mark() == before
    assert journal._conn is None


@pytest.fixture
def no_standby_answers(quiet_platform, _shared_cluster) -> Iterator[psycopg.Connection]:
    """A server whose only synchronous standby is away; the connection is an administrator's."""
    if os.environ.get("DATABASE_URL"):
        pytest.skip("外部 PostgreSQL 的数据目录不归我们改；同一项在内嵌数据库上已测")
    with psycopg.connect(_shared_cluster.dsn(), autocommit=True) as admin:
        _standbys(admin, "nobody")
        try:
            yield admin
        finally:
            _standbys(admin, "")


def _standbys(admin: psycopg.Connection, names: str) -> None:
    row = admin.execute("SELECT current_setting('data_directory')").fetchone()
    path = Path(row[0]) / "postgresql.auto.conf"
    path.write_text(f"synchronous_standby_names = '{names}'\n" if names else "")
    admin.execute("SELECT pg_reload_conf()")
    while admin.execute("SELECT current_setting('synchronous_standby_names')").fetchone() != (names,):
        time.sleep(0.02)


def _cancelled(admin: psycopg.Connection, work: Callable[[], object]) -> object:
    """What `work` raises when an administrator cancels its wait for the standby."""
    raised: list[object] = []

    def run() -> None:
        try:
            raised.append(work())
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        admin.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        thread.join(0.05)
    return raised[0]


def test_nothing_is_signed_that_no_standby_has_confirmed(quiet_platform, no_standby_answers) -> None:
    admin, conninfo = no_standby_answers, quiet_platform.platform.conninfo("plumb_gateway")
    pending, before = _pending(quiet_platform), quiet_platform.signer.mark()
    assert isinstance(_cancelled(admin, lambda: quiet_platform.journal().append([pending])), CommitUnknown)
    again = _cancelled(admin, lambda: quiet_platform.journal().append([pending]))
    assert isinstance(again, CommitUnknown)
    asked = _cancelled(admin, lambda: newest_checkpoint(conninfo, _fresh(quiet_platform)))
    assert isinstance(asked, CommitUnknown)
    assert quiet_platform.signer.mark() == before
    _standbys(admin, "")
    outcome = quiet_platform.journal().append([pending])[0]
    assert (outcome.index, outcome.duplicate) == (1, True)


def _mark_body(mark: Head) -> dict[str, object]:
    return {"origin": mark.origin, "epoch": mark.epoch, "size": mark.size, "root": mark.root.hex()}


@pytest.fixture
def peer(quiet_platform) -> Iterator[dict[str, object]]:
    """Another signing host; what it answers is the dict, to be changed by the test."""
    quiet_platform.journal().append([_pending(quiet_platform) for _ in range(3)])
    answer = _mark_body(quiet_platform.signer.mark())

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x/v1/log/mark"
    _as_owner(
        quiet_platform,
        f"INSERT INTO ops.signing_host (host, mark_url) VALUES ('other', '{url}'), ('local', NULL)",
    )
    yield answer
    server.shutdown()
    server.server_close()


def _fresh(platform) -> CheckpointSigner:
    return CheckpointSigner(platform.keys.log, platform.platform.folder("marks"))


def test_a_host_that_agrees_lets_us_sign(quiet_platform, peer) -> None:
    assert quiet_platform.journal().append([_pending(quiet_platform)])[0].index == 4
    assert newest_checkpoint(quiet_platform.platform.conninfo("plumb_gateway"), _fresh(quiet_platform))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"size": 400}, "签过 400 条"),
        ({"root": "00" * 32}, "被改写"),
        ({"epoch": 2}, "第 2 期"),
        ({"origin": "demo.other"}, "demo.other"),
        ({"root": "xyz"}, "问不到"),
        ({"size": -1}, "问不到"),
    ],
)
def test_a_host_that_signed_something_else_stops_signing(quiet_platform, peer, change, sentence) -> None:
    peer.update(change)
    with pytest.raises(SigningStopped, match=sentence):
        quiet_platform.journal().append([_pending(quiet_platform)])
    with pytest.raises(SigningStopped, match=sentence):
        newest_checkpoint(quiet_platform.platform.conninfo("plumb_gateway"), _fresh(quiet_platform))


@pytest.mark.parametrize("url", ["'http://127.0.0.1:1/x/v1/log/mark'", "NULL", "'nonsense'"])
def test_a_host_that_cannot_be_asked_stops_signing(quiet_platform, url: str) -> None:
    _as_owner(quiet_platform, f"INSERT INTO ops.signing_host (host, mark_url) VALUES ('other', {url})")
    with pytest.raises(SigningStopped, match="other"):
        quiet_platform.journal().append([_pending(quiet_platform)])


def test_hosts_are_asked_again_after_an_hour(quiet_platform, peer, monkeypatch) -> None:
    journal = quiet_platform.journal()
    journal.append([_pending(quiet_platform)])
    peer["size"] = 400
    journal.append([_pending(quiet_platform)])
    monkeypatch.setattr(journal._signer, "_peers_asked", journal._signer._peers_asked - 3601)
    with pytest.raises(SigningStopped, match="400"):
        journal.append([_pending(quiet_platform)])


def _rewrite(platform) -> None:
    platform.journal().append([_pending(platform) for _ in range(3)])
    _as_owner(
        platform,
        "ALTER TABLE journal.leaf DISABLE TRIGGER ALL",
        "UPDATE journal.leaf SET leaf_hash = sha256('x') WHERE idx = 1",
    )


def test_a_connection_that_failed_its_check_is_not_used_at_the_second_try(quiet_platform) -> None:
    _rewrite(quiet_platform)
    journal = quiet_platform.journal()
    for _ in range(2):
        with pytest.raises(SigningStopped):
            journal.append([_pending(quiet_platform)])


def test_callers_of_the_platform_are_told_to_wait_while_signing_is_stopped(quiet_platform) -> None:
    _rewrite(quiet_platform)
    sender = quiet_platform.sender()
    for _ in range(2):
        with pytest.raises(Problem) as told:
            sender.submit(_party())
        assert told.value.slug == "unavailable"


def test_the_platform_sends_only_what_its_roles_may_send(quiet_platform) -> None:
    now = datetime.now(UTC)
    message = NumberTaken(
        v=1,
        uid=new_uid(now),
        sender=STATION,
        occurred_at=now,
        document_kind="report",
        prefix="T",
        site="S",
        year=2026,
        serial=1,
        number="T-1",
    )
    with pytest.raises(Problem) as refused:
        quiet_platform.sender().submit(message)
    assert refused.value.slug == "kind-not-allowed"


@pytest.mark.parametrize("host", ["../x", "a b", "/etc"])
def test_a_signing_host_has_a_plain_name(quiet_platform, monkeypatch, host: str) -> None:
    monkeypatch.setenv("PLUMB_SIGNING_HOST", host)
    with pytest.raises(ValueError, match="signing host"):
        _fresh(quiet_platform)
