"""Is this data folder fit for production (上线前检查): Django's own deployment checks, and what only we know to ask."""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
import sys
from pathlib import Path

from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import DatabasePlace, Platform

#: Nobody but the owner reads these.
PRIVATE = ("secrets.json", "keys")


def own_problems(platform: Platform) -> list[str]:
    """What stands against production, each with its remedy; empty when nothing does. No process and no database is needed."""
    from datetime import UTC, datetime

    from plumbline.domain.basics.calendar import local_date
    from plumbline.supervision.access.profile import profile_of

    found = []
    if platform.demo:
        found.append("这是演示数据：角色卡不用密码。请用新的数据文件夹和不以 demo. 开头的来源。")
    if not platform.public_url.startswith("https://"):
        found.append(
            f"对外地址 {platform.public_url} 不是 HTTPS：请配好证书，用 --public-url 改成 https:// 开头。"
        )
    rule = profile_of(platform.profile, operator_of(platform).division, local_date(datetime.now(UTC)))
    if rule.admin_addresses_required and not platform.admin_addresses:
        found.append(f"{rule.name}要有管理员的来源地址名单：请用 --admin-address 写明三员办事的地址或网段。")
    for name in PRIVATE:
        path = platform.data_dir / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(f"{path} 别人也能读：请执行 chmod go-rwx {path}。")
    return found


def framework_problems(platform: Platform) -> list[str]:
    """What Django's deployment checks say of our settings, one line each; a warning counts."""
    settings = {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    command = [sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING", "--no-color"]
    done = subprocess.run(
        command,
        env=os.environ | platform.environment() | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [
        line.strip() for line in done.stderr.splitlines() if line.startswith("?:") or "(security" in line
    ]
    return lines or ([] if done.returncode == 0 else done.stderr.strip().splitlines()[-3:])


def run_check(arguments: argparse.Namespace) -> int:
    """Print what stands against production; the status is the number of kinds that failed, at most 1."""
    data_dir = Path(arguments.data_dir)
    if not (data_dir / "platform.json").exists():
        print(f"{data_dir} 里还没有平台：请先执行 plumbline supervision prepare。", file=sys.stderr)
        return 2
    platform = Platform.open(data_dir, DatabasePlace(host="127.0.0.1", port=1, name="none"))
    own, framework = own_problems(platform), framework_problems(platform)
    for sentence in own:
        print(f"平台：{sentence}")
    for sentence in framework:
        print(f"框架：{sentence}")
    if not own and not framework:
        print(f"上线前检查通过：{platform.public_url}，{platform.profile}，没有警告。")
    return 1 if own or framework else 0
