"""Whoever reads pages and exports (各类读者): follows the links of the platform in each role and keeps every answer for the search."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx
import psycopg
from django.core.signing import TimestampSigner

from plumbline.supervision.access.principals import PUBLIC, Principal, Role
from plumbline.supervision.config import Platform

_LINK = re.compile(r'(?:href|src|data-url)="([^"#]+)"')
#: What only changes how a page looks, or ends the session.
_PASSED_OVER = ("/static/", "/demo/sign-", "/account/logout", "/tour/enter", "/live/", "/x/manual")


@dataclass(frozen=True, slots=True)
class Answer:
    """One page or file that a reader got."""

    reader: str
    address: str
    status: int
    head: bytes
    content: bytes


def principals(platform_operator: str, institution: str, other: str, party: str) -> dict[str, Principal]:
    """Name → who reads: officers of here and elsewhere, the institution, a stranger, a party, the three administrators, the public."""

    def officer(division: str) -> Principal:
        return Principal(role=Role.OFFICER, party=platform_operator, organisation="监督站", division=division)

    return {
        "监督人员": officer("610300"),
        "外地监督人员": officer("620100"),
        "本机构": Principal(
            role=Role.INSTITUTION, party=institution, organisation="演练机构", division="610300"
        ),
        "另一家机构": Principal(role=Role.INSTITUTION, party=other, organisation="另一家", division="610300"),
        "参建单位": Principal(role=Role.PARTY, party=party, organisation="演练工地", division="610300"),
        "系统管理员": Principal(role=Role.SYSTEM_ADMIN, organisation="监督站", division="610300"),
        "安全管理员": Principal(role=Role.SECURITY_ADMIN, organisation="监督站", division="610300"),
        "审计管理员": Principal(role=Role.AUDIT_ADMIN, organisation="监督站", division="610300"),
        "公众": PUBLIC,
    }


def begin_session(platform: Platform, principal: Principal, name: str) -> str:
    """A stored session of a principal, as signing in begins one; its key. Public: no session."""
    if principal is PUBLIC:
        return ""
    secret = (platform.folder("keys") / "kek.bin").read_bytes()
    signer = TimestampSigner(
        key=hashlib.sha256(b"django\0" + secret).hexdigest(),
        salt="django.contrib.sessions.SessionStore",
        fallback_keys=[],
    )
    stored = {"principal": principal.as_session(), "live": f"drill of {name}"}
    key = secrets.token_hex(16)
    with psycopg.connect(platform.conninfo("plumb_web")) as conn:
        conn.execute(
            "INSERT INTO web.django_session (session_key, session_data, expire_date) VALUES (%s, %s, now() + interval '1 day')",
            [key, signer.sign_object(stored, compress=True)],
        )
    return key


def walk(
    url: str, reader: str, session: str, first: list[str], *, most: int, each_kind: int = 6
) -> list[Answer]:
    """What a reader reaches by links from `first`, breadth first: at most `most` addresses, of each shape at most `each_kind`."""
    waiting, seen, shapes = deque(first), set(first), dict[str, int]()
    answers: list[Answer] = []
    cookies = {"cookie": f"plumb_session={session}"} if session else {}
    with httpx.Client(timeout=120, trust_env=False, base_url=url, headers=cookies) as http:
        while waiting and len(answers) < most:
            address = waiting.popleft()
            shape = _shape(address)
            shapes[shape] = shapes.get(shape, 0) + 1
            if shapes[shape] > each_kind:
                continue
            got = _get(http, address)
            head = "\n".join(f"{key}: {value}" for key, value in got.headers.items())
            answers.append(Answer(reader, address, got.status_code, head.encode(), got.content))
            if "text/html" in got.headers.get("content-type", ""):
                for link in _links(got.text, address):
                    if link not in seen:
                        seen.add(link)
                        waiting.append(link)
            if 300 <= got.status_code < 400 and (there := _inside(got.headers.get("location", ""), address)):
                waiting.append(there)
    return answers


def _get(http: httpx.Client, address: str) -> httpx.Response:
    """One answer; asked again after a pause where the platform asks for patience."""
    for _ in range(20):
        got = http.get(address)
        if got.status_code != 429:
            break
        time.sleep(min(5, int(got.headers.get("retry-after", "1"))))
    return got


def _links(text: str, address: str) -> list[str]:
    found = (_inside(html.unescape(each), address) for each in _LINK.findall(text))
    return [each for each in found if each and not each.startswith(_PASSED_OVER)]


def _inside(link: str, address: str) -> str:
    """The path of a link within the platform; empty for any other."""
    parts = urlsplit(urljoin(address, link))
    local = not parts.scheme or link.startswith("/")
    if not local or not parts.path.startswith("/"):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _shape(address: str) -> str:
    """Addresses that differ by the object only have one shape."""
    path, _, query = address.partition("?")
    parts = ["*" if any(c.isdigit() for c in part) or len(part) > 24 else part for part in path.split("/")]
    names = sorted(each.partition("=")[0] for each in query.split("&") if each)
    return "/".join(parts) + "?" + "&".join(names)
