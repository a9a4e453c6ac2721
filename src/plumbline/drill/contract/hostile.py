"""Requests that no generator of a schema thinks of (恶意请求): bodies, types, headers, methods and addresses, made by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from plumbline.drill.contract.description import Operation
from plumbline.drill.contract.requests import Planned, json_bytes

METHODS = ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND", "FOO", "get")
#: As they stand in an address, percent-encoded.
IN_ADDRESS = {
    "五千位数": "9" * 5000,
    "负数": "-1",
    "NUL": "%00",
    "上一级": "%2e%2e%2f%2e%2e%2fetc",
    "不是 UTF-8": "%ff%fe",
    "半个代理": "%ed%a0%80",
    "别种数字": "%d9%a1%d9%a2",
    "双向控制": "%e2%80%ae%e2%81%a6",
    "引号": "%27%20OR%201=1--",
    "换行": "%0d%0aX-Evil:%201",
    "科学计数": "1e9",
    "二的六十三次方": "9223372036854775808",
    "很长": "a" * 8000,
    "裸字节": "\xff\xe9",
}
_TYPES = ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json-patch+json")
_ODD_BODIES: dict[str, bytes] = {
    "空的": b"",
    "null": b"null",
    "数": b"0",
    "列表": b"[]",
    "空对象": b"{}",
    "没有写完": b'{"message":{',
    "四十层": b'{"message":' + b"[" * 40 + b"]" * 40 + b"}",
    "十万层": b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "十万层没有关": b"[" * 100_000,
    "字节顺序标记": b'\xef\xbb\xbf{"message":{}}',
    "UTF-16": '{"message":{}}'.encode("utf-16"),
    "不是 UTF-8": b'{"message":{"kind":"\xff\xfe"}}',
    "NUL 字节": b'{"message":{}}\x00',
    "两个 message": b'{"message":{},"message":{}}',
    "NaN": b'{"message":{"v":NaN}}',
    "别名": b'{"messag\\u0065":{"v":1}}',
}
#: JSON texts to stand in the place of a field.
_ODD_VALUES: dict[str, str] = {
    "null": "null",
    "空文字": '""',
    "列表": "[]",
    "对象": "{}",
    "真": "true",
    "负数": "-1",
    "小数": "1.5",
    "超出": "1e400",
    "四百位数": "9" * 400,
    "二的六十四次方": "18446744073709551616",
    "半个代理": '"\\ud800"',
    "倒过来的代理": '"\\udc00\\ud800"',
    "NUL": '"\\u0000"',
    "双向控制": '"\\u202e\\u2066"',
    "不规范的合成": '"e\\u0301"',
    "全角数字": '"\\uff11\\uff12\\uff13"',
    "很长": '"' + "长" * 70_000 + '"',
}
_ODD_HEADERS: dict[str, tuple[tuple[str, str], ...]] = {
    "两个 Signature": (("Signature", "sig1=:AA==:"), ("Signature", "sig1=:AA==:")),
    "空的 Signature": (("Signature", ""),),
    "不是半角的签名": (("Signature-Input", "sig1=(\xe9\xff)"),),
    "时刻三十位": (("Signature-Input", 'sig1=("@method");created=' + "9" * 30 + ';keyid="x";alg="ed25519"'),),
    "两个摘要": (("Content-Digest", "sha-256=:AA==:"), ("Content-Digest", "sha-256=:AA==:")),
    "摘要不是 base64": (("Content-Digest", "sha-256=:***:"),),
    "等待很久": (("Prefer", "wait=99999999999999999999999"),),
    "等待负数": (("Prefer", "wait=-1"),),
    "等待不是数": (("Prefer", "wait=NaN, wait=\xb2"),),
    "演示时刻": (("Plumb-Demo-Time", "9999-12-31T23:59:60"),),
    "两个演示时刻": (("Plumb-Demo-Time", "2026-01-01T00:00:00Z,2026-01-01T00:00:00Z"),),
    "演示时刻没有时区": (("Plumb-Demo-Time", "0001-01-01T00:00:00"),),
    "转发自": (("X-Forwarded-For", "\xff, 1.1.1.1"), ("X-Forwarded-Proto", "gopher")),
    "要什么": (("Accept", "a/b;q=" + "9" * 2000),),
    "两个 Accept": (("Accept", "application/json"), ("Accept", "text/html")),
    "饼干": (("Cookie", "plumb_session=\xff\xfe; ;;=;plumb_live"),),
    "两个长度": (("Content-Length", "0"), ("Content-Length", "5")),
    "长度不是数": (("Content-Length", "+5"),),
    "编码两次": (("Transfer-Encoding", "chunked, identity"),),
}


def odd_bodies(operation: Operation) -> Iterator[Planned]:
    """JSON that is none, and JSON that says too much, in the place of the body and of each field of the example."""
    if operation.body is None or operation.body[0] != "application/json":
        return
    for how, body in _ODD_BODIES.items():
        yield _planned(operation, body, how)
    whole = operation.example
    for path in _paths(whole):
        for how, text in _ODD_VALUES.items():
            made = copy.deepcopy(whole)
            _put(made, path, "\0here\0")
            body = json.dumps(made, ensure_ascii=False).replace('"\\u0000here\\u0000"', text)
            yield _planned(operation, body.encode(), f"{'/'.join(map(str, path))} 是{how}")
    made = copy.deepcopy(whole)
    _messages(made)[0]["zusatz"] = 1
    yield _planned(operation, json_bytes(made), "多一个字段", is_own=True)


def odd_types(operation: Operation) -> Iterator[Planned]:
    """The right body under a wrong name, or under two."""
    if operation.body is None:
        return
    body = json_bytes(operation.example) if operation.example is not None else b"item=other"
    for kind in (*_TYPES, "text/html"):
        headers = (("Content-Type", kind),)
        yield _planned(operation, body, f"类型 {kind}", headers=headers, is_own=operation.example is not None)
    two = (("Content-Type", "text/plain"), ("Content-Type", operation.body[0]))
    yield _planned(operation, body, "两个类型", headers=two)


def odd_headers(operation: Operation, address: str) -> Iterator[Planned]:
    """A good request with one odd header."""
    body = json_bytes(operation.example) if operation.example is not None else b""
    for how, headers in _ODD_HEADERS.items():
        is_framing = any(name in ("Content-Length", "Transfer-Encoding") for name, _ in headers)
        yield Planned(
            operation=operation,
            method=operation.method,
            address=address,
            body=b"" if is_framing else body,
            headers=headers,
            how=how,
            is_own=bool(body) and not is_framing,
            is_signed=operation.signed,
            is_loose=is_framing,
        )


def odd_addresses(operation: Operation, values: Mapping[str, str]) -> Iterator[Planned]:
    """Each parameter of the path and of the query, out of its mind."""
    body = json_bytes(operation.example) if operation.example is not None else b""
    given = operation.parameters("path")
    for name in given:
        for how, text in IN_ADDRESS.items():
            address = operation.address({**values, name: "\0"}).replace("%00", text, 1)
            yield _planned(operation, body, f"{name} 是{how}", address=address)
    address = operation.address(values)
    for name in operation.parameters("query") or ["any"]:
        for how, text in IN_ADDRESS.items():
            yield _planned(operation, body, f"?{name} 是{how}", address=f"{address}?{name}={text}")
        for query in (f"{name}=1&{name}=x", f"{name}[]=1", f"{name}", "&&&=%", "?" * 50):
            yield _planned(operation, body, f"?{query}", address=f"{address}?{query}")


def odd_methods(operation: Operation, known: frozenset[tuple[str, str]], address: str) -> Iterator[Planned]:
    """Every other method; HEAD of what may be got is answered as GET, without a body."""
    for method in METHODS:
        if (operation.path, method) in known:
            continue
        is_head = method == "HEAD" and operation.method == "GET"
        yield Planned(
            operation=operation if is_head else None,
            method=method,
            address=address,
            how=f"方法 {method}",
            is_signed=operation.signed,
        )


def beside(known: Mapping[str, str]) -> Iterator[Planned]:
    """What the gateway serves without describing it: streams, pictures, the form for a code, the probe."""
    for text in (b"", b"{}", b'{"event":"\\ud800"}', b'{"event":"samples","data":1e400}', b"[" * 50_000):
        yield _loose("POST", "/live/publish/press-1", "实时曲线", text)
    event = json_bytes({"event": "samples", "data": {"a": "\ud800"}})
    yield _loose("POST", "/live/publish/press-1", "实时曲线", event)
    yield _loose("POST", "/live/publish/press-1", "实时曲线", b'{"event":"samples","data":"\\ud800\\u0000"}')
    for how, text in IN_ADDRESS.items():
        yield _loose("GET", f"/live/status/{text}", how)
        yield _loose("GET", f"/live/press-1?token={text}", how)
        yield _loose("GET", f"/a/{text}/{text}/{text}.png", how)
        yield _loose("GET", f"/a/9999999999/{text}/{known.get('sha256', '0' * 64)}.png", how)
        yield _loose("GET", f"/v/?code={text}", how)
        yield _loose("GET", f"/V/{text}", how)
        yield _loose("GET", f"/x/{text}", how)
        yield _loose("GET", f"/healthz?{text}", how)


def _loose(method: str, address: str, how: str, body: bytes = b"") -> Planned:
    return Planned(
        operation=None,
        method=method,
        address=address,
        body=body,
        how=how,
        is_signed=method == "POST",
        is_loose=True,
    )


def _planned(operation: Operation, body: bytes, how: str, **more: Any) -> Planned:
    """With its media type, and signed over what it is."""
    address = more.pop("address", None) or operation.address({})
    headers = more.pop("headers", (("Content-Type", operation.body[0]),) if operation.body and body else ())
    return Planned(
        operation=operation,
        method=operation.method,
        address=address,
        body=body,
        headers=headers,
        how=how,
        is_signed=operation.signed,
        **more,
    )


def _messages(value: Any) -> list[Any]:
    return [each["message"] for each in value.get("submissions", [value])]


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value that holds something, outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*at, key)
        yield from _paths(each, (*at, key))


def _put(value: Any, path: tuple[Any, ...], what: str) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = what
