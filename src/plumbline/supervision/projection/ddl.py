"""SQL that makes schema `fact` from the declaration of its tables (事实库的建表语句): tables, indexes, grants, policies."""

from __future__ import annotations

import hashlib

from plumbline.supervision.projection.sights import EVERYBODY, protection
from plumbline.supervision.projection.table import Table
from plumbline.supervision.projection.tables import TABLES

#: The gateway reads these to know keys, parties and the state of codes; nothing else of schema fact.
GATEWAY_READS = (
    "retransmission",
    "key",
    "cosigner",
    "party",
    "position",
    "application",
    "registration",
    "event",
    "code",
    "run",
    "curve",
    "parked",
    "finding",
)

#: The functions of schema ops that answer what everybody may know read these.
DEFINER_READS = (
    "event",
    "role_grant",
    "charge",
    "key",
    "presence",
    "position",
    "finding",
    "code",
    "registration",
    "application",
    "party",
    "project",
    "commission",
    "contract",
    "sample",
    "witnessing",
    "person",
    "run",
    "institution_day",
    "parked",
    "parked_key",
)


def ddl(schema: str, months: list[str]) -> str:
    """SQL that makes the schema: tables, comments, indexes, grants. `months` are code prefixes YYMM to make partitions for."""
    lines = [
        f'CREATE SCHEMA "{schema}";',
        f'GRANT USAGE ON SCHEMA "{schema}" TO plumb_projector, plumb_gateway, plumb_worker, plumb_definer, '
        f"{', '.join(EVERYBODY)};",
    ]
    for table in TABLES.values():
        lines += _table_ddl(schema, table, months)
    # When all are there: the policy of one table asks another.
    for table in TABLES.values():
        lines += protection(schema, table.name, table.sight)
    for name in GATEWAY_READS:
        lines.append(f'GRANT SELECT ON "{schema}"."{name}" TO plumb_gateway;')
    return "\n".join(lines)


def _table_ddl(schema: str, table: Table, months: list[str]) -> list[str]:
    full = f'"{schema}"."{table.name}"'
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.all_columns.items())
    suffix = " PARTITION BY RANGE (id)" if table.monthly_codes else ""
    lines = [
        f"CREATE TABLE {full} ({columns}, PRIMARY KEY (id)){suffix};",
        f"COMMENT ON TABLE {full} IS '{table.meaning}';",
    ]
    if table.monthly_codes:
        lines += [code_partition(schema, table.name, month) for month in months]
    for name, target in table.indexes.items():
        lines.append(f'CREATE INDEX "{name}" ON {full} {target};')
    lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {full} TO plumb_projector;")
    lines.append(f"GRANT SELECT ON {full} TO plumb_worker;")
    if table.name in DEFINER_READS:
        lines.append(f"GRANT SELECT ON {full} TO plumb_definer;")
    return lines


def code_partition(schema: str, name: str, month: str) -> str:
    """SQL that makes the partition of one month (prefix YYMM) unless it is there."""
    year, number = int(month[:2]), int(month[2:])
    following = f"{year + number // 12:02d}{number % 12 + 1:02d}"
    return (
        f'CREATE TABLE IF NOT EXISTS "{schema}"."{name}_{month}" PARTITION OF "{schema}"."{name}" '
        f"FOR VALUES FROM ('{month}') TO ('{following}'); "
        # Asked directly a partition obeys its own policies, of which it has none: nobody but the owner sees a row.
        f'ALTER TABLE "{schema}"."{name}_{month}" ENABLE ROW LEVEL SECURITY;'
    )


#: What the handlers make of an entry (投影的版次). Whoever changes what they write for entries that are on record raises it: the tables
#: are then made anew at the next start. An audit projects with today's handlers, and would call honest rows of yesterday's changed.
#: `tests/architecture/test_projection_edition.py` notices when it is forgotten.
EDITION = 2


def declaration_hash() -> str:
    """Changes when a table changes, or what is written into it; another hash means that the tables are rebuilt."""
    return hashlib.sha256(f"{EDITION}\n{ddl('fact', [])}".encode()).hexdigest()[:32]
