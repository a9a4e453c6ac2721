"""The ten-minute tour (十分钟导览): only in a demo. A stop enters its role with one click and opens a real record.

What was opened is kept in the session alone; changing the role keeps it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_POST, require_safe

from plumbline.standards.register import load_register
from plumbline.supervision.access.sessions import TOUR, demo_is_open, principal_of, sign_in
from plumbline.supervision.fetch import FetchFailed, fetch
from plumbline.supervision.pages.pages import page_source
from plumbline.supervision.pages.rendering import page_html, with_place
from plumbline.supervision.pages.tour_models import TourPage, TourStop
from plumbline.supervision.reading.city import city_line
from plumbline.supervision.reading.database import row
from plumbline.supervision.reading.demo_roles import principal_for, task_cards, title_of
from plumbline.supervision.reading.live import gateway_url
from plumbline.supervision.reading.sign_in import SeeOther
from plumbline.supervision.reading.tour_stops import STOPS, Stop

_MISSING = "“{}”这一站的记录还没有：城市还在补齐。先看别的站，过一会儿再来。"
_NOT_HERE = "“{}”这一站的记录现在没有。先看别的站，过一会儿再来。"


@dataclass(frozen=True, slots=True)
class Toured:
    """What the session remembers of the tour."""

    visited: tuple[str, ...] = ()
    code: str = ""
    is_dismissed: bool = False


def toured_of(request: HttpRequest) -> Toured:
    """What this session has toured."""
    kept = request.session.get(TOUR, {})
    return Toured(
        visited=tuple(kept.get("visited", ())),
        code=str(kept.get("code", "")),
        is_dismissed=bool(kept.get("is_dismissed")),
    )


def _keep(request: HttpRequest, toured: Toured) -> None:
    request.session[TOUR] = asdict(toured)


def require_demo() -> None:
    """Raise 404 outside a demo: there the tour does not exist."""
    if not demo_is_open():
        raise Http404


@cache
def _clause_texts() -> dict[str, str]:
    return {clause.id: clause.text for clause in load_register()}


def listed_stops() -> tuple[Stop, ...]:
    """The stops whose page exists in this version, in order."""
    return tuple(stop for stop in STOPS if not stop.page or _exists(stop.page))


def _exists(address: str) -> bool:
    try:
        resolve(address)
    except Resolver404:
        return False
    return True


def tour_page(toured: Toured, missing: str = "") -> TourPage:
    """The page for somebody who `toured` so far; `missing` is the key of a stop whose record is not there yet."""
    stops = listed_stops()
    sentence = _MISSING if city_line() else _NOT_HERE
    told = next((sentence.format(stop.title) for stop in stops if stop.key == missing), "")
    shown = (_shown(number, stop, stop.key in toured.visited) for number, stop in enumerate(stops, start=1))
    return TourPage(cards=task_cards(), stops=tuple(shown), missing=told, is_dismissed=toured.is_dismissed)


def _shown(number: int, stop: Stop, is_visited: bool) -> TourStop:
    return TourStop(
        number=number,
        key=stop.key,
        title=stop.title,
        todo=stop.todo,
        sees=stop.sees,
        clause=stop.clause,
        clause_text=_clause_texts()[stop.clause],
        role=title_of(stop.card),
        is_visited=is_visited,
        file=stop.file,
    )


def _stop(key: str) -> Stop:
    found = next((stop for stop in listed_stops() if stop.key == key), None)
    if found is None:
        raise Http404
    return found


@require_safe
def tour(request: HttpRequest) -> HttpResponse:
    """Show the cards and the stops."""
    require_demo()
    page = tour_page(toured_of(request), request.GET.get("missing", "")[:40])
    shell = with_place(page_source().shell(request), ("十分钟导览", "/tour/"))
    return HttpResponse(page_html("tour", page, shell, request))


@require_POST
def enter(request: HttpRequest, key: str) -> HttpResponse:
    """Tick the stop off, put on its role, and go to its record. An account stays what it is."""
    require_demo()
    stop, toured = _stop(key), toured_of(request)
    principal = principal_for(stop.card) if stop.card else None
    if stop.card and principal is None:
        return SeeOther(f"/tour/?missing={key}")
    _keep(request, replace(toured, visited=(*toured.visited, *((key,) if key not in toured.visited else ()))))
    is_account = getattr(getattr(request, "user", None), "is_authenticated", False)
    if principal is not None and not is_account and principal != principal_of(request):
        sign_in(request, principal)
    return SeeOther(f"/tour/stops/{key}/")


@require_safe
def stop_record(request: HttpRequest, key: str) -> HttpResponse:
    """Send the visitor to the stop's record, chosen from what the present role may see."""
    require_demo()
    stop = _stop(key)
    if stop.find is None:
        code = _code(request)
        return SeeOther(f"/v/{code}" if code else f"/tour/?missing={key}")
    address = stop.find() if principal_of(request).sees_work else None
    return SeeOther(address or f"/tour/?missing={key}")


#: The largest report that the tour changes a byte of.
_MOST_BYTES = 32 * 1024 * 1024


@require_POST
def dismiss(request: HttpRequest) -> HttpResponse:
    """Take the tour's line off the first page for this session, or put it there again."""
    require_demo()
    toured = toured_of(request)
    _keep(request, replace(toured, is_dismissed=not toured.is_dismissed))
    return SeeOther("/tour/" if toured.is_dismissed else "/")


@require_safe
def changed_pdf(request: HttpRequest) -> HttpResponse:
    """The public's report with one byte changed, as anybody may make it, to see that the verification page says so."""
    require_demo()
    code, gateway = _code(request), gateway_url()
    data = _document(f"{gateway}/v/{code}/document") if code and gateway else b""
    if not data:
        return SeeOther("/tour/?missing=changed")
    response = HttpResponse(with_one_byte_changed(data), content_type="application/pdf")
    response["Content-Disposition"] = 'attachment; filename="changed-one-byte.pdf"'
    return response


def with_one_byte_changed(data: bytes) -> bytes:
    """The same but for one bit in the middle."""
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _document(address: str) -> bytes:
    try:
        answer = fetch(address, timeout_s=5, max_bytes=_MOST_BYTES)
    except FetchFailed:
        return b""
    return answer.body if answer.status == 200 else b""


def _code(request: HttpRequest) -> str:
    """The code that this session's tour shows: the newest when first asked for, then always the same."""
    toured = toured_of(request)
    if not toured.code:
        found = row("SELECT code FROM ops.cards()", [])
        toured = replace(toured, code=found["code"] or "" if found else "")
        _keep(request, toured)
    return toured.code
