"""The first page (首页): role cards in the demo, newest reports and running tests of the reader's scope, three figures."""

from __future__ import annotations

from datetime import UTC, datetime

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.scopes import report_scope
from plumbline.supervision.access.sessions import demo_is_open
from plumbline.supervision.pages.list_models import ListQuery
from plumbline.supervision.pages.view_models import CurveFact, HomePage
from plumbline.supervision.reading.city import city_line
from plumbline.supervision.reading.database import count, row
from plumbline.supervision.reading.demo_roles import role_cards
from plumbline.supervision.reading.lists.listing import listing
from plumbline.supervision.reading.live import live_tests
from plumbline.supervision.reading.status import entries_below
from plumbline.web.formats import grouped_number

NEWEST = 8
_REGISTERED = "SELECT count(*) FROM fact.application a WHERE a.state = 'registered' AND "


def home_page(principal: Principal) -> HomePage:
    """The page. The public sees the cards and figures of the whole platform, never a report."""
    cards = role_cards() if demo_is_open() and not principal.is_signed_in else ()
    city = city_line()
    if not principal.sees_work:
        return HomePage(role_cards=cards, figures=_figures(principal), shows_work=False, city=city)
    newest = listing(principal, "reports", ListQuery()).newest(NEWEST)
    return HomePage(newest=newest, live_tests=live_tests(principal), figures=_figures(principal), city=city)


def _figures(principal: Principal) -> tuple[CurveFact, ...]:
    scope = report_scope(principal)
    whole = row("SELECT registered, runs FROM ops.figures(%s)", [local_date(datetime.now(UTC))]) or {}
    registered = (
        count(_REGISTERED + scope.condition, scope.parameters) if principal.sees_work else whole["registered"]
    )
    size = entries_below(count("SELECT pos FROM fact.position WHERE id = 'projector'", []))
    return (
        CurveFact(label="登记的报告", value=grouped_number(registered), unit="份"),
        CurveFact(label="今天全平台的试验", value=grouped_number(whole["runs"]), unit="组"),
        CurveFact(label="日志条数", value=grouped_number(size), unit="条"),
    )
