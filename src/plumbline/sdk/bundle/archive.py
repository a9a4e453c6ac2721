"""Reading a bundle that anybody may have made (读取报告包): limits first, then the shape, then the bytes."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass

import msgspec

from plumbline.sdk.bundle.format import (
    FORMAT_VERSION,
    MANIFEST,
    MAX_ENTRIES,
    README,
    STATEMENT,
    BundleContent,
    BundleEntry,
    BundlePicture,
    Manifest,
    Statement,
    encode_manifest,
    manifest_of,
    pack,
)
from plumbline.sdk.bundle.readme import README_BYTES

#: Bytes, of the file and of everything in it.
MAX_BYTES = 200 * 1024 * 1024
#: Three files an entry, the pictures, and what stands beside them.
MAX_MEMBERS = 3 * MAX_ENTRIES + 300
#: Unpacked to packed: text packs ten to one, only a bomb packs better than this.
MAX_RATIO = 100
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_TEXT_BYTES = 32 * 1024 * 1024
_MAX_DIRECTORY_BYTES = MAX_MEMBERS * 512
_NAME = re.compile(
    r"manifest\.json|manifest\.sig|README\.txt|report\.pdf|pictures/[0-9a-f]{64}"
    r"|entries/[0-9]{3}-[a-z][a-z0-9_.-]{0,60}/(message\.json|envelope\.json|receipt\.txt)"
)
_END = struct.Struct("<4s4H2LH")
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    struct.error,
)


class BundleProblem(Exception):
    """The file is not a bundle that can be read; says what is wrong with it, in both languages."""

    def __init__(self, zh: str, en: str, name: str = "archive") -> None:
        super().__init__(en)
        self.zh, self.en, self.name = zh, en, name


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBundle:
    """The parts of a bundle as found; nothing is proven yet."""

    content: BundleContent
    manifest: bytes
    statement: Statement | None
    #: the file is byte for byte as `write_bundle` makes it, not unpacked and packed again
    is_original: bool


def read_members(data: bytes) -> dict[str, bytes]:
    """Name → bytes of a zip that keeps the limits; raises :class:`BundleProblem`."""
    if len(data) > MAX_BYTES:
        raise BundleProblem("文件超过 200 MB，没有检查。", "The file is larger than 200 MB; not checked.")
    _check_end(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_infos(infos)
            return {info.filename: _read(archive, info) for info in infos}
    except _UNREADABLE as error:
        raise BundleProblem("这不是完整的压缩包，读不了。", f"Not a whole zip file: {error}.") from error


def _check_end(data: bytes) -> None:
    """The end record decides how much is parsed, so it is read before anything else.

    No comment, no second volume, no 64-bit records, nothing before or after: a bundle has none of them.
    """
    tail = data[-_END.size :]
    if len(tail) < _END.size or data[:2] != b"PK":
        raise BundleProblem("这不是完整的压缩包，读不了。", "Not a whole zip file.")
    mark, disk, start, here, total, size, offset, comment = _END.unpack(tail)
    whole = mark == b"PK\x05\x06" and not (disk or start or comment) and here == total
    if not whole or offset + size + _END.size != len(data) or data[-42:-38] == b"PK\x06\x07":
        raise BundleProblem(
            "压缩包的结尾不对：前后夹带了别的内容，或被截断。",
            "The end of the zip is not as it should be: something was put before or after, or it was cut.",
        )
    if total > MAX_MEMBERS or size > _MAX_DIRECTORY_BYTES:
        raise BundleProblem(
            f"包里的文件太多：{total} 个，最多 {MAX_MEMBERS} 个。",
            f"Too many members: {total}, at most {MAX_MEMBERS}.",
        )


def _check_infos(infos: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for info in infos:
        shown = ascii(info.filename[:80])
        if _NAME.fullmatch(info.filename) is None:
            raise BundleProblem(
                f"包里有不该有的文件：{shown}。", f"A member that a bundle does not have: {shown}."
            )
        if info.filename in seen:
            raise BundleProblem(f"包里有两个同名文件：{shown}。", f"Two members of one name: {shown}.")
        seen.add(info.filename)
        packed = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1
        if not packed:
            raise BundleProblem(
                f"{shown} 加了密或用了别的压缩方法。", f"{shown} is encrypted or oddly packed."
            )
        if info.file_size > MAX_RATIO * max(info.compress_size, 1) + 1024:
            raise BundleProblem(f"{shown} 的压缩比异常。", f"{shown} unpacks to an absurd size.")
        if info.file_size > _limit(info.filename):
            raise BundleProblem(f"{shown} 太大，没有检查。", f"{shown} is too large; not checked.")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise BundleProblem("解开后超过 200 MB，没有检查。", "Unpacks to more than 200 MB; not checked.")


def _limit(name: str) -> int:
    if name == MANIFEST:
        return MAX_MANIFEST_BYTES
    return MAX_TEXT_BYTES if name.startswith("entries/") else MAX_BYTES


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    except _UNREADABLE as error:
        zh = f"{info.filename} 损坏：内容与压缩包里的校验值不符。"
        raise BundleProblem(zh, f"{info.filename} is damaged: {error}.") from error
    if len(data) != info.file_size:
        raise BundleProblem(
            f"{info.filename} 的长度不对。", f"{info.filename} has another length than stated."
        )
    return data


def read_bundle(data: bytes) -> ReadBundle:
    """The parts of a bundle, complete and each in its place; raises :class:`BundleProblem`."""
    members = read_members(data)
    for name in (MANIFEST, README):
        if name not in members:
            raise BundleProblem(f"包里缺少 {name}。", f"{name} is missing.")
    if members[README] != README_BYTES:
        raise BundleProblem("README.txt 被改过，不是这个版本的说明。", "README.txt was changed.", "readme")
    manifest = _manifest(members[MANIFEST])
    _check_names(manifest, members)
    content = _content(manifest, members)
    if manifest_of(content) != manifest:
        raise _changed_manifest("其中的编号或路径与内容对不上")
    return ReadBundle(
        content=content,
        manifest=members[MANIFEST],
        statement=_statement(members),
        is_original=pack(members) == data,
    )


def _changed_manifest(why: str) -> BundleProblem:
    zh = f"manifest.json 被改过：{why}。"
    return BundleProblem(zh, "manifest.json was changed: it is not as a bundle is written.", "manifest")


def _manifest(data: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _changed_manifest("读不懂") from error
    if manifest.version != FORMAT_VERSION:
        version = manifest.version
        raise BundleProblem(
            f"这是第 {version} 版的报告包，本程序只会核验第 {FORMAT_VERSION} 版。",
            f"A bundle of version {version}; this program verifies version {FORMAT_VERSION}.",
            "manifest",
        )
    # One spelling only: else a changed byte in a space or in a number's form would go unnoticed.
    if encode_manifest(manifest) != data:
        raise _changed_manifest("写法不是规定的写法")
    if len(manifest.entries) > MAX_ENTRIES:
        raise BundleProblem("包里的条目太多。", "Too many entries.", "manifest")
    return manifest


def _check_names(manifest: Manifest, members: dict[str, bytes]) -> None:
    listed = {MANIFEST, README} | ({STATEMENT} & members.keys())
    for line in manifest.entries:
        listed |= {line.message, line.envelope, line.receipt}
    listed |= {
        name for name in (manifest.pdf, *(each.path for each in manifest.pictures)) if name is not None
    }
    if missing := sorted(listed - members.keys()):
        shown = "、".join(ascii(name[:100])[1:-1] for name in missing[:5])
        raise BundleProblem(
            f"清单（manifest.json）里有、包里没有：{shown}。",
            f"Listed but not in the bundle: {shown}.",
            "manifest",
        )
    if extra := sorted(members.keys() - listed):
        shown = "、".join(extra[:5])
        raise BundleProblem(
            f"包里有、清单（manifest.json）里没有：{shown}。",
            f"In the bundle but not listed: {shown}.",
            "manifest",
        )


def _content(manifest: Manifest, members: dict[str, bytes]) -> BundleContent:
    return BundleContent(
        origin=manifest.origin,
        size=manifest.size,
        application=manifest.application,
        code=manifest.code,
        number=manifest.number,
        entries=tuple(
            BundleEntry(
                role=line.role,
                sender=line.sender,
                uid=line.uid,
                epoch=line.epoch,
                index=line.index,
                message=members[line.message],
                envelope=members[line.envelope],
                receipt=members[line.receipt],
            )
            for line in manifest.entries
        ),
        pdf=None if manifest.pdf is None else members[manifest.pdf],
        pictures=tuple(
            BundlePicture(
                entry=each.entry,
                picture=each.picture,
                sha256=each.sha256,
                data=None if each.path is None else members[each.path],
            )
            for each in manifest.pictures
        ),
    )


def _statement(members: dict[str, bytes]) -> Statement | None:
    data = members.get(STATEMENT)
    if data is None:
        return None
    try:
        found = msgspec.json.decode(data, type=Statement)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BundleProblem("manifest.sig 读不懂。", "manifest.sig is not readable.", "statement") from error
    if msgspec.json.encode(found) + b"\n" != data:
        raise BundleProblem("manifest.sig 被改过。", "manifest.sig was changed.", "statement")
    return found
