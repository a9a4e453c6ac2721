"""Every table of schema fact × every reader, straight in the database: own rows are there, foreign rows are not (隔离矩阵：行)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from plumbline.supervision.access.acting import DATABASE_ROLES
from plumbline.supervision.access.principals import Role, division_range
from plumbline.supervision.projection.sights import SIGNED_IN, Open, Scoped
from plumbline.supervision.projection.tables import TABLES

pytestmark = [pytest.mark.service, pytest.mark.slow]
SCOPED = [name for name, table in TABLES.items() if isinstance(table.sight, Scoped)]
READERS = [
    *(
        f"{home} {role}"
        for home in ("own", "beside", "abroad")
        for role in ("institution", "owner", "contractor")
    ),
    "officer home",
    "officer abroad",
    "officer nowhere",
]
#: Tables whose rows name objects and nothing else: keys of membership, not of content.
MEMBERSHIP = {"reach", "partner", "presence", "project_party"}
#: What a reader of a report finds its own rows in; the rest is for some of them only.
CONTENT = sorted(
    set(SCOPED) - MEMBERSHIP - {"number", "finding", "version", "correction", "charge", "reminder", "filing"}
)


class Desk:
    """A connection of web's login, on which each reader's role is put on in turn."""

    def __init__(self, street) -> None:
        self.street = street
        self.conn = psycopg.connect(street.world.platform.conninfo("plumb_web"), autocommit=True)

    def count(self, reader: str, table: str, strings: set[str] | None = None) -> int:
        """Rows that a reader sees in a table, or those among them that hold one of the strings."""
        principal = self.street.principals()[reader]
        low, high = division_range(principal.division)
        asked = sql.SQL("SELECT count(*) FROM {} t").format(sql.Identifier("fact", table))
        values: list[object] = []
        if strings is not None:
            asked += sql.SQL(" WHERE t::text ~ %s")
            values = ["|".join(sorted(strings))]
        with self.conn.transaction():
            self.conn.execute(
                "SELECT set_config('role', %s, true), set_config('plumb.party', %s, true), "
                "set_config('plumb.division_low', %s, true), set_config('plumb.division_high', %s, true)",
                [DATABASE_ROLES[principal.role], principal.party, low, high],
            )
            (found,) = self.conn.execute(asked, values).fetchone()
        return int(found)


@pytest.fixture(scope="module")
def desk(street) -> Iterator[Desk]:
    made = Desk(street)
    yield made
    made.conn.close()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("table", SCOPED)
def test_no_row_of_a_stranger_is_seen(street, desk, table: str, reader: str) -> None:
    foreign = set().union(*(home.canaries() for home in street.strangers(reader)))
    assert desk.count(reader, table, foreign) == 0


@pytest.mark.parametrize("reader", [each for each in READERS if each != "officer nowhere"])
@pytest.mark.parametrize("table", CONTENT)
def test_the_rows_of_an_own_report_are_seen(street, desk, table: str, reader: str) -> None:
    own = [home for home in street.homes.values() if street.sees(reader, home)]
    if table == "instrument" and reader.endswith("contractor"):
        assert desk.count(reader, table) == 1
    for home in own:
        assert desk.count(reader, table, home.canaries()) > 0


@pytest.mark.parametrize(
    "reader", ["own institution", "officer home", "abroad institution", "officer abroad"]
)
def test_findings_and_numbers_are_for_the_institution_and_its_officers(street, desk, reader: str) -> None:
    for home in street.homes.values():
        for table in ("finding", "number"):
            assert (desk.count(reader, table, home.canaries()) > 0) == street.sees(reader, home)


@pytest.mark.parametrize("table", ["finding", "number"])
def test_the_parties_of_a_project_see_neither_findings_nor_numbers(desk, table: str) -> None:
    assert desk.count("own owner", table) == 0


@pytest.mark.parametrize("reader", ["officer home", "officer abroad", "own institution", "own owner"])
def test_who_looks_after_a_project_is_for_the_officers_of_its_place(street, desk, reader: str) -> None:
    charges = {street.homes[name].ids["charge"] for name in ("own", "beside")}
    assert desk.count(reader, "charge", charges) == (2 if reader == "officer home" else 0)


@pytest.mark.parametrize("role", SIGNED_IN)
@pytest.mark.parametrize("table", SCOPED)
def test_a_role_without_its_scope_sees_no_row(desk, table: str, role: str) -> None:
    with desk.conn.transaction():
        desk.conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        asked = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("fact", table))
        assert desk.conn.execute(asked).fetchone() == (0,)


@pytest.mark.parametrize("table", TABLES)
def test_the_public_reads_what_is_open_and_nothing_else(desk, table: str) -> None:
    sight = TABLES[table].sight
    is_open = isinstance(sight, Open) and DATABASE_ROLES[Role.PUBLIC] in sight.roles
    with desk.conn.transaction():
        desk.conn.execute("SET LOCAL ROLE plumb_public")
        asked = sql.SQL(
            "SELECT id FROM {} LIMIT 1"
            if "id" in getattr(sight, "columns", ())
            else "SELECT 1 FROM {} LIMIT 1"
        )
        if is_open:
            desk.conn.execute(asked.format(sql.Identifier("fact", table)))
            return
        with pytest.raises(psycopg.errors.InsufficientPrivilege), desk.conn.transaction():
            desk.conn.execute(asked.format(sql.Identifier("fact", table)))


@pytest.mark.parametrize(
    "table", [name for name, t in TABLES.items() if not isinstance(t.sight, Scoped | Open)]
)
@pytest.mark.parametrize("role", SIGNED_IN)
def test_a_table_out_of_reach_is_refused(desk, table: str, role: str) -> None:
    asked = sql.SQL("SELECT 1 FROM {}").format(sql.Identifier("fact", table))
    with desk.conn.transaction():
        desk.conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), desk.conn.transaction():
            desk.conn.execute(asked)
