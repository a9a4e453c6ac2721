"""Pages of single records: what each reader finds on them, their history, and how many statements they cost (详情页)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from plumbline.exchange.messages import custody, project, registry

pytestmark = pytest.mark.service
READ = Path(__file__).with_name("read_records.py")
HOME = "610300"


def read(world: Any, *questions: tuple[str, str, str, str]) -> list[tuple[int, str | None]]:
    """(statements, page) for each (role, party, kind, key)."""
    asked = [
        [role, party, HOME if role == "officer" else "", kind, key] for role, party, kind, key in questions
    ]
    env = (
        os.environ
        | world.platform.environment()
        | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    )
    done = subprocess.run(
        [sys.executable, str(READ)],
        input=json.dumps(asked),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [(number, page) for number, page in json.loads(done.stdout)]


def instrument(world: Any, until: str, certificate: str) -> registry.InstrumentRegistered:
    """The press with a calibration."""
    return world.by_station(
        registry.InstrumentRegistered,
        institution=world.parties["institution"].party,
        site=world.cast.site,
        instrument="NEW-1",
        name="新压力机",
        model="YE",
        serial_number="N-1",
        calibration_certificate=certificate,
        calibrated_until=until,
    )


def test_an_instrument_keeps_its_address_and_its_history_when_it_is_calibrated_anew(quiet_world) -> None:
    institution = quiet_world.parties["institution"].party
    first = instrument(quiet_world, "2026-12-31", "C-1").entry.hex()
    second = instrument(quiet_world, "2027-12-31", "C-2").entry.hex()
    quiet_world.settle()
    officer, own, newest, party, guessed = read(
        quiet_world,
        ("officer", quiet_world.station, "instruments", first),
        ("institution", institution, "instruments", first),
        ("institution", institution, "instruments", second),
        ("institution", quiet_world.parties["owner"].party, "instruments", first),
        ("officer", quiet_world.station, "instruments", "0" * 32),
    )
    for _, page in (officer, own, newest):
        assert page is not None
        assert "before='2026-12-31', after='2027-12-31'" in page
        assert "before='C-1', after='C-2'" in page
        assert "第 2 版" in page
    assert (party[1], guessed[1]) == (None, None)


def test_a_project_shows_its_plans_and_its_history_to_its_officers_and_its_parties(quiet_world) -> None:
    first = quiet_world.project()
    row = quiet_world.rows("SELECT body FROM fact.project WHERE id = %s", [first])[0]["body"]
    kept = {
        name: value
        for name, value in row.items()
        if name not in ("v", "uid", "sender", "occurred_at", "kind", "supersedes", "reason")
    }
    quiet_world.by_station(
        project.ProjectRegistered, **kept | {"name": "改名工程"}, supersedes=first, reason="更名"
    )
    line = project.ScheduleLine(category="concrete_cube", structural_part="三层柱", groups=7)
    quiet_world.send("contractor", project.ScheduleSubmitted, project=first, lines=[line])
    stray = quiet_world.send("institution", project.ScheduleSubmitted, project=first, lines=[line, line])
    quiet_world.settle()
    told = quiet_world.rows("SELECT code FROM fact.finding WHERE entry = %s", [stray.entry])
    assert [each["code"] for each in told] == ["custody.foreign_sender"]
    owner, stranger = (quiet_world.parties[name].party for name in ("owner", "institution"))
    for (_, page), is_seen in zip(
        read(
            quiet_world,
            ("officer", quiet_world.station, "projects", first),
            ("party", owner, "projects", first),
            ("institution", stranger, "projects", first),
        ),
        (True, True, False),
        strict=True,
    ):
        assert (page is not None) == is_seen
        if page:
            assert "after='改名工程'" in page
            assert "reason='更名'" in page
            assert "1 项，7 组" in page
            assert "2 项，14 组" not in page


def test_a_page_costs_the_same_number_of_statements_however_much_belongs_to_it(quiet_world) -> None:
    """One row more must not be one statement more (N+1)."""
    case = quiet_world.case().until_tested()
    quiet_world.apply(case)
    quiet_world.settle()
    run = quiet_world.rows("SELECT technician, institution FROM fact.run")[0]
    ref = quiet_world.rows("SELECT ref FROM fact.instrument WHERE instrument = 'YE-2000-06'")[0]["ref"]
    finding = quiet_world.rows(
        "SELECT id FROM fact.finding WHERE subject_kind = 'sample' OR subject_kind = 'run'"
    )
    pages = {
        "projects": quiet_world.project(),
        "samples": case.ids["sample"],
        "tests": case.ids["run"],
        "institutions": run["institution"],
        "people": run["technician"],
        "instruments": ref,
    } | ({"findings": str(finding[0]["id"]).replace("-", "")} if finding else {})
    asked = [("officer", quiet_world.station, kind, key) for kind, key in pages.items()]
    before = read(quiet_world, *asked)
    for _ in range(3):
        more = quiet_world.case().until_tested()
        quiet_world.apply(more)
    case.test(), case.review()
    quiet_world.send(
        "contractor",
        custody.CuringRecorded,
        sample=case.ids["sample"],
        room="标养室",
        entered_at=datetime.now(UTC),
    )
    quiet_world.settle()
    after = read(quiet_world, *asked)
    assert all(page for _, page in (*before, *after))
    assert [number for number, _ in after] == [number for number, _ in before]
    assert max(number for number, _ in after) <= 32
    assert "标养室" in str(after[1][1])


def test_the_calibration_beside_a_test_is_the_one_that_held_then(quiet_world) -> None:
    first, later = "2026-12-31", "2029-12-31"
    instrument(quiet_world, first, "C-1")
    case = quiet_world.case()
    case.sample(), case.commission(), case.receive(), case.test(instrument="NEW-1")
    instrument(quiet_world, later, "C-2")
    quiet_world.settle()
    institution, owner = (quiet_world.parties[name].party for name in ("institution", "owner"))
    ref = quiet_world.rows("SELECT ref FROM fact.instrument WHERE instrument = 'NEW-1'")[0]["ref"]
    own, party, (_, machine) = read(
        quiet_world,
        ("institution", institution, "tests", case.ids["run"]),
        ("party", owner, "tests", case.ids["run"]),
        ("party", owner, "instruments", ref),
    )
    # Whoever sees the instrument and not its history is not told that nothing was changed.
    assert machine is not None and "不在您能看到的范围" in machine and "没有改过" not in machine
    assert f"label='试验时的校准有效期', value='{first}'" in str(own[1])
    for _, page in (own, party):
        assert page is not None
        assert later not in page


def test_findings_are_for_the_officer_and_the_institution(quiet_world) -> None:
    case = quiet_world.case()
    sample = case.sample()
    case.commission(), case.receive()
    case.test(instrument="NOBODYS")
    lab = quiet_world.parties["institution"]
    stray = quiet_world.send(
        "institution", registry.PartyRegistered, party=lab.party, uscc="0" * 18, name="x", roles=["institution"],
        division=HOME,
    )  # fmt: skip
    quiet_world.settle()
    found = quiet_world.rows(
        "SELECT id FROM fact.finding WHERE code = 'testing.unknown_instrument' AND subject = %s",
        [case.ids["run"]],
    )
    key = str(found[0]["id"]).replace("-", "")
    institution, owner = (quiet_world.parties[name].party for name in ("institution", "owner"))
    officer, own, party, on_test, on_sample = read(
        quiet_world,
        ("officer", quiet_world.station, "findings", key),
        ("institution", institution, "findings", key),
        ("party", owner, "findings", key),
        ("party", owner, "tests", case.ids["run"]),
        ("party", owner, "samples", sample.entry),
    )
    assert "NOBODYS" in str(officer[1])
    assert "NOBODYS" in str(own[1])
    assert party[1] is None
    for _, page in (on_test, on_sample):
        assert page is not None
        assert "仪器没有登记" not in page
        assert "findings=None" in page
        assert "由监督机构核对" in page
    about_party = quiet_world.rows(
        "SELECT id, subject_kind FROM fact.finding WHERE entry = %s", [stray.entry]
    )
    assert [each["subject_kind"] for each in about_party] == ["party"]
    ((_, page),) = read(
        quiet_world, ("officer", quiet_world.station, "findings", str(about_party[0]["id"]).replace("-", ""))
    )
    assert page is not None
