"""How a report of a volume stands (报告状态), by its own entries as of the log that the volume speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.exchange.messages.registry import SubjectDestroyed
from plumbline.exchange.messages.reports import CodeReserved, CodeWithheld, NumberVoided
from plumbline.sdk.bundle.check import Step, note
from plumbline.sdk.bundle.links import Chain
from plumbline.sdk.bundle.outcome import force_steps, is_lapsed, is_unsound, replacement_of, withdrawal_of

#: Word → Chinese, English. The first that holds counts, in this order.
STANDINGS = {
    "withdrawn": ("已撤回", "withdrawn"),
    "superseded": ("已被新版替代", "replaced by a newer version"),
    "unsound": ("终稿没有通过平台查验", "file found unsound by the platform"),
    "registered": ("已登记", "registered"),
    "lapsed": ("监管码过期未用", "code died unused"),
    "reserved": ("已发码，终稿没有登记", "code reserved, nothing registered"),
    "withheld": ("监管码暂不发放", "code withheld"),
    "applied": ("已申请，还没有结果", "applied for"),
}
#: Links without which nobody can say what an application is, code or not.
_ALWAYS = ("link.application", "link.party")


def standing_of(chain: Chain) -> str:
    """One word of `STANDINGS`."""
    if withdrawal_of(chain) is not None:
        return "withdrawn"
    if chain.registration is not None:
        if replacement_of(chain) is not None:
            return "superseded"
        return "unsound" if is_unsound(chain) else "registered"
    if chain.content.code is not None:
        return "lapsed" if is_lapsed(chain) else "reserved"
    withheld = any(
        chain.same(message.application, chain.content.application) and message.sender == chain.keys.operator
        for _, message in chain.records.of(CodeWithheld)
    )
    return "withheld" if withheld else "applied"


def unfinished_steps(chain: Chain, steps: Sequence[Step]) -> list[Step]:
    """The steps of an application that never got a code: what it lacks is why, and no fault of the volume."""
    has_code = chain.content.code is not None or any(
        chain.same(message.application, chain.content.application)
        for _, message in chain.records.of(CodeReserved)
    )
    if has_code or chain.application is None:
        return list(steps)
    told = []
    for step in steps:
        if not step.ok and step.name.startswith("link.") and step.name not in _ALWAYS:
            zh = f"没有发码的申请，依据不齐：{step.sentence_zh}"
            step = note("unfinished", zh, f"No code was given; its chain is not whole: {step.sentence_en}")
        told.append(step)
    return told


def standing_steps(chain: Chain) -> list[Step]:
    """Why it stands so, whose number was voided and whose personal data is gone: told, and no fault of the volume."""
    steps = [note("standing", step.sentence_zh, step.sentence_en) for step in force_steps(chain)]
    for record, voided in chain.records.of(NumberVoided):
        zh = f"{record.label}：报告编号已作废，原因：{voided.because}。"
        steps.append(note("number", zh, "The report number was voided."))
    for record, gone in chain.records.of(SubjectDestroyed):
        if gone.sender == chain.keys.operator:
            zh = f"{record.label}：人员 {gone.subject} 的个人信息已于 {record.logged} 销毁，原因：{gone.because}。"
            steps.append(note("destroyed", zh, f"The personal data of {gone.subject} was destroyed."))
    return steps
