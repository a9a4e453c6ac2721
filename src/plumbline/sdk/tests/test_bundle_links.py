"""What the log holds may still not belong together, or not be who it says it is: each case is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from plumbline.exchange.handbook.example_cast import PARTY, USCC, at
from plumbline.exchange.handbook.examples import examples
from plumbline.sdk.bundle.format import write_bundle
from plumbline.sdk.tests.bundle_story import HmacSigner, Story, Verifier, key

OTHER = "f" * 32
Change = Callable[[Story], None]


def changed(name: str, **fields: object) -> Change:
    return lambda story: story.told[name].change(**fields)


LINKS: list[tuple[Change, str]] = [
    (changed("run.recorded", sample=OTHER), "试的不是报告里的样品"),
    (changed("run.recorded", commission=OTHER), "属于另一份委托"),
    (changed("commission.placed", samples=[OTHER]), "不在委托单的样品里"),
    (changed("commission.placed", institution=PARTY["owner"]), "委托的不是出报告的机构"),
    (changed("commission.placed", contract=OTHER), "缺少检测合同"),
    (changed("contract.signed", institution=PARTY["owner"]), "不是出报告机构的合同"),
    (changed("contract.signed", project=OTHER), "缺少工程登记"),
    (changed("sampling.recorded", project=OTHER), "属于另一个工程"),
    (changed("witnessing.recorded", sample=OTHER), "见证取样，却缺少见证记录"),
    (changed("number.taken", number="HNT-S1-2026-00418"), "不是这家机构取的号"),
    (changed("number.taken", document_kind="raw_record"), "不是这家机构取的号"),
    (changed("code.reserved", application=OTHER), "监管码是给另一份报告的"),
    (changed("code.reserved", institution=PARTY["owner"]), "监管码是给另一份报告的"),
    (changed("report.registered", application=OTHER), "登记的是另一份报告"),
    (changed("report.registered", pdf_sha256="0" * 64), "report.pdf 不是登记的那一份"),
    (changed("report.registered", pdf_bytes=1), "report.pdf 不是登记的那一份"),
    (changed("party/institution", uscc=USCC["owner"]), "单位编号或登记者不对"),
    (changed("party/contractor", sender=PARTY["owner"]), "单位编号或登记者不对"),
    (lambda story: story.issue(report_number="HNT-1"), "二维码声明里的报告编号与报告不符"),
    (lambda story: story.issue(verdict="FAIL"), "二维码声明里的结论与报告不符"),
    (lambda story: story.issue(report_digest=bytes(16)), "二维码声明里的报告摘要与报告不符"),
    (lambda story: story.issue(institution=bytes(8)), "二维码声明里的机构与报告不符"),
    (lambda story: story.issue(code="2" * 21), "二维码声明里的监管码与报告不符"),
    (changed("code.reserved", claims="AEAUQ"), "二维码声明读不懂"),
]


@pytest.mark.parametrize(("change", "sentence"), LINKS)
def test_what_does_not_belong_together_is_told(
    story: Story, verifier: Verifier, change: Change, sentence: str
) -> None:
    found = verifier.faults(story, change)
    assert any(sentence in each for each in found), found


def _by_owner(story: Story) -> None:
    """A reservation that is in the log, but was not made by the platform."""
    story.told["code.reserved"].change(sender=PARTY["owner"])


def _self_enrolled(story: Story) -> None:
    story.told["key/institution.origin"].change(sender=PARTY["institution"])


def _revoked(story: Story) -> None:
    later = list(story.told.items())
    story.told.clear()
    for name, each in later:
        story.told[name] = each
        if name == "key/institution.origin":
            story.make("key.revoked", "revoked", at(2), key_id="institution.origin", because="私钥外泄")


def _another_signs(story: Story) -> None:
    story.told["run.recorded"].origin = [replace(key("contractor.origin"), key_id="institution.origin")]


def _another_transport(story: Story) -> None:
    story.told["run.recorded"].transport = replace(key("owner.transport"), key_id="institution.transport")


def _replayed_transport(story: Story) -> None:
    """A true signature of the institution over another message."""
    told = story.told["run.recorded"]
    told.origin, told.carried = [], b"{}"


def _foreign_key(story: Story) -> None:
    story.told["run.recorded"].origin = [key("contractor.origin")]


def _unknown_key(story: Story) -> None:
    story.told["run.recorded"].origin = [key("nobody.origin")]


def _unsigned_decision(story: Story) -> None:
    story.told["code.reserved"].origin = [key("institution.origin")]


def _forged_decision(story: Story) -> None:
    story.told["code.reserved"].origin = [replace(key("nobody"), key_id="web.key")]


KEYS: list[tuple[Change, str]] = [
    (_by_owner, "缺少监管码"),
    (_self_enrolled, "不是监督机构登记的"),
    (_revoked, "密钥在此之前已经停用"),
    (_another_signs, "源头签名不成立"),
    (_another_transport, "传输签名不成立"),
    (_replayed_transport, "传输签名盖的不是这条消息"),
    (_foreign_key, "密钥属于另一家单位"),
    (_unknown_key, "源头密钥 nobody.origin 没有登记条目"),
    (_unsigned_decision, "没有平台网页密钥的签名"),
    (_forged_decision, "源头签名不成立"),
    (changed("key/institution.origin", valid_until=at(days=1)), "不在密钥的有效期内"),
    (changed("key/institution.origin", valid_from=at(days=300)), "不在密钥的有效期内"),
    (changed("log.opened", keys=[]), "没有平台网页密钥的签名"),
]


@pytest.mark.parametrize(("change", "sentence"), KEYS)
def test_who_signed_is_not_taken_on_trust(
    story: Story, verifier: Verifier, change: Change, sentence: str
) -> None:
    found = verifier.faults(story, change)
    assert any(sentence in each for each in found), found


def test_a_report_signed_by_another_institution_is_told(signed_by, verifier: Verifier) -> None:
    (fault,) = verifier.faults(Story(signed_by("owner")))
    assert fault.startswith("report.pdf 由 甲（")
    assert "不是出报告的 衡川诚测检测有限公司" in fault


def test_a_symmetric_signature_is_named_as_no_proof(story: Story, verifier: Verifier) -> None:
    secret = b"s" * 32
    enrolled = {"algorithm": "hmac-sha256", "public_key": None, "secret_sha256": sha256(secret).hexdigest()}
    story.told["key/contractor.transport"].change(**enrolled)
    for name in ("sampling.recorded", "commission.placed"):
        story.told[name].transport = HmacSigner("contractor.transport", secret)
        story.told[name].origin = []
    check = verifier.check(story.seal())
    assert check.ok, check.failure
    assert sum("对称签名，不能向第三方证明，没有源头签名" in step.sentence_zh for step in check.steps) == 2


def test_an_entry_of_a_web_page_is_named_as_the_platforms_word(story: Story, verifier: Verifier) -> None:
    told = story.told["review.recorded"]
    told.channel, told.transport, told.origin = "session", None, [key("web.key")]
    check = verifier.check(story.seal())
    assert check.ok, check.failure
    assert any("审核与批准" in s.sentence_zh and "平台代录" in s.sentence_zh for s in check.steps)


def test_a_batch_signature_holds_for_each_of_its_messages(story: Story, verifier: Verifier) -> None:
    story.told["run.recorded"].batched = True
    check = verifier.check(story.seal())
    assert check.ok, check.failure
    assert any("源头签名（成批）成立" in step.sentence_zh for step in check.steps)


def test_a_transport_signature_over_several_messages_holds_for_each(story: Story, verifier: Verifier) -> None:
    story.told["run.recorded"].together = True
    check = verifier.check(story.seal())
    assert check.ok, check.failure


def test_one_over_several_others_does_not(story: Story, verifier: Verifier) -> None:
    told = story.told["run.recorded"]
    told.together, told.carried = True, b"another batch"
    check = verifier.check(story.seal())
    assert not check.ok
    assert check.failure is not None and "传输签名盖的不是这条消息" in check.failure.sentence_zh


def test_a_corrected_entry_counts_in_its_newest_version(story: Story, verifier: Verifier) -> None:
    first = examples()["witnessing.recorded"]
    story.told["witnessing.recorded"].change(sample=OTHER)
    story.make(
        "witnessing.recorded", "again", at(days=1), "resident_engineer_firm", sample=first.sample, witness=first.witness,
        witnessed_at=first.witnessed_at, supersedes=story.entry("witnessing.recorded"), reason="样品编号写错",
    )  # fmt: skip
    assert verifier.check(story.seal()).ok


def test_nobody_else_can_put_a_new_version_in_place(story: Story, verifier: Verifier) -> None:
    run = examples()["run.recorded"]
    fields = {
        name: getattr(run, name)
        for name in run.__struct_fields__
        if name not in ("v", "uid", "sender", "occurred_at")
    }
    fields |= {
        "discarded": True,
        "discarded_because": "别人",
        "supersedes": story.entry("run.recorded"),
        "reason": "别人",
    }
    story.make("run.recorded", "foreign", at(days=41), "contractor", **fields)
    assert verifier.check(story.seal()).ok


def test_a_newer_version_of_the_report_replaces_this_one(story: Story, verifier: Verifier) -> None:
    code = "2612HC1" + "0" * 14
    for name in ("report.applied", "report.registered"):
        first = story.told[name].message
        skip = ("v", "uid", "sender", "occurred_at")
        fields = {each: getattr(first, each) for each in first.__struct_fields__ if each not in skip}
        if name == "report.applied":
            fields |= {"version": 2, "replaces_code": story.told["code.reserved"].message.code}
        else:
            fields |= {"application": story.entry("newer/report.applied"), "code": code}
        story.make(name, f"newer/{name}", at(days=41), "institution", **fields)
    (fault,) = verifier.faults(story)
    assert fault.startswith("这份报告已被第 2 版（监管码 2612-HC1-")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"number": "HNT-9"}, "清单写的报告编号 HNT-9，申请里是 HNT-S1-2026-00417"),
        ({"application": OTHER}, f"缺少报告申请 {OTHER}"),
        ({"code": "2" * 21}, "缺少监管码"),
        ({"origin": "demo.other"}, "回执属于另一个日志"),
        ({"size": 10**6}, "与回执证明的不符"),
        ({"size": 3}, "与回执证明的不符"),
        ({"pictures": ()}, "影像清单与消息里写的不符"),
    ],
)
def test_a_manifest_cannot_say_what_the_entries_do_not(
    story: Story, verifier: Verifier, fields: dict[str, object], sentence: str
) -> None:
    check = verifier.check(write_bundle(replace(story.content(), **fields)))
    found = [step.sentence_zh for step in check.steps if not step.ok]
    assert any(sentence in each for each in found), found


def test_a_role_or_an_index_that_is_not_the_entrys_is_told(story: Story, verifier: Verifier) -> None:
    content = story.content()
    for fields in ({"role": "party.registered"}, {"index": 10}):
        entries = list(content.entries)
        entries[11] = replace(entries[11], **fields)
        check = verifier.check(write_bundle(replace(content, entries=tuple(entries))))
        assert any(
            "清单" in step.sentence_zh and "012" in step.sentence_zh for step in check.steps if not step.ok
        )


def test_a_picture_that_was_exchanged_is_named(story: Story, verifier: Verifier) -> None:
    content = story.content()
    pictures = (replace(content.pictures[0], data=b"another picture"), *content.pictures[1:])
    check = verifier.check(write_bundle(replace(content, pictures=pictures), key("web.key")))
    assert [step.sentence_zh for step in check.steps if not step.ok] == [
        f"pictures/{content.pictures[0].sha256} 被换过：摘要不符。"
    ]


def test_a_statement_by_any_other_key_counts_for_nothing(story: Story, verifier: Verifier) -> None:
    for signer in (key("institution.origin"), key("nobody"), replace(key("nobody"), key_id="web.key")):
        check = verifier.check(write_bundle(story.content(), signer))
        assert [step.name for step in check.steps if not step.ok] == ["statement"]


def test_a_discarded_test_and_a_correction_are_told(story: Story, verifier: Verifier) -> None:
    story.told["run.recorded"].change(discarded=True, discarded_because="停电")
    corrected = examples()["value.corrected"]
    story.add("value.corrected", corrected, "institution").change(
        run=story.entry("run.recorded"), occurred_at=at(days=41)
    )
    check = verifier.check(story.seal())
    assert check.ok, check.failure
    words = "\n".join(step.sentence_zh for step in check.steps if step.is_note)
    assert "这次试验机构已作废，原因：停电。" in words
    assert "load_kN 由 884.2 更正为 884.1，曲线不变。" in words


def test_an_officers_release_stands_in_for_the_witness(story: Story, verifier: Verifier) -> None:
    story.told["witnessing.recorded"].change(sample=OTHER)
    assert not verifier.check(story.seal()).ok
    release = {"officer": "a" * 32, "second_officer": "b" * 32, "because": "现场核对过录像"}
    application = story.entry("report.applied")
    story.make("code.released", "release", at(days=41), application=application, **release)
    check = verifier.check(story.seal())
    assert check.ok, check.failure
    assert any("由监督人员放行，原因：现场核对过录像" in step.sentence_zh for step in check.steps)
