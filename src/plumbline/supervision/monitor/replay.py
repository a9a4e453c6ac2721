"""A refused message against today's rules (重放): validation only; nothing is stored, no number is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plumbline.exchange.decode import check_json, decode_message
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.problems import Problem
from plumbline.exchange.uids import uid_time_problem

NOT_ASKED = "重放不查签名（早过了 300 秒，要重新签）、源头签名、号码是否被占用、uid 是否已经用过：这几样要真的报送才知道。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check: passed or not, with what was found and what to do."""

    name: str
    is_passed: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What would be said to these bytes now."""

    steps: tuple[Step, ...]
    masked: bool

    @property
    def is_passed(self) -> bool:
        """Whether nothing that was checked stands against it."""
        return all(step.is_passed for step in self.steps)

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        if self.is_passed:
            return "按今天的规定，这份内容会收下。"
        return f"按今天的规定，这份内容仍会拒收：{next(s.found for s in self.steps if not s.is_passed)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent it, as the platform knows them now."""

    party: str
    roles: frozenset[str]
    #: Why the key cannot be used now; empty when it can.
    key_problem: str = ""


def replay(body: bytes, *, masked: bool, sender: Sender, now: datetime) -> Replay:
    """Check the bytes of a message as the door would."""
    steps = [
        Step(
            name="密钥",
            is_passed=not sender.key_problem,
            found=sender.key_problem or "现在可用",
            remedy="换用有效的密钥重发" if sender.key_problem else "",
        )
    ]
    try:
        check_json(body)
        message = decode_message(body)
    except Problem as problem:
        return Replay(steps=(*steps, _refused("内容", problem)), masked=masked)
    steps.append(Step(name="内容", is_passed=True, found=f"{kind_of(message).title}，字段都符合规定"))
    steps += [_sender(message, sender), _uid(message, now)]
    return Replay(steps=tuple(steps), masked=masked)


def _refused(name: str, problem: Problem) -> Step:
    first = problem.errors[0] if problem.errors else None
    found = problem.detail or problem.kind.title
    return Step(
        name=name, is_passed=False, found=found, remedy=first.remedy if first else problem.kind.remedy
    )


def _sender(message: Message, sender: Sender) -> Step:
    if message.sender != sender.party:
        return Step(
            name="发送单位",
            is_passed=False,
            found="sender 不是密钥的主人",
            remedy="sender 写密钥所属单位的编号",
        )
    row = kind_of(message)
    if not row.senders & sender.roles:
        who = "、".join(sorted(row.senders))
        return Step(
            name="发送单位",
            is_passed=False,
            found=f"{row.title}由 {who} 发送",
            remedy="由有这个身份的单位发送",
        )
    return Step(name="发送单位", is_passed=True, found="可以发这类消息")


def _uid(message: Message, now: datetime) -> Step:
    problem = uid_time_problem(message.uid, now)
    remedy = "用当前时间生成新的 UUIDv7；发生时间写在 occurred_at" if problem else ""
    return Step(name="uid 的时间", is_passed=not problem, found=problem or "在允许范围内", remedy=remedy)
