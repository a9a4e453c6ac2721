"""A slice of the drill of the interface, on the running platform (接口契约演练的一小段), and the faults that it must find."""

from __future__ import annotations

import pytest

from plumbline.drill.contract.bugs import BUGS
from plumbline.drill.contract.course import Course, open_course
from plumbline.drill.contract.line import Line
from plumbline.drill.contract.pages import Sweep, pages
from plumbline.drill.contract.requests import Planned
from plumbline.drill.contract.senders import NOBODY, Sender
from plumbline.drill.contract.story import spoilt_gateway
from plumbline.drill.privacy.readers import begin_session
from plumbline.supervision.access.principals import Principal, Role

pytestmark = [pytest.mark.service, pytest.mark.slow]
#: The request of each fault that shows it, by what is wrong with it.
SHOWN_BY = {
    "surrogate": "submissions/0/message/kind 是半个代理",
    "conflict": "?after 是负数",
    "lax": "message/kind 是空文字",
    "shape": "两个 Accept",
    "type": "两个 Accept",
    "mute": "?any 是负数",
}


@pytest.fixture(scope="module")
def senders(world) -> list[Sender]:
    """The institution, the contractor, one who is not on record, and one who does not sign."""
    known = [
        Sender(name=name, role=name, party=who.party, transport=who.transport, origin=who.origin)
        for name, who in ((each, world.parties[each]) for each in ("institution", "contractor"))
    ]
    stranger = Sender(name="陌生人", role=None, party="0" * 32, transport=world.new_signer("nobody"))
    return [*known, stranger, Sender(name=NOBODY, role=None, party="0" * 32, transport=None)]


def _course(world, url: str, senders: list[Sender]) -> Course:
    return open_course(url, url, senders, {})


def test_a_share_of_the_hostile_requests_gets_documented_answers(world, senders) -> None:
    course = _course(world, world.url, senders)
    course.hostile(senders[:1], every=37)
    course.hostile(senders[1:], every=157)
    course.asking.line.close()
    assert course.sentences == []
    assert course.asking.asked > 150
    assert {each.name for each in course.operations} <= set(course.by_operation)


def test_every_fault_that_was_put_in_is_found(world, senders) -> None:
    def shows(planned: Planned) -> bool:
        at = planned.operation.path if planned.operation else ""
        return any(at == path and planned.how == SHOWN_BY[name] for name, (path, _, _) in BUGS.items())

    with spoilt_gateway(world.platform, list(BUGS)) as url:
        course = _course(world, url, senders)
        course.hostile(senders[:1], only=shows)
        course.asking.line.close()
    assert course.broken_at == {path for path, _, _ in BUGS.values()}, course.sentences


def test_every_page_stands_a_hostile_request(world) -> None:
    officer = Principal(role=Role.OFFICER, party=world.station, organisation="监督站", division="610300")
    found: list[str] = []
    with Line(world.url) as line:
        sweep = Sweep(
            line=line,
            readers={"officer": lambda: session},
            pages=pages(),
            known={},
            fields=["q", "name", "because"],
        )
        session = begin_session(world.platform, officer, "contract drill")
        asked = sweep.run(found.extend, every=67)
        odd = line.ask("GET", "/?q=1", [("Content-Type", "text/plain; charset=hex")])
    assert found == []
    assert odd.status == 200  # the web process reads addresses with no codec of a visitor's choice
    assert asked >= len(sweep.pages)
