"""The pages in a real browser under the real content policy: curves drawn, files held, large print kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plumbline.supervision.pages import preview
from plumbline.supervision.pages.public_rendering import verification_html
from plumbline.supervision.pages.sample_verifications import sample_verification
from plumbline.supervision.pages.verification import VerificationState, file_answer

playwright = pytest.importorskip("playwright.sync_api", reason="没有 playwright，浏览器测试没有跑")
CHROMIUM = os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="没有 Chromium，浏览器测试没有跑"),
]

PDF = b"%PDF-1.7 registered" + bytes(5000)
DIGEST = hashlib.sha256(PDF).hexdigest()
CODE_PATH = "/v/2611HCAK7QM4X9WTRH3PD"


class _Site(preview.PreviewHandler):
    """The preview, with one registered report that files can be held against."""

    speed = 200.0

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.path.startswith(f"{CODE_PATH}/check"):
            same = self.path.endswith(DIGEST)
            state = VerificationState.GENUINE if same else VerificationState.CHANGED
            self._answer("application/json", json.dumps(file_answer(state)).encode())
        elif self.path.startswith(CODE_PATH):
            page = sample_verification(VerificationState.GENUINE)
            assert page.technical is not None
            technical = replace(page.technical, sha256=DIGEST, document_bytes=len(PDF))
            self._answer("text/html", verification_html(replace(page, technical=technical)).encode())
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    preview.configure()
    folder: Path = tmp_path_factory.mktemp("site")
    preview.write(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Site, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda e: complaints.append(str(e)))
    yield opened
    context.close()
    assert complaints == []


def _hold(page: Any, content: bytes) -> str:
    file = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": content}
    page.set_input_files("[data-file-input]", file)
    note = page.locator("[data-file-note]")
    playwright.expect(note).to_have_text(re.compile("核对的是.*没有保存您的文件|不是 PDF"))
    return str(page.inner_text("h1"))


def test_the_trace_draws_the_curve_and_lists_its_marks(page: Any, address: str) -> None:
    page.goto(f"{address}/trace.html")
    page.wait_for_selector("[data-chart] canvas")
    page.click('[data-specimen="2"]')
    page.wait_for_selector('[data-specimen-panel="2"] canvas')
    assert "破坏 901.3 kN" in page.text_content("[data-marks]")


def test_the_chain_and_the_verdict_stand_on_one_screen(page: Any, address: str) -> None:
    page.goto(f"{address}/trace.html")
    for part in (".chain", ".verdict", ".evidence"):
        assert page.locator(part).bounding_box()["y"] + page.locator(part).bounding_box()["height"] <= 900


@pytest.mark.parametrize("width", [390, 800, 1100, 1440])
@pytest.mark.parametrize(
    "name", ["trace", "reports", "search", "home", "status", "live", "numbers", "verify-genuine"]
)
def test_no_page_is_wider_than_the_screen(page: Any, address: str, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{address}/{name}.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_registered_file_is_genuine_and_a_changed_one_is_not(page: Any, address: str) -> None:
    page.goto(address + CODE_PATH)
    assert _hold(page, PDF) == "这份报告是真的"
    changed = PDF[:100] + b"1" + PDF[101:]
    page.goto(address + CODE_PATH)
    assert _hold(page, changed) == "这份文件被改过，请不要采用"
    assert "有字节不同" in page.inner_text("[data-differences]")


def test_an_appended_file_is_told_by_how_much(page: Any, address: str) -> None:
    page.goto(address + CODE_PATH)
    assert _hold(page, PDF + b"x" * 18204).startswith("这份文件被改过")
    assert "追加了 18\u2009204 字节" in page.text_content("[data-appended]")


def test_a_file_that_is_no_pdf_leaves_the_verdict_alone(page: Any, address: str) -> None:
    page.goto(address + CODE_PATH)
    assert _hold(page, b"JPEG") == "这份报告是真的"
    assert "不是 PDF 文件" in page.inner_text("[data-file-note]")


def test_without_secure_context_the_plain_digest_is_taken(page: Any, address: str) -> None:
    page.add_init_script("Object.defineProperty(window.crypto, 'subtle', { value: undefined })")
    page.goto(address + CODE_PATH)
    assert _hold(page, PDF) == "这份报告是真的"


def test_large_print_is_kept_on_the_device(page: Any, address: str) -> None:
    page.goto(address + CODE_PATH)
    page.click("[data-large-toggle]")
    page.reload()
    assert page.evaluate("document.documentElement.classList.contains('large')")
    assert page.inner_text("[data-large-word]") == "标准字"


def test_the_verdict_stands_without_script(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(address + CODE_PATH)
    assert opened.inner_text("h1") == "这份报告是真的"
    assert opened.is_visible(".complaint summary")
    context.close()


def test_a_live_curve_grows_and_ends_with_its_highest_force(page: Any, address: str) -> None:
    page.goto(f"{address}/live.html")
    playwright.expect(page.locator("[data-live-state]")).to_contain_text("试验已结束")
    playwright.expect(page.locator("[data-force]")).to_have_text("884.2")
    assert page.inner_text(".specimen.is-running b") == "884.2"
