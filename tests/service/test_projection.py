"""Projection (投影): rebuildable to the row, failures parked and healed, versions, one active projector, every entry once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from plumbline.exchange.messages.custody import SamplingRecorded
from plumbline.exchange.uids import new_uid
from plumbline.supervision.journal import failpoints
from plumbline.supervision.journal.model import Pending
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.handlers import HANDLERS
from plumbline.supervision.projection.projector import Projector, StandingBy, reproject
from plumbline.supervision.projection.rebuild import audit_projection, rebuild

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.arm({})


def _whole_chain(world, rounds: int = 3):
    case = world.case().until_tested()
    world.apply(case)
    world.settle()
    for _ in range(rounds):
        world.worker().round()
        world.settle()
    return case


def test_a_rebuild_gives_the_same_rows(quiet_world) -> None:
    case = _whole_chain(quiet_world)
    row = quiet_world.rows(
        "SELECT state, code FROM fact.application WHERE id = %s", [case.ids["application"]]
    )[0]
    assert row["state"] == "reserved"
    total, found = rebuild(quiet_world.conninfo())
    assert found == []
    assert total == quiet_world.size()
    assert (
        quiet_world.rows("SELECT state, code FROM fact.application WHERE id = %s", [case.ids["application"]])[
            0
        ]
        == row
    )


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("sample", "UPDATE fact.sample SET grade = 'C50'"),
        ("application", "UPDATE fact.application SET state = 'registered'"),
        ("finding", "DELETE FROM fact.finding"),
        (
            "tag",
            "INSERT INTO fact.tag SELECT 'X' || id, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, "
            "version, body, project, issued_to, sample, ordinal FROM fact.tag LIMIT 1",
        ),
        ("curve", "UPDATE fact.curve SET \"values\" = '\\x00'"),
    ],
)
def test_an_edited_fact_is_named_by_the_audit_and_undone_by_a_rebuild(quiet_world, table, statement) -> None:
    case = quiet_world.case()
    case.issue_tags(), case.sample(), case.commission()
    case.ids["number"] = "0" * 32
    case.test()
    quiet_world.apply(case)
    quiet_world.settle()
    assert audit_projection(quiet_world.conninfo()) == []
    with psycopg.connect(quiet_world.platform.conninfo("plumb_projector")) as conn:
        conn.execute(statement.encode())
    found = audit_projection(quiet_world.conninfo())
    assert [each.table for each in found] == [table]
    assert found[0].examples
    assert [each.table for each in rebuild(quiet_world.conninfo())[1]] == [table]
    assert audit_projection(quiet_world.conninfo()) == []


def _boom(projection):
    raise RuntimeError("injected")


def test_a_failing_entry_parks_what_it_touches_and_healing_gives_an_unfailed_run(
    quiet_world, monkeypatch
) -> None:
    bad, good = quiet_world.case(), quiet_world.case()
    for case in (bad, good):
        case.issue_tags(), case.sample()
    quiet_world.settle()
    with monkeypatch.context() as patch:
        real = HANDLERS["witnessing.recorded"]
        patch.setitem(
            HANDLERS,
            "witnessing.recorded",
            lambda p: _boom(p) if p.arrival.message.sample == bad.ids["sample"] else real(p),
        )
        for case in (bad, good):
            case.witness(), case.commission(), case.receive()
        quiet_world.settle()
    parked = quiet_world.rows("SELECT idx, error FROM fact.parked ORDER BY idx")
    assert len(parked) == 3, parked
    assert "injected" in parked[0]["error"]
    asked = "SELECT witnessing, receipts FROM fact.sample WHERE id = %s"
    assert quiet_world.rows(asked, [good.ids["sample"]])[0]["receipts"] == [good.ids["receipt"]]
    assert quiet_world.rows(asked, [bad.ids["sample"]])[0] == {"witnessing": None, "receipts": []}
    assert reproject(quiet_world.platform.conninfo("plumb_projector")) == (3, 0)
    assert quiet_world.rows(asked, [bad.ids["sample"]])[0]["receipts"] == [bad.ids["receipt"]]
    assert audit_projection(quiet_world.conninfo()) == []


def test_an_entry_that_still_fails_stays_parked(quiet_world, monkeypatch) -> None:
    case = quiet_world.case()
    case.issue_tags()
    monkeypatch.setitem(HANDLERS, "sampling.recorded", _boom)
    case.sample()
    quiet_world.settle()
    assert reproject(quiet_world.platform.conninfo("plumb_projector")) == (0, 1)
    assert len(quiet_world.rows("SELECT 1 FROM fact.parked")) == 1


def test_rows_that_the_database_refuses_park_one_entry_and_not_the_set(quiet_world, monkeypatch) -> None:
    cases = [quiet_world.case() for _ in range(12)]
    for case in cases:
        case.sample()
    bad = cases[7].ids["sample"]
    real = HANDLERS["sampling.recorded"]

    def beyond(p):
        subject = real(p)
        if p.arrival.entry == bad:
            p.state.put("sample", subject, {"required_age_d": 2**40})
        return subject

    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, "sampling.recorded", beyond)
        quiet_world.settle()
    assert len(quiet_world.rows("SELECT 1 FROM fact.parked")) == 1
    stored = {row["id"] for row in quiet_world.rows("SELECT id FROM fact.sample")}
    assert stored == {case.ids["sample"] for case in cases} - {bad}
    assert reproject(quiet_world.platform.conninfo("plumb_projector")) == (1, 0)
    assert audit_projection(quiet_world.conninfo()) == []


def test_an_entry_of_a_newer_version_is_parked_and_the_others_go_on(quiet_world) -> None:
    case = quiet_world.case()
    case.issue_tags()
    first = case.ids["tags"]
    now = datetime.now(UTC)
    uid = new_uid(now)
    sender = quiet_world.parties["contractor"].party
    data = msgspec.json.encode({"kind": "from.the.future", "v": 9, "uid": str(uid), "sender": sender})
    quiet_world._journal.append(
        [
            Pending(
                sender_id=bytes.fromhex(sender),
                uid=uid,
                key_id="x",
                envelope=_envelope(quiet_world, case),
                message=data,
                arrived_at=now,
            )
        ]
    )
    case.sample()
    quiet_world.settle()
    assert len(quiet_world.rows("SELECT 1 FROM fact.parked")) == 1
    assert quiet_world.rows("SELECT id FROM fact.sample")[0]["id"] == case.ids["sample"]
    assert first


def _envelope(world, case) -> bytes:
    message = world.message("contractor", SamplingRecorded, **_sampling(world, case))
    return pending_from(message, world.parties["contractor"].origin, channel="internal").envelope


def _sampling(world, case, **changes) -> dict:
    return {
        "project": world.project(),
        "sample_kind": "concrete_cube",
        "structural_part": "柱",
        "made_at": case.plan.times.made,
        "sampler": world.cast.person("sampler"),
        "specimens": [],
    } | changes


def _codes(world, entry: str) -> set[str]:
    return {row["code"] for row in world.rows("SELECT code FROM fact.finding WHERE entry = %s", [entry])}


def test_the_first_correction_holds_and_the_second_is_a_conflict(quiet_world) -> None:
    case = quiet_world.case()
    first = case.sample().entry
    fix = quiet_world.send(
        "contractor",
        SamplingRecorded,
        **_sampling(quiet_world, case, supersedes=first, reason="部位写错", structural_part="甲"),
    )
    late = quiet_world.send(
        "contractor",
        SamplingRecorded,
        **_sampling(quiet_world, case, supersedes=first, reason="部位写错", structural_part="乙"),
    )
    quiet_world.settle()
    row = quiet_world.rows("SELECT structural_part, version, entry FROM fact.sample WHERE id = %s", [first])[
        0
    ]
    assert row == {"structural_part": "甲", "version": 2, "entry": fix.entry}
    assert "edit.conflict" in _codes(quiet_world, late.entry)
    again = quiet_world.send(
        "contractor",
        SamplingRecorded,
        **_sampling(quiet_world, case, supersedes=fix.entry, reason="再改", structural_part="丙"),
    )
    quiet_world.settle()
    assert again.entry
    assert quiet_world.rows("SELECT version FROM fact.sample WHERE id = %s", [first])[0]["version"] == 3
    assert audit_projection(quiet_world.conninfo()) == []


def test_another_partys_entry_cannot_be_superseded(quiet_world) -> None:
    case = quiet_world.case()
    first = case.sample().entry
    foreign = quiet_world.send(
        "owner",
        SamplingRecorded,
        **_sampling(quiet_world, case, supersedes=first, reason="x", structural_part="甲"),
    )
    unknown = quiet_world.send(
        "contractor", SamplingRecorded, **_sampling(quiet_world, case, supersedes="9" * 32, reason="x")
    )
    quiet_world.settle()
    assert (
        quiet_world.rows("SELECT structural_part FROM fact.sample WHERE id = %s", [first])[0][
            "structural_part"
        ]
        == "三层柱"
    )
    assert "edit.foreign_version" in _codes(quiet_world, foreign.entry)
    assert "edit.unknown_version" in _codes(quiet_world, unknown.entry)


def test_one_projector_works_and_the_other_stands_by(quiet_world) -> None:
    quiet_world.case().issue_tags()
    with psycopg.connect(quiet_world.platform.conninfo("plumb_projector")) as holder:
        holder.execute("SELECT 1 FROM fact.position FOR UPDATE")
        second = Projector(quiet_world.platform.conninfo("plumb_projector"))
        with pytest.raises(StandingBy):
            second.step()
        second.close()
    assert quiet_world.project_all() == 1


def test_two_projectors_at_once_count_every_entry_once(quiet_world) -> None:
    for _ in range(20):
        quiet_world.case().sample()

    def work() -> None:
        projector = Projector(quiet_world.platform.conninfo("plumb_projector"), set_size=3)
        for _ in range(200):
            try:
                projector.step()
            except StandingBy:
                continue
        projector.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert quiet_world.rows("SELECT pos FROM fact.position")[0]["pos"] == quiet_world.size()
    assert audit_projection(quiet_world.conninfo()) == []


@pytest.mark.parametrize("point", ["project.before_commit", "project.after_commit"])
def test_a_fault_around_the_commit_counts_every_entry_once(quiet_world, point) -> None:
    case = quiet_world.case()
    case.issue_tags(), case.sample(), case.commission(), case.test()
    failpoints.arm({point: "error"})
    with pytest.raises(failpoints.FailpointError):
        quiet_world.project_all()
    failpoints.arm({})
    quiet_world.settle()
    assert quiet_world.rows("SELECT sum(runs) AS n FROM fact.institution_day")[0]["n"] == 1
    assert audit_projection(quiet_world.conninfo()) == []


@pytest.mark.parametrize("point", ["project.before_commit", "project.after_commit"])
def test_a_projector_killed_around_the_commit_counts_every_entry_once(quiet_world, point) -> None:
    case = quiet_world.case()
    case.issue_tags(), case.sample(), case.commission(), case.test()
    env = os.environ | quiet_world.platform.environment() | {"PLUMB_FAILPOINTS": f"{point}=kill"}
    done = subprocess.run(
        [sys.executable, "-m", "plumbline.supervision.projection"],
        env=env,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9
    quiet_world.settle()
    assert quiet_world.rows("SELECT sum(runs) AS n FROM fact.institution_day")[0]["n"] == 1
    assert audit_projection(quiet_world.conninfo()) == []


def test_the_public_page_survives_a_rebuild(quiet_world) -> None:
    case = _whole_chain(quiet_world, 1)
    code = quiet_world.rows("SELECT code FROM fact.application WHERE id = %s", [case.ids["application"]])[0][
        "code"
    ]
    with psycopg.connect(quiet_world.platform.conninfo("plumb_web"), autocommit=True) as conn:
        conn.execute("SET ROLE plumb_public")

        def told() -> list[object]:
            asked = (
                conn.execute(f"SELECT state FROM ops.{each}(%s)".encode(), [[code]]) for each in functions
            )
            return [each.fetchone() for each in asked]

        functions = ("verify", "verify_briefly")
        assert told() == [("reserved",)] * 2  # the same connection: its plans are of the old tables
        rebuild(quiet_world.conninfo())
        assert told() == [("reserved",)] * 2


def test_a_program_is_told_the_same_codes_as_a_page_however_they_are_put(quiet_world) -> None:
    _whole_chain(quiet_world, 2)
    (code,) = (row["code"] for row in quiet_world.rows("SELECT code FROM fact.application"))
    arrays = ["{}", "{NULL}", "{X}"]
    put = ["{%s}", "{X,%s}", "{%s,X}", "{%s,NULL}", "{{%s}}", "{{X},{%s}}", "[0:0]={%s}", "[5:6]={0,%s}"]
    with psycopg.connect(quiet_world.platform.conninfo("plumb_web"), autocommit=True) as conn:
        conn.execute("SET ROLE plumb_public")
        for function in ("verify", "verify_briefly"):
            statement = f"SELECT code FROM ops.{function}(%s::text[])".encode()
            for each in arrays:
                assert conn.execute(statement, [each]).fetchall() == []
            for each in put:
                assert conn.execute(statement, [each.replace("%s", code)]).fetchall() == [(code,)]
