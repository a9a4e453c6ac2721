"""Facts come in, what is wrong with them is found (保管链与曲线): tags, foreign samples, curves with gaps, time running back, no points."""

from __future__ import annotations

import base64

import msgspec
import numpy as np
import pytest

from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.registry import InstrumentRegistered
from plumbline.exchange.messages.testing import Curve, CurveChannel, RunRecorded

pytestmark = pytest.mark.service


@pytest.mark.clause("CECS 2.0.5", "CECS 2.0.6")
def test_a_tag_is_bound_once_and_never_to_another_sample(world, tested_case) -> None:
    other = world.case()
    got = other.sample(tags=[tested_case.tags[0], *other.tags[1:]])
    assert "custody.reused_tag" in world.findings(got.entry)
    row = world.rows("SELECT sample FROM fact.tag WHERE id = %s", [tested_case.tags[0]])[0]
    assert row["sample"] == tested_case.ids["sample"]


def test_a_tag_that_nobody_issued_is_found(world) -> None:
    got = world.case().sample()
    assert "custody.unissued_tag" in world.findings(got.entry)


def test_a_tag_issued_twice_is_found(world, tested_case) -> None:
    again = world.case()
    got = again.issue_tags(tags=[tested_case.tags[0]])
    assert "custody.reissued_tag" in world.findings(got.entry)


def test_a_tag_of_another_project_is_found(world) -> None:
    case = world.case()
    case.issue_tags(project=world.project("school"))
    assert any(code.endswith("_tag") for code in world.findings(case.sample().entry))


@pytest.mark.clause("CECS 3.0.3")
def test_a_sample_of_another_project_on_a_commission_is_found(world) -> None:
    case = world.case()
    case.issue_tags(project=world.project("school"))
    case.sample(project=world.project("school"))
    assert "custody.foreign_sample" in world.findings(case.commission().entry)


def test_a_wrong_tag_at_the_window_is_found(world) -> None:
    case = world.case()
    case.issue_tags(), case.sample(), case.witness(), case.commission()
    got = case.receive(tags=[*case.tags[:2], "SV999999999"])
    codes = world.findings(got.entry)
    assert any("tag" in code for code in codes), codes


def test_a_wrong_tag_in_the_press_is_found(world) -> None:
    case = world.case()
    case.issue_tags(), case.sample(), case.witness(), case.commission(), case.receive()
    fields = case.run_fields()
    runs = [msgspec.structs.replace(fields["specimens"][0], tag="SV999999998"), *fields["specimens"][1:]]
    assert "testing.wrong_tag" in world.findings(case.test(specimens=runs).entry)


def test_two_specimens_of_one_ordinal_are_found(world) -> None:
    case = world.case()
    case.issue_tags(), case.sample(), case.witness(), case.commission(), case.receive()
    runs = [msgspec.structs.replace(each, ordinal=1) for each in case.run_fields()["specimens"]]
    assert "testing.repeated_ordinal" in world.findings(case.test(specimens=runs).entry)


def test_a_second_reception_and_a_reception_without_witness_are_found(world, tested_case) -> None:
    again = world.send(
        "institution", type(_receipt(world, tested_case)), **_fields(_receipt(world, tested_case))
    )
    codes = world.findings(again.entry)
    assert {"custody.second_receipt", "custody.absent_witness"} <= codes


def _receipt(world, case):
    from plumbline.exchange.messages.custody import ReceiptRecorded, TagScanned

    return world.message(
        "institution",
        ReceiptRecorded,
        commission=case.ids["commission"],
        sample=case.ids["sample"],
        site=world.cast.site,
        receiver=world.cast.person("receiver"),
        accepted=True,
        witness_present=False,
        scanned=[TagScanned(tag=tag, seal_intact=True, condition="完好") for tag in case.tags],
    )


def _fields(message):
    header = {"v", "uid", "sender", "occurred_at"}
    return {k: v for k, v in msgspec.structs.asdict(message).items() if k not in header}


def test_another_institutions_reception_and_test_are_found(world, tested_case) -> None:
    message = _receipt(world, tested_case)
    got = world.send("stranger", type(message), **_fields(message))
    assert "custody.foreign_commission" in world.findings(got.entry)


def test_references_to_nothing_are_stored_and_found(world) -> None:
    case = world.case()
    case.ids |= {"sample": "1" * 32, "commission": "2" * 32}
    assert "custody.unknown_object" in world.findings(case.witness().entry)
    assert "custody.unknown_object" in world.findings(case.test().entry)


def test_an_instrument_in_anothers_name_is_not_taken_over(world) -> None:
    institution = world.parties["institution"].party
    got = world.send(
        "stranger",
        InstrumentRegistered,
        institution=institution,
        site=world.cast.site,
        instrument="YE-2000-06",
        name="别人的压力机",
        model="X",
        serial_number="X",
        calibration_certificate="X",
        calibrated_until="2020-01-01",
    )
    assert "registry.foreign_registration" in world.findings(got.entry)
    row = world.rows("SELECT name FROM fact.instrument WHERE id = %s", [f"{institution}/YE-2000-06"])[0]
    assert row["name"] != "别人的压力机"


def test_a_correction_of_a_sample_keeps_what_followed(world, tested_case) -> None:
    before = world.rows("SELECT * FROM fact.sample WHERE id = %s", [tested_case.ids["sample"]])[0]
    got = tested_case.sample(
        supersedes=tested_case.ids["sample"], reason="部位写错", structural_part="四层柱"
    )
    tested_case.ids["sample"] = before["id"]
    world.settle()
    after = world.rows("SELECT * FROM fact.sample WHERE id = %s", [before["id"]])[0]
    assert (after["structural_part"], after["version"], after["entry"]) == (
        "四层柱",
        before["version"] + 1,
        got.entry,
    )
    assert (after["receipts"], after["runs"], after["witnessing"]) == (
        before["receipts"],
        before["runs"],
        before["witnessing"],
    )
    kept = world.rows(
        "SELECT before->>'structural_part' AS part, reason FROM fact.version WHERE object = %s",
        [before["id"]],
    )
    assert kept[-1] == {"part": "三层柱", "reason": "部位写错"}


def _channel(times: list[int], values: list[int], /, **changes) -> CurveChannel:
    fields = {
        "channel": "force",
        "unit": "kN",
        "scale": "0.1",
        "count": len(values),
        "times_us": times,
        "values": values,
    }
    return CurveChannel(**(fields | changes))


def _with_curve(world, case, channel: CurveChannel, **curve) -> list:
    runs = case.run_fields()["specimens"]
    made = Curve(started_at=case.plan.times.tested[0], sampling_rate_hz="10", channels=[channel], **curve)
    return [msgspec.structs.replace(runs[0], curve=made), *runs[1:]]


@pytest.fixture
def received(world):
    case = world.case()
    case.issue_tags(), case.sample(), case.witness(), case.commission(), case.receive()
    return case


def _evaluation(world, run: str) -> dict:
    found = world.wait_for(
        lambda: world.rows("SELECT outcome, body FROM fact.evaluation WHERE id = %s", [run])
    )
    return found[0]


def _ramp(n: int = 600) -> tuple[list[int], list[int]]:
    return [i * 100_000 for i in range(n)], [i * 13 for i in range(n)]


@pytest.mark.parametrize("fault", ["gap", "back", "truncated"])
def test_a_curve_with_a_fault_is_stored_and_found(world, received, fault) -> None:
    times, values = _ramp()
    if fault == "gap":
        times = times[:300] + [t + 30_000_000 for t in times[300:]]
    elif fault == "back":
        times[300] = times[290]
    else:
        values = values[:500] + [values[499]] * 100
    runs = _with_curve(world, received, _channel(times, values), truncated=fault == "truncated")
    got = received.test(specimens=runs)
    codes = {f["code"] for f in _evaluation(world, got.entry)["body"].get("findings", [])}
    assert codes, "the fault was not found"
    world.settle()
    assert codes <= {
        r["code"] for r in world.rows("SELECT code FROM fact.finding WHERE subject = %s", [got.entry])
    }


def test_a_curve_without_points_is_no_curve(world, received) -> None:
    got = received.test(specimens=_with_curve(world, received, _channel([], [])))
    world.settle()
    row = world.rows("SELECT curves FROM fact.run WHERE id = %s", [got.entry])[0]
    assert row["curves"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 5},
        {"values": [2**60, 1, 2]},
        {"scale": "0"},
        {"scale": "-0.1"},
        {"scale": "999999999999999"},
        {"times_us": [0, 1]},
        {"values": None, "dzv": "////"},
        {"values": None, "dzv": base64.b64encode(b"\x80" * 40).decode()},
        {"values": [1, 2, 3], "dzv": "AAAA"},
        {"period_us": 0, "times_us": None},
        {"start_us": -(2**62), "period_us": 2**60, "times_us": None},
    ],
)
def test_a_broken_curve_is_refused_or_stored_with_a_finding(world, received, changes) -> None:
    channel = _channel([0, 100_000, 200_000], [1, 2, 3], **changes)
    fields = received.run_fields() | {"specimens": _with_curve(world, received, channel)}
    data = encode_message(world.message("institution", RunRecorded, received.plan.times.finished, **fields))
    answer = world.post(data, world.parties["institution"])
    if answer.status_code == 201:
        assert _evaluation(world, answer.json()["entry"])["body"].get("findings") is not None
    else:
        body = world.refused(answer, answer.status_code, answer.json()["type"].rpartition("/")[2])
        assert answer.status_code in (413, 422)
        assert body["errors"]


def _million(world, received, points: int) -> bytes:
    dzv = base64.b64encode(np.full(points, 2, dtype=np.uint8).tobytes()).decode()
    channel = CurveChannel(channel="force", unit="kN", scale="0.1", count=points, period_us=1000, dzv=dzv)
    fields = received.run_fields() | {"specimens": _with_curve(world, received, channel)}
    return encode_message(world.message("institution", RunRecorded, received.plan.times.finished, **fields))


@pytest.mark.parametrize("points", [1_000_001, 10_000_000])
def test_a_curve_longer_than_a_million_points_is_too_much(world, received, points) -> None:
    answer = world.post(_million(world, received, points), world.parties["institution"])
    world.refused(answer, 413, "curve-too-long")


def test_a_curve_of_a_million_points_is_taken(world, received) -> None:
    answer = world.post(_million(world, received, 1_000_000), world.parties["institution"])
    assert answer.status_code == 201
    assert _evaluation(world, answer.json()["entry"])["outcome"] in ("computed", "not_computable")


@pytest.mark.clause("CECS 2.0.7", "BJ 4.2.2.2-a", "GX 三-a")
def test_a_run_is_kept_with_description_process_result_and_environment(world, tested_case) -> None:
    row = world.rows("SELECT body, curves, points FROM fact.run WHERE id = %s", [tested_case.ids["run"]])[0]
    body = row["body"]
    assert body["environment"] == {"temperature_C": "20.5", "humidity_pct": "62"}
    assert body["technician"] == world.cast.person("technician")
    assert body["instrument"] == "YE-2000-06"
    assert [each["tag"] for each in body["specimens"]] == tested_case.tags
    assert all(each["dimensions"] and each["readings"] for each in body["specimens"])
    assert row["curves"] == 3
    assert row["points"] > 100
    assert body["commission"] == tested_case.ids["commission"]


@pytest.mark.clause("BJ 6.3.3")
def test_a_curve_comes_back_as_the_same_integers(world, tested_case) -> None:
    from plumbline.exchange.curves import channel_values
    from plumbline.supervision.projection.curve_rows import unpack

    sent = tested_case.run_fields()["specimens"][0].curve.channels[0]
    row = world.rows(
        "SELECT values, scale, unit FROM fact.curve WHERE run = %s AND ordinal = 1 AND channel = 'force'",
        [tested_case.ids["run"]],
    )[0]
    assert list(unpack(row["values"])) == list(channel_values(sent))
    assert (row["scale"], row["unit"]) == (sent.scale, sent.unit)
