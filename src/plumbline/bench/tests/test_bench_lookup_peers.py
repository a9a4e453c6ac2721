"""Peers of a look-up: they answer what the gateway answers, whatever became of a report; who answers otherwise is found (查验的对照)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plumbline.bench import p4_peers, p4_verify
from plumbline.bench.gateways import Gateways
from plumbline.bench.goals import read_goals
from plumbline.bench.growth import grow_reports, template
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.p2_peers import environment
from plumbline.bench.peers.lookups import Desk
from plumbline.bench.stats import Verdict
from plumbline.bench.world import World, open_world
from plumbline.exchange.problems import Problem

#: What may have become of a report, and the state that is told then.
_BECAME = {
    "UPDATE fact.code SET state = 'reserved', registration = NULL, claims = NULL WHERE id = %s": "reserved",
    "UPDATE fact.code SET state = 'withdrawn' WHERE id = %s": "withdrawn",
    "UPDATE fact.code SET state = 'superseded' WHERE id = %s": "superseded",
    "UPDATE fact.registration SET examined = false WHERE code = %s": "reserved",
    "UPDATE fact.registration SET accepted = false WHERE code = %s": "unsound",
    "UPDATE fact.registration SET root_kind = 'demo' WHERE code = %s": "genuine_demo",
    "UPDATE fact.registration SET attestation = 'hmac' WHERE code = %s": "registered_only",
    "UPDATE fact.application SET attestation = 'hmac' WHERE code = %s": "registered_only",
    "UPDATE fact.code SET claims = '一“二”</script>' WHERE id = %s": "genuine",
}


@pytest.fixture(scope="module")
def grown() -> Iterator[tuple[World, dict[str, str]]]:
    """A platform and the report that is copied on it; asked for only where a peer is installed."""
    with open_world() as opened:
        yield opened, template(opened)


@pytest.mark.service
@pytest.mark.parametrize("name", p4_peers.PEERS)
def test_a_peer_of_the_look_up_answers_as_we_do_and_is_measured(
    name: str, request: pytest.FixtureRequest
) -> None:
    kind = p4_peers.PEERS[name]
    if kind.absent:
        pytest.skip(
            f"{name} is not tried: {', '.join(kind.absent)} not installed (pip install plumbline[bench])"
        )
    world, made = request.getfixturevalue("grown")
    codes = grow_reports(world, made, 40)
    with world.connect() as conn:
        for code, change in zip(codes, _BECAME, strict=False):
            conn.execute(change.encode(), [code])
    ours = Gateways(world, 1)
    theirs = Gateways(world, 1, application=kind.application, environment=environment(world, b""))
    try:
        told = p4_peers.answers_of(ours, codes)
        assert p4_peers.answers_of(theirs, codes) == told
        for (_, body), state in zip(told, _BECAME.values(), strict=False):
            assert f'"state":"{state}"' in body.decode()
        p4_peers.check_refusals(ours, theirs)
        bodies = [body for _, body in told]
        expected = dict(zip(codes, bodies, strict=True))
        peer = p4_peers.Beside(world=world, gateways=theirs, codes=codes, count=30, expected=expected)
        assert min(peer.rates(0)) > 0
        peer.expected = dict(zip(codes, [*bodies[1:], bodies[0]], strict=True))
        with pytest.raises(Lost, match="what we do not"):
            peer.rates(1)
    finally:
        ours.stop()
        theirs.stop()
    sound = codes[len(_BECAME) :]
    asked = _record_questions(request.getfixturevalue("monkeypatch"))
    found = p4_peers.beside(world, read_goals()[name], (1, 160), kind, sound)
    assert found.verdict in (Verdict.PASS, Verdict.MISS, Verdict.NOISY)
    assert found.comparison.ratio > 1
    assert len(asked) == 2
    for (
        first_of_all
    ) in asked.values():  # of either side: two refusals, then every report once, before anything is timed
        assert [len(each) for each in first_of_all[:2]] == [2, len(sound)]
        assert set(first_of_all[1]) == {p4_verify.question(code) for code in sound}


def _record_questions(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[list[bytes]]]:
    """What each server is asked from now on, load by load."""
    asked: dict[int, list[list[bytes]]] = {}
    plain = Gateways.start_load

    def start_load(self: Gateways, requests, *rest, **more):
        asked.setdefault(self.ports[0], []).append(list(requests))
        return plain(self, requests, *rest, **more)

    monkeypatch.setattr(Gateways, "start_load", start_load)
    return asked


def test_a_peer_refuses_who_asks_too_often_and_what_is_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_LOOKUP_RATE", "1")
    desk = Desk()
    for _ in range(4):
        with pytest.raises(Problem) as refused:
            desk.code("203.0.113.9", "no code")
        assert refused.value.slug == "not-found"
    with pytest.raises(Problem) as refused:
        desk.code("203.0.113.9", "no code")
    assert refused.value.slug == "rate-limited"
    with pytest.raises(Problem, match="没有登记"):
        desk.answer(None)
