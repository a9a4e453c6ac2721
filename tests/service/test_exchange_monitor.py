"""The exchange monitor (数据交换监控): what the gateway notes, who sees it, replay and difference, nothing personal kept."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import httpx
import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.signatures import Ed25519Signer

pytestmark = pytest.mark.service


class Visitor:
    """Somebody with a role card of the demo."""

    def __init__(self, world, card: str) -> None:
        self.http = httpx.Client(base_url=world.url, follow_redirects=True, trust_env=False, timeout=30)
        self.http.get("/")
        self.post(f"/demo/sign-in/{card}/")

    def post(self, path: str, **fields: str) -> httpx.Response:
        token = {"csrfmiddlewaretoken": self.http.cookies.get("plumb_csrf", "")}
        return self.http.post(path, data=token | fields, headers={"Referer": str(self.http.base_url) + path})

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)


@pytest.fixture(scope="module")
def visitors(world):
    made = {card: Visitor(world, card) for card in ("officer", "institution", "contractor")}
    yield made
    for each in made.values():
        each.http.close()


def monitored(world, condition: str, values: list) -> list[dict]:
    """Rows of the monitor as the gateway's role sees them; they come a moment after the answer."""
    with psycopg.connect(
        world.platform.conninfo("plumb_gateway"), row_factory=psycopg.rows.dict_row, autocommit=True
    ) as conn:
        asked = f"SELECT * FROM ops.exchange_request WHERE {condition} ORDER BY id"
        return world.wait_for(lambda: conn.execute(asked.encode(), values).fetchall(), 30)


def pour(world, **changes):
    fields = {
        "project": world.project(),
        "structural_part": "三层柱",
        "grade": "C30",
        "volume_m3": "12.5",
        "started_at": datetime.now(UTC),
    }
    return world.message("contractor", PourRecorded, **(fields | changes))


def sent(world, message, **changes) -> tuple[dict, httpx.Response]:
    """(row, answer) of a message whose JSON is changed before it is signed."""
    data = msgspec.json.encode(msgspec.to_builtins(message) | changes)
    answer = world.post(data, world.parties["contractor"])
    (row,) = monitored(world, "uid = %s", [str(message.uid)])
    return row, answer


@pytest.fixture(scope="module")
def taken(world):
    return sent(world, pour(world))


@pytest.fixture(scope="module")
def refused(world, taken):
    """A number that is none, after one that was taken."""
    return sent(world, pour(world), volume_m3=12.5)


def test_what_was_taken_is_noted_with_its_entry(world, taken) -> None:
    row, answer = taken
    assert (row["outcome"], row["status"], row["kind"]) == ("accepted", 201, "pour.recorded")
    assert row["entry"] == answer.json()["entry"] and row["holder"] == world.parties["contractor"].party
    assert row["is_proved"] and row["is_known"] and row["bytes"] > 100 and row["ms"] > 0


def test_a_repetition_is_noted_as_one(world) -> None:
    message = pour(world)
    data = msgspec.json.encode(message)
    assert world.post(data, world.parties["contractor"]).status_code == 201
    assert world.post(data, world.parties["contractor"]).status_code == 200
    found = world.wait_for(
        lambda: len(rows := monitored(world, "uid = %s", [str(message.uid)])) == 2 and rows, 30
    )
    assert [each["outcome"] for each in found] == ["accepted", "duplicate"]


@pytest.mark.clause("CECS 6.0.8")
def test_a_refusal_is_noted_with_field_reason_and_remedy(refused) -> None:
    row, answer = refused
    assert answer.status_code == row["status"] == 422 and row["slug"] == "schema"
    assert row["pointer"] == "/message/volume_m3" and row["reason"] and row["remedy"]
    assert row["number"] == answer.json()["instance"]


def test_a_number_of_a_person_is_kept_nowhere(world) -> None:
    number = "13912345678"
    row, answer = sent(world, pour(world), structural_part=f"联系 {number}")
    assert answer.json()["type"].endswith("personal-data")
    with psycopg.connect(world.platform.conninfo("plumb_gateway")) as conn:
        body, masked = conn.execute(
            "SELECT body, masked FROM ops.exchange_body WHERE request = %s", [row["id"]]
        ).fetchone()
        assert masked and number.encode() not in bytes(body) and "联系".encode() not in bytes(body)
        held = conn.execute(
            "SELECT count(*) FROM ops.exchange_request q WHERE q::text LIKE %s", [f"%{number}%"]
        )
        assert held.fetchone() == (0,)


def test_of_what_nobody_signed_no_content_is_kept(world, visitors) -> None:
    key_id = f"stranger.{secrets.token_hex(6)}"
    data = msgspec.json.encode(pour(world))
    stranger = Ed25519Signer(key_id, ed25519.Ed25519PrivateKey.generate())
    assert world.post(data, world.parties["contractor"], signer=stranger).status_code == 401
    row = monitored(world, "key_id = %s", [key_id])[0]
    assert (row["is_known"], row["is_proved"], row["slug"]) == (False, False, "key-unknown")
    with psycopg.connect(world.platform.conninfo("plumb_gateway")) as conn:
        kept = conn.execute("SELECT count(*) FROM ops.exchange_body WHERE request = %s", [row["id"]])
        assert kept.fetchone() == (0,)
    page = visitors["officer"].get(f"/exchange/{row['id']}/")
    assert page.status_code == 200 and "密钥没有登记" in page.text and "签名没有验过" in page.text
    assert visitors["institution"].get(f"/exchange/{row['id']}/").status_code == 404


def test_the_officer_reads_list_reasons_and_export(visitors, refused) -> None:
    row, officer = refused[0], visitors["officer"]
    for address in ("/exchange/", f"/exchange/?outcome=refused&kind=pour.recorded&key={row['key_id']}"):
        page = officer.get(address)
        assert page.status_code == 200 and str(row["id"]) in page.text, address
    reasons = officer.get(f"/exchange/?view=reasons&holder={row['holder']}")
    assert "字段不符合规定" in reasons.text and "/message/volume_m3" in reasons.text
    export = officer.get(f"/exchange/export.csv?holder={row['holder']}&outcome=refused")
    assert export.headers["content-type"].startswith("text/csv") and str(row["uid"]) in export.text
    nothing = officer.get("/exchange/?day=2020-01-01")
    assert "没有符合条件的报送" in nothing.text and "日期" in officer.get("/exchange/?day=gestern").text
    for odd in ("day=9999-12-31", f"before={'z' * 36}"):
        assert officer.get(f"/exchange/?{odd}").status_code == 200, odd
    cells = officer.get(f"/exchange/export.csv?holder={row['holder']}&outcome=accepted").text
    assert ",," in cells and ",'," not in cells


def test_a_refusal_is_tried_again_and_compared_with_the_last_that_worked(world, visitors, refused) -> None:
    row, officer = refused[0], visitors["officer"]
    shown = officer.get(f"/exchange/{row['id']}/").text
    assert "写法不同" in shown and "&quot;12.5&quot;" in shown
    size = world.size()
    again = officer.post(f"/exchange/{row['id']}/replay/")
    assert again.status_code == 200 and "仍会拒收" in again.text
    assert world.size() == size


def test_an_institution_sees_its_own_and_the_parties_of_a_site_no_monitor(visitors, refused) -> None:
    row = refused[0]
    assert visitors["institution"].get("/exchange/").status_code == 200
    assert str(row["id"]) not in visitors["institution"].get("/exchange/").text
    assert visitors["institution"].get(f"/exchange/{row['id']}/").status_code == 404
    assert visitors["contractor"].get("/exchange/").status_code == 403
