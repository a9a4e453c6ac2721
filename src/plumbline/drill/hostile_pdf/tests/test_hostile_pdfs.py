"""A slice of the drill on hostile PDFs (恶意 PDF 演练), and proof that it fails when the verdict is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from pyhanko.pdf_utils.reader import PdfFileReader

from plumbline.drill.hostile_pdf.builder import by_class, hostile, some_of_each
from plumbline.drill.hostile_pdf.case import Case
from plumbline.drill.hostile_pdf.court import Tally, try_here, try_under_limits
from plumbline.drill.hostile_pdf.forgeries import ranges
from plumbline.drill.hostile_pdf.identities import SIGNED_AT
from plumbline.drill.hostile_pdf.roads import Desk
from plumbline.drill.hostile_pdf.sealing import sealed
from plumbline.drill.hostile_pdf.structures import _many_fields
from plumbline.drill.hostile_pdf.workshop import Workshop
from plumbline.drill.pdf import desk_of, outcome
from plumbline.sdk.pdf import chain, cms, examine, metered, structure
from plumbline.sdk.pdf.envelope import find_envelope
from plumbline.sdk.pdf.examine import examine_pdf
from plumbline.supervision.gateway import public_page

SEED = 20261123


@pytest.fixture(scope="module")
def shop() -> Workshop:
    return Workshop(2)


@pytest.fixture(scope="module")
def desk(shop: Workshop) -> Desk:
    return desk_of(shop)


@pytest.fixture(scope="module")
def classes(shop: Workshop) -> dict[str, list[Case]]:
    return by_class(shop, SEED)


def broken(tally: Tally) -> Sequence[str]:
    return outcome(tally, SEED, 0, fewest_genuine=0).broken


def test_no_hostile_file_of_any_class_is_genuine_and_the_reasons_are_right(
    shop: Workshop, desk: Desk, classes: dict[str, list[Case]], tmp_path: Path
) -> None:
    tally = try_here([*shop.cases(full=False), *some_of_each(classes, SEED)], desk, tmp_path)
    assert broken(tally) == ()
    assert tally.hostile >= 50
    assert tally.right == tally.hostile
    assert tally.accepted == tally.genuine >= 10


def test_the_limits_are_measured_file_by_file(
    shop: Workshop, desk: Desk, classes: dict[str, list[Case]], tmp_path: Path
) -> None:
    (tmp_path / "warm.pdf").write_bytes(shop.signed[0])
    cases = [shop.cases(full=False)[0], classes["末尾追加"][0]]
    # A tenth of a millisecond is too little for any file: the drill has to say so.
    tally = try_under_limits(cases, desk, tmp_path, seconds=0.0001, megabytes=4096, show=lambda _: None)
    assert (tally.passed, tally.refused, tally.reason) == ([], [], [])
    assert len(tally.costly) == 6
    assert all(line in broken(tally) for line in tally.costly)
    assert tally.worst_mb[0] > 10


def test_byte_ranges_that_are_to_be_read_are_written_with_numbers(shop: Workshop) -> None:
    """The update that holds a signature takes fewer bytes than a case once left out: a negative number is no byte range."""
    made = [case for seed in range(6) for case in ranges(shop, random.Random(seed))]
    readable = [case for case in made if "no_signature" not in case.reasons]
    assert len(readable) == 6 * 10
    assert [case.name for case in readable if find_envelope(case.data) is None] == []


def test_the_same_seed_makes_different_files_and_no_file_twice(shop: Workshop) -> None:
    cases = list(hostile(shop, 30, SEED, large=False))
    assert len({case.data for case in cases}) == 30


def _byte_hash_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(row: dict[str, Any] | None, _: str) -> dict[str, object]:
        return public_page.file_answer(public_page.state_of(row or {}))

    monkeypatch.setattr("plumbline.drill.hostile_pdf.roads.check_answer", answer)


def _revisions_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "_coverage_problems", lambda *_: [])
    monkeypatch.setattr(examine, "_inner_problems", lambda *_: [])


def _signer_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if every certificate were the institution's own.
    name = examine._subject

    def subject(content: Any, oid: Any) -> str | None:
        return "91350100M000100Y43" if oid == examine.NameOID.SERIAL_NUMBER else name(content, oid)

    monkeypatch.setattr(examine, "_subject", subject)


def _weak_digests_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cms._DIGESTS, "sha1", hashes.SHA1())


def _path_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_path_holds", lambda *_: True)


def _signature_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cms, "_verify_signature", lambda *_: None)


def _contents_may_hold_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cms, "is_strict_der", lambda _: True)
    monkeypatch.setattr(cms, "_only_signer", lambda signed: signed["signer_infos"][0])


def _revocations_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "_revocation", lambda *_: [])


def _roots_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.sdk.pdf.roots.TrustRoot.accepted_at", lambda *_: True)


def _scripts_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "_active_names", lambda *_: iter(()))


def _reason_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "_coverage_problems", lambda *_: [examine.problem("encrypted")])


#: mutant, class, variant, what the drill must say
MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], str, str, str]] = [
    (_byte_hash_not_compared, "不是登记的那份", "另一份", "拿来比对时答 genuine_demo"),
    (_revisions_not_counted, "增量保存", "完整", "离线说签章完好"),
    (_revisions_not_counted, "认证签名攻击", "文字", "登记成终稿时答 genuine_demo"),
    (_signer_not_compared, "签章人不对", "", "登记成终稿时答 genuine_demo"),
    (_weak_digests_taken, "弱摘要算法", "sha1", "离线说签章完好"),
    (_path_not_verified, "证书不对", "同名的另一个根", "离线说签章完好"),
    (_signature_not_verified, "签章数据改动", "签名值", "离线说签章完好"),
    (_contents_may_hold_anything, "签章数据改动", "未签属性", "离线说签章完好"),
    (_revocations_ignored, "证书不对", "吊销", "离线说签章完好"),
    (_roots_never_end, "证书不对", "停用", "离线说签章完好"),
    (_scripts_not_looked_for, "主动内容", "打开就执行", "离线说签章完好"),
    (_reason_wrong, "一位翻转", "正文", "离线的理由是 encrypted"),
]


@pytest.mark.parametrize(("mutate", "family", "variant", "told"), MUTANTS)
def test_a_mutant_of_the_verdict_does_not_survive_the_drill(
    classes: dict[str, list[Case]],
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mutate: Callable[[pytest.MonkeyPatch], None],
    family: str,
    variant: str,
    told: str,
) -> None:
    cases = [each for each in classes[family] if variant in each.variant]
    assert broken(try_here(cases, desk, tmp_path)) == ()
    mutate(monkeypatch)
    sentences = broken(try_here(cases, desk, tmp_path))
    assert any(told in sentence for sentence in sentences), sentences


def test_a_verifier_that_refuses_everything_does_not_survive_the_drill(
    shop: Workshop, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "_inner_problems", lambda *_: [examine.problem("unreadable")])
    tally = try_here(shop.cases(full=False)[:2], desk, tmp_path)
    assert (tally.genuine, tally.accepted) == (2, 0)
    assert broken(tally)


def test_a_revoked_signer_is_accepted_where_the_log_shows_that_it_signed_before(shop: Workshop) -> None:
    pdf, root = sealed(shop.signed[0], shop.revoked), shop.roots[0]
    taken_back = root.revoked[0]
    assert [each.code for each in examine_pdf(pdf, roots=[root], at=SIGNED_AT).problems] == ["revoked"]
    # The signer states a time; what counts is when the log knew the file.
    later = replace(root, revoked=(replace(taken_back, at=SIGNED_AT + timedelta(days=1)),))
    assert examine_pdf(pdf, roots=[later], at=SIGNED_AT + timedelta(hours=1)).ok
    assert not examine_pdf(pdf, roots=[later], at=SIGNED_AT + timedelta(days=1)).ok


def test_a_root_that_stands_twice_in_the_list_does_not_lose_its_revocations(shop: Workshop) -> None:
    pdf, root = sealed(shop.signed[0], shop.revoked), shop.roots[0]
    bare = replace(root, revoked=(), certificate=root.certificate + "\n")
    for roots in ([bare, root], [root, bare]):
        assert [each.code for each in examine_pdf(pdf, roots=roots, at=SIGNED_AT).problems] == ["revoked"]


def test_a_list_of_objects_without_bytes_is_refused_before_it_is_read(classes: dict[str, list[Case]]) -> None:
    endless = next(each for each in classes["炸弹"] if "没有字节" in each.variant)
    with pytest.raises(ValueError, match="without a type"):
        metered.refuse_endless_lists(metered.MeteredFile(endless.data, metered.Meter()))


def test_a_file_that_takes_too_many_reads_is_not_read_to_its_end(shop: Workshop) -> None:
    with pytest.raises(ValueError, match="too many reads"):
        metered.refuse_endless_lists(metered.MeteredFile(shop.signed[0], metered.Meter(20)))


def test_a_long_report_of_other_software_is_read_to_its_end(shop: Workshop) -> None:
    for name, data in shop._tagged(2500):
        found = examine_pdf(data, roots=shop.roots, at=SIGNED_AT + timedelta(hours=1))
        assert found.ok, name


def test_what_costs_too_much_is_not_said_to_be_broken(
    shop: Workshop, classes: dict[str, list[Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "Meter", lambda: metered.Meter(20_000))
    for variant in ("共用一段空白", "叠在一起", "数组很长"):
        costly = next(each for each in classes["炸弹"] if variant in each.variant)
        found = examine_pdf(costly.data, roots=shop.roots, at=SIGNED_AT + timedelta(hours=1))
        assert [each.code for each in found.problems] == ["too_complex"], variant


def test_a_machine_out_of_memory_says_nothing_of_the_file(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short_of_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(structure, "refuse_endless_lists", short_of_memory)
    with pytest.raises(MemoryError):
        examine_pdf(shop.signed[0], roots=shop.roots, at=SIGNED_AT + timedelta(hours=1))


def test_a_form_in_an_object_stream_is_not_gone_through_once_for_every_field(shop: Workshop) -> None:
    meter = metered.Meter()
    data = _many_fields(shop, 100)
    reader = PdfFileReader(metered.MeteredFile(data, meter), strict=True)
    metered.Packed(reader, meter)
    # The reader's own way, which goes through the whole head for each.
    reader._get_object_from_stream = None
    assert len(reader.embedded_signatures) == 1
