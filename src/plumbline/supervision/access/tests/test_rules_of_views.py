"""Every view declares who may ask; the stranger cannot; role cards exist in the demo only."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.test import Client, override_settings

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages import preview, samples
from plumbline.supervision.pages.pages import page_source

preview.configure()
urls = import_module("plumbline.supervision.urls")
DEMO = SimpleNamespace(demo=True, origin="demo.hengchuan")
CLOSED = [
    SimpleNamespace(demo=False, origin="demo.hengchuan"),
    SimpleNamespace(demo=True, origin="hengchuan"),
]
PARTY = "cd" * 16
#: Those whose acts change what others may do: the three administrators.
KEEPERS = {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN}
READ_ONLY = {"account_list", "account_detail", "audit_trail", "audit_export"}


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Why an organisation is suspended, by party; empty while all work."""
    told: dict[str, str] = {}
    monkeypatch.setattr("plumbline.supervision.access.sessions.stopped", lambda party: told.get(party, ""))
    return told


@pytest.fixture
def client(stopped: dict[str, str]) -> Iterator[Client]:
    page_source.cache_clear()
    with override_settings(
        ROOT_URLCONF="plumbline.supervision.urls",
        PLUMBLINE_PAGE_SOURCE="plumbline.supervision.pages.sample_source.SampleSource",
        PLUMBLINE_PLATFORM=DEMO,
        SECRET_KEY="for tests only",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=[
            "plumbline.web.middleware.SecurityHeaders",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        ALLOWED_HOSTS=["*"],
    ):
        yield Client()
    page_source.cache_clear()


def act_as(client: Client, role: Role) -> None:
    session = client.session
    session["principal"] = Principal(role=role, party=PARTY, division="610300").as_session()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key


@pytest.mark.parametrize("pattern", urls.urlpatterns, ids=lambda pattern: pattern.name)
def test_every_view_declares_its_rule(pattern: object) -> None:
    assert getattr(pattern.callback, "allowed_roles", None), "这个视图没有写 @allow"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "address",
    [
        "/reports/",
        "/reports/export.csv",
        "/findings/",
        "/people/export.csv",
        "/search/?q=x",
        f"/reports/{samples.NUMBER}/curves/1.json",
        f"/reports/x/pictures/{'a' * 64}",
        "/live-tests/t1/",
        "/numbers/",
        f"/reports/{samples.NUMBER}/bundle.zip",
    ],
)
def test_the_stranger_is_refused_and_told_where_to_verify(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 403
    assert 'href="/v/"' in answer.content.decode()
    assert samples.CODE not in answer.content.decode()


@pytest.mark.parametrize("address", ["/", "/status/", "/healthz/"])
def test_the_public_pages_are_open(client: Client, address: str) -> None:
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("platform", CLOSED)
@pytest.mark.parametrize("address", ["/tour/", "/tour/changed.pdf", "/tour/stops/verify/", "/demo/city/"])
def test_outside_the_demo_there_is_no_tour(client: Client, platform: SimpleNamespace, address: str) -> None:
    with override_settings(PLUMBLINE_PLATFORM=platform):
        assert client.get(address).status_code == 404
        assert client.post("/tour/enter/trace/").status_code == 404
        assert client.post("/tour/dismiss/").status_code == 404


@pytest.mark.parametrize("role", [Role.OFFICER, Role.INSTITUTION, Role.PARTY])
def test_whoever_is_signed_in_reaches_the_list(client: Client, role: Role) -> None:
    act_as(client, role)
    assert client.get("/reports/").status_code == 200


@pytest.mark.parametrize("role", [Role.INSTITUTION, Role.PARTY])
def test_whoever_acts_for_a_suspended_organisation_is_told_so_and_sees_nothing(
    client: Client, stopped: dict[str, str], role: Role
) -> None:
    act_as(client, role)
    stopped[PARTY] = "整改期间"
    answer = client.get("/reports/")
    assert answer.status_code == 403 and "整改期间" in answer.content.decode()
    assert client.get("/").status_code == 200  # as the public
    assert samples.CODE not in client.get("/").content.decode()


def test_what_was_typed_is_offered_for_copying_and_passwords_are_not(
    client: Client, stopped: dict[str, str]
) -> None:
    act_as(client, Role.INSTITUTION)
    stopped[PARTY] = "整改期间"
    typed = {"because": "三层柱补做一组", "password": "geheim-und-lang", "grant": "ab" * 16}
    page = client.post("/view-as/end/", typed).content.decode()
    assert "三层柱补做一组" in page and "没有保存" in page
    assert "geheim" not in page and "ab" * 16 not in page


@pytest.mark.parametrize(
    "pattern",
    [each for each in urls.urlpatterns if set(each.callback.allowed_roles) <= KEEPERS],
    ids=lambda pattern: pattern.name,
)
def test_what_an_administrator_changes_is_confirmed_first(pattern: object) -> None:
    view = pattern.callback.__wrapped__  # type: ignore[attr-defined]
    is_read = getattr(view, "__name__", "") in READ_ONLY
    assert is_read or getattr(view, "asks_again", False), "管理操作要先再次确认身份：用 confirmed"


DECIDES = ("organisation-act", "charge-project", "charge-end", "key-application-act", "key-act")


@pytest.mark.parametrize("name", DECIDES)
def test_what_an_officer_decides_about_others_is_confirmed_first(name: str) -> None:
    pattern = next(each for each in urls.urlpatterns if each.name == name)
    assert pattern.callback.__wrapped__.asks_again


@pytest.mark.parametrize("address", ["/live-tests/t1/", "/numbers/", "/findings/"])
def test_a_party_sees_neither_machines_nor_numbers(client: Client, address: str) -> None:
    act_as(client, Role.PARTY)
    answer = client.get(address)
    assert answer.status_code == 403
    assert "您现在的角色看不了这一页" in answer.content.decode()  # signed in: not that it had to sign in


@pytest.mark.parametrize("role", [Role.OFFICER, Role.INSTITUTION])
def test_officer_and_institution_see_the_numbers(client: Client, role: Role) -> None:
    act_as(client, role)
    assert "编号连续性" in client.get("/numbers/").content.decode()


def test_the_refused_visitor_of_the_demo_is_offered_the_cards_and_comes_back(client: Client) -> None:
    page = client.get("/reports/").content.decode()
    assert "请选一个角色" in page
    assert '<input type="hidden" name="next" value="/reports/">' in page


@pytest.mark.parametrize("platform", CLOSED)
def test_outside_the_demo_the_refused_visitor_is_told_to_sign_in(
    client: Client, platform: SimpleNamespace
) -> None:
    with override_settings(PLUMBLINE_PLATFORM=platform):
        page = client.get("/reports/").content.decode()
    assert "请用单位账号登录" in page
    assert 'name="next"' not in page


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/reports/x/", "/reports/x/"),
        ("/numbers/?year=2026", "/numbers/?year=2026"),
        ("", "/"),
        ("/healthz/", "/"),
        ("//elsewhere.example/reports/", "/"),
        ("https://elsewhere.example/reports/", "/"),
    ],
)
def test_a_card_leads_back_to_our_own_pages_only(
    client: Client, monkeypatch: pytest.MonkeyPatch, wanted: str, target: str
) -> None:
    officer = Principal(role=Role.OFFICER, division="610300")
    monkeypatch.setattr("plumbline.supervision.reading.sign_in.principal_for", lambda key: officer)
    answer = client.post("/demo/sign-in/officer/", {"next": wanted})
    assert (answer.status_code, answer.headers["Location"]) == (303, target)


def test_the_live_page_binds_its_cookie_to_the_stream_path(client: Client) -> None:
    act_as(client, Role.OFFICER)
    cookie = client.get("/live-tests/t1/").cookies["plumb_live"]
    assert (cookie["path"], cookie["samesite"], bool(cookie["httponly"])) == ("/live", "Lax", True)


@pytest.mark.parametrize("platform", CLOSED)
def test_outside_the_demo_there_is_no_card_to_enter_by(client: Client, platform: SimpleNamespace) -> None:
    with override_settings(PLUMBLINE_PLATFORM=platform):
        assert client.post("/demo/sign-in/officer/").status_code == 404


@pytest.mark.parametrize("platform", CLOSED)
def test_a_demo_session_counts_for_nothing_outside_the_demo(
    client: Client, platform: SimpleNamespace
) -> None:
    act_as(client, Role.OFFICER)
    with override_settings(PLUMBLINE_PLATFORM=platform):
        assert client.get("/reports/").status_code == 403


def test_a_forged_session_cookie_is_the_public(client: Client) -> None:
    act_as(client, Role.OFFICER)
    client.cookies[settings.SESSION_COOKIE_NAME] = (
        client.cookies[settings.SESSION_COOKIE_NAME].value[:-1] + "x"
    )
    assert client.get("/reports/").status_code == 403


def test_entering_and_leaving_need_the_form_token(client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/demo/sign-in/officer/").status_code == 403
    assert strict.post("/demo/sign-out/").status_code == 403


def test_a_card_is_entered_by_post_only(client: Client) -> None:
    assert client.get("/demo/sign-in/officer/").status_code == 405
