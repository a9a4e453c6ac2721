"""The mark that ties a rule to the clause that it carries out (条文与规则的对应)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

#: Clause id → qualified names of the functions that carry it out; the source of the clause register's matrix.
CARRIED_OUT: Final[dict[str, set[str]]] = {}

_CLAUSE: Final = re.compile(r"[A-Z][A-Z0-9-]* [0-9A-Za-z一-鿿][0-9A-Za-z.\-()（）一-鿿]*\Z")
_Rule = TypeVar("_Rule", bound=Callable[..., Any])


def carries_out(*clauses: str) -> Callable[[_Rule], _Rule]:
    """Mark a rule with clause ids as the register writes them: ``BJ 7.1.2``, ``CECS 4.1.2-a``.

    The function itself is returned, not wrapped; its ids stand in ``__clauses__``. Raises ``ValueError`` for
    an id that cannot be one of the register.
    """
    for clause in clauses:
        if not _CLAUSE.match(clause):
            raise ValueError(f"not a clause id: {clause!r}")

    def mark(rule: _Rule) -> _Rule:
        name = f"{rule.__module__}.{rule.__qualname__}"
        for clause in clauses:
            CARRIED_OUT.setdefault(clause, set()).add(name)
        earlier: tuple[str, ...] = getattr(rule, "__clauses__", ())
        rule.__clauses__ = (*earlier, *clauses)  # type: ignore[attr-defined]
        return rule

    return mark
