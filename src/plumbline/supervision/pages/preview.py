"""Renders every page with sample values to static HTML, and serves it on loopback (预览).

``python -m plumbline.supervision.pages.preview OUT_DIR [--serve PORT]``. Served with the product's security
headers, so that what the policy forbids is seen here first; ``stream`` plays a sample test in real time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings

from plumbline.supervision.pages import sample_verifications as public
from plumbline.supervision.pages import samples
from plumbline.supervision.pages.number_models import NumbersPage
from plumbline.supervision.pages.public_rendering import code_entry_html, complaint_html, verification_html
from plumbline.supervision.pages.sample_curves import cube_json, cube_record
from plumbline.supervision.pages.sample_lists import sample_list, sample_search
from plumbline.supervision.pages.sample_numbers import sample_numbers
from plumbline.supervision.pages.sample_records import sample_plain_record, sample_record
from plumbline.supervision.pages.verification import VerificationState
from plumbline.web.accounts.defaults import APPS_BEFORE, APPS_BEHIND, SETTINGS
from plumbline.web.jinja import STATIC_FOLDER
from plumbline.web.security import SECURITY_HEADERS

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 120">'
    '<rect width="160" height="120" fill="#8592a3"/>'
    '<text x="80" y="64" font-size="14" fill="#fff" text-anchor="middle">示例图 {}</text></svg>'
)


def configure() -> None:
    """Give Django the few settings that templates need, unless a project has done so."""
    if settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE"):
        if not apps.ready:
            django.setup()
        return
    settings.configure(
        SECRET_KEY="preview only, signs nothing",  # noqa: S106 - no session exists here
        INSTALLED_APPS=[
            *APPS_BEFORE,
            "plumbline.supervision.pages",
            "plumbline.supervision.administration",
            "plumbline.supervision.monitor",
            "plumbline.supervision.enrolment",
            *APPS_BEHIND,
        ],
        **SETTINGS,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        STATIC_URL="/static/",
        USE_TZ=True,
        TIME_ZONE="Asia/Shanghai",
        LANGUAGE_CODE="zh-hans",
        ROOT_URLCONF="plumbline.supervision.pages.urls",
        PLUMBLINE_PAGE_SOURCE="plumbline.supervision.pages.sample_source.SampleSource",
        # A preview has no database: its session is a cookie that nobody signs in with.
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=[
            "plumbline.web.middleware.SecurityHeaders",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        ALLOWED_HOSTS=["*"],
    )
    django.setup()


def pages() -> dict[str, str]:
    """Return every page by file name."""
    from plumbline.supervision.pages.rendering import page_html, with_place

    shell = samples.sample_shell()
    placed = with_place(shell, ("检测报告", "/reports/"), (samples.NUMBER, ""))
    made = {
        "trace.html": page_html("trace", samples.sample_trace(), placed),
        "trace-gaps.html": page_html("trace", samples.sample_trace_with_gaps(), placed),
        "reports.html": page_html("record_list", sample_list(), with_place(shell, ("检测报告", "/reports/"))),
        "reports-empty.html": page_html("record_list", sample_list(()), shell),
        "search.html": page_html("search", sample_search(), shell),
        "search-empty.html": page_html("search", sample_search("没有"), shell),
        "home.html": page_html("home", samples.sample_home(), with_place(shell, ("工作台", "/"))),
        "live.html": page_html("live", samples.sample_live(), shell),
        "status.html": page_html(
            "status", samples.sample_status(), with_place(shell, ("运行状态", "/status/"))
        ),
        "numbers.html": page_html(
            "numbers", sample_numbers(), with_place(shell, ("编号连续性", "/numbers/"))
        ),
        "record.html": page_html(
            "record", sample_record(), with_place(shell, ("试验", "/tests/"), ("混凝土抗压", ""))
        ),
        "record-plain.html": page_html("record", sample_plain_record(), shell),
        "numbers-empty.html": page_html("numbers", NumbersPage(series=()), shell),
        "accepted.html": page_html("accepted", samples.sample_accepted(), shell),
        "code-entry.html": code_entry_html(public.sample_code_entry()),
        "complaint.html": complaint_html(public.sample_complaint()),
    }
    for state in VerificationState:
        made[f"verify-{state.value}.html"] = verification_html(public.sample_verification(state))
    return made


def write(folder: Path) -> None:
    """Write pages, curves, pictures and the static files below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, html in pages().items():
        (folder / name).write_text(html, encoding="utf-8")
    for name in ("curves", "pictures"):
        (folder / name).mkdir(exist_ok=True)
    for number in (1, 2, 3):
        (folder / "curves" / f"{number}.json").write_bytes(cube_json(number))
    for step, picture in samples.sample_trace().pictures:
        if picture.url:
            (folder / picture.url).write_text(PICTURE.format(step.title_zh), encoding="utf-8")
    shutil.copytree(STATIC_FOLDER, folder / "static", dirs_exist_ok=True)


class PreviewHandler(SimpleHTTPRequestHandler):
    """Serves the folder with the product's headers, and ``/stream`` as a running test."""

    #: how many times faster than real the sample test runs
    speed = 1.0

    def end_headers(self) -> None:
        """Add the security headers."""
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def do_GET(self) -> None:
        """Answer a file or the stream."""
        if self.path.split("?")[0] != "/stream":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        try:
            self._play()
        except (BrokenPipeError, ConnectionResetError):
            return

    def _event(self, kind: str, content: dict[str, object]) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n".encode())
        self.wfile.flush()

    def _play(self) -> None:
        record = cube_record(2)
        self._event("start", {"specimen": "试件 2", "decimals": 1, "load_control": "automatic"})
        for first in range(0, len(record.time_s), 5):
            part = slice(first, first + 5)
            self._event("samples", {"t": record.time_s[part], "f": record.force_kN[part]})
            time.sleep(0.5 / self.speed)
        self._event(
            "end", {"outcome": "试验已结束", "peak_kN": record.summary[0], "strength_MPa": record.summary[1]}
        )

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def server(folder: Path, port: int, speed: float = 1.0) -> ThreadingHTTPServer:
    """Return a loopback server of the folder; port 0 takes a free one."""
    handler = type("Handler", (PreviewHandler,), {"speed": speed})
    return ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder)))


def main() -> None:
    """Write the preview, and serve it when asked."""
    parser = argparse.ArgumentParser(description="把每个页面用示例画出来")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--serve", type=int, metavar="PORT")
    arguments = parser.parse_args()
    configure()
    write(arguments.folder)
    if arguments.serve is not None:
        with server(arguments.folder, arguments.serve) as running:
            running.serve_forever()


if __name__ == "__main__":
    main()
