"""Pages of the enrolment of keys (密钥登记的页面): the public form, the applicant's link, the officer's desk, one's own keys.

What is written is written first, in web's own role; the page is drawn afterwards, in the reader's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from plumbline.exchange.masking import kept_name
from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import Problem
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.administration.services import AdministrationRefused, lies_below
from plumbline.supervision.administration.trail import record
from plumbline.supervision.administration.views import SeeOther
from plumbline.supervision.enrolment import applications, services
from plumbline.supervision.enrolment.applications import Application
from plumbline.supervision.enrolment.public_keys import PROOF_PREFIX, ROTATION_PREFIX
from plumbline.supervision.enrolment.services import FormRefused, OwnKey
from plumbline.supervision.gateway.limits import RateLimit
from plumbline.supervision.monitor.views import actor_of
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import not_found, with_place
from plumbline.supervision.reading.database import Row, rows

KEYS = ("密钥", "/keys/")
APPLICATIONS = ("密钥申请", "/keys/applications/")
_FIELDS = (
    "organisation", "uscc", "party_role", "division", "purpose", "contact", "phone", "challenge",
    "key1", "use1", "proof1", "device1", "key2", "use2", "proof2", "device2",
)  # fmt: skip
_ROTATION = ("challenge", "key1", "proof1", "days", "old_key", "proof_old")
#: Forms that one address sends in an hour.
_POSTS = RateLimit(30 / 3600, 30, told="从您这里来的申请太多")
_LONGEST = 5000


def _page(
    request: HttpRequest, name: str, context: dict[str, Any], *place: tuple[str, str], status: int = 200
) -> HttpResponse:
    shell = with_place(page_source().shell(request), *place)
    context |= {"shell": shell, "principal": principal_of(request), "proof_prefix": PROOF_PREFIX.strip()}
    context["rotation_prefix"] = ROTATION_PREFIX.strip()
    return HttpResponse(render_to_string(f"enrolment/{name}.html", context, request=request), status=status)


def _typed(request: HttpRequest, names: tuple[str, ...]) -> dict[str, str]:
    return {name: request.POST.get(name, "")[:_LONGEST].replace("\0", "") for name in names}


def _take_turn(request: HttpRequest) -> None:
    """Web listens on loopback: the address is the one that the gateway in front has seen."""
    address = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or "local"
    try:
        _POSTS.take(address)
    except Problem as problem:
        minutes = max(1, (problem.retry_after_s or 60) // 60)
        raise FormRefused(
            {"challenge": f"从您这里来的申请太多，请 {minutes} 分钟后再来，或直接联系监督站"}
        ) from None


def _challenge_of(typed: dict[str, str], errors: dict[str, str]) -> str:
    """The same challenge again while it is good, so that a signature need not be made twice."""
    return (
        services.new_challenge()
        if "challenge" in errors or not typed.get("challenge")
        else typed["challenge"]
    )


def _forget_private(typed: dict[str, str]) -> None:
    """A private key that was pasted is not sent back to the browser either."""
    for name in ("key1", "key2"):
        if "PRIVATE KEY" in typed.get(name, "").upper() or '"d"' in typed.get(name, ""):
            typed[name] = ""


# --- the public form ---


@require_http_methods(["GET", "POST"])
def apply(request: HttpRequest) -> HttpResponse:
    """Ask for keys, without an account."""
    typed, errors = _typed(request, _FIELDS), dict[str, str]()
    if request.method == "POST":
        try:
            _take_turn(request)
            token = services.apply_for_keys(request, _applicant(principal_of(request)), typed)
            return SeeOther(f"/keys/status/{token}/")
        except FormRefused as refused:
            errors = refused.errors
            typed["challenge"] = _challenge_of(typed, errors)
            _forget_private(typed)
    else:
        typed |= {"challenge": services.new_challenge(), "use1": "transport", "use2": "origin"}
    context = {"typed": typed, "errors": errors, "uses": services.USES, "party_roles": services.PARTY_ROLES}
    context["key_fields"] = [
        {
            "n": n,
            "required": n == "1",
            **{k: (typed[f"{k}{n}"], errors.get(f"{k}{n}", "")) for k in ("key", "use", "proof", "device")},
        }
        for n in ("1", "2")
    ]
    return _page(request, "apply", context, ("申请密钥", "/keys/apply/"), status=422 if errors else 200)


def _applicant(principal: Principal) -> str:
    """Who applies, for the audit trail; whoever decides on applications makes none."""
    if principal.role is Role.OFFICER:
        told = "监督员审核密钥申请，不能替单位申请：请由单位自己在不登录时填这张表"
        raise FormRefused({"organisation": told})
    return _asker(principal)


def _asker(principal: Principal) -> str:
    """Who fills in a public form, for the audit trail."""
    return actor_of(principal) if principal.is_signed_in else "公众"


@require_safe
def status(request: HttpRequest, token: str) -> HttpResponse:
    """Where an application stands, for whoever has its link."""
    found = applications.application_by_link(token)
    if found is None:
        shell = with_place(page_source().shell(request), ("申请密钥", "/keys/apply/"))
        return not_found(
            shell, "没有这份申请", "链接可能没有复制完整。丢了链接请联系监督站，或重新申请。", request
        )
    answer = _page(
        request,
        "status",
        {"application": found, **_progress(found)},
        ("申请密钥", "/keys/apply/"),
        ("进度", ""),
    )
    answer["Referrer-Policy"] = "no-referrer"
    answer["Cache-Control"] = "no-store"
    return answer


def _progress(found: Application) -> dict[str, Any]:
    passed = [
        (KINDS[kind].title if kind in KINDS else kind, times) for kind, times in (found.passed or {}).items()
    ]
    return {"threshold": services.threshold(found), "passed": passed, "uses": services.USES}


# --- the officer's desk ---


@require_safe
def application_list(request: HttpRequest) -> HttpResponse:
    """The applications of the officer's region, those that wait first."""
    state = request.GET.get("state", "")
    statement = (
        "SELECT id, at, organisation, uscc, party, party_role, division, purpose, state, decided_by, decided_at, because, sandbox_until "
        "FROM ops.key_application WHERE (%s = '' OR state = %s) ORDER BY array_position(ARRAY['applied', 'sandbox'], state) NULLS LAST, "
        "at DESC LIMIT 200"
    )
    found = [applications.made(each) for each in rows(statement, [state, state])]
    context = {
        "applications": found,
        "states": applications.STATES,
        "state": state,
        "party_roles": services.PARTY_ROLES,
    }
    return _page(request, "applications", context, APPLICATIONS)


def _application(request: HttpRequest, wanted: str) -> Application:
    found = applications.application_of(principal_of(request), wanted)
    if found is None:
        raise Http404
    return found


@require_safe
def application_detail(request: HttpRequest, wanted: str) -> HttpResponse:
    """One application with its keys, its trial and what the officer may do."""
    return _application_page(request, _application(request, wanted))


def _application_page(
    request: HttpRequest, found: Application, *, status: int = 200, **context: object
) -> HttpResponse:
    shown = {"application": found, "party_roles": services.PARTY_ROLES, **_progress(found), **context}
    shown["on_record"] = services.on_record(found.party)
    held = "SELECT 1 FROM ops.region_keys() k WHERE k.party = %s AND k.revoked_at IS NULL AND k.valid_until > now()"
    shown["keys_held"] = len(rows(held, [found.party])) if found.state in ("applied", "sandbox") else 0
    return _page(request, "application", shown, APPLICATIONS, (found.organisation, ""), status=status)


_Act = Callable[[HttpRequest, str, Application], dict[str, object]]


def _sandbox(request: HttpRequest, actor: str, found: Application) -> dict[str, object]:
    services.let_into_sandbox(request, actor, found)
    return {"done": "已放进沙箱，30 天内可以试报，5 秒内生效。"}


def _refuse(request: HttpRequest, actor: str, found: Application) -> dict[str, object]:
    services.refuse(request, actor, found, request.POST.get("because", ""))
    return {"done": "已退回，申请人用他的链接看得到原因。"}


def _production(request: HttpRequest, actor: str, found: Application) -> dict[str, object]:
    is_projected = services.put_into_production(request, actor, found)
    return {"done": "已正式启用，入了日志。" if is_projected else "已受理，正在入账，几秒后生效。"}


def _contact(request: HttpRequest, actor: str, found: Application) -> dict[str, object]:
    contact = services.show_contact(request, actor, found)
    return {"contact": contact} if contact else {"done": "联系人已过保留期，不再保存。"}


_ACTS: dict[str, _Act] = {
    "sandbox": _sandbox,
    "refuse": _refuse,
    "production": _production,
    "contact": _contact,
}


@require_POST
def application_act(request: HttpRequest, wanted: str, act: str) -> HttpResponse:
    """One decision of the officer."""
    found, does = _application(request, wanted), _ACTS.get(act)
    if does is None:
        raise Http404
    try:
        said = does(request, actor_of(principal_of(request)), found)
    except (FormRefused, AdministrationRefused) as refused:
        return _application_page(
            request, found, status=422, problem=str(refused), because=request.POST.get("because", "")
        )
    except Problem as problem:
        return _application_page(request, found, status=503, problem=str(problem))
    return _application_page(request, _application(request, wanted), **said)


# --- keys on record ---

_KEYS = (
    "SELECT k.*, p.name, CASE WHEN k.revoked_at IS NOT NULL THEN 'ended' WHEN k.valid_until < now() THEN 'lapsed' "
    "WHEN k.valid_from > now() THEN 'later' ELSE 'good' END AS standing FROM {source} k "
    "LEFT JOIN fact.party p ON p.id = k.party ORDER BY p.name, k.use, k.valid_from LIMIT 1000"
)


@require_safe
def key_list(request: HttpRequest) -> HttpResponse:
    """The keys of an institution, or of the parties that work in the officer's region."""
    principal = principal_of(request)
    source = "ops.region_keys()" if principal.role is Role.OFFICER else "ops.own_keys()"
    # first, in web's own role
    asked = applications.asked_by(principal.party) if principal.role is Role.INSTITUTION else []
    found = rows(_KEYS.format(source=source), [])
    context = {"keys": [_dressed(each) for each in found], "uses": services.USES, "asked": asked}
    return _page(request, "keys", context, KEYS)


_STANDINGS = {
    "good": ("ok", "可用"),
    "ended": ("bad", "已停用"),
    "lapsed": ("warn", "已过期"),
    "later": ("off", "未生效"),
}


def _dressed(key: Row) -> Row:
    tone, word = _STANDINGS[key["standing"]]
    use = services.USES.get(
        key["use"],
        {"pades": "签章证书", "web": "平台", "log": "日志", "code": "监管码"}.get(key["use"], key["use"]),
    )
    return key | {"tone": tone, "word": word, "use_word": use}


def _own_key(principal: Principal, key_id: str) -> OwnKey:
    """A key that the principal may act on: its own, or of a party whose home is the officer's region."""
    key = services.key_in_use(key_id)
    if key is None:
        raise Http404
    if principal.role is Role.OFFICER:
        home = applications.fetched("SELECT division FROM ops.party_of(%s)", [key.party])
        if not home or not lies_below(home[0]["division"] or "", principal):
            raise Http404
    elif key.party != principal.party:
        raise Http404
    return key


@require_safe
def key_detail(request: HttpRequest, key_id: str) -> HttpResponse:
    """One key in use: rotate it or end it."""
    return _key_page(request, _own_key(principal_of(request), key_id))


def _key_page(
    request: HttpRequest,
    key: OwnKey,
    *,
    typed: dict[str, str] | None = None,
    status: int = 200,
    **more: object,
) -> HttpResponse:
    planned = applications.fetched(
        "SELECT new_key, ends_at FROM ops.key_rotation WHERE old_key = %s", [key.id]
    )
    typed = typed or {"challenge": services.new_challenge(), "days": "7"}
    context = {"key": key, "use_word": services.USES.get(key.use, key.use), "typed": typed, **more}
    context |= {"planned": planned[0] if planned else None, "longest": services.LONGEST_OVERLAP_DAYS}
    return _page(request, "key", context, KEYS, (key.id, ""), status=status)


#: What may be done to a key, and by whom of those who reach it.
_KEY_ACTS = {"revoke": (Role.OFFICER, Role.INSTITUTION), "rotate": (Role.INSTITUTION,)}


@require_POST
def key_act(request: HttpRequest, key_id: str, act: str) -> HttpResponse:
    """Rotate or end a key."""
    principal = principal_of(request)
    key, actor = _own_key(principal, key_id), actor_of(principal)
    if principal.role not in _KEY_ACTS.get(act, ()):
        raise Http404
    typed = _typed(request, _ROTATION)
    try:
        if act == "revoke":
            services.revoke(request, principal, actor, key, request.POST.get("because", ""))
            return SeeOther("/keys/")
        new, ends = services.rotate(request, actor, key, typed)
        return _key_page(request, key, new_key=new, ends=ends)
    except FormRefused as refused:
        typed["challenge"] = _challenge_of(typed, refused.errors)
        _forget_private(typed)
        return _key_page(request, key, typed=typed, status=422, errors=refused.errors, problem=str(refused))
    except (AdministrationRefused, Problem) as refused:
        return _key_page(request, key, status=422, problem=str(refused))


def _note_stranger(request: HttpRequest, key: str) -> None:
    """Somebody without the old key asked for a new one in its place: written down, as a broken signature of a message is."""
    told = "旧密钥的签名验不过，或者没有这把在用的密钥"
    record(request, _asker(principal_of(request)), "key.rotated", key, "refused", because=told)


@require_http_methods(["GET", "POST"])
def rotate_by_key(request: HttpRequest) -> HttpResponse:
    """Rotate without an account: the old key's signature over the challenge says who asks."""
    typed, errors, done = _typed(request, _ROTATION), dict[str, str](), {}
    if request.method == "POST":
        try:
            _take_turn(request)
            key = services.key_in_use(typed["old_key"].strip())
            if key is None or not services.signed_by_old(key, typed):
                _note_stranger(request, key.id if key else kept_name(typed["old_key"].strip()))
                # one answer for both: whoever has no key learns of none
                raise FormRefused(
                    {
                        "proof_old": "旧密钥的签名验不过，或者没有这把在用的密钥：请核对编号，按页面上的命令用旧私钥签"
                    }
                )
            new, ends = services.rotate(request, f"密钥 {key.id}", key, typed)
            done = {"new_key": new, "ends": ends}
        except FormRefused as refused:
            errors = refused.errors
        except (AdministrationRefused, Problem) as refused:
            errors = {"key1": str(refused)}
    if not done:
        typed["challenge"] = _challenge_of(typed, errors)
        _forget_private(typed)
        typed["days"] = typed["days"] or "7"
    context = {"typed": typed, "errors": errors, "longest": services.LONGEST_OVERLAP_DAYS, **done}
    return _page(request, "rotate", context, ("轮换密钥", "/keys/rotate/"), status=422 if errors else 200)
