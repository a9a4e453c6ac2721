"""The patrol of stored files (文件巡检): a flipped byte, a cut, a lost file are found, named once and later found whole."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.pages.view_models import ProcessRow
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.status import damaged_files, headline, patrol_sentence
from plumbline.supervision.worker import patrol as patrols
from plumbline.supervision.worker.patrol import CHANGED, GONE, Patrol, cycle_from_env, damage_of


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    path, digest = tmp_path / "file", hashlib.sha256(data).hexdigest()
    assert damage_of(path, digest, len(data)) == (GONE, 0)
    path.write_bytes(data)
    assert damage_of(path, digest, len(data)) == ("", len(data))
    for at in (0, 1_500_000, len(data) - 1):
        _flip(path, at)
        assert damage_of(path, digest, len(data))[0] == CHANGED
        _flip(path, at)
    path.write_bytes(data[:-1])
    assert damage_of(path, digest, len(data))[0] == CHANGED
    path.unlink()
    path.mkdir()
    assert damage_of(path, digest, len(data))[0] == "文件读不出来（EISDIR）"


def test_what_the_process_lacks_is_no_damage(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")

    def exhausted(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(Path, "open", exhausted)
    with pytest.raises(OSError, match="too many"):
        damage_of(path, hashlib.sha256(b"1").hexdigest(), 1)


class _Site:
    """Stored files of a quiet platform and a worker that looks at them."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.files = FileStore(platform.folder("files"))
        self.patrol = Patrol(platform.conninfo("plumb_worker"), self.files)

    def store(self, count: int, state: str = "stored") -> list[str]:
        made = []
        with psycopg.connect(self.platform.conninfo("plumb_gateway")) as conn:
            for number in range(count):
                data = f"{state} {number}".encode() * 7
                digest = hashlib.sha256(data).hexdigest()
                path = self.files.path(digest)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
                conn.execute(
                    "INSERT INTO ops.file (sha256, bytes, media_type, uploaded_by, state) VALUES (%s, %s, 'image/png', %s, %s)",
                    [bytes.fromhex(digest), len(data), b"\1" * 16, state],
                )
                made.append(digest)
        return made

    def look(self, patrol: Patrol | None = None) -> int:
        """Rounds until nothing is due; how many files were looked at."""
        patrol, looked = patrol or self.patrol, 0
        with psycopg.connect(
            self.platform.conninfo("plumb_worker"), row_factory=dict_row, autocommit=True
        ) as conn:
            while more := patrol.round(conn):
                looked += more
            self.standing = patrol.standing(conn)
        return looked

    def owner(self, statement: str) -> list[Any]:
        with psycopg.connect(self.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            found = conn.execute(statement.encode())
            return found.fetchall() if found.description else []

    def events(self) -> list[tuple[str, str, str]]:
        return self.owner(
            "SELECT action, subject, detail->>'found' FROM ops.audit_event WHERE request = 'patrol' ORDER BY id"
        )


@pytest.mark.service
@pytest.mark.clause("BJ 4.1.7-a")
def test_every_rotten_file_of_a_thousand_is_found_once_and_found_whole_again(quiet_platform) -> None:
    site = _Site(quiet_platform.platform)
    stored = site.store(1000)
    site.store(5, "announced")
    assert site.look() == 1000
    assert site.standing["damaged"] == site.standing["unseen"] == 0
    assert site.look() == 0, "nobody's turn before a week is over"

    chance = random.Random(3)
    rotten = chance.sample(stored, 40)
    whole = {each: site.files.path(each).read_bytes() for each in rotten}
    for each in rotten[:-1]:
        _flip(site.files.path(each), chance.randrange(len(whole[each])))
    site.files.path(rotten[-1]).unlink()
    site.owner("UPDATE ops.file SET checked_at = checked_at - interval '8 days'")
    assert site.look() == 1000
    assert {each[1] for each in site.events()} == set(rotten)
    assert [each[2] for each in site.events() if each[1] == rotten[-1]] == [GONE]
    assert site.standing["damaged"] == 40

    site.owner("UPDATE ops.file SET checked_at = checked_at - interval '11 minutes'")
    assert site.look() == 40, "the damaged ones alone come again after ten minutes"
    assert len(site.events()) == 40, "said once"
    for each, data in whole.items():
        site.files.path(each).write_bytes(data)
    site.owner("UPDATE ops.file SET checked_at = checked_at - interval '11 minutes'")
    site.look()
    assert site.standing["damaged"] == 0
    assert sorted(each[1] for each in site.events() if each[0] == "file.repaired") == sorted(rotten)


@pytest.mark.service
def test_files_looked_at_by_a_clock_that_was_ahead_are_looked_at_again(quiet_platform) -> None:
    site = _Site(quiet_platform.platform)
    stored = site.store(3)
    assert site.look() == 3
    site.owner("UPDATE ops.file SET checked_at = now() + interval '1 year'")
    _flip(site.files.path(stored[0]), 3)
    assert site.look() == 3
    assert [each[:2] for each in site.events()] == [("file.damaged", stored[0])]


@pytest.mark.service
def test_two_workers_name_a_file_once(quiet_platform, monkeypatch) -> None:
    site = _Site(quiet_platform.platform)
    _flip(site.files.path(site.store(1)[0]), 3)
    other, real = Patrol(quiet_platform.platform.conninfo("plumb_worker"), site.files), damage_of

    def meanwhile(*told: Any) -> tuple[str, int]:
        monkeypatch.setattr(patrols, "damage_of", real)
        site.look(other)
        return real(*told)

    monkeypatch.setattr(patrols, "damage_of", meanwhile)
    site.look()
    assert [each[0] for each in site.events()] == ["file.damaged"]


def test_the_status_page_says_what_the_workers_found() -> None:
    now = datetime.now(UTC)

    def beats(age: timedelta = timedelta(seconds=3), **told: Any) -> list[dict[str, Any]]:
        there = {"now": now, "beat_at": now - age}
        plain = {"days": 7, "damaged": 0, "unseen": 0, "since": "", "told_at": now.isoformat()}
        return [there | {"detail": None}, there | {"detail": {"patrol": plain | told}}]

    assert patrol_sentence(beats()[:1]) == (Tone.WARN, "还没有巡检")
    since = (now - timedelta(days=5)).isoformat()
    tone, sentence = patrol_sentence(beats(since=since))
    assert tone is Tone.OK and sentence.startswith("每 7 天逐个核对一遍；") and "全部核对过" in sentence
    assert "12 个文件还没有核对过" in patrol_sentence(beats(unseen=12))[1]
    assert "1000 个以上文件还没有核对过" in patrol_sentence(beats(unseen=1000))[1]
    tone, sentence = patrol_sentence(beats(since=since, damaged=2))
    assert tone is Tone.BAD and "2 个文件与登记不符" in sentence
    assert damaged_files([]) == 0
    gone = beats(timedelta(minutes=2), damaged=2)
    assert damaged_files(gone) == 0 and patrol_sentence(gone) == (Tone.WARN, "还没有巡检")
    for told, said in (
        ({"since": (now - timedelta(days=15)).isoformat()}, "跟不上"),
        ({"since": since, "told_at": (now - timedelta(minutes=11)).isoformat()}, "没有动静"),
    ):
        tone, sentence = patrol_sentence(beats(**told))
        assert tone is Tone.WARN and said in sentence


def test_damage_is_the_headline() -> None:
    rows = tuple(
        ProcessRow(kind=kind, name=kind, tone=Tone.OK, standing="正常") for kind in ("网关", "入账", "后台")
    )
    assert headline(0.1, 0, rows, damaged=2).headline == "2 个文件与登记不符"
    assert headline(0.1, 0, rows, damaged=2).tone is Tone.BAD
    assert headline(0.1, 0, rows).tone is Tone.OK


@pytest.mark.parametrize(
    ("told", "days"),
    [("", 7), (" 1 ", 1), ("365", 365), ("0", None), ("366", None), ("\uff17", None), ("-1", None)],
)
def test_a_cycle_that_is_none_is_refused(told: str, days: int | None) -> None:
    env = {"PLUMB_PATROL_DAYS": told}
    if days is None:
        with pytest.raises(ValueError, match="1 到 365"):
            cycle_from_env(env)
    else:
        assert cycle_from_env(env) == timedelta(days=days)
