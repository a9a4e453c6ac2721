"""Positions, statements, conditions and columns of the lists, without a database."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date

import pytest

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.list_models import COUNTED, ListQuery, ViewTab
from plumbline.supervision.pages.lists import LISTS
from plumbline.supervision.projection.list_columns import run_standing, sample_stage
from plumbline.supervision.reading.lists.conditions import Asked
from plumbline.supervision.reading.lists.declare import NEWEST, OLDEST, Condition, Sort
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.supervision.reading.lists.named import like
from plumbline.supervision.reading.lists.register import until
from plumbline.supervision.reading.lists.statement import LOOKED, Position, Selection, together
from plumbline.supervision.reading.lists.ways import any_of
from plumbline.supervision.reading.lists.work import subject_word

NAME = Sort(key="name", label="名称", expression="COALESCE(t.name, '')", kind="text", descending=False)
OFFICER = Principal(role=Role.OFFICER, party="a" * 32, division="610300")
LAB = Principal(role=Role.INSTITUTION, party="b" * 32)
REPORTS = KINDS["reports"]


def selection(view: str = "all", *conditions: Condition, sort: Sort = NEWEST) -> Selection:
    chosen = next(each for each in REPORTS.views if each.key == view)
    way = any_of("jurisdiction", ["610302", "610301", None, "610302"])
    return Selection(kind=REPORTS, view=chosen, ways=(way,), conditions=conditions, sort=sort)


def test_a_position_comes_back_as_it_was_written() -> None:
    for sort, value in ((NEWEST, "17"), (NAME, "衡川 10 中"), (NAME, "")):
        written = Position(value=value, id="ab/YE-06").written()
        assert Position.read(written, sort, "text") == Position(value=value, id="ab/YE-06")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k12",
        "%",
        "4pyT",
        "bnVsbA",
        Position(value="x", id="y").written(),
        Position(value="1" * 30, id="y").written(),
        Position(value="\uff11\uff12", id="y").written(),
        Position(value="1_0", id="y").written(),
    ],
)
def test_a_position_that_no_list_wrote_is_none(text: str) -> None:
    assert Position.read(text, NEWEST, "text") is None


def test_a_position_that_the_database_would_not_read_is_none() -> None:
    day = Sort(key="d", label="", kind="date")
    assert Position.read(Position(value="2026-W01-1", id="y").written(), day, "text") is None
    urn = Position(value="7", id="urn:uuid:00000000-0000-0000-0000-000000000000")
    assert Position.read(urn.written(), NEWEST, "uuid") is None
    half = base64.urlsafe_b64encode(b'["7", "\\ud800"]').decode()
    assert Position.read(half, NEWEST, "text") is None


def test_a_position_of_another_type_is_none() -> None:
    assert (
        Position.read(
            Position(value="2026-13-40", id="y").written(), Sort(key="d", label="", kind="date"), "text"
        )
        is None
    )
    assert Position.read(Position(value="7", id="no uuid").written(), NEWEST, "uuid") is None
    assert Position.read(Position(value="a\0b", id="y").written(), NAME, "text") is None


def test_a_page_has_no_offset_and_as_many_values_as_places() -> None:
    where = Condition(sql="t.category = %s", parameters=("rebar_tension",))
    for sort in (NEWEST, OLDEST):
        for newer in (False, True):
            for position in (None, Position(value="5", id="a")):
                text, values = selection("failed", where, sort=sort).page(26, position, newer=newer)
                assert "OFFSET" not in text
                assert text.count("%s") == len(values)
                assert ("DESC" in text) is (sort.descending != newer)


def test_the_ways_hold_each_value_once() -> None:
    _, values = selection().page(26, None, newer=False)
    assert values[0] == ["610301", "610302"]


def test_a_count_stops_behind_its_cap() -> None:
    text, values = together([selection("failed").counted(COUNTED), selection("reminded").counted(COUNTED)])
    assert text.count(f"LIMIT {COUNTED + 1}") == 6
    assert text.count("%s") == len(values) == 2
    assert " AS c0, " in text


def test_the_view_of_reminders_is_found_by_its_own_table() -> None:
    text, _ = selection("reminded").page(26, None, newer=False)
    assert "FROM fact.reminder d JOIN fact.application t" in text
    assert "d.jurisdiction = s.v" in text
    assert "ORDER BY d.idx" in text
    narrowed, _ = selection("reminded", Condition(sql="t.state = 'withheld'")).page(26, None, newer=False)
    assert "FROM fact.application t WHERE t.jurisdiction = s.v" in narrowed
    assert "EXISTS (SELECT 1 FROM fact.reminder d WHERE d.id = t.id)" in narrowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("category", "glass"),
        ("since", "gestern"),
        ("since", "9999-99-99"),
        ("division", "61"),
        ("commission", "XYZ"),
    ],
)
def test_a_condition_that_cannot_be_read_names_field_and_remedy(key: str, value: str) -> None:
    asked = Asked.of(REPORTS, OFFICER, ListQuery(filters={key: value}))
    label = next(each.label for each in REPORTS.filters if each.key == key)
    assert len(asked.problems) == 1
    assert label in asked.problems[0]
    assert value in asked.problems[0]


def test_an_unknown_parameter_changes_nothing() -> None:
    asked = Asked.of(REPORTS, OFFICER, ListQuery(filters={"colour": "red"}))
    assert (asked.problems, asked.conditions) == ([], [])


def test_a_part_of_the_region_narrows_the_officers_way_and_a_strangers_does_not() -> None:
    inside = Asked.of(REPORTS, OFFICER, ListQuery(filters={"division": "610302"}))
    assert inside.within is not None
    assert inside.within.division == "610302"
    assert Asked.of(REPORTS, OFFICER, ListQuery(filters={"division": "620102"})).within is None
    assert Asked.of(REPORTS, LAB, ListQuery(filters={"division": "610302"})).within is None


def test_what_is_typed_holds_no_wildcards() -> None:
    assert like("5%_\\") == "%5\\%\\_\\\\%"


def test_every_list_has_its_declaration_and_a_column_for_each_heading() -> None:
    assert set(LISTS) == set(KINDS)
    for key, title in LISTS.items():
        kind = KINDS[key]
        assert kind.title == title
        assert len({each.key for each in kind.filters} & {"q", "view", "sort", "after", "before"}) == 0
        assert kind.rows.count("%s") == 1


def test_a_tab_beyond_the_cap_says_so() -> None:
    tab = ViewTab(key="all", label="全部", url="?", count=COUNTED + 1)
    assert (tab.is_capped, tab.shown) == (True, COUNTED)
    assert not ViewTab(key="all", label="全部", url="?", count=COUNTED).is_capped


def test_a_sample_stands_where_its_last_step_left_it() -> None:
    steps = [{}, {"witnessing": "w"}, {"commission": "c"}, {"receipts": ["r"]}, {"runs": ["t"]}]
    row: dict[str, object] = {"receipts": [], "runs": []}
    found = []
    for step in steps:
        row |= step
        found.append(sample_stage(row))
    assert found == ["taken", "witnessed", "commissioned", "received", "tested"]


def test_a_discarded_test_is_discarded_however_it_was_read() -> None:
    assert run_standing({"discarded": True, "data_origin": "keyed"}) == "discarded"
    assert run_standing({"data_origin": "keyed"}) == "keyed"
    assert run_standing({"data_origin": "acquired"}) == "acquired"


def test_validity_is_over_soon_over_or_far() -> None:
    today = date(2026, 11, 22)
    said = [
        until(day, today, "长期有效").plain
        for day in (date(2026, 11, 21), today, date(2026, 12, 22), date(2026, 12, 23), None)
    ]
    assert said == [
        "2026-11-21 已过期",
        "2026-11-22 将到期",
        "2026-12-22 将到期",
        "到 2026-12-23",
        "长期有效",
    ]


def test_what_a_finding_is_about_is_said_in_words() -> None:
    assert subject_word("party") == "单位"
    for kind in ("run.recorded", "charge", "what.nobody.knows"):
        assert not subject_word(kind).isascii()


def test_beside_a_condition_a_rare_views_own_table_leads_and_a_common_ones_is_looked_into() -> None:
    chosen = selection("reminded", Condition(sql="t.category = %s", parameters=("rebar_tension",)))
    common, _ = chosen.counted(1000)
    rare, parameters = replace(chosen, is_rare=True).counted(1000)
    assert "EXISTS (SELECT 1 FROM fact.reminder" in common and "JOIN" not in common.replace("CROSS JOIN", "")
    assert f"LIMIT {LOOKED}" in common and "CASE WHEN" in common  # no number rather than a slow one
    assert (
        "FROM fact.reminder d JOIN fact.application t ON t.id = d.id" in rare
        and "d.jurisdiction = s.v" in rare
    )
    assert "t.category = %s" in rare and parameters[-1] == "rebar_tension"


def test_where_the_way_is_no_column_of_the_views_own_table_it_never_leads() -> None:
    by_project = replace(selection("reminded"), ways=(any_of("project", ["p"]),), is_rare=True)
    assert "EXISTS (SELECT 1 FROM fact.reminder" in by_project.counted(1000)[0]
