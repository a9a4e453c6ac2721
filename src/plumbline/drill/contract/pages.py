"""Every page × every reader × hostile addresses, questions and forms (网页): no fault of the server, nothing changed without a form's
own token, nothing of the inside in an answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from plumbline.drill.contract.hostile import IN_ADDRESS
from plumbline.drill.contract.line import Headers, Line
from plumbline.drill.contract.verdict import Answered

_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
_NAMES = re.compile(r'name="([a-z_0-9]{1,40})"')
#: What a view, an error page or a database says when it was not asked nicely; no page for people ever does.
_INSIDE = re.compile(rb"Traceback \(most recent|psycopg\.|DataError|<title>[A-Z]\w+Error|Request information")
_CSRF = "csrfmiddlewaretoken"
#: Values of fields.
IN_FIELDS: dict[str, str] = {
    "空": "",
    "NUL": "\0",
    "双向控制": "\u202eabc\u2066",
    "五千位数": "9" * 5000,
    "负数": "-1",
    "科学计数": "1e400",
    "NaN": "NaN",
    "全角数字": "\uff11\uff12\uff13",
    "不规范的合成": "e\u0301" * 3,
    "公式": '=HYPERLINK("http://x")',
    "标签": "<script>alert(1)</script>",
    "引号": "' OR 1=1 --",
    "日期": "2026-02-30",
    "编号": "0" * 32,
}
#: Bodies that are no form, with their type.
BODIES: dict[str, tuple[str, bytes]] = {
    "JSON": ("application/json", b'{"a":[1,{"b":null}]}'),
    "没有界线": ("multipart/form-data", b"--x\r\n"),
    "界线不对": ("multipart/form-data; boundary=" + "x" * 300, b"--y\r\n\r\n"),
    "文件名有 NUL": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a\0/../b"\r\n\r\nx\r\n--x--\r\n',
    ),
    "不是 UTF-8": ("application/x-www-form-urlencoded", b"a=\xff\xfe&b=%ff%fe"),
    "别种字符集": ("application/x-www-form-urlencoded; charset=utf-7", b"a=+AGE-"),
    "没有的字符集": ("application/x-www-form-urlencoded; charset=klingon", b"a=b"),
    "一千个字段": ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(1000))),
    "十兆字节": ("application/x-www-form-urlencoded", b"note=" + b"a" * 10_000_000),
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One address of web: its name, and its route as it is written."""

    name: str
    route: str

    def address(self, values: Mapping[str, str], spoilt: tuple[str, str] | None = None) -> str:
        """With a value for each parameter; one of them may be spoilt, and is then taken as it stands."""

        def put(found: re.Match[str]) -> str:
            if spoilt and found[2] == spoilt[0]:
                return spoilt[1]
            return quote(values.get(found[2], "1" if found[1] == "int" else "x"), safe="")

        return "/" + _PARAMETER.sub(put, self.route)

    @property
    def parameters(self) -> list[str]:
        """Names of its parameters."""
        return [found[2] for found in _PARAMETER.finditer(self.route)]

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its addresses look like."""
        made = "".join(
            each if number % 3 == 0 else "[^/]+" if number % 3 == 2 else ""
            for number, each in enumerate(
                re.escape(each) if n % 3 == 0 else each for n, each in enumerate(_PARAMETER.split(self.route))
            )
        )
        return re.compile("/" + made)


def pages() -> list[Page]:
    """From the product's own list."""
    from importlib import import_module

    from plumbline.supervision.pages import preview

    preview.configure()
    found = import_module("plumbline.supervision.urls").urlpatterns
    return [Page(name=each.name, route=str(each.pattern)) for each in found]


def field_names(contents: Sequence[bytes]) -> list[str]:
    """Names of the fields of all forms and filters that pages show."""
    found = {name for each in contents for name in _NAMES.findall(each.decode("utf-8", "replace"))}
    return sorted(found - {_CSRF})


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One request to a page."""

    method: str
    address: str
    headers: Headers = ()
    body: bytes = b""
    how: str = ""
    #: Without the token of a form, so that nothing may come of it.
    is_without_token: bool = False


def shots(page: Page, known: Mapping[str, str], fields: Sequence[str]) -> Iterator[Shot]:
    """Everything that one page is asked: by address, by question, by form."""
    good = known.get(page.name) or page.address({})
    yield Shot(method="GET", address=good, how="照常")
    for name in page.parameters:
        for how, text in IN_ADDRESS.items():
            yield Shot(method="GET", address=page.address({}, (name, text)), how=f"{name} 是{how}")
    for how, text in IN_FIELDS.items():
        query = urlencode(dict.fromkeys(fields or ["q"], text[:300]))
        yield Shot(method="GET", address=f"{good}?{query}", how=f"所有条件是{how}")
    for kind in ("text/plain; charset=hex", "text/plain; charset=punycode", "a/b; x*=hex''%41"):
        yield Shot(method="GET", address=f"{good}?q=1", headers=(("Content-Type", kind),), how=f"类型 {kind}")
    yield Shot(method="GET", address=f"{good}?q=%ff&q[]=1&q=%ed%a0%80&&=&%", how="写坏的条件")
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND"):
        yield Shot(method=method, address=good, how=f"方法 {method}", is_without_token=True)
    yield from _posts(good, fields)


def _posts(address: str, fields: Sequence[str]) -> Iterator[Shot]:
    plain = (("Content-Type", "application/x-www-form-urlencoded"),)
    for how, text in IN_FIELDS.items():
        token = secrets.token_hex(16)
        values = dict.fromkeys(fields or ["q"], text) | {_CSRF: token}
        body = urlencode(values, errors="surrogatepass").encode()
        cookie = (("X-CSRF", token),)
        yield Shot(method="POST", address=address, headers=plain + cookie, body=body, how=f"表单里都是{how}")
    for how, (kind, body) in BODIES.items():
        token = secrets.token_hex(16)
        headers = (("Content-Type", kind), ("X-CSRF", token), ("X-CSRFToken", token))
        yield Shot(method="POST", address=address, headers=headers, body=body, how=how)
    body = urlencode(dict.fromkeys(fields or ["q"], "1")).encode()
    yield Shot(
        method="POST", address=address, headers=plain, body=body, how="没有表单的记号", is_without_token=True
    )


def fire(line: Line, shot: Shot, session: str) -> Answered:
    """One answer, in a reader's session; the token of a form stands in its cookie too."""
    headers, cookies = [], [f"plumb_session={session}"] if session else []
    for name, value in shot.headers:
        if name == "X-CSRF":
            cookies.append(f"plumb_csrf={value}")
        else:
            headers.append((name, value))
    if cookies:
        headers.append(("Cookie", "; ".join(cookies)))
    return line.ask(shot.method, shot.address, headers, shot.body)


def judge_page(reader: str, shot: Shot, answered: Answered) -> list[str]:
    """One sentence for each promise that is broken."""
    asked = f"{reader} {shot.method} {shot.address[:120]}（{shot.how}）"
    if answered.status == 0:
        return [f"{asked}：没有答复"]
    found = []
    if answered.status >= 500 and answered.status != 503:
        found.append(f"{asked}：服务器错误 {answered.status}")
    if _INSIDE.search(answered.body):
        found.append(f"{asked}：答复里有程序内部的话")
    if shot.is_without_token and shot.method == "POST" and answered.status < 400:
        found.append(f"{asked}：没有记号也做了（{answered.status}）")
    return found


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Every page as every reader; each page in a session of its own, since some of them end it."""

    line: Line
    #: Reader → a new session of theirs.
    readers: Mapping[str, Callable[[], str]]
    pages: Sequence[Page]
    #: Page → an address of it that leads somewhere; names of the fields of all forms.
    known: Mapping[str, str]
    fields: Sequence[str]

    def run(self, told: Callable[[list[str]], Any], *, every: int = 1) -> int:
        """How many were asked; of each page's requests only every so-manieth."""
        count = 0
        for reader, begin in self.readers.items():
            for number, page in enumerate(self.pages):
                session = begin()
                made = list(shots(page, self.known, self.fields))
                # a shift, so that a share of each page's is of all kinds together
                for shot in made[number % min(every, len(made)) :: every]:
                    told(judge_page(reader, shot, fire(self.line, shot, session)))
                    count += 1
            print(f"  {reader}：到此 {count} 个请求", flush=True)
        return count
