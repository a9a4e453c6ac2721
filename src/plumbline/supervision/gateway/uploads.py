"""Resumable files (文件续传): tus 1.0 core and creation, own small server; the hash is announced first and checked at the end.

A finished file is durable before its row, the row before the entry `blob.stored`. A file that is there already is not sent again,
unless its stored bytes are damaged: whoever still has them heals it.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import logging
import os
import re
from datetime import datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plumbline.exchange.messages.platform import BlobStored
from plumbline.exchange.problems import Problem, field_problem
from plumbline.exchange.uids import derived_uid
from plumbline.supervision.gateway.content import content_problem
from plumbline.supervision.gateway.context import Context, context_of, received, require_media, stated_at_of
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.files import FileDigestMismatch, FileStore
from plumbline.supervision.journal.keys import write_private

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_CHUNK_BYTES = 16 * 1024 * 1024
#: What may come along with the announcement.
MAX_AT_ONCE_BYTES = 1024 * 1024
OFFSET_STREAM = "application/offset+octet-stream"
MEDIA_TYPES = frozenset(
    {"application/pdf", "image/png", "image/jpeg", "image/webp", "application/octet-stream", "video/mp4"}
)
_METADATA_REMEDY = "写 sha256 和 media_type，名与值之间一个空格，值用 base64，两项之间用逗号"
_LENGTH = re.compile(r"[0-9]{1,15}")
_TUS = {"Tus-Resumable": "1.0.0"}
_log = logging.getLogger("plumbline.gateway")


def _metadata(header: str) -> dict[str, str]:
    result = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            result[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            reason = "Upload-Metadata 里的值要用 base64"
            raise field_problem("/header/Upload-Metadata", reason, _METADATA_REMEDY) from None
    return result


def _upload_id(party: str, sha256: str) -> str:
    return hashlib.sha256(f"{party}/{sha256}".encode()).hexdigest()[:32]


async def create(request: Request) -> Response:
    """Announce a file: length, SHA-256, media type. 201 with its address; 200 when it is stored already.

    A small file may come along at once (tus creation-with-upload); the answer then says how far it is.
    """
    context = context_of(request)
    brings = request.headers.get("content-type", "") == OFFSET_STREAM
    got = await received(request, MAX_AT_ONCE_BYTES if brings else 0)
    signed, key, _ = await context.door.authenticate(got, got.body)
    await context.nonces.take(signed)
    context.uploads.take(key.key_id)
    note = _announced(request, key.party)
    sha256 = str(note["sha256"])
    upload = _upload_id(key.party, sha256)
    location = {"Location": f"/x/v1/files/{upload}", **_TUS}
    if await _is_whole(context, sha256):
        # a crash, or another request, may stand between the file's name and its entry: the announcement heals it
        await run_in_threadpool(context.files.make_durable, sha256)
        stored = context.files.path(sha256)
        if problem := await run_in_threadpool(content_problem, stored, str(note["media_type"])):
            raise problem  # of whoever brought it first it may be something else; that stays
        note["length"] = (await run_in_threadpool(stored.stat)).st_size
        await _enter(context, note, request)
        return Response(None, 200, location | {"Upload-Offset": str(note["length"])})
    path, length = context.files.incoming(upload), int(str(note["length"]))
    reached = await run_in_threadpool(_begin, path, note, got.body)
    if (
        reached == length
    ):  # all has come, now or before a crash: durable and entered before it is said to be here
        await _finish(context, path, note, request)
    else:
        await _row(context, note, "announced")
    return Response(None, 201, location | {"Upload-Offset": str(reached)})


async def _is_whole(context: Context, sha256: str) -> bool:
    """Whether a file is stored and nothing is known of damage to it. A large one is held against its hash only when the patrol has
    found it damaged: whoever announces it again and again must not cost more than the bytes would."""
    if not await run_in_threadpool(context.files.has, sha256):
        return False
    async with context.pool.connection() as conn:
        found = await conn.execute("SELECT damage FROM ops.file WHERE sha256 = %s", [bytes.fromhex(sha256)])
        row = await found.fetchone()
    return await run_in_threadpool(_holds, context.files, sha256, row is not None and row[0] != "")


def _holds(files: FileStore, sha256: str, doubted: bool) -> bool:
    try:
        if doubted or files.path(sha256).stat().st_size <= MAX_CHUNK_BYTES:
            files.require_whole(sha256)
    except (FileDigestMismatch, OSError) as error:
        _log.error("stored file %s is sent again: %s", sha256, error)
        return False
    return True


def _announced(request: Request, party: str) -> dict[str, object]:
    """What the headers say about a file; refuses what is incomplete or too large."""
    length = request.headers.get("upload-length", "")
    meta = _metadata(request.headers.get("upload-metadata", ""))
    if not _LENGTH.fullmatch(length) or int(length) == 0:
        reason = "Upload-Length 要写文件的字节数，大于 0"
        raise field_problem("/header/Upload-Length", reason, "写文件的字节数")
    if int(length) > MAX_FILE_BYTES:
        raise Problem(slug="too-large", detail=f"Upload-Length 最多 {MAX_FILE_BYTES} 字节")
    sha256, media_type = meta.get("sha256", ""), meta.get("media_type", "application/octet-stream")
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef") or media_type not in MEDIA_TYPES:
        reason = "Upload-Metadata 要有 sha256（64 位十六进制）和 media_type"
        raise field_problem("/header/Upload-Metadata", reason, _METADATA_REMEDY)
    return {"sha256": sha256, "length": int(length), "media_type": media_type, "party": party}


def _begin(path: Path, note: dict[str, object], body: bytes) -> int:
    """How many bytes are there after the announcement; those that come along are written where nothing is yet."""
    _announce(path, note)
    try:
        return _write(path, 0, int(str(note["length"])), body) if body else path.stat().st_size
    except Problem as problem:
        if problem.slug != "offset-mismatch":
            raise
        return int((problem.extra or {})["offset"])
    except FileNotFoundError:
        raise _moved_on() from None


def _moved_on() -> Problem:
    """Another request with the same file is finishing it: whoever comes again is told how that went."""
    return Problem(slug="unavailable", detail="同一份文件正由另一个请求收存", retry_after_s=1)


def _announce(path: Path, note: dict[str, object]) -> None:
    path.touch(exist_ok=True)
    note_path = path.with_suffix(".json")
    if not note_path.exists():
        write_private(note_path, json.dumps(note).encode())


async def _row(context: Context, note: dict[str, object], state: str) -> None:
    """announced → stored (durable) → verified (entered in the log); never back."""
    async with context.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO ops.file (sha256, bytes, media_type, uploaded_by, state) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (sha256) DO UPDATE SET state = excluded.state, changed_at = now() "
            "WHERE ops.file.state < excluded.state",
            [*_values(note), state],
        )


def _values(note: dict[str, object]) -> list[object]:
    sha256, party = bytes.fromhex(str(note["sha256"])), bytes.fromhex(str(note["party"]))
    return [sha256, note["length"], note["media_type"], party]


async def _known(request: Request, limit: int) -> tuple[Context, Path, dict[str, object], bytes]:
    context = context_of(request)
    got = await received(request, limit)
    signed, key, _ = await context.door.authenticate(got, got.body)
    if request.method != "HEAD":
        await context.nonces.take(signed)
    context.uploads.take(key.key_id)
    try:
        path = context.files.incoming(request.path_params["upload"])
        note: dict[str, object] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (ValueError, OSError):
        raise Problem(slug="not-found", detail="没有这个上传，或者已经完成") from None
    if note["party"] != key.party:
        raise Problem(slug="not-found", detail="没有这个上传，或者已经完成")
    return context, path, note, got.body


async def offset(request: Request) -> Response:
    """How many bytes have arrived."""
    _, path, note, _ = await _known(request, 0)
    return Response(
        None,
        200,
        {
            "Upload-Offset": str(path.stat().st_size),
            "Upload-Length": str(note["length"]),
            "Cache-Control": "no-store",
            **_TUS,
        },
    )


async def append(request: Request) -> Response:
    """The next bytes; at the end the hash is checked, the file becomes durable, and `blob.stored` is entered."""
    context, path, note, body = await _known(request, MAX_CHUNK_BYTES)
    require_media(request, OFFSET_STREAM)
    stated, length = request.headers.get("upload-offset", ""), int(str(note["length"]))
    if not _LENGTH.fullmatch(stated):
        raise Problem(slug="offset-mismatch", detail="Upload-Offset 要写已收到的字节数")
    reached = await run_in_threadpool(_write, path, int(stated), length, body)
    if reached == length:
        await _finish(context, path, note, request)
    return Response(None, 204, {"Upload-Offset": str(reached), **_TUS})


def _write(path: Path, offset: int, length: int, body: bytes) -> int:
    """Append at `offset` or raise; returns the new length. The lock keeps two senders of one file apart."""
    with path.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        have = file.seek(0, os.SEEK_END)
        if have != offset:
            detail = f"已收到 {have} 字节"
            raise Problem(slug="offset-mismatch", detail=detail, extra={"offset": str(have)})
        if have + len(body) > length:
            raise Problem(slug="too-large", detail=f"声明 {length} 字节，实际更多")
        file.write(body)
        file.flush()
        try:
            os.fsync(file.fileno())
        except OSError:
            # the kernel may have dropped the bytes and would not say so again: nobody goes on with this file
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
            raise
    hit("file.after_write")
    return have + len(body)


def _require_content(path: Path, note: dict[str, object]) -> None:
    """The bytes are all there, and not what they were said to be: nothing of them is kept."""
    if problem := content_problem(path, str(note["media_type"])):
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        raise problem


async def _finish(context: Context, path: Path, note: dict[str, object], request: Request) -> None:
    try:
        await run_in_threadpool(_require_content, path, note)
        await run_in_threadpool(context.files.adopt, path, str(note["sha256"]))
    except FileDigestMismatch:
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        raise Problem(slug="file-digest-mismatch") from None
    except FileNotFoundError:
        raise _moved_on() from None
    path.with_suffix(".json").unlink(missing_ok=True)
    await _enter(context, note, request)


_STORED = """
INSERT INTO ops.file (sha256, bytes, media_type, uploaded_by, state, enters_at) VALUES (%s, %s, %s, %s, 'stored', %s)
    ON CONFLICT (sha256) DO UPDATE
   SET state = 'stored', changed_at = now(), enters_at = coalesce(ops.file.enters_at, excluded.enters_at),
       bytes = CASE WHEN ops.file.enters_at IS NULL THEN excluded.bytes ELSE ops.file.bytes END,
       media_type = CASE WHEN ops.file.enters_at IS NULL THEN excluded.media_type ELSE ops.file.media_type END,
       uploaded_by = CASE WHEN ops.file.enters_at IS NULL THEN excluded.uploaded_by ELSE ops.file.uploaded_by END
 WHERE ops.file.state <> 'verified'
RETURNING media_type, encode(uploaded_by, 'hex'), enters_at
"""


async def _stored(context: Context, note: dict[str, object], at: datetime) -> BlobStored | None:
    """The entry of a durable file, None when it has been made. What it says is kept in the row first, of whoever brought the bytes
    and not of those who had only announced them: made again after a crash, it is the same."""
    async with context.pool.connection() as conn:
        found = await conn.execute(_STORED, [*_values(note), at])
        row = await found.fetchone()
    if row is None:
        return None
    media_type, uploaded_by, enters_at = row
    return BlobStored(
        v=1,
        uid=derived_uid("blob.stored", "file", str(note["sha256"]), enters_at),
        sender=context.operator,
        occurred_at=enters_at,
        sha256=str(note["sha256"]),
        bytes=int(str(note["length"])),
        media_type=media_type,
        uploaded_by=uploaded_by,
    )


async def _enter(context: Context, note: dict[str, object], request: Request) -> None:
    """Row and entry `blob.stored` of a durable file, unless they have been made."""
    stated = stated_at_of(request)
    message = await _stored(context, note, stated or (await context.demo_time.look()).now())
    if message is None:
        return
    hit("file.after_row")
    # Through the same door as everybody's entries, so that a file costs no transaction of its own.
    await context.appender.append(context.sender.pending(message, stated_at=stated))
    hit("file.after_entry")
    await _row(context, note, "verified")
