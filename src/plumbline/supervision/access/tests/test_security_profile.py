"""The security profile at its borders: one character, one day, one second, one address more or less."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.hashers import identify_hasher, make_password
from django.core.exceptions import ValidationError
from django.test import RequestFactory, override_settings

from plumbline.domain.basics.parameters import MissingParameterError
from plumbline.supervision.access.principals import PUBLIC, Principal, Role
from plumbline.supervision.access.profile import is_listed, network_problem, profile_names, profile_of
from plumbline.supervision.config import DatabasePlace, Operator, Platform, Security, write_platform
from plumbline.supervision.deploy_check import framework_problems, own_problems
from plumbline.supervision.pages import preview

preview.configure()

from plumbline.supervision.access import sessions  # noqa: E402
from plumbline.supervision.access.passwords import ProfileValidator, problem_of  # noqa: E402
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


def test_passwords_are_kept_by_a_memory_hard_function() -> None:
    assert identify_hasher(make_password("x")).algorithm == "scrypt"


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


def test_the_frameworks_deployment_checks_have_nothing_to_say_of_production(tmp_path, monkeypatch) -> None:
    platform = _folder(tmp_path)
    monkeypatch.delenv("PLUMB_PUBLIC_URL", raising=False)
    assert framework_problems(platform) == []
    found = framework_problems(_folder(tmp_path, public_url="http://jc.example.gov.cn"))
    assert any(
        "security.W004" in line for line in found
    )  # the check is alive: plain HTTP is complained about
