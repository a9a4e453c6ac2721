"""Every address that can change something is tried, and what it left is looked at (每个改动地址都有审计事件, GB/T 22239 7.1.4.3-a).

Made from the URLconf of web and the routes of the gateway: an address without an exercise fails by its name. The right person does the
act over HTTP; then exactly the events of the audit trail, or the entries of the log, that it owes are there. What owes none says why,
and is held to have changed nothing. What is refused is tried too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import acts_of_parties
import acts_of_people
import pytest
from addresses import ACTS, OPERATIONS, URLS, undeclared, unsafe_methods, unsafe_operations, unsafe_pages
from browsing import Browser
from django.test import RequestFactory
from django.urls import path as route
from django.urls import reverse
from key_forms import open_visitors
from traces import EXERCISES, REFUSALS, Event, Stage

from plumbline.supervision.access.principals import Role

SYSTEM, SECURITY = acts_of_people.SYSTEM, acts_of_people.SECURITY
pytestmark = [pytest.mark.service, pytest.mark.slow]
PAGES = list(unsafe_pages(URLS))
CALLS = list(unsafe_operations(OPERATIONS))
PATTERNS = {each.name: each for each in URLS}
#: Open to everybody, and without anything that could be refused but a form without its token.
NEVER_REFUSED = {
    "demo-sign-out": "没有角色时退出，什么也没有发生",
    "tour-dismiss": "只是把自己首页上的一行收起或放回",
    "account_logout": "没有登录时退出，什么也没有发生",
}


@pytest.fixture(scope="module")
def stage(world, office) -> Iterator[Stage]:
    made = Stage(world=world, office=office, visitors=open_visitors(world.url))
    assert made.one and made.two  # an act that is looked at must not be the first to need them
    yield made
    made.close()
    for each in made.visitors.values():
        each.http.close()


# --- made from the lists ---


@pytest.mark.parametrize("address", [*PAGES, *CALLS])
def test_every_unsafe_address_leaves_what_it_owes(stage, address: str) -> None:
    assert address in EXERCISES, f"{address} can change something and has no exercise"
    stage.address, looked = address, stage.looked
    EXERCISES[address](stage)
    assert stage.looked > looked, f"nobody looked at what {address} left"


def test_no_exercise_is_left_of_an_address_that_is_gone() -> None:
    assert undeclared(EXERCISES, dict.fromkeys([*PAGES, *CALLS])) == []
    assert undeclared([*REFUSALS, *NEVER_REFUSED], PATTERNS) == []
    assert undeclared(ACTS, PATTERNS) == []


def test_a_new_unsafe_address_without_exercise_is_found() -> None:
    """The rule can fail: a view that says nothing of methods, a new act of an office, and a new operation of the gateway."""

    def anything(request):
        raise AssertionError

    new = [
        route("projects/merge/", anything, name="project-merge"),
        route("x/<slug:act>/", anything, name="x-act"),
    ]
    names = [*unsafe_pages([*URLS, *new]), *unsafe_operations([*OPERATIONS, "DELETE /x/v1/entries/{entry}"])]
    assert undeclared(names, EXERCISES) == ["DELETE /x/v1/entries/{entry}", "project-merge", "x-act/?"]


def test_what_was_not_left_and_what_was_left_beside_is_found(stage) -> None:
    """The looks can fail: an event that is not there, one too many, a row that changed and stands nowhere."""
    stage.address = "account-new"
    with pytest.raises(AssertionError), stage.leaves(Event("account.made", SYSTEM, None)):
        pass
    with pytest.raises(AssertionError), stage.leaves():
        stage.account()
    with pytest.raises(AssertionError), stage.leaves_nothing("建立账号要有事件"):
        stage.account()
    with pytest.raises(AssertionError), stage.leaves_nothing("改了岗位，没有记"):
        stage.change_unseen("UPDATE web.accounts_account SET label = '别的' WHERE username = 'trace.one'")


def test_a_page_that_is_called_safe_answers_405() -> None:
    """What the lists leave out cannot be posted to: asked behind the rule who may, so that only the method decides."""
    for pattern in URLS:
        if not unsafe_methods(pattern.callback) and not hasattr(pattern.callback, "view_class"):
            for method in ("post", "put", "patch", "delete"):
                request = getattr(RequestFactory(), method)("/")
                assert pattern.callback.__wrapped__(request).status_code == 405, pattern.name


# --- refused ---


def _address_of(name: str, act: str = "x") -> str:
    """An address of this name; where a record should be named, none that is there."""
    names = PATTERNS[name].pattern.converters
    kwargs = {each: act if each == "act" else "x" for each in names}
    return reverse(name, urlconf="plumbline.supervision.urls", kwargs=kwargs)


LIMITED = sorted(
    {each.partition("/")[0] for each in PAGES}
    - {n for n, p in PATTERNS.items() if Role.PUBLIC in p.callback.allowed_roles}
)


@pytest.mark.parametrize("name", LIMITED)
def test_an_account_that_may_not_go_there_is_written_down(stage, name: str) -> None:
    stage.address, allowed = name, PATTERNS[name].callback.allowed_roles
    who, account = (stage.one, "trace.one") if Role.OFFICER not in allowed else (stage.office.system, SYSTEM)
    with stage.leaves(Event("access.refused", account, name, "refused")):
        assert who.post(_address_of(name)).status_code == 403


@pytest.mark.parametrize("act", list(ACTS["account-act"]))
def test_one_office_at_the_other_ones_work_is_written_down(stage, act: str) -> None:
    stage.address, name = "account-act", stage.account()
    own, other = (stage.office.system, SYSTEM), (stage.office.security, SECURITY)
    does = ACTS["account-act"][act][0]  # type: ignore[index]
    who, account = other if does is Role.SYSTEM_ADMIN else own
    with stage.leaves(Event("access.refused", account, "account-act", "refused")):
        assert who.post(f"/accounts/{name}/{act}/", because="x").status_code == 403


@pytest.mark.parametrize("name", sorted({each.partition("/")[0] for each in PAGES}))
def test_an_accounts_form_without_its_token_is_written_down(stage, name: str) -> None:
    """Whatever the page: it may have been made elsewhere, to be sent by a browser that is signed in."""
    stage.address = name
    with stage.leaves(Event("access.refused", "trace.one", name, "refused")):
        answer = stage.one.client.post(_address_of(name))
    assert answer.status_code == 403 and "没有带本次会话的令牌" in answer.text


def test_who_looks_with_other_eyes_and_acts_is_written_down(stage) -> None:
    stage.one.post("/view-as/", party=stage.world.cast.party("institution"))
    stage.address = "exports"
    with stage.leaves(Event("access.refused", "trace.one", "exports", "refused")):
        answer = stage.one.post("/exports/", list="reports", view="all")
    assert answer.status_code == 403 and "不能改动" in answer.text
    stage.one.post("/view-as/end/")


def test_nobody_without_account_changes_anything(stage) -> None:
    """By design no events: a passer-by is nobody who could be named, and could fill the trail."""
    stranger = Browser(stage.world.url)
    stranger.get("/account/login/")
    with stage.leaves_nothing("没有账号的人没有名字可记；表单不到任何页面"):
        for each in PAGES:
            name, _, act = each.partition("/")
            address = _address_of(name, act)
            assert stranger.client.post(address).status_code == 403, each
            if name in LIMITED:
                assert stranger.post(address).status_code == 403, each


@pytest.mark.parametrize(
    "name", sorted({each.partition("/")[0] for each in PAGES} - set(LIMITED) - set(NEVER_REFUSED))
)
def test_what_is_refused_at_an_open_page_leaves_what_is_promised(stage, name: str) -> None:
    assert name in REFUSALS, f"{name} is open to everybody: say what a refusal leaves"
    stage.address, looked = name, stage.looked
    REFUSALS[name](stage)
    assert stage.looked > looked


@pytest.mark.parametrize("call", [each for each in CALLS if "/complaints" not in each])
def test_an_unsigned_or_unknown_sender_at_the_gateway_is_written_down(stage, call: str) -> None:
    stage.address, world = call, stage.world
    method, _, path = call.partition(" ")
    address, body = re.sub(r"\{\w+\}", "x1", path), acts_of_parties.body_for(stage, call)
    with stage.leaves(Event("gateway.refused", "", method, "signature-missing")):
        answer = world.http.request(method, world.url + address, content=body)
        world.refused(answer, 401, "signature-missing")
    unknown = world.new_signer("trace.nobody")
    with stage.leaves(Event("gateway.refused", unknown.key_id, method, "key-unknown")):
        answer = world.request(method, address, world.parties["contractor"], body, signer=unknown)
        world.refused(answer, 401, "key-unknown")


def test_a_complaint_about_no_report_leaves_nothing(stage) -> None:
    with stage.leaves_nothing("没有这个码，没有可以反映的报告；查不到的码谁都可以问"):
        answer = stage.world.http.post(
            f"{stage.world.url}/v/2611HC0AAAAAAAAAAAAAA/complaints", data={"note": "x"}
        )
        assert answer.status_code == 404
