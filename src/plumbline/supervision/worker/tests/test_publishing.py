"""Publishing goes on (检查点发布不停): whatever fails once is tried again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.worker import publishing
from plumbline.supervision.worker.publishing import Publisher


@pytest.mark.service
def test_a_failure_that_nobody_foresaw_does_not_end_it(
    quiet_platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "PERIOD_S", 0.01)
    platform = quiet_platform.platform
    signer = CheckpointSigner(PlatformKeys.load(platform.folder("keys")).log, platform.folder("marks"))
    publisher, again, tried = (
        Publisher(platform.conninfo("plumb_gateway"), signer, tmp_path),
        threading.Event(),
        [],
    )

    def publish(_: psycopg.Connection) -> int:
        tried.append(1)
        if len(tried) == 1:
            raise RuntimeError("nobody foresaw this")
        again.set()
        return 0

    monkeypatch.setattr(publisher, "publish", publish)
    publisher.start()
    try:
        assert again.wait(60)
    finally:
        publisher.stop()
