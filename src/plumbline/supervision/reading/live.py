"""Running tests and their live page (实时曲线): which machines stream now, and the address that one session may follow."""

from __future__ import annotations

import json
import os
import time
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, rate_band
from plumbline.supervision.access.principals import Principal, Role, division_range
from plumbline.supervision.fetch import FetchFailed, fetch
from plumbline.supervision.gateway.live import LiveHub
from plumbline.supervision.pages.view_models import LiveCurvePage, LiveTest
from plumbline.supervision.reading.database import Row, row

#: A stream is named after the machine: `press-` and the instrument's code.
STREAM_PREFIX = "press-"
CUBE_AREA_MM2 = "22500"
_GRADES = tuple(f"C{strength}" for strength in range(15, 85, 5))
_ASK_EVERY_S = 2.0
_MOST_STATUS = 1024 * 1024
_heard: tuple[float, list[tuple[str, bool]]] = (0.0, [])


@lru_cache(maxsize=1)
def _hub() -> LiveHub:
    """The same secret as the gateway's: it only makes tokens here."""
    return LiveHub((settings.PLUMBLINE_PLATFORM.folder("keys") / "kek.bin").read_bytes())


def gateway_url() -> str | None:
    """Where web can ask the gateway: PLUMB_GATEWAY_URL, else the public address when it is loopback without TLS."""
    if given := os.environ.get("PLUMB_GATEWAY_URL"):
        return given.rstrip("/")
    public = urlsplit(settings.PLUMBLINE_PLATFORM.public_url)
    if public.scheme == "http" and public.hostname in ("127.0.0.1", "localhost", "::1"):
        return f"http://{public.netloc}"
    return None


def streams() -> list[tuple[str, bool]]:
    """(name, whether a test is running) of every stream; none when the gateway does not say. Asked every two seconds."""
    global _heard
    if time.monotonic() - _heard[0] < _ASK_EVERY_S:
        return _heard[1]
    address, found = gateway_url(), []
    if address:
        try:
            answer = fetch(f"{address}/live/status/any", timeout_s=0.5, max_bytes=_MOST_STATUS)
            found = [(str(name), bool(running)) for name, running in json.loads(answer.body)["streams"]]
        except (FetchFailed, ValueError, KeyError, TypeError):
            found = []
    _heard = (time.monotonic(), found)
    return found


def machine_of(principal: Principal, stream: str) -> Row | None:
    """The instrument behind a stream, for the officer of its division and for its institution."""
    if not stream.startswith(STREAM_PREFIX):
        return None
    found = row(
        "SELECT m.*, i.name AS institution_name, i.division FROM fact.instrument m JOIN fact.party i ON i.id = m.institution "
        "WHERE m.instrument = %s ORDER BY m.idx LIMIT 1",
        [stream.removeprefix(STREAM_PREFIX)],
    )
    if found is None:
        return None
    if principal.role is Role.INSTITUTION:
        return found if found["institution"] == principal.party else None
    low, high = division_range(principal.division)
    is_own = principal.role is Role.OFFICER and bool(low) and low <= (found["division"] or "") < high
    return found if is_own else None


def live_tests(principal: Principal) -> tuple[LiveTest, ...]:
    """Machines that stream now or did a moment ago, in the reader's scope."""
    tests = []
    for name, running in streams():
        machine = machine_of(principal, name)
        if machine:
            tests.append(
                LiveTest(
                    title=machine["name"],
                    institution=machine["institution_name"],
                    machine=machine["instrument"],
                    url=f"/live-tests/{name}/",
                    is_running=running,
                    outcome="刚结束",
                )
            )
    return tuple(tests)


@lru_cache(maxsize=1)
def rate_bands() -> str:
    """Permitted loading rates by grade in the newest edition, as JSON for the page's script."""
    edition = EDITIONS.known[-1].code
    bands = {grade: rate_band(grade, edition) for grade in _GRADES}
    return json.dumps({grade: [f"{band.low:.2f}", f"{band.high:.2f}"] for grade, band in bands.items()})


def live_page(principal: Principal, stream: str, session: str) -> LiveCurvePage | None:
    """The page of a machine's stream; the address holds a token of this session for one minute."""
    machine = machine_of(principal, stream)
    if machine is None:
        return None
    return LiveCurvePage(
        title=f"{machine['name']} {machine['instrument']}",
        commission="",
        institution=machine["institution_name"],
        machine=machine["name"],
        technician="",
        calibration=f"校准有效至 {machine['calibrated_until'].isoformat()}",
        stream_url=f"/live/{stream}?token={_hub().token(stream, session, owner=machine['institution'])}",
        area_mm2=CUBE_AREA_MM2,
        others=tuple(test for test in live_tests(principal) if test.machine != machine["instrument"]),
        bands_json=rate_bands(),
    )
