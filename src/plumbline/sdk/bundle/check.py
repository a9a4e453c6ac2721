"""What a check of a report bundle found (报告包核验结果), in sentences for the reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at. A failing one names what was changed or is missing."""

    #: subject of the step: `archive`, `entry:NNN`, `signature:NNN`, `link.run`, `report`, …
    name: str
    ok: bool
    sentence_zh: str
    sentence_en: str
    #: a remark that proves nothing either way, e.g. what was not checked and why
    is_note: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCheck:
    """The result of a check. It is never 真: whether the report is still in force only the platform knows."""

    #: nothing that was checked failed
    ok: bool
    steps: tuple[Step, ...]
    verdict_zh: str
    verdict_en: str
    #: checks that were left out because the caller named no trust for them: `code_claims`, `report_signature`
    unchecked: tuple[str, ...] = ()
    #: origin line of the log, None when the bundle could not be read
    origin: str | None = None
    #: external parties that cosigned every checkpoint of the bundle
    cosigned_by: tuple[str, ...] = ()
    #: each of them with the algorithm of each of its keys that signed every checkpoint
    cosigned_with: tuple[tuple[str, str], ...] = ()

    @property
    def failure(self) -> Step | None:
        """The first step that does not hold."""
        return next((step for step in self.steps if not step.ok), None)

    @property
    def is_demo(self) -> bool:
        """True for a demonstration log: 演示数据."""
        return self.origin is not None and self.origin.startswith("demo.")


_ALGORITHMS = {"ed25519": "Ed25519", "sm2": "SM2"}


def algorithm_words(algorithms: Iterable[str]) -> tuple[str, str]:
    """What stands behind a cosigner's name, in Chinese and English; empty for none."""
    told = [_ALGORITHMS.get(each, each) for each in sorted(set(algorithms))]
    return (f"（{'、'.join(told)}）", f" ({', '.join(told)})") if told else ("", "")


def held(name: str, zh: str, en: str) -> Step:
    """A step that holds."""
    return Step(name, True, zh, en)


def failed(name: str, zh: str, en: str) -> Step:
    """A step that does not hold."""
    return Step(name, False, zh, en)


def note(name: str, zh: str, en: str) -> Step:
    """A remark."""
    return Step(name, True, zh, en, is_note=True)
