"""A list over rows of two cities in a real database: every row once, a constant number of statements, nobody's but the reader's."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest

pytestmark = pytest.mark.service
_COMMON = "'k', 'origin', now(), now(), now() - (200 - g) * interval '1 hour', 1, "
_NAMED = "id, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, version, body"
#: 120 reports: two in three of city 6103, the others of 6201; one in ten failed.
FILL = [
    f"INSERT INTO fact.application ({_NAMED}, commission, institution, number, category, title, conclusion, project, "
    "state, jurisdiction, outcome) SELECT md5('a' || g), md5('a' || g), g * 10, md5('i' || g % 3), "
    + _COMMON
    + '\'{"samples": [], "parameters": [], "conclusion": "PASS", "conclusion_text": ""}\', md5(\'c\' || g), md5(\'i\' || g % 3), '
    "'N-' || lpad(g::text, 4, '0'), 'rebar_tension', '', 'PASS', md5('p' || g % 3), 'registered', "
    "CASE g % 3 WHEN 0 THEN '620100' WHEN 1 THEN '610302' ELSE '610303' END, CASE g % 10 WHEN 0 THEN 'failed' ELSE 'passed' END "
    "FROM generate_series(1, 120) g",
    # Four findings of each entry share its place in the log.
    "INSERT INTO fact.finding (id, idx, entry, code, clause, severity, subject_kind, subject, sentence, facts, logged_at, "
    "about, jurisdiction) SELECT md5('f' || g || n)::uuid, g * 10, md5('a' || g), 'custody.late', 'BJ 7.1.2-b', "
    "'warning', 'sample', 's', '晚了', '{}', now(), 's', "
    "'610302' FROM generate_series(1, 15) g, generate_series(1, 4) n",
]
#: Asked of web's own settings and pool, in a process of its own: Django is configured once a process.
SCRIPT = """
import json, hashlib, django
django.setup()
from django.db import connection
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.reading.lists.listing import listing
from plumbline.supervision.reading.lists.search import search_page
officer = Principal(role=Role.OFFICER, party="ab" * 16, division="610300")
lab = Principal(role=Role.INSTITUTION, party=hashlib.md5(b"i1").hexdigest())
told, statements = {}, []

def counted(execute, sql, parameters, many, context):
    statements.append(sql)
    return execute(sql, parameters, many, context)

def page(who, key, **asked):
    statements.clear()
    with reading_as(who), connection.execute_wrapper(counted):
        return listing(who, key, ListQuery(**asked)).page()

def walk(who, key, link, **asked):
    seen, found = [], page(who, key, **asked)
    while True:
        seen.append([row.url for row in found.rows])
        url = getattr(found, link)
        if not url:
            return seen, found
        name, value = url.split("?")[1].split("&")[-1].split("=")
        found = page(who, key, **(asked | {name: value}))

forth, last = walk(officer, "reports", "next_url")
flat = [url for each in forth for url in each]
told["forth"] = [len(flat), len(set(flat)), len(forth)]
value = last.previous_url.split("before=")[1]
back, _ = walk(officer, "reports", "previous_url", before=value)
told["back"] = [url for each in reversed(back) for url in each] == flat[:len(flat) - len(forth[-1])]
old, _ = walk(officer, "reports", "next_url", sort="old")
told["oldest first"] = [url for each in old for url in each] == flat[::-1]
findings, _ = walk(officer, "findings", "next_url")
told["ties"] = [sum(map(len, findings)), len({url for each in findings for url in each})]
told["statements"] = []
for asked in ({}, {"view": "failed"}, {"after": forth and "", "filters": {"category": "rebar_tension"}}):
    page(officer, "reports", **asked)
    told["statements"].append(len(statements))
told["counts"] = {tab.key: tab.count for tab in page(officer, "reports").tabs}
told["lab"] = page(lab, "reports").total.count
told["place"] = page(officer, "reports", filters={"division": "610302"}).total.count
told["days"] = page(officer, "reports", filters={"since": "9999-01-01"}).total.count
told["word"] = page(officer, "reports", text="N-000").total.count
told["wildcard"] = page(officer, "reports", text="%").total.count
wrong = page(officer, "reports", filters={"since": "yesterday"})
told["wrong"] = [len(wrong.problems), len(wrong.rows)]
told["every"] = sum(1 for _ in listing(officer, "reports", ListQuery()).every())
told["nowhere"] = page(Principal(role=Role.OFFICER, party="ab" * 16), "reports").total.count
def found(who, text):
    with reading_as(who):
        return search_page(who, text)
told["opens"] = found(officer, "N-0001").opens == flat[-1]
told["foreign"] = [found(officer, text).count for text in ("N-0003", "N-9999")]
told["some"] = found(officer, "N-000").count
print(json.dumps(told))
"""


def test_lists_walk_count_and_search_within_the_readers_rows(quiet_platform) -> None:
    platform = quiet_platform.platform
    with psycopg.connect(platform.conninfo("plumb_projector")) as conn:
        for statement in FILL:
            conn.execute(statement.encode())
    settings = {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    asked = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | platform.environment() | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert asked.returncode == 0, asked.stderr[-2000:]
    told = json.loads(asked.stdout)
    assert told["forth"] == [80, 80, 4]
    assert told["back"]
    assert told["oldest first"]
    assert told["ties"] == [60, 60]
    # As many whatever the number of rows; one more where a filter meets a view with a table of its own.
    assert told["statements"][0] == told["statements"][1] <= told["statements"][2] <= 9
    assert told["counts"] == {"all": 80, "failed": 8, "reminded": 0, "unproved": 0, "open": 0}
    assert (told["lab"], told["place"]) == (40, 40)
    assert (told["days"], told["word"], told["wildcard"]) == (0, 6, 0)
    assert told["wrong"] == [1, 0]
    assert told["every"] == 80
    assert told["nowhere"] == 0
    assert told["opens"]
    assert told["foreign"] == [0, 0]
    assert told["some"] == 6
