"""A tiny city in real processes: the clock goes forward, a line is cut and healed, the platform stops; nothing is lost or doubled."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from plumbline.demo import tools
from plumbline.demo.clients import open_clients
from plumbline.demo.live_press import live_plan
from plumbline.demo.living.command import newest_time, told_to_the_end, trust_institutions
from plumbline.demo.living.core import core_of
from plumbline.demo.living.enrol import enrol_city
from plumbline.demo.living.progress import goes_on
from plumbline.demo.living.town import build_city
from plumbline.demo.plan import Oddities
from plumbline.demo.story import StationSender
from plumbline.domain.basics.identifiers import party_id
from plumbline.embedded.ports import free_port
from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.embedded.scratch import scratch
from plumbline.embedded.supervisor import Supervisor
from plumbline.exchange.messages.registry import RoleGranted
from plumbline.exchange.uids import new_uid
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.city_progress import Progress, read_progress, write_progress
from plumbline.supervision.config import DEMO_ORIGIN, Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.demo_clock import begin_telling, end_telling
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.run import Serving, process_specs

pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif("DATABASE_URL" in os.environ, reason="the tools look for the demo's own database"),
]
SEED, SCALE = 9, 0.01


@dataclass
class Demo:
    """A demo that runs, with its parties enrolled and nothing sent yet."""

    platform: Platform
    told: list[str]

    def run(self, what: str, value: str | None = None, **options: str | None) -> str:
        """Run a tool as the command line does; what it said."""
        given = argparse.Namespace(
            data_dir=str(self.platform.data_dir), what=what, value=value, to=None, forward=None
        )
        vars(given).update(options)
        runs = {
            "time": tools.run_time,
            "cut": tools.run_cut,
            "heal": tools.run_heal,
            "stop-platform": tools.run_stop,
        }
        self.told.clear()
        assert runs[what](given, self.told.append) == 0
        return "\n".join(self.told)

    def rows(self, query: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.platform.conninfo("plumb_projector")) as conn:
            return conn.execute(query.encode(), values).fetchall()

    def soon(self, query: str, *values: object) -> list[tuple]:
        """Rows of a query, as soon as there are some."""
        until = time.monotonic() + 60
        while not (found := self.rows(query, *values)):
            assert time.monotonic() < until, query
            time.sleep(0.1)
        return found

    @property
    def stage(self) -> tools.Stage:
        return tools.Stage.open(self.platform.data_dir)


def _enrol(platform: Platform) -> None:
    """The three institutions of the smallest city; its months are left out."""
    now = datetime.now(UTC)
    city = build_city(SEED, SCALE, now.date())
    desk = StationSender(platform)
    try:
        enrol_city(core_of(city), desk, data_dir=platform.data_dir, at=now - timedelta(minutes=5))
    finally:
        desk.close()
    trust_institutions(platform, core_of(city))
    folder = platform.data_dir / "city"
    shutil.copy(folder / "enrolled-core", folder / "enrolled")
    told = {"seed": SEED, "scale": SCALE, "today": now.date().isoformat(), "end": now.isoformat()}
    (folder / "city.json").write_text(json.dumps(told), "utf-8")


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    cluster, serving = Cluster(folder), Serving(port=free_port())
    settings = Settings(
        origin=DEMO_ORIGIN,
        public_url=serving.url,
        demo=True,
        operator=DEMO_OPERATOR,
        opened_at=datetime.now(UTC) - timedelta(days=1),
    )
    platform = prepare(folder, cluster.start(), settings)
    supervisor = Supervisor(process_specs(platform, serving, free_port()), platform.folder("logs"))
    try:
        supervisor.start()
        with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
            begin_telling(conn, by="test")
        _enrol(platform)
        yield Demo(platform, [])
    finally:
        supervisor.stop()
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_while_the_past_is_told_neither_a_page_nor_an_upload_of_today_ends_it(demo: Demo) -> None:
    platform, operator = demo.platform, party_id(DEMO_OPERATOR.uscc).hex()
    city = build_city(SEED, SCALE, datetime.now(UTC).date())
    newest, today = newest_time(platform), datetime.now(UTC)
    assert newest and today - newest > timedelta(minutes=4)
    granted = RoleGranted(
        v=1, uid=new_uid(today), sender=operator, occurred_at=today, person="1" * 32, role="officer",
        party=operator, division="610100", capacity="监督员",
    )  # fmt: skip
    keys = PlatformKeys.load(platform.folder("keys"))
    journal = Journal(
        platform.conninfo("plumb_gateway"), CheckpointSigner(keys.log, platform.folder("marks"))
    )
    page = PlatformSender(journal, keys.signer("web"))
    dated = page.in_demo_time(granted)
    assert (page.submit(dated, session="1" * 32).logged_at, dated.occurred_at) == (newest, newest)
    stored = (
        "SELECT logged_at, occurred_at FROM fact.event WHERE kind = 'blob.stored' ORDER BY idx DESC LIMIT 1"
    )
    with open_clients(city.teams[0].cast, platform.data_dir, platform.public_url) as clients:
        clients.parties["institution"].upload(b"a person's file", "application/octet-stream")
        assert demo.soon(stored) == [(newest, newest)]
        later = newest + timedelta(minutes=1)
        clients.parties["institution"].upload(
            b"the city's next file", "application/octet-stream", stated_at=later
        )
    assert newest_time(platform) == later
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        end_telling(conn, by="test")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
            conn.execute("UPDATE ops.demo_clock SET telling = true")
    ended = msgspec.structs.replace(granted, uid=new_uid(today))
    assert page.submit(ended, session="1" * 32).logged_at >= today
    journal.close()


def test_a_filling_that_breaks_off_says_so_and_two_never_fill_one_city(demo: Demo) -> None:
    def fill_within_another() -> None:
        with told_to_the_end(demo.platform), told_to_the_end(demo.platform):
            pass

    with pytest.raises(EmbeddedProblem, match="正在补齐"):
        fill_within_another()
    seen = read_progress(demo.platform.data_dir)
    assert seen and seen.phase == "stopped"
    assert "还没有补齐就停了" in seen.text
    assert "接着补齐" in goes_on(seen).text


def test_the_tools_wait_until_the_city_is_whole(demo: Demo) -> None:
    with pytest.raises(EmbeddedProblem, match="还没有补齐"):
        demo.run("time")
    write_progress(demo.platform.data_dir, Progress(phase="done"))
    assert "快 0.0 小时" in demo.run("time")


def test_a_line_that_is_cut_queues_and_when_healed_nothing_is_lost_or_doubled(demo: Demo) -> None:
    stage = demo.stage
    team = stage.team_of(0)
    name, institution = team.house.organisation.short_name, team.cast.party("institution")
    demo.run("cut", name)
    with pytest.raises(EmbeddedProblem, match="已经断网"):
        demo.run("cut", name)
    waiting = stage.outbox(team).waiting()
    runs = "SELECT count(*) FROM fact.event WHERE kind = 'run.recorded' AND sender = %s"
    assert waiting > 5
    assert demo.rows(runs, institution) == [(0,)]
    told = demo.run("heal", name)
    assert "平台早已收过的 0 条；报告 1 份，登记 1 份" in told
    assert "试验 1 组：" in told
    assert stage.outbox(team).waiting() == 0
    assert demo.soon(runs, institution) == [(1,)]
    with pytest.raises(EmbeddedProblem, match="没有断网"):
        demo.run("heal", name)
    tools.work_cut_off(stage, team, stage.clock().now(), 7, everybody=False)  # as after a heal that broke off
    assert "报告 1 份，登记 1 份" in demo.run("heal", name)
    assert stage.outbox(team).waiting() == 0


def test_the_clock_goes_forward_only_and_what_falls_due_is_entered(demo: Demo) -> None:
    assert "拨到" in demo.run("time", forward="2h")
    with pytest.raises(EmbeddedProblem, match="只能往前拨"):
        demo.run("time", to="2026-01-01T00:00")
    with pytest.raises(EmbeddedProblem, match="最多"):
        demo.run("time", forward="61d")
    stored = demo.stage.clock()
    assert timedelta(hours=2) <= stored.ahead < timedelta(hours=2, minutes=1)
    with psycopg.connect(demo.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("UPDATE ops.demo_clock SET ahead = '0'")


def test_while_the_platform_is_stopped_the_institutions_go_on_and_catch_up(demo: Demo) -> None:
    before = demo.stage.clock().ahead
    told = demo.run("stop-platform", "3d")
    assert "平台早已收过的 0 条；报告 10 份，登记 10 份" in told
    assert "试验 10 组：停机或断网补传 9，无故迟传 1，及时 0" in told
    assert demo.stage.clock().ahead - before == timedelta(days=3)
    doubled = demo.rows("SELECT uid, sender FROM fact.event GROUP BY 1, 2 HAVING count(*) > 1")
    assert doubled == []
    answer = httpx.get(f"{demo.platform.public_url}/v/", trust_env=False)
    assert answer.status_code == 200


def test_a_stop_that_was_broken_off_ends_when_the_demo_starts_again(demo: Demo) -> None:
    stage = demo.stage
    clock = stage.clock()
    stage.set_clock(replace(clock, stopped_since=clock.now()), "demo.stop_platform")
    tools.resume_after_crash(demo.platform)
    assert stage.clock() == clock


def test_a_reserved_code_dies_when_the_clock_passes_its_day(demo: Demo) -> None:
    stage = demo.stage
    team = stage.team_of(1)
    at = stage.clock().now()
    with stage.clients(team) as clients:
        plan = replace(live_plan(team.cast, at, 5), oddities=Oddities(end="reserved"))
        result = stage.chain(team, clients).run(plan)
    assert result.state == "reserved"
    demo.run("time", forward="31d")
    dead = "SELECT 1 FROM fact.code WHERE id = %s AND state = 'expired'"
    assert demo.soon(dead, result.code) == [(1,)]
    due = "SELECT logged_at FROM fact.event WHERE kind = 'clock.deadline_passed'"
    assert demo.soon(due)[0][0] > at + timedelta(days=30)
