"""Every form passes one place (表单文字): odd texts are refused with field, reason and remedy, others come in normal form."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.domain.basics.words import text_problem
from plumbline.supervision.pages import preview
from plumbline.web.forms import LONGEST, FormTexts, Utf8Request, form_problem

preview.configure()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("because", "停\u202e用", "“原因”没有收下：第 2 个字符是改变书写方向的字符（U+202E）；请删去"),
        ("because", "停\0用", "空字符 NUL"),
        ("note", "a\x07", "“note”没有收下"),
        ("name", "字" * (LONGEST + 1), "最多 20000 个，请缩短"),
        ("password", "a\0b", "NUL，请重新输入"),
        ("x\u202e", "fine", "有一个字段没有收下"),
    ],
)
def test_an_odd_text_is_refused_with_field_reason_and_remedy(name: str, text: str, said: str) -> None:
    assert said in form_problem(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("because", "第一行\r\n第二行\t列"),
        ("password", "pass\u200bword"),
        ("name", "阿依古丽·买买提"),
        ("capacity", ""),
    ],
)
def test_what_people_write_passes(name: str, text: str) -> None:
    assert form_problem(name, text) == ""


@settings(deadline=None)
@given(st.text(max_size=40))
def test_what_passes_can_be_seen(text: str) -> None:
    if form_problem("because", text) == "":
        assert text_problem(text.replace("\r\n", "\n"), multiline=True) is None


def _answer(fields: dict[str, str]) -> tuple[HttpResponse, list[dict[str, str]]]:
    seen: list[dict[str, str]] = []

    def view(request) -> HttpResponse:
        seen.append(request.POST.dict())
        return HttpResponse("done")

    return FormTexts(view)(RequestFactory().post("/x/", fields)), seen  # type: ignore[return-value]


def test_a_form_is_handed_on_in_normal_form_and_its_secrets_as_they_are() -> None:
    answer, seen = _answer({"name": "e\u0301", "password": "e\u0301"})
    assert (answer.status_code, seen) == (200, [{"name": "\u00e9", "password": "e\u0301"}])
    answer, seen = _answer({"name": "\u202e"})
    assert (answer.status_code, seen) == (400, [])
    assert answer["Content-Type"].startswith("text/plain")


def _posted(kind: str, body: bytes, query: str = "") -> Utf8Request:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": query, "CONTENT_TYPE": kind}
    return Utf8Request(environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)})


@pytest.mark.parametrize("charset", ["utf-7", "gb18030", "utf-16", "UTF_16_LE", "hex", "klingon"])
def test_a_form_of_another_character_set_is_refused_before_anybody_reads_it(charset: str) -> None:
    """The framework raises where it is read first, which is no place to answer from."""
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    request = _posted(kind, b"a=+AGE-")
    answer = FormTexts(lambda _: HttpResponse("seen"))(request)
    assert answer.status_code == 400
    assert "UTF-8" in answer.content.decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "UTF_8", '"utf-8"'])
def test_a_form_of_our_character_set_is_read(charset: str) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    request = _posted(kind, b"a=b")
    answer = FormTexts(lambda asked: HttpResponse(asked.POST["a"]))(request)
    assert answer.content == b"b"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "kind", ["text/plain; charset=hex", "text/plain; charset=punycode", "a/b; x*=hex''%41", "utf-8; " * 5000]
)
def test_an_address_is_read_whatever_character_set_its_request_names(kind: str) -> None:
    """The framework would ask the named codec for the query, before any middleware runs."""
    request = _posted(kind, b"", "q=%e5%87%86")
    assert request.GET["q"] == "准"
