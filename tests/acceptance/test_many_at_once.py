"""Many systems call at the same time, and the gateway is killed under them (并发与重传): nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from plumbline.demo.cast import build_cast
from plumbline.demo.clients import open_clients
from plumbline.demo.story import SEED, enrol_cast
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.messages.header import Environment
from plumbline.exchange.messages.project import EnvironmentRecorded
from plumbline.sdk.client import stamp
from plumbline.supervision.journal.heads import log_origin

pytestmark = [pytest.mark.service, pytest.mark.slow]
SENDERS, EACH = 6, 40


@pytest.fixture(scope="module")
def clients(running_platform):
    today = datetime.now(UTC).date()
    cast = build_cast(SEED, today)
    enrol_cast(running_platform.platform, at=datetime.now(UTC), stated=False, today=today)
    with open_clients(cast, running_platform.platform.data_dir, running_platform.url) as opened:
        yield cast, opened


def _reading(cast):
    now = datetime.now(UTC)
    environment = Environment(temperature_C="20.1", humidity_pct="96")
    return stamp(
        EnvironmentRecorded,
        sender=cast.party("institution"),
        at=now,
        site=cast.site,
        room="标准养护室",
        environment=environment,
    )


def _send_all(cast, client, sent) -> None:
    for _ in range(EACH):
        message = _reading(cast)
        sent.append((message, client.send(message)))


def _gateway_pids(platform) -> list[int]:
    with psycopg.connect(platform.platform.conninfo("plumb_web")) as conn:
        return [
            row[0] for row in conn.execute("SELECT pid FROM ops.process WHERE kind = 'gateway'").fetchall()
        ]


def _check(platform, sent) -> None:
    keys = [parse_verifier(platform.signer.verifier_key(log_origin(platform.platform.origin, 1)))]
    assert len({answer.index for _, answer in sent}) == len(sent) == SENDERS * EACH
    assert all(verify_receipt(answer.receipt, keys).ok for _, answer in sent)
    with psycopg.connect(platform.platform.conninfo("plumb_gateway")) as conn:
        stored = conn.execute(
            "SELECT count(*), count(DISTINCT uid) FROM journal.entry WHERE uid = ANY(%s)",
            [[m.uid for m, _ in sent]],
        ).fetchone()
    assert stored == (SENDERS * EACH, SENDERS * EACH)


def _run(cast, client, meanwhile=lambda: None):
    sent: list = []
    threads = [threading.Thread(target=_send_all, args=(cast, client, sent)) for _ in range(SENDERS)]
    [thread.start() for thread in threads]
    meanwhile()
    [thread.join() for thread in threads]
    return sent


@pytest.mark.clause("CECS 6.0.3")
def test_many_senders_at_once_lose_nothing_and_double_nothing(running_platform, clients) -> None:
    cast, opened = clients
    _check(running_platform, _run(cast, opened.parties["institution"]))


@pytest.mark.clause("CECS 6.0.4")
def test_a_gateway_killed_in_the_middle_is_restarted_and_clients_go_on(running_platform, clients) -> None:
    cast, opened = clients

    def kill() -> None:
        time.sleep(0.4)
        for pid in _gateway_pids(running_platform):
            os.kill(pid, signal.SIGKILL)
        running_platform.revive()

    _check(running_platform, _run(cast, opened.parties["institution"], kill))
