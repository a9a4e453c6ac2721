"""Anybody with a phone: what the public page says of a genuine report, a changed file, a wrong code, a paper that differs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]
GENUINE = "这份报告是真的，演示证书"
CHANGED = "这份文件被改过，请不要采用"


def headline(page: Any) -> str:
    return str(page.inner_text("h1")).replace("\n", "")


def choose(visitor: Any, content: bytes, name: str = "report.pdf") -> None:
    visitor.page.set_input_files(
        "[data-file-input]", {"name": name, "mimeType": "application/pdf", "buffer": content}
    )
    visitor.until(lambda: "核对的是" in visitor.page.inner_text("[data-file-note]"))


def drop(visitor: Any, content: bytes) -> None:
    """What a dragged file does to the drop field."""
    visitor.page.evaluate(
        """bytes => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped.pdf", { type: "application/pdf" }));
          const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.querySelector("[data-drop]").dispatchEvent(event);
        }""",
        list(content),
    )
    visitor.until(lambda: "核对的是" in visitor.page.inner_text("[data-file-note]"))


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.clause("BJ 5.3.1", "GX 八(五)")
def test_a_genuine_report_is_said_to_be_genuine_on_a_phone(town: Any, visit: Callable[..., Any]) -> None:
    visitor = visit()
    visitor.goto(f"/v/{town.code('cube')}")
    visitor.shoot("public-genuine-390")
    assert headline(visitor.page) == GENUINE
    facts = visitor.page.inner_text(".facts")
    assert town.results["cube"].number in facts
    assert town.cast.projects["riverside"].name in facts
    assert "C35" in facts
    assert visitor.overflow() <= 0


def test_the_registered_file_chosen_or_dropped_stays_genuine(town: Any, visit: Callable[..., Any]) -> None:
    visitor, document = visit(), town.document("cube")
    visitor.goto(f"/v/{town.code('cube')}")
    choose(visitor, document)
    assert headline(visitor.page) == GENUINE
    visitor.goto(f"/v/{town.code('cube')}")
    drop(visitor, document)
    assert headline(visitor.page) == GENUINE


def test_one_changed_byte_turns_the_headline_red(town: Any, visit: Callable[..., Any]) -> None:
    visitor = visit()
    visitor.goto(f"/v/{town.code('cube')}")
    choose(visitor, changed(town.document("cube")))
    visitor.shoot("public-changed-390")
    assert headline(visitor.page) == CHANGED
    assert "tone-bad" in visitor.page.get_attribute("[data-verdict]", "class")
    assert "有字节不同" in visitor.page.inner_text("[data-differences]")
    assert visitor.overflow() <= 0


@pytest.mark.parametrize("kind", ["typed wrong", "never given"])
def test_a_wrong_code_is_never_genuine(town: Any, visit: Callable[..., Any], kind: str) -> None:
    visitor = visit()
    code = town.code("cube")
    wrong = (
        code[:-1] + ("2" if code[-1] != "2" else "3") if kind == "typed wrong" else "2611HCAK7QM4X9WTRH3PD"
    )
    answer = visitor.goto(f"/v/{wrong}")
    visitor.shoot(f"public-{kind.replace(' ', '-')}-390")
    assert "是真的" not in visitor.page.inner_text("main")
    assert visitor.overflow() <= 0
    # Chromium itself writes a line for a document that answers 404.
    assert all("404" in text for text in visitor.complaints) or answer.status == 200
    visitor.complaints.clear()


def printed_code(folder: Path, document: bytes) -> str:
    """What a scanner reads from the first page on paper, at 150 dots an inch."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("没有 pdftoppm，打印页上的二维码没有读")
    image = pytest.importorskip("PIL.Image")
    source = folder / "report.pdf"
    source.write_bytes(document)
    subprocess.run(
        ["pdftoppm", "-r", "150", "-f", "1", "-l", "1", "-png", source, folder / "page"], check=True
    )
    with image.open(next(folder.glob("page*.png"))) as page:
        return str(zxingcpp.read_barcodes(page)[0].text)


@pytest.mark.clause("BJ 4.2.2.1", "BJ 5.3.1", "GX 八(五)", "BJ 9.1.1.3-e")
def test_the_code_on_the_printed_page_leads_to_the_verdict(
    town: Any, visit: Callable[..., Any], tmp_path: Path
) -> None:
    address = printed_code(tmp_path, town.document("cube"))
    assert re.match(rf"(?i){re.escape(town.url)}/v/{town.code('cube')}#[A-Z2-7]{{150,}}\Z", address)
    visitor = visit()
    visitor.goto(address)
    visitor.page.wait_for_selector("[data-claims-block]:not([hidden])")
    visitor.shoot("public-scanned-390")
    assert headline(visitor.page) == GENUINE
    assert visitor.page.inner_text("[data-claims-title]") == "码上印的内容与登记的一致"
    assert town.results["cube"].number in visitor.page.inner_text("[data-claims-rows]")


@pytest.mark.clause("BJ 4.2.2.1")
def test_claims_that_differ_from_the_registered_ones_are_red(
    town: Any, visit: Callable[..., Any], tmp_path: Path
) -> None:
    claims = printed_code(tmp_path, town.document("bar")).partition("#")[2]
    visitor = visit()
    visitor.goto(f"/v/{town.code('cube')}#{claims}")
    visitor.until(lambda: headline(visitor.page) == "这个二维码被改过，请不要采用")
    visitor.shoot("public-other-claims-390")


def test_a_complaint_gets_a_number_and_stands_in_the_log(town: Any, visit: Callable[..., Any]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.goto(f"/v/{town.code('cube')}")
    page.click("[data-paper-differs]")
    page.select_option("#complaint-item", index=1)
    page.fill("#complaint-value", "C40")
    page.click("[data-complaint] button[type=submit]")
    page.wait_for_selector("[data-paper-thanks]:not([hidden])")
    visitor.shoot("public-complaint-390")
    number = re.search(r"编号 J-(\d+)。", page.inner_text("[data-paper-thanks]"))
    assert number
    entry = town.soon(
        "SELECT kind, body FROM fact.event JOIN fact.complaint c ON c.entry = event.id WHERE event.idx = %s",
        int(number[1]),
    )
    assert entry[0] == "complaint.filed"
    assert entry[1]["code"] == town.code("cube")
    assert entry[1]["paper_value"] == "C40"


def test_a_visitor_without_an_account_is_told_how_to_see_the_whole_course(
    town: Any, visit: Callable[..., Any]
) -> None:
    visitor = visit()
    visitor.goto(f"/v/{town.code('cube')}")
    visitor.page.click("text=看取样到报告的全过程")
    visitor.page.wait_for_selector("text=看全过程要先登录")
    visitor.shoot("public-trace-390")
    assert visitor.overflow() <= 0
    visitor.complaints.clear()  # the browser's own line on a document that answers 404
    visitor.page.locator('form[action="/demo/sign-in/officer/"] button').click()
    visitor.page.wait_for_selector(".chain .step")
    assert visitor.page.url.startswith(f"{town.url}/reports/")
