"""A slice of `plumbline drill kill`, and that it finds what it is there for: bugs put in on purpose (耐久演练)."""

from __future__ import annotations

import errno
import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from plumbline.drill.kill.invariants import check
from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.lossy_files import CUT, LOOK, SEEN, Changes, LossyTree
from plumbline.drill.kill.matrix import ACTIONS, SESSION, UNSEEN, Matrix, cell, cells
from plumbline.drill.kill.moments import Moments
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import Killer, Load, storm
from plumbline.drill.kill.worker_storm import WorkerStorm
from plumbline.evidence.mark import Head
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
    ("key key.linked=kill", True),
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


class _Disk:
    """A lossy tree with the platform's folders, and moments that look at it."""

    def __init__(self) -> None:
        self.tree, self.ledger = LossyTree(), Ledger()
        for name in ("files", "marks", "subjects"):
            self.tree.mkdir(f"/{name}", 0o700)
        self.tree.fsyncdir("/", 0)
        self.moments = Moments(self.ledger, self._look)

    def _look(self) -> Changes:
        with pytest.raises(OSError, match="looked"):
            self.tree.mkdir(f"/{LOOK}", 0o700)
        return msgspec.json.decode(self.tree.read(f"/{SEEN}", 1 << 20, 0), type=Changes)

    def put(self, path: str, data: bytes, *, synced: bool = True, named: bool = True) -> None:
        folder = path.rpartition("/")[0]
        self.tree.create(path, 0o600)
        self.tree.write(path, data, 0)
        if synced:
            self.tree.fsync(path, 0)
        if named:
            self.tree.fsyncdir(folder, 0)

    def file(self, **kept: bool) -> str:
        """An acknowledged file, as far durable as told."""
        upload = self.ledger.file(300)
        folder = f"/files/{upload.sha256[:2]}"
        self.tree.mkdir(folder, 0o700)
        self.tree.fsyncdir("/files", 0)
        self.put(f"{folder}/{upload.sha256}", upload.data, **kept)
        upload.answer = {}
        return f"{folder}/{upload.sha256}"


@pytest.mark.parametrize(
    ("kept", "told"),
    [({}, ""), ({"synced": False}, "断电后只有 0 字节"), ({"named": False}, "断电后不在")],
)
def test_a_moment_finds_a_file_that_was_acknowledged_before_it_was_durable(
    kept: dict[str, bool], told: str
) -> None:
    disk = _Disk()
    disk.file()
    disk.moments.moment()
    disk.file(**kept)
    disk.moments.moment()
    disk.moments.moment()  # nothing new was acknowledged: it does not count
    assert disk.moments.counted == 2
    assert [told in each for each in disk.moments.broken] == ([True] if told else [])


def test_a_moment_finds_what_was_durable_and_is_no_more() -> None:
    disk = _Disk()
    path = disk.file()
    disk.moments.moment()
    disk.tree.truncate(path, 7)
    disk.moments.moment()
    assert disk.moments.broken == [], "not before somebody makes the loss durable"
    disk.tree.fsync(path, 0)
    disk.moments.moment()
    assert "断电后只有 7 字节" in disk.moments.broken[0]
    other = disk.file()
    disk.moments.moment()
    disk.tree.unlink(other)
    disk.tree.fsyncdir(other.rpartition("/")[0], 0)
    disk.moments.moment()
    assert "断电后不在" in disk.moments.broken[1]
    assert len(disk.moments.broken) == 2, "each is told once"


def test_a_moment_looks_for_the_key_of_a_person_and_for_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.drill.kill.moments.signed", lambda receipt: (int(receipt), b""))
    disk = _Disk()
    record = make_record("ab" * 16, PersonalFields(name="演练"))
    upload = disk.ledger.add(Upload(what="message", data=b"{}", uid="u", personal=(record,)))
    upload.answer = {"receipt": "8"}
    disk.put("/marks/local.mark", Head("demo.example/log", 1, 8, bytes(32)).encode())
    disk.moments.moment()
    assert [("主体密钥" in each, "不在" in each) for each in disk.moments.broken] == [(True, True)]
    disk.put(f"/subjects/{record.subject}.key", bytes(32))
    disk.ledger.add(Upload(what="message", data=b"{}", uid="v")).answer = {"receipt": "9"}
    disk.moments.moment()
    assert "水位是 8 条，而答复过 9 条" in disk.moments.broken[1]
    disk.put("/marks/local.mark", b"half a ma")
    disk.moments.moment()
    assert "水位读不出来" in disk.moments.broken[2]
    assert len(disk.moments.broken) == 3


def test_what_was_looked_at_before_a_cut_can_be_read_after_it() -> None:
    disk = _Disk()
    path = disk.file()
    disk.moments.moment()
    disk.tree.truncate(path, 0)
    with pytest.raises(OSError, match="power"):
        disk.tree.mkdir(f"/{CUT}", 0o700)
    assert path in msgspec.json.decode(disk.tree.read(f"/{SEEN}", 1 << 20, 0), type=Changes).now
    disk.moments.moment()
    assert disk.moments.broken == []


def test_moments_that_cannot_look_are_a_breach() -> None:
    def nothing() -> Changes:
        raise OSError("gone")

    moments = Moments(Ledger(), nothing, every_s=0)
    moments.start()
    deadline = time.monotonic() + 10
    while not moments.broken and time.monotonic() < deadline:
        time.sleep(0.01)
    moments.stop()
    assert moments.broken == ["断电时刻看不成：OSError gone"]


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


@pytest.mark.clause("BJ 4.1.7-a")
@pytest.mark.service
def test_workers_that_are_killed_at_their_work_leave_each_application_its_one_decision(site: Site) -> None:
    site.start(gateways=1, others=("projector",))
    ledger = Ledger()
    workers = WorkerStorm(site, ledger, kills=20, seed=3)
    workers.run()
    site.stop()
    site.start(gateways=1, others=("projector", "worker"))
    workers.finish()
    assert workers.broken + check(site, ledger, projection=False).broken == []
    assert workers.killed.total() == 20
    assert workers.at_work >= 3 and workers.decided >= 6 and workers.sent >= workers.decided


@pytest.mark.service
def test_workers_that_do_not_know_the_decisions_of_killed_ones_are_found(site: Site) -> None:
    """Every application gets a decision, so that only the storm can tell: workers decide again what the projector does not know yet."""
    site.bugs = {"worker": "decides-anew", "projector": "takes-any-decision"}
    site.start(gateways=1, others=("projector",))
    ledger = Ledger()
    workers = WorkerStorm(site, ledger, kills=16, seed=57)
    workers.run()
    assert workers.broken == []
    doubled = check(site, ledger, projection=False).doubled
    assert doubled and all(each.startswith("code.withheld 对") for each in doubled), doubled


class _Gone:
    """A site whose gateway nobody can ask."""

    def client(self, number: int) -> None:
        raise ConnectionResetError(number)


def test_a_storm_without_applications_or_without_work_is_none() -> None:
    workers = WorkerStorm(_Gone(), Ledger(), kills=25)  # type: ignore[arg-type]
    workers._send(threading.Event())
    for line in ["worker ready", *["killed idle"] * 2, "worker rekilled holding", "ended by itself: 256"]:
        workers._told(line)
    workers.decided = 3
    workers.judge()
    assert workers.broken == [
        "报送申请的线程提前停了（ConnectionResetError），已报 0 份",
        "后台只被击杀 3 次，应有 25 次",
        "只有 1 次击杀时后台手上有没入完账的决定，至少应有 3 次",
    ]
    enough = WorkerStorm(_Gone(), Ledger(), kills=25, killed=Counter(holding=3, idle=22), decided=2)  # type: ignore[arg-type]
    enough.judge()
    assert enough.broken == ["被击杀的后台只作出 2 个决定，至少应有 3 个"]
    enough.decided, enough.broken = 3, []
    enough.judge()
    assert enough.broken == []
