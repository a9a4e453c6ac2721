"""Serials of the institution's ledger: consecutive, one a key, the same after a restart."""

from __future__ import annotations

from pathlib import Path

from plumbline.demo.ledger import Ledger


def test_serials_begin_at_one_and_have_no_gaps(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.json")
    assert [ledger.serial("report", key) for key in "abc"] == [1, 2, 3]


def test_a_key_keeps_its_serial_after_a_restart(tmp_path: Path):
    Ledger(tmp_path / "ledger.json").serial("report", "a")
    again = Ledger(tmp_path / "ledger.json")
    assert again.serial("report", "b") == 2
    assert again.serial("report", "a") == 1


def test_series_count_apart(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.json")
    assert (ledger.serial("report", "a"), ledger.serial("commission", "a")) == (1, 1)


def test_notes_survive_a_restart_and_an_absent_one_is_none(tmp_path: Path):
    Ledger(tmp_path / "ledger.json").put("contract/x", "0" * 32)
    assert Ledger(tmp_path / "ledger.json").get("contract/x") == "0" * 32
    assert Ledger(tmp_path / "ledger.json").get("contract/y") is None
