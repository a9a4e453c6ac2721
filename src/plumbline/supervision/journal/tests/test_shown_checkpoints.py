"""A checkpoint from elsewhere that cannot be read (读不了的检查点): said in Chinese, with what to do, before anything is done."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from plumbline.supervision.commands import _why_unread, run_audit


def _audited(path: Path) -> int:
    return run_audit(argparse.Namespace(data_dir="/nowhere", what="all", checkpoint=[str(path)]))


def test_a_file_that_is_not_there(tmp_path: Path, capsys) -> None:
    assert _audited(tmp_path / "none") == 2
    told = capsys.readouterr().err
    assert told == f"检查点 {tmp_path / 'none'} 读不了：没有这个文件，请核对路径\n"


def test_a_folder_and_what_is_no_text(tmp_path: Path, capsys) -> None:
    assert _audited(tmp_path) == 2
    assert "这是文件夹" in capsys.readouterr().err
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\xff")
    assert _audited(picture) == 2
    assert "不是文本文件" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied"), "没有读它的权限"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_other_reasons(error: OSError, told: str) -> None:
    assert told in _why_unread(error)
