"""The platform and its cosigners over HTTP: what is kept, what stops signing, what stops codes (联署)."""

from __future__ import annotations

import socket
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plumbline.cosign.cosigner import Cosigner, initialise
from plumbline.cosign.serve import CosignerServer
from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.tampering.acts import Acts, Tally
from plumbline.embedded.ports import free_port
from plumbline.evidence.checkpoint import (
    Ed25519CosignatureSigner,
    Sm2CosignatureSigner,
    add_signatures,
    parse_cosigner,
    parse_verifier,
)
from plumbline.evidence.cosignature import SM2_COSIGNATURE_TYPE
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.note import format_typed_key
from plumbline.evidence.paths import verify_consistency
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.testing import clashing_cosigner_keys
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.uids import new_uid
from plumbline.sdk.bundle.trust import read_trust
from plumbline.supervision.boot import DEMO_OPERATOR, write_trust_roots
from plumbline.supervision.cosigner_commands import run_cosigners
from plumbline.supervision.cosigner_entries import enter, operator_id, read_acceptances
from plumbline.supervision.fetch import Fetcher
from plumbline.supervision.journal import audit_cosigners, cosigners
from plumbline.supervision.journal.audit import audit_journal
from plumbline.supervision.journal.audit_checkpoints import Kept
from plumbline.supervision.journal.cosigners import (
    Configured,
    CosignersProblem,
    read_cosigners,
    write_cosigners,
)
from plumbline.supervision.journal.epochs import ResumeRefused, plan_resume
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped, read_head, root_at
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.receipts import consistency_of, receipts_of
from plumbline.supervision.journal.staleness import Followed, Limits, backlog, reason
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.reading import cosigner_keys
from plumbline.supervision.reading.proofs import COSIGNED
from plumbline.supervision.rules import parameters
from plumbline.supervision.worker.cosigning import Cosigning, Follower

pytestmark = pytest.mark.service
STATION = party_id(DEMO_OPERATOR.uscc).hex()


class Kit:
    """A platform, a cosigner with its server, and what the worker does for them."""

    def __init__(self, tested: Any, folder: Path, algorithms: tuple[str, ...] = ("ed25519", "sm2")) -> None:
        self.tested, self.folder, self.port = tested, folder, free_port()
        self.gateway = tested.platform.conninfo("plumb_gateway")
        self.marks = tested.platform.folder("marks")
        key = tested.signer.verifier_key(f"{tested.platform.origin}/1")
        initialise(folder, name="w/1", trust_domain="某大学", log_keys=[key], algorithms=algorithms)
        self.configured = Configured(
            url=f"http://127.0.0.1:{self.port}", keys=Cosigner(folder).verifier_keys, trust_domain="某大学"
        )
        write_cosigners(self.marks, [self.configured])

    @contextmanager
    def served(self) -> Iterator[None]:
        """The cosigner answers."""
        server = CosignerServer(("127.0.0.1", self.port), Cosigner(self.folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def append(self, count: int = 1) -> list[Any]:
        """Entries, a checkpoint over them, and their identities."""
        now, sender = datetime.now(UTC), self.tested.sender()
        messages = [
            PartyRegistered(
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
            for _ in range(count)
        ]
        for start in range(0, count, 60):
            sender.append([sender.pending(each) for each in messages[start : start + 60]])
        newest_checkpoint(self.gateway, self.tested.signer)
        return [(each.uid, bytes.fromhex(STATION)) for each in messages]

    def size(self) -> int:
        """How many entries the log has."""
        with psycopg.connect(self.gateway) as conn:
            return read_head(conn).size

    def accept(self, wanted: Configured | None = None, because: str = "签订协议") -> list[Any]:
        """The entries that accept the cosigner."""
        made = wanted or self.configured
        return enter(self.tested.platform, self.tested.keys, made.name, made, because=because)

    def round(self) -> bool:
        """What the worker does once a second."""
        Cosigning(self.gateway, self.marks)._register((self.configured,))
        follower = Follower(self.gateway, self.configured, Fetcher([self.configured.url]))
        try:
            return follower.round()
        finally:
            follower.close()

    def state(self) -> dict[str, Any]:
        """The row that pages and the gate read."""
        with psycopg.connect(
            self.tested.platform.conninfo("plumb_worker"), row_factory=psycopg.rows.dict_row
        ) as conn:
            row = conn.execute("SELECT * FROM ops.cosigner").fetchone()
        assert row is not None
        return row

    def audited(self, change: str = "") -> list[str]:
        """What an audit says after a change that is taken back."""
        kept = Kept.of(self.marks)
        database = self.tested.platform.database.name
        with psycopg.connect(self.tested.administrator, dbname=database) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            if change:
                conn.execute(change.encode())
            told = audit_journal(conn, kept)
            conn.rollback()
        return told

    def shown_to_an_officer(self, index: int) -> list[tuple[str, str, bool]]:
        """Who has cosigned the entry at an index, as the trace page asks for it."""
        platform = self.tested.platform
        with psycopg.connect(platform.conninfo("plumb_web")) as conn:
            conn.execute("SET LOCAL ROLE plumb_officer")
            return conn.execute(COSIGNED, [f"{platform.origin}/1", index]).fetchall()

    def receipt(self, identity: Any) -> Any:
        """A receipt as the gateway gives it, checked with the keys of trust.txt."""
        write_trust_roots(self.tested.platform, self.tested.keys)
        trust = read_trust([str(self.tested.platform.data_dir / "trust.txt")])
        assert trust.domain_of("w/1") == "某大学"
        keys = [parse_verifier(each) for each in (*trust.log_keys, *trust.cosigners)]
        with psycopg.connect(self.gateway, autocommit=True) as conn:
            found = receipts_of(conn, self.tested.signer, [identity], cosigned=True)[identity]
        return verify_receipt(found.receipt, keys)

    def fresh_signer(self) -> CheckpointSigner:
        """A signer of a process that has just started."""
        cosigners._asked.clear()
        return CheckpointSigner(self.tested.keys.log, self.marks)


@pytest.fixture
def kit(quiet_platform: Any, tmp_path: Path) -> Kit:
    return Kit(quiet_platform, tmp_path / "cosigner")


def test_a_checkpoint_is_cosigned_kept_and_shown_and_an_outage_is_made_up_for_at_once(kit: Kit) -> None:
    (first,) = kit.append()
    assert len(kit.accept()) == 2  # one entry for each key
    assert kit.accept() == []  # the log says so already
    assert kit.receipt(first).cosigned_by == ()
    assert not kit.round()
    down = kit.state()
    assert (down["size"], down["problem"]) == (0, "没有答复（ConnectError）")
    assert not kit.round()
    assert kit.state()["behind_since"] == down["behind_since"]  # the wait counts from its beginning
    kit.append(300)
    with kit.served():
        assert kit.round()
        seen = kit.state()
        assert (seen["size"], seen["behind_since"], seen["problem"]) == (304, None, "")
        check = kit.receipt(first)
        assert check.ok
        assert check.cosigned_by == ("w/1",)
        assert set(check.cosigned_with) == {("w/1", "ed25519"), ("w/1", "sm2")}
        assert check.checkpoint.size == 304
        assert kit.round()  # nothing new: nothing is asked
    assert kit.audited() == []
    for change in (
        "SET name = 'w/2'",
        "SET key_id = '\\x00000000'",
        "SET cosigned_at = cosigned_at + interval '1 s'",
        "SET size = 303",
        "SET line = line || ' '",
        "SET line = replace(line, right(line, 12), 'AAAAAAAAAAA' || right(line, 1))",
    ):
        one = "WHERE key_id = (SELECT key_id FROM journal.cosignature ORDER BY key_id LIMIT 1)"
        (told,) = kit.audited(f"UPDATE journal.cosignature {change} {one}")
        assert "条的联署：" in told, change
    assert kit.shown_to_an_officer(303) == [("w/1", "某大学", True)]
    assert kit.shown_to_an_officer(304) == []
    (late,) = kit.append()
    assert kit.receipt(first).checkpoint.size == 304  # still the cosigned one
    alone = kit.receipt(late)
    assert alone.ok
    assert (alone.cosigned_by, alone.checkpoint.size) == ((), 305)


def test_who_signs_with_one_of_two_keys_is_not_behind_and_what_it_signs_once_retired_is_named(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = _stranger("w/1")
    kit.configured = replace(kit.configured, keys=(kit.configured.keys[0], mute.verifier_key()))
    write_cosigners(kit.marks, [kit.configured])
    kit.append()
    kit.accept()
    newest_checkpoint(kit.gateway, kit.tested.signer)
    with kit.served():
        assert not kit.round()  # the other key is asked for again
        seen = kit.state()
        assert (seen["size"], seen["behind_since"]) == (4, None)
        assert seen["problem"].startswith(f"没有用登记的 SM2（{mute.key_id.hex()}）签名")
        kit.configured = replace(kit.configured, keys=kit.configured.keys[:1])
        kit.accept(because="只用一把")
        newest_checkpoint(kit.gateway, kit.tested.signer)
        assert kit.round()
        assert (kit.state()["size"], kit.state()["problem"]) == (5, "")
    write_cosigners(kit.marks, [kit.configured])
    assert kit.audited() == []
    # the key that is left, retired: what it signs after that is named by the entry that ended it
    kit.accept(replace(kit.configured, keys=(mute.verifier_key(),)), because="换密钥")
    newest_checkpoint(kit.gateway, kit.tested.signer)
    with kit.served():
        assert kit.round()
    write_cosigners(kit.marks, [replace(kit.configured, keys=(mute.verifier_key(),))])
    assert kit.audited() == []  # the worker reads the list a moment after the entry
    with monkeypatch.context() as later:
        later.setattr(audit_cosigners, "_FOLLOWS", timedelta(seconds=-30))
        (told,) = kit.audited()
    assert "w/1 对 7 条的联署：写着" in told and "在日志第 6 条已经停用" in told
    # another host's list follows late: what is kept is never taken back, so that the retired key is not asked any more
    kit.append()
    projector = Projector(kit.tested.platform.conninfo("plumb_projector"))
    projector.catch_up()
    projector.close()
    with kit.served():
        assert kit.round()
    assert kit.state()["problem"].startswith("公钥在日志里已经停用") and kit.state()["behind_since"]
    with psycopg.connect(kit.gateway) as conn:
        assert conn.execute("SELECT max(size) FROM journal.cosignature").fetchone() == (7,)


def test_a_proof_of_consistency_is_given_for_what_is_there_and_nothing_else(kit: Kit) -> None:
    kit.append(4)
    with psycopg.connect(kit.gateway, autocommit=True) as conn:
        roots = {size: root_at(conn, 1, size) for size in (2, 5)}
        proof = consistency_of(conn, kit.tested.signer, 1, 2, 5)
        assert proof is not None
        assert verify_consistency(2, 5, proof, roots[2], roots[5])
        for epoch, old, new in ((1, 2, 6), (1, 3, 2), (2, 1, 1)):
            assert consistency_of(conn, kit.tested.signer, epoch, old, new) is None


def _forget(kit: Kit, mark: bytes) -> None:
    """The whole host was restored: its mark too, so that only the cosigner remembers."""
    (kit.marks / "local.mark").write_bytes(mark)


def test_a_host_restored_with_its_mark_does_not_sign_behind_its_cosigner(kit: Kit) -> None:
    kit.append(3)
    kit.tested.backup()
    mark = (kit.marks / "local.mark").read_bytes()
    kit.append(5)
    with kit.served():
        assert kit.round()
        kit.tested.restore()
        _forget(kit, mark)
        assert kit.fresh_signer().check_start  # the mark alone sees nothing wrong
        with psycopg.connect(kit.gateway, autocommit=True) as conn:
            with pytest.raises(SigningStopped, match="见过 9 条，数据库里的日志只有 4 条"):
                kit.fresh_signer().check_start(conn)
            plan = plan_resume(conn, kit.fresh_signer())
        assert (plan.step, plan.epoch, plan.lost) == ("open", 2, 5)
        assert any("联署方 w/1" in each.source for each in plan.signed)
    with (
        psycopg.connect(kit.gateway, autocommit=True) as conn,
        pytest.raises(ResumeRefused, match="cosigners remove"),
    ):
        plan_resume(conn, kit.fresh_signer())


def test_a_history_that_is_written_anew_with_the_same_key_is_refused_by_the_cosigner(kit: Kit) -> None:
    kit.append(3)
    kit.tested.backup()
    mark = (kit.marks / "local.mark").read_bytes()
    kit.append(5)
    with kit.served():
        assert kit.round()
        kit.tested.restore()
        _forget(kit, mark)
        write_cosigners(kit.marks, [])  # the forger has nobody asked
        kit.tested.close()
        kit.append(7)
        write_cosigners(kit.marks, [kit.configured])
        assert not kit.round()
        assert "被改写" in kit.state()["problem"] or "分了叉" in kit.state()["problem"]
        with (
            psycopg.connect(kit.gateway, autocommit=True) as conn,
            pytest.raises(SigningStopped, match="前 9 条与联署方 w/1 见过的不同"),
        ):
            kit.fresh_signer().check_start(conn)
    assert len(list((kit.folder / "contradictions").iterdir())) == 1


def test_a_cosigner_that_is_out_of_reach_or_lies_never_stops_reception(kit: Kit) -> None:
    kit.append()
    with psycopg.connect(kit.gateway, autocommit=True) as conn:
        assert kit.fresh_signer().check_start(conn).size == 2
    with kit.served():
        assert kit.round()
        path = next((kit.folder / "state").glob("*.state"))
        path.write_bytes(b"damaged")
        with psycopg.connect(kit.gateway, autocommit=True) as conn:
            assert kit.fresh_signer().check_start(conn).size == 2
    assert kit.append()


@contextmanager
def _answering(port: int, parts: list[bytes], pause: float) -> Iterator[None]:
    """An outsider that answers anybody with these bytes, one part after another."""
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            for part in parts:
                connection.sendall(part)
                if ended.wait(pause):
                    return
            # Closing with a part of the request unread would reset the connection, and the answer with it.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass

    def accept() -> None:
        while not ended.is_set():
            with suppress(OSError):
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            ended.set()


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain; charset="


@pytest.mark.parametrize(
    ("parts", "pause"),
    [
        ([HEAD, *(b"x" for _ in range(2000))], 0.2),  # a byte now and then, for minutes
        ([HEAD + b"hex\r\n\r\nno hex"], 0.0),
        ([HEAD + b"utf-8\r\nContent-Encoding: gzip\r\n\r\n\xff\xfe"], 0.0),
        ([HEAD + b"utf-8\r\n\r\n", *(b"x" * 65_536 for _ in range(40))], 0.0),
    ],
)
def test_whatever_an_outsider_answers_reception_goes_on(
    quiet_platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[bytes], pause: float
) -> None:
    monkeypatch.setattr(cosigners, "ASK_TIMEOUT_S", 0.5)
    kit = Kit(quiet_platform, tmp_path / "cosigner")
    with _answering(kit.port, parts, pause):
        signer = kit.fresh_signer()
        assert signer.cosigned_heads(f"{kit.tested.platform.origin}/1") == {}
        with pytest.raises(SigningStopped, match="问不到"):
            signer.cosigned_heads(f"{kit.tested.platform.origin}/1", every=True)
        if not pause:
            assert kit.append()
            assert not kit.round()
            assert "联署方的" in kit.state()["problem"]


def test_the_list_survives_a_restore_and_is_refused_with_a_reason_when_it_is_wrong(kit: Kit) -> None:
    assert read_cosigners(kit.marks) == (kit.configured,)
    good = (kit.marks / cosigners.FILE).read_text("utf-8")
    for spoilt, word in (
        (good.replace("http:", "ftp:"), "http"),
        (good.replace('trust_domain = "某大学"', 'trust_domain = ""'), "信任域"),
        (good.replace(kit.configured.keys[0], kit.tested.signer.verifier_key("a/1")), "日志的公钥"),
        (good.replace("url", "adress"), "adress"),
        (good + "\n" + good, "同名"),
        ("[[cosigner", "读不懂"),
    ):
        (kit.marks / cosigners.FILE).write_text(spoilt, "utf-8")
        with pytest.raises(CosignersProblem, match=word):
            read_cosigners(kit.marks)
        signer = kit.fresh_signer()
        assert signer.cosigners() == (kit.configured,)  # the last list that could be read: reception goes on
        with pytest.raises(SigningStopped, match="名单"):
            signer.cosigners(every=True)
    write_trust_roots(kit.tested.platform, kit.tested.keys)
    cosigning = Cosigning(kit.gateway, kit.marks)
    cosigning.look()
    cosigning.stop()
    assert "读不懂" in kit.state()["list_problem"]
    assert kit.append()
    (kit.marks / cosigners.LAST_GOOD).unlink()
    assert kit.fresh_signer().cosigners() == ()


def _command(kit: Kit, what: str, **options: Any) -> int:
    fields = {"name": "", "url": "", "key": [], "trust_domain": "", "own": False, "by": "值班员"}
    fields |= {"because": "签订协议"} | options
    return run_cosigners(kit.tested.platform, Namespace(what=what, **fields))


def test_the_operator_adds_and_removes_a_cosigner_with_an_audit_event(kit: Kit, capsys: Any) -> None:
    kit.append()
    assert _command(kit, "remove", name="w/1") == 0
    assert read_cosigners(kit.marks) == ()
    fields = {"url": kit.configured.url + "/", "key": list(kit.configured.keys), "trust_domain": "某大学"}
    assert _command(kit, "add", **fields, by="") == 2
    assert _command(kit, "add", **fields, because=" ") == 2
    own, again = kit.tested.keys, kit.configured.keys[1]
    for key, word in (
        (["nonsense"], "公钥不对"),
        ([kit.tested.signer.verifier_key("a/1")], "日志的公钥"),
        ([again, again], "同一种算法"),
        ([again, Ed25519CosignatureSigner("w/2", own.web, lambda: 0).verifier_key()], "名称不同"),
        ([Ed25519CosignatureSigner("w/2", own.log, lambda: 0).verifier_key()], "平台自己的公钥"),
        (
            [Ed25519CosignatureSigner(f"{kit.tested.platform.origin}/1", own.web, lambda: 0).verifier_key()],
            "日志的名称",
        ),
    ):
        assert _command(kit, "add", **fields | {"key": key}) == 1
        assert word in capsys.readouterr().err
    assert kit.size() == 2  # nothing was entered
    assert _command(kit, "add", **fields) == 0
    assert read_cosigners(kit.marks) == (kit.configured,)
    assert _command(kit, "remove", name="nobody") == 2
    with psycopg.connect(kit.tested.platform.conninfo("plumb_worker")) as conn:
        told = conn.execute(
            "SELECT action FROM ops.audit_event WHERE action LIKE 'cosigner.%' ORDER BY id"
        ).fetchall()
    assert [row[0] for row in told] == ["cosigner.remove", "cosigner.add"]
    capsys.readouterr()
    assert _command(kit, "list") == 1  # nobody answers yet
    assert "后台进程还没有送过" in capsys.readouterr().out
    # files that cannot be used: one plain sentence each
    keys = kit.tested.platform.folder("keys")
    (keys / "log.pem").rename(keys / "log.kept")
    assert _command(kit, "add", **fields) == 1
    assert "log.pem 用不了" in capsys.readouterr().err
    (keys / "log.pem").write_text("no key")
    assert _command(kit, "add", **fields) == 1
    assert "平台的密钥读不懂" in capsys.readouterr().err
    (keys / "log.kept").replace(keys / "log.pem")
    (kit.marks / cosigners.FILE).write_text("cosigner = 5")
    assert [_command(kit, what, **fields) for what in ("list", "add", "remove")] == [1, 1, 1]
    assert capsys.readouterr().err.count("[[cosigner]]") == 3


def _stranger(name: str) -> Any:
    return Sm2CosignatureSigner(name, Sm2PrivateKey.generate(), lambda: 1_767_225_600)


def test_list_rows_and_cosignatures_are_held_to_what_the_log_accepted(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.append()
    kit.accept()
    with kit.served():
        newest_checkpoint(kit.gateway, kit.tested.signer)
        assert kit.round()
    assert kit.audited() == []
    superuser = psycopg.conninfo.make_conninfo(
        kit.tested.administrator, dbname=kit.tested.platform.database.name
    )
    tally = Tally()
    with monkeypatch.context() as later, psycopg.connect(superuser, autocommit=True) as conn:
        later.setattr(audit_cosigners, "_FOLLOWS", timedelta(0))
        conn.execute("SET session_replication_role = replica")
        acts = Acts(conn=conn, tally=tally, seed=1, rows=1)
        acts.cosigner_rows(Kept.of(kit.marks))
        (told,) = kit.audited("DELETE FROM ops.cosigner")
        assert "日志第 2 条接受了它，表里没有它的一行" in told
    assert tally.broken == []
    assert tally.columns["ops.cosigner"] >= {"name", "trust_domain", "is_external"}
    (told,) = kit.audited("UPDATE ops.cosigner SET size = size + 1")
    assert "没有这个联署" in told
    # a cosignature that holds, by a key that nobody accepted
    stranger = _stranger("w/1")
    with psycopg.connect(kit.gateway) as conn:
        origin, size, note = conn.execute(
            "SELECT origin, size, note FROM journal.checkpoint ORDER BY size DESC LIMIT 1"
        ).fetchone()  # type: ignore[misc]
    line = add_signatures(note, [stranger]).removeprefix(note)
    (told,) = kit.audited(
        f"INSERT INTO journal.cosignature VALUES ('{origin}', {size}, 'w/1', '\\x{stranger.key_id.hex()}', '{line}', "
        "to_timestamp(1767225600), now())"
    )
    assert "日志里没有接受过这把公钥" in told
    # the list, edited by hand
    plain = kit.configured
    for listed, word in (
        (replace(plain, trust_domain="某协会"), "信任域或内外与日志第 2 条说的不同（某大学）"),
        (replace(plain, external=False), "信任域或内外"),
        (replace(plain, keys=(plain.keys[0], stranger.verifier_key())), "日志里没有接受它的条目"),
    ):
        write_cosigners(kit.marks, [listed])
        assert any(word in each for each in kit.audited()), word
    # what was decided a moment ago is on its way; later a list that does not follow is named
    write_cosigners(kit.marks, [])
    assert kit.audited() == []
    monkeypatch.setattr(audit_cosigners, "_FOLLOWS", timedelta(0))
    assert [("第 2 条" in each, "不在名单里" in each) for each in kit.audited()] == [
        (True, True),
        (False, True),
    ]
    kit.accept(replace(plain, keys=(plain.keys[0],), trust_domain="某学院"))
    write_cosigners(kit.marks, [plain])
    other, ended = kit.audited()  # a trust domain that was true once, and a key that is retired
    assert "第 4 条说的不同（某学院）" in other and "日志里已经停用" in ended


def _the_status_page_shows_the_keys_to_everybody(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        psycopg.connect(kit.tested.platform.conninfo("plumb_web"), row_factory=psycopg.rows.dict_row) as conn,
        monkeypatch.context() as patched,
    ):
        conn.execute("SET LOCAL ROLE plumb_public")
        patched.setattr(cosigner_keys, "rows", lambda asked, told: conn.execute(asked, told).fetchall())
        patched.setattr(cosigner_keys, "row", lambda asked, told: conn.execute(asked, told).fetchone())
        shown, count = cosigner_keys.key_rows({})
        strangers = conn.execute("SELECT * FROM ops.cosigner_entries(ARRAY[0]::bigint[])").fetchall()
    assert (count, strangers) == (3, [])  # of another entry nothing is told
    assert [(each.algorithm, each.standing) for each in shown].count(("SM2", "已停用")) == 2
    assert {each.accepted.index for each in shown} == {1, 2, 3}
    operator = operator_id(kit.tested.platform)
    for each in shown:
        assert each.retired is not None
        assert each.accepted.url.startswith(f"/x/v1/receipts/{operator}/")
        assert each.retired.url.startswith(f"/x/v1/receipts/{operator}/")


def test_each_key_is_accepted_replaced_and_retired_by_an_entry_that_the_published_list_names(
    kit: Kit, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"url": kit.configured.url, "key": list(kit.configured.keys), "trust_domain": "某大学"}
    assert _command(kit, "add", **fields) == 0
    assert "日志第 1 条、第 2 条" in capsys.readouterr().out
    published = (kit.tested.platform.data_dir / "trust.txt").read_text("utf-8").splitlines()
    for key, index in zip(kit.configured.keys, (1, 2), strict=True):
        at = published.index(f"cosigner {key} 某大学")
        assert published[at - 1].startswith(f"# 日志第 {index} 条（入账编号 ")
    assert published[0] == "# 日志第 0 条" and published[2].startswith("code ")
    anew = _stranger("w/1").verifier_key()
    assert _command(kit, "add", **fields | {"key": [kit.configured.keys[0], anew]}, because="换密钥") == 0
    assert _command(kit, "add", **fields | {"key": [kit.configured.keys[0], anew]}) == 0
    assert kit.size() == 4
    told = read_acceptances(kit.tested.platform)
    assert [each.key for each in told.standing()] == [kit.configured.keys[0], anew]
    moved = "w/2" + anew[anew.index("+") :]
    assert _command(kit, "add", **fields | {"key": [moved]}) == 1
    assert "公钥不对" in capsys.readouterr().err  # the hash binds the name
    public = parse_cosigner(anew).public
    renamed = format_typed_key("w/2", SM2_COSIGNATURE_TYPE, public)
    assert _command(kit, "add", **fields | {"key": [renamed]}) == 1
    assert "同一把公钥" in capsys.readouterr().err
    assert _command(kit, "remove", name="w/1", because="协议到期") == 0
    assert _command(kit, "add", **fields | {"key": [renamed]}) == 1
    assert "在日志第 3 条以 w/1 的名称接受过" in capsys.readouterr().err
    assert _command(kit, "remove", name="w/1") == 2
    before = list(read_acceptances(kit.tested.platform))
    projector = Projector(kit.tested.platform.conninfo("plumb_projector"))
    projector.catch_up()
    projector.close()
    assert list(read_acceptances(kit.tested.platform)) == before  # the tables say what the log says
    assert [each.retired_at is None for each in before] == [False, False, False]
    assert kit.size() == 6
    lines = (kit.tested.platform.data_dir / "trust.txt").read_text("utf-8").splitlines()
    trust = read_trust([str(kit.tested.platform.data_dir / "trust.txt")])
    assert set(trust.ended) == {*kit.configured.keys, anew}  # who reads old signatures needs retired keys
    assert any(each.startswith("# 日志第 3 条停用，第 2 条接受") for each in lines)
    _the_status_page_shows_the_keys_to_everybody(kit, monkeypatch)
    first, second = clashing_cosigner_keys("w/3")
    assert _command(kit, "add", **fields | {"key": [first]}) == 0
    assert _command(kit, "add", **fields | {"key": [second]}, because="换密钥") == 1
    assert "密钥编号" in capsys.readouterr().err


def test_a_cosigner_can_be_struck_off_while_the_log_may_not_be_signed_and_the_entry_follows(
    kit: Kit, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.accept()
    with monkeypatch.context() as stopped:
        stopped.setattr(CheckpointSigner, "check_start", _stops)
        assert _command(kit, "remove", name="w/1") == 1
        assert "把停用补记入账" in capsys.readouterr().err
        assert read_cosigners(kit.marks) == ()
        assert (
            _command(kit, "add", url=kit.configured.url, key=[*kit.configured.keys], trust_domain="某大学")
            == 0
        )
    assert _command(kit, "remove", name="w/1") == 0
    assert read_acceptances(kit.tested.platform).standing() == []


def _stops(*_: Any) -> Any:
    raise SigningStopped("数据库被恢复到了以前")


def test_the_worker_follows_the_list_by_itself(kit: Kit) -> None:
    kit.append()
    cosigning = Cosigning(kit.gateway, kit.marks)
    with kit.served():
        cosigning.start()
        try:
            assert kit.state()["size"] == 2  # the first round is over before anything else begins
            write_cosigners(kit.marks, [])
            cosigning.look()
            with psycopg.connect(kit.gateway) as conn:
                assert conn.execute("SELECT count(*) FROM ops.cosigner").fetchone() == (0,)
            write_cosigners(kit.marks, [kit.configured])
            cosigning.look()
            for name in (cosigners.FILE, cosigners.LAST_GOOD):
                (kit.marks / name).write_text('[[cosigner]]\nurl = "http://127.0.0.1:1"\nkey = "w/1+0+a"\n')
            cosigning.look()  # a list of before: nobody is forgotten, and it is said
            with psycopg.connect(kit.gateway) as conn:
                told = conn.execute("SELECT name, list_problem FROM ops.cosigner").fetchall()
            assert [each[0] for each in told] == ["w/1"] and "keys" in told[0][1]
            assert any("联署方名单" in each and "keys" in each for each in kit.audited())
        finally:
            cosigning.stop()


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _followed(name: str, minutes: float | None, *, external: bool = True, looked: float = 0) -> Followed:
    since = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Followed(
        name=name, is_external=external, behind_since=since, looked_at=NOW - timedelta(minutes=looked)
    )


@pytest.mark.parametrize(
    ("minutes", "level"),
    [(None, "fresh"), (15, "fresh"), (15.01, "late"), (240, "late"), (240.01, "stopped")],
)
def test_at_a_limit_is_within_it_and_beyond_it_is_not(minutes: float | None, level: str) -> None:
    limits = Limits.of(parameters(), "610300", date(2026, 11, 23))
    assert limits.level(backlog([_followed("a", minutes)], NOW)) == level


def test_the_best_external_cosigner_counts_and_who_is_not_looked_after_is_behind() -> None:
    assert backlog([], NOW) is None
    assert backlog([_followed("a", 300), _followed("b", None)], NOW) == timedelta(0)
    own = _followed("own", None, external=False)
    assert backlog([_followed("a", 300), own], NOW) == timedelta(minutes=300)
    assert backlog([own], NOW) == timedelta(0)
    assert backlog([_followed("a", None, looked=241)], NOW) == timedelta(minutes=241)
    limits = Limits.of(parameters(), "CN", date(2026, 11, 23))
    assert "已有 241 分钟" in reason(timedelta(minutes=241), limits).sentence
