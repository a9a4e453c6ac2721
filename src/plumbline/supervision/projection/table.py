"""What a table of schema `fact` is declared by (表的声明): its meaning, columns, indexes, and who sees which rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from plumbline.supervision.projection.sights import Sight

#: A row by the names of its columns.
Row = dict[str, Any]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def body_of(row: Row) -> dict[str, Any]:
    """The message that a row came from as plain values; a row of this set holds it as the JSON that is going to be written."""
    body = row["body"]
    return _decode(body) if isinstance(body, msgspec.Raw) else body


#: Where a row came from: entry, place in the log, sender, key, kind of proof, the three times, version, and the message.
PROVENANCE = {
    "entry": "text NOT NULL",
    "idx": "bigint NOT NULL",
    "sender": "text NOT NULL",
    "key_id": "text NOT NULL",
    "attestation": "text NOT NULL",
    "occurred_at": "timestamptz NOT NULL",
    "arrived_at": "timestamptz NOT NULL",
    "logged_at": "timestamptz NOT NULL",
    "version": "int NOT NULL",
    "body": "jsonb NOT NULL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what one row means, its own columns, and the queries that its indexes serve."""

    name: str
    meaning: str
    columns: dict[str, str]
    #: Which rows each role sees; there is no table without one.
    sight: Sight
    provenance: bool = True
    indexes: dict[str, str] = field(default_factory=dict)
    key_type: str = "text"
    monthly_codes: bool = False
    #: A row follows from its key and never changes: written again it stays as it is.
    settled: bool = False
    #: Columns whose value follows from the others of the same row; whoever writes the row need not think of them.
    follows: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)

    @property
    def all_columns(self) -> dict[str, str]:
        """Column name → type, key first."""
        return {"id": self.key_type} | (PROVENANCE if self.provenance else {}) | self.columns
