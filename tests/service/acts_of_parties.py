"""Acts of parties and of visitors (各方与来访者办的事): messages and files at the gateway, role cards, keys, replays; what each leaves.

Imported for the declarations that it makes.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from browsing import Browser
from cryptography.hazmat.primitives.asymmetric import ed25519
from key_forms import form, pem, proof, way_given
from traces import Event, Stage, exercise, refusal, tried

from plumbline.exchange.encode import encode_batch, encode_submission
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.origin import sign_origin

OFFICER, INSTITUTION = "演示角色 监督员", "演示角色 检测机构"
OWN_SESSION = "演示的角色卡不是账号，地址只在演示里有；改的只是来访者自己的会话"

# --- the gateway ---


def _pours(stage: Stage, count: int) -> list[bytes]:
    fields = {
        "project": stage.world.project(),
        "structural_part": "三层柱",
        "grade": "C30",
        "volume_m3": "12.5",
    }
    made = (
        stage.world.message("contractor", PourRecorded, started_at=datetime.now(UTC), **fields)
        for _ in range(count)
    )
    return [msgspec.json.encode(each) for each in made]


def body_for(stage: Stage, call: str) -> bytes:
    """A body in which nothing is wrong, for a request whose sender is."""
    who, data = stage.world.parties["contractor"], _pours(stage, 1)[0]
    one = encode_submission(data, origin=[sign_origin(who.origin, data)])
    several = encode_batch([one])
    return {"POST /x/v1/batches": several, "POST /x/v1/files": b""}.get(call, one)


@exercise("POST /x/v1/entries")
def _entry(stage: Stage) -> None:
    who, (data,) = stage.world.parties["contractor"], _pours(stage, 1)
    with stage.leaves(entries=(("pour.recorded", who.party),)):
        assert stage.world.post(data, who).status_code == 201


@exercise("POST /x/v1/batches")
def _batch(stage: Stage) -> None:
    who, parts = stage.world.parties["contractor"], _pours(stage, 2)
    with stage.leaves(entries=(("pour.recorded", who.party),) * 2):
        answers = stage.world.post_many(parts, who).json()["answers"]
        assert [each["status"] for each in answers] == [201, 201]


@exercise("POST /x/v1/dry-run")
def _dry_run(stage: Stage) -> None:
    world, case = stage.world, stage.world.case()
    case.until_tested()
    who, data = world.parties["institution"], msgspec.json.encode(case.application())
    body = encode_submission(data, origin=[sign_origin(who.origin, data)])
    world.settle()
    with stage.leaves_nothing("试算只问门槛会怎么答，不收、不占号、不发码"):
        answer = world.request("POST", "/x/v1/dry-run", who, body, data)
        assert answer.status_code == 200, answer.text


def _announcement(data: bytes) -> dict[str, str]:
    """Headers that announce a file."""
    digest = base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()
    kind = base64.b64encode(b"application/octet-stream").decode()
    told = f"sha256 {digest},media_type {kind}"
    return {"upload-length": str(len(data)), "upload-metadata": told, "tus-resumable": "1.0.0"}


_BYTES = {"content-type": "application/offset+octet-stream"}


@exercise("POST /x/v1/files")
def _file(stage: Stage) -> None:
    """A small file comes with its announcement and is entered at once; an announcement alone stands in the exchange monitor."""
    world, who = stage.world, stage.world.parties["institution"]
    data, later = secrets.token_bytes(40), secrets.token_bytes(40)
    with stage.leaves(entries=(("blob.stored", stage.world.station),)):
        headers = _announcement(data) | _BYTES
        assert world.request("POST", "/x/v1/files", who, data, headers=headers).status_code == 201
    asked = "SELECT 1 FROM ops.exchange_request WHERE holder = %s AND kind = 'file' AND at > %s AND outcome = 'accepted'"
    begun = datetime.now(UTC)
    with stage.leaves(entries=()):
        assert world.request("POST", "/x/v1/files", who, headers=_announcement(later)).status_code == 201
    with psycopg.connect(world.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        world.wait_for(lambda: conn.execute(asked, [who.party, begun]).fetchone(), 30)
        row = conn.execute(
            "SELECT uploaded_by FROM ops.file WHERE sha256 = %s", [hashlib.sha256(later).digest()]
        )
        assert bytes(row.fetchone()[0]).hex() == who.party  # type: ignore[index]


@exercise("PATCH /x/v1/files/{upload}")
def _rest_of_file(stage: Stage) -> None:
    world, who, data = stage.world, stage.world.parties["institution"], secrets.token_bytes(40)
    begun = world.request("POST", "/x/v1/files", who, headers=_announcement(data))
    with stage.leaves(entries=(("blob.stored", world.station),)):
        headers = _BYTES | {"upload-offset": "0", "tus-resumable": "1.0.0"}
        assert (
            world.request("PATCH", begun.headers["location"], who, data, headers=headers).status_code == 204
        )


@exercise("POST /v/{code}/complaints")
def _complaint(stage: Stage) -> None:
    code = stage.world.case().until_tested().apply()["code"]
    stage.world.settle()
    with stage.leaves(entries=(("complaint.filed", stage.world.station),)):
        answer = stage.world.http.post(f"{stage.world.url}/v/{code}/complaints", data={"item": "grade"})
        assert answer.status_code == 201


@exercise("POST /live/publish/{stream}")
def _publish(stage: Stage) -> None:
    world, body = stage.world, b'{"event":"start","data":{}}'
    with stage.leaves_nothing("实时曲线只转给正在看的人，不存；试验本身由机构报送入账"):
        answer = world.request("POST", "/live/publish/press-trace", world.parties["institution"], body)
        assert answer.status_code == 200, answer.text


# --- role cards, tour ---


@exercise("demo-sign-in")
def _enter_by_card(stage: Stage) -> None:
    visitor = Browser(stage.world.url)
    visitor.get("/account/login/")
    with stage.leaves_nothing(OWN_SESSION):
        assert visitor.post("/demo/sign-in/officer/").status_code == 200
    name, owner = stage.person()
    with stage.leaves(Event("session.ended", name, name)):  # an account leaves its sign-in behind
        owner.post("/demo/sign-in/officer/")


@exercise("demo-sign-out")
def _leave_by_card(stage: Stage) -> None:
    visitor = Browser(stage.world.url)
    visitor.get("/account/login/")
    visitor.post("/demo/sign-in/officer/")
    with stage.leaves_nothing(OWN_SESSION):
        assert visitor.post("/demo/sign-out/").status_code == 200
    name, owner = stage.person()
    with stage.leaves(Event("session.ended", name, name)):
        owner.post("/demo/sign-out/")
    assert "/account/login/" in str(owner.get("/account/sign-ins/").url)


@exercise("tour-enter", "tour-dismiss")
def _tour(stage: Stage) -> None:
    visitor = Browser(stage.world.url)
    visitor.get("/account/login/")
    address = {"tour-enter": "/tour/enter/trace/", "tour-dismiss": "/tour/dismiss/"}[stage.address]
    with stage.leaves_nothing(OWN_SESSION):
        assert visitor.post(address).status_code == 200


@refusal("demo-sign-in", "tour-enter")
def _no_such_card(stage: Stage) -> None:
    with stage.leaves_nothing("没有这张卡、这一站，没有什么可以进"):
        for address in ("/demo/sign-in/nobody/", "/tour/enter/nowhere/"):
            assert stage.visitors["public"].post(address).status_code == 404


# --- keys ---


@exercise("key-apply")
def _apply(stage: Stage) -> None:
    with stage.leaves(Event("key.applied", "公众", None)) as found:
        who = stage.applicant("new")
    assert who.desk == f"/keys/applications/{found[0][2]}/"
    stage.applicants["applied"] = who


@exercise("key-application-act/sandbox")
def _let_into_sandbox(stage: Stage) -> None:
    who = stage.applicant("applied")
    with stage.leaves(Event("key.sandbox", OFFICER, who.desk.split("/")[3])):
        assert "已放进沙箱" in stage.visitors["officer"].post(who.desk + "sandbox/").text
    stage.applicants["sandbox"] = who


@exercise("key-application-act/contact")
def _look_at_contact(stage: Stage) -> None:
    who = stage.applicant("sandbox")
    with stage.leaves(Event("key.contact_seen", OFFICER, who.desk.split("/")[3])):
        assert "13912345678" in stage.visitors["officer"].post(who.desk + "contact/").text
    stage.applicants["sandbox"] = who


@exercise("key-application-act/refuse")
def _send_back(stage: Stage) -> None:
    who = stage.applicant("sandbox")
    with stage.leaves(Event("key.refused", OFFICER, who.desk.split("/")[3])):
        assert "已退回" in stage.visitors["officer"].post(who.desk + "refuse/", because="不再接入").text


@exercise("key-application-act/production")
def _into_production(stage: Stage) -> None:
    who, station = stage.applicant("tried"), stage.world.station
    entered = (("party.registered", station), ("key.enrolled", station))
    with stage.leaves(*tried("key.production", OFFICER, who.desk.split("/")[3]), entries=entered):
        assert "已正式启用" in stage.visitors["officer"].post(who.desk + "production/").text


def _extra_key(stage: Stage, name: str) -> Any:
    """One more key of the institution, which nobody needs."""
    signer = stage.world.new_signer(name)
    stage.world.enrol_key(stage.world.parties["institution"].party, signer, "origin")
    stage.world.settle()
    return signer


def _rotation(challenge: str, old: Any) -> dict[str, str]:
    """The form that puts a new key in the place of an old one."""
    new = ed25519.Ed25519PrivateKey.generate()
    return {
        "challenge": challenge,
        "days": "7",
        "key1": pem(new),
        "proof1": proof(new, challenge),
        "old_key": old.key_id,
        "proof_old": way_given(old.key, challenge, new),
    }


@exercise("key-rotate")
def _rotate_by_key(stage: Stage) -> None:
    old, public = _extra_key(stage, "trace.rotated"), stage.visitors["public"]
    fields = _rotation(public.challenge("/keys/rotate/"), old)
    entered = (("key.enrolled", stage.world.station),)
    with stage.leaves(*tried("key.rotated", f"密钥 {old.key_id}", old.key_id), entries=entered):
        assert "新密钥已登记" in public.post("/keys/rotate/", **fields).text


@refusal("key-rotate")
def _rotate_without_key(stage: Stage) -> None:
    old, public = _extra_key(stage, "trace.stolen"), stage.visitors["public"]
    fields = _rotation(public.challenge("/keys/rotate/"), old) | {"proof_old": "AAAA"}
    with stage.leaves(Event("key.rotated", "公众", old.key_id, "refused")):
        assert public.post("/keys/rotate/", **fields).status_code == 422


@refusal("key-apply")
def _apply_wrongly(stage: Stage) -> None:
    public = stage.visitors["public"]
    fields = form(public.challenge("/keys/apply/"), ed25519.Ed25519PrivateKey.generate(), proof1="AAAA")
    with stage.leaves_nothing("没有填对的表，什么都没有存；填表的人是谁也不知道"):
        assert public.post("/keys/apply/", **fields).status_code == 422


@exercise("key-act/rotate")
def _rotate_own(stage: Stage) -> None:
    old, own = _extra_key(stage, "trace.own"), stage.visitors["institution"]
    address = f"/keys/of/{old.key_id}/"
    fields = _rotation(own.challenge(address), old)
    with stage.leaves(
        *tried("key.rotated", INSTITUTION, old.key_id), entries=(("key.enrolled", stage.world.station),)
    ):
        assert own.post(address + "rotate/", **fields).status_code == 200


@exercise("key-act/revoke")
def _revoke(stage: Stage) -> None:
    old, entered = _extra_key(stage, "trace.revoked"), (("key.revoked", stage.world.station),)
    with stage.leaves(*tried("key.revoked", OFFICER, old.key_id), entries=entered):
        done = stage.visitors["officer"].post(f"/keys/of/{old.key_id}/revoke/", because="私钥外泄")
    assert "已停用" in done.text


@exercise("exchange-replay")
def _replay(stage: Stage) -> None:
    world, who = stage.world, stage.world.parties["contractor"]
    data = msgspec.json.encode(msgspec.json.decode(_pours(stage, 1)[0]) | {"volume_m3": 12.5})
    number = world.refused(world.post(data, who), 422, "schema")["instance"]
    asked = "SELECT id::text FROM ops.exchange_request WHERE number = %s"
    with psycopg.connect(world.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        (wanted,) = world.wait_for(lambda: conn.execute(asked, [number]).fetchone(), 30)
    with stage.leaves(Event("exchange.replayed", OFFICER, wanted)):
        assert "按今天的规定" in stage.visitors["officer"].post(f"/exchange/{wanted}/replay/").text
