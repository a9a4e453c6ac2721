"""Where things live (运行配置): data folder, database addresses per role, origin, public address.

Child processes receive the data folder and the database's place by environment; passwords never travel there, each process reads them
from the 0600 file of the data folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

ROLES = ("plumb_migrate", "plumb_gateway", "plumb_projector", "plumb_web", "plumb_worker")
DEMO_ORIGIN = "demo.hengchuan.plumbline"
#: The security profile of a platform whose operator chose none.
DEFAULT_PROFILE = "等保二级"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePlace:
    """Host (or socket folder), port and name of the database; no user, no password."""

    host: str
    port: int
    name: str

    @classmethod
    def from_url(cls, url: str) -> DatabasePlace:
        """Read a `postgresql://` address; a socket folder may come as `?host=/folder`."""
        parts = urlsplit(url)
        host = parse_qs(parts.query).get("host", [unquote(parts.hostname or "localhost")])[0]
        port = int(parse_qs(parts.query).get("port", [parts.port or 5432])[0])
        return cls(host=host, port=port, name=parts.path.lstrip("/") or "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One running platform: everything that a process needs to find its way."""

    data_dir: Path
    database: DatabasePlace
    origin: str
    public_url: str
    demo: bool
    #: Which security profile holds: passwords, lockout, sessions.
    profile: str = DEFAULT_PROFILE
    #: Addresses and networks from which the three administrators may act; empty: from anywhere.
    admin_addresses: tuple[str, ...] = ()

    @classmethod
    def from_env(cls) -> Platform:
        """The platform named by PLUMB_DATA_DIR, PLUMB_DB_HOST, PLUMB_DB_PORT, PLUMB_DB_NAME."""
        data_dir = Path(os.environ["PLUMB_DATA_DIR"])
        place = DatabasePlace(
            host=os.environ["PLUMB_DB_HOST"],
            port=int(os.environ["PLUMB_DB_PORT"]),
            name=os.environ.get("PLUMB_DB_NAME", "plumbline"),
        )
        return cls.open(data_dir, place)

    @classmethod
    def open(cls, data_dir: Path, database: DatabasePlace) -> Platform:
        """Read `platform.json` of the data folder; PLUMB_PUBLIC_URL overrides the address."""
        settings = json.loads((data_dir / "platform.json").read_text("utf-8"))
        public = os.environ.get("PLUMB_PUBLIC_URL", settings["public_url"]).rstrip("/")
        demo = bool(settings["demo"])
        if demo != settings["origin"].startswith("demo."):
            raise SystemExit("数据文件夹的演示标记与日志来源不一致：演示来源必须以 demo. 开头。")
        return cls(
            data_dir=data_dir,
            database=database,
            origin=settings["origin"],
            public_url=public,
            demo=demo,
            profile=settings.get("profile", DEFAULT_PROFILE),
            admin_addresses=tuple(settings.get("admin_addresses", ())),
        )

    def environment(self) -> dict[str, str]:
        """The variables that make `from_env` find this platform in a child process."""
        return {
            "PLUMB_DATA_DIR": str(self.data_dir),
            "PLUMB_DB_HOST": self.database.host,
            "PLUMB_DB_PORT": str(self.database.port),
            "PLUMB_DB_NAME": self.database.name,
            "PLUMB_PUBLIC_URL": self.public_url,
        }

    def conninfo(self, role: str) -> str:
        """libpq connection string of a login role."""
        secrets = json.loads((self.data_dir / "secrets.json").read_text("utf-8"))
        place = self.database
        return (
            f"host={place.host} port={place.port} dbname={place.name} user={role} password={secrets[role]} "
            f"application_name=plumb client_encoding=UTF8 connect_timeout=5 keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
        )

    def folder(self, name: str) -> Path:
        """A private sub-folder of the data folder (files, keys, marks, subjects …), made on first use."""
        path = self.data_dir / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path


class Operator(NamedTuple):
    """Who runs this platform: credit code, name, division code of its jurisdiction."""

    uscc: str
    name: str
    division: str


class Security(NamedTuple):
    """What an operator chose for accounts; None leaves what is kept."""

    profile: str | None = None
    admin_addresses: tuple[str, ...] | None = None


def write_platform(
    data_dir: Path,
    *,
    origin: str,
    public_url: str,
    demo: bool,
    operator: Operator,
    security: Security = Security(),  # noqa: B008 - immutable
) -> dict[str, str]:
    """Write `platform.json`; the origin of an existing folder never changes. Returns what was changed for accounts."""
    path = data_dir / "platform.json"
    kept = (
        json.loads(path.read_text("utf-8"))
        if path.exists()
        else {"origin": origin, "demo": demo, "operator": operator}
    )
    chosen = {name: value for name, value in security._asdict().items() if value is not None}
    before = {"profile": DEFAULT_PROFILE, "admin_addresses": []} | kept
    changed = {name: value for name, value in chosen.items() if value != type(value)(before[name])}
    path.write_text(json.dumps(kept | chosen | {"public_url": public_url}, ensure_ascii=False), "utf-8")
    return {name: value if isinstance(value, str) else " ".join(value) for name, value in changed.items()}
