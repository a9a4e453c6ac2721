"""How long the lists take at a million reports under row security (列表用时): `python tests/acceptance/measure_lists.py [reports]`.

Makes a platform of its own with an embedded database, fills schema fact by SQL with 40 cities of 10 institutions, and asks for the
pages of an officer, an institution and a party through web's own settings, pool and roles. Prints p50 and p95 in milliseconds.
"""

from __future__ import annotations

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
from plumbline.supervision.boot import DATABASE, DEMO_OPERATOR, Settings, prepare
from plumbline.supervision.config import DEMO_ORIGIN

CITIES, INSTITUTIONS, PROJECTS = 40, 10, 100
_PROVENANCE = (
    "md5('{0}' || g) AS id, md5('{0}' || g) AS entry, g * 10 + {1} AS idx, inst AS sender, 'k' AS key_id, 'origin' AS attestation, "
    "now() - g * interval '20 s' AS occurred_at, now() - g * interval '20 s' AS arrived_at, now() - g * interval '20 s' AS logged_at, "
    "1 AS version, "
)
_PLACES = (
    "FROM (SELECT g, g % {cities} AS city, lpad((6100 + g % {cities})::text, 4, '0') || '00' AS div, "
    "md5('inst' || (g % {cities}) || '/' || (g / {cities} % {institutions})) AS inst, "
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
        "'concrete_cube' AS category, '混凝土抗压强度检测报告' AS title, 'PASS' AS conclusion, proj AS project, div AS division, "
        "'registered' AS state, '2611' || lpad(g::text, 17, '0') AS code, div AS jurisdiction"),
    "sample": (3, "proj AS project, 'concrete_cube' AS sample_kind, 'C30' AS grade, '三层柱' AS structural_part, 28 AS required_age_d, "
        "ARRAY['T' || g] AS tags, div AS jurisdiction"),
    "run": (4, "md5('commission' || g) AS commission, md5('sample' || g) AS sample, proj AS project, inst AS institution, "
        "CASE g / 400 % 40 WHEN 0 THEN 'keyed' ELSE 'acquired' END AS data_origin, true AS evaluated, div AS jurisdiction"),
    "commission": (5, "proj AS project, inst AS institution, 'WT-' || g AS number, div AS jurisdiction"),
    "registration": (6, "md5('application' || g) AS application, '2611' || lpad(g::text, 17, '0') AS code, inst AS institution, "
        "'registered' AS state, true AS examined, true AS accepted, proj AS project, div AS jurisdiction"),
}  # fmt: skip
READERS = {
    "officer of a city": ("OFFICER", "", "610500"),
    "institution": ("INSTITUTION", "inst5/3", ""),
    "owner of a project": ("PARTY", "owner5/3", ""),
}
ASKED = {
    "newest": {},
    "next page": {"after": "k{middle:x}"},
    "failed": {"view": "failed"},
    "reminded": {"view": "reminded"},
    "by number": {"text": "HNT-2026-{number:08d}"},
}


def fill(dsn: str, reports: int) -> None:
    """Write the rows of `reports` reports."""
    sizes = {"cities": CITIES, "institutions": INSTITUTIONS, "projects": PROJECTS, "reports": reports}
    places = _PLACES.format(**sizes)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        for name, (nth, columns) in TABLES.items():
            began = time.monotonic()
            asked = f"SELECT {_PROVENANCE.format(name, nth)}{_BODY if name == 'application' else _SMALL}{columns} {places}"
            described = conn.execute(f"SELECT * FROM ({asked}) q LIMIT 0".encode()).description
            names = ", ".join(f'"{each.name}"' for each in described or ())
            conn.execute(f'INSERT INTO fact."{name}" ({names}) {asked}'.encode())
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        for statement in _OTHERS:
            conn.execute(statement.format(places=places, **sizes).encode())
        conn.execute("VACUUM ANALYZE")


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
    "INSERT INTO fact.project_party (id, project, role, party) SELECT id || '/owner', id, 'owner', owner FROM fact.project",
)
ASKING = """
import json, statistics, sys, time, hashlib, django
django.setup()
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.ports import ReportQuery
from plumbline.supervision.reading.reports import ReportList
readers, asked, reports, rounds = json.loads(sys.argv[1])
for name, (role, party, division) in readers.items():
    principal = Principal(role=Role[role], party=hashlib.md5(party.encode()).hexdigest() if party else "", division=division)
    for title, query in asked.items():
        values = {k: v.format(middle=reports * 5, number=125 + 400 * (reports // 800)) for k, v in query.items()}
        took = []
        for _ in range(rounds):
            begin = time.perf_counter()
            with reading_as(principal):
                page = ReportList.of(principal, ReportQuery(**values)).page()
            took.append((time.perf_counter() - begin) * 1000)
        took.sort()
        p95 = took[max(0, round(len(took) * 0.95) - 1)]
        print(f"{name:20} {title:10} {page.total:>8} rows  p50 {statistics.median(took):7.1f}  p95 {p95:7.1f} ms", flush=True)
"""


def main() -> None:
    """Fill, ask, print."""
    import json

    reports = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    folder = Path(os.environ.get("PLUMB_MEASURE_DIR") or tempfile.mkdtemp(prefix="plt-", dir="/tmp"))
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
        told = json.dumps([READERS, ASKED, reports, rounds])
        subprocess.run([sys.executable, "-c", ASKING, told], env=env, check=True)
    finally:
        cluster.stop()
        if "PLUMB_MEASURE_DIR" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
