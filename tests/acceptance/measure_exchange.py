"""How long the exchange monitor takes at a million requests (监控用时): `python tests/acceptance/measure_exchange.py [requests] [rounds]`.

Makes a platform of its own with an embedded database, fills the monitor by SQL with 40 cities of 10 institutions over 30 days, and asks
as an officer of a city, an officer of the whole, and an institution, in their roles. Prints p50 and p95 in milliseconds.
"""

from __future__ import annotations

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

_REQUESTS = """
INSERT INTO ops.exchange_request
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(g::text), 1, 3) || '8'
       || substr(md5(g::text), 4, 15))::uuid,
       at, md5('inst' || g %% 40 || '/' || (g / 40 %% 10)), true, true, 'k.' || (g %% 40) || '.' || (g / 40 %% 10),
       (ARRAY['run.recorded', 'sample.registered', 'commission.accepted', 'report.applied', 'number.taken'])[1 + g / 400 %% 5],
       g::text, 4000, CASE WHEN g / 400 %% 20 = 0 THEN 'refused' ELSE 'accepted' END, 201,
       CASE WHEN g / 400 %% 20 = 0 THEN (ARRAY['schema', 'uid-time', 'personal-data'])[1 + g / 8000 %% 3] ELSE '' END,
       '', CASE WHEN g / 400 %% 20 = 0 THEN '/message/x' || g / 8000 %% 7 ELSE '' END, '', '', '', '', '[]', 3.5
  FROM (SELECT g, now() - (%(all)s - g) * (interval '30 days' / %(all)s) AS at FROM generate_series(1, %(all)s) g) x
"""
_PARTY = (
    "INSERT INTO fact.party (id, entry, idx, sender, key_id, attestation, occurred_at, arrived_at, logged_at, version, body, uscc, name, "
    "roles, division) SELECT md5('inst' || c || '/' || i), 'e', 0, 's', 'k', 'internal', now(), now(), now(), 1, '{}', "
    "'u' || c || '/' || i, '检测公司' || c || '/' || i, ARRAY['institution'], lpad((6100 + c)::text, 4, '0') || '00' "
    "FROM generate_series(0, 39) c, generate_series(0, 9) i"
)
_PRESENCE = (
    "INSERT INTO fact.presence (id, party, division) SELECT id || division, id, division FROM fact.party "
    "WHERE roles = ARRAY['institution'] AND name LIKE '检测公司%'"
)
ASKING = """
import json, statistics, sys, time, hashlib, django
from datetime import UTC, datetime, timedelta
django.setup()
from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.monitor import queries
from plumbline.supervision.monitor.queries import Query
day = (datetime.now(UTC) - timedelta(days=20)).date().isoformat()
asked = {"newest": {}, "refused": {"outcome": "refused"}, "a kind": {"kind": "report.applied"}, "a reason": {"slug": "uid-time"},
         "a day": {"day": day}, "an unknown key": {"key": "k.nobody"}, "a rare one": {"kind": "pour.recorded"}}
readers = {"officer of a city": Principal(role=Role.OFFICER, party="", division="610500"),
           "officer of all": Principal(role=Role.OFFICER, party="", division="610000"),
           "institution": Principal(role=Role.INSTITUTION, party=hashlib.md5(b"inst5/3").hexdigest(), division="610500")}
def told(name, title, count, took):
    took.sort()
    p95 = took[max(0, round(len(took) * 0.95) - 1)]
    print(f"{name:20} {title:15} {count:>5} rows  p50 {statistics.median(took):7.1f}  p95 {p95:7.1f} ms", flush=True)
for name, principal in readers.items():
    for title, values in [*asked.items(), ("reasons", None)]:
        took = []
        for _ in range(int(sys.argv[1])):
            begin = time.perf_counter()
            with reading_as(principal):
                seen = queries.holders(principal)
                found = queries.reasons(Query(), seen, datetime.now(UTC)) if values is None else queries.requests(Query(**values), seen)
            took.append((time.perf_counter() - begin) * 1000)
        told(name, title, len(found), took)
"""


def main() -> None:
    """Fill, ask, print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    folder = Path(tempfile.mkdtemp(prefix="plt-", dir=scratch()))
    cluster = Cluster(folder)
    running = cluster.start()
    try:
        settings = Settings(
            origin=DEMO_ORIGIN,
            public_url="http://127.0.0.1:1",
            demo=True,
            operator=DEMO_OPERATOR,
            opened_at=datetime.now(UTC) - timedelta(days=120),
        )
        platform = prepare(folder, running, settings)
        began = time.monotonic()
        with psycopg.connect(running.dsn(DATABASE), autocommit=True) as conn:
            conn.execute("SET synchronous_commit = off")
            conn.execute(_PARTY)
            conn.execute(_PRESENCE)
            conn.execute(_REQUESTS, {"all": requests})
            conn.execute("VACUUM ANALYZE ops.exchange_request")
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        env = (
            os.environ | platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
        )
        subprocess.run([sys.executable, "-c", ASKING, json.dumps(rounds)], env=env, check=True)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
