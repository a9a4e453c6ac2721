"""Peers with equal work: what they promise holds, and a bench that would not notice a broken promise fails here (对照)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep, thread_time
from types import ModuleType

import msgspec
import psycopg
import pytest

from plumbline.bench import p2_peers, peer_log
from plumbline.bench.alike import ALIKE, VARIABLE, Sheet, time_in
from plumbline.bench.gateways import Gateways
from plumbline.bench.goals import read_goals
from plumbline.bench.mix import Chain
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.peers.checks import Row
from plumbline.bench.peers.promise import Draft, Notary, Place, Stored
from plumbline.bench.requests import Signed, sign
from plumbline.bench.stats import Comparison, Verdict
from plumbline.bench.world import World, open_world
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.paths import LeafAndNodeSource
from plumbline.evidence.receipt import verify_receipt
from plumbline.evidence.tree import Frontier
from plumbline.exchange.messages.reports import NumberTaken
from plumbline.exchange.problems import Problem

KEY = bytes(range(32))
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def _draft(number: int) -> Draft:
    message = f"message {number}".encode()
    uid = str(uuid.UUID(int=number))
    return Draft.of(Row(uid, b"s" * 16, "key", b"envelope", message, NOW, []))


def _filled(count: int) -> tuple[list[Draft], list[Place]]:
    """A log of so many, one entry after the other; the clock steps back at every seventh."""
    frontier, last = Frontier.empty().encode(), NOW
    drafts, places = [_draft(number) for number in range(count)], []
    for number, draft in enumerate(drafts):
        place = draft.place(frontier, last, NOW + timedelta(seconds=number % 7))
        places.append(place)
        frontier, last = place.after.encode(), place.logged_at
    return drafts, places


def test_what_a_peer_answers_is_proven_then_and_later() -> None:
    notary, (drafts, places) = Notary(peer_log.ORIGIN, KEY), _filled(300)
    verifiers = [parse_verifier(peer_log.verifier_key(KEY))]
    head = places[-1]
    nodes = {(node.level, node.start): node.hash for place in places for node in place.nodes}
    hashes = [place.leaf_hash for place in places]
    for number in (0, 1, 6, 255, 256, 299):
        draft, place = drafts[number], places[number]
        source = LeafAndNodeSource(300, lambda *at: nodes.get(at), lambda start, end: hashes[start:end])
        stored = Stored(draft, number, place.logged_at, head.after.size, head.root)
        answers = [notary.answer(draft, place), notary.again(draft, stored, source)]
        for answer in answers:
            checked = verify_receipt(
                str(answer.pop("receipt")),
                verifiers,
                draft.row.message,
                draft.row.envelope,
                origin=peer_log.ORIGIN,
                sender_id=draft.row.sender_id,
                uid=draft.uid,
            )
            assert checked.ok, checked.failure
            assert checked.index == number
        assert [answer.pop("duplicate") for answer in answers] == [False, True]
        assert answers[0] == answers[1]
    assert [place.logged_at for place in places] == sorted(place.logged_at for place in places)


def test_beyond_the_checks_each_side_loses_what_they_took_there() -> None:
    whole = Comparison(ours=(2000.0, 1000.0), limit=(500.0, 250.0))
    left = p2_peers.beyond(whole, [0.0002, 0.0005], [0.0004, 0.0005])
    assert left.ours == pytest.approx((1 / 0.0003, 1 / 0.0005))
    assert left.limit == pytest.approx((1 / 0.0016, 1 / 0.0035))
    assert left.ratios == pytest.approx([16 / 3, 7.0])
    assert left.verdict(5) is Verdict.NOISY
    same = Comparison(ours=(2000.0,) * 3, limit=(400.0,) * 3)
    steady = p2_peers.beyond(same, [0.00020, 0.00026, 0.00020], [0.0002] * 3)
    assert steady.noise == pytest.approx(0.25) and steady.verdict(5) is Verdict.NOISY
    assert p2_peers.beyond(same, [0.00020, 0.00021, 0.00020], [0.0002] * 3).verdict(5) is Verdict.PASS


def _module(**functions: Callable[..., object]) -> ModuleType:
    module = ModuleType("checks")
    vars(module).update({name: functions.get(name, lambda: None) for name in ALIKE})
    return module


def test_what_is_done_alike_is_timed_on_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = Sheet.fresh(tmp_path / "alike")
    monkeypatch.setenv(*next(iter(sheet.environment.items())))

    def work(seconds: float) -> str:
        until = thread_time() + seconds
        while thread_time() < until:
            pass
        return "done"

    def refuse() -> None:
        raise Problem(slug="signature-invalid")

    module = _module(verify=work, check_age=refuse, check_digests=lambda: sleep(0.2))
    time_in(module)
    before = sheet.read()
    threads = [threading.Thread(target=module.verify, args=(0.02,)) for _ in range(3)]
    for each in threads:
        each.start()
    assert module.verify(seconds=0.02) == "done"
    for each in threads:
        each.join()
    with pytest.raises(Problem):
        module.check_age()
    module.check_digests()  # who waits is not checking
    spent = sheet.read().since(before)
    assert 0.08 <= spent.seconds < 0.2
    assert dict(zip(ALIKE, spent.calls, strict=True)) == dict.fromkeys(ALIKE, 0) | {
        "verify": 4,
        "check_age": 1,
        "check_digests": 1,
    }


def test_without_a_file_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    module = _module()
    function = module.verify
    time_in(module)
    assert module.verify is function


def test_sides_that_check_otherwise_give_no_figure(tmp_path: Path) -> None:
    def side(*calls: int) -> p2_peers.Timed:
        sheet = Sheet(tmp_path / "alike")
        return p2_peers.Timed(lambda _: 1.0, sheet, 1, [0.1], [*calls, *[1] * (len(ALIKE) - len(calls))])

    p2_peers.require_alike(side(1, 2), side(1, 2))
    with pytest.raises(Lost, match="calls of read_signature 2 and 1"):
        p2_peers.require_alike(side(1, 2), side(1, 1))
    with pytest.raises(Lost, match="outer_submission 0 and 0"):
        p2_peers.require_alike(side(0), side(0))


def test_checks_that_took_longer_than_the_whole_give_no_figure() -> None:
    whole = Comparison(ours=(2000.0,), limit=(500.0,))
    with pytest.raises(Lost, match="longer"):
        p2_peers.beyond(whole, [0.0002], [0.002])


def test_a_uid_stands_for_one_message() -> None:
    notary, (drafts, places) = Notary(peer_log.ORIGIN, KEY), _filled(2)
    stored = Stored(drafts[0], 0, places[0].logged_at, 2, places[1].root)
    source = LeafAndNodeSource(2, lambda *_: None, lambda *_: [each.leaf_hash for each in places])
    with pytest.raises(Problem, match="已经用于另一份内容"):
        notary.again(drafts[1], stored, source)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Asked for only where a peer is installed."""
    with open_world() as opened:
        yield opened


def _installed(name: str) -> p2_peers.Kind:
    kind = p2_peers.PEERS[name]
    if kind.absent:
        pytest.skip(
            f"{name} is not tried: {', '.join(kind.absent)} not installed (pip install plumbline[bench])"
        )
    return kind


@pytest.mark.service
@pytest.mark.parametrize("name", p2_peers.PEERS)
def test_a_peer_is_measured_and_its_promise_is_checked(name: str, request: pytest.FixtureRequest) -> None:
    kind = _installed(name)
    goals = read_goals()
    asked = goals[name], goals.get(f"{name}-whole")
    found, *whole = p2_peers.beside(request.getfixturevalue("world"), asked, (1, 200), kind)
    assert found.verdict.value in (("PASS", "MISS", Verdict.NOISY) if kind.is_equal else ("—",))
    assert any("200 of its receipts verified" in note for note in found.notes) is kind.is_equal
    assert [each.verdict.value for each in whole] == (["—"] if kind.is_equal else [])
    for each in whole:  # without what both do alike we are the more ahead
        assert found.comparison.ratio > each.comparison.ratio > 1


@pytest.mark.service
@pytest.mark.parametrize("name", [name for name, kind in p2_peers.PEERS.items() if kind.is_equal])
def test_a_peer_knows_what_it_has_taken(name: str, request: pytest.FixtureRequest) -> None:
    kind = _installed(name)
    world: World = request.getfixturevalue("world")
    peer_log.create(world)
    sender, now = world.senders["institution"], datetime.now(UTC)
    first = Chain(world, now).make("institution", NumberTaken, **_NUMBER)[1]
    signed = sign(sender, first)
    same_number = sign(sender, Chain(world, now).make("institution", NumberTaken, **_NUMBER)[1])
    same_uid = sign(sender, msgspec.structs.replace(first, serial=2, number="HNT-S1-2026-000002"))
    peer = Gateways(world, 1, application=kind.application, environment=p2_peers.environment(world, KEY))
    try:
        load = peer.start_load([each.http() for each in (signed, signed, same_number, same_uid)], 1)
        load.go()
        leg = load.finish()
    finally:
        peer.stop()
    assert [status for status, _ in leg.answers] == [201, 200, 409, 409]
    taken, again = leg.accepted
    assert {**again, "duplicate": False} == {**taken, "receipt": again["receipt"]}
    sent, verifier = {str(first.uid): signed}, peer_log.verifier_key(KEY)
    with world.connect() as conn:
        assert [peer_log.check(conn, [answer], sent, verifier) for answer in (taken, again)] == [1, 1]
        for lie in _LIES:
            with pytest.raises(Lost):
                _check_after(conn, lie, [taken], sent)


def _check_after(
    conn: psycopg.Connection, lie: str, accepted: list[dict[str, object]], sent: dict[str, Signed]
) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute(lie.encode())
        peer_log.check(conn, accepted, sent, peer_log.verifier_key(KEY))


_NUMBER = {
    "document_kind": "report",
    "prefix": "HNT",
    "site": "S1",
    "year": 2026,
    "serial": 1,
    "number": "HNT-S1-2026-000001",
    "commission": "22" * 16,
}
_LIES = (
    "DELETE FROM bench_peer_leaf",
    "DELETE FROM bench_peer_entry",
    "UPDATE bench_peer_head SET size = 2",
    "UPDATE bench_peer_head SET root = sha256('')",
    "UPDATE bench_peer_head SET last_time = 'epoch'",
    "UPDATE bench_peer_leaf SET leaf_hash = sha256('')",
    "UPDATE bench_peer_leaf SET idx = 1",
    "UPDATE bench_peer_entry SET message = ''",
    "UPDATE bench_peer_entry SET envelope = ''",
    "INSERT INTO bench_peer_node VALUES (1, 8, 0, sha256(''))",
)
