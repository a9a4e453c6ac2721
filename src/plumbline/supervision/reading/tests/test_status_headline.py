"""What the status page says of cosigners that fall behind (运行状态的联署)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.supervision.pages.view_models import ProcessRow
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.cosigner_keys import standing_of
from plumbline.supervision.reading.status import KINDS, _cosigner_sentence, headline

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROWS = tuple(
    ProcessRow(kind=KINDS[kind], name=kind, tone=Tone.OK, standing="在跑", started_at=NOW, heartbeat_at=NOW)
    for kind in ("gateway", "projector", "worker")
)


def test_late_is_yellow_and_stopped_is_red_and_both_say_that_reception_goes_on() -> None:
    assert headline(0, 0, ROWS).tone is Tone.OK
    late = headline(0, 0, ROWS, waiting=timedelta(minutes=16))
    stopped = headline(0, 0, ROWS, waiting=timedelta(hours=5), codes_stopped=True)
    assert (late.tone, stopped.tone) == (Tone.WARN, Tone.BAD)
    assert "16 分钟没有联署" in late.headline and "暂停发码" in stopped.headline
    assert all("报送照常接收" in each.detail for each in (late, stopped))


def test_a_cosigner_is_told_with_its_trust_domain_how_far_it_came_and_what_is_wrong() -> None:
    row = {
        "trust_domain": "某大学",
        "is_external": True,
        "cosigned_at": NOW - timedelta(days=3),
        "now": NOW,
        "size": 1200,
        "problem": "没有答复（ConnectError）",
        "list_problem": "",
    }
    told = _cosigner_sentence(row)
    assert told.startswith("某大学，联署到 ") and told.endswith("条，3 天前，没有答复（ConnectError）")
    assert "还没有联署过" in _cosigner_sentence(row | {"cosigned_at": None, "is_external": False})


def test_a_list_of_cosigners_that_cannot_be_read_is_yellow() -> None:
    told = headline(0, 0, ROWS, list_unreadable=True)
    assert (told.tone, told.headline) == (Tone.WARN, "联署方名单读不出来")


@pytest.mark.parametrize(
    ("retired", "signed", "cosigner", "told"),
    [
        (NOW, 9, 9, (Tone.OFF, "已停用")),
        (None, 9, None, (Tone.WARN, "没有在送联署")),
        (None, None, 9, (Tone.WARN, "近来没有签过")),
        (None, 8, 9, (Tone.WARN, "这一把没有签")),
        (None, 9, 9, (Tone.OK, "在用")),
    ],
)
def test_of_each_key_of_a_cosigner_it_is_said_what_is_true(
    retired: datetime | None, signed: int | None, cosigner: int | None, told: tuple[Tone, str]
) -> None:
    newest = None if signed is None else {"size": signed}
    row = None if cosigner is None else {"size": cosigner}
    assert standing_of({"retired_at": retired}, newest, row) == told
