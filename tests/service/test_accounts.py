"""Accounts, roles and three administrators over HTTP (账号与三员): what each may do, and what nobody may."""

from __future__ import annotations

import hashlib
import re
import time

import psycopg
import pytest
from browsing import PASSWORD, STATION, Browser, Office
from django.core.signing import TimestampSigner

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages import project as project_messages
from plumbline.supervision.boot import operator_of
from plumbline.supervision.journal.audit_trail import audit_trail
from plumbline.supervision.worker.sealing import Sealing

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_the_last_of_an_office_stays(office: Office) -> None:
    last = office.system.post("/accounts/li.aq/suspend/", because="试试")
    assert last.status_code == 422 and "最后一位安全管理员" in last.text
    page = office.security.get("/accounts/wang.xt/").text
    grant = re.search(r'name="grant" value="([0-9a-f]{32})"', page)
    assert grant
    ended = office.security.post("/accounts/wang.xt/end-grant/", grant=grant[1], because="试试")
    assert ended.status_code == 422 and "最后一位系统管理员" in ended.text


@pytest.mark.clause("BJ 8.3.1")
def test_an_account_is_made_by_one_given_a_role_by_another_and_read_by_the_third(office: Office) -> None:
    owner = office.make("zhang.jd")
    signed_in = owner.sign_in("zhang.jd")
    assert "还没有角色" in signed_in.text
    assert owner.get("/reports/").status_code == 403
    granted = office.grant("zhang.jd", "officer")
    assert "入了日志" in granted.text
    assert owner.get("/acting/").url.path != "/"  # a password alone is not enough for whoever supervises
    assert owner.get("/reports/").status_code == 403
    owner.take_second_factor()
    assert owner.get("/acting/").url.path == "/"
    assert owner.get("/reports/").status_code == 200
    trail = office.audit.get("/audit/").text
    assert "授予角色" in trail and "zhang.jd" in trail
    assert "看无权看的页面" in office.audit.get("/audit/?q=zhang.jd").text
    export = office.audit.get("/audit/export.csv?q=zhang.jd")
    assert export.headers["content-type"].startswith("text/csv") and "授予角色" in export.text


@pytest.mark.clause("CECS 3.0.2")
@pytest.mark.parametrize(
    ("who", "path", "fields"),
    [
        ("security", "/accounts/new/", {"username": "x.y", "label": "x", "division": "610300"}),
        ("security", "/accounts/li.aq/suspend/", {"because": "x"}),
        ("system", "/accounts/wang.xt/grant/", {"role": "officer", "division": "610300", "capacity": "x"}),
        ("audit", "/accounts/new/", {"username": "x.y", "label": "x", "division": "610300"}),
        ("audit", "/accounts/wang.xt/suspend/", {"because": "x"}),
        ("system", "/audit/", None),
        ("security", "/audit/", None),
        ("audit", "/accounts/", None),
        ("system", "/reports/", None),
        ("security", "/numbers/", None),
    ],
)
def test_no_administrator_does_another_ones_work(office: Office, who: str, path: str, fields) -> None:
    browser = getattr(office, who)
    answer = browser.post(path, **fields) if fields is not None else browser.get(path)
    assert answer.status_code in (403, 404)


def test_nobody_holds_two_offices(office: Office) -> None:
    office.make("two.hats")
    assert "入了日志" in office.grant("two.hats", "officer").text
    second = office.grant("two.hats", "audit_admin", party="")
    assert second.status_code == 422 and "三员各由一人专任" in second.text
    own = office.security.post(
        "/accounts/li.aq/grant/", role="officer", party=STATION, division="610300", capacity="x"
    )
    assert own.status_code == 422 and "不能给自己授角色" in own.text


@pytest.mark.clause("CECS 3.0.2", "BJ 5.1.1-a")
def test_accounts_are_made_below_oneself_only_and_what_was_typed_stays(office: Office) -> None:
    answer = office.system.post("/accounts/new/", username="far.away", label="外市的人", division="620100")
    assert answer.status_code == 422
    assert "不在您的辖区 610300 内" in answer.text and 'value="外市的人"' in answer.text


def test_somebody_of_two_organisations_acts_for_one_at_a_time(office: Office, running_platform) -> None:
    owner = office.make("two.homes")
    office.grant("two.homes", "officer", division="610300")
    assert "入了日志" in office.grant("two.homes", "officer", division="610303").text
    owner.sign_in("two.homes")
    owner.take_second_factor()
    page = owner.get("/acting/")
    assert "以哪个角色办事" in page.text
    grants = re.findall(r'name="grant" value="([0-9a-f]{32})"', page.text)
    assert len(grants) == 2
    assert owner.get("/reports/").status_code == 403
    assert owner.post("/acting/", grant=grants[1]).url.path == "/"
    assert owner.get("/reports/").status_code == 200
    assert owner.post("/acting/", grant="0" * 32).status_code == 404  # a guessed one
    owner.post("/exports/", q="下属区的导出")
    assert "下属区的导出" in owner.get("/exports/").text
    assert owner.post("/acting/", grant=grants[0]).url.path == "/"
    assert "下属区的导出" not in owner.get("/exports/").text  # nothing of the other role is left over
    assert "原角色" in office.audit.get("/audit/?q=two.homes").text
    assert "two.homes" in office.audit.get("/audit/?q=选择角色").text  # found by the word that is shown


@pytest.mark.clause("BJ 8.3.1")
def test_a_suspended_account_ends_in_the_middle_of_a_form_and_is_told_so(office: Office) -> None:
    owner = office.officer("stopped")
    assert owner.get("/reports/").status_code == 200
    refused = office.system.post("/accounts/stopped/suspend/", because="")
    assert refused.status_code == 422 and "请写明为什么停用" in refused.text
    office.system.post("/accounts/stopped/suspend/", because="调离")
    answer = owner.post("/view-as/", party=STATION)
    assert answer.status_code == 403
    assert "账号已停用" in answer.text and "没有保存" in answer.text
    again = owner.sign_in("stopped")
    assert "停用" in again.text or "不对" in again.text
    assert owner.get("/reports/").status_code == 403
    office.system.post("/accounts/stopped/reactivate/")
    owner.sign_in("stopped")
    assert owner.get("/reports/").status_code == 200


def test_an_ended_role_ends_at_once(office: Office) -> None:
    owner = office.officer("ended")
    assert owner.get("/reports/").status_code == 200
    grant = re.search(r'name="grant" value="([0-9a-f]{32})"', office.security.get("/accounts/ended/").text)
    assert grant
    done = office.security.post("/accounts/ended/end-grant/", grant=grant[1], because="换岗")
    assert "入了日志" in done.text
    answer = owner.get("/reports/")
    assert answer.status_code == 403 and "选择角色" in answer.text


def test_five_wrong_passwords_lock_and_the_security_administrator_unlocks(office: Office) -> None:
    owner = office.officer("clumsy")
    owner.post("/account/logout/")
    answers = [owner.sign_in(name, "falsch") for name in ("clumsy", "Clumsy", "CLUMSY", "clumsY", "clumsy ")]
    assert [each.status_code for each in answers[:-1]] == [200] * 4  # four do not lock yet
    assert answers[-1].status_code == 429 and "15 分钟" in answers[-1].text
    assert "/acting/" not in str(owner.sign_in("clumsy").url)
    assert owner.get("/reports/").status_code == 403
    office.security.post("/accounts/clumsy/unlock/")
    owner.sign_in("clumsy")
    assert owner.get("/reports/").status_code == 200


def test_a_link_works_once_and_a_weak_password_is_told_why(office: Office) -> None:
    office.system.post("/accounts/new/", username="once.only", label="收发", division="610300")
    found = re.search(r'class="once">([^<]+)<', office.system.post("/accounts/once.only/link/").text)
    assert found
    path = found[1].removeprefix(office.system.url)
    stranger = Browser(office.system.url)
    weak = stranger.post(path, password="12345678", again="12345678")
    assert weak.status_code == 422 and "12" in weak.text
    assert stranger.post(path, password=PASSWORD, again=PASSWORD + "x").status_code == 422
    assert stranger.post(path, password=PASSWORD, again=PASSWORD).url.path == "/account/login/"
    assert stranger.get(path).status_code == 410
    assert stranger.get("/account/link/OTk5/abc-def/").status_code == 410


def test_view_as_shows_a_banner_changes_nothing_and_is_logged(office: Office, world) -> None:
    owner = office.officer("looker")
    page = owner.get("/view-as/").text
    parties = re.findall(r'name="party" value="([0-9a-f]{32})"', page)
    assert STATION not in parties
    institution = world.cast.party("institution")
    assert institution in parties
    seen = owner.post("/view-as/", party=institution)
    assert "只能看，不能改" in seen.text and "机构端" in seen.text
    assert owner.post("/acting/", grant="x").status_code == 403
    assert owner.post("/view-as/", party=STATION).status_code in (403, 404)
    assert "只能看" not in owner.post("/view-as/end/").text
    trail = office.audit.get("/audit/?q=looker").text
    assert "开始以他人身份查看" in trail and "结束以他人身份查看" in trail


def test_an_administrator_without_second_factor_cannot_act(office: Office) -> None:
    owner = office.make("new.admin")
    office.grant("new.admin", "audit_admin", party="")
    page = owner.sign_in("new.admin")
    assert "/account/" in str(page.url) and owner.get("/audit/").status_code == 403
    thief = Browser(office.system.url)
    thief.sign_in("new.admin")
    assert thief.get("/account/sign-ins/").url.path == "/account/sign-ins/"
    owner.take_second_factor()
    assert "/account/login/" in str(thief.get("/account/sign-ins/").url)  # a new factor ends the others
    assert owner.get("/acting/").url.path == "/audit/"


def test_nobody_signs_up_and_no_mail_address_is_asked_for(running_platform) -> None:
    stranger = Browser(running_platform.url)
    for path in ("/account/signup/", "/account/email/", "/account/password/reset/", "/accounts/", "/audit/"):
        assert stranger.get(path).status_code in (403, 404), path


def test_the_tables_of_accounts_belong_to_the_web_process_alone(running_platform) -> None:
    with psycopg.connect(running_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        found = conn.execute(
            "SELECT DISTINCT grantee FROM information_schema.role_table_grants "
            "WHERE table_schema = 'web' AND grantee <> 'plumb_owner'"
        ).fetchall()
    assert found == [("plumb_web",)]


def test_who_has_a_role_gets_a_new_password_from_two_persons_only(office: Office) -> None:
    office.officer("forgetful")
    alone = office.system.post("/accounts/forgetful/link/")
    assert alone.status_code == 422 and "安全管理员" in alone.text and "once" not in alone.text
    assert "已放行" in office.security.post("/accounts/forgetful/release-link/").text
    assert 'class="once"' in office.system.post("/accounts/forgetful/link/").text
    assert office.system.post("/accounts/forgetful/link/").status_code == 422  # each release is for one link


def test_whoever_switches_the_second_factor_off_is_no_administrator_until_it_is_on(office: Office) -> None:
    owner = office.make("lazy.admin")
    office.grant("lazy.admin", "audit_admin", party="")
    owner.sign_in("lazy.admin")
    owner.take_second_factor()
    assert owner.get("/acting/").url.path == "/audit/"
    page = owner.get("/account/2fa/").text
    path = re.search(r'href="(/account/2fa/totp/deactivate/[^"]*)"', page)
    assert path
    assert owner.post(path[1]).status_code == 200
    assert owner.get("/audit/").status_code == 403
    assert "关闭第二因素" in office.audit.get("/audit/?q=lazy.admin").text


def test_nobody_reaches_an_account_that_stands_above_or_an_organisation_elsewhere(office: Office) -> None:
    county = office.make("county.sys")
    office.grant("county.sys", "system_admin", party="", division="610303")
    county.sign_in("county.sys")
    county.take_second_factor()
    assert county.get("/acting/").url.path == "/accounts/"
    office.officer("city.man")  # of division 610303, with a role in 610300
    assert county.get("/accounts/city.man/").status_code == 404
    assert "city.man" not in county.get("/accounts/").text
    assert county.post("/accounts/city.man/suspend/", because="x").status_code == 404


def test_guessing_of_second_factors_is_stopped(office: Office) -> None:
    office.officer("guessed").post("/account/logout/")
    thief = Browser(office.system.url)
    thief.post("/account/login/", login="guessed", password=PASSWORD)
    answers = [thief.post("/account/2fa/authenticate/", code=f"{n:06d}") for n in range(12)]
    assert all(each.url.path.startswith("/account/") for each in answers)
    assert "不对" in answers[0].text and answers[0].text != answers[-1].text
    assert "第二因素不对" in office.audit.get("/audit/?q=guessed").text


def test_a_station_cannot_grant_itself_anything_over_the_interface(running_platform, office: Office) -> None:
    from plumbline.exchange.messages import KINDS

    for kind in ("role.granted", "role.ended"):
        assert KINDS[kind].senders == frozenset({"platform"})


@pytest.mark.parametrize("path", ["/audit/?q=%00", "/accounts/%00/", "/accounts/?q=a%00b"])
def test_a_nul_is_told_and_breaks_nothing(office: Office, path: str) -> None:
    assert office.audit.get(path).status_code in (400, 403, 404)


def test_secrets_of_second_factors_do_not_lie_in_clear(running_platform, office: Office) -> None:
    with psycopg.connect(running_platform.platform.conninfo("plumb_web")) as conn:
        found = conn.execute("SELECT data FROM web.mfa_authenticator WHERE type = 'totp'").fetchall()
    assert found and not any(re.fullmatch(r"[A-Z2-7]{16,}", row[0]["secret"]) for row in found)


def age_proof(platform, browser: Browser) -> None:
    """As if the last proof of identity were long ago: the stored session is written anew."""
    secret = (platform.folder("keys") / "kek.bin").read_bytes()
    key = hashlib.sha256(b"django\0" + secret).hexdigest()
    signer = TimestampSigner(key=key, salt="django.contrib.sessions.SessionStore", fallback_keys=[])
    name = browser.client.cookies["plumb_session"]
    with psycopg.connect(platform.conninfo("plumb_web")) as conn:
        (data,) = conn.execute(
            "SELECT session_data FROM web.django_session WHERE session_key = %s", [name]
        ).fetchone()
        stored = signer.unsign_object(data) | {"confirmed": int(time.time()) - 301}
        for each in stored.get("account_authentication_methods", ()):
            each["at"] -= 600
        conn.execute(
            "UPDATE web.django_session SET session_data = %s WHERE session_key = %s",
            [signer.sign_object(stored, compress=True), name],
        )


@pytest.mark.clause("BJ 8.3.1")
def test_an_act_long_after_signing_in_is_confirmed_first_and_the_form_waits(
    running_platform, office: Office
) -> None:
    keeper = office.make("sleepy.sys")
    office.grant("sleepy.sys", "system_admin", party="")
    keeper.sign_in("sleepy.sys")
    keeper.take_second_factor()
    keeper.get("/acting/")
    age_proof(running_platform.platform, keeper)
    session = keeper.client.cookies["plumb_session"]
    factor = re.search(r'href="(/account/2fa/totp/deactivate/[^"]*)"', keeper.get("/account/2fa/").text)
    assert factor and "reauthenticate" in str(
        keeper.get(factor[1]).url
    )  # a second factor goes after a fresh proof only
    fields = {"username": "late.one", "label": "夜班收发", "division": "610303"}
    asked = keeper._send("/accounts/new/", fields)
    assert asked.status_code == 403 and "再次确认身份" in asked.text
    assert 'name="label" value="夜班收发"' in asked.text and "csrfmiddlewaretoken" in asked.text
    wrong = keeper._send("/accounts/new/", fields | {"confirm_password": "geraten", "confirm_code": "1"})
    assert wrong.status_code == 403 and "密码不对" in wrong.text and "geraten" not in wrong.text
    alone = keeper._send("/accounts/new/", fields | {"confirm_password": PASSWORD, "confirm_code": "000000"})
    assert alone.status_code == 403 and "第二因素" in alone.text
    assert keeper.get("/accounts/late.one/").status_code == 404  # nothing was done so far
    done = keeper._send("/accounts/new/", fields | keeper.proof())
    assert done.url.path == "/accounts/late.one/" and "夜班收发" in done.text
    assert keeper.client.cookies["plumb_session"] != session  # a proof begins a new session
    assert keeper._send("/accounts/late.one/link/", {}).status_code == 200  # the proof holds for a while


def test_an_intent_without_result_is_seen_in_the_trail(running_platform, office: Office) -> None:
    office.make("half.done")
    office.grant("half.done", "officer")
    with psycopg.connect(running_platform.platform.conninfo("plumb_web")) as conn:
        told = conn.execute(
            "SELECT outcome, detail->>'intent' FROM ops.audit_event WHERE subject = 'half.done' AND action = 'role.granted' ORDER BY id"
        ).fetchall()
        conn.execute(  # what a page leaves that dies between its entry and its result
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) "
            "VALUES ('li.aq', 'role.ended', 'half.done', 'intended', 'POST account-act')"
        )
    assert [row[0] for row in told] == ["intended", "done"] and told[1][1]
    page = office.audit.get("/audit/?q=half.done").text
    assert page.count("没有记下结果") == 1
    refused = office.grant("half.done", "officer", division="620100")
    assert refused.status_code == 422


def test_what_the_trail_cannot_keep_is_not_done(running_platform, office: Office) -> None:
    """There is no audit process that could be stopped: the event is a part of the act, and without it there is no act."""

    def alter(change: str) -> None:
        with psycopg.connect(running_platform.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            conn.execute(f"ALTER TABLE ops.audit_event {change}".encode())

    fields = {"username": "un.kept", "label": "监督三科", "division": "610303"}
    alter("ADD CONSTRAINT trail_fails CHECK (subject <> 'un.kept') NOT VALID")
    try:
        assert office.system.post("/accounts/new/", **fields).status_code >= 500
        assert office.system.get("/accounts/un.kept/").status_code == 404
    finally:
        alter("DROP CONSTRAINT trail_fails")
    assert office.system.post("/accounts/new/", **fields).url.path == "/accounts/un.kept/"


@pytest.fixture(scope="module")
def officers(office: Office) -> tuple[Browser, Browser, Browser]:
    """Two officers of the city and one of a county in it."""
    return office.officer("city.one"), office.officer("city.two"), office.officer("county.one", "610303")


@pytest.mark.clause("CECS 6.0.8")
def test_two_officers_suspend_an_organisation_and_let_it_work_again(office: Office, officers, world) -> None:
    one, two, county = officers
    party = world.enrol("suspended.lab", ["institution"])
    worker = office.make("lab.person")
    assert "入了日志" in office.grant("lab.person", "institution", party=party.party).text
    worker.sign_in("lab.person")
    assert worker.get("/acting/").status_code == 200 and worker.get("/reports/").status_code == 200
    address = f"/organisations/{party.party}"
    assert worker.get("/organisations/").status_code == 403
    assert worker.post(f"{address}/propose/", because="x").status_code == 403
    assert county.post(f"{address}/propose/", because="x").status_code == 404  # the city is not the county's
    assert one.post(f"{address}/propose/", because="").status_code == 422
    assert one.post(f"/organisations/{STATION}/propose/", because="x").status_code == 422
    assert "等另一位监督人员复核" in one.post(f"{address}/propose/", because="现场检查发现代签").text
    assert one.post(f"{address}/agree/").status_code == 422  # nobody decides alone
    assert worker.get("/reports/").status_code == 200
    assert two.post(f"{address}/agree/").status_code == 200
    world.wait_for(lambda: worker.get("/reports/").status_code == 403, 60)
    told = worker.post("/view-as/end/", because="刚填的说明文字")
    assert "现场检查发现代签" in told.text and "刚填的说明文字" in told.text
    assert "单位已停用" in worker.get("/acting/").text

    def refused() -> bool:
        return world.request("GET", "/x/v1/changes?after=-1", party).status_code == 403

    world.wait_for(refused, 60)
    assert two.post(f"{address}/propose/", because="整改已核查").status_code == 200
    assert one.post(f"{address}/agree/").status_code == 200
    world.wait_for(lambda: worker.get("/reports/").status_code == 200, 60)
    world.wait_for(lambda: not refused(), 60)
    trail = office.audit.get("/audit/?q=organisation").text
    assert "停用单位" in trail and "恢复单位" in trail


def test_officers_are_put_in_charge_of_projects_with_deputies(office: Office, officers, world) -> None:
    one, two, county = officers
    builders = {role: world.parties[role].party for role in ("owner", "contractor", "resident_engineer_firm")}
    project = world.by_station(
        project_messages.ProjectRegistered,
        name="分工的工程",
        code="FG-1",
        division="610304",
        unit_works=["1# 楼"],
        **builders,
    ).entry.hex()
    world.settle()
    address = f"/charges/{project}/"
    assert "还没有分工" in one.get("/charges/?q=FG-1").text
    shown = re.findall(r'<option value="([0-9a-f]{32})"[^>]*>监督三科（([a-z.]+)）', one.get(address).text)
    person = {name: key for key, name in shown}
    assert "county.one" not in person  # the county does not reach the project
    lead = {"officer": person["city.one"], "part": "lead", "valid_from": "2026-01-01"}
    deputy = {"officer": person["city.two"], "part": "deputy", "valid_from": "2026-02-01"}
    assert county.get(address).status_code == county.post(address, **lead).status_code == 404
    alone = one.post(address, **deputy, valid_until="2026-02-09")
    assert alone.status_code == 422 and "先定主办" in alone.text
    assert one.post(address, **lead).status_code == 200
    world.settle()
    for wrong, word in (
        (lead, "已由"),
        (deputy, "写到哪一天为止"),
        (deputy | {"valid_until": "2026-01-09"}, "早于起始日期"),
        (lead | {"part": "deputy", "valid_until": "2026-03-01"}, "不能就是主办本人"),
        (lead | {"officer": "9" * 32}, "只能分给"),
        (lead | {"valid_from": "30.11.2026"}, "日期写成"),
    ):
        answer = one.post(address, **wrong)
        assert answer.status_code == 422 and word in answer.text, word
    assert one.post(address, **deputy, valid_until="2099-12-31").status_code == 200
    world.settle()
    assert "代办" in one.get("/charges/?q=FG-1").text
    assert "我负责的工程" in two.get("/reports/?view=mine").text
    charge = world.rows("SELECT id FROM fact.charge WHERE project = %s AND part = 'deputy'", [project])[0][
        "id"
    ]
    assert county.post(f"{address}{charge}/end/", because="x").status_code == 404
    assert one.post(f"{address}{charge}/end/", because="").status_code == 422
    assert one.post(f"{address}{charge}/end/", because="提前回岗").status_code == 200
    world.settle()
    assert "代办" not in one.get("/charges/?q=FG-1").text
    assert "终止分工" in office.audit.get("/audit/?q=charge").text


def test_an_account_that_nobody_used_is_stopped_and_an_old_password_is_changed_first(
    running_platform, office: Office
) -> None:
    owner = office.officer("rarely.here")

    def back_date(column: str, days: int) -> None:
        with psycopg.connect(running_platform.platform.conninfo("plumb_web")) as conn:
            conn.execute(
                f"UPDATE web.accounts_account SET {column} = now() - %s * interval '1 day' WHERE username = 'rarely.here'".encode(),
                [days],
            )

    back_date("password_set_at", 181)
    refused = owner.get("/reports/")
    assert refused.status_code == 403 and "密码该换了" in refused.text
    wrong = {"password1": PASSWORD + "-neu", "password2": PASSWORD + "-neu"}
    for old, new in (
        ("falsch", wrong),
        (PASSWORD, dict.fromkeys(wrong, PASSWORD)),
        (PASSWORD, dict.fromkeys(wrong, "kurz")),
    ):
        owner.post("/account/password/change/", oldpassword=old, **new)
        assert (
            owner.get("/reports/").status_code == 403
        )  # a wrong old, the same again, a weak one: still the old password
    changed = owner.post(
        "/account/password/change/",
        oldpassword=PASSWORD,
        password1=PASSWORD + "-neu",
        password2=PASSWORD + "-neu",
    )
    assert changed.status_code == 200
    assert owner.get("/reports/").status_code == 200
    owner.post("/account/logout/")
    for column, days in (("password_set_at", 91), ("last_login", 91), ("created_at", 400)):
        back_date(column, days)
    assert "停用" in owner.sign_in("rarely.here", PASSWORD + "-neu").text
    assert owner.get("/reports/").status_code == 403
    assert "长期没有登录" in office.system.get("/accounts/rarely.here/").text
    office.system.post("/accounts/rarely.here/reactivate/")
    owner.sign_in("rarely.here", PASSWORD + "-neu")
    assert owner.get("/reports/").status_code == 200


def test_a_browser_that_was_closed_takes_no_place(running_platform, office: Office) -> None:
    owner = office.make("many.places")
    owner.sign_in("many.places")
    for _ in range(2):
        Browser(office.system.url).sign_in("many.places")
    assert owner.get("/account/sign-ins/").text.count('name="key"') == 2
    with psycopg.connect(running_platform.platform.conninfo("plumb_web")) as conn:
        conn.execute(
            "UPDATE web.accounts_signin s SET begun_at = begun_at - interval '2 hours', "
            "seen_at = CASE WHEN n = 1 THEN now() ELSE seen_at - interval '2 hours' END "
            "FROM (SELECT key, row_number() OVER (ORDER BY begun_at) AS n FROM web.accounts_signin WHERE account_id = "
            "(SELECT id FROM web.accounts_account WHERE username = 'many.places')) o WHERE o.key = s.key"
        )
    last = Browser(office.system.url)
    last.sign_in("many.places")  # the fourth; two of them nobody has used for hours
    assert owner.get("/account/sign-ins/").text.count('name="key"') == 1
    new = PASSWORD + "-neu"
    owner.post("/account/password/change/", oldpassword=PASSWORD, password1=new, password2=new)
    assert "/account/login/" in str(last.get("/account/sign-ins/").url)


def test_the_owner_sees_every_sign_in_and_ends_the_one_that_is_not_the_own(office: Office) -> None:
    owner = office.make("two.places")
    owner.sign_in("two.places")
    assert "还在别处" not in owner.get("/acting/").text
    thief = Browser(office.system.url)
    thief.sign_in("two.places")
    page = thief.get("/account/sign-ins/").text
    keys = re.findall(r'name="key" value="([0-9a-f]{32})"', page)
    assert len(keys) == 1 and "这一次" in page
    before = owner.client.cookies["plumb_session"]
    more = [Browser(office.system.url) for _ in range(2)]
    Browser(office.system.url).sign_in("two.places", "falsch")
    first, second = [each.sign_in("two.places").text for each in more]
    assert "上次登录：" in first and "此后有 1 次登录没有成功" in first
    assert "上次登录：" in second and "没有成功" not in second
    assert "上次登录" not in more[0].get("/acting/").text  # told once
    crowded = owner.get("/reports/")  # a fourth sign-in has ended the oldest
    assert crowded.status_code == 403 and "同时登录的太多" in crowded.text
    told = more[1].get("/account/sign-ins/").text
    assert told.count('name="key"') == 2 and "/account/logout/" in told
    gone = more[1].client.cookies["plumb_session"]
    left = more[1].post("/account/logout/")
    assert (
        "plumb_session" not in more[1].client.cookies
        and left.history[0].headers["clear-site-data"] == '"cache"'
    )
    more[1].client.cookies.set("plumb_session", gone)
    assert "/account/login/" in str(
        more[1].get("/account/sign-ins/").url
    )  # what was signed out opens nothing
    assert "同时登录太多" in office.audit.get("/audit/?q=two.places").text
    owner.sign_in("two.places")
    assert owner.client.cookies["plumb_session"] != before  # each sign-in is a new session
    owner.post(
        "/account/sign-ins/",
        key=re.findall(r'name="key" value="([0-9a-f]{32})"', owner.get("/account/sign-ins/").text)[0],
    )
    thief.sign_in("two.places")
    keys = re.findall(r'name="key" value="([0-9a-f]{32})"', thief.get("/account/sign-ins/").text)
    stranger = office.make("third.place")
    stranger.sign_in("third.place")
    assert stranger.post("/account/sign-ins/", key=keys[0]).status_code == 404  # another account's
    assert owner.get("/account/sign-ins/").status_code == 200
    assert thief.post("/account/sign-ins/", key=keys[0]).status_code == 200
    ended = owner.get("/reports/")
    assert ended.status_code == 403 and "登录已被结束" in ended.text
    owner.sign_in("two.places")
    assert owner.get("/account/sign-ins/").text.count('name="key"') == 1
    new = PASSWORD + "-neu"
    owner.post("/account/password/change/", oldpassword=PASSWORD, password1=new, password2=new)
    assert "登录已失效" in thief.get("/reports/").text  # a new password ends the other sign-ins
    assert "别处还登录着" in office.audit.get("/audit/?q=two.places").text


def test_the_page_of_the_trail_says_how_far_it_is_sealed(office: Office, running_platform) -> None:
    platform = running_platform.platform
    operator = party_id(operator_of(platform)[0]).hex()
    office.make("to.be.sealed")
    sealing = Sealing(platform.conninfo("plumb_worker"), running_platform.sender(), operator)
    with sealing.connected() as conn:
        sealing.round(conn)
        number, root = conn.execute(
            "SELECT number, encode(root, 'hex') FROM ops.trail_seal ORDER BY number DESC LIMIT 1"
        ).fetchone()
    shown = office.audit.get("/audit/").text
    assert f"最近一次封存：第 {number} 次" in shown and root[:16] in shown
    assert "超过十分钟没有封存" not in shown
    assert audit_trail(platform.conninfo("plumb_gateway")) == []
