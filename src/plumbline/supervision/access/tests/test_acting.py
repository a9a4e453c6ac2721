"""A query runs in the role of whoever acts, or not at all; a connection takes nothing of it along."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.service
#: Each step is asked of web's own settings, with its pool, in a process of its own: Django is configured once a process.
SCRIPT = """
import json, django
django.setup()
from django.db import close_old_connections, connection, transaction
connection.settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 10}  # the next one gets this one
from plumbline.supervision.access.acting import Unscoped, acting_as, reading_as, take_off
from plumbline.supervision.access.principals import PUBLIC, Principal, Role
from plumbline.supervision.reading.database import count, row, rows

ASKED = "SELECT current_user AS who, current_setting('plumb.party', true) AS party, current_setting('plumb.division_low', true) AS low"
officer = Principal(role=Role.OFFICER, party="ab" * 16, division="610300")
lab = Principal(role=Role.INSTITUTION, party="cd" * 16)
told = {}

def refused(name, *blocks):
    try:
        with blocks[0], blocks[1]:
            rows("SELECT 1 AS one", [])
        told[name] = "read"
    except Unscoped as error:
        told[name] = "Unscoped"

class Nothing:
    def __enter__(self): return self
    def __exit__(self, *_): return False

refused("nobody acts", Nothing(), Nothing())
refused("nobody acts in a transaction", transaction.atomic(), Nothing())
refused("outside a transaction", acting_as(officer), Nothing())
refused("another acts within", acting_as(officer), acting_as(lab))
try:
    count("SELECT 1", [])
    told["a count"] = "read"
except Unscoped:
    told["a count"] = "Unscoped"
with acting_as(officer), transaction.atomic():
    told["officer"] = row(ASKED, [])
    take_off()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        told["taken off"] = cursor.fetchone()
    told["put on again"] = row(ASKED, [])
with connection.cursor() as cursor:
    cursor.execute(ASKED)
    told["the same connection afterwards"] = cursor.fetchone()
    cursor.execute("SELECT pg_backend_pid()")
    first = cursor.fetchone()
connection.close()
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    told["pool gave the same connection"] = cursor.fetchone() == first
    cursor.execute(ASKED)
    told["the next request"] = cursor.fetchone()
with reading_as(lab):
    told["institution"] = row(ASKED, [])
with acting_as(lab):
    with reading_as(lab):
        rows("SELECT 1 AS one", [])
    with reading_as(lab):
        told["a second transaction"] = row(ASKED, [])
try:
    with reading_as(officer):
        rows("SELECT 1 AS one", [])
        raise KeyError
except KeyError:
    pass
with reading_as(PUBLIC):
    told["public after a failure"] = row(ASKED, [])
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(untouched_platform) -> dict[str, object]:
    platform = untouched_platform.platform
    env = os.environ | platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "step",
    [
        "nobody acts",
        "nobody acts in a transaction",
        "outside a transaction",
        "another acts within",
        "a count",
    ],
)
def test_what_is_read_for_nobody_raises(told, step: str) -> None:
    assert told[step] == "Unscoped"


def test_each_principal_reads_in_its_own_role_and_scope(told) -> None:
    assert told["officer"] == {"who": "plumb_officer", "party": "ab" * 16, "low": "6103"}
    assert told["institution"] == {"who": "plumb_institution", "party": "cd" * 16, "low": ""}
    assert told["a second transaction"] == told["institution"]
    assert told["public after a failure"] == {"who": "plumb_public", "party": "", "low": ""}


def test_a_connection_of_the_pool_takes_nothing_of_the_last_reader_along(told) -> None:
    assert told["pool gave the same connection"]
    for step in ("the same connection afterwards", "the next request"):
        who, *left = told[step]
        assert who == "plumb_web"
        assert not any(left), left


def test_a_role_taken_off_leaves_webs_own_login_and_the_next_read_puts_the_same_one_on(told) -> None:
    assert told["taken off"] == ["plumb_web"]
    assert told["put on again"] == told["officer"]
