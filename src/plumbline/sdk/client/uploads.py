"""Resumable files (文件续传): tus 1.0 over signed requests; a cut costs at most one chunk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from plumbline.sdk.client.problems import Refused, Unreachable, problem_of
from plumbline.sdk.client.transport import RETRIED, Call, Transport

CHUNK_BYTES = 1024 * 1024
#: Files up to this size go with their announcement, in one request.
AT_ONCE_BYTES = 512 * 1024
FILES = "/x/v1/files"
_OFFSET_STREAM = "application/offset+octet-stream"
#: HTTP status of a platform that takes no bytes with an announcement, or not so many.
_TOO_LARGE = 413
#: HTTP status of an upload that the platform does not know, or has taken whole.
_NOT_FOUND = 404
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    sha256: str
    media_type: str
    headers: dict[str, str]


def upload(
    transport: Transport,
    data: bytes,
    media_type: str,
    *,
    headers: Mapping[str, str] | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> str:
    """Send a file and return its SHA-256 in hex once the platform holds all of it; `headers` go with every
    request.

    Raises :class:`Refused` or :class:`Unreachable`; calling again continues where it stopped, since a file is
    known by its hash.
    """
    file = _File(data, hashlib.sha256(data).hexdigest(), media_type, _TUS | dict(headers or {}))
    path, offset = _announce(transport, file)
    attempt = 0
    while path and offset < len(data):
        chunk = data[offset : offset + chunk_bytes]
        reached = _send_chunk(transport, file, path, chunk, offset, attempt)
        if reached is not None and reached > offset:
            attempt, offset = 0, reached
            continue
        # Cut, or somebody else moved the file on: ask how far it is, and give up only after bounded attempts.
        attempt += 1
        if attempt > transport.retries:
            raise Unreachable(f"文件停在第 {offset} 字节，稍后重新上传会从这里继续")
        path, offset = _reached(transport, file, path)
    return file.sha256


def announce(transport: Transport, sha256: str, length: int, media_type: str) -> bool:
    """Announce a file whose bytes are not at hand; whether the platform holds it already."""
    headers = _TUS | _announcement(sha256, length, media_type)
    return transport.call(Call(method="POST", path=FILES, headers=headers, nonce=True)).status_code != 201


def _announcement(sha256: str, length: int, media_type: str) -> dict[str, str]:
    pairs = [("sha256", sha256), ("media_type", media_type)]
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in pairs)
    return {"Upload-Length": str(length), "Upload-Metadata": metadata}


def _announce(transport: Transport, file: _File) -> tuple[str, int]:
    """Path of the upload and how far it is; an empty path when the platform holds the file already."""
    headers = file.headers | _announcement(file.sha256, len(file.data), file.media_type)
    answer = _announced_at_once(transport, file, headers) or transport.call(
        Call(method="POST", path=FILES, headers=headers, nonce=True)
    )
    if answer.status_code != 201:
        return "", len(file.data)
    return _own_path(transport, answer), _stated_offset(answer) or 0


def _announced_at_once(
    transport: Transport, file: _File, headers: Mapping[str, str]
) -> httpx.Response | None:
    """The answer to a small file that goes along with its announcement; None for a larger one, and where the platform takes
    none that way."""
    if len(file.data) > AT_ONCE_BYTES:
        return None
    sent = {**headers, "Content-Type": _OFFSET_STREAM}
    try:
        return transport.call(Call(method="POST", path=FILES, body=file.data, headers=sent, nonce=True))
    except Refused as refusal:
        if refusal.status != _TOO_LARGE:
            raise
        return None


def _own_path(transport: Transport, answer: httpx.Response) -> str:
    """Path of the Location; one that leads to another host is refused, since signed bytes would go there."""
    base = httpx.URL(transport.base_url)
    location = httpx.URL(transport.base_url + FILES).join(answer.headers.get("location", ""))
    prefix = base.path.rstrip("/")
    same = (location.scheme, location.host, location.port) == (base.scheme, base.host, base.port)
    path = location.raw_path.decode("ascii")
    if not same or not path.startswith(f"{prefix}{FILES}/"):
        raise Refused({"title": "平台给出的续传地址不对", "detail": str(location)}, answer.status_code)
    return path[len(prefix) :]


def _send_chunk(  # noqa: PLR0917 - the loop's whole state
    transport: Transport, file: _File, path: str, chunk: bytes, offset: int, attempt: int
) -> int | None:
    """The offset after the chunk; None when the connection was cut or the offset was another one."""
    headers = file.headers | {"Content-Type": _OFFSET_STREAM, "Upload-Offset": str(offset)}
    call = Call(method="PATCH", path=path, body=chunk, headers=headers, nonce=True)
    try:
        answer = transport.once(call)
    except httpx.TransportError as error:
        transport.wait(attempt, error)
        return None
    if answer.status_code < 400:
        reached = _stated_offset(answer)
        return offset + len(chunk) if reached is None else reached
    problem = Refused(problem_of(answer), answer.status_code)
    if problem.slug == "offset-mismatch" and attempt < transport.retries:
        return None
    if answer.status_code in RETRIED or problem.slug == "signature-stale":
        # The ordinary path waits, corrects the clock, and sends it again. An upload that is gone by then was taken whole.
        try:
            reached = _stated_offset(transport.call(call))
        except Refused as refusal:
            if refusal.status != _NOT_FOUND and refusal.slug != "offset-mismatch":
                raise
            return None
        return offset + len(chunk) if reached is None else reached
    raise problem


def _reached(transport: Transport, file: _File, path: str) -> tuple[str, int]:
    """Path and offset of an upload. One that the platform no longer knows may be complete, and one whose bytes are all
    there may not be entered yet: both are announced again, which settles it."""
    try:
        answer = transport.call(Call(method="HEAD", path=path, headers=file.headers))
    except Refused as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        return _announce(transport, file)
    reached = _stated_offset(answer)
    if reached is None:
        raise Refused({"title": "平台没有答复续传位置", "remedy": "稍后重新上传"}, answer.status_code)
    return (path, reached) if reached < len(file.data) else _announce(transport, file)


def _stated_offset(answer: httpx.Response) -> int | None:
    text = answer.headers.get("upload-offset", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
