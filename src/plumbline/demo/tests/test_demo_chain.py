"""A report's messages: right order, right senders, each one passing the door's decoding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from plumbline.acquisition.simulator import BarSteel
from plumbline.demo.chain import Chain
from plumbline.demo.city import bar_plan, cube_plan
from plumbline.demo.plan import Oddities, Plan
from plumbline.demo.tests.memory_platform import ENROLLED, MemoryPlatform, memory_clients
from plumbline.exchange.curves import channel_values
from plumbline.exchange.messages.custody import SamplingRecorded
from plumbline.exchange.messages.reports import ReportApplied, ReportRegistered
from plumbline.exchange.messages.testing import RunRecorded

ORDER = [
    "tag.issued", "sampling.recorded", "witnessing.recorded", "contract.signed", "commission.placed", "number.taken",
    "receipt.recorded", "number.taken", "run.recorded", "review.recorded", "review.recorded", "report.applied",
    "report.registered",
]  # fmt: skip

STEEL = BarSteel(ReL_MPa=447.0, Rm_MPa=611.0, Agt_pct=13.2)


def some_plan(tmp_path: Path, platform: MemoryPlatform, category: str) -> tuple[Chain, Plan]:
    cast, clients, enrolment = memory_clients(tmp_path, platform)
    made = ENROLLED + timedelta(days=1)
    common = {
        "key": "chain/1",
        "project": "riverside",
        "unit_work": "1# 楼",
        "part": "",
        "technician": "technician",
    }
    plan = (
        cube_plan(
            common | {"part": "二层 ①–⑤ 轴框架柱"},
            seed=5,
            made=made,
            age=7,
            grade="C30",
            strengths=(26.0, 25.1, 26.8),
            start=made + timedelta(days=7),
        )
        if category == "concrete_cube"
        else bar_plan(
            common,
            seed=6,
            made=made,
            grade="HRB400E",
            diameter=16,
            steels=(STEEL, STEEL),
            start=made + timedelta(days=1),
        )
    )
    return Chain(clients, cast, enrolment, stated=True), plan


def test_a_cube_report_goes_from_tags_to_registration(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    result = chain.run(plan)
    assert platform.kinds() == ORDER
    assert (result.state, result.number) == ("registered", "HC-HNT-2026-000001")
    registered = platform.one(ReportRegistered)
    assert platform.files[registered.pdf_sha256].startswith(b"%PDF-1.7")
    assert registered.code == result.code


def test_every_key_picture_was_uploaded_and_is_another(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    chain.run(plan)
    taken = [p for kept in platform.kept for p in getattr(kept.message, "pictures", [])]
    expected = ["placard", "sealed_sample", "sampler", "witness", "receipt", "press_start", "break"]
    assert [p.picture for p in taken] == expected
    assert len({p.sha256 for p in taken} & set(platform.files)) == len(expected)


def test_the_run_carries_the_curve_whose_peak_is_the_load_and_is_signed_by_the_press(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    chain.run(plan)
    (kept,) = [each for each in platform.kept if isinstance(each.message, RunRecorded)]
    assert kept.origin[0].startswith("institution.device.ye-2000-06.")
    for specimen in kept.message.specimens:
        force = specimen.curve.channels[0]
        peak = max(channel_values(force)) * float(force.scale)
        assert abs(peak - float(specimen.readings[0].value)) < 1e-9


def test_bars_report_what_the_curve_gives(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "rebar_tension")
    result = chain.run(plan)
    applied = platform.one(ReportApplied)
    assert result.conclusion == "PASS"
    assert {each.parameter for each in applied.parameters} >= {"rebar.ReL", "rebar.Rm", "rebar.Agt"}
    assert {v.symbol for each in applied.parameters for v in each.values} >= {"ReL", "Rm", "Agt"}


def test_steps_state_their_own_times_to_a_demo_log(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    chain.run(plan)
    stated = [each.stated_at for each in platform.kept if each.message.__class__.__name__ != "ContractSigned"]
    assert stated == sorted(stated)
    assert stated[-1] == plan.times.registered


def test_a_withheld_code_is_a_result_with_its_reasons(tmp_path: Path):
    platform = MemoryPlatform(withhold="样品没有见证记录")
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    result = chain.run(replace(plan, oddities=Oddities(unwitnessed="夜间无人")))
    assert (result.state, result.code, result.reasons) == ("withheld", None, ("样品没有见证记录",))
    assert "witnessing.recorded" not in platform.kinds()
    assert "report.registered" not in platform.kinds()


def test_a_picture_that_could_not_be_taken_is_missing_with_its_reason(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    chain.run(replace(plan, oddities=Oddities(missing_picture=("placard", "手机存储已满"))))
    sampling = platform.one(SamplingRecorded)
    assert [p.picture for p in sampling.pictures] == ["sealed_sample", "sampler"]
    assert sampling.missing_pictures == "手机存储已满"


def test_a_second_version_names_the_code_that_it_replaces(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    result = chain.run(replace(plan, oddities=Oddities(superseded="更正代表数量")))
    first, second = [each.message for each in platform.kept if isinstance(each.message, ReportApplied)]
    registered = [each.message.code for each in platform.kept if isinstance(each.message, ReportRegistered)]
    assert (first.version, second.version) == (1, 2)
    assert second.replaces_code == registered[0]
    assert result.code == registered[1] != registered[0]


def test_ends_other_than_registration(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    voided = replace(plan, key="v", oddities=Oddities(end="voided", voided="委托方撤销委托"))
    reserved = replace(plan, key="r", oddities=Oddities(end="reserved"))
    withdrawn = replace(plan, key="w", oddities=Oddities(withdrawn="部位有误"))
    assert [chain.run(each).state for each in (voided, reserved, withdrawn)] == [
        "voided",
        "reserved",
        "withdrawn",
    ]
    assert platform.kinds().count("report.withdrawn") == 1
    assert platform.kinds().count("number.voided") == 1


def test_a_report_sent_twice_keeps_its_ids_numbers_and_bytes(tmp_path: Path):
    platform = MemoryPlatform()
    chain, plan = some_plan(tmp_path, platform, "concrete_cube")
    first, second = chain.run(plan), chain.run(plan)
    assert first == second
    half = len(ORDER)
    again = [each.message for each in platform.kept[half:]]
    assert again == [each.message for each in platform.kept[:half] if each.message in again]
