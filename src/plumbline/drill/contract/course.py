"""One pass over the interface (接口演练的过程): what is planned, in the name of whom, and what broke."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plumbline.drill.contract import generated, hostile
from plumbline.drill.contract.description import Operation, operations
from plumbline.drill.contract.line import Line
from plumbline.drill.contract.requests import Asking, Planned, good_values
from plumbline.drill.contract.senders import NOBODY, Sender
from plumbline.drill.contract.verdict import judge

#: Of one kind of breach so many are told, and the rest counted.
TOLD_OF_EACH = 3
_TOO_LARGE = 17 * 1024 * 1024


@dataclass(kw_only=True)
class Course:
    """What was asked of a gateway, and what does not hold."""

    asking: Asking
    document: Mapping[str, Any]
    senders: Sequence[Sender]
    known: Mapping[str, str] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)
    by_operation: Counter[str] = field(default_factory=Counter)
    #: Addresses, as described, at which something broke.
    broken_at: set[str] = field(default_factory=set)

    @property
    def operations(self) -> list[Operation]:
        """Those of the description."""
        return list(operations(self.document))

    def note(self, sentences: Iterable[str]) -> None:
        """Keep the first few of each kind."""
        for each in sentences:
            kind = each.partition("：")[2][:60]
            self.broken[kind] += 1
            if self.broken[kind] <= TOLD_OF_EACH:
                self.sentences.append(each)

    def send(self, planned: Planned, senders: Sequence[Sender]) -> None:
        """One request in the name of each."""
        for sender in senders:
            asked, answered = self.asking.send(planned, sender)
            found = judge(asked, answered)
            self.note(found)
            if found and planned.operation is not None:
                self.broken_at.add(planned.operation.path)
            self.by_operation[planned.operation.name if planned.operation else "（没有描述）"] += 1

    def hostile(
        self, senders: Sequence[Sender], *, every: int = 1, only: Callable[[Planned], object] = lambda _: True
    ) -> None:
        """What was made by hand; of each operation's requests only every so-manieth, and only those that are wanted."""
        whole = self.operations
        described = frozenset((each.path, each.method) for each in whole)
        values = good_values(self.known)
        for operation in whole:
            address = operation.address(values)
            made = [
                *hostile.odd_bodies(operation),
                *hostile.odd_types(operation),
                *hostile.odd_headers(operation, address),
                *hostile.odd_addresses(operation, values),
                *hostile.odd_methods(operation, described, address),
            ]
            for planned in filter(only, made[::every]):
                self.send(planned, senders if operation.signed else senders[:1])
        for planned in filter(only, list(hostile.beside(self.known))[::every]):
            self.send(planned, senders[:1])

    def large(self, sender: Sender) -> None:
        """Bodies beyond what is taken."""
        for operation in self.operations:
            if operation.body is not None and operation.method == "POST":
                self.send(
                    Planned(
                        operation=operation,
                        method="POST",
                        address=operation.address(good_values(self.known)),
                        body=b'{"message":"' + b"a" * _TOO_LARGE + b'"}',
                        headers=(("Content-Type", operation.body[0]),),
                        how="十七兆字节",
                        is_signed=operation.signed,
                    ),
                    [sender],
                )

    def generated(
        self,
        examples: int,
        seed: int,
        *,
        only: Callable[[Operation], bool] = lambda _: True,
        told: Any = print,
    ) -> None:
        """What Schemathesis makes of the description, in the name of everybody; of the operations only those that are wanted."""
        kinds = len(self.document["components"]["schemas"]["Message"]["oneOf"])
        for operation in filter(only, self.operations):
            by_kind = kinds if operation.name in ("sendEntry", "sendBatch") else 0
            count = 0
            for planned in generated.plan(operation, examples=examples, seed=seed, kinds=by_kind):
                self.send(planned, self.senders if operation.signed else [self.senders[0], self.senders[-1]])
                count += 1
            told(f"  {operation.name}：生成 {count} 个，不成立 {sum(self.broken.values())}", flush=True)


def open_course(url: str, signs_for: str, senders: Sequence[Sender], known: Mapping[str, str]) -> Course:
    """A course over one gateway, by the description that this gateway itself publishes."""
    line = Line(url)
    answered = line.ask("GET", "/x/openapi.json")
    document = json.loads(answered.body)
    asking = Asking(line=line, signs_for=signs_for)
    return Course(asking=asking, document=document, senders=senders, known=known)


def trusted(senders: Sequence[Sender]) -> list[Sender]:
    """Those whose requests come in: hostile bodies say little in the name of strangers."""
    return [each for each in senders if each.role is not None and each.name != NOBODY]
