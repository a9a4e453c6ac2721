"""Numbers of law: dated, per jurisdiction, with unit, clause and source (法定参数)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

#: What a value may be. Decimals are written as strings: TOML floats are binary and are refused.
ParameterValue = str | int | bool | date | tuple[str, ...] | tuple[int, ...]

NATIONAL: Final = "CN"
_DIVISION: Final = re.compile(r"[1-9][0-9]{1,5}\Z", re.ASCII)
_REQUIRED: Final = ("key", "value", "unit", "jurisdiction", "in_force_from", "clause", "source", "verified")
_OPTIONAL: Final = ("until",)


class ParameterFileError(ValueError):
    """A parameter file is wrong; the message names file and entry."""


class MissingParameterError(LookupError):
    """No parameter of this key is in force for the jurisdiction on the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One value of law or practice in one jurisdiction from one day on."""

    key: str
    value: ParameterValue
    #: Unit as written beside the number: ``min``, ``d``, ``MPa/s``; ``1`` when there is none.
    unit: str
    #: ``CN``, or the leading digits of a division code: ``61`` province, ``6103`` city, ``610302`` county.
    jurisdiction: str
    #: First day in force.
    in_force_from: date
    #: Last day in force; None while it is open.
    until: date | None = None
    #: Clause in the standards register, empty when the value rests on practice only.
    clause: str
    source: str
    #: False until someone has compared the value with the text of the clause (未核实).
    verified: bool

    def is_in_force(self, on: date) -> bool:
        """True from the first to the last day, both included."""
        return self.in_force_from <= on and (self.until is None or on <= self.until)

    @property
    def decimal(self) -> Decimal:
        """The value as an exact decimal; raises ``TypeError`` when it is not a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int):
            raise TypeError(f"parameter {self.key} is not a number")
        return Decimal(self.value)

    @property
    def integer(self) -> int:
        """The value as a whole number; raises ``TypeError`` for anything else."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise TypeError(f"parameter {self.key} is not a whole number")
        return self.value

    @property
    def flag(self) -> bool:
        """The value as yes or no; raises ``TypeError`` for anything else."""
        if not isinstance(self.value, bool):
            raise TypeError(f"parameter {self.key} is not yes or no")
        return self.value

    @property
    def text(self) -> str:
        """The value as text; raises ``TypeError`` for anything else."""
        if not isinstance(self.value, str):
            raise TypeError(f"parameter {self.key} is not text")
        return self.value

    @property
    def texts(self) -> tuple[str, ...]:
        """The value as a list of texts (for example a list of categories)."""
        if not isinstance(self.value, tuple):
            raise TypeError(f"parameter {self.key} is not a list")
        return tuple(str(member) for member in self.value)


class ParameterSet:
    """All parameters of one run; immutable, answers by key, jurisdiction and day."""

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        self._by_place: dict[tuple[str, str], list[Parameter]] = {}
        for parameter in parameters:
            self._add(parameter)

    def _add(self, parameter: Parameter) -> None:
        place = self._by_place.setdefault((parameter.key, parameter.jurisdiction), [])
        if any(known.in_force_from == parameter.in_force_from for known in place):
            where = f"{parameter.key} / {parameter.jurisdiction} / {parameter.in_force_from}"
            raise ParameterFileError(f"parameter given twice: {where}")
        place.append(parameter)
        place.sort(key=lambda known: known.in_force_from, reverse=True)

    @classmethod
    def load(cls, *sources: Path | Traversable | str) -> ParameterSet:
        """Read TOML: paths, or resources (``files("plumbline.domain.custody") / "parameters.toml"``).

        Raises `ParameterFileError` for an unknown or missing field, a binary float, or an entry given twice.
        """
        return cls(parameter for source in sources for parameter in _read(source))

    def merged(self, *others: ParameterSet) -> ParameterSet:
        """A new set of this one's parameters and those of ``others``."""
        return ParameterSet(parameter for every in (self, *others) for parameter in every)

    def __iter__(self) -> Iterator[Parameter]:
        for place in self._by_place.values():
            yield from place

    def find(self, key: str, jurisdiction: str, on: date) -> Parameter | None:
        """The parameter in force, or None; the longest matching division prefix wins, then ``CN``.

        ``jurisdiction`` is a division code of GB/T 2260 (2 to 6 digits) or ``CN``. Within one place the one
        that came into force last wins.
        """
        prefixes = (
            [] if jurisdiction == NATIONAL else [jurisdiction[:n] for n in range(len(jurisdiction), 1, -1)]
        )
        for place in (*prefixes, NATIONAL):
            for parameter in self._by_place.get((key, place), ()):
                if parameter.is_in_force(on):
                    return parameter
        return None

    def value(self, key: str, jurisdiction: str, on: date) -> Parameter:
        """Like `find`, but raises `MissingParameterError` when nothing is in force."""
        parameter = self.find(key, jurisdiction, on)
        if parameter is None:
            raise MissingParameterError(f"no parameter {key} for {jurisdiction} on {on.isoformat()}")
        return parameter


def _read(source: Path | Traversable | str) -> Iterator[Parameter]:
    file = Path(source) if isinstance(source, str) else source
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=_refuse_float)
    except (tomllib.TOMLDecodeError, _BinaryFloatError) as error:
        raise ParameterFileError(f"{file}: {error}") from error
    if set(document) - {"parameter"}:
        raise ParameterFileError(f"{file}: only [[parameter]] entries are allowed")
    for number, entry in enumerate(document.get("parameter", ()), start=1):
        try:
            yield _parameter(entry)
        except (TypeError, ValueError) as error:
            raise ParameterFileError(f"{file}, entry {number} ({entry.get('key', '?')}): {error}") from error


class _BinaryFloatError(ValueError):
    """A TOML float was written where a decimal string belongs."""


def _refuse_float(text: str) -> float:
    raise _BinaryFloatError(f'write the decimal {text} as a string: "{text}"')


def _parameter(entry: dict[str, Any]) -> Parameter:
    missing = [name for name in _REQUIRED if name not in entry]
    unknown = sorted(set(entry) - {*_REQUIRED, *_OPTIONAL})
    if missing or unknown:
        raise ValueError(f"missing {missing}, unknown {unknown}")
    for name in ("key", "unit", "jurisdiction", "clause", "source"):
        if not isinstance(entry[name], str):
            raise ValueError(f"{name} must be text")
    if not isinstance(entry["verified"], bool):
        raise ValueError("verified must be true or false")
    place = entry["jurisdiction"]
    if place != NATIONAL and not _DIVISION.match(place):
        raise ValueError(f"jurisdiction must be CN or leading digits of a division code: {place!r}")
    start, end = _day(entry["in_force_from"]), entry.get("until")
    if end is not None and _day(end) < start:
        raise ValueError("until lies before in_force_from")
    return Parameter(**{**entry, "value": _value(entry["value"])})


def _day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(f"not a date: {value!r}")
    return value


def _value(value: object) -> ParameterValue:
    if isinstance(value, list):
        if all(isinstance(member, str) for member in value):
            return tuple(value)
        if all(isinstance(member, int) and not isinstance(member, bool) for member in value):
            return tuple(value)
        raise ValueError("a list holds texts only or whole numbers only")
    if isinstance(value, datetime) or not isinstance(value, str | int | bool | date):
        raise ValueError(f"a value is text, whole number, yes or no, date or list: {value!r}")
    return value
