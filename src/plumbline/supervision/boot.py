"""From an empty folder to a platform that can run (启动准备): database, roles, schemas, keys, log. Safe to run at every start."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from plumbline.domain.basics.identifiers import party_id
from plumbline.embedded.folder import DataFolder
from plumbline.embedded.postgres import Running
from plumbline.supervision.config import ROLES, DatabasePlace, Operator, Platform, Security, write_platform
from plumbline.supervision.journal.destruction import replay_destructions
from plumbline.supervision.journal.genesis import is_open, open_log
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, UnknownSuite, chosen_suite, key_encryption_key
from plumbline.supervision.journal.setup import (
    SetupProblem,
    check_settings,
    create_roles,
    ensure_partitions,
    migrate,
)
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.projection.rebuild import RebuildRefused, rebuild
from plumbline.supervision.projection.schema import ensure_fact_schema
from plumbline.supervision.trust_file import trust_lines
from plumbline.supervision.web_tables import ensure_web_tables

DATABASE = "plumbline"
DEMO_OPERATOR = Operator("12610300MB2960001Y", "衡川市建设工程质量安全监督站", "610300")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator decides once: origin (for ever), public address, whether this is a demo, who operates."""

    origin: str
    public_url: str
    demo: bool
    operator: Operator
    opened_at: datetime | None = None
    security: Security = field(default_factory=Security)


def admin_address(running: Running | None, database: str = DATABASE) -> tuple[str, DatabasePlace]:
    """(administrator's connection string, place of our database): embedded, or external by DATABASE_URL."""
    if running is not None:
        return running.dsn(), DatabasePlace(host=str(running.socket_dir), port=running.port, name=database)
    url = os.environ["DATABASE_URL"]
    return url, DatabasePlace.from_url(url)


def prepare(
    data_dir: Path,
    running: Running | None,
    settings: Settings,
    progress: Callable[[str], None] = lambda text: None,
    *,
    database: str = DATABASE,
) -> Platform:
    """Bring database and folder up to this version and return the platform. Each step is repeatable."""
    admin, place = admin_address(running, database)
    passwords = DataFolder(data_dir).secrets(ROLES)
    progress("准备数据库")
    _ensure_database(admin, place, passwords)
    changed = write_platform(
        data_dir,
        origin=settings.origin,
        public_url=settings.public_url,
        demo=settings.demo,
        operator=settings.operator,
        security=settings.security,
    )
    platform = Platform.open(data_dir, place)
    migrate(platform.conninfo("plumb_migrate"))
    ensure_partitions(platform.conninfo("plumb_migrate"), datetime.now(UTC))
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        check_settings(conn)
    outdated = ensure_fact_schema(platform.conninfo("plumb_migrate"), datetime.now(UTC))
    keys_folder = platform.folder("keys")
    keys = PlatformKeys.load(keys_folder, create=True, suite=_suite())
    key_encryption_key(keys_folder, create=True)
    ensure_web_tables(platform)
    if changed:
        _tell_security(platform, changed)
    if not is_open(platform.conninfo("plumb_migrate")):
        progress("开启存证日志")
        open_log(
            {role: platform.conninfo(role) for role in ROLES},
            origin=platform.origin,
            operator=settings.operator,
            keys=keys,
            signer=CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2),
            at=settings.opened_at,
        )
    rebuild_outdated(platform, outdated=outdated, progress=progress)
    write_trust_roots(platform, keys)
    replay_destructions(platform.conninfo("plumb_projector"), Vault(platform.folder("subjects")))
    return platform


def _suite() -> str:
    try:
        return chosen_suite()
    except UnknownSuite as error:
        raise SetupProblem(f"{error}。") from error


def _tell_security(platform: Platform, changed: dict[str, str]) -> None:
    """Write down that the operator changed what holds for accounts."""
    with psycopg.connect(platform.conninfo("plumb_web")) as conn:
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
            "VALUES ('cli', 'security.changed', %s, 'done', 'cli', %s::jsonb)",
            [platform.profile, json.dumps(changed, ensure_ascii=False)],
        )


def rebuild_outdated(platform: Platform, *, outdated: bool, progress: Callable[[str], None]) -> None:
    """Make the fact tables anew when another version declared them, or made their rows; nothing runs yet that would read them.

    Raises :class:`SetupProblem`, with the tables as they were, when this version cannot project what they hold.
    """
    if not outdated:
        return
    progress("表的结构或内容的算法变了，按存证日志重建")
    try:
        rebuild({role: platform.conninfo(role) for role in ROLES})
    except RebuildRefused as refusal:
        raise SetupProblem(f"{refusal}请装回先前的版本，并把这句话报给开发人员。") from refusal


def _ensure_database(admin: str, place: DatabasePlace, passwords: dict[str, str]) -> None:
    # The database may not be there yet: it is asked for and made from the one that every server has.
    with psycopg.connect(admin, dbname="postgres", autocommit=True) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [place.name]).fetchone():
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(place.name)))
    target = psycopg.conninfo.make_conninfo(admin, dbname=place.name)
    with psycopg.connect(target) as conn:
        try:
            create_roles(conn, passwords, place.name)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SetupProblem(
                "DATABASE_URL 的用户不能建立角色：请换用管理员，或让管理员先执行一次 plumbline supervision prepare。"
            ) from error


def write_trust_roots(platform: Platform, keys: PlatformKeys) -> None:
    """`trust.txt`: keys of the log, for each epoch and its end, of the code issuer, of cosigners and time-stamp authorities."""
    operator = party_id(operator_of(platform).uscc).hex()
    lines = trust_lines(platform, keys, operator)
    (platform.data_dir / "trust.txt").write_text("\n".join(lines) + "\n", "utf-8")


def operator_of(platform: Platform) -> Operator:
    """Who operates this platform."""
    stored = json.loads((platform.data_dir / "platform.json").read_text("utf-8"))["operator"]
    return Operator(*stored)


def reopen(data_dir: Path, running: Running | None) -> Platform:
    """The platform of a folder that was prepared before."""
    return Platform.open(data_dir, admin_address(running)[1])
