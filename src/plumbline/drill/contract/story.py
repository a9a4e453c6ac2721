"""The whole drill (演练的情节): a platform of its own with a small city, the interface, the pages, and faults that must be found."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import psycopg

from plumbline.domain.basics.identifiers import party_id
from plumbline.drill.contract import bugs, generated
from plumbline.drill.contract.course import Course, open_course, trusted
from plumbline.drill.contract.line import Line
from plumbline.drill.contract.pages import Page, Sweep, field_names, pages
from plumbline.drill.contract.senders import Sender, enrol
from plumbline.drill.outcome import Outcome
from plumbline.drill.privacy.course import fill_city, own_platform
from plumbline.drill.privacy.readers import Answer, begin_session, principals, walk
from plumbline.embedded.ports import free_port
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform

#: Nobody is to be told "too fast" in a drill that asks as fast as it can.
_FAST = {"PLUMB_RATE": "1000000", "PLUMB_LOOKUP_RATE": "1000000", "PLUMB_PAGE_RATE": "100000"}
#: Requests of one operation that the description is to give rise to.
_WANTED = 500
_LEFT_OUT = (
    "需要账号和第二因素的页面按角色的会话访问，没有真的账号登录后的表单",
    "未登记进描述的地址（实时曲线、附件、探针）只查服务器错误",
    "TLS 之上的请求夹带、HTTP/2 没有试",
)


@dataclass(kw_only=True)
class Pages:
    """What the sweep of the pages found."""

    count: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)

    def note(self, sentences: Sequence[str]) -> None:
        """Keep the first of each kind."""
        for each in sentences:
            kind = each.partition("：")[2] + each.split()[1] + each.split()[2].partition("?")[0][:12]
            self.kinds[kind] += 1
            if self.kinds[kind] == 1:
                self.sentences.append(each)


def run_story(arguments: argparse.Namespace) -> Outcome:
    """The full drill."""
    begun = time.monotonic()
    os.environ.update(_FAST)
    counts: dict[str, int | float | str] = {}
    left_out, lacking = list(_LEFT_OUT), list[str]()
    if arguments.pages_every > 1:
        left_out.append(f"网页的请求每 {arguments.pages_every} 个试了一个")
    if not arguments.pages_every:
        left_out.append("网页没有试（--pages-every 0）")
    if arguments.hand_every > 1:
        left_out.append(f"手写的恶意请求每 {arguments.hand_every} 个试了一个")
    if arguments.examples < _WANTED:
        left_out.append(f"每个接口生成 {arguments.examples} 个请求，目标是 {_WANTED} 个")
    with own_platform() as (platform, url, _):
        if arguments.scale > 0:
            print(f"填演示城市（规模 {arguments.scale}）", flush=True)
            fill_city(platform, arguments.seed, arguments.scale)
        senders, known = enrol(platform), known_of(platform)
        course = open_course(url, platform.public_url, senders, known)
        broken = _interface(course, arguments, counts, lacking)
        if arguments.pages_every:
            print("网页", flush=True)
            seen = sweep_pages(platform, url, senders, every=arguments.pages_every)
            counts |= {"网页请求": seen.count, "网页不成立": sum(seen.kinds.values())}
            broken += seen.sentences
        if not arguments.no_bugs:
            print("故意的缺陷", flush=True)
            missed = missed_bugs(platform, senders, known)
            counts["故意的缺陷（都要发现）"] = f"{len(bugs.BUGS) - len(missed)}/{len(bugs.BUGS)}"
            broken += [f"没有发现故意的缺陷 {each}" for each in missed]
        broken += _behind(platform)
    return Outcome(
        drill="contract",
        seed=arguments.seed,
        seconds=time.monotonic() - begun,
        counts=counts,
        broken=tuple(broken),
        left_out=tuple(left_out),
        lacking=tuple(lacking),
    )


def _interface(
    course: Course,
    arguments: argparse.Namespace,
    counts: dict[str, int | float | str],
    lacking: list[str],
) -> list[str]:
    """By hand, and by the description."""
    senders = course.senders
    print(f"接口 {len(course.operations)} 个，身份 {len(senders)} 种：手写的恶意请求", flush=True)
    course.hostile(trusted(senders)[:3], every=arguments.hand_every)
    course.hostile(senders[-4:], every=7 * arguments.hand_every)
    course.large(senders[0])
    by_hand = course.asking.asked
    if generated.is_there():
        print("由描述生成的请求", flush=True)
        course.generated(arguments.examples, arguments.seed)
    else:
        lacking.append("没有装 schemathesis（requirements/contract.in），由描述生成的请求没有试")
    course.asking.line.close()
    counts |= {
        "接口": len(course.operations),
        "身份": "、".join(each.name for each in senders),
        "手写的恶意请求": by_hand,
        "由描述生成的请求": course.asking.asked - by_hand,
        "每个接口最少": min((course.by_operation[each.name] for each in course.operations), default=0),
        "答复": "，".join(f"{status}：{n}" for status, n in sorted(course.asking.statuses.items())),
        "接口不成立": sum(course.broken.values()),
    }
    return list(course.sentences)


def known_of(platform: Platform) -> dict[str, str]:
    """What the platform holds: an entry with its sender and uid, a registered code, a file."""
    asked = {
        ("entry", "uid", "sender"): "SELECT id, uid::text, sender FROM fact.event ORDER BY idx DESC LIMIT 1",
        ("code",): "SELECT code FROM fact.registration WHERE code IS NOT NULL LIMIT 1",
        ("sha256",): "SELECT pdf_sha256 FROM fact.registration WHERE pdf_sha256 IS NOT NULL LIMIT 1",
    }
    found: dict[str, str] = {}
    with psycopg.connect(platform.conninfo("plumb_projector")) as conn:
        for names, statement in asked.items():
            row = conn.execute(statement.encode()).fetchone()
            found |= dict(zip(names, map(str, row), strict=True)) if row else {}
    return found


def sweep_pages(
    platform: Platform, url: str, senders: Sequence[Sender], *, most: int = 60, every: int = 1
) -> Pages:
    """Walk as everybody, learn real addresses and names of fields, then ask every page for everything."""
    by_name = {each.name: each.party for each in senders}
    readers = principals(
        party_id(operator_of(platform)[0]).hex(), by_name["检测机构"], by_name["构件厂"], by_name["建设单位"]
    )
    begins: dict[str, Callable[[], str]] = {
        name: partial(begin_session, platform, principal, name) for name, principal in readers.items()
    }
    walked = [
        answer
        for name, begin in begins.items()
        for answer in walk(url, name, begin(), ["/", "/reports/", "/keys/", "/accounts/"], most=most)
    ]
    found, seen = pages(), Pages()
    with Line(url) as line:
        sweep = Sweep(
            line=line,
            readers=begins,
            pages=found,
            known=_real(found, walked),
            fields=field_names([each.content for each in walked]),
        )
        seen.count = sweep.run(seen.note, every=every)
    return seen


def _real(found: Sequence[Page], walked: Sequence[Answer]) -> dict[str, str]:
    """Page → an address that leads somewhere."""
    known: dict[str, str] = {}
    for page in found:
        for answer in walked:
            address = answer.address.partition("?")[0]
            if answer.status == 200 and page.parameters and page.pattern.fullmatch(address):
                known[page.name] = address
                break
    return known


@contextmanager
def spoilt_gateway(platform: Platform, names: Sequence[str]) -> Iterator[str]:
    """One more gateway of the same platform, with faults put in; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "granian", "--no-ws", "--log-level", "warning", "--workers", "1"]
    argv += ["--interface", "asgi", "--factory", "--host", "127.0.0.1", "--port", str(port)]
    environment = platform.environment() | {"PLUMB_PUBLIC_URL": url, bugs.BUG: "+".join(names)} | _FAST
    with (platform.folder("logs") / f"spoilt-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*argv, "plumbline.drill.contract.bugs:gateway"],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        try:
            _await_gateway(url)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _await_gateway(url: str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/healthz", trust_env=False, timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError("演练的网关没有起来")


def missed_bugs(platform: Platform, senders: Sequence[Sender], known: Mapping[str, str]) -> list[str]:
    """Faults that the drill's own requests do not find, each on the operation that has it: all by hand, some by the description."""
    paths = {name: path for name, (path, _, _) in bugs.BUGS.items()}
    with spoilt_gateway(platform, list(bugs.BUGS)) as url:
        course: Course = open_course(url, url, senders, known)
        course.hostile(
            senders[:1], only=lambda planned: planned.operation and planned.operation.path in paths.values()
        )
        by_hand, course.broken_at = course.broken_at, set()
        shown = {paths[name] for name in bugs.SHOWN_BY_DESCRIPTION}
        if generated.is_there():
            course.generated(8, 1, only=lambda operation: operation.path in shown)
        course.asking.line.close()
    missed = [name for name, path in paths.items() if path not in by_hand]
    if generated.is_there():
        found = course.broken_at
        missed += [
            f"{name}（由描述生成的请求）" for name in bugs.SHOWN_BY_DESCRIPTION if paths[name] not in found
        ]
    return missed


def _behind(platform: Platform, seconds: float = 300.0) -> list[str]:
    """Whatever came in is projected: nothing of it stops those who come after."""
    asked = "SELECT h.size - p.pos FROM fact.position p, journal.head h WHERE p.epoch = h.epoch"
    until, left = time.monotonic() + seconds, None
    with psycopg.connect(platform.conninfo("plumb_projector"), autocommit=True) as conn:
        while time.monotonic() < until:
            left = conn.execute(asked).fetchone()
            if left is not None and left[0] <= 0:
                return []
            time.sleep(0.2)
    return [f"投影没有追上：还差 {left[0] if left else '?'} 条"]
