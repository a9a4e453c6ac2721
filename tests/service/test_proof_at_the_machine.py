"""Who answers for a command at the machine proves who it is (当面验明身份): with the password and the second factor of the pages."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from browsing import PASSWORD, Browser, Office

pytestmark = pytest.mark.service

_SCRIPT = """
import sys
from plumbline.supervision.administration.at_the_machine import prove

def ask(question):
    print(question, file=sys.stderr)
    return sys.stdin.readline().rstrip("\\n")

print(prove(sys.argv[1], "log clock-correct", ask))
"""


def _prove(running_platform, login: str, *typed: str) -> tuple[str, list[str]]:
    """(what is wrong, or None; what was asked)."""
    told = running_platform.platform.environment()
    told |= {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, login],
        input="".join(f"{each}\n" for each in typed),
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.split()


def test_password_and_second_factor_are_asked_for_and_each_proof_leaves_its_trace(
    running_platform, office: Office
) -> None:
    owner: Browser = office.officer("clock.first")
    wrong, asked = _prove(running_platform, "clock.first", "songbai-2026-qianzhai", owner.codes[0])
    assert wrong.startswith("密码不对。") and asked == ["clock.first", "的密码："]
    wrong, asked = _prove(running_platform, "clock.first", PASSWORD, "00000000")
    assert wrong.startswith("第二因素：") and asked[-1] == "的第二因素（验证码或恢复码）："
    code = owner.codes.pop()
    assert _prove(running_platform, "clock.first", PASSWORD, code)[0] == "None"
    assert _prove(running_platform, "clock.first", PASSWORD, code)[0].startswith("第二因素：")
    trail = office.audit.get("/audit/?q=clock.first").text
    for told in ("登录失败", "第二因素不对", "再次确认身份", "经由 本机命令行"):
        assert told in trail, told
    with psycopg.connect(running_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        where = "SELECT DISTINCT request FROM ops.audit_event WHERE actor = 'clock.first' AND request LIKE 'CLI %'"
        assert conn.execute(where).fetchall() == [("CLI log clock-correct",)]


def test_guessing_at_the_machine_is_stopped_as_at_the_pages(running_platform, office: Office) -> None:
    owner = office.officer("clock.guessed")
    for number in range(2):
        assert _prove(running_platform, "clock.guessed", "x")[0].startswith("密码不对。")
        assert _prove(running_platform, "clock.guessed", PASSWORD, f"{number:08d}")[0].startswith(
            "第二因素："
        )
    assert _prove(running_platform, "clock.guessed", PASSWORD, "00000009")[0].startswith("第二因素：")
    code = owner.codes[-1]
    assert _prove(running_platform, "clock.guessed", PASSWORD, code)[0].startswith("密码不对。")
    owner.post("/account/logout/")
    assert owner.sign_in("clock.guessed").url.path == "/account/login/"  # it is one count


def test_who_may_not_act_on_the_pages_may_not_at_the_machine(running_platform, office: Office) -> None:
    office.make("clock.second")
    wrong, asked = _prove(running_platform, "clock.second", PASSWORD)
    assert wrong == "这个账号没有第二因素，请先在网页上设好" and asked == ["clock.second", "的密码："]
    office.officer("clock.third")
    for column, told in (("password_set_at", "密码已经过期"), ("last_login", "很久没有登录")):
        others = (
            ""
            if column == "password_set_at"
            else ", password_set_at = now() - interval '300 days', created_at = now() - interval '1 year'"
        )
        with psycopg.connect(running_platform.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute(
                f"UPDATE web.accounts_account SET {column} = now() - interval '300 days'{others} WHERE username = 'clock.third'".encode()
            )
        assert told in _prove(running_platform, "clock.third", PASSWORD)[0]
    assert _prove(running_platform, "nobody.here", PASSWORD)[0] == "没有这个账号"
