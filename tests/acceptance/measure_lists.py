"""How long the lists take at a million reports under row security (列表用时): `python tests/acceptance/measure_lists.py --rows 1000000`.

Makes a platform of its own with an embedded database, fills schema fact by SQL with 40 cities of 10 institutions, and asks for every
list, view and filter, and for the search, as officers of a county, a city and the province, an institution and an owner, through
web's own settings, pool and roles. Prints p50 and p95 in milliseconds and the statements of a page; ends with 1 where a p95 is
above the limit of 300 ms.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.embedded.postgres import Cluster
from plumbline.embedded.scratch import scratch
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import DEMO_ORIGIN

CITIES, INSTITUTIONS, PROJECTS = 40, 10, 100
_PROVENANCE = (
    "md5('{0}' || g) AS id, md5('{0}' || g) AS entry, g * 10 + {1} AS idx, inst AS sender, 'k' AS key_id, 'origin' AS attestation, "
    "at AS occurred_at, at AS arrived_at, at AS logged_at, "
    "1 AS version, "
)
_PLACES = (
    # One county in four of each city, the officer's county among them; projects and institutions lie in one place each.
    "FROM (SELECT g, now() - ({reports} - g) * interval '20 s' AS at, g % {cities} AS city, "
    "'61' || lpad((g % {cities})::text, 2, '0') || lpad((g / {cities} % {projects} % 4)::text, 2, '0') "
    "AS div, md5('inst' || (g % {cities}) || '/' || (g / {cities} % {institutions})) AS inst, "
    "md5('project' || (g % {cities}) || '/' || (g / {cities} % {projects})) AS proj "
    "FROM generate_series(1, {reports}) g) x"
)
_BODY = (
    "jsonb_build_object('uid', g, 'samples', jsonb_build_array(md5('sample' || g)), 'reviewer', inst, 'approver', proj, "
    "'conclusion', 'PASS', 'conclusion_text', repeat('所检项目符合设计要求。', 12), 'parameters', jsonb_build_array("
    "jsonb_build_object('parameter', 'concrete_cube.compressive', 'runs', jsonb_build_array(md5('run' || g)), 'values', "
    "jsonb_build_array(jsonb_build_object('name', '抗压强度', 'symbol', 'value', 'value', '36.2', 'unit', 'MPa'), "
    "jsonb_build_object('name', '占设计等级', 'symbol', 'percent_of_grade', 'value', CASE g / 400 % 50 WHEN 0 THEN '92' "
    "ELSE '118' END, 'unit', 'pct'))))) AS body, "
)
TABLES = {
    "application": (2, "md5('commission' || g) AS commission, inst AS institution, 'HNT-2026-' || lpad(g::text, 8, '0') AS number, "
        "CASE WHEN g / 400 % 20 = 3 THEN 'rebar_tension' ELSE 'concrete_cube' END AS category, '混凝土抗压强度检测报告' AS title, "
        "'PASS' AS conclusion, proj AS project, div AS division, "
        "CASE g / 400 % 100 WHEN 7 THEN 'withheld' ELSE 'registered' END AS state, '2611' || lpad(g::text, 17, '0') AS code, "
        "div AS jurisdiction, "
        "CASE g / 400 % 50 WHEN 0 THEN 'failed' ELSE 'passed' END AS outcome, CASE g / 400 % 40 WHEN 0 THEN 'keyed' END AS gap, "
        "at AS registered_at, g * 10 + 6 AS registered_idx"),
    "sample": (3, "proj AS project, 'concrete_cube' AS sample_kind, 'C30' AS grade, '三层柱' AS structural_part, 28 AS required_age_d, "
        "ARRAY['T' || g] AS tags, 'x' AS witnessing, md5('commission' || g) AS commission, inst AS institution, div AS jurisdiction, "
        "at AS made_at, "
        "CASE g / 400 % 60 WHEN 0 THEN 'taken' WHEN 1 THEN 'witnessed' WHEN 2 THEN 'commissioned' "
        "WHEN 3 THEN 'received' ELSE 'tested' END AS stage"),
    "run": (4, "md5('commission' || g) AS commission, md5('sample' || g) AS sample, proj AS project, inst AS institution, "
        "CASE g / 400 % 40 WHEN 0 THEN 'keyed' ELSE 'acquired' END AS data_origin, true AS evaluated, div AS jurisdiction, "
        "'concrete_cube' AS category, 'GB/T 50081' AS method, '2019' AS edition, 'YE-06' AS instrument, at AS started_at, "
        "CASE g / 400 % 40 WHEN 0 THEN 'keyed' WHEN 1 THEN 'discarded' ELSE 'acquired' END AS standing"),
    "commission": (5, "ARRAY[md5('sample' || g)] AS samples, proj AS project, inst AS institution, 'WT-' || g AS number, "
        "div AS jurisdiction"),
    "registration": (6, "md5('application' || g) AS application, '2611' || lpad(g::text, 17, '0') AS code, inst AS institution, "
        "'registered' AS state, true AS examined, true AS accepted, proj AS project, div AS jurisdiction"),
}  # fmt: skip
READERS = {
    "county": ("OFFICER", "", "610501"),
    "city": ("OFFICER", "", "610500"),
    "province": ("OFFICER", "", "610000"),
    "institution": ("INSTITUTION", "inst5/3", ""),
    "owner": ("PARTY", "owner5/3", ""),
}
#: What is asked of every list; `{...}` is filled in when the rows are known.
ALWAYS = {
    "newest": {},
    "oldest": {"sort": "old"},
    "middle": {"after": "middle"},
    "word": {"text": "工程0a"},
    "nothing": {"text": "没有这样的"},
}
_DAYS = {"since": "{old_day}", "until": "{old_day}"}
ASKED = {
    "reports": {
        "number": {"text": "HNT-2026-{number:08d}"},
        "prefix": {"text": "HNT-2026-0{digit}"},
        "category": {"category": "rebar_tension"},
        "no such category": {"category": "cement"},
        "failed": {"verdict": "failed"},
        "failed of category": {"verdict": "failed", "category": "rebar_tension"},
        "void": {"verdict": "void"},
        "withheld": {"state": "withheld"},
        "project": {"project": "{project}"},
        "project by name": {"project": "工程0a1"},
        "institution": {"institution": "{institution}"},
        "county": {"division": "610501"},
        "days": _DAYS,
    },
    "samples": {
        "tag": {"text": "T{number}"},
        "kind": {"kind": "cement"},
        "project": {"project": "{project}"},
        "days": _DAYS,
    },
    "tests": {
        "tag": {"text": "T{number}"},
        "category": {"category": "cement"},
        "instrument": {"instrument": "NONE"},
        "days": _DAYS,
    },
    "findings": {
        "rule": {"code": "custody.late_registration"},
        "no rule": {"code": "no.such"},
        "kind": {"kind": "run"},
        "days": _DAYS,
    },
    "people": {
        "role": {"role": "witness"},
        "soonest": {"sort": "until"},
        "party": {"party": "{institution}"},
    },
    "instruments": {"soonest": {"sort": "until"}, "institution": {"institution": "{institution}"}},
    "institutions": {},
    "projects": {"by name": {"sort": "name"}, "party": {"party": "检测公司0"}},
}
SEARCHED = (
    "HNT-2026-{number:08d}",
    "T{number}",
    "WT-{number}",
    "工程0a1",
    "检测公司0a1",
    "{idx}",
    "没有这样的",
)
LIMIT_MS = 300


def fill(dsn: str, reports: int) -> None:
    """Write the rows of `reports` reports."""
    sizes = {"cities": CITIES, "institutions": INSTITUTIONS, "projects": PROJECTS, "reports": reports}
    places = _PLACES.format(**sizes)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("SET maintenance_work_mem = '512MB'")
        indexes = conn.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            conn.execute(f'DROP INDEX fact."{name}"'.encode())
        for name, (nth, columns) in TABLES.items():
            began = time.monotonic()
            asked = f"SELECT {_PROVENANCE.format(name, nth)}{_BODY if name == 'application' else _SMALL}{columns} {places}"
            described = conn.execute(f"SELECT * FROM ({asked}) q LIMIT 0".encode()).description
            names = ", ".join(f'"{each.name}"' for each in described or ())
            conn.execute(f'INSERT INTO fact."{name}" ({names}) {asked}'.encode())
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        for statement in _OTHERS:
            conn.execute(statement.format(places=places, **sizes).encode())
        for _, definition in indexes:
            conn.execute(definition.encode())
        conn.execute("VACUUM ANALYZE")
        print(f"indexes and statistics: {time.monotonic() - began:.0f} s", flush=True)


_INDEXES = (
    "SELECT x.relname, pg_get_indexdef(x.oid) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid "
    "JOIN pg_class t ON t.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'fact' AND NOT i.indisprimary AND NOT t.relispartition"
)
_SMALL = "'{}'::jsonb AS body, "
_COLUMNS = "id, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, version, body"
_OF_ALL = "'k', 'internal', now(), now(), now(), 1, '{{}}'::jsonb"
_OTHERS = (
    f"INSERT INTO fact.code ({_COLUMNS}, application, institution, state, registration, project, jurisdiction) "
    f"SELECT '2611' || lpad(g::text, 17, '0'), md5('code' || g), g * 10 + 7, inst, {_OF_ALL}, md5('application' || g), inst, "
    "'registered', md5('registration' || g), proj, div {places}",
    "INSERT INTO fact.reach (id, object, holder) SELECT md5('sample' || g) || '/' || inst, md5('sample' || g), inst {places}",
    "INSERT INTO fact.reach (id, object, holder) SELECT DISTINCT proj || '/' || inst, proj, inst {places}",
    "INSERT INTO fact.reach (id, object, holder) SELECT DISTINCT inst || '/' || inst, inst, inst {places}",
    "INSERT INTO fact.finding (id, idx, entry, code, clause, severity, subject_kind, subject, sentence, facts, logged_at, about, "
    "jurisdiction) SELECT md5('finding' || g)::uuid, g * 10 + 8, md5('sample' || g), 'custody.late_registration', 'BJ 7.1.2-b', "
    "'warning', 'sample', md5('sample' || g), '取样登记晚了', '{{}}', now(), md5('sample' || g), div {places} WHERE g / 400 % 10 = 0",
    f"INSERT INTO fact.party ({_COLUMNS}, uscc, name, roles, division) SELECT DISTINCT ON (inst) inst, inst, 0, inst, {_OF_ALL}, "
    "inst, '检测公司' || inst, ARRAY['institution'], div {places}",
    f"INSERT INTO fact.project ({_COLUMNS}, code, name, division, owner, contractor, resident_engineer_firm) SELECT DISTINCT ON (proj) "
    f"proj, proj, 0, inst, {_OF_ALL}, proj, '工程' || proj, div, md5('owner' || city || '/' || (g / {{cities}} % {{institutions}})), "
    "md5('c' || proj), md5('r' || proj) {places}",
    "INSERT INTO fact.tag (id, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, version, body, "
    "project, sample) "
    "SELECT 'T' || g, md5('tag' || g), g * 10 + 1, inst, 'k', 'internal', now(), now(), now(), 1, '{{}}'::jsonb, proj, "
    "md5('sample' || g) {places}",
    "INSERT INTO fact.reminder (id, idx, institution, jurisdiction) SELECT md5('application' || g), g * 10 + 2, inst, div {places} "
    "WHERE g / 400 % 10 = 0",
    "INSERT INTO fact.presence (id, party, division) SELECT DISTINCT inst || '/' || div, inst, div {places}",
    "INSERT INTO fact.partner (id, party, holder) SELECT DISTINCT inst || '/' || inst, inst, inst {places}",
    "INSERT INTO fact.partner (id, party, holder) SELECT DISTINCT inst || '/' || owner, inst, owner FROM (SELECT inst, "
    "md5('owner' || city || "
    "'/' || (g / {cities} % {institutions})) AS owner {places}) y",
    f"INSERT INTO fact.person ({_COLUMNS}, party, roles, certificate_number, valid_until) SELECT md5(id || n), md5(id || n), n, "
    f"id, {_OF_ALL}, id, "
    "ARRAY['technician'], 'QY-' || n || left(id, 6), current_date + n * 10 - 100 FROM fact.party, generate_series(1, 30) n",
    f"INSERT INTO fact.instrument ({_COLUMNS}, institution, instrument, name, calibrated_until) SELECT id || '/YE-' || n, "
    f"md5(id || 'i' || n), n, "
    f"id, {_OF_ALL}, id, 'YE-' || n, '压力机', current_date + n * 10 - 20 FROM fact.party, generate_series(1, 15) n",
    "INSERT INTO fact.event (id, idx, kind, sender, uid, key_id, attestation, occurred_at, arrived_at, logged_at, "
    "subject) SELECT md5('event' || g), "
    "g * 10 + 2, 'report.applied', inst, md5('uid' || g)::uuid, 'k', 'origin', now(), now(), now(), md5('application' || g) {places}",
    "INSERT INTO fact.project_party (id, project, role, party) SELECT id || '/owner', id, 'owner', owner FROM fact.project",
)
ASKING = """
import json, statistics, sys, time, hashlib, django
django.setup()
from django.db import connection
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.reading.lists.listing import KINDS, listing
from plumbline.supervision.reading.lists.search import search_page
from plumbline.supervision.reading.lists.statement import Position
readers, always, asked, searched, known, reports, rounds, limit = json.loads(sys.argv[1])
known = dict(known, number=125 + 400 * (reports // 800), digit=reports // 200000, idx=(125 + 400 * (reports // 800)) * 10 + 2)
worst, statements = {}, 0

def counted(execute, sql, parameters, many, context):
    global statements
    statements += 1
    return execute(sql, parameters, many, context)

def measure(reader, what, act):
    global statements
    took, said = [], ""
    for _ in range(rounds):
        statements, begin = 0, time.perf_counter()
        said = act()
        took.append((time.perf_counter() - begin) * 1000)
    took.sort()
    p95 = took[max(0, round(len(took) * 0.95) - 1)]
    worst[what, reader] = p95
    mark = "  <-- above the limit" if p95 > limit else ""
    told = f"{reader:12} {what:32} {said:>14} {statements:3} statements"
    print(f"{told}  p50 {statistics.median(took):6.1f}  p95 {p95:6.1f} ms{mark}", flush=True)

def one_page(principal, key, values):
    def act():
        with reading_as(principal), connection.execute_wrapper(counted):
            page = listing(principal, key, ListQuery(**values)).page()
        return f"{len(page.rows)} of {page.total.count}" if page.total else "?"
    return act

def one_search(principal, text):
    def act():
        with reading_as(principal), connection.execute_wrapper(counted):
            page = search_page(principal, text)
        return f"{page.count} hits"
    return act

for name, (role, party, division) in readers.items():
    principal = Principal(role=Role[role], party=hashlib.md5(party.encode()).hexdigest() if party else "", division=division)
    for key, kind in KINDS.items():
        if principal.role.value not in kind.roles:
            continue
        views = {f"view {v.key}": {"view": v.key} for v in kind.views[1:] if principal.sees_unconfirmed_findings or not v.unconfirmed}
        for title, query in (always | views | asked.get(key, {})).items():
            values = {k: v.format(**known) for k, v in query.items()}
            if values.get("after") == "middle":
                if kind.sorts[0].kind != "bigint":
                    continue
                values["after"] = Position(value=str(reports * 5), id="f" * 32).written()
            own = {k: values.pop(k) for k in list(values) if k not in ("text", "view", "sort", "after")}
            measure(name, f"{key} {title}", one_page(principal, key, values | {"filters": own}))
    for text in searched:
        measure(name, f"search {text[:14]}", one_search(principal, text.format(**known)))
print()
for (what, reader), p95 in sorted(worst.items(), key=lambda each: -each[1])[:12]:
    print(f"slowest: {what} ({reader}) {p95:.0f} ms")
sys.exit(1 if max(worst.values()) > limit else 0)
"""


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description="列表在行级权限下的用时")
    parser.add_argument("--rows", type=int, default=1_000_000, help="报告份数")
    parser.add_argument("--rounds", type=int, default=20, help="每种问法问几次")
    parser.add_argument("--reader", choices=READERS, help="只以一种身份问")
    options = parser.parse_args()
    reports = options.rows
    folder = Path(os.environ.get("PLUMB_MEASURE_DIR") or tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    cluster = Cluster(folder)
    running = cluster.start()
    try:
        opened = datetime.now(UTC) - timedelta(days=120)
        settings = Settings(
            origin=DEMO_ORIGIN,
            public_url="http://127.0.0.1:1",
            demo=True,
            operator=DEMO_OPERATOR,
            opened_at=opened,
        )
        platform = prepare(folder, running, settings)
        with psycopg.connect(running.dsn(DATABASE)) as conn:
            (there,) = conn.execute("SELECT count(*) FROM fact.application").fetchone()
        if not there:
            fill(running.dsn(DATABASE), reports)
        env = (
            os.environ | platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
        )
        readers = {options.reader: READERS[options.reader]} if options.reader else READERS
        known = {
            "project": hashlib.md5(b"project5/3").hexdigest(),
            "institution": hashlib.md5(b"inst5/3").hexdigest(),
            "old_day": (datetime.now(UTC) - timedelta(seconds=20 * (reports // 2))).date().isoformat(),
        }
        told = json.dumps([readers, ALWAYS, ASKED, SEARCHED, known, reports, options.rounds, LIMIT_MS])
        sys.exit(subprocess.run([sys.executable, "-c", ASKING, told], env=env, check=False).returncode)
    finally:
        cluster.stop()
        if "PLUMB_MEASURE_DIR" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
