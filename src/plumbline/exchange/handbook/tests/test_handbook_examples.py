from __future__ import annotations

import pytest

from plumbline.domain.basics.identifiers import is_uscc
from plumbline.domain.reporting.code import CodeProblem, parse_code
from plumbline.exchange.curves import decode_dzv
from plumbline.exchange.decode import decode_message
from plumbline.exchange.handbook.example_cast import PARTY, SUPERVISION_CODE, USCC
from plumbline.exchange.handbook.examples import CURVE_BYTES, CURVE_POINTS, example_bytes, examples
from plumbline.exchange.messages import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_example_that_the_door_accepts(kind: str) -> None:
    assert decode_message(example_bytes(kind)) == examples()[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_is_sent_by_a_party_that_may_send_it(kind: str) -> None:
    roles = {role for role, party in PARTY.items() if party == examples()[kind].sender}
    assert roles & KINDS[kind].senders


def test_the_invented_numbers_are_valid() -> None:
    assert all(is_uscc(code) for code in USCC.values())
    assert not isinstance(parse_code(SUPERVISION_CODE), CodeProblem)


def test_the_worked_curve_decodes() -> None:
    assert decode_dzv(CURVE_BYTES) == list(CURVE_POINTS)
