"""Texts of every form at one place (表单文字): nothing unseen, nothing endless, everything in one normal form, before any view reads it.

What a form sends becomes names, reasons, audit lines and entries. Each refusal names field, reason and remedy; secrets are only bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.http import parse_header_parameters

from plumbline.domain.basics.words import text_problem

LONGEST = 20_000
#: Names by which programs call our one character set.
_UTF_8 = frozenset({"", "utf-8", "utf8"})
#: Typed by nobody's eye: passwords, codes and tokens are compared, never shown.
_SECRET = re.compile(r"passw|again|token|secret|^code$", re.I)
_WORDS = {
    "because": "原因",
    "name": "名称",
    "username": "登录名",
    "login": "登录名",
    "capacity": "岗位",
    "contact": "联系人",
    "organisation": "单位",
    "purpose": "用途",
    "label": "岗位",
}


def form_problem(name: str, text: str) -> str:
    """Why a field of a form is refused, with what to do; empty when it is not."""
    told = (
        f"“{_WORDS.get(name, name)}”"
        if name.isascii() and name.isprintable() and len(name) < 60
        else "有一个字段"
    )
    if len(text) > LONGEST:
        return f"{told}有 {len(text)} 个字，最多 {LONGEST} 个，请缩短后再提交。"
    if _SECRET.search(name):
        return f"{told}里有空字符 NUL，请重新输入。" if "\0" in text else ""
    problem = text_problem(text.replace("\r\n", "\n"), multiline=True) or text_problem(name)
    return f"{told}没有收下：{problem}。" if problem else ""


class Utf8Request(WSGIRequest):
    """A request whose address is read as UTF-8 whatever its `Content-Type` names: the framework would read it with a codec of the
    visitor's choice, `hex` or `punycode` too, and raise before any middleware could answer."""

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        try:
            stated = parse_header_parameters(str(meta.get("CONTENT_TYPE", "")))
        except (LookupError, ValueError):
            stated = ("", {})
        self.content_type, self.content_params = stated


class FormTexts:
    """Refuses a form with an odd text, and hands the others on in normal form C."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, or 400 in one plain sentence."""
        if request.method == "POST":
            stated = (request.content_params or {}).get("charset", "")
            if stated.strip().lower().replace("_", "-") not in _UTF_8:
                told = "表单的字符集不是 UTF-8，没有收下。请用 UTF-8 提交。"
                return HttpResponse(told.encode(), "text/plain; charset=utf-8", 400)
            request.encoding = "utf-8"  # the framework knows it by this name alone
            fields = [(name, value) for name, values in request.POST.lists() for value in values]
            for name, value in fields:
                if problem := form_problem(name, str(value)):
                    return HttpResponse(problem.encode(), "text/plain; charset=utf-8", 400)
            if not all(unicodedata.is_normalized("NFC", str(value)) for _, value in fields):
                request.POST = _in_normal_form(request.POST)  # type: ignore[assignment]
        return self.get_response(request)


def _in_normal_form(given: QueryDict) -> QueryDict:
    made = QueryDict(mutable=True)
    for name, values in given.lists():
        kept = (
            values if _SECRET.search(name) else [unicodedata.normalize("NFC", str(each)) for each in values]
        )
        made.setlist(name, kept)
    made._mutable = False  # as Django's own
    return made
