"""Pages of the three administrators, and how an account chooses what it acts as (账号管理页面)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import urlsafe_base64_decode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from plumbline.exchange.problems import Problem
from plumbline.supervision.access.grants import grants_of
from plumbline.supervision.access.principals import NEED_SECOND_FACTOR, Role
from plumbline.supervision.access.profile import profile_at
from plumbline.supervision.access.refusal import note_refused, refused
from plumbline.supervision.access.sessions import (
    GRANT,
    VIEWED,
    begin_acting,
    may_administer_from,
    principal_of,
)
from plumbline.supervision.administration import queries, services, trail
from plumbline.supervision.administration.services import AdministrationRefused
from plumbline.supervision.administration.shell import SeeOther, page
from plumbline.web.accounts.adapter import client_address
from plumbline.web.accounts.models import Account
from plumbline.web.spreadsheet import CONTENT_TYPE, csv_lines

_ACCOUNTS = ("账号", "/accounts/")


#: Where an administrator's work begins; the others have their workbench.
_FIRST_PAGES = {"system_admin": "/accounts/", "security_admin": "/accounts/", "audit_admin": "/audit/"}


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What may not be done, with the reason that was given. The request's own transaction is rolled back; that it was asked is kept."""
    note_refused(request)
    return page(request, "forbidden", {"because": str(exception)}, ("不能这样做", ""), status=403)


def without_token(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that holds no token of its session: of a page left open for long, or made elsewhere. No view has seen it."""
    note_refused(request)
    because = (
        "这张表单没有带本次会话的令牌：可能登录已换过，或不是从本平台的页面提交的。请回到那一页刷新后重填"
    )
    return page(request, "forbidden", {"because": because}, ("不能这样做", ""), status=403)


@require_http_methods(["GET", "POST"])
def acting(request: HttpRequest) -> HttpResponse:
    """For which organisation and in which role the signed-in account acts; one role is taken without asking."""
    if not request.user.is_authenticated:
        return SeeOther("/account/login/")
    account: Account = request.user  # type: ignore[assignment]
    grants = grants_of(account)
    wanted = request.POST.get("grant", "") if request.method == "POST" else ""
    if not wanted and len(grants) == 1 and not grants[0].stopped and GRANT not in request.session:
        wanted = grants[0].id
    chosen = next((each for each in grants if each.id == wanted), None)
    if chosen is None or chosen.stopped:
        if wanted and chosen is None:
            raise Http404
        return page(request, "acting", {"grants": grants, "account": account}, ("选择角色", "/acting/"))
    if chosen.role in NEED_SECOND_FACTOR and not is_mfa_enabled(account):
        return SeeOther("/account/2fa/totp/activate/")
    if not may_administer_from(request, chosen.role):
        where = client_address(request)
        trail.record(
            request, account.username, "session.address_refused", chosen.id, "refused", address=where
        )
        problem = f"您的地址 {where} 不在管理员来源地址名单里，不能以{chosen.word}办事：请到名单里的终端上办理，或请运维加进名单"
        context = {"grants": grants, "account": account, "problem": problem}
        return page(request, "acting", context, ("选择角色", "/acting/"), status=403)
    if VIEWED in request.session:
        trail.record(request, account.username, "view_as.ended", "")
    before = str(request.session.get(GRANT, ""))
    begin_acting(request, chosen.id)
    told = {"role": chosen.role, "for": chosen.organisation, "before": before}
    trail.record(request, account.username, "session.acts_as", chosen.id, **told)
    return SeeOther(_FIRST_PAGES.get(chosen.role, "/"))


@require_safe
def account_list(request: HttpRequest) -> HttpResponse:
    """The accounts of the administrator's division and below."""
    text, after = request.GET.get("q", "")[:60], request.GET.get("after", "")[:40]
    rows = queries.account_rows(principal_of(request), text=text, after=after)
    more = rows[-1].username if len(rows) == queries.PAGE else ""
    return page(request, "accounts", {"rows": rows, "text": text, "more": more}, _ACCOUNTS)


@require_http_methods(["GET", "POST"])
def account_new(request: HttpRequest) -> HttpResponse:
    """Make an account; what was typed stays when something is wrong."""
    principal, typed = principal_of(request), {name: request.POST.get(name, "") for name in _FIELDS}
    if request.method == "POST":
        try:
            account = services.make_account(request, principal, **typed)
            return SeeOther(f"/accounts/{account.username}/")
        except AdministrationRefused as refusal:
            context = {"typed": typed, "field": refusal.field, "problem": str(refusal)}
            return page(request, "account_new", context, _ACCOUNTS, ("新建账号", ""), status=422)
    typed["division"] = principal.division
    return page(request, "account_new", {"typed": typed}, _ACCOUNTS, ("新建账号", ""))


_FIELDS = ("username", "label", "division")


@require_safe
def account_detail(request: HttpRequest, username: str) -> HttpResponse:
    """One account: standing, roles, and what this administrator may do with it."""
    return _detail(request, _account(request, username))


def _account(request: HttpRequest, username: str) -> Account:
    account = queries.account_of(principal_of(request), username)
    if account is None:
        raise Http404
    return account


def _detail(request: HttpRequest, account: Account, *, status: int = 200, **context: object) -> HttpResponse:
    principal = principal_of(request)
    shown: dict[str, Any] = {"account": queries.account_row(account), **context}
    if principal.role is Role.SECURITY_ADMIN:
        shown["parties"] = queries.parties(principal)
        shown.setdefault("typed", {"division": account.division})
    return page(request, "account", shown, _ACCOUNTS, (account.username, ""), status=status)


@require_POST
def account_act(request: HttpRequest, username: str, act: str) -> HttpResponse:
    """One act of an administrator on an account; each is the affair of one of the two."""
    account, principal = _account(request, username), principal_of(request)
    allowed = _ACTS.get(act)
    if allowed is None:
        raise Http404
    if allowed[0] is not principal.role:  # one office at the other's work is noted, as any refused page is
        return refused(request, noted=True)
    try:
        said = allowed[1](request, account)
    except AdministrationRefused as refusal:
        typed = request.POST.dict()
        return _detail(
            request, account, status=422, problem=str(refusal), field=refusal.field, act=act, typed=typed
        )
    except Problem as problem:
        return _detail(request, account, status=503, problem=str(problem), act=act, typed=request.POST.dict())
    account.refresh_from_db()
    return _detail(request, account, **said)


def _link(request: HttpRequest, account: Account) -> dict[str, object]:
    path = services.sign_in_link(request, principal_of(request), account)
    return {"link": settings.PLUMBLINE_PLATFORM.public_url + path}


def _release(request: HttpRequest, account: Account) -> dict[str, object]:
    services.release_link(request, principal_of(request), account)
    return {"done": "已放行，系统管理员一天内可以给本人一个设置密码的链接。"}


def _suspend(request: HttpRequest, account: Account) -> dict[str, object]:
    services.suspend(request, principal_of(request), account, request.POST.get("because", ""))
    return {"done": "已停用，打开着的登录都已结束。"}


def _reactivate(request: HttpRequest, account: Account) -> dict[str, object]:
    services.reactivate(request, principal_of(request), account)
    return {"done": "已恢复，角色照旧。"}


def _unlock(request: HttpRequest, account: Account) -> dict[str, object]:
    services.unlock(request, principal_of(request), account)
    return {"done": "已解锁。"}


def _reset_factor(request: HttpRequest, account: Account) -> dict[str, object]:
    services.reset_second_factor(request, principal_of(request), account)
    return {"done": "第二因素已清除，下次登录要重新设置。"}


def _grant(request: HttpRequest, account: Account) -> dict[str, object]:
    typed = {name: request.POST.get(name, "") for name in ("role", "party", "division", "capacity")}
    projected = services.grant(request, principal_of(request), account, **typed)
    return {"done": "已授予，入了日志。" if projected else "已受理，正在入账，稍后刷新就能看到。"}


def _end_grant(request: HttpRequest, account: Account) -> dict[str, object]:
    wanted = request.POST.get("grant", "")
    granted = next((each for each in grants_of(account) if each.id == wanted), None)
    if granted is None:
        raise AdministrationRefused("grant", "这个角色已经终止，或不是这个账号的")
    projected = services.end_grant(
        request, principal_of(request), account, granted, request.POST.get("because", "")
    )
    return {"done": "已终止，入了日志。" if projected else "已受理，正在入账，稍后刷新就能看到。"}


_Act = Callable[[HttpRequest, Account], dict[str, object]]
#: Act → whose affair it is, and what does it.
_ACTS: dict[str, tuple[Role, _Act]] = {
    "link": (Role.SYSTEM_ADMIN, _link),
    "suspend": (Role.SYSTEM_ADMIN, _suspend),
    "reactivate": (Role.SYSTEM_ADMIN, _reactivate),
    "unlock": (Role.SECURITY_ADMIN, _unlock),
    "release-link": (Role.SECURITY_ADMIN, _release),
    "reset-second-factor": (Role.SECURITY_ADMIN, _reset_factor),
    "grant": (Role.SECURITY_ADMIN, _grant),
    "end-grant": (Role.SECURITY_ADMIN, _end_grant),
}


@require_safe
def audit_trail(request: HttpRequest) -> HttpResponse:
    """The audit trail, newest first."""
    text, before = request.GET.get("q", "")[:60], request.GET.get("before", "")
    found = trail.events(
        principal_of(request),
        text=text,
        before=int(before) if before.isdigit() and len(before) < 19 else None,
    )
    more = found[-1].id if len(found) == trail.PAGE else None
    return page(
        request,
        "audit",
        {"events": found, "text": text, "more": more, "standing": trail.standing()},
        ("审计记录", "/audit/"),
    )


_AUDIT_HEADINGS = ("时间", "谁", "做了什么", "对谁", "结果", "说明")


def _audit_line(each: trail.Event) -> list[str]:
    told = "；".join(f"{name} {value}" for name, value in each.shown)
    return [each.at.isoformat(), each.actor, each.word, each.subject, each.told, told]


@require_safe
def audit_export(request: HttpRequest) -> HttpResponse:
    """What the filter shows, as CSV for a spreadsheet: at most 10 000 lines, no formulas."""
    found = trail.events(principal_of(request), text=request.GET.get("q", "")[:60], limit=10_000)
    answer = HttpResponse(csv_lines([_AUDIT_HEADINGS, *map(_audit_line, found)]), content_type=CONTENT_TYPE)
    answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
    trail.record(
        request, principal_of(request).account, "audit.exported", request.GET.get("q", "")[:60] or "all"
    )
    return answer


@require_http_methods(["GET", "POST"])
def first_password(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """The owner of an account sets a password with a link that was made for it."""
    account = _owner(uid, token)
    if account is None:
        return page(request, "link_dead", {}, ("设置密码", ""), status=410)
    problems: list[str] = []
    if request.method == "POST":
        first, second = request.POST.get("password", ""), request.POST.get("again", "")
        problems = _password_problems(account, first, second)
        if not problems:
            services.set_first_password(request, account, first)
            return SeeOther("/account/login/")
    rule = profile_at(account.division, datetime.now(UTC)) if account else None
    context = {"owner": account, "problems": problems, "rule": rule}
    return page(request, "first_password", context, ("设置密码", ""), status=422 if problems else 200)


def _owner(uid: str, token: str) -> Account | None:
    try:
        account = Account.objects.get(pk=int(urlsafe_base64_decode(uid)))
    except (ValueError, OverflowError, Account.DoesNotExist):
        return None
    return account if account.is_active and default_token_generator.check_token(account, token) else None


def _password_problems(account: Account, first: str, second: str) -> list[str]:
    if first != second:
        return ["两次输入的密码不一样"]
    try:
        password_validation.validate_password(first, account)
    except ValidationError as error:
        return [str(each) for each in error.messages]
    return []
