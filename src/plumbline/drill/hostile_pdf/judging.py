"""Whether all roads say what they must of a file (判卷): never 真, the right reason, genuine ones accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from plumbline.drill.hostile_pdf.case import Case
from plumbline.drill.hostile_pdf.roads import Offline, Online, Vendor
from plumbline.sdk.pdf.problems import SENTENCES
from plumbline.sdk.pdf.verdict import GENUINE
from plumbline.sdk.verify_command import HOLDS

_ROOT_WORDS = {"demo": "演示证书", "licensed": "正式证书"}
_PATTERNS = {
    code: re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(sentence)))
    for code, sentence in SENTENCES.items()
}


@dataclass(slots=True)
class Faults:
    """What is wrong with the answers to one file."""

    #: 真 was said, or the signature held, where it must not
    passed: list[str] = field(default_factory=list)
    #: a genuine file was not accepted
    refused: list[str] = field(default_factory=list)
    #: refused for another reason than the right one
    reason: list[str] = field(default_factory=list)

    def all(self) -> list[str]:
        """Every fault as a sentence."""
        return [*self.passed, *self.refused, *self.reason]


def first_code(text: str) -> str:
    """The code of the first fault that the offline verdict prints; empty without one."""
    line = next((each[2:] for each in text.splitlines() if each.startswith("✗ ")), "")
    return next((code for code, pattern in _PATTERNS.items() if pattern.fullmatch(line)), "")


def judge(case: Case, off: Offline, on: Online, other: Vendor) -> Faults:
    """Hold the answers of all roads against what the case expects."""
    faults = Faults()
    if "报告是真的" in off.text:
        faults.passed.append(f"{case.name}：离线结论说它是真的")
    if case.genuine:
        _judge_genuine(case, off, on, other, faults)
        return faults
    _judge_offline(case, off, faults)
    _judge_online(case, on, faults)
    _judge_vendor(case, other, faults)
    return faults


def _judge_genuine(case: Case, off: Offline, on: Online, other: Vendor, faults: Faults) -> None:
    if off.status != HOLDS or case.signer not in off.text:
        faults.refused.append(f"{case.name}：离线没有接受（{off.text.strip()}）")
    elif _ROOT_WORDS[case.root_kind] not in off.text:
        faults.reason.append(f"{case.name}：离线没有说明是哪一种证书")
    wanted = "genuine_demo" if case.root_kind == "demo" else "genuine"
    if (on.registered, other.registered) != (wanted, wanted):
        faults.refused.append(
            f"{case.name}：平台答 {on.registered}，开发包答 {other.registered}，应为 {wanted}"
        )


def _judge_offline(case: Case, off: Offline, faults: Faults) -> None:
    if off.status == HOLDS:
        if case.reasons and not case.may_hold:
            faults.passed.append(f"{case.name}：离线说签章完好")
        elif case.signer not in off.text or not any(word in off.text for word in _ROOT_WORDS.values()):
            faults.reason.append(f"{case.name}：离线没有说出签章人或证书种类")
        return
    code = first_code(off.text)
    if not case.reasons:
        faults.refused.append(f"{case.name}：签章完好的文件离线答 {code or off.text.strip()}")
    elif code not in case.reasons:
        faults.reason.append(
            f"{case.name}：离线的理由是 {code or off.text.strip()}，应为 {'、'.join(sorted(case.reasons))}"
        )


def _judge_online(case: Case, on: Online, faults: Faults) -> None:
    if on.presented in GENUINE or "报告是真的" in on.words.partition("\n")[0]:
        faults.passed.append(f"{case.name}：拿来比对时答 {on.presented}")
    elif on.presented != "changed":
        faults.reason.append(f"{case.name}：拿来比对时答 {on.presented}")
    if case.registered is None:
        return
    if on.registered in GENUINE or "报告是真的" in on.words:
        faults.passed.append(f"{case.name}：登记成终稿时答 {on.registered}")
    elif on.registered != "unsound" or not on.found or on.found[0] not in case.registered:
        faults.reason.append(f"{case.name}：登记成终稿时的理由是 {'、'.join(on.found) or on.registered}")


def _judge_vendor(case: Case, other: Vendor, faults: Faults) -> None:
    if other.presented in GENUINE or (case.registered is not None and other.registered in GENUINE):
        faults.passed.append(f"{case.name}：开发包答 {other.presented}，登记成终稿时答 {other.registered}")
    elif other.presented not in {"changed", "different"}:
        faults.reason.append(f"{case.name}：开发包答 {other.presented}")
    elif case.registered is not None and other.registered not in {"untrusted", "other_signer"}:
        faults.reason.append(f"{case.name}：登记成终稿时开发包答 {other.registered}")
