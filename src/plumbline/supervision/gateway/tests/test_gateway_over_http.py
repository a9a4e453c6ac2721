"""The gateway over real HTTP: who is heard, what is limited, what is written down, what the log shows (网关接口)."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.domain.reporting.code import new_code
from plumbline.exchange.encode import encode_submission
from plumbline.exchange.messages.registry import KeyEnrolled, PartyRegistered
from plumbline.exchange.messages.reports import NumberTaken
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.signatures import Ed25519Signer, Target, sign_request
from plumbline.exchange.uids import new_uid
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.journal.keys import public_bytes
from plumbline.supervision.journal.submit import encode_message

pytestmark = pytest.mark.service
STATION = party_id(DEMO_OPERATOR[0]).hex()
_BODY = "91610300MA6XT9AB1"
USCC = _BODY + uscc_check_character(_BODY)
LAB = party_id(USCC).hex()


@dataclass
class Lab:
    """An institution with one key of each use, and requests signed with any of them."""

    platform: object
    keys: dict[str, Ed25519Signer]

    def get(self, path: str, use: str = "transport", **headers: str) -> httpx.Response:
        url = self.platform.url + path
        signed = sign_request(
            self.keys[use], Target(method="GET", uri=url), b"", b"", created=int(time.time())
        )
        return httpx.get(url, headers=signed | headers, trust_env=False, timeout=20)

    def rows(self, statement: str, role: str = "plumb_projector", values: list[object] | None = None) -> list:
        with psycopg.connect(self.platform.platform.conninfo(role)) as conn:
            return conn.execute(statement.encode(), values).fetchall()


def _settle(lab: Lab) -> None:
    for _ in range(200):
        (size,), (pos,) = (
            lab.rows("SELECT size FROM journal.head")[0],
            lab.rows("SELECT pos FROM fact.position")[0],
        )
        if pos >= size:
            return
        time.sleep(0.05)
    raise AssertionError("the projector did not follow")


@pytest.fixture(scope="module")
def lab(running_platform) -> Lab:
    sender, now = running_platform.sender(), datetime.now(UTC)
    common = {"v": 1, "sender": STATION, "occurred_at": now}
    sender.submit(
        PartyRegistered(
            uid=new_uid(now),
            party=LAB,
            uscc=USCC,
            name="试验检测有限公司",
            roles=["institution"],
            division="610300",
            **common,
        )
    )
    keys = {}
    for use in ("transport", "origin", "device", "person", "pades"):
        key = ed25519.Ed25519PrivateKey.generate()
        keys[use] = Ed25519Signer(f"{use}.{public_bytes(key).hex()[:8]}", key)
        sender.submit(
            KeyEnrolled(
                uid=new_uid(now),
                party=LAB,
                key_id=keys[use].key_id,
                algorithm="ed25519",
                use=use,
                public_key=base64.b64encode(public_bytes(key)).decode(),
                valid_from=now - timedelta(days=1),
                valid_until=now + timedelta(days=9),
                **common,
            )
        )
    made = Lab(running_platform, keys)
    _settle(made)
    return made


@pytest.fixture
def code(lab: Lab) -> Iterator[str]:
    """A reserved code of the laboratory; its rows go again at the end."""
    import secrets

    text, key = new_code(datetime.now(UTC).date(), "HC0", secrets.randbits), secrets.token_hex(16)
    with psycopg.connect(lab.platform.platform.conninfo("plumb_projector"), autocommit=True) as conn:
        for table, columns in {
            "application": {"id": key, "number": "T-1", "title": "t", "category": "c", "conclusion": "PASS"},
            "code": {"id": text, "application": key, "claims": ""},
        }.items():
            wanted = dict(
                conn.execute(
                    "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'fact' "
                    "AND table_name = %s AND is_nullable = 'NO'",
                    [table],
                ).fetchall()
            )
            values = {name: _filler(kind) for name, kind in wanted.items()} | columns
            values |= {"institution": LAB, "state": "reserved"}
            names = ", ".join(values)
            marks = ", ".join(["%s"] * len(values))
            conn.execute(f"INSERT INTO fact.{table} ({names}) VALUES ({marks})".encode(), [*values.values()])
        yield text
        conn.execute("DELETE FROM fact.code WHERE id = %s", [text])
        conn.execute("DELETE FROM fact.application WHERE id = %s", [key])


def _filler(kind: str) -> object:
    if kind.startswith("timestamp"):
        return datetime.now(UTC)
    return {"jsonb": "{}", "date": "2026-11-20"}.get(kind, "0")


@pytest.mark.parametrize(
    ("use", "status"), [("transport", 200), ("origin", 200), ("device", 401), ("person", 401), ("pades", 401)]
)
def test_only_transport_and_origin_keys_open_the_door(lab: Lab, use: str, status: int) -> None:
    answer = lab.get("/x/v1/changes", use)
    assert answer.status_code == status
    if status == 401:
        assert f"用途是 {use}" in answer.json()["detail"]


def test_a_stranger_learns_nothing_of_how_a_body_is_read(lab: Lab) -> None:
    body = b'{"message": {"a": 1, "a": 2}}'
    answer = httpx.post(f"{lab.platform.url}/x/v1/dry-run", content=body, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("signature-missing")


def test_a_refused_key_is_written_down_with_the_number_that_the_sender_was_told(lab: Lab) -> None:
    told = lab.get("/x/v1/changes", "device").json()["instance"]
    rows = lab.rows(
        "SELECT actor, action, outcome FROM ops.audit_event WHERE request = %s", "plumb_gateway", [told]
    )
    assert rows == [(lab.keys["device"].key_id, "gateway.refused", "key-unknown")]


def _taken(serial: int, uid: uuid.UUID, now: datetime) -> NumberTaken:
    return NumberTaken(
        v=1,
        uid=uid,
        sender=LAB,
        occurred_at=now,
        document_kind="report",
        prefix="T",
        site="S1",
        year=2026,
        serial=serial,
        number=f"T-{serial}",
    )


def test_two_contents_under_one_uid_are_refused_and_written_down(lab: Lab) -> None:
    now, url = datetime.now(UTC), f"{lab.platform.url}/x/v1/entries"
    uid, answers = new_uid(now), []
    for serial in (1, 2):
        data = encode_message(_taken(serial, uid, now))
        body = encode_submission(data, origin=[sign_origin(lab.keys["origin"], data)])
        target = Target(method="POST", uri=url)
        signed = sign_request(lab.keys["transport"], target, body, data, created=int(time.time()))
        answers.append(httpx.post(url, content=body, headers=signed, trust_env=False, timeout=20))
    assert [answer.status_code for answer in answers] == [201, 409]
    told = answers[1].json()["instance"]
    rows = lab.rows("SELECT outcome, detail FROM ops.audit_event WHERE request = %s", "plumb_gateway", [told])
    assert rows == [("uid-conflict", {"status": 409})]


def test_the_sixth_complaint_of_an_hour_is_asked_to_wait(lab: Lab, code: str) -> None:
    url = f"{lab.platform.url}/v/{code}/complaints"
    for _ in range(5):
        assert httpx.post(url, data={"item": "other"}, trust_env=False).status_code == 201
    sixth = httpx.post(url, data={"item": "other"}, trust_env=False)
    assert (sixth.status_code, "每小时最多 5 次" in sixth.json()["detail"]) == (429, True)
    page = httpx.post(url, data={"item": "other"}, headers={"Accept": "text/html"}, trust_env=False)
    assert (page.status_code, "每小时最多 5 次" in page.text) == (429, True)
    forged = httpx.post(url, data={"item": "other"}, headers={"X-Forwarded-For": "10.0.0.9"}, trust_env=False)
    assert forged.status_code == 429


def test_a_finding_about_our_own_code_reaches_us_and_not_who_caused_it(lab: Lab, code: str) -> None:
    answer = httpx.post(
        f"{lab.platform.url}/v/{code}/complaints",
        data={"item": "other"},
        headers={"Accept": "application/json"},
        trust_env=False,
    )
    index = answer.json()["position"]
    _settle(lab)
    (item,) = [i for i in lab.get(f"/x/v1/changes?after={index - 1}").json()["items"] if i["idx"] == index]
    assert item["kind"] == "complaint.filed"
    assert code in item["findings"][0]["sentence"]
    assert (item["sender"], item["uid"], item["subject"]) == (None, None, None)


def test_this_hosts_mark_is_told_to_the_other_hosts(lab: Lab) -> None:
    mark = httpx.get(f"{lab.platform.url}/x/v1/log/mark", trust_env=False).json()
    stored = lab.platform.signer.mark()
    assert mark["origin"] == stored.origin
    assert 0 < mark["size"] <= stored.size


def test_checkpoint_and_key_are_open_and_a_tile_that_is_not_full_is_not_there(lab: Lab) -> None:
    checkpoint = httpx.get(f"{lab.platform.url}/x/v1/checkpoint", trust_env=False).text
    key = httpx.get(f"{lab.platform.url}/x/v1/log/key", trust_env=False).text
    assert checkpoint.splitlines()[0] == key.split("+")[0]
    for path, status in (("9/000", 404), ("0/x999/999", 404), ("0/../../keys", 404), ("x/000", 404)):
        answer = httpx.get(f"{lab.platform.url}/x/v1/log/1/tile/{path}", trust_env=False)
        assert answer.status_code == status, path


def test_which_streams_run_is_told_on_this_machine_only(lab: Lab) -> None:
    url = f"{lab.platform.url}/live/status/any"
    assert "streams" in httpx.get(url, trust_env=False).json()
    from_outside = httpx.get(url, headers={"X-Forwarded-For": "192.0.2.1"}, trust_env=False).json()
    assert set(from_outside) == {"viewers", "running"}


def test_the_worker_stores_checkpoints_by_itself(lab: Lab) -> None:
    (size,) = lab.rows("SELECT size FROM journal.head")[0]
    for _ in range(60):
        if lab.rows("SELECT 1 FROM journal.checkpoint WHERE size >= %s", "plumb_gateway", [size]):
            return
        time.sleep(0.1)
    raise AssertionError("no checkpoint was published")
