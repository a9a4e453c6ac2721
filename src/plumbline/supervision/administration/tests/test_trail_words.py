"""What the audit trail says to a reader (审计记录的说法): every act has a word, and a command says that it was one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from plumbline.supervision import administration
from plumbline.supervision.pages import preview

preview.configure()
from plumbline.supervision.administration.trail import Event  # noqa: E402 (settings first)
from plumbline.supervision.administration.trail_words import OUTCOMES, WORDS  # noqa: E402

_SUPERVISION = Path(administration.__file__).parents[1]
#: An act as code writes it down: beside the call that records it, or in the statement itself.
_CALLED = re.compile(
    r"\b(?:note_change|_audited|_audit|record|attempt|_record|_listen|set_clock)\((?:[^()\"]|\([^()]*\))*\"([a-z_]+\.[a-z_]+)\""
)
_WRITTEN = re.compile(r"VALUES \((?:%s|'[a-z]+'), '([a-z_]+\.[a-z_]+)'")


def _acts() -> dict[str, str]:
    """Act → file in which it is recorded."""
    found = {}
    for folder in (_SUPERVISION, _SUPERVISION.parent / "demo"):
        for file in sorted(folder.rglob("*.py")):
            if "tests" not in file.parts:
                text = file.read_text("utf-8")
                found |= {act: file.name for form in (_CALLED, _WRITTEN) for act in form.findall(text)}
    return found


def test_every_act_that_is_recorded_has_a_word() -> None:
    acts = _acts()
    assert {
        "log.clock_correct",
        "retransmit.request",
        "cosigner.add",
        "session.confirmed",
        "demo.time",
    } <= acts.keys()
    assert {act: file for act, file in acts.items() if act not in WORDS} == {}


def test_no_word_is_code() -> None:
    for word in (*WORDS.values(), *OUTCOMES.values()):
        assert not re.search("[a-z_.]", word), word


def test_what_was_done_by_a_command_says_so() -> None:
    plain = {"id": 1, "at": datetime.now(UTC), "actor": "a", "action": "session.confirmed", "subject": "a"}
    event = {**plain, "outcome": "done", "detail": {"address": "127.0.0.1", "intent": "7"}}
    assert Event(**event).shown == [("来源地址", "127.0.0.1")]
    assert Event(**event, is_at_the_machine=True).shown == [("经由", "本机命令行"), ("来源地址", "127.0.0.1")]
