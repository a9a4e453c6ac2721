"""A certificate may be made before the database: the public address must be known first (先有证书)."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.embedded.postgres import Cluster
from plumbline.embedded.problems import DataFolderProblem


@pytest.mark.service
def test_a_folder_that_holds_only_our_certificates_is_taken(short_folder: Path) -> None:
    (short_folder / "tls").mkdir()
    with Cluster(short_folder) as running:
        assert running.port


def test_a_folder_with_somebody_elses_files_is_refused(short_folder: Path) -> None:
    (short_folder / "photos").mkdir()
    with pytest.raises(DataFolderProblem, match="不是 Plumbline 的数据目录"):
        Cluster(short_folder).start()
