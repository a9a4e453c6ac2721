"""How far the demo's city has come, for the first page (首页的生成进度)."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from plumbline.supervision.access.sessions import demo_is_open
from plumbline.supervision.city_progress import read_progress
from plumbline.supervision.pages.view_models import CityLine


def city_line() -> CityLine | None:
    """The line of progress; None outside a demo, and when the city is whole or there is none."""
    folder = getattr(settings.PLUMBLINE_PLATFORM, "data_dir", None) if demo_is_open() else None
    known = read_progress(folder) if folder else None
    if known is None or known.phase == "done":
        return None
    return CityLine(text=known.text, percent=round(100 * known.share))


@require_safe
def progress(request: HttpRequest) -> JsonResponse:
    """The same for the page's script; an empty text when the city is whole."""
    if not demo_is_open():
        raise Http404
    line = city_line()
    response = JsonResponse({"text": line.text if line else "", "percent": line.percent if line else 100})
    response["Cache-Control"] = "no-store"
    return response
