"""Other values of the same type (改成别的值): the smallest change and the plausible one, for every type that a column has.

A type that is not taught here raises :class:`UntaughtType`, so that a new kind of column is never passed over.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from psycopg import sql


class UntaughtType(LookupError):
    """The drill knows no way to change a column of this type."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One other value: what it is in a word, and the SQL that makes it of the column `{c}`."""

    word: str
    expression: sql.Composable


#: Of a value that is there, by type; `{c}` is the column.
_OTHERS = {
    "text": (("加一个空格", "{c} || ' '"), ("改首字", "overlay({c} placing '~' from 1)")),
    "integer": (("加一", "{c} + 1"),),
    "bigint": (("加一", "{c} + 1"),),
    "boolean": (("取反", "NOT {c}"),),
    "date": (("前移一天", "{c} - 1"),),
    "timestamp with time zone": (
        ("差一微秒", "{c} + interval '1 microsecond'"),
        ("前移一天", "{c} - interval '1 day'"),
    ),
    "text[]": (
        ("多一项", "array_append({c}, 'x'::text)"),
        ("多一个空项", "array_append({c}, NULL::text)"),
        ("倒序", "ARRAY(SELECT e FROM unnest({c}) WITH ORDINALITY u(e, n) ORDER BY n DESC)"),
    ),
    "bytea": (
        (
            "翻转一位",
            "CASE WHEN octet_length({c}) > 0 THEN set_byte({c}, 0, get_byte({c}, 0) # 1) ELSE '\\x00' END",
        ),
    ),
    "uuid": (
        (
            "改末位",
            "overlay({c}::text placing CASE right({c}::text, 1) WHEN '0' THEN '1' ELSE '0' END from 36)::uuid",
        ),
    ),
}
#: Of a part of a key: what collides with no other row.
_KEYS = {
    "integer": (("加一百万", "{c} + 1000003"),),
    "bigint": (("加一百万", "{c} + 1000003"),),
    "text": (("加一个空格", "{c} || ' '"),),
}
#: A value for a made-up row, by type; `{n}` is its number.
_INVENTED = {
    "text": "'T{n}'",
    "integer": "{n}",
    "bigint": "{n}",
    "boolean": "true",
    "date": "DATE '2026-01-01' + {n}",
    "timestamp with time zone": "TIMESTAMPTZ '2026-01-01 00:00:00Z' + {n} * interval '1 s'",
    "text[]": "ARRAY['a', 'T{n}']",
    "bytea": "'\\x01'::bytea",
    "uuid": "md5('{n}')::uuid",
    "jsonb": """'{{"value": "38.5", "n": {n}, "x": [1.5]}}'::jsonb""",
}
#: Of NULL, by type.
_FIRST = {
    "text": "''",
    "integer": "0",
    "bigint": "0",
    "boolean": "false",
    "date": "DATE '2026-01-01'",
    "timestamp with time zone": "TIMESTAMPTZ '2026-01-01 00:00:00Z'",
    "text[]": "'{}'::text[]",
    "bytea": "'\\x'::bytea",
    "uuid": "gen_random_uuid()",
    "jsonb": "'null'::jsonb",
}
_SIGNED_NOTE = re.compile(r"\n\n(— \S+ )\S+\n(?:— \S+ \S+\n)*\Z")
_STRING_NUMBER = re.compile(r'"(-?[0-9]+\.[0-9]+)"')
_NUMBER = re.compile(r"(?<=[:\[] )-?[0-9]+(\.[0-9]+)?(?=[,\]}])|(?<=^)-?[0-9]+(\.[0-9]+)?$")
_STRING = re.compile(r'": "([^"\\]+)"')


def variants(kind: str, text: str | None, *, is_key: bool = False) -> list[Variant]:
    """All other values that the drill tries for one of type `kind`, which reads `text` now; a key is not taken away."""
    if kind not in _FIRST:
        raise UntaughtType(kind)
    if text is None:
        return [Variant("由空变有", sql.SQL(_FIRST[kind]))]
    if is_key:
        return [Variant(word, _of(kind, other)) for word, other in _KEYS.get(kind, _OTHERS[kind])]
    null = Variant("变空", sql.SQL("NULL"))
    if kind == "text" and (signed := _SIGNED_NOTE.search(text)):
        line = f"{signed[1]}{base64.b64encode(bytes(68)).decode()}\n"
        more = Variant("多一行签名", sql.SQL("{}").format(sql.Literal(text + line)))
        return [Variant(word, _of(kind, each)) for word, each in _OTHERS[kind]] + [more, null]
    if kind == "jsonb":
        return [*_documents(text), null]
    made = [Variant(word, _of(kind, expression)) for word, expression in _OTHERS[kind]]
    if kind == "text" and text == "":
        made = made[:1]
    if kind == "text[]" and not _turns(text):
        made = made[:2]
    return [*made, null]


def invented(kind: str, number: int) -> str:
    """SQL of a made-up value."""
    if kind not in _INVENTED:
        raise UntaughtType(kind)
    return _INVENTED[kind].format(n=number)


def _of(kind: str, expression: str) -> sql.Composable:
    before, *after = expression.split("{c}")
    parts: list[sql.Composable] = [sql.SQL(before)]
    for each in after:
        parts += [sql.Placeholder("column"), sql.SQL(each)]
    return sql.Composed(parts)


def _turns(array: str) -> bool:
    """Whether an array reads otherwise from its end."""
    items = array.strip("{}").split(",")
    return items != items[::-1]


def _documents(text: str) -> list[Variant]:
    """Other JSON documents: a trailing zero in a number and in a number's text, a letter, a further member."""
    made = []
    if found := _STRING_NUMBER.search(text):
        made.append(("文字数字末尾添零", text[: found.end(1)] + "0" + text[found.end(1) :]))
    if found := _NUMBER.search(text):
        zero = "0" if "." in found.group() else ".0"
        made.append(("数字末尾添零", text[: found.end()] + zero + text[found.end() :]))
    if found := _STRING.search(text):
        made.append(("改一个字", text[: found.start(1)] + "~" + text[found.start(1) + 1 :]))
    if text.startswith("{"):
        made.append(("多一项", text[:-1] + (", " if len(text) > 2 else "") + '"~": 1}'))
    elif text.startswith("["):
        made.append(("多一项", text[:-1] + (", " if len(text) > 2 else "") + "1]"))
    elif not made:
        made.append(("换一个值", '"~"'))
    return [Variant(word, sql.SQL("{}::jsonb").format(sql.Literal(other))) for word, other in made]


def expression_of(variant: Variant, column: sql.Composable) -> sql.Composable:
    """The variant's SQL over this column."""
    if not isinstance(variant.expression, sql.Composed):
        return variant.expression
    return sql.Composed(
        [column if isinstance(part, sql.Placeholder) else part for part in variant.expression]
    )
