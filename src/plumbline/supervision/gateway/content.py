"""Whether a file begins as its stated type begins (文件内容与类型): what calls itself a picture and is none is not taken for one."""

from __future__ import annotations

from pathlib import Path

from plumbline.exchange.problems import Problem, field_problem

#: So much of a file is looked at; a report may begin with a line of its producer.
HEAD_BYTES = 1024
_REMEDY = "按文件的实际内容写 media_type，不能归入的写 application/octet-stream"


def begins_as(media_type: str, head: bytes) -> bool:
    """Whether these first bytes are of a file of that type; of a stream of bytes anything is."""
    if media_type == "application/pdf":
        return b"%PDF-" in head[:HEAD_BYTES]
    if media_type == "image/png":
        return head.startswith(b"\x89PNG\r\n\x1a\n")
    if media_type == "image/jpeg":
        return head.startswith(b"\xff\xd8\xff")
    if media_type == "image/webp":
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    if media_type == "video/mp4":
        return head[4:8] == b"ftyp"
    return media_type == "application/octet-stream"


def content_problem(path: Path, media_type: str) -> Problem | None:
    """Why this file cannot be of the type that its sender stated, None when it may be."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if begins_as(media_type, head):
        return None
    reason = f"文件内容不是 {media_type}"
    return field_problem("/header/Upload-Metadata", reason, _REMEDY, slug="file-type-mismatch")
