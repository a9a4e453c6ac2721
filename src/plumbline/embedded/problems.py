"""Problems of database and processes, each one clear sentence with its remedy (启动故障说明)."""

from __future__ import annotations


class EmbeddedProblem(Exception):
    """A start or stop that cannot go on.

    `str()` is what the user reads: one Chinese line (sentence and remedy), then the same in English.
    """

    def __init__(self, chinese: str, english: str) -> None:
        self.chinese = chinese
        self.english = english
        super().__init__(f"{chinese}\n{english}")


class DataFolderProblem(EmbeddedProblem):
    """The data folder cannot be used: another version, a second instance, a full disk, no permission."""


class BinariesMissing(EmbeddedProblem):
    """No PostgreSQL programs for this platform are installed."""


class ClusterProblem(EmbeddedProblem):
    """PostgreSQL did not start, or an SQL text of the set-up failed."""


class ProcessProblem(EmbeddedProblem):
    """A supervised process did not become ready, or keeps crashing."""
