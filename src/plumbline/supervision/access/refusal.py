"""What a role sees where it may not go (无权访问的页面): the same words whatever is behind the address."""

from __future__ import annotations

import re

from django.db import connection
from django.http import HttpRequest, HttpResponse

from plumbline.supervision.access.sessions import demo_is_open, principal_of
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import sign_in_needed

_WHILE_STOPPED = "停用期间本单位的账号和密钥都不能用，已入账的记录照旧；有异议请与所在地的监督机构联系。这次填写的内容没有保存"
#: Names of fields that hold what nobody may read over a shoulder.
_SECRET = re.compile(r"passw|again|code|token|secret", re.I)
_REFUSED = (
    "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
    "VALUES (%s, 'access.refused', %s, 'refused', %s, '{}'::jsonb)"
)
_IDENTIFIER = re.compile(r"[0-9a-f-]{16,64}", re.I)
_VERIFY = ("去验证真伪", "/v/")


def refused(
    request: HttpRequest,
    *,
    headline: str = "这一页要登录后才能看",
    about: str = "只想核对报告真伪，不用登录，直接用真伪验证。",
    link: tuple[str, str] = _VERIFY,
    status: int = 403,
    noted: bool = False,
) -> HttpResponse:
    """The page that says so in the shell, with what to do instead; in the demo with the role cards.

    With `noted` an event tells which account asked for what it may not see; visitors without account are not noted.
    """
    if noted:
        note_refused(request)
    how = "请选一个角色" if demo_is_open() else "请用单位账号登录"
    if stopped := getattr(request, "organisation_stopped", None):
        headline, how = f"{stopped[0] or '本单位'}已停用", f"原因：{stopped[1]}。{_WHILE_STOPPED}"
        link = ("选择角色", "/acting/") if _has_account(request) else link
    elif getattr(request, "password_is_old", False):
        headline, how = "密码该换了", "密码用得太久，按规定先换一个再接着办。这次填写的内容没有保存"
        link = ("改密码", "/account/password/change/")
    elif address := getattr(request, "address_refused", ""):
        headline = "这个地址不能办管理事务"
        how = f"您的地址 {address} 不在管理员来源地址名单里。请到名单里的终端上办理，或请运维用 --admin-address 加进名单"
        link = ("选择角色", "/acting/")
    elif because := getattr(request, "ended_because", ""):
        headline, how = because.rstrip("。"), "这次填写的内容没有保存。请重新登录，或联系系统管理员"
    elif _has_account(request):
        headline, how = "您现在的角色看不了这一页", "角色没有选、已经终止，或不管这件事，请重新选择角色"
        link = ("选择角色", "/acting/")
    elif principal_of(request).is_signed_in:  # by a role card of the demo
        headline, how = "您现在的角色看不了这一页", "请换一个角色"
    source = page_source()
    return sign_in_needed(
        source.shell(request),
        (headline, f"{how}。{about}"),
        request,
        cards=source.home(request).role_cards if demo_is_open() else (),
        link=link,
        status=status,
        typed=_typed(request),
    )


def note_refused(request: HttpRequest) -> None:
    """Write down that an account asked for what it may not do or see: the address by its name, which holds no link and no number."""
    if not _has_account(request):
        return
    match = request.resolver_match
    name = str(match.view_name) if match else "?"
    with connection.cursor() as cursor:
        cursor.execute(_REFUSED, [request.user.get_username(), name, f"{request.method} {name}"[:200]])


def _has_account(request: HttpRequest) -> bool:
    return getattr(request, "user", None) is not None and request.user.is_authenticated


def _typed(request: HttpRequest) -> list[str]:
    """Longer texts of a form that was refused, to be copied: nothing was saved, and nobody should have to write it twice.

    Passwords, codes and identifiers stay where they are.
    """
    if request.method != "POST":
        return []
    lists = [values for name, values in request.POST.lists() if not _SECRET.search(name)]
    return [
        value for values in lists for value in values if len(value) >= 2 and not _IDENTIFIER.fullmatch(value)
    ][:20]
