"""The pages of the exchange monitor (数据交换监控的页面): list, reasons, one request with replay and difference, export."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import KINDS as PROBLEMS
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.access.sessions import principal_of
from plumbline.supervision.administration.trail import record
from plumbline.supervision.monitor import queries
from plumbline.supervision.monitor.difference import difference
from plumbline.supervision.monitor.queries import Query
from plumbline.supervision.monitor.replay import NOT_ASKED, Replay, Sender, replay
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import not_found, with_place
from plumbline.supervision.reading.database import Row
from plumbline.web.formats import local_time
from plumbline.web.spreadsheet import CONTENT_TYPE, csv_lines

PLACE = ("数据交换监控", "/exchange/")
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADINGS = (
    "时间",
    "单位",
    "密钥",
    "消息",
    "uid",
    "字节",
    "结果",
    "状态码",
    "问题",
    "字段",
    "原因",
    "处理",
    "编号",
    "毫秒",
)


def _page(request: HttpRequest, name: str, context: dict[str, Any], *place: tuple[str, str]) -> HttpResponse:
    shell = with_place(page_source().shell(request), PLACE, *place)
    return HttpResponse(render_to_string(f"monitor/{name}.html", context | {"shell": shell}, request=request))


def actor_of(principal: Principal) -> str:
    """Who stands in the audit trail: the account (of whoever looks with these eyes), or the role card of the demo."""
    return principal.viewed_by or principal.account or f"演示角色 {principal.capacity}"


def _query(request: HttpRequest) -> Query:
    values = {name: request.GET.get(name, "").strip()[:100] for name in Query.__slots__}
    if not _UID.fullmatch(values["before"]):
        values["before"] = ""
    return Query(**{name: value.replace("\0", "") for name, value in values.items()})


@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """What was sent, newest first; or why it was refused, most often first."""
    query = _query(request)
    seen = queries.holders(principal_of(request))
    is_reasons = request.GET.get("view") == "reasons"
    context: dict[str, Any] = {
        "query": query,
        "holders": list(seen.values())[:500] if len(seen) > 1 else [],
        "kinds": [(tag, row.title) for tag, row in KINDS.items()],
        "outcomes": queries.OUTCOMES,
        "slugs": [(slug, row.title) for slug, row in PROBLEMS.items()],
        "is_reasons": is_reasons,
        "tabs": _tabs(query, is_reasons),
        "export": f"/exchange/export.csv?{query.address()}",
        "has_filter": bool(query.address()),
    }
    if query.day and query.bounds is None:
        context["problem"] = f"日期“{query.day}”不对：要写成 2026-11-22 这样，请改正后再查。"
    if is_reasons:
        context["reasons"] = queries.reasons(query, seen, datetime.now(UTC))
    else:
        context["quarantined"] = queries.quarantined(seen)
        found = queries.requests(query, seen)
        context["rows"] = found[: queries.PAGE]
        if len(found) > queries.PAGE:
            context["more"] = f"?{query.address()}&before={found[queries.PAGE - 1]['id']}"
    return _page(request, "list", context)


def _tabs(query: Query, is_reasons: bool) -> list[tuple[str, str, bool]]:
    """(label, address, is it open) of the views."""
    is_refused = query.outcome == "refused" and not is_reasons
    return [
        ("全部", f"?{query.address(outcome='', slug='')}", not is_refused and not is_reasons),
        ("拒收的", f"?{query.address(outcome='refused')}", is_refused),
        ("为什么拒收", f"?{query.address(outcome='')}&view=reasons", is_reasons),
    ]


@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """What the filter shows, as CSV for a spreadsheet: no formulas, at most `MOST_EXPORTED` lines."""
    principal, query = principal_of(request), _query(request)
    # first, in web's own role: the reader's role cannot write
    record(request, actor_of(principal), "exchange.exported", query.address()[:200] or "all")
    lines = map(_line, queries.exported(query, queries.holders(principal)))
    answer = HttpResponse(csv_lines([_HEADINGS, *lines]), content_type=CONTENT_TYPE)
    answer["Content-Disposition"] = 'attachment; filename="exchange.csv"'
    return answer


def _line(each: Row) -> list[str]:
    told = [each["problem"], each["pointer"], each["reason"], each["remedy"], each["number"]]
    first = [
        local_time(each["at"], "second"),
        each["holder_name"],
        each["key_id"],
        each["kind_title"],
        each["uid"],
    ]
    return [*first, str(each["bytes"]), each["word"], str(each["status"]), *told, f"{each['ms']:.0f}"]


@require_safe
def request_detail(request: HttpRequest, wanted: str) -> HttpResponse:
    """One request: what was sent, what was answered, and how it differs from the last that worked."""
    return _detail(request, wanted, is_replayed=False)


@require_POST
def request_replay(request: HttpRequest, wanted: str) -> HttpResponse:
    """The same content against today's rules; nothing is stored."""
    record(request, actor_of(principal_of(request)), "exchange.replayed", wanted[:36])
    return _detail(request, wanted, is_replayed=True)


def _detail(request: HttpRequest, wanted: str, *, is_replayed: bool) -> HttpResponse:
    principal = principal_of(request)
    found = queries.request_of(wanted, queries.holders(principal))
    if found is None:
        shell = with_place(page_source().shell(request), PLACE, ("查不到", ""))
        detail = "它可能已过保留期，或者不归您看。"
        return not_found(shell, "没有找到这次报送", detail, request, link=("回到监控", "/exchange/"))
    body = queries.body_of(found) if found["outcome"] == "refused" else None
    last = queries.last_accepted(found) if body else None
    standing = queries.key_standing(found, principal)
    context = {
        "row": found,
        "body": bytes(body["body"]).decode("utf-8", "replace") if body else "",
        "masked": bool(body and body["masked"]),
        "why_no_body": _why_no_body(found),
        "last": last,
        "difference": difference(bytes(last["body"]), bytes(body["body"])) if last and body else None,
        "key_problem": _key_problem(found, standing),
        "not_asked": NOT_ASKED,
    }
    if is_replayed and body:
        context["replay"] = _replayed(found, body, standing)
    return _page(request, "detail", context, (found["number"] or local_time(found["at"], "second"), ""))


def _replayed(found: Row, body: Row, standing: Row | None) -> Replay:
    party = standing["party"] if standing else found["holder"]
    sender = Sender(party=party, roles=queries.roles_of(party), key_problem=_key_problem(found, standing))
    return replay(bytes(body["body"]), masked=body["masked"], sender=sender, now=datetime.now(UTC))


def _key_problem(found: Row, standing: Row | None) -> str:
    """Why the key cannot be used now, or nothing."""
    now = datetime.now(UTC)
    if standing is None:
        return f"密钥 {found['key_id']} 现在没有登记" if found["key_id"] else "请求没有写密钥编号"
    if standing["revoked_at"]:
        return f"密钥 {standing['id']} 已于 {local_time(standing['revoked_at'])} 停用"
    if not standing["valid_from"] <= now < standing["valid_until"]:
        until = f"{local_time(standing['valid_from'], 'day')} 至 {local_time(standing['valid_until'], 'day')}"
        return f"密钥 {standing['id']} 不在有效期内（{until}）"
    return ""


def _why_no_body(found: Row) -> str:
    if found["outcome"] != "refused":
        return (
            "收下的内容在日志里，监控不另存。"
            if found["outcome"] != "sandbox"
            else "沙箱报送不入账，内容不保留。"
        )
    if not found["is_proved"]:
        return "签名没有验过，内容不保留：不能确定是谁发的。先按上面的处理办法改正签名。"
    if found["kind"] == "file":
        return "文件的内容不在监控里保留。"
    return "内容没有保留：超过 128 KB、读不成 JSON 消息、号码遮盖不净，或者已过 14 天。"
