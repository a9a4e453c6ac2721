"""The course of the drill (演练过程): a platform of its own, people in by every door, a search, planted leaks."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.outcome import Outcome
from plumbline.drill.privacy import database
from plumbline.drill.privacy.canaries import Canary, Secret, all_spellings, make_people
from plumbline.drill.privacy.doors import Doors, Sender
from plumbline.drill.privacy.leaks import LEAKS
from plumbline.drill.privacy.readers import Answer, begin_session, principals, walk
from plumbline.drill.privacy.searching import Hit, Searcher, distinct
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.scratch import scratch
from plumbline.embedded.supervisor import Supervisor
from plumbline.exchange.masks import STAR
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, operator_of, prepare
from plumbline.supervision.city_progress import read_progress
from plumbline.supervision.config import DEMO_ORIGIN, Platform
from plumbline.supervision.journal.vault import SealedRecord, SubjectDestroyedError, Vault
from plumbline.supervision.run import Serving, process_specs

LEFT_OUT = (
    "人脸照片没有自己的收件接口，试的是个人部分里的人脸摘要",
    "PDF 里找的是流中的字符串和元数据；用嵌入字体画出来的字是字形编号，没有还原成文字",
    "日志、WAL 里按 76 字一行折断的 base64 没有拼起来再找",
    "操作系统的交换区、内存转储、终端和浏览器缓存不在平台之内，没有搜",
    "密钥管理服务没有接，主体密钥在数据文件夹的文件里",
)
#: Who may read the name of a person whole, besides the place where the person works.
NAME_READERS = frozenset({"监督人员", "本机构"})


@dataclass(kw_only=True)
class Course:
    """One run on a platform: what went in, what was found."""

    platform: Platform
    url: str
    administrator: str
    seed: int
    people: int
    pages: int = 120
    city: list[Secret] = field(default_factory=list)
    #: Names of the city's people: they work on reports, and the public page of a report shows them masked.
    city_names: list[Secret] = field(default_factory=list)
    counts: dict[str, int | float | str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def run(self, out: Path, *, plant: bool = True) -> None:
        """Send, read, dump, search; then plant leaks. `out` takes dump and backup, and belongs to the run."""
        doors = Doors(platform=self.platform, url=self.url, rng=random.Random(f"doors {time.time_ns()}"))  # noqa: S311 - a drill's dice, no secret
        try:
            canaries, parties = self.send(doors)
            answers = self.read(parties, canaries)
        finally:
            doors.close()
        searcher = Searcher(all_spellings([s for each in canaries for s in each.secrets] + self.city))
        self.counts["查找的写法"] = searcher.size
        self.search_answers(doors, answers, canaries)
        hits = self.search_disk(searcher, out)
        self.counts["磁盘上的明文"] = len(hits)
        self.broken += distinct(hits)
        if plant:
            self.plant(out)

    def send(self, doors: Doors) -> tuple[list[Canary], dict[str, Sender]]:
        """Everybody in by every door; the last one is destroyed again."""
        # The names are of the seed; who they are in this log is not, so that a folder may be drilled twice.
        canaries = make_people(random.Random(f"{self.seed}/{time.time_ns()}"), max(3, self.people))  # noqa: S311 - a drill's dice, no secret
        parties = {
            name: doors.enrol(role)
            for name, role in (("own", "institution"), ("other", "institution"), ("site", "contractor"))
        }
        self._settle()
        own, first, gone = parties["own"], canaries[0], canaries[-1]
        for canary in canaries[1:]:
            doors.register(own, canary)
        doors.register_at_desk(first, own.party)
        doors.misuse(own, first)
        doors.in_addresses(first)
        doors.upload(own, first)
        doors.sign_in(first)
        doors.apply_for_key(canaries[1])
        doors.destroy(gone)
        doors.register(own, gone, expected=422)
        self.counts["数据库报错"] = database.provoke(self.platform, first)
        self._settle()
        time.sleep(2)  # the exchange monitor writes down refusals half a second later
        self.counts |= {
            "假想的人": len(canaries),
            "进来的门": len(doors.used),
            "报送次数": sum(doors.used.values()),
        }
        self.broken += doors.unexpected
        return canaries, parties

    def read(self, parties: dict[str, Sender], canaries: list[Canary]) -> list[Answer]:
        """Everything that each kind of reader reaches."""
        readers = principals(
            _operator(self.platform), parties["own"].party, parties["other"].party, parties["site"].party
        )
        known = [f"/people/{each.subject}/" for each in canaries[:3]]
        first = [*known, "/", "/people/", "/people/export.csv", "/exchange/export.csv", "/audit/export.csv"]
        first += ["/institutions/", "/exchange/", "/audit/", "/exports/", "/status/", "/v/"]
        first += ["/reports/export.csv", "/samples/export.csv", "/findings/export.csv"]
        found: list[Answer] = []
        for name, principal in readers.items():
            session = begin_session(self.platform, principal, name)
            found += walk(self.url, name, session, [*first, *self._codes()], most=self.pages)
        self.counts["读到的页面和导出"] = len(found)
        if failed := [each for each in found if each.status >= 500]:
            self.broken += [
                f"{each.reader} 读 {each.address.partition('?')[0]}：{each.status}" for each in failed[:5]
            ]
        return found

    def _codes(self) -> list[str]:
        with psycopg.connect(self.platform.conninfo("plumb_projector")) as conn:
            rows = conn.execute(
                "SELECT code FROM fact.registration WHERE code IS NOT NULL LIMIT 4"
            ).fetchall()
        return [address for (code,) in rows for address in (f"/v/{code}", f"/v/{code}/document")]

    def search_answers(self, doors: Doors, answers: list[Answer], canaries: list[Canary]) -> None:
        """No number to anybody; names whole to those alone who may read them, and to those they must show."""
        numbers = Searcher(all_spellings([s for s in self._secrets(canaries) if s.what != "姓名"]))
        names = Searcher(all_spellings([s for s in self._secrets(canaries) if s.what == "姓名"]))
        hits = self._public_pages(answers)
        for name, *parts in doors.answers:
            for part in parts:
                hits += numbers.deep(part, f"答复：{name}") + names.deep(part, f"答复：{name}")
        shown = 0
        for each in answers:
            where = f"{each.reader} 读 {each.address.partition('?')[0]}"
            # Apart from its head: what is packed is known by its first bytes.
            hits += numbers.deep(each.content, where) + numbers.deep(each.head, where)
            named = names.deep(each.content, where) + names.deep(each.head, where)
            if each.reader in NAME_READERS:
                shown += len(named)
            else:
                hits += named
        self.counts |= {"答复与页面里的明文": len(hits), "姓名显示给有权的人": shown}
        self.broken += distinct(hits)
        if not shown:
            self.broken.append("没有一页显示过姓名：页面的查找没有对照，等于没有查")

    def _public_pages(self, answers: list[Answer]) -> list[Hit]:
        """Names that stand whole on a report's public page; its registered original is for whoever has the code."""
        whole = Searcher(all_spellings(self.city_names))
        pages = [
            each
            for each in answers
            if each.reader == "公众" and each.address.startswith("/v/") and "document" not in each.address
        ]
        self.counts["公众看到的遮盖姓名"] = sum(each.content.count(STAR.encode()) > 0 for each in pages)
        return [hit for each in pages for hit in whole.deep(each.content, f"公众读 {each.address}")]

    def _secrets(self, canaries: list[Canary]) -> list[Secret]:
        return [secret for each in canaries for secret in each.secrets] + self.city

    def search_disk(self, searcher: Searcher, out: Path, *, backup: bool = True) -> list[Hit]:
        """The data folder (raw tables, write-ahead log, logs, files), a dump and a base backup."""
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        database.flush(self.administrator)
        database.dump(self.platform, self.administrator, out)
        if backup:
            database.base_backup(self.administrator, out)
        hits: list[Hit] = []
        total = files = 0
        for folder, name in ((self.platform.data_dir, "数据文件夹"), (out, "转储与备份")):
            found, number, size = searcher.in_folder(folder, name)
            hits, total, files = hits + found, total + size, files + number
        if backup:
            self.counts |= {"搜过的文件": files, "搜过的 MB": round(total / 1e6)}
        return hits

    def plant(self, out: Path) -> None:
        """Every planted leak has to be found. Each is of a person of its own, who was never sent anywhere."""
        people = make_people(random.Random(f"planted {time.time_ns()}"), len(LEAKS))  # noqa: S311 - a drill's dice, no secret
        undo = [
            leak(self.platform, self.administrator, person)
            for leak, person in zip(LEAKS.values(), people, strict=True)
        ]
        try:
            searcher = Searcher(all_spellings([s for each in people for s in each.secrets]))
            # A second copy of the raw files that are searched anyway would take as long as all the rest.
            told = [str(hit) for hit in self.search_disk(searcher, out, backup=False)]
        finally:
            for take_back in undo:
                take_back()
        missed = [
            name
            for name, person in zip(LEAKS, people, strict=True)
            if not any(person.subject[:6] in each for each in told)
        ]
        self.counts |= {"种下的泄漏": len(LEAKS), "找到的泄漏": len(LEAKS) - len(missed)}
        self.broken += [f"种下的泄漏没有找到：{name}" for name in missed]

    def _settle(self) -> None:
        """Everything in the log is projected."""
        until = time.monotonic() + 300
        with psycopg.connect(self.platform.conninfo("plumb_projector"), autocommit=True) as conn:
            while time.monotonic() < until:
                row = conn.execute(
                    "SELECT (SELECT pos FROM fact.position) >= (SELECT size FROM journal.head)"
                ).fetchone()
                if row and row[0]:
                    return
                time.sleep(0.1)
        raise TimeoutError("the projector did not keep up")


def _operator(platform: Platform) -> str:
    """Party id of whoever runs the platform."""
    return party_id(operator_of(platform)[0]).hex()


def vault_secrets(platform: Platform) -> list[Secret]:
    """Everything that the vault holds in clear to those who may open it: the people of a city."""
    vault, found = Vault(platform.folder("subjects")), []
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        stored = conn.execute("SELECT digest, subject, nonce, ciphertext FROM ops.personal").fetchall()
    for digest, subject, nonce, ciphertext in stored:
        sealed = SealedRecord(digest=digest, subject=subject, nonce=nonce, ciphertext=ciphertext)
        try:
            fields = vault.open(sealed)
        except SubjectDestroyedError:
            continue
        for what, text in (("姓名", fields.name), ("证件号", fields.resident_id), ("电话", fields.phone)):
            if text:
                found.append(Secret(what, subject, text))
    return found


@contextmanager
def own_platform() -> Iterator[tuple[Platform, str, str]]:
    """A whole platform in a folder of its own: platform, address, administrator's connection; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="plv-", dir=scratch()))
    cluster = Cluster(folder)
    try:
        running, serving = cluster.start(), Serving(port=free_port())
        settings = Settings(
            origin=DEMO_ORIGIN,
            public_url=serving.url,
            demo=True,
            operator=DEMO_OPERATOR,
            opened_at=datetime.now(UTC) - timedelta(days=136),
        )
        platform = prepare(folder, running, settings)
        supervisor = Supervisor(process_specs(platform, serving, free_port()), platform.folder("logs"))
        try:
            supervisor.start()
            yield platform, serving.url, running.dsn()
        finally:
            supervisor.stop()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill_city(platform: Platform, seed: int, scale: float) -> None:
    """A demo city on the platform, by a process of its own that is ended when the story is told."""
    argv = [sys.executable, "-m", "plumbline.demo.living.command", "--seed", str(seed), "--scale", str(scale)]
    with (platform.folder("logs") / "city.log").open("ab") as log:
        process = subprocess.Popen(argv, env=os.environ | platform.environment(), stdout=log, stderr=log)
        try:
            until = time.monotonic() + 3600
            while time.monotonic() < until and process.poll() is None:
                progress = read_progress(platform.data_dir)
                if progress is not None and progress.phase == "done":
                    return
                time.sleep(1)
            raise RuntimeError("演示城市没有填完，见 logs/city.log")
        finally:
            process.terminate()
            process.wait()


def drill_privacy(*, seed: int, scale: float, people: int) -> Outcome:
    """The full drill on a platform of its own."""
    begun = time.monotonic()
    out = Path(tempfile.mkdtemp(prefix="plv-out-", dir=scratch()))
    with own_platform() as (platform, url, administrator):
        course = Course(platform=platform, url=url, administrator=administrator, seed=seed, people=people)
        if scale > 0:
            print(f"填演示城市（规模 {scale}）", flush=True)
            fill_city(platform, seed, scale)
            told = vault_secrets(platform)
            course.city = [each for each in told if each.what != "姓名"]
            course.city_names = [each for each in told if each.what == "姓名"]
            course.counts["城市里的个人数据"] = len(course.city)
        print("把假想的人放进去，再搜", flush=True)
        try:
            course.run(out / "disk")
        finally:
            shutil.rmtree(out, ignore_errors=True)
    return Outcome(
        drill="privacy",
        seed=seed,
        seconds=time.monotonic() - begun,
        counts=course.counts | {"演示城市规模": scale},
        broken=tuple(course.broken),
        left_out=LEFT_OUT,
    )
