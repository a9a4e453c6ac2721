"""Finding the demo that runs on a folder (正在运行的演示)."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx

from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import EmbeddedProblem
from plumbline.supervision.boot import DATABASE
from plumbline.supervision.config import DatabasePlace, Platform


def running_platform(data_dir: Path) -> Platform | None:
    """The demo platform that runs on this folder; None when none does. EmbeddedProblem for a production folder."""
    kept = data_dir / "platform.json"
    if not kept.exists():
        return None
    if not json.loads(kept.read_text("utf-8"))["demo"]:
        raise EmbeddedProblem(
            f"{data_dir} 里是正式平台的数据，演示命令不能用在这里。请用 --data-dir 换一个文件夹。",
            "This folder holds a production platform; choose another --data-dir.",
        )
    running = Cluster(data_dir).running()
    if running is None:
        return None
    place = DatabasePlace(host=str(running.socket_dir), port=running.port, name=DATABASE)
    platform = Platform.open(data_dir, place)
    try:
        trusted = ssl.create_default_context()
        if (authority := data_dir / "tls" / "ca.pem").exists():
            trusted.load_verify_locations(authority)
        httpx.get(f"{platform.public_url}/healthz", trust_env=False, verify=trusted).raise_for_status()
    except httpx.HTTPError:
        return None
    return platform
