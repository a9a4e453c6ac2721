"""Accepted roots (受信任的根证书): known in the round in which they are put there, gone in the round in which they are taken away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.supervision import roots
from plumbline.supervision.roots import AcceptedRoots


def test_roots_are_read_again_only_when_the_folder_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[str]] = []

    def names(folder: Path) -> list[str]:
        read.append(sorted(each.stem for each in folder.glob("*.json")))
        return read[-1]

    monkeypatch.setattr(roots, "load_roots", names)
    accepted = AcceptedRoots(tmp_path)
    assert accepted.now() == [] and accepted.now() == []
    (tmp_path / "a.json").write_text("{}")
    assert accepted.now() == ["a"] and accepted.now() == ["a"]
    os.utime(tmp_path / "a.json", ns=(1, 1))
    assert accepted.now() == ["a"]
    (tmp_path / "a.json").unlink()
    assert accepted.now() == []
    assert read == [[], ["a"], ["a"], []]


def test_a_file_that_is_no_root_is_told_every_time(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    accepted = AcceptedRoots(tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match="property name"):
            accepted.now()
