"""The settings of the embedded PostgreSQL and why each is set (内嵌数据库参数)."""

from __future__ import annotations

import os
from pathlib import Path

#: The file that holds these settings, included at the end of postgresql.conf.
FILE_NAME = "plumbline.conf"

_SMALL_SHARED_MEMORY = 256 * 1024 * 1024

_SETTINGS: dict[str, str] = {
    # Reached by its socket only: no port is open on any address.
    "listen_addresses": "''",
    "max_connections": "100",
    "password_encryption": "'scram-sha-256'",
    # The operator's file decides; nothing written by ALTER SYSTEM may weaken it.
    "allow_alter_system": "off",
    # Durability is what a receipt promises.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # Only pglz is built in here; compressing costs six times the throughput.
    "wal_compression": "off",
    # Personal data and keys never reach the log: no statement, no parameter, no detail line.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    # The message of an error repeats the value: invalid input syntax for type date: "1990…". Whoever asked is told it.
    "log_min_messages": "log",
    "log_statement": "'none'",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_duration": "off",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_destination": "'stderr'",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "'%m [%p] '",
    "log_timezone": "'UTC'",
    "timezone": "'UTC'",
    # Modest memory: the platform shares a small machine with its database.
    "shared_buffers": "'128MB'",
    "min_wal_size": "'80MB'",
    "max_wal_size": "'1GB'",
    "jit": "off",
}


def settings(shared_memory_folder: Path = Path("/dev/shm")) -> dict[str, str]:  # noqa: S108 - a kernel mount
    """Name → value as written in the file. Small containers (64 MB of /dev/shm) get file-backed memory."""
    chosen = dict(_SETTINGS)
    chosen["dynamic_shared_memory_type"] = "posix" if _is_roomy(shared_memory_folder) else "mmap"
    return chosen


def text(values: dict[str, str]) -> str:
    """The settings as the text of a PostgreSQL configuration file."""
    lines = [f"{name} = {value}" for name, value in values.items()]
    return "# Written at every start; edit nothing here.\n" + "\n".join(lines) + "\n"


#: Every connection proves its password; initdb's default would trust local users.
HOST_RULES = """\
# TYPE  DATABASE     USER  METHOD
local   all          all   scram-sha-256
local   replication  all   scram-sha-256
"""


def _is_roomy(folder: Path) -> bool:
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize >= _SMALL_SHARED_MEMORY
