"""People with browsers (用浏览器的人): accounts with passwords and second factors, and the three administrators of a platform."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from plumbline.domain.basics.identifiers import party_id
from plumbline.supervision.boot import DEMO_OPERATOR

PASSWORD = "songbai-2026-qianzhui"
STATION = party_id(DEMO_OPERATOR.uscc).hex()


def totp(secret: str) -> str:
    """RFC 6238 with the defaults of authenticator apps, written here apart from the library that checks it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


#: Every visitor of this file, to be closed at the end.
opened: list[Browser] = []


@dataclass
class Browser:
    """A visitor with cookies, who fills in forms."""

    url: str
    client: httpx.Client = field(init=False, repr=False)
    #: Codes that each replace the authenticator once: a code of the app cannot be used twice in half a minute.
    codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        opened.append(self)
        self.client = httpx.Client(base_url=self.url, follow_redirects=True, trust_env=False, timeout=30)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, **fields: str) -> httpx.Response:
        if "plumb_csrf" not in self.client.cookies:
            self.client.get("/account/login/")
        answer = self._send(path, fields)
        if "再次确认身份" in answer.text and self.codes:  # on a slow machine: the sign-in is five minutes old
            answer = self._send(path, fields | self.proof())
        return answer

    def _send(self, path: str, fields: dict[str, str]) -> httpx.Response:
        token = self.client.cookies.get("plumb_csrf", "")
        return self.client.post(
            path, data={"csrfmiddlewaretoken": token, **fields}, headers={"Referer": self.url + path}
        )

    def proof(self) -> dict[str, str]:
        """What is asked for once more before an administrator's act."""
        return {"confirm_password": PASSWORD, "confirm_code": self.codes.pop()}

    def set_password(self, link: str) -> httpx.Response:
        path = link.removeprefix(self.url)
        self.get(path)
        return self.post(path, password=PASSWORD, again=PASSWORD)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        page = self.post("/account/login/", login=name, password=password)
        if page.url.path == "/account/2fa/authenticate/":
            page = self.post("/account/2fa/authenticate/", code=self.codes.pop())
        return page

    def take_second_factor(self) -> None:
        self.show_code(self.begin_second_factor())

    def begin_second_factor(self) -> str:
        """The secret for the app, after a proof of identity where one is asked for."""
        page = self.get("/account/2fa/totp/activate/")
        if "reauthenticate" in str(page.url):
            page = self.post(str(page.url).removeprefix(self.url), password=PASSWORD)
        secret = re.search(r'class="secret">([A-Z2-7]+)<', page.text)
        assert secret, page.text[:500]
        return secret[1]

    def show_code(self, secret: str) -> None:
        """The app's code; one that is on its way when its half minute ends is refused, and the next one is not."""
        for _ in range(3):
            done = self.post("/account/2fa/totp/activate/", code=totp(secret))
            self.codes = re.findall(r"<li><code>(\w+)</code></li>", done.text)
            if self.codes:
                break
        assert len(self.codes) >= 8, done.text[:2000]


@dataclass
class Office:
    """The three administrators of a platform, signed in."""

    system: Browser
    security: Browser
    audit: Browser

    def make(self, name: str, division: str = "610303") -> Browser:
        """A new account with a password, not signed in."""
        made = self.system.post("/accounts/new/", username=name, label="监督三科", division=division)
        assert made.url.path == f"/accounts/{name}/", made.text
        link = re.search(r'class="once">([^<]+)<', self.system.post(f"/accounts/{name}/link/").text)
        assert link
        owner = Browser(self.system.url)
        assert owner.set_password(link[1]).url.path == "/account/login/"
        return owner

    def officer(self, name: str, division: str = "610300") -> Browser:
        """A signed-in officer of the whole city, with a second factor."""
        owner = self.make(name)
        assert "入了日志" in self.grant(name, "officer", division=division).text
        owner.sign_in(name)
        owner.take_second_factor()
        assert owner.get("/acting/").url.path == "/"
        assert owner.get("/reports/").status_code == 200
        return owner

    def grant(self, name: str, role: str, party: str = STATION, division: str = "610300") -> httpx.Response:
        return self.security.post(
            f"/accounts/{name}/grant/", role=role, party=party, division=division, capacity="监督员"
        )


#: Which of the three → its login name.
NAMES = {"system": "wang.xt", "security": "li.aq", "audit": "zhao.sj"}


def named_administrators(tested: Any) -> dict[str, list[str]]:
    """Name the three administrators of a platform, as can be done once: login name → codes that each replace the authenticator once."""
    command = [sys.executable, "-m", "plumbline.cli", "admins", "--data-dir", str(tested.platform.data_dir)]
    for kind, name in NAMES.items():
        command += [f"--{kind}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    links = re.findall(r"：(http\S+)", done.stdout)
    codes = {}
    for name, link in zip(NAMES.values(), links, strict=True):
        browser = Browser(tested.url)
        browser.set_password(link)
        browser.sign_in(name)
        browser.take_second_factor()
        codes[name] = browser.codes
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert again.returncode == 1 and "已经有账号了" in again.stderr
    return codes


@contextmanager
def open_office(url: str, codes: dict[str, list[str]]) -> Iterator[Office]:
    """The three administrators, signed in now: a session that rests while other tests run would end."""
    browsers = []
    for name, left in codes.items():
        browser = Browser(url, codes=left)
        browser.sign_in(name)
        browser.get("/acting/")
        browsers.append(browser)
    yield Office(*browsers)
    for each in opened:
        each.client.close()
    opened.clear()
