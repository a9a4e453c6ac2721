"""A volume holds every report with what they share once; whatever is taken out, swapped or changed is named, with the report."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import msgspec
import pytest

from plumbline.cli import main
from plumbline.evidence.testing import make_cosigner
from plumbline.sdk.bundle.archive import BundleProblem
from plumbline.sdk.bundle.container import ContainerReader
from plumbline.sdk.bundle.volume_format import (
    LeftOut,
    PicturePart,
    ReportPart,
    Scope,
    Volume,
    digest_of,
    encoded,
    pdf_name,
    picture_name,
    report_name,
)
from plumbline.sdk.bundle.volume_told import report_line, verdict
from plumbline.sdk.tests.bundle_story import CODE_KEYS, SIGNED_AT, Verifier, log_key
from plumbline.sdk.tests.volume_story import TwoReports, check, members, rewrite

pytestmark = pytest.mark.clause("CECS 4.1.2-c")


@pytest.fixture
def pair(signed_by) -> TwoReports:
    return TwoReports(signed_by("institution"), signed_by("institution", SIGNED_AT.replace(second=1)))


@pytest.fixture(scope="session")
def bound(signed_by, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a volume of both, made once."""
    path = tmp_path_factory.mktemp("volume") / "volume.zip"
    TwoReports(signed_by("institution"), signed_by("institution", SIGNED_AT.replace(second=1))).bind(path)
    return path.read_bytes()


@pytest.fixture
def volume(tmp_path: Path, bound: bytes) -> Path:
    path = tmp_path / "volume.zip"
    path.write_bytes(bound)
    return path


def first_fault(path: Path, verifier: Verifier) -> str:
    found, _ = check(path, verifier)
    assert not found.ok
    return verdict(found, "", "zh")


def test_both_reports_hold_and_what_they_share_is_there_once(volume: Path, verifier: Verifier) -> None:
    found, told = check(volume, verifier)
    assert found.ok, found.failure
    assert (found.checked, dict(found.standings), found.unchecked.total()) == (2, {"registered": 2}, 0)
    assert [each.line.number for each in told][1] == f"{told[0].line.number}9"
    names = list(members(volume))
    assert len([name for name in names if name.startswith("shared/")]) == found.entries - 10
    assert sum(name.startswith("notes/") for name in names) == 1
    said = verdict(found, "", "zh")
    assert said.startswith("【演示数据】工程《") and "真" not in said
    assert "只有平台的这句话作保" in "".join(step.sentence_zh for step in found.steps)


def test_other_programs_can_open_it(volume: Path) -> None:
    with zipfile.ZipFile(volume) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "VOLUME.txt"
        assert set(archive.namelist()) == members(volume).keys()


def test_a_report_taken_out_is_named(volume: Path, verifier: Verifier) -> None:
    number = check(volume, verifier)[1][1].line.number
    rewrite(volume, lambda found: found.pop(report_name(2)))
    assert f"报告 {number} 被拿掉了" in first_fault(volume, verifier)


def test_a_report_taken_off_the_list_too_breaks_the_statement(volume: Path, verifier: Verifier) -> None:
    def take_out(found: dict[str, bytes]) -> None:
        listed = msgspec.json.decode(found["volume.json"], type=Volume)
        found["volume.json"] = encoded(msgspec.structs.replace(listed, reports=listed.reports[:1]))
        found.pop(report_name(2))

    rewrite(volume, take_out)
    said = [step.sentence_zh for step in check(volume, verifier)[0].steps if not step.ok]
    assert "齐全声明不成立" in said[0] and "不属于清单里的任何报告" in said[1]


def test_two_reports_swapped_are_both_named(volume: Path, verifier: Verifier) -> None:
    def swap(found: dict[str, bytes]) -> None:
        one, two = report_name(1), report_name(2)
        found[one], found[two] = found[two], found[one]

    rewrite(volume, swap)
    found, told = check(volume, verifier)
    assert len(found.failed) == 2
    assert all("两份对调了" in (each.failure.sentence_zh if each.failure else "") for each in told)


def test_two_pdfs_swapped_are_both_named(volume: Path, pair: TwoReports, verifier: Verifier) -> None:
    one, two = pdf_name(digest_of(pair.pdf)), pdf_name(digest_of(pair.second_pdf))

    def swap(found: dict[str, bytes]) -> None:
        found[one], found[two] = found[two], found[one]

    rewrite(volume, swap)
    found, _ = check(volume, verifier)
    assert [fault.name for _, fault in found.failed] == ["report", "report"]


def test_a_message_changed_by_somebody_who_knows_the_format_is_named(
    volume: Path, verifier: Verifier
) -> None:
    rewrite(
        volume,
        lambda found: found.update(
            {report_name(2): found[report_name(2)].replace(b"NOT_JUDGED", b"VOID", 1)}
        ),
    )
    said = first_fault(volume, verifier)
    assert "report.applied：报文与入账时不一致" in said and "9（" in said
    assert len(check(volume, verifier)[0].failed) == 1


def test_a_changed_entry_that_both_share_fails_both(volume: Path, verifier: Verifier) -> None:
    name = next(name for name, data in members(volume).items() if b'"role":"run.recorded"' in data)
    rewrite(volume, lambda found: found.update({name: found[name].replace(b"C30", b"C35", 1)}))
    found, _ = check(volume, verifier)
    assert len(found.failed) == 2 and all(
        "报文与入账时不一致" in fault.sentence_zh for _, fault in found.failed
    )


def test_every_changed_byte_of_a_sample_is_noticed(volume: Path, verifier: Verifier) -> None:
    """One byte in each member, and in each kind of record of the container; the sums are left as they were."""
    data = volume.read_bytes()
    reader = ContainerReader(volume)
    places = [
        place.offset + 40 + max(place.size - 41, 0) // 2
        for place in reader.places.values()
        if place.size < 10_000
    ]
    reader.close()
    # the header of a member, the directory, the end
    places += [10, data.rindex(b"PK\x01\x02") + 12, len(data) - 70, len(data) - 30, len(data) - 3]
    trust = Verifier([])  # without the roots: a changed byte is noticed before any signature is read
    for place in places:
        volume.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        found, _ = check(volume, trust)
        assert not found.ok, place
        assert found.failure is not None and found.failure.sentence_zh, place


@pytest.mark.parametrize("cut", [0, 1, 30, 98, 4000])
def test_a_cut_file_is_no_volume(volume: Path, verifier: Verifier, cut: int) -> None:
    data = volume.read_bytes()
    volume.write_bytes(data[: len(data) - 1 - cut] if cut else data + b"\0")
    assert check(volume, verifier)[0].failure is not None


@pytest.mark.parametrize("count", [2**40, 2**62, 600_001])
def test_an_end_that_claims_too_much_is_refused(volume: Path, count: int) -> None:
    data = bytearray(volume.read_bytes())
    data[-98 + 24 : -98 + 40] = count.to_bytes(8, "little") * 2
    volume.write_bytes(bytes(data))
    with pytest.raises(BundleProblem):
        ContainerReader(volume)


def test_another_log_says_so_at_once(volume: Path, verifier: Verifier) -> None:
    found, told = check(volume, verifier, log_keys=[log_key(seed=7)])
    assert "另一个日志" in verdict(found, "", "zh") and not told


def test_one_report_alone_is_checked_on_demand(volume: Path, verifier: Verifier) -> None:
    lines = [each.line for each in check(volume, verifier)[1]]
    for wanted in (lines[1].code, lines[1].number, lines[1].application):
        found, told = check(volume, verifier, only=wanted or "")
        assert found.ok and [each.line for each in told] == [lines[1]]
    assert "没有报告 X-1" in verdict(check(volume, verifier, only="X-1")[0], "X-1", "zh")


def test_a_withdrawn_report_stands_in_it_with_its_state(
    tmp_path: Path, pair: TwoReports, verifier: Verifier
) -> None:
    pair.make(
        "report.withdrawn", "report.withdrawn", pair.told["report.examined"].message.occurred_at, "institution",
        registration=pair.entry("report.registered"), because="部位写错",
    )  # fmt: skip
    gone = pair.told["run.recorded"].message.technician
    when = pair.told["report.examined"].message.occurred_at
    pair.make("subject.destroyed", "subject.destroyed", when, "platform", subject=gone, because="离职满三年")
    path = tmp_path / "volume.zip"
    pair.bind(path)
    found, told = check(path, verifier)
    assert found.ok, found.failure
    assert dict(found.standings) == {"withdrawn": 1, "registered": 1}
    assert "部位写错" in "".join(step.sentence_zh for step in told[0].steps)
    assert f"人员 {gone} 的个人信息已于" in "".join(step.sentence_zh for step in told[1].steps)

    def gloss_over(members: dict[str, bytes]) -> None:
        members["volume.json"] = members["volume.json"].replace(b'"withdrawn"', b'"registered"')

    rewrite(path, gloss_over)
    assert "清单写的状态是已登记，条目证明的是已撤回" in first_fault(path, verifier)


def test_a_report_of_another_project_year_or_institution_does_not_belong(
    tmp_path: Path, pair: TwoReports, verifier: Verifier
) -> None:
    wrong = Scope(kind="year", year=2019, project="ab" * 16, institution="cd" * 16)
    path = tmp_path / "volume.zip"
    pair.bind(path, scope=wrong)
    _, told = check(path, verifier)
    assert sum(step.name == "scope" and not step.ok for step in told[0].steps) == 3


def test_what_is_missing_is_told_and_never_silent(
    tmp_path: Path, pair: TwoReports, verifier: Verifier
) -> None:
    path = tmp_path / "volume.zip"
    left = LeftOut(application="ef" * 16, number="HC-9", because="foreign")
    pair.bind(path, absent_pdf="withheld", left_out=(left,))
    found, told = check(path, verifier)
    assert found.ok and found.unchecked["report_file"] == 2
    assert "报告 PDF" in "".join(step.sentence_zh for step in told[0].steps)
    assert "报告 HC-9 没有随包：引用了取包人范围以外的记录" in "".join(
        step.sentence_zh for step in found.steps
    )
    assert "另有 1 份列在清单里，没有随包" in verdict(found, "", "zh")
    assert "列在清单里，但没有随包" in verdict(check(path, verifier, only="HC-9")[0], "HC-9", "zh")
    assert "共 3 份" in "".join(step.sentence_zh for step in found.steps)


def test_an_application_without_a_code_may_lack_what_it_was_refused_for(
    tmp_path: Path, pair: TwoReports, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair.reports()
    gone = {"code.reserved", "report.registered", "report.examined", "run.recorded"}
    kept = tuple(each for each in second.entries if each.role not in gone)
    named = {each.entry for each in kept}
    pictures = tuple(each for each in second.pictures if each.entry in named)
    refused = dataclasses.replace(second, code=None, pdf=None, entries=kept, pictures=pictures)
    path = tmp_path / "volume.zip"
    monkeypatch.setattr(TwoReports, "reports", lambda _: [first, refused])
    pair.bind(path)
    found, told = check(path, verifier)
    assert found.ok, found.failure
    assert "依据不齐，没有发码" in report_line(told[1], 2, "zh")
    # The same gap behind a code is a fault.
    kept = tuple(each for each in second.entries if each.role != "run.recorded")
    broken = dataclasses.replace(second, entries=kept, pictures=pictures)
    monkeypatch.setattr(TwoReports, "reports", lambda _: [first, broken])
    pair.bind(path)
    assert "缺少报告所依据的试验" in first_fault(path, verifier)


def test_a_file_that_is_named_again_and_again_takes_no_memory(volume: Path, verifier: Verifier) -> None:
    """A picture of a megabyte, named a hundred times; an entry, listed twice: refused before anything is read."""
    big = bytes(1 << 20)

    def repeat(found: dict[str, bytes]) -> None:
        part = msgspec.json.decode(found[report_name(1)], type=ReportPart)
        more = [
            PicturePart(entry=part.application, picture="break", sha256=digest_of(big), because=None)
        ] * 100
        found[picture_name(digest_of(big))] = big
        found[report_name(1)] = encoded(msgspec.structs.replace(part, pictures=more))
        part = msgspec.json.decode(found[report_name(2)], type=ReportPart)
        found[report_name(2)] = encoded(msgspec.structs.replace(part, places=part.places[:1] * 2))

    rewrite(volume, repeat)
    _, told = check(volume, verifier)
    said = [each.failure.sentence_zh if each.failure else "" for each in told]
    assert "影像超过 60 MB" in said[0] and "没有按日志的顺序各列一次" in said[1]


def test_cosigners_are_counted(tmp_path: Path, pair: TwoReports, verifier: Verifier) -> None:
    cosigner = make_cosigner("witness.test/1", 9)
    pair.cosigners = [cosigner]
    path = tmp_path / "volume.zip"
    pair.bind(path)
    found, _ = check(path, verifier, log_keys=[log_key(), cosigner.verifier_key()])
    assert found.cosigned["witness.test/1"] == found.entries > 20


def test_the_command_tells_each_report_and_ends_by_status(
    tmp_path: Path, volume: Path, pair: TwoReports, verifier: Verifier, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "trust.txt").write_text("\n".join([log_key(), "code " + " ".join(CODE_KEYS[0])]), "utf-8")
    (trust / "root.pem").write_text(verifier.roots[0].certificate, "utf-8")

    def run(*more: str) -> tuple[int, str]:
        status = main(["verify", str(volume), "--trust", str(trust), *more])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    status, told = run()
    assert (status, told.count("✓ [")) == (0, 2), told
    assert "2 份报告全部成立（已登记 2 份）" in told
    status, told = run("--lang", "en", "--report", check(volume, verifier)[1][1].line.number)
    assert status == 0 and "the other reports were not checked" in told
    pair.bind(volume, stated=False)
    status, told = run()
    assert (status, "没有平台的齐全声明" in told) == (2, True)
    rewrite(volume, lambda found: found.pop(report_name(1)))
    assert run()[0] == 1


def test_a_receipt_or_bundle_takes_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text("x")
    assert main(["verify", str(tmp_path / "r.txt"), "--report", "1"]) == 2
    assert "--report 只用于合订案卷包" in capsys.readouterr().err
