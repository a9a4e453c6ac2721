"""What the drill of the interface takes for a breach (接口契约的判定), and what it makes of the description."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.drill.contract import hostile
from plumbline.drill.contract.description import Operation, operations
from plumbline.drill.contract.pages import Page, Shot, judge_page, shots
from plumbline.drill.contract.requests import good_values, message_of, own_body
from plumbline.drill.contract.senders import Sender
from plumbline.drill.contract.verdict import Answered, Asked, judge
from plumbline.exchange.handbook.openapi import openapi_document
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer

BY_NAME: dict[str, Operation] = {
    each.name: each for each in operations(openapi_document("https://jianguan.example"))
}
PROBLEM = {"content-type": "application/problem+json"}
JSON = {"content-type": "application/json"}


def asked(name: str, body: bytes = b"", **headers: str) -> Asked:
    operation = BY_NAME[name]
    return Asked(
        sender="检测机构",
        operation=operation,
        method=operation.method,
        address=operation.path,
        headers=headers,
        body=body,
    )


def refused(slug: str, **changes: Any) -> Answered:
    problem = Problem(slug=slug)
    body = problem.body("E-1") | changes
    extra = {"retry-after": "1", "www-authenticate": "Signature", "allow": "GET"}
    return Answered(status=problem.kind.status, headers=PROBLEM | extra, body=json.dumps(body).encode())


def told(value: object, status: int = 200) -> Answered:
    return Answered(status=status, headers=JSON, body=json.dumps(value).encode())


def test_a_documented_answer_breaks_nothing() -> None:
    assert judge(asked("getTime"), told({"now": "2026-11-23T00:00:00Z"})) == []
    assert judge(asked("getEntry"), refused("not-found")) == []
    assert judge(asked("sendEntry"), refused("unavailable")) == []


@pytest.mark.parametrize(
    ("name", "answered", "word"),
    [
        ("getTime", refused("internal"), "服务器错误 500"),
        ("getChanges", refused("uid-conflict"), "描述里没有 409"),
        ("getChanges", refused("signature-missing", type="/x/problems/schema"), "不合描述"),
        ("getTime", told({"now": 1}), "不合描述"),
        ("getTime", told({}, 201), "描述里没有 201"),
        ("getTime", Answered(status=200, headers={"content-type": "text/html"}, body=b"x"), "text/html"),
        ("getTime", Answered(status=200, headers=JSON, body=b"{"), "不是 JSON"),
        ("getTime", Answered(status=0, headers={}, body=b""), "没有答复"),
        ("getOffset", Answered(status=200, headers={}, body=b"x"), "不该有内容"),
        ("sendEntry", refused("schema"), "没有写明字段"),
        ("sendEntry", refused("malformed-json", remedy=""), "没有 remedy"),
        ("sendEntry", refused("malformed-json", status=422), "写的是 422"),
        ("sendEntry", replace(refused("rate-limited"), headers=PROBLEM), "没有 retry-after"),
    ],
)
def test_each_breach_is_named(name: str, answered: Answered, word: str) -> None:
    found = judge(asked(name), answered)
    assert any(word in each for each in found), found


def test_what_is_taken_is_what_the_description_allows() -> None:
    taken = told({"reserved": True, "reasons": [], "notes": []})
    good = json.dumps(BY_NAME["dryRun"].example).encode()
    assert judge(asked("dryRun", good), taken) == []
    value = json.loads(good)
    value["message"]["zusatz"] = 1
    assert any("收下了" in each for each in judge(asked("dryRun", json.dumps(value).encode()), taken))
    assert any(
        "text/plain" in each for each in judge(asked("dryRun", good, **{"Content-Type": "text/plain"}), taken)
    )


def test_of_several_messages_only_those_that_were_taken_must_be_allowed() -> None:
    good = BY_NAME["sendBatch"].example["submissions"][0]
    body = json.dumps({"submissions": [good, {"message": {"kind": "none"}}]}).encode()
    problem = {"status": 422, "problem": Problem(slug="malformed-json").body("E-1")}
    accepted = {
        "entry": "0", "epoch": 1, "index": 0, "position": 0, "logged_at": "2026-11-23T00:00:00Z",
        "duplicate": False, "receipt": "r", "status": 201,
    }  # fmt: skip
    assert judge(asked("sendBatch", body), told({"answers": [accepted, problem]})) == []
    assert judge(asked("sendBatch", body), told({"answers": [accepted, accepted]}))


def test_nothing_there_is_told_with_what_there_is() -> None:
    nowhere = Asked(sender="", operation=None, method="PUT", address="/x/v1/time")
    assert judge(nowhere, refused("method-not-allowed")) == []
    assert judge(nowhere, replace(refused("method-not-allowed"), headers=PROBLEM))
    assert judge(nowhere, told({}))


def test_a_body_is_made_the_senders_own_and_what_cannot_be_read_stays() -> None:
    key = Ed25519Signer("k", Ed25519PrivateKey.generate())
    sender = Sender(name="a", role="institution", party="ab" * 16, transport=key)
    body = json.dumps(BY_NAME["sendBatch"].example).encode()
    made = json.loads(own_body(body, sender))["submissions"][0]["message"]
    assert made["sender"] == sender.party
    assert made["uid"] != BY_NAME["sendBatch"].example["submissions"][0]["message"]["uid"]
    assert own_body(b"{", sender) == b"{"
    assert message_of(b'{"message": {"a":1} }') == b'{"a":1}'
    assert message_of(b"[[[") == b"[[["


def test_every_operation_is_asked_something_hostile() -> None:
    values = good_values({})
    for operation in BY_NAME.values():
        made = [
            *hostile.odd_headers(operation, operation.address(values)),
            *hostile.odd_addresses(operation, values),
        ]
        made += [*hostile.odd_bodies(operation), *hostile.odd_types(operation)]
        assert len({(each.address, each.body, each.headers) for each in made}) > 25, operation.name
        assert all(each.operation is operation for each in made)


def test_a_page_is_asked_by_address_question_and_form() -> None:
    page = Page(name="sample", route="samples/<str:key>/")
    assert page.pattern.fullmatch("/samples/ab/")
    made = list(shots(page, {}, ["q"]))
    assert {each.method for each in made} >= {"GET", "POST", "PUT"}
    plain = Shot(method="POST", address="/a", is_without_token=True)
    assert judge_page("公众", plain, Answered(status=200, headers={}, body=b""))
    assert judge_page("公众", plain, Answered(status=403, headers={}, body=b"")) == []
    inside = Answered(status=200, headers={}, body=b"Traceback (most recent call last)")
    assert judge_page("公众", Shot(method="GET", address="/a"), inside)
