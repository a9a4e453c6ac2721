"""Editions of test standards as dated data: which one was in force on the day of the test (标准版本)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from plumbline.domain.methods.evaluations import MethodInputError


class EditionFileError(ValueError):
    """A limits file of a method is wrong; a fault of ours, not of a sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One edition of a standard with the limits and the rounding path that it prescribes."""

    #: As cited on a report: ``GB/T 50081-2019``.
    code: str
    in_force_from: date
    #: Last day in force; None while it is the current one.
    until: date | None
    source: str
    #: False until a person has compared every limit with the purchased text (未核实).
    verified: bool
    #: The remaining tables of the entry; numbers are decimal strings.
    limits: Mapping[str, Any]

    def decimal(self, *path: str) -> Decimal:
        """The limit at ``path`` as an exact decimal; raises `EditionFileError` when it is not there."""
        return Decimal(self.text(*path))

    def text(self, *path: str) -> str:
        """The limit at ``path`` as text; raises `EditionFileError` when it is not there."""
        value: Any = self.limits
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                raise EditionFileError(f"{self.code}: no limit {'.'.join(path)}")
            value = value[key]
        if not isinstance(value, str):
            raise EditionFileError(f"{self.code}: {'.'.join(path)} must be text")
        return value

    def rows(self, key: str) -> list[Mapping[str, str]]:
        """The list of tables under ``key``; raises `EditionFileError` when it is not there."""
        rows = self.limits.get(key)
        if not isinstance(rows, list):
            raise EditionFileError(f"{self.code}: no list {key}")
        return rows


@dataclass(frozen=True, slots=True)
class Editions:
    """All editions that a method can compute by, oldest first; history stays computable for ever."""

    known: tuple[Edition, ...]

    def named(self, code: str) -> Edition:
        """The edition cited as ``code`` (spaces and case do not matter); raises `MethodInputError`."""
        for edition in self.known:
            if _squeezed(edition.code) == _squeezed(code):
                return edition
        listed = "、".join(edition.code for edition in self.known)
        raise MethodInputError("edition", f"平台不掌握标准版本 {code!r}，可用：{listed}")

    def on(self, day: date) -> Edition:
        """The edition in force on the day of the test; raises `MethodInputError` when none was."""
        for edition in reversed(self.known):
            if edition.in_force_from <= day and (edition.until is None or day <= edition.until):
                return edition
        raise MethodInputError("tested_on", f"{day.isoformat()} 没有平台掌握的现行标准版本")


@cache
def editions_of(package: str) -> Editions:
    """Read ``limits.toml`` of a method's package once; raises `EditionFileError` for a faulty file."""
    text = (files(package) / "limits.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text, parse_float=_refused).get("edition", [])
    known = sorted((_edition(package, entry) for entry in entries), key=lambda edition: edition.in_force_from)
    if not known:
        raise EditionFileError(f"{package}: no edition")
    return Editions(tuple(known))


def _edition(package: str, entry: dict[str, Any]) -> Edition:
    head = ("code", "in_force_from", "source", "verified")
    if missing := [name for name in head if name not in entry]:
        raise EditionFileError(f"{package}: edition lacks {missing}")
    limits = {key: value for key, value in entry.items() if key not in {*head, "until"}}
    return Edition(
        code=entry["code"],
        in_force_from=entry["in_force_from"],
        until=entry.get("until"),
        source=entry["source"],
        verified=entry["verified"],
        limits=limits,
    )


def _squeezed(code: str) -> str:
    return "".join(code.split()).upper()


def _refused(text: str) -> Decimal:
    raise EditionFileError(f'write the decimal {text} as a string: "{text}"')
