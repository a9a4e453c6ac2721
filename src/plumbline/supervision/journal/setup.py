"""Database set-up (建库): roles, schemas, numbered SQL files, monthly partitions, and the settings checked at start.

Runs once as an administrator of the cluster (the embedded superuser, or the user of DATABASE_URL), then always as plumb_migrate.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from importlib.resources import files

import psycopg
from psycopg import sql

from plumbline.embedded.problems import EmbeddedProblem

LOGINS = ("plumb_migrate", "plumb_gateway", "plumb_projector", "plumb_web", "plumb_worker")
GROUPS = ("plumb_owner", "plumb_definer", "plumb_officer", "plumb_institution", "plumb_party", "plumb_public")
MONTHS_BACK, MONTHS_AHEAD = 13, 3
REQUIRED_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # A failed fsync ends the server, which recovers from its log: asked again the kernel would say that all is well.
    "data_sync_retry": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length_on_error": "0",
}


class SetupProblem(EmbeddedProblem):
    """The database cannot be used as it stands; the message is one plain sentence, which every command prints."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, "")

    def __str__(self) -> str:
        """The sentence."""
        return self.chinese


def create_roles(admin: psycopg.Connection, passwords: dict[str, str], database: str) -> None:
    """Create the database roles with scram passwords and their memberships; safe to run again."""
    with admin.cursor() as cur:
        for role in GROUPS:
            _ensure_role(cur, role, "NOLOGIN NOINHERIT")
        for role in LOGINS:
            _ensure_role(cur, role, "LOGIN NOINHERIT")
            cur.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(passwords[role])
                )
            )
        for member, groups in {
            "plumb_migrate": ("plumb_owner", "plumb_definer"),
            "plumb_web": ("plumb_officer", "plumb_institution", "plumb_party", "plumb_public"),
            "plumb_gateway": ("plumb_public",),
        }.items():
            for group in groups:
                _grant_role(cur, group, member, admin.info.server_version)
        name = sql.Identifier(database)
        cur.execute(sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO plumb_owner").format(name))
        cur.execute(sql.SQL("REVOKE TEMP ON DATABASE {} FROM PUBLIC").format(name))
        cur.execute(
            sql.SQL(
                "GRANT CONNECT ON DATABASE {} TO plumb_migrate, plumb_gateway, plumb_projector, plumb_web, plumb_worker"
            ).format(name)
        )
        cur.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        # A page of a list is read in milliseconds; compiling its statement would take a second (docs/decisions/0015).
        cur.execute(sql.SQL("ALTER DATABASE {} SET jit = off").format(name))
        quiet_log(admin, database)
        cur.execute("ALTER ROLE plumb_gateway SET idle_in_transaction_session_timeout = '2s'")
        cur.execute("ALTER ROLE plumb_gateway SET lock_timeout = '2s'")


def quiet_log(admin: psycopg.Connection, database: str) -> None:
    """Set for this database that its server logs no values; whoever may not set it leaves it to `check_settings` to say so.

    Only a superuser may, or whom one has granted it: on a server of somebody else they may be right already.
    """
    for setting, value in REQUIRED_SETTINGS.items():
        if not setting.startswith("log_"):
            continue
        try:
            with admin.transaction():
                admin.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(database), sql.Identifier(setting), sql.Literal(value)
                    )
                )
        except psycopg.errors.InsufficientPrivilege:
            continue


def _ensure_role(cur: psycopg.Cursor, role: str, options: str) -> None:
    cur.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    verb = "ALTER" if cur.fetchone() else "CREATE"
    flags = f"{verb} ROLE {role} {options} NOSUPERUSER NOCREATEDB NOCREATEROLE"
    cur.execute(flags.encode() if verb == "ALTER" else f"{flags} NOBYPASSRLS".encode())


def _grant_role(cur: psycopg.Cursor, group: str, member: str, version: int) -> None:
    suffix = " WITH INHERIT FALSE, SET TRUE" if version >= 160000 else ""
    cur.execute(f"GRANT {group} TO {member}{suffix}".encode())


def migrate(conninfo: str) -> list[str]:
    """Apply the numbered SQL files that this database lacks, as plumb_owner; returns their names."""
    applied: list[str] = []
    with psycopg.connect(conninfo) as conn, conn.cursor() as cur:
        cur.execute("SET ROLE plumb_owner")
        cur.execute("CREATE SCHEMA IF NOT EXISTS plumb")
        cur.execute(
            "CREATE TABLE IF NOT EXISTS plumb.migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cur.execute("LOCK TABLE plumb.migration IN EXCLUSIVE MODE")
        cur.execute("SELECT name FROM plumb.migration")
        done = {row[0] for row in cur.fetchall()}
        folder = files("plumbline.supervision.journal") / "sql"
        for path in sorted(folder.iterdir(), key=lambda p: p.name):
            if path.name.endswith(".sql") and path.name not in done:
                cur.execute(path.read_text("utf-8").encode())
                cur.execute("INSERT INTO plumb.migration (name) VALUES (%s)", [path.name])
                applied.append(path.name)
    return applied


def month_bounds(year: int, month: int) -> tuple[uuid.UUID, uuid.UUID]:
    """Smallest uid of a month and of the next one: the partition's range."""

    def first(y: int, m: int) -> uuid.UUID:
        ms = int(datetime(y, m, 1, tzinfo=UTC).timestamp() * 1000)
        return uuid.UUID(int=ms << 80)

    return first(year, month), first(year + month // 12, month % 12 + 1)


def partition_name(year: int, month: int) -> str:
    """`entry_202611`: readable, sortable."""
    return f"entry_{year:04d}{month:02d}"


def ensure_partitions(
    conninfo: str, now: datetime, *, back: int = MONTHS_BACK, ahead: int = MONTHS_AHEAD
) -> list[str]:
    """Make the monthly partitions −13 … +3 around `now` that are missing, without holding up the door.

    LIKE … INCLUDING ALL, triggers, no grants, then ATTACH with a short lock_timeout and retries (PROTOCOL §2). No DEFAULT partition.
    """
    made = []
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("SET lock_timeout = '500ms'")
        for offset in range(-back, ahead + 1):
            index = now.year * 12 + now.month - 1 + offset
            year, month = index // 12, index % 12 + 1
            if _make_partition(conn, year, month):
                made.append(partition_name(year, month))
    return made


def _make_partition(conn: psycopg.Connection, year: int, month: int) -> bool:
    name = partition_name(year, month)
    low, high = month_bounds(year, month)
    attached = conn.execute(
        "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [f"journal.{name}"]
    ).fetchone()
    if attached:
        return False
    table = sql.Identifier("journal", name)
    for attempt in range(20):
        try:
            with conn.transaction():
                conn.execute(
                    sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE journal.entry INCLUDING ALL)").format(table)
                )
                conn.execute(
                    sql.SQL(
                        "CREATE OR REPLACE TRIGGER entry_truncate BEFORE TRUNCATE ON {} "
                        "FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse()"
                    ).format(table)
                )
                conn.execute(
                    sql.SQL(
                        "ALTER TABLE journal.entry ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
                    ).format(table, sql.Literal(str(low)), sql.Literal(str(high)))
                )
            return True
        except psycopg.errors.LockNotAvailable:
            if attempt == 19:
                raise
    return False


def check_settings(conn: psycopg.Connection) -> None:
    """Raise :class:`SetupProblem` when the server would lose or leak what it must not (TRUST F2, PROTOCOL §3)."""
    if conn.info.server_version < 150000:
        raise SetupProblem("数据库版本太低：需要 PostgreSQL 15 或更高。")
    for name, wanted in REQUIRED_SETTINGS.items():
        row = conn.execute("SELECT current_setting(%s)", [name]).fetchone()
        if row is None or row[0] != wanted:
            raise SetupProblem(
                f"数据库设置 {name} 必须是 {wanted}，现在是 {row and row[0]}。请改 postgresql.conf 后重启数据库。"
            )
