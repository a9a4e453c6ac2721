"""A slice of the drill tamper (演练：篡改): found and named on a small log, and the drill itself fails when an audit looks away."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql

from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.tampering.acts import Acts, Tally
from plumbline.drill.tampering.disk import Disk
from plumbline.drill.tampering.history import History
from plumbline.drill.tampering.values import UntaughtType, variants
from plumbline.evidence.checkpoint import Checkpoint, Ed25519NoteSigner, Sm2NoteSigner, sign_checkpoint
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.exchange.messages.platform import BlobStored
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal import audit, audit_checkpoints, audit_files, audit_origins, audit_trail
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.audit_checkpoints import Kept, is_whole
from plumbline.supervision.journal.audit_origins import Origins
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, public_bytes
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.projection import compare
from plumbline.supervision.projection.rebuild import audit_projection, build_shadow
from plumbline.supervision.projection.schema import drop_shadow
from plumbline.supervision.worker.sealing import Sealing

SEED = 20261123


def test_every_type_has_other_values_and_a_new_type_must_be_taught() -> None:
    assert [each.word for each in variants("jsonb", '{"v": "38.5", "n": 2}')] == [
        "文字数字末尾添零",
        "数字末尾添零",
        "改一个字",
        "多一项",
        "变空",
    ]
    assert [each.word for each in variants("text[]", "{a,a}")] == ["多一项", "多一个空项", "变空"]
    with pytest.raises(UntaughtType, match="inet"):
        variants("inet", "::1")


class _Slice:
    """The drill's parts on a quiet platform, a few columns of each table."""

    def __init__(self, world, conn: psycopg.Connection) -> None:
        self.platform, self.conn = world.platform, conn
        self.keys = PlatformKeys.load(self.platform.folder("keys"))
        self.signer = CheckpointSigner(self.keys.log, self.platform.folder("marks"))
        self.receipt = world.send_file()
        newest_checkpoint(self.platform.conninfo("plumb_gateway"), self.signer)
        self.kept = Kept.of(self.platform.folder("marks"), b"")

    def acts(self, *only: str, rows: int = 1, every: int = 1) -> tuple[Acts, Tally]:
        tally = Tally()
        return Acts(conn=self.conn, tally=tally, seed=SEED, rows=rows, only=only, every=every), tally

    def facts(self, *only: str, every: int = 1) -> Tally:
        acts, tally = self.acts(*only, every=every)
        acts.facts()
        return tally

    def journal(self, *only: str, kept: Kept | None = None) -> Tally:
        acts, tally = self.acts(*only)
        acts.journal(kept or self.kept)
        return tally

    def disk(self) -> Tally:
        tally, folders = Tally(), [self.platform.folder(name) for name in ("files", "tiles", "marks")]
        files, tiles, marks = folders
        conninfo = self.platform.conninfo("plumb_gateway")
        Disk(tally=tally, files=files, tiles=tiles, marks=marks, seed=SEED, count=1).run(
            lambda: _file_sentences(conninfo, files, tiles),
            lambda: audit_log(conninfo, marks),
        )
        return tally

    def history(self, kept: Kept, shown: tuple[str, ...]) -> tuple[Tally, dict[str, str]]:
        tally = Tally()
        made = History(
            conn=self.conn, tally=tally, keys=self.keys, signer=self.signer, kept=kept, shown=shown
        )
        return tally, made.run()


def _file_sentences(conninfo: str, files: Path, tiles: Path) -> list[str]:
    notes: list[str] = []
    return audit_files.audit_files(conninfo, files, tiles, settled_s=0, notes=notes) + notes


def _fill(world) -> None:
    """A report up to its application, and a stored file."""
    case = world.case()
    case.issue_tags(), case.sample(), case.commission()
    case.ids["number"] = "0" * 32
    case.test()
    world.apply(case)
    files = FileStore(world.platform.folder("files"))

    def send_file() -> str:
        data = b"%PDF-1.7 a report"
        digest, party = files.store(data), world.parties["institution"].party
        with psycopg.connect(world.platform.conninfo("plumb_gateway")) as conn:
            conn.execute(
                "INSERT INTO ops.file VALUES (%s, %s, 'application/pdf', %s, 'verified')",
                [bytes.fromhex(digest), len(data), bytes.fromhex(party)],
            )
        return world.by_station(
            BlobStored, sha256=digest, bytes=len(data), media_type="application/pdf", uploaded_by=party
        ).receipt

    world.send_file = send_file


def _left_out(table: str):
    real = compare._rows_differ
    return lambda conn, first, second, name: None if name == table else real(conn, first, second, name)


def _by_value(conn, first: str, second: str, table: str):
    """As PostgreSQL compares documents: 38.5 is 38.50, NULL is null."""
    names = [sql.Identifier(schema, table) for schema in (first, second)]
    rows = conn.execute(
        sql.SQL(
            "SELECT a.id::text FROM {} a JOIN {} b ON a.id = b.id WHERE to_jsonb(a) IS DISTINCT FROM to_jsonb(b)"
        ).format(*names)
    ).fetchall()
    return compare.TableDifference(table=table, changed=len(rows)) if rows else None


@pytest.mark.clause("BJ 4.1.7-a")
@pytest.mark.service
def test_a_slice_of_the_drill_finds_and_names_all_and_fails_when_an_audit_looks_away(
    quiet_world, quiet_platform, monkeypatch
) -> None:
    _fill(quiet_world)
    name = quiet_world.platform.database.name
    superuser = psycopg.conninfo.make_conninfo(quiet_platform.administrator, dbname=name)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        drill = _Slice(quiet_world, conn)
        quiet_world.settle()
        build_shadow(quiet_world.conninfo())[0].close()
        for tally, least in (
            (drill.facts(every=17), 150),
            (drill.facts("run", "position"), 50),
            (drill.journal(), 50),
            (drill.disk(), 12),
        ):
            assert tally.broken == []
            assert tally.tried.total() >= least
        _rewritten(drill)
        _looking_away(drill, monkeypatch)
    drop_shadow(quiet_world.conninfo()["plumb_migrate"])
    _is_clean(quiet_world)
    _is_patient(quiet_world, monkeypatch)
    _takes_leftovers_for_none(quiet_world)


def _is_patient(world, monkeypatch) -> None:
    """The gateway's role may be silent for two seconds in a transaction; an audit that hashes files is silent for hours."""
    conninfo, marks = world.platform.conninfo("plumb_gateway"), world.platform.folder("marks")
    allowed = []

    def look(conn, *_, **__) -> list[str]:
        allowed.append(conn.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0])
        return []

    with monkeypatch.context() as patched:
        patched.setattr(audit, "audit_journal", look)
        patched.setattr(audit_files, "audit_blobs", look)
        assert audit_log(conninfo, marks) == []
        assert audit_files.audit_files(conninfo, marks, marks / "none") == []
    assert allowed == ["0", "0"]


def _takes_leftovers_for_none(world) -> None:
    """What a crash between a file's name and its row leaves is told, and is no alarm."""
    files, tiles = world.platform.folder("files"), world.platform.folder("tiles")
    name = FileStore(files).store(b"its sender never came back")
    conninfo, notes = world.platform.conninfo("plumb_gateway"), list[str]()
    assert audit_files.audit_files(conninfo, files, tiles, settled_s=-1, notes=notes) == []
    assert [name in each for each in notes] == [True]
    (files / name[:2] / name).unlink()


def _is_clean(world) -> None:
    marks, conninfo = world.platform.folder("marks"), world.platform.conninfo("plumb_gateway")
    assert audit_log(conninfo, marks) == []
    files, tiles = world.platform.folder("files"), world.platform.folder("tiles")
    assert audit_files.audit_files(conninfo, files, tiles, settled_s=0) == []
    assert audit_projection(world.conninfo()) == []


def _rewritten(drill: _Slice) -> None:
    """A whole history that agrees with itself is contradicted by what is kept elsewhere, and by nothing else."""
    tally, found = drill.history(drill.kept, (drill.receipt,))
    assert tally.broken == []
    assert "源头签名" in found["改一个测值"]
    assert all("本机的水位" in by and "别处留存的回执" in by for by in found.values())
    blind, _ = drill.history(replace(drill.kept, marks=(), published={}), ())
    assert len(blind.broken) == len(found)


def _looking_away(drill: _Slice, monkeypatch) -> None:
    """Each hole in an audit is a hole that the drill reports."""
    holes = {
        "a table is left out": (compare, "_rows_differ", _left_out("run"), lambda: drill.facts("run")),
        "values count, not digits": (compare, "_rows_differ", _by_value, lambda: drill.facts("run.body")),
        "no column is named": (
            compare,
            "_columns_differ",
            lambda *_: (),
            lambda: drill.facts("run.technician"),
        ),
        "a blob's bytes are not hashed": (audit_files, "_bytes_problems", lambda *_: [], drill.disk),
        "a checkpoint's signature is not checked": (
            audit_checkpoints,
            "is_signed",
            lambda *_, **__: True,
            lambda: drill.journal("checkpoint.note"),
        ),
    }
    for what, (module, name, mutant, part) in holes.items():
        with monkeypatch.context() as patched:
            patched.setattr(module, name, mutant)
            assert part().broken, what
        assert part().broken == [], what
    unlisted = replace(drill.kept, published={})
    assert any("删一行" in each for each in drill.journal("checkpoint", kept=unlisted).broken)
    with monkeypatch.context() as patched:
        patched.setattr(audit_origins, "verify_origin", lambda *_: True)
        assert "源头签名" not in drill.history(drill.kept, (drill.receipt,))[1]["改一个测值"]


def test_sizes_of_published_checkpoints_outlive_a_torn_end(tmp_path: Path) -> None:
    from plumbline.supervision.journal.published import published, remember

    for size in (3, 300, 2**40):
        remember(tmp_path, "host.a", 2, size)
    remember(tmp_path, "b", 2, 7)
    for torn in (
        b"0000000",
        b"\0" * 21,
        b"0000000000000000",
    ):  # by a power cut; whoever comes next appends to it
        with (tmp_path / "b.2.published").open("ab") as file:
            file.write(torn)
        remember(tmp_path, "b", 2, 8)
    remember(tmp_path, "b", 2, 9)
    assert published(tmp_path) == {2: {3, 7, 9, 300, 2**40}}


def test_a_stored_note_has_the_logs_own_lines_and_no_other() -> None:
    point = Checkpoint("log.example/1", 7, bytes(32))
    plain, sm2 = Ed25519PrivateKey.generate(), Sm2PrivateKey.generate()
    key, other = public_bytes(plain), Sm2PrivateKey.generate()
    one = Ed25519NoteSigner(point.origin, plain)
    lone = sign_checkpoint(point, [one])
    both = sign_checkpoint(point, [one, Sm2NoteSigner(point.origin, sm2)])
    mine, none = sm2.public_key.point, b""
    assert is_whole(lone, point.origin, key, none) and is_whole(lone, point.origin, key, mine)
    assert is_whole(both, point.origin, key, mine) and is_whole(both, point.origin, key, None)
    assert is_whole(both, point.origin, key, other.public_key.point)  # signed by the SM2 key of another year
    head, _, line = both[:-1].rpartition(" ")
    signature = bytearray(base64.b64decode(line))
    signature[-1] ^= 1
    bent = f"{head} {base64.b64encode(bytes(signature)).decode()}\n"
    assert not is_whole(bent, point.origin, key, mine)
    assert not is_whole(both, point.origin, key, none)
    assert not is_whole(lone + lone.splitlines(keepends=True)[-1], point.origin, key, mine)


def test_a_key_that_a_stranger_named_first_makes_no_alarm(monkeypatch) -> None:
    origins = Origins()
    origins._take("firm.key", "ed25519", base64.b64encode(b"stranger").decode())
    origins._take("firm.key", "ed25519", base64.b64encode(b"owner").decode())
    monkeypatch.setattr(audit_origins, "verify_origin", lambda _, key, message: key == message)
    signed = SimpleNamespace(origin=[SimpleNamespace(key_id="firm.key", algorithm="ed25519")])
    assert origins.refuted(signed, b"owner") == []
    assert origins.refuted(signed, b"forger") == ["firm.key"]


def test_the_audit_trail_and_its_seals_are_changed_everywhere_and_the_drill_sees_an_audit_that_looks_away(
    quiet_platform, monkeypatch
) -> None:
    platform = quiet_platform.platform
    operator = party_id(operator_of(platform)[0]).hex()
    sealing = Sealing(platform.conninfo("plumb_worker"), quiet_platform.sender(), operator)
    event = (
        "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
        "SELECT 'a.b', 'account.changed', 's' || n, 'done', 'POST account', '{\"n\": 2}' FROM generate_series(1, 4) n"
    )
    with sealing.connected() as worker:
        for _ in range(3):
            worker.execute(event)
            sealing.round(worker)
    superuser = psycopg.conninfo.make_conninfo(quiet_platform.administrator, dbname=platform.database.name)
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        tally = Tally()
        Acts(conn=conn, tally=tally, seed=SEED, rows=3).trail_rows()
        assert tally.broken == []
        assert tally.refused == []
        assert tally.columns["ops.audit_event"] == {
            "id", "at", "actor", "action", "subject", "outcome", "request", "detail",
        }  # fmt: skip
        assert tally.columns["ops.trail_seal"] >= {"number", "uid", "at", "occurred_at", "events", "root"}
        assert tally.columns["ops.trail_sealed"] == {"id", "seal", "hash"}
        monkeypatch.setattr(audit_trail, "_hold_events", lambda *_: (0, []))
        spoilt = Tally()
        Acts(conn=conn, tally=spoilt, seed=SEED, rows=1, only=("audit_event.actor",)).trail_rows()
        assert any("没有发现：ops.audit_event.actor" in each for each in spoilt.broken)
