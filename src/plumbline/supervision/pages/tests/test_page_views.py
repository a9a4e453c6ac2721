"""The views over the sample source: addresses, 404 in words, export, headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from plumbline.supervision.pages import preview, samples
from plumbline.supervision.pages.lists import LISTS
from plumbline.supervision.pages.pages import page_source

preview.configure()


@pytest.fixture
def client() -> Iterator[Client]:
    page_source.cache_clear()
    with override_settings(
        ROOT_URLCONF="plumbline.supervision.pages.urls",
        PLUMBLINE_PAGE_SOURCE="plumbline.supervision.pages.sample_source.SampleSource",
        MIDDLEWARE=["plumbline.web.middleware.SecurityHeaders"],
        ALLOWED_HOSTS=["*"],
    ):
        yield Client()
    page_source.cache_clear()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/", "从哪个角色看"),
        ("/reports/", "检测报告"),
        (f"/reports/{samples.NUMBER}/", "保管链"),
        ("/live-tests/t1/", "手动控制已锁定"),
        ("/status/", "入账延迟"),
        ("/numbers/", "缺 4 个号"),
        ("/search/?q=锦绣", "找到 2 条"),
        ("/search/?q=无人", "没有查到“无人”"),
        *((f"/{key}/", "查询") for key in LISTS),
    ],
)
def test_a_page_answers_with_policy_and_words(client: Client, address: str, words: str) -> None:
    response = client.get(address)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_an_unknown_report_is_404_and_says_what_to_do(client: Client) -> None:
    response = client.get("/reports/NO-SUCH/")
    assert response.status_code == 404
    assert "没有找到这份报告" in response.content.decode()


def test_a_curve_is_json_and_an_unknown_one_404(client: Client) -> None:
    document = json.loads(client.get(f"/reports/{samples.NUMBER}/curves/2.json").content)
    assert len(document["time_s"]) == len(document["force_kN"])
    assert client.get(f"/reports/{samples.NUMBER}/curves/9.json").status_code == 404


def test_the_search_is_part_of_the_address(client: Client) -> None:
    page = client.get("/reports/", {"q": "004186"}).content.decode()
    assert "HC-TYJ-2026-004186" in page
    assert "HC-TYJ-2026-004185" not in page


def test_the_export_holds_the_rows_of_the_filter_with_labels(client: Client) -> None:
    response = client.get("/reports/export.csv", {"q": "004186"})
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "准绳,检测报告导出"
    headings = next(place for place, line in enumerate(lines) if line.startswith("报告编号,存证,评定"))
    assert [line.split(",")[1] for line in lines[headings + 1 :]] == ["已存证", "1"]
    assert lines[-1] == "合计,1"


def test_the_status_page_says_that_no_virus_scanner_is_there(client: Client) -> None:
    assert "没有接病毒扫描" in client.get("/status/").content.decode()


def test_changing_methods_are_refused(client: Client) -> None:
    assert client.post("/reports/").status_code == 405
