"""The search of the privacy drill finds what is there, however it is written, and nothing else (个人信息演练)."""

from __future__ import annotations

import base64
import io
import json
import random
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote

import pytest

from plumbline.domain.basics.identifiers import is_resident_id
from plumbline.drill.privacy import searching
from plumbline.drill.privacy.canaries import all_spellings, make_people
from plumbline.drill.privacy.course import Course
from plumbline.drill.privacy.doors import Doors
from plumbline.drill.privacy.readers import Answer, _inside, _shape
from plumbline.drill.privacy.searching import Searcher
from plumbline.supervision.config import Platform

PERSON = make_people(random.Random(7), 1)[0]
FIELDS = PERSON.fields
SEARCHER = Searcher(all_spellings(PERSON.secrets))
SALT = base64.b64decode(PERSON.record.salt)

WRITTEN = {
    "utf-8": (FIELDS.name or "").encode(),
    "utf-16": (FIELDS.phone or "").encode("utf-16"),
    "gbk": (FIELDS.name or "").encode("gbk"),
    "hex in a dump": b"\\x00ff" + (FIELDS.resident_id or "").encode().hex().encode(),
    "base64 in a longer one": base64.b64encode(b'{"v":' + (FIELDS.resident_id or "").encode() + b"}"),
    "url-safe base64": base64.urlsafe_b64encode(b"{" + (FIELDS.name or "").encode("utf-16-le") + b"}"),
    "json escapes": json.dumps({"n": FIELDS.name}).encode(),
    "bytes in a log": repr((FIELDS.name or "").encode()).encode(),
    "octal": "".join(f"\\{each:03o}" for each in (FIELDS.phone or "").encode()).encode(),
    "json in json": json.dumps(json.dumps({"n": FIELDS.name})).encode(),
    "an address": quote(FIELDS.name or "").encode(),
    "html": "".join(f"&#{ord(c)};" for c in FIELDS.name or "").encode(),
    "a grouped phone": f"{(FIELDS.phone or '')[:3]}-{(FIELDS.phone or '')[3:7]}-{(FIELDS.phone or '')[7:]}".encode(),
    "the face": bytes.fromhex(FIELDS.face_sha256 or ""),
    "the salt": SALT,
    "the salt in hex": SALT.hex().encode(),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_every_spelling_is_found_wherever_it_stands(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PIECE", 1000)
    for before in (0, 1, 997, 2999):  # across the border of two pieces too
        path = tmp_path / f"{before}"
        path.write_bytes(b"." * before + WRITTEN[way] + b"." * 40)
        hits, size = SEARCHER.in_file(path, "f")
        assert hits and size == path.stat().st_size
        assert not any(
            part in str(hits) for part in (FIELDS.name or "", FIELDS.phone or "", FIELDS.resident_id or "")
        )


def test_what_is_packed_is_found() -> None:
    told = (FIELDS.phone or "").encode() * 9
    pdf = b"%PDF-1.7\n1 0 obj<<>>stream\n" + zlib.compress(told) + b"\nendstream"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/report.pdf", pdf)
    session = base64.urlsafe_b64encode(zlib.compress(b'{"phone":"' + told + b'"}')).rstrip(b"=")
    for data in (pdf, archive.getvalue(), b"key\t." + session + b":1w:sig\n"):
        assert not SEARCHER.in_bytes(data, "x") and SEARCHER.deep(data, "x")


def test_what_is_packed_in_an_answer_is_found_behind_its_head() -> None:
    """Names in a packed export are shown to those alone who may read them; numbers to nobody."""
    course = Course(platform=cast(Platform, None), url="", administrator="", seed=1, people=1)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("people.csv", (FIELDS.name or "") * 20 + (FIELDS.phone or "") * 20)
    head = b"content-type: application/zip"
    answers = [Answer(each, "/x", 200, head, archive.getvalue()) for each in ("监督人员", "参建单位", "公众")]
    course.search_answers(cast(Doors, SimpleNamespace(answers=[])), answers, [PERSON])
    told = "\n".join(course.broken)
    for reader, wanted in (
        ("监督人员", {"电话"}),
        ("参建单位", {"姓名", "电话"}),
        ("公众", {"姓名", "电话"}),
    ):
        assert {
            what for what in ("姓名", "电话") for each in course.broken if reader in each and what in each
        } == wanted
    assert (FIELDS.phone or "") not in told and int(course.counts["姓名显示给有权的人"]) > 0


def test_noise_and_other_people_are_not_found() -> None:
    others = make_people(random.Random(8), 3)
    noise = random.Random(9).randbytes(2_000_000)
    clean = noise + b"".join(each for each in all_spellings(s for o in others for s in o.secrets))
    assert SEARCHER.in_bytes(clean + noise.hex().encode(), "x") == []
    assert SEARCHER.in_bytes(b"", "x") == SEARCHER.in_bytes(b"123", "x") == []


def test_the_people_are_such_as_the_door_takes() -> None:
    for each in make_people(random.Random(3), 50):
        assert is_resident_id(each.fields.resident_id or "")
        assert len(each.fields.phone or "") == 11 and len(each.secrets) == 5


def test_links_are_followed_inside_only_and_told_apart_by_shape() -> None:
    assert _inside("https://example.org/x", "/a/") == _inside("mailto:x@y", "/a/") == ""
    assert (_inside("?page=2", "/a/"), _inside("b/", "/a/")) == ("/a/?page=2", "/a/b/")
    assert _shape("/people/0a1b/?after=7") == _shape("/people/9c/?after=8") != _shape("/people/")
