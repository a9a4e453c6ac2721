"""Accepted roots (受信任的根证书): known in the round in which they are put there, gone in the round in which they are taken away."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.sdk.pdf.roots import TrustRoot
from plumbline.supervision import roots
from plumbline.supervision.roots import AcceptedRoots, UnreadableRoot, save_root


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


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"x"'])
def test_a_file_that_is_no_root_is_named_every_time(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    accepted = AcceptedRoots(tmp_path)
    for _ in range(2):
        with pytest.raises(UnreadableRoot, match=r"a\.json"):
            accepted.now()


def test_a_root_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    root = TrustRoot(
        name="演示", certificate="x" * 200_000, kind="demo", valid_from=datetime(2026, 1, 1, tzinfo=UTC)
    )
    accepted, stop = AcceptedRoots(tmp_path), threading.Event()

    def save() -> None:
        while not stop.is_set():
            save_root(tmp_path, "a", root)

    saving = threading.Thread(target=save)
    saving.start()
    try:
        counts = {len(accepted.now()) for _ in range(500)}
    finally:
        stop.set()
        saving.join()
    assert counts <= {0, 1}
    assert accepted.now() == [root]
