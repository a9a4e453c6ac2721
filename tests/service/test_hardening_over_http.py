"""What every answer of the running platform has and has not (安全响应头与攻击面): headers, cookies, methods, addresses, framing."""

from __future__ import annotations

import re
import socket
from types import SimpleNamespace

import httpx
import psycopg
import pytest

from plumbline.supervision.gateway import public
from plumbline.supervision.gateway.headers import SafeHeaders
from plumbline.supervision.pages import preview

pytestmark = pytest.mark.service
#: One address of each part that answers: gateway page, API, refusal, documents, static file, relayed page, refused page, nothing.
WALK = (
    "/v/",
    "/v/2611HC0AAAAAAAAAAAAAA",
    "/x/v1/time",
    "/x/v1/changes",
    "/x/manual",
    "/x/openapi.json",
    "/x/nothing",
    "/healthz",
    "/static/css/base.css",
    "/static/nothing.css",
    "/",
    "/account/login/",
    "/reports/",
    "/nothing/",
    "/live/x?token=x",
)


@pytest.fixture(scope="module")
def answers(running_platform) -> dict[str, httpx.Response]:
    with httpx.Client(base_url=running_platform.url, trust_env=False, timeout=30) as http:
        return {path: http.get(path, headers={"Origin": "https://evil.example"}) for path in WALK}


def test_every_answer_is_typed_unsniffable_and_in_no_frame(answers) -> None:
    for path, answer in answers.items():
        headers = answer.headers
        assert answer.status_code < 500, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["referrer-policy"] in ("same-origin", "no-referrer"), path
        assert "access-control-allow-origin" not in headers, path
        if answer.content and headers["content-type"].startswith("text/"):
            assert "charset=utf-8" in headers["content-type"].lower(), path
        assert not answer.content or headers["content-type"], path


def test_every_page_runs_own_code_only_and_is_kept_by_nobody(answers) -> None:
    pages = {
        path: each for path, each in answers.items() if each.headers["content-type"].startswith("text/html")
    }
    assert len(pages) >= 6
    for path, answer in pages.items():
        policy = answer.headers["content-security-policy"]
        for directive in ("default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'"):
            assert directive in policy, (path, directive)
        assert "unsafe" not in policy
    for path in ("/", "/account/login/", "/reports/", "/v/", "/x/v1/changes"):
        assert "no-store" in answers[path].headers["cache-control"], path


def test_a_password_is_typed_unseen_and_may_be_pasted(answers) -> None:
    page = answers["/account/login/"].text
    assert re.search(
        r'<input[^>]*name="password"[^>]*type="password"[^>]*autocomplete="current-password"', page
    )
    assert "onpaste" not in page


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_nobody_needs_are_refused(running_platform, method) -> None:
    host, port = running_platform.url.removeprefix("http://").split(":")
    target = "x:1" if method == "CONNECT" else "/"
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-Canary: echo-me\r\nConnection: close\r\n\r\n".encode()
        )
        answer = _read(line)
    assert not re.match(rb"HTTP/1.1 2", answer) and b"echo-me" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/css/",
        "/.git/config",
        "/static/../pyproject.toml",
        "/static/%2e%2e/jinja.py",
        "/secrets.json",
    ],
)
def test_no_folder_is_listed_and_no_file_of_ours_is_to_be_had(running_platform, path) -> None:
    host, port = running_platform.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = _read(line)
    assert re.match(rb"HTTP/1.1 (404|405|400)", answer), answer[:80]


def _read(line: socket.socket) -> bytes:
    found = b""
    try:
        while got := line.recv(65536):
            found += got
    except ConnectionError:
        pass
    return found


def test_two_lengths_for_one_request_smuggle_nothing(running_platform) -> None:
    host, port = running_platform.url.removeprefix("http://").split(":")
    hidden = b"GET /x/v1/time HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"0\r\n\r\n" + hidden
    head = (
        f"POST /v/x/complaints HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(chunked)}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ).encode()
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head + chunked)
        answer = _read(line)
    assert answer.count(b"HTTP/1.1 ") <= 1 and b'"now"' not in answer


def test_an_address_is_decoded_once_and_what_is_shown_is_escaped(running_platform) -> None:
    with httpx.Client(base_url=running_platform.url, trust_env=False, timeout=30) as http:
        twice = http.get("/v/%253Cimg%2520src=x%253E").text  # stays %3Cimg…: nobody decodes it again
        once = http.get("/v/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E").text
    assert "<img src=x" not in twice and "<img" not in once
    assert "javascript:" not in once + twice


def test_a_session_that_nobody_began_is_the_public(running_platform) -> None:
    with httpx.Client(base_url=running_platform.url, trust_env=False, timeout=30) as http:
        for forged in ("a" * 32, "../../etc/passwd", "' OR 1=1 --"):
            answer = http.get("/reports/", headers={"cookie": f"plumb_session={forged}"})
            assert answer.status_code == 403
        card = http.get("/").text
        key = re.search(r'action="/demo/sign-in/([\w-]+)/"', card)
        assert key
        token = {"csrfmiddlewaretoken": http.cookies["plumb_csrf"]}
        assert http.post(f"/demo/sign-in/{key[1]}/").status_code == 403  # without the form's token
        entered = http.post(
            f"/demo/sign-in/{key[1]}/", data=token, headers={"Referer": running_platform.url + "/"}
        )
        cookie = next(
            each for each in entered.headers.get_list("set-cookie") if each.startswith("plumb_session=")
        )
        assert re.match(r"plumb_session=[a-z0-9]{32};", cookie)  # 36 ** 32 is more than 2 ** 165
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_no_account_comes_with_the_product(untouched_platform) -> None:
    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web")) as conn:
        assert conn.execute("SELECT count(*) FROM web.accounts_account").fetchone() == (0,)


def test_an_audit_event_is_neither_changed_nor_deleted(untouched_platform) -> None:
    for login in ("plumb_web", "plumb_gateway", "plumb_worker", "plumb_projector"):
        for statement in ("UPDATE ops.audit_event SET actor = 'x'", "DELETE FROM ops.audit_event"):
            with (
                psycopg.connect(untouched_platform.platform.conninfo(login)) as conn,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                conn.execute(statement.encode())


def test_refused_sign_ins_are_found_without_reading_the_trail(untouched_platform) -> None:
    preview.configure()
    from plumbline.supervision.administration import trail

    with psycopg.connect(untouched_platform.platform.conninfo("plumb_web")) as conn:
        conn.execute("SET enable_seqscan = off")
        asked = f"EXPLAIN {trail._REFUSED}".encode()
        plan = "\n".join(row[0] for row in conn.execute(asked, ["wang.xt", "2026-11-01T00:00:00+00:00"]))
    assert "audit_event_of_refused_sign_in" in plan


@pytest.mark.parametrize(("scheme", "is_told"), [("https", True), ("http", False)])
def test_over_https_the_browser_is_told_to_stay_with_it(scheme: str, is_told: bool) -> None:
    sent: list[dict] = []

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message) -> None:
        sent.append(message)

    context = SimpleNamespace(trusted_proxies=frozenset())
    state = SimpleNamespace(state=SimpleNamespace(context=context))
    scope = {"type": "http", "scheme": scheme, "path": "/", "query_string": b"", "headers": [], "app": state}
    scope |= {"server": ("h", 443), "client": ("192.0.2.1", 1)}
    coroutine = SafeHeaders(app)(scope, None, keep)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)
    told = dict(sent[0]["headers"]).get(b"strict-transport-security", b"").decode()
    assert told == ("max-age=31536000; includeSubDomains" if is_told else "")


def test_a_file_name_holds_no_sign_that_ends_it() -> None:
    for number in ('a"; filename="x.exe', "HC-2026\r\nX: y", "报告/../1", "HC-2026-1"):
        kept = public._UNSAFE.sub("_", number)
        assert re.fullmatch(r"[0-9A-Za-z._-]+", kept), kept
