"""What a role sees where it may not go (无权访问的页面): the same words whatever is behind the address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from plumbline.supervision.access.sessions import demo_is_open
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import sign_in_needed

_VERIFY = ("去验证真伪", "/v/")


def refused(
    request: HttpRequest,
    *,
    headline: str = "这一页要登录后才能看",
    about: str = "只想核对报告真伪，不用登录，直接用真伪验证。",
    link: tuple[str, str] = _VERIFY,
    status: int = 403,
) -> HttpResponse:
    """The page that says so in the shell, with what to do instead; in the demo with the role cards."""
    how = "请选一个角色" if demo_is_open() else "请用单位账号登录"
    if because := getattr(request, "ended_because", ""):
        headline, how = because.rstrip("。"), "这次填写的内容没有保存。请重新登录，或联系系统管理员"
    elif getattr(request, "user", None) is not None and request.user.is_authenticated:
        headline, how = "您现在的角色看不了这一页", "角色没有选、已经终止，或不管这件事，请重新选择角色"
        link = ("选择角色", "/acting/")
    source = page_source()
    return sign_in_needed(
        source.shell(request),
        (headline, f"{how}。{about}"),
        request,
        cards=source.home(request).role_cards if demo_is_open() else (),
        link=link,
        status=status,
    )
