"""Enrolment of keys over HTTP (密钥登记): public form, sandbox, production, rotation, revocation, and what is refused on the way."""

from __future__ import annotations

import re

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from key_forms import Applicant, answered, applied, form, open_visitors, pem, proof, sent, way_given

from plumbline.exchange.signatures import Ed25519Signer
from plumbline.supervision.enrolment.public_keys import parse_public_key

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def visitors(world):
    made = open_visitors(world.url)
    yield made
    for each in made.values():
        each.http.close()


@pytest.fixture(scope="module")
def admitted(world, visitors) -> Applicant:
    """An application that has come all the way to production."""
    who = applied(visitors)
    assert sent(world, who).status_code == 401
    assert visitors["officer"].post(who.desk + "sandbox/").status_code == 200
    size = world.size()
    first = answered(world, who, 200).json()
    assert first["sandbox"] is True and first["stored"] is False and "receipt" not in first
    assert sent(world, who, volume_m3=12.5).status_code == 422
    early = visitors["officer"].post(who.desk + "production/")
    assert early.status_code == 422 and "还差" in early.text
    for _ in range(5):
        assert sent(world, who).json()["sandbox"] is True
    assert world.size() == size
    shown = visitors["public"].http.get(who.link)
    assert (
        "沙箱" in shown.text and "已达到" in shown.text and shown.headers["referrer-policy"] == "no-referrer"
    )
    done = visitors["officer"].post(who.desk + "production/")
    assert done.status_code == 200 and "已正式启用" in done.text, done.text
    assert answered(world, who, 201).json()["receipt"]
    return who


@pytest.mark.clause("CECS 6.0.8")
def test_from_the_form_through_the_sandbox_to_production(world, visitors, admitted) -> None:
    world.settle()
    party = world.rows("SELECT name, roles FROM fact.party WHERE id = %s", [admitted.party])
    assert party[0]["roles"] == ["contractor"]
    (key,) = world.rows("SELECT use, party FROM fact.key WHERE id = %s", [admitted.signer.key_id])
    assert key == {"use": "origin", "party": admitted.party}
    assert "已正式启用" in visitors["public"].http.get(admitted.link).text


def test_the_contact_is_sealed_and_shown_on_request_only(world, visitors, admitted) -> None:
    assert "13912345678" not in visitors["officer"].http.get(admitted.desk).text
    assert "13912345678" in visitors["officer"].post(admitted.desk + "contact/").text
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        row = conn.execute(
            "SELECT a::text FROM ops.key_application a WHERE party = %s", [admitted.party]
        ).fetchone()
        seen = conn.execute(
            "SELECT count(*) FROM ops.audit_event WHERE action = 'key.contact_seen'"
        ).fetchone()
    assert "13912345678" not in row[0] and "周联系" not in row[0] and seen[0] >= 1


def test_a_sandbox_key_does_nothing_but_try_messages(world, visitors) -> None:
    who = applied(visitors)
    visitors["officer"].post(who.desk + "sandbox/")
    answered(world, who, 200)
    feed = world.request("GET", "/x/v1/changes?after=-1", world.parties["contractor"], signer=who.signer)
    assert feed.status_code == 401 and "沙箱密钥" in feed.json()["detail"]
    gone = visitors["officer"].post(who.desk + "refuse/", because="试报以后不再接入")
    assert gone.status_code == 200
    assert "试报以后不再接入" in visitors["public"].http.get(who.link).text
    answered(world, who, 401)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uscc": "91610300MA0000001A"}, "校验码"),
        ({"division": "999999"}, "行政区划"),
        ({"uscc": "12610300MB2960001Y"}, "监督机构和平台的密钥不在这里申请"),
        ({"purpose": "请打 13912345678"}, "用途里不能写证件号或电话"),
        ({"phone": "none"}, "电话"),
        ({"proof1": "AAAA"}, "签名验不过"),
        ({"challenge": "made-up:1:x"}, "质询不是平台给的"),
        ({"key1": "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n"}, "私钥"),
        ({"use1": "web"}, "请选一种用途"),
    ],
)
def test_a_form_that_is_wrong_says_where_and_what_to_do(visitors, change: dict[str, str], said: str) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    fields = form(visitors["public"].challenge("/keys/apply/"), key) | change
    answer = visitors["public"].post("/keys/apply/", **fields)
    assert answer.status_code == 422 and said in answer.text
    assert "MC4CAQ" not in answer.text


def test_a_key_of_another_party_and_a_used_challenge_are_refused(visitors, admitted) -> None:
    public = visitors["public"]
    challenge = public.challenge("/keys/apply/")
    taken = public.post("/keys/apply/", **form(challenge, admitted.key))
    assert taken.status_code == 422 and "已由别的单位登记" in taken.text
    mine = ed25519.Ed25519PrivateKey.generate()
    elsewhere = public.post("/keys/apply/", **form(challenge, mine, uscc=admitted.uscc, division="620100"))
    assert elsewhere.status_code == 422 and "登记的所在地是 610300" in elsewhere.text
    other_class = form(challenge, mine, uscc=admitted.uscc, party_role="institution")
    assert "这个单位登记的类别是施工单位" in public.post("/keys/apply/", **other_class).text
    fields = form(challenge, mine)
    assert public.post("/keys/apply/", **fields).url.path.startswith("/keys/status/")
    again = public.post("/keys/apply/", **form(challenge, ed25519.Ed25519PrivateKey.generate()))
    assert again.status_code == 422 and "已经用过" in again.text


def test_an_officer_applies_for_nobody(visitors) -> None:
    officer = visitors["officer"]
    fields = form(officer.challenge("/keys/apply/"), ed25519.Ed25519PrivateKey.generate())
    answer = officer.post("/keys/apply/", **fields)
    assert answer.status_code == 422 and "不能替单位申请" in answer.text


def test_whoever_is_asked_for_sees_it_and_so_does_the_officer(world, visitors) -> None:
    """A credit code is public: a stranger's application in an institution's name stays hidden from neither."""
    known = world.cast.organisations["institution"]
    challenge, key = visitors["public"].challenge("/keys/apply/"), ed25519.Ed25519PrivateKey.generate()
    changes = {"organisation": known.name, "uscc": known.uscc, "party_role": "institution"}
    done = visitors["public"].post("/keys/apply/", **form(challenge, key, **changes))
    assert done.url.path.startswith("/keys/status/"), done.text
    assert "有人以贵单位的名义申请密钥" in visitors["institution"].http.get("/keys/").text
    listed = visitors["officer"].http.get("/keys/applications/?state=applied").text
    desk = re.search(rf'/keys/applications/(\w+)/">{known.name}<', listed)
    assert desk
    shown = visitors["officer"].http.get(f"/keys/applications/{desk[1]}/").text
    assert "把在用的密钥" in shown and "用登记在册的电话" in shown
    visitors["officer"].post(f"/keys/applications/{desk[1]}/refuse/", because="单位说没有申请")
    assert "有人以贵单位的名义" not in visitors["institution"].http.get("/keys/").text


def audited(world, action: str, subject: str) -> list[str]:
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        asked = "SELECT outcome FROM ops.audit_event WHERE action = %s AND subject = %s ORDER BY id"
        return [row[0] for row in conn.execute(asked, [action, subject])]


def test_what_enters_the_log_was_intended_in_the_audit_trail(world, admitted) -> None:
    assert audited(world, "key.production", admitted.desk.split("/")[3]) == ["intended", "done"]


def test_a_link_that_is_guessed_shows_nothing(visitors) -> None:
    assert visitors["public"].http.get("/keys/status/guessed/").status_code == 404
    assert visitors["public"].http.get("/keys/applications/").status_code == 403
    assert visitors["institution"].http.get("/keys/applications/").status_code == 403


def test_a_key_is_rotated_by_its_old_one_and_both_work_for_a_while(world, visitors, admitted) -> None:
    new, public = ed25519.Ed25519PrivateKey.generate(), visitors["public"]
    challenge = public.challenge("/keys/rotate/")
    fields = {"challenge": challenge, "old_key": admitted.signer.key_id, "days": "7", "key1": pem(new)}
    fields["proof1"] = proof(new, challenge)
    # by another key, made for an application, and made for another new key
    other = way_given(admitted.key, challenge, ed25519.Ed25519PrivateKey.generate())
    for stolen in (way_given(new, challenge, new), proof(admitted.key, challenge), other):
        answer = public.post("/keys/rotate/", **fields, proof_old=stolen)
        assert answer.status_code == 422 and "旧密钥的签名验不过" in answer.text
    done = public.post("/keys/rotate/", **fields, proof_old=way_given(admitted.key, challenge, new))
    assert done.status_code == 200 and "新密钥已登记" in done.text, done.text
    third, again = ed25519.Ed25519PrivateKey.generate(), public.challenge("/keys/rotate/")
    twice = fields | {"challenge": again, "key1": pem(third), "proof1": proof(third, again)}
    refused = public.post("/keys/rotate/", **twice, proof_old=way_given(admitted.key, again, third))
    assert refused.status_code == 422 and "已经安排了轮换" in refused.text
    stranger, owner = ["refused"] * 3, ["intended", "done"]
    assert audited(world, "key.rotated", admitted.signer.key_id) == stranger + owner
    signer = Ed25519Signer(parse_public_key(pem(new)).key_id("origin"), new)
    both = [admitted, Applicant(new, admitted.uscc, "", "", signer)]
    for who in both:
        assert answered(world, who, 201).status_code == 201
    key_id = admitted.signer.key_id
    with psycopg.connect(world.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        conn.execute("UPDATE ops.key_rotation SET ends_at = now() WHERE old_key = %s", [key_id])
    assert answered(world, admitted, 401).json()["type"].endswith("key-revoked")
    assert sent(world, both[1]).status_code == 201


def test_a_revoked_key_that_still_sends_is_refused_and_noted(world, visitors) -> None:
    """The officer ends a key of a party of the region; it takes effect within seconds."""
    stranger = world.enrol("revoked", ["institution"], "610300")
    address = f"/keys/of/{stranger.transport.key_id}/"
    assert visitors["officer"].http.get(address).status_code == 200
    assert visitors["institution"].http.get(address).status_code == 404
    assert visitors["officer"].post(address + "revoke/", because="").status_code == 422
    done = visitors["officer"].post(address + "revoke/", because="私钥外泄")
    assert done.url.path == "/keys/" and "已停用" in done.text
    last = world.wait_for(lambda: (got := world.post(b"{}", stranger)).status_code == 401 and got, 60)
    assert last.json()["type"].endswith("key-revoked")
    asked = "SELECT 1 FROM ops.exchange_request WHERE key_id = %s AND slug = 'key-revoked'"
    with psycopg.connect(world.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        world.wait_for(lambda: conn.execute(asked, [stranger.transport.key_id]).fetchone(), 30)
    asked = "SELECT outcome FROM ops.audit_event WHERE action = 'key.revoked' AND subject = %s ORDER BY id"
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        told = conn.execute(asked, [stranger.transport.key_id]).fetchall()
    assert told == [("intended",), ("done",)]
