"""Lists of outsiders that an operator keeps beside the marks (外部名单): a restore of the database must not forget whom to ask.

As with cosigners, a list that cannot be read stops nobody: the last one that could be read stands.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from plumbline.supervision.journal.keys import write_private

_Item = TypeVar("_Item")
_Told = Mapping[str, Any]


class ListProblem(ValueError):
    """A list cannot be used; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideList(Generic[_Item]):
    """One kind of list: its file, the name of its tables, and how an entry is read and written."""

    file: str
    table: str
    #: may raise :class:`ListProblem`
    read_item: Callable[[_Told], _Item]
    write_item: Callable[[_Item], dict[str, str | int | bool]]
    name_of: Callable[[_Item], str]

    @property
    def last_good(self) -> str:
        """The file of the list that could be read last."""
        return self.file.replace(".toml", ".last.toml")

    def read(self, folder: Path) -> tuple[_Item, ...]:
        """The list of a folder of marks, empty without a file; raises :class:`ListProblem`."""
        return self._read(folder / self.file)

    def known(self, folder: Path) -> tuple[tuple[_Item, ...], str]:
        """The list and no word; or, when it cannot be read, the last one that could, and why."""
        try:
            return self.read(folder), ""
        except ListProblem as problem:
            try:
                return self._read(folder / self.last_good), str(problem)
            except ListProblem:
                return (), str(problem)

    def remember(self, folder: Path) -> None:
        """Keep a list that an operator wrote by hand, if it can be read, as the last good one; OSError when the disk refuses."""
        path, last = folder / self.file, folder / self.last_good
        if path.exists() and (not last.exists() or path.read_bytes() != last.read_bytes()):
            self.read(folder)
            write_private(last, path.read_bytes())

    def write(self, folder: Path, items: Iterable[_Item]) -> None:
        """Replace the list durably, and with it the one that could be read last."""
        parts = []
        for item in items:
            told = self.write_item(item)
            lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()]
            parts.append("\n".join([f"[[{self.table}]]", *lines]))
        data = ("\n\n".join(parts) + "\n").encode()
        for each in (self.file, self.last_good):
            write_private(folder / each, data)

    def _read(self, path: Path) -> tuple[_Item, ...]:
        try:
            told = tomllib.loads(path.read_text("utf-8"))
            found = tuple(self.read_item(each) for each in told.get(self.table, []))
        except FileNotFoundError:
            return ()
        except ListProblem as problem:
            raise ListProblem(f"{path}：{problem}") from problem
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
            raise ListProblem(f"{path} 读不懂：{error}") from error
        if len({self.name_of(each) for each in found}) != len(found):
            raise ListProblem(f"{path} 里有两个同名")
        return found


def require_fields(told: _Told, wanted: set[str], optional: set[str], what: str) -> None:
    """Raise :class:`ListProblem` for an entry that lacks a field or has one that nobody knows."""
    unknown = sorted(set(told) - wanted - optional)
    if unknown or not wanted <= set(told):
        raise ListProblem(
            f"{what}要写 {'、'.join(sorted(wanted))}，可写 {'、'.join(sorted(optional))}；不认得 {unknown}"
        )


def require_url(url: str, what: str) -> str:
    """The address without a slash at its end; :class:`ListProblem` for one that is none."""
    if not url.startswith(("http://", "https://")):
        raise ListProblem(f"{what}的地址 {url!r} 应以 http:// 或 https:// 开头")
    return url.rstrip("/")


def require_domain(domain: str) -> str:
    """A trust domain; :class:`ListProblem` for one that names nobody."""
    if not domain or len(domain) > 100 or any(ord(char) < 0x20 for char in domain):
        raise ListProblem("信任域要写明谁在管，一行，不超过 100 字")
    return domain


def require_minutes(minutes: object) -> int:
    """How often, in minutes; a minute to a week, since every time leaves a row for ever."""
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= 7 * 24 * 60:
        raise ListProblem(f"every_minutes 写的是 {minutes!r}，应是 1 到 10080 的整数（分钟）")
    return minutes
