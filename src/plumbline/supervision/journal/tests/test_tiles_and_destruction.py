"""Published tiles, kept look-ups, destroyed subjects: on a real log (分片、查询、销毁)."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import psycopg
import pytest

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.exchange.uids import new_uid
from plumbline.supervision import commands
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.destruction import destroy_subject, replay_destructions
from plumbline.supervision.journal.lookup import Lookups
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.journal.tiles import TileStore, index_of, tile_path
from plumbline.supervision.journal.vault import SubjectDestroyedError, Vault
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.worker.publishing import Publisher

STATION, SUBJECT = "0" * 32, "cd" * 16


def _fill(platform, count: int) -> None:
    journal, now = platform.journal(), datetime.now(UTC)
    pending = [
        pending_from(
            PartyRegistered(
                v=1,
                uid=new_uid(now),
                sender=STATION,
                occurred_at=now,
                party=STATION,
                uscc="12610300MB2960001Y",
                name="某站",
                roles=["station"],
                division="610300",
            ),
            platform.keys.signer("web"),
            channel="internal",
        )
        for _ in range(count)
    ]
    for start in range(0, count, 64):
        journal.append(pending[start : start + 64])


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (67, "067"), (1067, "x001/067"), (1234067, "x001/x234/067")]
)
def test_a_tile_has_the_path_of_the_layout(index: int, path: str) -> None:
    assert tile_path(0, index) == f"0/{path}"
    assert index_of(path) == index


@pytest.mark.parametrize("text", ["", "1", "0067", "x1/067", "../000", "067/x001", "٠٦٧", "000\n"])
def test_other_paths_name_no_tile(text: str) -> None:
    assert index_of(text) is None


@pytest.mark.service
def test_full_tiles_are_written_once_and_hold_the_leaves(quiet_platform) -> None:
    _fill(quiet_platform, 256)
    folder = quiet_platform.platform.folder("tiles")
    publisher = Publisher(quiet_platform.platform.conninfo("plumb_gateway"), quiet_platform.signer, folder)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        assert (publisher.publish(conn), publisher.publish(conn)) == (1, 0)
        assert TileStore(folder, 1).publish(conn, 257) == 0
        rows = conn.execute("SELECT leaf_hash FROM journal.leaf WHERE idx < 256 ORDER BY idx").fetchall()
        stored = conn.execute("SELECT max(size) FROM journal.checkpoint").fetchone()
    assert TileStore(folder, 1).read(0, 0) == b"".join(bytes(row[0]) for row in rows)
    assert TileStore(folder, 1).read(0, 1) is None
    assert stored == (257,)


@pytest.mark.service
def test_a_checkpoint_is_made_once_a_second_however_many_ask(quiet_platform, monkeypatch) -> None:
    lookups = Lookups(quiet_platform.platform.conninfo("plumb_gateway"), quiet_platform.signer)
    lookups.start()
    first = lookups.checkpoint()
    _fill(quiet_platform, 1)
    assert lookups.checkpoint() == first
    monkeypatch.setattr(lookups, "_checkpoint", (lookups._checkpoint[0] - 1.1, first))
    assert lookups.checkpoint() != first
    lookups.stop()


@pytest.mark.service
def test_a_destroyed_subject_is_an_entry_made_once(quiet_platform) -> None:
    vault, sender = Vault(quiet_platform.platform.folder("subjects")), quiet_platform.sender()
    sealed = vault.seal(make_record(SUBJECT, PersonalFields(name="张三")))
    operator = party_id(operator_of(quiet_platform.platform)[0]).hex()
    told = {"operator": operator, "subject": SUBJECT, "because": "本人申请"}
    assert destroy_subject(vault, sender, **told) is not None
    assert destroy_subject(vault, sender, **told) is None
    assert destroy_subject(vault, sender, **told | {"because": "另一个原因"}) is None
    with pytest.raises(SubjectDestroyedError):
        vault.open(sealed)


@pytest.mark.service
@pytest.mark.parametrize("projected", [True, False])
def test_keys_and_list_of_an_older_backup_are_destroyed_again_from_the_log(
    quiet_platform, projected: bool
) -> None:
    """Also when the platform stopped before the entry was projected; and no second entry is made of it."""
    platform = quiet_platform.platform
    folder, conninfo = platform.folder("subjects"), platform.conninfo("plumb_projector")
    vault = Vault(folder)
    sealed = vault.seal(make_record(SUBJECT, PersonalFields(name="张三")))
    key = (folder / f"{SUBJECT}.key").read_bytes()
    operator = party_id(operator_of(platform)[0]).hex()
    sender = quiet_platform.sender()
    destroy_subject(vault, sender, operator=operator, subject=SUBJECT, because="本人申请")
    at = vault.destroyed_at(SUBJECT)
    if projected:
        projector = Projector(conninfo)
        projector.catch_up()
        projector.close()
    # The backup is from before: the key is there again, and the list does not know.
    (folder / f"{SUBJECT}.key").write_bytes(key)
    (platform.data_dir / "destroyed" / "destroyed.list").unlink()
    assert Vault(folder).open(sealed).name == "张三"
    assert (replay_destructions(conninfo, Vault(folder)), replay_destructions(conninfo, Vault(folder))) == (
        1,
        0,
    )
    for act in (
        lambda: Vault(folder).open(sealed),
        lambda: Vault(folder).seal(make_record(SUBJECT, PersonalFields(name="李四"))),
    ):
        with pytest.raises(SubjectDestroyedError):
            act()
    assert vault.destroyed_at(SUBJECT) == at
    again = destroy_subject(vault, sender, operator=operator, subject=SUBJECT, because="本人申请")
    assert again is None
    assert audit_log(platform.conninfo("plumb_gateway"), platform.folder("marks")) == []


@pytest.mark.service
def test_the_command_destroys_and_says_so(quiet_platform, monkeypatch, capsys) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(commands, "opened", lambda folder: nullcontext(quiet_platform.platform))
    given = argparse.Namespace(data_dir="x", subject=SUBJECT, because="本人申请", yes=False)
    assert commands.run_destroy(given) == 2
    given.yes = True
    assert commands.run_destroy(given) == 0
    assert "已入账" in capsys.readouterr().out
    assert Vault(quiet_platform.platform.folder("subjects")).is_destroyed(SUBJECT)
