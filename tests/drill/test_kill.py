"""A slice of `plumbline drill kill`, and that it finds what it is there for: bugs put in on purpose (耐久演练)."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path

import pytest

from plumbline.drill.kill.invariants import check
from plumbline.drill.kill.ledger import Ledger
from plumbline.drill.kill.lossy_files import CUT, LossyTree
from plumbline.drill.kill.matrix import ACTIONS, SESSION, UNSEEN, Matrix, cell, cells
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import Killer, Load, storm
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.supervision.journal import failpoints
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.vault import Vault

SLICE = [
    ("append append.after_entries=error", True),
    ("append append.before_commit=error", False),
    ("append append.after_commit=error", True),
    ("sign mark.temp_written=error", False),
    ("sign append.after_mark=error", True),
    ("file file.after_fsync=error", False),
    ("file file.after_rename=error", True),
    ("file file.after_entry=error", True),
    ("append append.before_commit=session", False),
    ("project project.before_commit=session", False),
    ("append append.after_commit=kill", True),
]


@pytest.fixture
def site(quiet_platform):
    made = Site(quiet_platform.platform)
    made.enrol()
    yield made
    made.stop()


@pytest.mark.clause("BJ 4.1.7-a")
@pytest.mark.service
def test_nothing_acknowledged_is_lost_doubled_or_dangling(site: Site) -> None:
    site.start()
    ledger = Ledger()
    matrix = Matrix(site, ledger)
    matrix.run(cell(name, sent_again=again) for name, again in SLICE)
    assert (matrix.broken, matrix.done) == ([], len(SLICE))
    load = Load(site, ledger, uploads=120, clients=4)
    chance = random.Random(4)
    killer = Killer(site, chance, (0.1, 0.3), {"gateway": 3, "projector": 1, "worker": 1})
    storm(site, load, killer, kills=5)
    verdict = check(site, ledger, projection=False)
    assert verdict.broken == []
    assert killer.killed.total() > 0
    assert verdict.receipts > 45 and verdict.files >= 24


@pytest.mark.service
def test_bugs_put_in_on_purpose_are_found(site: Site) -> None:
    """Each gateway has bugs of its own; those that sign what nobody keeps stop signing with theirs, and have marks of their own."""
    marks = site.platform.folder("marks")
    site.hosts = {"gateway-1": "first", "gateway-2": "second", "gateway-3": "third"}
    for host in site.hosts.values():
        shutil.copyfile(marks / "local.mark", marks / f"{host}.mark")
    bugs = [
        "row-first+personal-later",
        "no-idempotency+lost-session-taken-for-commit",
        "ack-first",
        "head-signed-before-commit",
    ]
    site.bugs = {f"gateway-{number}": bug for number, bug in enumerate(bugs)} | {"worker": "decides-anew"}
    site.start(gateways=len(bugs))
    ledger = Ledger()
    personal = Ledger(_serial=1)  # its next message has a personal part

    def breaches(gateway: int, name: str, *, sent_again: bool, ledger: Ledger = ledger) -> str:
        matrix = Matrix(site, ledger, only=gateway)
        matrix.run([cell(name, sent_again=sent_again)])
        return "\n".join(matrix.broken)

    assert "一次申请作了 2 次决定" in breaches(0, f"register {UNSEEN}=kill", sent_again=False)
    missing = breaches(0, "append append.after_commit=error", sent_again=True, ledger=personal)
    assert "个人信息部分有 0 份，应有 1 份" in missing
    assert "row without file" in breaches(0, "file file.after_fsync=error", sent_again=False)
    assert "重发后有 2 条入账" in breaches(1, "append answer.before_sent=error", sent_again=True)
    ended = breaches(1, "append append.before_commit=session", sent_again=False)
    assert "故障之后仍然答复已收" in ended
    assert "答复过的消息有 0 条入账" in breaches(2, "append answer.gateway=kill", sent_again=False)
    assert "应有 1 条入账，有 0 条" in breaches(3, "sign append.after_sign=kill", sent_again=False)


def test_a_point_that_never_strikes_is_a_breach_and_every_cell_is_known() -> None:
    wanted = cells()
    assert len({each.label for each in wanted}) == len(wanted)
    armed = {each.point for each in wanted if not each.point.startswith("answer.g")} - {
        "answer.database",
        UNSEEN,
    }
    assert armed == failpoints.NAMES, "a failpoint without a cell, or a cell without its failpoint"
    assert {each.action for each in wanted} == {*ACTIONS, SESSION}


def test_a_lossy_file_system_forgets_what_nobody_synced() -> None:
    tree = LossyTree()
    tree.mkdir("/files", 0o700)
    tree.fsyncdir("/", 0)
    for name in ("bytes", "name", "both"):
        tree.create(f"/files/{name}", 0o600)
        tree.write(f"/files/{name}", b"whole", 0)
    tree.fsync("/files/name", 0)
    tree.fsync("/files/both", 0)
    tree.unlink("/files/name")
    tree.fsyncdir("/files", 0)
    tree.rename("/files/both", "/files/moved")
    with pytest.raises(OSError, match="power") as cut:
        tree.mkdir(f"/{CUT}", 0o700)
    assert cut.value.errno == errno.ECANCELED
    assert tree.readdir("/files")[2:] == ["bytes", "both"], "a rename that nobody synced is undone"
    assert (tree.read("/files/bytes", 9, 0), tree.read("/files/both", 9, 0)) == (b"", b"whole")


def test_a_file_is_synced_before_its_name_and_its_name_before_it_is_said_to_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that keeps only what was synced, every prefix of the steps leaves the file whole or absent."""
    store, steps = FileStore(tmp_path), []
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: steps.append(Path(f"/proc/self/fd/{descriptor}").readlink())
    )
    monkeypatch.setattr("plumbline.supervision.journal.files.hit", lambda name: steps.append(name))
    sha256 = store.store(b"a report")
    folder = tmp_path / sha256[:2]
    temporary = steps[1]
    assert steps == [
        "file.after_write",
        temporary,
        "file.after_fsync",
        tmp_path,
        "file.after_rename",
        folder,
        "file.after_directory_fsync",
    ]
    assert temporary.parent == tmp_path / "incoming"
    steps.clear()
    FileStore(tmp_path).make_durable(sha256)
    assert steps[-2:] == [tmp_path, folder], "another process may have died before it could"


def test_the_key_of_a_person_is_durable_before_anything_is_sealed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record("ab" * 16, PersonalFields(name="演练"))
    folder, synced = tmp_path / "subjects", []
    folder.mkdir()
    first, second = Vault(folder), Vault(folder)
    monkeypatch.setattr("plumbline.supervision.journal.vault.sync_folder", synced.append)
    for vault in (first, first, second, second):
        vault.seal(record)
    assert synced == [folder, folder], "another process may have made the key and died before it could sync"


def test_a_file_whose_fsync_failed_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="input"):
        store.store(b"a report")
    assert list((tmp_path / "incoming").iterdir()) == []
