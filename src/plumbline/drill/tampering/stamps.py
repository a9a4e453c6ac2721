"""A time stamp in the city (城市里的时间戳): the demo names no authority, so the drill runs the small built-in one, for one round."""

from __future__ import annotations

import tempfile
import threading
from argparse import Namespace
from pathlib import Path

import psycopg

from plumbline.embedded.ports import free_port
from plumbline.supervision.config import Platform
from plumbline.supervision.stamp_commands import run_timestamps
from plumbline.supervision.worker.stamping import StampRounds
from plumbline.timestamp.authority import Authority
from plumbline.timestamp.command import run_timestamp
from plumbline.timestamp.serve import AuthorityServer

_NAME, _DOMAIN = "drill.tsa/1", "演练大学"


class NotStamped(RuntimeError):
    """The round left no stamp: the drill would say nothing of stamps without anybody noticing."""


def stamp_newest(platform: Platform) -> None:
    """The newest checkpoint is stamped as a worker does it, by an authority that an operator has put on the list."""
    with tempfile.TemporaryDirectory(prefix="pld-tsa-") as name:
        folder, port = Path(name) / "tsa", free_port()
        made = Namespace(what="init", folder=str(folder), name=_NAME, trust_domain=_DOMAIN, policy="")
        listed = Namespace(
            what="add",
            name=_NAME,
            url=f"http://127.0.0.1:{port}",
            certificate=str(folder / "root.cert.pem"),
            trust_domain=_DOMAIN,
            own=False,
            every=None,
            policy="",
            by="演练",
        )
        if run_timestamp(made) or run_timestamps(platform, listed):
            raise NotStamped("没有建成演练用的时间戳机构")
        server = AuthorityServer(("127.0.0.1", port), Authority(folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            with psycopg.connect(platform.conninfo("plumb_gateway"), autocommit=True) as conn:
                StampRounds(platform.folder("marks")).round(conn)
                found = conn.execute("SELECT count(*) FROM journal.stamp").fetchone()
        finally:
            server.shutdown()
            server.server_close()
    if found is None or not found[0]:
        raise NotStamped("演练用的时间戳机构没有盖上")
