"""A bundle verifies offline, is never called genuine, and says what was changed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from plumbline.evidence.testing import make_cosigner, make_sm2_cosigner
from plumbline.exchange.handbook.example_cast import at
from plumbline.lab.keys import DemoAuthority
from plumbline.sdk.bundle import outcome
from plumbline.sdk.bundle.archive import read_members
from plumbline.sdk.bundle.check import BundleCheck
from plumbline.sdk.bundle.format import MANIFEST, README, REPORT, STATEMENT, BundleContent, pack, write_bundle
from plumbline.sdk.tests.bundle_story import Story, Verifier, key, log_key, public

#: Entries that a chain may lack: their absence is told, and only the platform's statement makes it a failure.
OPTIONAL = {"receipt.recorded", "review.recorded", "report.examined"}


def told(check: BundleCheck) -> str:
    return "\n".join(step.sentence_zh for step in check.steps)


def faults(check: BundleCheck) -> list[str]:
    return [step.sentence_zh for step in check.steps if not step.ok]


def without(content: BundleContent, position: int) -> BundleContent:
    gone = content.entries[position].entry
    return replace(
        content,
        entries=tuple(each for each in content.entries if each.entry != gone),
        pictures=tuple(each for each in content.pictures if each.entry != gone),
    )


def test_a_whole_bundle_verifies_and_says_what_offline_cannot_know(story: Story, verifier: Verifier) -> None:
    check = verifier.check(story.seal())
    assert faults(check) == []
    assert (check.ok, check.unchecked, check.is_demo, check.cosigned_by) == (True, (), True, ())
    assert check.verdict_zh == (
        "【演示数据】此码由衡川市住房和城乡建设局签发，内容为衡川诚测检测有限公司 HNT-S1-2026-00417"
        "《混凝土立方体试件抗压强度检测报告》结论不作判定；是否作废、纸面是否一致须联网或核对。"
    )
    assert "尚无外部联署" in told(check)
    assert "演示证书" in told(check)


def test_the_same_parts_give_the_same_bytes(story: Story) -> None:
    content = story.content()
    made = write_bundle(content, key("web.key"))
    assert made == write_bundle(content, key("web.key")) == pack(read_members(made))


def test_a_changed_byte_in_any_member_is_noticed_and_named(story: Story, verifier: Verifier) -> None:
    members = read_members(story.seal())
    for name, data in members.items():
        changed = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        check = verifier.check(pack(members | {name: changed}))
        folder = name.rpartition("/")[0] or name
        expected = {MANIFEST: "manifest.json", STATEMENT: "声明", README: "README.txt", REPORT: "report.pdf"}
        assert not check.ok, name
        named = "\n".join(faults(check))
        assert expected.get(name, folder) in named, (name, named)


@pytest.mark.parametrize("part", ["message", "envelope", "receipt"])
def test_the_changed_part_of_an_entry_is_named(story: Story, verifier: Verifier, part: str) -> None:
    content = story.content()
    entries = list(content.entries)
    data = getattr(entries[12], part)
    at_byte = data.index(b"c2sp.org") if part == "receipt" else len(data) // 2
    changed = data[:at_byte] + bytes([data[at_byte] ^ 1]) + data[at_byte + 1 :]
    entries[12] = replace(entries[12], **{part: changed})
    (fault,) = faults(verifier.check(write_bundle(replace(content, entries=tuple(entries)))))
    words = {"message": "报文与入账时不一致", "envelope": "信封与入账时不一致", "receipt": "回执"}
    assert fault.startswith("entries/013-") and words[part] in fault


def test_any_flipped_bit_of_the_file_is_noticed(story: Story, verifier: Verifier) -> None:
    data, dice = story.seal(), random.Random(20261121)
    for _ in range(80):
        place = dice.randrange(len(data))
        changed = data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]
        check = verifier.check(changed)
        # A date or a flag of the zip itself says nothing about the report, but the file is not the original.
        assert not check.ok or "不是出具时的原样" in told(check), place


def test_a_listed_file_that_was_taken_out_is_named(story: Story, verifier: Verifier) -> None:
    members = read_members(story.seal())
    name = next(each for each in members if each.endswith("run.recorded/message.json"))
    del members[name]
    assert faults(verifier.check(pack(members))) == [f"清单（manifest.json）里有、包里没有：{name}。"]


def test_a_file_that_is_not_listed_is_named(story: Story, verifier: Verifier) -> None:
    extra = f"pictures/{'0' * 64}"
    check = verifier.check(pack(read_members(story.seal()) | {extra: b"x"}))
    assert faults(check) == [f"包里有、清单（manifest.json）里没有：{extra}。"]


def test_an_entry_left_out_with_a_new_manifest_is_missed(story: Story, verifier: Verifier) -> None:
    content = story.content()
    unnoticed = set()
    for position, each in enumerate(content.entries):
        check = verifier.check(write_bundle(without(content, position)))
        if check.ok:
            assert "没有平台的齐全声明" in told(check)
            unnoticed.add((each.role, each.index))
    # The owner sends nothing in this story, so that nobody asks for its registration.
    assert {role for role, _ in unnoticed} == OPTIONAL | {"party.registered"}
    assert len(unnoticed) == len(OPTIONAL) + 1


def test_the_platforms_statement_notices_every_entry_left_out(story: Story, verifier: Verifier) -> None:
    content = story.content()
    statement = read_members(write_bundle(content, key("web.key")))[STATEMENT]
    for position in range(1, len(content.entries)):
        members = read_members(write_bundle(without(content, position))) | {STATEMENT: statement}
        assert not verifier.check(pack(members)).ok


def test_what_may_be_missing_is_told(story: Story, verifier: Verifier) -> None:
    content = story.content()
    kept = tuple(each for each in content.entries if each.role not in OPTIONAL)
    ids = {each.entry for each in kept}
    pictures = tuple(each for each in content.pictures if each.entry in ids)
    check = verifier.check(write_bundle(replace(content, entries=kept, pictures=pictures)))
    assert check.ok
    for words in ("没有全部样品的收样记录", "审核人、批准人", "没有平台对终稿的查验", "没有平台的齐全声明"):
        assert words in told(check)


def test_swapped_receipts_are_named(story: Story, verifier: Verifier) -> None:
    content = story.content()
    entries = list(content.entries)
    one, two = entries[15], entries[16]
    entries[15], entries[16] = replace(one, receipt=two.receipt), replace(two, receipt=one.receipt)
    found = faults(verifier.check(write_bundle(replace(content, entries=tuple(entries)))))
    assert [each[:11] for each in found] == ["entries/016", "entries/017"]


def test_entries_out_of_order_or_twice_are_refused(story: Story, verifier: Verifier) -> None:
    content = story.content()
    twice = replace(content, entries=(*content.entries, content.entries[-1]))
    turned = replace(content, entries=content.entries[::-1])
    for changed in (twice, turned):
        assert any("顺序" in each for each in faults(verifier.check(write_bundle(changed))))


def test_another_logs_key_proves_nothing(story: Story, verifier: Verifier) -> None:
    data = story.seal()
    check = verifier.check(data, log_keys=[log_key(2)])
    assert not check.ok
    assert "属于另一个日志，或是伪造的" in check.verdict_zh
    assert verifier.check(data, log_keys=[log_key(2), log_key(), log_key()]).ok


def test_another_root_does_not_accept_the_signature(story: Story, verifier: Verifier, tmp_path) -> None:
    other = DemoAuthority.create(tmp_path / "root").as_trust_root()
    found = faults(verifier.check(story.seal(), roots=[other]))
    assert found == ["report.pdf：签章证书不是由受信任的机构签发的。"]


def test_another_code_key_did_not_issue_the_code(story: Story, verifier: Verifier) -> None:
    keys = [("code.key", "ed25519", public(key("another"))), ("bad", "ed25519", "!"), ("odd", "x", "AAAA")]
    assert faults(verifier.check(story.seal(), code_keys=keys)) == ["监管码不是由您信任的发码密钥签发的。"]


def test_what_the_caller_gave_no_trust_for_is_told_as_not_checked(story: Story, verifier: Verifier) -> None:
    check = verifier.check(story.seal(), roots=[], code_keys=[])
    assert check.ok
    assert check.unchecked == ("code_claims", "report_signature")
    assert "此码的签发没有核验" in check.verdict_zh
    assert "签章没有核验" in told(check)


def test_a_withdrawn_report_fails_and_tells_the_reason(story: Story, verifier: Verifier) -> None:
    story.make(
        "report.withdrawn", "gone", at(days=40), "institution",
        registration=story.entry("report.registered"), because="部位写错",
    )  # fmt: skip
    check = verifier.check(story.seal())
    assert not check.ok
    assert "撤回，原因：部位写错。请不要采用。" in check.verdict_zh


def test_somebody_elses_withdrawal_does_not_count(story: Story, verifier: Verifier) -> None:
    story.make(
        "report.withdrawn", "gone", at(days=40), "contractor",
        registration=story.entry("report.registered"), because="不想付钱",
    )  # fmt: skip
    assert verifier.check(story.seal()).ok


def test_an_unsound_examination_fails(story: Story, verifier: Verifier) -> None:
    story.told["report.examined"].change(accepted=False, root_kind="none")
    assert verifier.faults(story) == ["平台查验登记的终稿时没有通过。"]


def test_a_reserved_code_is_not_a_report(story: Story, verifier: Verifier) -> None:
    for name in ("report.registered", "report.examined"):
        del story.told[name]
    check = verifier.check(write_bundle(replace(story.content(), pdf=None), key("web.key")))
    assert check.ok
    assert check.verdict_zh.endswith("报告还没有登记，不能采用。")


def test_cosigners_are_named(story: Story, verifier: Verifier) -> None:
    cosigner = make_cosigner("association.example", 9)
    story.cosigners = [cosigner]
    check = verifier.check(story.seal(), log_keys=[log_key(), cosigner.verifier_key()])
    assert check.cosigned_by == ("association.example",)
    assert "外部联署：association.example。" in told(check)
    national = make_sm2_cosigner("association.example", 9)
    story.cosigners = [cosigner, national]
    check = verifier.check(
        story.seal(), log_keys=[log_key(), cosigner.verifier_key(), national.verifier_key()]
    )
    assert check.cosigned_by == ("association.example",)
    assert check.cosigned_with == (("association.example", "ed25519"), ("association.example", "sm2"))
    check = verifier.check(story.seal(), log_keys=[log_key(), national.verifier_key()])
    assert (check.ok, check.cosigned_with) == (True, (("association.example", "sm2"),))


def test_two_heads_of_one_size_are_called_a_fork(story: Story, verifier: Verifier, signed_by) -> None:
    other = Story(signed_by("institution"))
    other.told["sampling.recorded"].change(structural_part="三层柱")
    one, two = story.content(), other.content()
    entries = (*one.entries[:-1], two.entries[-1])
    found = faults(verifier.check(write_bundle(replace(one, entries=entries))))
    assert any("日志分了叉" in each for each in found)


def test_without_the_pdf_libraries_the_signature_is_not_checked_instead_of_called_broken(
    story: Story, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "find_spec", lambda name: None)
    check = verifier.check(story.seal())
    assert check.ok
    assert check.unchecked == ("report_signature",)
    assert "没有安装 PDF 查验部件" in told(check)
