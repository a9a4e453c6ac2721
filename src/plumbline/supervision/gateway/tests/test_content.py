"""A file is of the type that it says when it begins so (文件内容与类型)."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.supervision.gateway.content import begins_as, content_problem
from plumbline.supervision.gateway.uploads import MEDIA_TYPES

HEADS = {
    "application/pdf": b"\n%PDF-1.7\n",
    "image/png": b"\x89PNG\r\n\x1a\n....",
    "image/jpeg": b"\xff\xd8\xff\xe0....",
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 ",
    "video/mp4": b"\0\0\0\x18ftypmp42",
}


@pytest.mark.parametrize("stated", sorted(MEDIA_TYPES))
def test_every_type_takes_its_own_beginning_and_no_other(stated: str) -> None:
    is_any = stated == "application/octet-stream"
    found = {kind for kind, head in HEADS.items() if begins_as(stated, head)}
    assert found == (set(HEADS) if is_any else {stated})
    assert begins_as(stated, b"MZ\x90\0") is is_any
    assert begins_as(stated, b"") is is_any


def test_a_type_that_nobody_may_state_takes_nothing() -> None:
    assert not begins_as("text/html", b"<html>")


def test_what_a_producer_writes_before_a_report_may_be_a_kilobyte(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b" " * 1019 + b"%PDF-")
    assert content_problem(path, "application/pdf") is None
    path.write_bytes(b" " * 1020 + b"%PDF-")
    refused = content_problem(path, "application/pdf")
    assert refused is not None
    assert (refused.slug, refused.kind.status, refused.errors[0].pointer) == (
        "file-type-mismatch",
        422,
        "/header/Upload-Metadata",
    )
