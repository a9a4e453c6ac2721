"""Plain SQL through Django's connection (数据库读取): rows as dictionaries, jsonb as values. Reads only, in the role of whoever acts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection

from plumbline.supervision.access.acting import require_role

Row = dict[str, Any]
_JSONB = 3802  # type oid of jsonb; Django hands it over as text
_PORTION = 200


def rows(statement: str, parameters: Sequence[object]) -> list[Row]:
    """Every row of a query. Raises :class:`~plumbline.supervision.access.acting.Unscoped` where nobody acts."""
    require_role()
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))
        return list(_decoded(cursor.description, cursor.fetchall()))


def row(statement: str, parameters: Sequence[object]) -> Row | None:
    """The first row, or None."""
    return next(iter(rows(statement, parameters)), None)


def count(statement: str, parameters: Sequence[object]) -> int:
    """The one number of a counting query; raises as :func:`rows` does."""
    require_role()
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))
        found = cursor.fetchone()
    return int(found[0]) if found else 0


def by_id(statement: str, keys: Iterable[str | None]) -> dict[str, Row]:
    """Rows by their id for a query whose one parameter is the list of ids; no ids, no query."""
    wanted = sorted({key for key in keys if key})
    return {str(each["id"]): each for each in rows(statement, [wanted])} if wanted else {}


def _decoded(description: Any, fetched: Iterable[Sequence[Any]]) -> Iterator[Row]:
    names = [column.name for column in description]
    json_places = [place for place, column in enumerate(description) if column.type_code == _JSONB]
    for values in fetched:
        found = dict(zip(names, values, strict=True))
        for place in json_places:
            value = values[place]
            found[names[place]] = json.loads(value) if isinstance(value, str) else value
        yield found
