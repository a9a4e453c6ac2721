"""The security profile at its borders: one character, one day, one second, one address more or less."""

from __future__ import annotations

import base64
import inspect
import json
import logging
import os
import re
import secrets
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidTag
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.core.handlers.exception import response_for_exception
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.views.defaults import bad_request

from plumbline.domain.basics.parameters import MissingParameterError
from plumbline.supervision.access.principals import PUBLIC, Principal, Role
from plumbline.supervision.access.profile import is_listed, network_problem, profile_names, profile_of
from plumbline.supervision.config import DatabasePlace, Operator, Platform, Security, write_platform
from plumbline.supervision.deploy_check import framework_problems, own_problems
from plumbline.supervision.pages import preview

preview.configure()

from allauth.account import adapter as login_part  # noqa: E402
from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.recovery_codes.internal import auth as recovery  # noqa: E402
from allauth.mfa.totp.internal import auth as totp  # noqa: E402
from allauth.mfa.utils import decrypt, encrypt  # noqa: E402

from plumbline.supervision.access import limits, sessions  # noqa: E402
from plumbline.supervision.access.passwords import ProfileValidator, problem_of  # noqa: E402
from plumbline.supervision.administration import confirmation  # noqa: E402
from plumbline.web.accounts import middleware  # noqa: E402
from plumbline.web.accounts.adapter import AccountAdapter  # noqa: E402
from plumbline.web.accounts.limits import SessionRules  # noqa: E402
from plumbline.web.accounts.models import FORMER, Account  # noqa: E402
from plumbline.web.accounts.sign_ins import before_text  # noqa: E402

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
LEVEL2 = profile_of("等保二级", "610300", TODAY)
ASVS = profile_of("ASVS二级", "610300", TODAY)


def test_there_are_two_sets_and_an_unknown_one_is_refused() -> None:
    assert profile_names() == ["ASVS二级", "等保二级"]
    with pytest.raises(MissingParameterError):
        profile_of("等保九级", "610300", TODAY)
    with pytest.raises(MissingParameterError):
        profile_of("等保二级", "610300", date(2019, 11, 30))  # the day before the standard came into force


@pytest.mark.clause("BJ 8.3.3")
@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("Qianzhui-26", "只有 11 位"),
        ("Qianzhui-266", ""),
        ("qianzhuiqianzhui", "只有 1 类"),
        ("qianzhui-qianzhui", "只有 2 类"),
        ("qianzhui-qianzhu1", ""),
        ("长长的中文密码加上一些Ab", ""),
        ("My-Plumbline-26", "plumbline"),
        ("wang.xt-Qianzhui", "wang.xt"),
        ("监督三科-Qianzhui1", "监督三科"),
        ("x" * 60 + "A1-" + "y" * 65, ""),
    ],
)
def test_a_password_at_the_border_of_the_rule(password: str, told: str) -> None:
    problem = problem_of(password, LEVEL2, "wang.xt", "监督三科")
    assert bool(problem) == bool(told) and told in problem
    assert not problem or LEVEL2.password_rule in problem  # the refusal says the whole rule


def test_the_other_set_asks_for_length_and_not_for_kinds() -> None:
    assert "只有 14 位" in problem_of("q" * 14, ASVS)
    assert problem_of("q" * 15, ASVS) == "" and "类" not in ASVS.password_rule


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
def test_a_password_that_was_used_is_not_taken_again() -> None:
    account = Account(username="wang.xt", label="监督三科", division="610300")
    for number in range(7):
        account.set_password(f"Qianzhui-{number}-Qianzhui")
    assert len(account.former_passwords) == 6 < FORMER
    with override_settings(PLUMBLINE_PLATFORM=SimpleNamespace(profile="等保二级")):
        for number in (6, 2):  # the present one, and the fourth before it
            with pytest.raises(ValidationError, match="用过了"):
                ProfileValidator().validate(f"Qianzhui-{number}-Qianzhui", account)
        ProfileValidator().validate("Qianzhui-1-Qianzhui", account)  # further back than five
        with pytest.raises(ValidationError, match="至少 12 位"):
            ProfileValidator().validate("Qianzhui", account)
    with override_settings(PLUMBLINE_PLATFORM=SimpleNamespace(profile="ASVS二级")):
        ProfileValidator().validate("Qianzhui-5-Qianzhui", account)


@pytest.mark.parametrize(("name", "needed"), [("等保二级", 12), ("ASVS二级", 15)])
def test_the_login_part_asks_the_profile_that_was_chosen(name: str, needed: int) -> None:
    with override_settings(PLUMBLINE_PLATFORM=SimpleNamespace(profile=name)):
        assert limits.failure_limit(RequestFactory().get("/")) == 5
        assert limits.cooling_time() == timedelta(minutes=15)
        rules = limits.session_rules("610300")
        assert (rules.idle_s, rules.absolute_s, rules.concurrent) == (1800, 43200, 3)
        assert name in rules.word and f"至少 {needed} 位" in ProfileValidator().get_help_text()


@pytest.mark.clause("BJ 8.3.3")
def test_passwords_are_kept_by_a_memory_hard_function() -> None:
    long = "Qianzhui-" + "x" * 62
    kept = make_password(long)
    assert identify_hasher(kept).algorithm == "scrypt"
    assert check_password(long, kept)
    assert not check_password(long[:-1], kept) and not check_password(long.upper(), kept)


def test_a_long_password_is_proved_again_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    account = Account(pk=1, username="wang.xt")
    monkeypatch.setattr(
        confirmation, "authenticate", lambda request, **given: seen.append(given["password"]) or account
    )
    monkeypatch.setattr(confirmation, "is_mfa_enabled", lambda account: False)
    monkeypatch.setattr(confirmation, "reset_failures", lambda **given: 0)
    request = RequestFactory().post("/accounts/new/", {"confirm_password": "Qianzhui-" * 40 + " "})
    assert confirmation._problem(request, account) is None
    assert seen == ["Qianzhui-" * 40 + " "]


def test_a_stranger_who_guesses_from_elsewhere_does_not_keep_the_owner_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wrong passwords count by account and address; nothing counts them by the name alone."""
    given = {"username": "wang.xt", "password": "falsch"}
    monkeypatch.setattr(login_part, "authenticate", lambda request, **given: None)
    stranger = RequestFactory().post("/account/login/", headers={"x-forwarded-for": "203.0.113.9"})
    for _ in range(30):
        assert AccountAdapter(stranger).authenticate(stranger, **given) is None
    owner = Account(username="wang.xt")
    monkeypatch.setattr(login_part, "authenticate", lambda request, **given: owner)
    request = RequestFactory().post("/account/login/", headers={"x-forwarded-for": "10.1.2.3"})
    assert AccountAdapter(request).authenticate(request, **given) is owner


def test_an_error_that_nobody_foresaw_is_logged_and_the_page_tells_nothing_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = RequestFactory().get("/reports/")
    with caplog.at_level(logging.ERROR, "django.request"):
        answer = response_for_exception(request, RuntimeError("geheim 42"))
    told = answer.content.decode()
    assert answer.status_code == 500 and "平台出错了" in told and "geheim" not in told
    assert [each.exc_info[1].args for each in caplog.records if each.exc_info] == [("geheim 42",)]
    refused = bad_request(request, RuntimeError("geheim 42"))
    assert refused.status_code == 400 and "请求不对" in refused.content.decode()


@pytest.mark.clause("BJ 8.3.3")
@pytest.mark.parametrize(("days", "is_old"), [(180, False), (181, True)])
def test_a_password_is_changed_after_its_days(days: int, is_old: bool) -> None:
    assert LEVEL2.is_password_old(NOW - timedelta(days=days), NOW) is is_old
    assert not ASVS.is_password_old(NOW - timedelta(days=9999), NOW)
    assert not LEVEL2.is_password_old(None, NOW)


@pytest.mark.parametrize(("days", "is_dormant"), [(90, False), (91, True)])
def test_an_account_is_dormant_after_its_days(days: int, is_dormant: bool) -> None:
    assert LEVEL2.is_dormant(NOW - timedelta(days=days), NOW) is is_dormant


def test_a_session_ends_when_idle_and_when_too_old_and_says_which() -> None:
    rules = SessionRules(idle_s=1800, absolute_s=43200)
    assert rules.ended_because(since=0, seen=1000, now=2800) == ""
    assert "30 分钟没有操作" in rules.ended_because(since=0, seen=1000, now=2801)
    assert rules.ended_because(since=0, seen=43200, now=43200) == ""
    assert "满 12 小时" in rules.ended_because(since=0, seen=43201, now=43201)
    assert rules.ended_because(since=1060, seen=1060, now=1000) == ""
    assert "在将来" in rules.ended_because(since=1061, seen=1000, now=1000)


@pytest.mark.parametrize(
    ("address", "is_on"),
    [
        ("10.1.2.255", True),
        ("10.1.3.0", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", False),
        ("", False),
        ("10.1.2.3, 10.9.9.9", False),
        ("zufällig", False),
    ],
)
def test_an_administrator_acts_from_a_listed_address_only(
    monkeypatch: pytest.MonkeyPatch, address: str, is_on: bool
) -> None:
    listed = ("10.1.2.0/24", "192.0.2.7")
    assert is_listed(address, listed) is is_on and is_listed(address, ())
    request = RequestFactory().get("/accounts/", headers={"x-forwarded-for": address})
    request.META["REMOTE_ADDR"] = "203.0.113.1"  # this process's peer is the gateway
    with override_settings(PLUMBLINE_PLATFORM=SimpleNamespace(admin_addresses=listed, profile="等保二级")):
        assert sessions.may_administer_from(request, Role.OFFICER)
        assert sessions.may_administer_from(request, Role.AUDIT_ADMIN) is is_on
        monkeypatch.setattr(sessions, "_granted", lambda account, grant: None)
        admin = Principal(role=Role.SYSTEM_ADMIN, division="610300", account="wang.xt")
        monkeypatch.setattr(sessions, "_principal", lambda account, found: admin)
        monkeypatch.setattr(sessions, "is_mfa_enabled", lambda account: True)
        request.session, request.user = {}, SimpleNamespace(is_authenticated=True)  # type: ignore[assignment]
        acts_as = sessions.principal_of(request)
    assert acts_as == (admin if is_on else PUBLIC)
    assert is_on or request.address_refused == (address or "203.0.113.1")  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["10.1.2.3/24", "0.0.0.0/0", "::/0", "office", "", "10.1.2.256"])
def test_a_list_that_is_none_is_refused_with_the_remedy(text: str) -> None:
    assert network_problem(text)
    assert network_problem("10.1.2.0/24") == network_problem("2001:db8::/32") == ""


def test_the_sign_in_before_is_told_with_what_was_refused_since() -> None:
    told = {"at": "2026-11-19T01:02:03+00:00", "address": "10.1.2.3", "failures": 2}
    assert before_text(told) == "上次登录：2026-11-19 09:02，地址 10.1.2.3，此后有 2 次登录没有成功。"
    assert "没有成功" not in before_text(told | {"failures": 0}) and before_text(None) == ""


def _folder(tmp_path, **chosen) -> Platform:
    operator = Operator("12610300MB2A00001X", "衡川市质监站", "610300")
    given = {"origin": "log.example", "public_url": "https://jc.example.gov.cn", "demo": False} | chosen
    given["security"] = given.get("security", Security())
    write_platform(tmp_path, operator=operator, **given)
    roles = ("plumb_migrate", "plumb_gateway", "plumb_projector", "plumb_web", "plumb_worker")
    (tmp_path / "secrets.json").write_text(json.dumps(dict.fromkeys(roles, "x")))
    (tmp_path / "secrets.json").chmod(0o600)
    platform = Platform.open(tmp_path, DatabasePlace(host="127.0.0.1", port=1, name="none"))
    (platform.folder("keys") / "kek.bin").write_bytes(b"k" * 32)
    return platform


def test_what_the_operator_chose_stays_until_chosen_anew(tmp_path) -> None:
    assert _folder(tmp_path).profile == "等保二级"
    chosen = Security("ASVS二级", ("10.1.2.0/24",))
    operator = Operator("x", "y", "610300")
    given = {"origin": "log.example", "public_url": "https://x", "demo": False, "operator": operator}
    assert write_platform(tmp_path, **given, security=chosen) == {
        "profile": "ASVS二级",
        "admin_addresses": "10.1.2.0/24",
    }
    assert write_platform(tmp_path, **given, security=chosen) == {}
    assert write_platform(tmp_path, **given) == {}
    kept = Platform.open(tmp_path, DatabasePlace(host="h", port=1, name="n"))
    assert kept.profile == "ASVS二级" and kept.admin_addresses == ("10.1.2.0/24",)


def test_what_stands_against_production_is_named_with_its_remedy(tmp_path) -> None:
    platform = _folder(tmp_path, public_url="http://jc.example.gov.cn")
    (tmp_path / "secrets.json").chmod(0o644)
    told = "\n".join(own_problems(platform))
    for word in ("不是 HTTPS", "--admin-address", "chmod go-rwx"):
        assert word in told
    (tmp_path / "secrets.json").chmod(0o600)
    assert own_problems(_folder(tmp_path, security=Security(None, ("10.1.2.0/24",)))) == []


@pytest.fixture(scope="module")
def production(tmp_path_factory) -> dict[str, object]:
    """What a production platform's own settings say, and what the framework's deployment checks say of them."""
    platform = _folder(tmp_path_factory.mktemp("production"))
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SESSION_COOKIE_HTTPONLY "
    names += "CSRF_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE CSRF_COOKIE_SAMESITE ALLOWED_HOSTS DEBUG SILENCED_SYSTEM_CHECKS "
    names += "SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS"
    ask = (
        "import json, django; django.setup(); from plumbline.supervision import settings as s; "
        "from django.core.checks import run_checks; from plumbline.supervision.reading import views as v; "
        f"told = {{name: getattr(s, name) for name in {names!r}.split()}}; "
        "found = [each.id for each in run_checks(include_deployment_checks=True) if not each.is_silenced()]; "
        "print(json.dumps(told | {'found': found, 'live': [v._LIVE_COOKIE, v._LIVE_PATH]}))"
    )
    settings = {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    env = os.environ | platform.environment() | settings
    done = subprocess.run([sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_frameworks_deployment_checks_have_nothing_to_say_of_production(production, tmp_path) -> None:
    assert production["found"] == [] and production["DEBUG"] is False
    assert production["SILENCED_SYSTEM_CHECKS"] == [
        "security.W021"
    ]  # the preload list is the domain owner's affair
    assert production["SECURE_SSL_REDIRECT"] is True and production["SECURE_HSTS_SECONDS"] == 31536000
    found = framework_problems(_folder(tmp_path, public_url="http://jc.example.gov.cn"))
    assert any(
        "security.W004" in line for line in found
    )  # the command is alive: plain HTTP is complained about


def test_over_https_cookies_are_bound_to_this_host(production) -> None:
    assert production["SESSION_COOKIE_NAME"] == "__Host-plumb_session"
    assert production["CSRF_COOKIE_NAME"] == "__Host-plumb_csrf"
    assert production["live"] == ["__Host-plumb_live", "/"]
    for name in ("SESSION", "CSRF"):
        assert production[f"{name}_COOKIE_SECURE"] is production[f"{name}_COOKIE_HTTPONLY"] is True
        assert production[f"{name}_COOKIE_SAMESITE"] == "Lax"
    assert production["ALLOWED_HOSTS"] == ["jc.example.gov.cn", "127.0.0.1", "localhost", "[::1]"]


def test_the_session_middleware_ends_an_idle_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []
    monkeypatch.setattr(middleware, "logout", ended.append)
    monkeypatch.setattr(middleware, "why_ended", lambda key: "")
    used: list[object] = []
    monkeypatch.setattr(middleware, "note_use", used.append)
    now = int(time.time())

    def answer(**session: int) -> str:
        request = RequestFactory().get("/reports/")
        request.session = {"_auth_user_id": "1", **session}  # type: ignore[assignment]
        request.user = SimpleNamespace(is_authenticated=True, division="610300")  # type: ignore[assignment]
        middleware.SessionLimits(lambda each: HttpResponse())(request)
        return str(request.ended_because)  # type: ignore[attr-defined]

    assert answer(since=now - 60, seen=now - 1700) == "" and not ended and len(used) == 1
    assert answer(since=now - 60, seen=now - 5, noted=now - 5) == "" and len(used) == 1  # once a minute
    assert "没有操作" in answer(since=now - 7200, seen=now - 1900) and len(ended) == 1
    assert "满 12 小时" in answer(since=now - 43300, seen=now) and len(ended) == 2 and len(used) == 1


def test_a_link_to_set_a_password_ends_after_two_days(monkeypatch: pytest.MonkeyPatch) -> None:
    account, made = Account(pk=1, username="wang.xt", password="!"), datetime(2026, 11, 20, 8)  # noqa: DTZ001
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: made)
    token = PasswordResetTokenGenerator().make_token(account)
    for seconds, holds in ((48 * 3600, True), (48 * 3600 + 1, False)):
        monkeypatch.setattr(
            PasswordResetTokenGenerator, "_now", lambda self, s=seconds: made + timedelta(seconds=s)
        )
        assert PasswordResetTokenGenerator().check_token(account, token) is holds
    account.password = "another"
    assert not PasswordResetTokenGenerator().check_token(account, token)


def test_a_code_of_the_authenticator_counts_once_and_for_half_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []
    real = secrets.token_bytes
    monkeypatch.setattr(secrets, "token_bytes", lambda size: drawn.append(size) or real(size))
    secret = totp.generate_totp_secret()
    assert drawn == [20]  # 160 bits of the system's generator
    factor = totp.TOTP(Authenticator(user_id=7, data={"secret": encrypt(secret)}))
    at = [1_800_000_000.0]
    monkeypatch.setattr(totp.time, "time", lambda: at[0])
    code = totp.format_hotp_value(totp.hotp_value(secret, int(at[0]) // 30))
    assert factor.validate_code(code) and not factor.validate_code(code)
    later = totp.format_hotp_value(totp.hotp_value(secret, int(at[0]) // 30 + 1))
    assert not factor.validate_code(later)  # not before its time
    at[0] += 60
    assert not factor.validate_code(later)  # nor after it
    seed = recovery.RecoveryCodes.generate_seed()
    codes = recovery.RecoveryCodes(
        Authenticator(data={"seed": encrypt(seed), "used_mask": 0})
    ).generate_codes()
    assert len(seed) == 80 and len(set(codes)) == len(codes) >= 8 and min(map(len, codes)) >= 8


def test_a_sealed_secret_that_was_changed_is_refused() -> None:
    sealed = base64.b64decode(encrypt("geheim"))
    assert b"geheim" not in sealed
    with pytest.raises(InvalidTag):
        decrypt(base64.b64encode(sealed[:-1] + bytes([sealed[-1] ^ 1])).decode())


def test_acts_are_done_by_post_only() -> None:
    """Every address whose name tells of an act answers GET with 405, once the role is right."""
    urls = import_module("plumbline.supervision.urls")
    acts = [each for each in urls.urlpatterns if str(each.name).endswith(("-act", "-end"))]
    assert len(acts) >= 6
    for each in acts:
        view = inspect.unwrap(each.callback)
        assert "require_http_methods" in repr(each.callback) or _refuses_get(each.callback, view), each.name


def _refuses_get(callback: object, view: object) -> bool:
    """Whether the declared view, under its rule, is wrapped to take POST alone."""
    source = inspect.getsource(inspect.getmodule(view))  # type: ignore[arg-type]
    name = view.__name__  # type: ignore[attr-defined]
    return re.search(rf"@require_POST\ndef {name}\(", source) is not None
