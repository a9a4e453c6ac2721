"""What is refused of a list of cosigners, and what the audit says of late signatures (联署方名单的规则)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.cosign.cosigner import SETTINGS, Settings
from plumbline.cosign.keys import CosignerProblem
from plumbline.evidence.checkpoint import parse_cosigner
from plumbline.evidence.note import ED25519_COSIGNATURE, format_verifier_key
from plumbline.evidence.position import position_of
from plumbline.evidence.testing import clashing_cosigner_keys
from plumbline.supervision.journal import audit_cosigners
from plumbline.supervision.journal.acceptances import Acceptance
from plumbline.supervision.journal.audit_cosigners import _Told, ended_before
from plumbline.supervision.journal.cosigners import FILE, CosignersProblem, read_cosigners

KEY = format_verifier_key("w/1", ED25519_COSIGNATURE, hashlib.sha256(b"key").digest())
GOOD = f'[[cosigner]]\nurl = "http://w.example"\nkeys = ["{KEY}"]\ntrust_domain = "某大学"\n'


def test_a_clash_of_key_ids_is_a_clash_for_every_reader_of_a_note() -> None:
    first, second = (parse_cosigner(each) for each in clashing_cosigner_keys("w/1"))
    assert (first.key_id, first.name) == (second.key_id, second.name)
    assert first.public != second.public


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("cosigner = 5", "[[cosigner]]"),
        ('cosigner = ["w/1"]', "[[cosigner]]"),
        (GOOD.replace('"http://w.example"', "5"), "url 要写成一段文字"),
        (GOOD.replace('"某大学"', "[]"), "trust_domain 要写成一段文字"),
        (GOOD.replace(f'["{KEY}"]', "[5]"), "keys 的每一项 要写成一段文字"),
        (GOOD.replace(f'["{KEY}"]', "[]"), "有 0 把"),
        (GOOD.replace(f'["{KEY}"]', '"x"'), "一列公钥"),
        (GOOD + 'external = "false"\n', "true 或 false"),
        ("a = " + "[" * 5000, "不是 TOML"),
        ("\x00", "不是 TOML"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_field_and_remedy(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    with pytest.raises(CosignersProblem) as refusal:
        read_cosigners(tmp_path)
    assert word in str(refusal.value)


def test_a_list_that_is_a_folder_or_no_text_is_refused_and_the_good_one_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(CosignersProblem, match="不是 TOML"):
        read_cosigners(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(CosignersProblem, match="读不了"):
        read_cosigners(tmp_path)
    (tmp_path / FILE).rmdir()
    (tmp_path / FILE).write_text(GOOD, "utf-8")
    assert [each.name for each in read_cosigners(tmp_path)] == ["w/1"]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": 1, "trust_domain": "a", "logs": {}}',
        '{"name": "w", "trust_domain": "a", "logs": 5}',
        '{"name": "w", "trust_domain": "a", "logs": {"l": "key"}}',
        "[]",
        "[" * 100_000,
    ],
)
def test_a_cosigners_own_settings_of_other_types_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / SETTINGS).write_text(text, "utf-8")
    with pytest.raises(CosignerProblem, match="读不懂"):
        Settings.read(tmp_path)


def test_thousands_of_wrong_rows_make_a_report_that_can_be_read() -> None:
    told = _Told()
    for number in range(5000):
        told.add("联署没有这样的检查点", f"w 对 {number} 条的联署：没有这样的检查点")
    told.add("ops.cosigner 与日志不同", "联署方 w（ops.cosigner）")
    said = told.sentences()
    assert len(said) == audit_cosigners.NAMED + 2
    assert "共 5000 处" in said[-1]
    assert "联署方 w（ops.cosigner）" in said


RETIRED = datetime(2026, 5, 1, 12, tzinfo=UTC)


def _acceptance(retired: datetime | None) -> Acceptance:
    at = position_of(1, 10) if retired else None
    return Acceptance(
        entry="00",
        position=1,
        logged_at=RETIRED - timedelta(days=9),
        name="w/1",
        key=KEY,
        trust_domain="某大学",
        external=True,
        retired_at=retired,
        retired_position=at,
    )


@pytest.mark.parametrize(
    ("seconds", "size", "origin", "is_late"),
    [
        (60, 11, "log/1", False),  # the worker reads the list a moment after the entry
        (61, 11, "log/1", True),  # and covers the retirement
        (61, 10, "log/1", False),  # does not cover it: the cosigner's clock may be wrong
        (3601, 10, "log/1", True),
        (3601, 10, "demo.log/1", False),
        (61, 0, "log/2", True),  # a later epoch covers all of the one before
        (61, 11, "log/x", False),  # no epoch: other checks name it
    ],
)
def test_a_signature_after_its_keys_retirement_is_late(
    seconds: int, size: int, origin: str, is_late: bool
) -> None:
    at, position = RETIRED + timedelta(seconds=seconds), audit_cosigners._position(origin, size)
    found = ended_before([_acceptance(RETIRED)], at, position, origin)
    assert found == (position_of(1, 10) if is_late else None)
    # it came while the worker read the list: the cosigner's clock may be wrong
    soon = RETIRED + timedelta(seconds=1)
    assert (ended_before([_acceptance(RETIRED)], at, position, origin, soon) is not None) is (
        is_late and seconds > 3600
    )
    # accepted again, or never retired: nobody is accused
    assert ended_before([_acceptance(RETIRED), _acceptance(None)], at, position, origin) is None
