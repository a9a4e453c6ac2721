"""The page source over the database (页面数据来源): who asks decides what there is; absent and out of scope look the same."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest

from plumbline.supervision.access.acting import reading_as
from plumbline.supervision.access.principals import ADMINISTRATORS, Principal, Role
from plumbline.supervision.access.sessions import TOUR, demo_is_open, principal_of
from plumbline.supervision.administration import trail
from plumbline.supervision.pages.list_models import ListPage, ListQuery, SearchPage
from plumbline.supervision.pages.lists import LISTS
from plumbline.supervision.pages.number_models import NumbersPage
from plumbline.supervision.pages.ports import Export
from plumbline.supervision.pages.record_models import RecordPage
from plumbline.supervision.pages.view_models import (
    HomePage,
    LiveCurvePage,
    MenuItem,
    Shell,
    StatusPage,
    TracePage,
)
from plumbline.supervision.reading.curve_documents import curve_document
from plumbline.supervision.reading.database import row
from plumbline.supervision.reading.home import home_page
from plumbline.supervision.reading.lists.exports import export_of, taker_of
from plumbline.supervision.reading.lists.listing import KINDS, listing
from plumbline.supervision.reading.lists.search import search_page
from plumbline.supervision.reading.live import live_page
from plumbline.supervision.reading.numbers import numbers_page
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.records.pages import curve_of_test, record_page
from plumbline.supervision.reading.report_facts import load, resolve
from plumbline.supervision.reading.status import status_page
from plumbline.supervision.reading.trace import trace_page
from plumbline.web.accounts.sign_ins import BEFORE, ELSEWHERE, before_text

#: Key of the signed session that binds live tokens to it.
LIVE_SESSION = "live"
_PRODUCTS = {
    Role.OFFICER: "监管端",
    Role.INSTITUTION: "机构端",
    Role.PARTY: "工程端",
    Role.PUBLIC: "公众",
    **dict.fromkeys(ADMINISTRATORS, "管理端"),
}


class DatabasePageSource:
    """Every page from the tables; see `ports.PageSource`."""

    def shell(self, request: HttpRequest) -> Shell:
        """Return menu, person and division of whoever is signed in."""
        principal = principal_of(request)
        # A missing address has its page outside any view: nobody acts and no transaction is open.
        with reading_as(principal):
            (person, capacity), division = _face(principal), _region(principal)
        # Records are for those who have work to see; everybody else looks up a report by its code.
        box = (
            {}
            if principal.sees_work
            else {"search_url": "/v/", "search_name": "code", "search_hint": "监管码"}
        )
        return Shell(
            **box,
            menu=_menu(principal),
            person=person,
            capacity=capacity,
            division=division,
            product=_PRODUCTS[principal.role],
            is_demo=demo_is_open(),
            search_text=request.GET.get("q", "")[:200] if request.path == "/search/" else "",
            found_by=request.GET.get("found", "")[:200],
            sign_out_url=_way_out(principal) or ("/account/logout/" if _has_account(request) else ""),
            sign_in_url=""
            if principal.is_signed_in or _has_account(request) or request.path.startswith("/account/")
            else "/account/login/",
            viewed_by=principal.viewed_by,
            has_account=bool(principal.account),
            elsewhere=int(request.session.get(ELSEWHERE, 0)) if principal.account else 0,
            signed_in_before=before_text(request.session.pop(BEFORE, None)) if _has_account(request) else "",
        )

    def home(self, request: HttpRequest) -> HomePage:
        """Return the first page."""
        page = home_page(principal_of(request))
        return replace(
            page, offers_tour=demo_is_open() and not request.session.get(TOUR, {}).get("is_dismissed")
        )

    def records(self, request: HttpRequest, key: str, query: ListQuery) -> ListPage:
        """Return one page of a list in scope."""
        return listing(principal_of(request), key, query).page()

    def export(self, request: HttpRequest, key: str, query: ListQuery) -> Export:
        """Return every row of the filter; that it was taken is written down before the first is read."""
        principal = principal_of(request)
        asked = {"q": query.text, "view": query.view} | query.filters
        # First, while web's login acts as itself: a reader's role may not write down anything.
        trail.record(
            request,
            taker_of(principal),
            "list.exported",
            key,
            **{name: value for name, value in asked.items() if value},
        )
        return export_of(principal, key, query)

    def search(self, request: HttpRequest, text: str) -> SearchPage:
        """Return what the text names in scope."""
        return search_page(principal_of(request), text)

    def trace(self, request: HttpRequest, number: str) -> TracePage | None:
        """Return the trace of a report by application id, supervision code or report number."""
        return trace_page(principal_of(request), number)

    def curve(self, request: HttpRequest, number: str, specimen: int) -> bytes | None:
        """Return the curve document of a specimen, counted from 1 over the runs of the report."""
        application = resolve(principal_of(request), number)
        facts = load(application) if application else None
        return curve_document(facts, specimen) if facts else None

    def record(self, request: HttpRequest, kind: str, key: str) -> RecordPage | None:
        """Return the page of one record."""
        return record_page(principal_of(request), kind, key)

    def record_curve(self, request: HttpRequest, key: str, specimen: int) -> bytes | None:
        """Return the curve document of a specimen of a test; the rows are read in the reader's own role."""
        return curve_of_test(key, specimen)

    def live(self, request: HttpRequest, test_id: str) -> LiveCurvePage | None:
        """Return the page of a machine's stream with a token of this session."""
        return live_page(principal_of(request), test_id, request.session.get(LIVE_SESSION, ""))

    def numbers(self, request: HttpRequest, year: str, institution: str) -> NumbersPage:
        """Return the series of numbers in scope."""
        return numbers_page(principal_of(request), year, institution)

    def status(self, request: HttpRequest) -> StatusPage:
        """Return how the platform is."""
        return status_page()


def _has_account(request: HttpRequest) -> bool:
    """Whether somebody is signed in, even one who has no role or may not use it now."""
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated


def _way_out(principal: Principal) -> str:
    if principal.account or principal.viewed_by:
        return "/account/logout/"
    return "/demo/sign-out/" if principal.is_signed_in else ""


def _administration(principal: Principal) -> tuple[MenuItem, ...]:
    if principal.role in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN):
        return (MenuItem(label="账号", icon="users", url="/accounts/"),)
    if principal.role is Role.AUDIT_ADMIN:
        return (MenuItem(label="审计记录", icon="list-check", url="/audit/"),)
    if principal.role is Role.OFFICER and principal.account and not principal.viewed_by:
        return (
            MenuItem(label="监督分工", icon="user-check", url="/charges/"),
            MenuItem(label="参与单位", icon="building", url="/organisations/"),
            MenuItem(label="以他人身份查看", icon="eye-check", url="/view-as/"),
        )
    return ()


#: Kind of list → its icon in the menu; under which heading it stands.
_WORK = ("projects", "samples", "tests", "reports", "findings")
_REGISTER = ("institutions", "people", "instruments")


def _tour() -> tuple[MenuItem, ...]:
    return (MenuItem(label="十分钟导览", icon="flag-3", url="/tour/"),) if demo_is_open() else ()


def _lists(principal: Principal, keys: tuple[str, ...]) -> tuple[MenuItem, ...]:
    return tuple(
        MenuItem(label=LISTS[key], icon=KINDS[key].icon, url=f"/{key}/")
        for key in keys
        if principal.role.value in KINDS[key].roles
    )


def _menu(principal: Principal) -> tuple[tuple[str, tuple[MenuItem, ...]], ...]:
    work = list(_lists(principal, _WORK))
    if principal.role in (Role.OFFICER, Role.INSTITUTION):
        work.append(MenuItem(label="编号连续性", icon="list-check", url="/numbers/"))
        work.append(MenuItem(label="数据交换监控", icon="cloud-upload", url="/exchange/"))
        work.append(MenuItem(label="密钥", icon="lock", url="/keys/"))
    if principal.role is Role.PUBLIC:
        work.append(MenuItem(label="申请密钥", icon="lock", url="/keys/apply/"))
    register = _lists(principal, _REGISTER)
    return (
        ("", (MenuItem(label="工作台" if principal.is_signed_in else "首页", icon="home", url="/"),)),
        (
            "监管业务" if principal.role is Role.OFFICER else "检测业务",
            (*work, MenuItem(label="真伪验证", icon="scan", url="/v/")),
        ),
        *((("机构与人员", register),) if register else ()),
        (
            "系统",
            (
                *_tour(),
                *_administration(principal),
                MenuItem(label="运行状态", icon="activity", url="/status/"),
            ),
        ),
    )


def _face(principal: Principal) -> tuple[str, str]:
    """(person, capacity): the person's own name, or the capacity where no person is on record."""
    if not principal.is_signed_in:
        return "", ""
    if principal.account:
        return principal.account, f"{principal.organisation} · {principal.capacity}"
    if not principal.person:
        return principal.capacity, principal.organisation
    names = Names(principal.role)
    names.load([principal.person])
    return names.name(principal.person), f"{principal.organisation} · {principal.capacity}"


def _region(principal: Principal) -> str:
    """Name of the division in the head: the operator's own city where it is that, else the code."""
    division = principal.division
    if not division:
        found = row("SELECT division FROM ops.first_party('platform', '{}')", [])
        division = found["division"] if found else ""
    return region_name(division, demo=settings.PLUMBLINE_PLATFORM.demo)


def region_name(division: str, *, demo: bool) -> str:
    """The division as readers know it; the demo's city is invented and borrows a real code."""
    return "衡川市（虚构）" if demo and division.startswith("6103") else division or "全部"
