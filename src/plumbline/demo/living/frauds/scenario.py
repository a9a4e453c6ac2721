"""Scenario files (造假情景): what is done, by whom, where it shows, and what honest thing looks like it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Where a scenario shows: a message kind and the fields of it."""

    kind: str
    fields: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One pattern of the catalogue of frauds."""

    #: R01 … R36.
    pattern: str
    title: str
    #: Role → what this actor does.
    actors: dict[str, str]
    done: str
    shows: tuple[Sign, ...]
    #: What looks like it and is honest; a rule must not confuse the two.
    honest: str


def scenarios() -> dict[str, Scenario]:
    """Every scenario by its pattern; KeyError names a field that a file lacks."""
    found = {}
    for path in sorted(FOLDER.glob("r*.toml")):
        text = tomllib.loads(path.read_text("utf-8"))
        found[text["pattern"]] = Scenario(
            pattern=text["pattern"],
            title=text["title"],
            actors=dict(text["actors"]),
            done=text["done"],
            shows=tuple(
                Sign(kind=each["kind"], fields=tuple(each["fields"]), what=each["what"])
                for each in text["shows"]
            ),
            honest=text["honest"],
        )
    return found
