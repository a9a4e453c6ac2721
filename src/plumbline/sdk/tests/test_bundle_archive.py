"""Hostile zip files are refused before they cost anything, each with one plain sentence."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest

from plumbline.sdk.bundle import archive
from plumbline.sdk.bundle.archive import MAX_MEMBERS, BundleProblem, read_bundle, read_members
from plumbline.sdk.bundle.format import MANIFEST, README, pack, write_bundle
from plumbline.sdk.bundle.readme import README_BYTES
from plumbline.sdk.tests.bundle_story import Story, Verifier


def refused(data: bytes) -> str:
    with pytest.raises(BundleProblem) as caught:
        read_bundle(data)
    return caught.value.zh


def zipped(*members: tuple[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", packing) as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data, packing)
    return target.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/passwd", "entries/../manifest.json", "entries/001-x/../../y", "a\\b", "entries/001-x/",
        "C:/x", "manifest.json/", "entries/1-x/message.json", "entries/001-X/message.json", "pictures/../x", "中文.json",
        "MANIFEST.JSON", "pictures/" + "0" * 63, "entries/001-run.recorded/other.txt", "manifest.json\n",
    ],
)  # fmt: skip
def test_names_that_a_bundle_does_not_have_are_refused(name: str) -> None:
    assert "不该有的文件" in refused(zipped((name, b"x")))


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped((README, b"a"), (README, b"b"))
    assert "两个同名文件" in refused(data)


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    data = zipped(("report.pdf", bytes(150 * 1024 * 1024)), packing=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    assert "压缩比异常" in refused(data)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_stated_length_that_is_not_true_is_refused(story: Story) -> None:
    data = bytearray(zipped((README, README_BYTES)))
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", len(README_BYTES) - 1)
    assert README in refused(bytes(data))


def test_too_many_members_are_refused_by_the_end_record() -> None:
    data = zipped(*((f"entries/{i:03d}-{i // 1000}/message.json", b"") for i in range(MAX_MEMBERS + 1)))
    assert "文件太多" in refused(data)


def test_a_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, story: Story) -> None:
    data = story.seal()
    monkeypatch.setattr(archive, "MAX_BYTES", len(data) - 1)
    assert "超过 200 MB" in refused(data)
    monkeypatch.setattr(archive, "MAX_BYTES", len(data))
    assert read_bundle(data).is_original


def test_members_that_unpack_beyond_the_limit_are_refused(
    monkeypatch: pytest.MonkeyPatch, story: Story
) -> None:
    members = read_members(story.seal())
    packed = zipped(*members.items(), packing=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(archive, "MAX_BYTES", sum(map(len, members.values())) - 1)
    assert "超过 200 MB" in refused(packed)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"", lambda data: b"PK", lambda data: data[:-1], lambda data: data + b"x", lambda data: b"PK" + data,
        lambda data: data[: len(data) // 2], lambda data: b"PK\x05\x06" + bytes(18), lambda data: data[:-22],
        lambda data: data[:-2] + b"\x05\x00hello",
    ],
)  # fmt: skip
def test_what_is_not_one_whole_zip_is_refused(change, story: Story) -> None:
    assert refused(change(story.seal())).endswith("。")


def test_64_bit_records_are_refused(story: Story) -> None:
    data = story.seal()
    hidden = data[:-42] + b"PK\x06\x07" + data[-38:]
    assert "结尾不对" in refused(hidden)


def test_encrypted_members_are_refused() -> None:
    data = bytearray(zipped((README, README_BYTES)))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert "加了密" in refused(bytes(data))


def test_another_way_of_packing_is_refused() -> None:
    assert "别的压缩方法" in refused(zipped((README, README_BYTES), packing=zipfile.ZIP_LZMA))


def test_an_exchanged_readme_is_refused(story: Story) -> None:
    lies = {README: "这份报告是真的，不必再查。".encode()}
    assert "README.txt 被改过" in refused(pack(read_members(story.seal()) | lies))


@pytest.mark.parametrize("name", [README, MANIFEST])
def test_what_every_bundle_has_must_be_there(story: Story, name: str) -> None:
    members = read_members(story.seal())
    del members[name]
    assert refused(pack(members)) == f"包里缺少 {name}。"


@pytest.mark.parametrize(
    "manifest",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"version":1}',
        b'{"version":1,"origin":"x","size":1,"application":"../../..","code":null,"number":"1","entries":[],"pdf":null,"pictures":[]}',
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(manifest: bytes) -> None:
    assert "manifest.json 被改过" in refused(pack({README: README_BYTES, MANIFEST: manifest}))


def test_a_manifest_has_one_spelling_only(story: Story) -> None:
    members = read_members(story.seal())
    for changed in (b" " + members[MANIFEST], members[MANIFEST].replace(b'"size":', b'"size": ')):
        assert "不是规定的写法" in refused(pack(members | {MANIFEST: changed}))


def test_a_bundle_of_a_later_version_says_so(story: Story) -> None:
    members = read_members(story.seal())
    later = members[MANIFEST].replace(b'{"version":1,', b'{"version":2,')
    assert refused(pack(members | {MANIFEST: later})).startswith("这是第 2 版的报告包")


def test_a_path_that_points_elsewhere_is_refused(story: Story) -> None:
    members = read_members(story.seal())
    manifest = members[MANIFEST].replace(b"006-key.enrolled/message", b"007-key.enrolled/message", 1)
    assert "清单" in refused(pack(members | {MANIFEST: manifest}))


def test_a_bundle_packed_anew_verifies_and_says_so(story: Story, verifier: Verifier) -> None:
    members = read_members(story.seal())
    check = verifier.check(zipped(*members.items(), packing=zipfile.ZIP_DEFLATED))
    assert check.ok, check.failure
    assert any("重新打包过" in step.sentence_zh for step in check.steps)


def test_no_more_entries_go_in_than_can_be_read(story: Story) -> None:
    content = story.content()
    object.__setattr__(content, "entries", content.entries * 50)
    with pytest.raises(ValueError, match="at most"):
        write_bundle(content)
