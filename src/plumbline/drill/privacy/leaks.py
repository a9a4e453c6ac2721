"""Leaks planted on purpose (种下的泄漏): a search that does not find these has not searched."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Callable

import psycopg
from psycopg import sql

from plumbline.drill.privacy.canaries import Canary
from plumbline.supervision.config import Platform

#: Plants one leak and returns how it is taken back.
Plant = Callable[[Platform, str, Canary], Callable[[], None]]


def _as_owner(platform: Platform, *statements: str | sql.Composed) -> None:
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for statement in statements:
            conn.execute(statement if isinstance(statement, sql.Composed) else statement.encode())


def log_a_record(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """A process writes a record into its log, as JSON with escapes."""
    path = platform.folder("logs") / "gateway-debug.log"
    path.write_text(f"received {(canary.fields.name or '').encode('unicode_escape').decode()}\n", "ascii")
    return path.unlink


def salt_in_clear(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """The salt stands beside the digest, in bytes."""
    salt = base64.b64decode(canary.record.salt)
    _as_owner(
        platform,
        "CREATE TABLE ops.drill_salt (digest bytea, salt bytea)",
        sql.SQL("INSERT INTO ops.drill_salt VALUES ({}, {})").format(bytes.fromhex(canary.record.ref), salt),
    )
    return lambda: _as_owner(platform, "DROP TABLE ops.drill_salt")


def column_with_the_phone(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """A table has a column for the telephone number."""
    _as_owner(
        platform,
        "CREATE TABLE ops.drill_phone (phone text)",
        sql.SQL("INSERT INTO ops.drill_phone VALUES ({})").format(canary.fields.phone),
    )
    return lambda: _as_owner(platform, "DROP TABLE ops.drill_phone")


def statement_logging(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """Somebody switches statement logging on."""
    with psycopg.connect(administrator, dbname=platform.database.name, autocommit=True) as conn:
        conn.execute("SET log_statement = 'all'")
        conn.execute(sql.SQL("SELECT {}").format(canary.fields.resident_id))
    log = platform.folder("logs") / "postgresql.log"

    def take_back() -> None:
        lines = log.read_bytes().splitlines(keepends=True)
        told = (canary.fields.resident_id or "").encode()
        log.write_bytes(b"".join(line for line in lines if told not in line))

    return take_back


def packed_export(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """An export holds a number, packed, in the character set of office software."""
    path = platform.folder("exports") / "people.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("people.csv", f"姓名,电话\n{canary.fields.name},隐去\n".encode("gb18030") * 20)
    return path.unlink


def face_in_a_pdf(platform: Platform, administrator: str, canary: Canary) -> Callable[[], None]:
    """A generated PDF carries the digest of a face in a packed stream."""
    import zlib

    path = platform.folder("exports") / "report.pdf"
    stream = zlib.compress((canary.fields.face_sha256 or "").encode() * 4)
    path.write_bytes(b"%PDF-1.7\n1 0 obj <<>> stream\n" + stream + b"\nendstream endobj\n%%EOF\n")
    return path.unlink


#: What is planted, and what the searcher must say of it.
LEAKS: dict[str, Plant] = {
    "进程日志里记了一条记录": log_a_record,
    "盐明文存放": salt_in_clear,
    "打开了语句日志": statement_logging,
    "多了一列电话": column_with_the_phone,
    "导出压缩包里有姓名": packed_export,
    "PDF 压缩流里有人脸摘要": face_in_a_pdf,
}
