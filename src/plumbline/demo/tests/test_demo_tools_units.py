"""What is late and why, the queue of a line that is cut, and what the tools refuse; nothing runs in these tests."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plumbline.demo.lateness import CATCHING_UP, PROMPT, Outage, Upload, why_late
from plumbline.demo.outbox import Outbox, QueueingSender
from plumbline.demo.tests.memory_platform import MemoryPlatform, memory_clients
from plumbline.demo.tools import Stage, run_time, span_of
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.exchange.encode import encode_message
from plumbline.exchange.messages.project import TagIssued
from plumbline.exchange.uids import derived_uid

T0 = datetime(2026, 11, 20, 8, tzinfo=UTC)
CUT = Outage(party="aa", begins=T0, ends=T0 + timedelta(hours=5))
STOP = Outage(party=None, begins=T0, ends=T0 + timedelta(days=3))


@pytest.mark.parametrize(
    ("sender", "captured", "logged", "outages", "told"),
    [
        ("aa", T0, T0 + PROMPT, [], "in_time"),
        ("aa", T0, T0 + PROMPT + timedelta(seconds=1), [], "late"),
        ("aa", T0 + timedelta(hours=1), CUT.ends + timedelta(minutes=5), [CUT], "outage"),
        ("bb", T0 + timedelta(hours=1), CUT.ends + timedelta(minutes=5), [CUT], "late"),
        ("bb", T0 + timedelta(hours=1), STOP.ends + timedelta(minutes=5), [STOP], "outage"),
        ("aa", T0 - timedelta(hours=30), STOP.ends + timedelta(minutes=5), [STOP], "late"),
        ("aa", T0 + timedelta(hours=1), CUT.ends + CATCHING_UP + timedelta(seconds=1), [CUT], "late"),
        ("aa", CUT.ends, CUT.ends + timedelta(hours=2), [CUT], "late"),
    ],
)
def test_an_upload_is_told_from_an_outage_by_its_capture_time(
    sender: str, captured: datetime, logged: datetime, outages: list[Outage], told: str
) -> None:
    assert why_late(Upload(sender=sender, captured=captured, logged=logged), outages) == told


@pytest.mark.parametrize(
    ("text", "span"),
    [("3d", timedelta(days=3)), ("12H", timedelta(hours=12)), (" 30m ", timedelta(minutes=30))],
)
def test_a_span_is_read(text: str, span: timedelta) -> None:
    assert span_of(text) == span


@pytest.mark.parametrize("text", ["", "0d", "-3d", "3", "3w", "3d " * 2, "1e9d", "99999d"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(EmbeddedProblem, match="写成 3d"):
        span_of(text)


def test_the_tools_are_refused_on_a_production_folder_and_where_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedProblem, match="没有正在运行的演示"):
        Stage.open(tmp_path)
    (tmp_path / "platform.json").write_text(json.dumps({"demo": False}), "utf-8")
    with pytest.raises(EmbeddedProblem, match="正式平台"):
        Stage.open(tmp_path)


def tag(sender: str, number: int) -> TagIssued:
    return TagIssued(
        v=1,
        uid=derived_uid("tag.issued", "test", str(number), T0),
        sender=sender,
        occurred_at=T0 + timedelta(minutes=number),
        project="ab" * 16,
        tags=[f"T{number}"],
        medium="qr",
        issued_to="cd" * 16,
    )


def test_what_waits_goes_out_in_its_order_with_its_own_times_and_bytes(tmp_path: Path) -> None:
    platform = MemoryPlatform()
    _, clients, _ = memory_clients(tmp_path, platform)
    inner, box, is_cut = clients.parties["contractor"], Outbox(tmp_path / "box"), [True]
    queue = QueueingSender(inner=inner, party="contractor", outbox=box, is_cut=lambda: is_cut[0])
    messages = [tag(inner.sender, number) for number in range(3)]
    kept = [queue.send(message).entry for message in messages[:2]]
    is_cut[0] = False
    kept.append(queue.send(messages[2]).entry)  # the line is back, and others of its own wait before it
    assert (platform.kept, box.waiting()) == ([], 3)
    sent = box.drain(clients.parties)
    assert [each.entry for each in sent] == kept
    assert [encode_message(each.message) for each in platform.kept] == [
        encode_message(each) for each in messages
    ]
    assert (box.waiting(), box.drain(clients.parties)) == (0, [])


def test_a_file_waits_too_and_reports_that_want_a_code_are_remembered(tmp_path: Path) -> None:
    platform = MemoryPlatform()
    _, clients, _ = memory_clients(tmp_path, platform)
    box = Outbox(tmp_path / "box")
    queue: Any = QueueingSender(
        inner=clients.parties["contractor"], party="contractor", outbox=box, is_cut=lambda: True
    )
    digest = queue.upload(b"\x89PNG", "image/png")
    box.remember(T0, 4)
    assert Outbox(tmp_path / "box").unfinished() == [(T0, 4)]
    box.drain(clients.parties)
    assert platform.files[digest] == b"\x89PNG"
    asked = box.unfinished()
    box.remember(T0, 5)  # made while the first was being asked for
    box.finished(asked)
    assert box.unfinished() == [(T0, 5)]
    box.finished(box.unfinished())
    assert box.unfinished() == []


def test_a_word_that_the_clock_does_not_use_is_refused_and_not_passed_over() -> None:
    with pytest.raises(EmbeddedProblem, match="--forward 3d"):
        run_time(Namespace(value="banana", to="", forward="", data_dir="/nowhere"))
