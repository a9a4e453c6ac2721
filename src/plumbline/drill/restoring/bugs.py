"""Bugs that are put in on purpose (故意的缺陷): the drill has to find each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from plumbline.exchange.decode import parse_message
from plumbline.exchange.encode import encode_message
from plumbline.exchange.uids import new_uid
from plumbline.sdk.client import receipt_check
from plumbline.sdk.client.answering import Answerer


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What is changed where, and the scene that has to break."""

    title: str
    scene: str
    place: Any
    name: str
    change: Callable[[Any], Any]


def _forgets_the_last(check: Any) -> Any:
    def forgetting(*arguments: Any, **options: Any) -> Any:
        report = check(*arguments, **options)
        missing = [each for each in report.faults if each.kind == "missing"]
        if missing:
            report.faults.remove(missing[-1])
        return report

    return forgetting


def _new_uid(sent: Any) -> Any:
    def renaming(self: Answerer, submission: Any, **options: Any) -> Any:
        message = parse_message(submission.message)
        renamed = msgspec.structs.replace(message, uid=new_uid(datetime.now(UTC)))
        data = encode_message(renamed)
        changed = {"message": data, "origin": self._signed_anew(data)}
        fields = {name: getattr(submission, name) for name in ("entry", "seq", "personal", "claims")}
        return sent(self, type(submission)(**fields, **changed), **options)

    return renaming


def _shows_no_codes(_: Any) -> Any:
    return lambda self, request, lost: self._say(request, stage="begun")


def _drops_one(lost: Any) -> Any:
    return lambda self, asked: lost(self, asked)[:-1]


def _keeps_no_own_acts(_: Any) -> Any:
    return lambda self, batch, made: None


def _bugs() -> tuple[Bug, ...]:
    return (
        Bug(
            title="对账漏掉最后一条",
            scene="报告三步之间",
            place=receipt_check,
            name="check_receipts",
            change=_forgets_the_last,
        ),
        Bug(title="补传换了新编号", scene="报告三步之间", place=Answerer, name="_sent", change=_new_uid),
        Bug(title="补传少了一条", scene="报告三步之间", place=Answerer, name="_lost", change=_drops_one),
        Bug(
            title="不出示原监管码",
            scene="报告三步之间",
            place=Answerer,
            name="_show_codes",
            change=_shows_no_codes,
        ),
        Bug(
            title="平台不留自己的决定",
            scene="换钥、停用与销毁",
            place=_own_acts(),
            name="keep",
            change=_keeps_no_own_acts,
        ),
    )


def _own_acts() -> Any:
    from plumbline.supervision.journal.own_acts import OwnActs

    return OwnActs


BUGS = _bugs()


@contextmanager
def put_in(bug: Bug) -> Iterator[None]:
    """The bug for the length of a scene, in the drill's own process: client, receipts, the station's acts."""
    genuine = getattr(bug.place, bug.name)
    setattr(bug.place, bug.name, bug.change(genuine))
    try:
        yield
    finally:
        setattr(bug.place, bug.name, genuine)
