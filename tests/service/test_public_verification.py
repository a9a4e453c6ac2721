"""The public's pages (公众验证): forged codes and claims, hostile complaints, headers, an upper-case address as the QR code holds it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import secrets

import psycopg
import pytest

from plumbline.domain.reporting.code import new_code
from plumbline.exchange.claims import claims_hold, sign_claims
from plumbline.supervision.gateway.asked import AT_ONCE, WHOLE_ROW, AskedCodes, public_pool
from plumbline.supervision.gateway.briefly import BRIEFLY
from plumbline.supervision.gateway.line import Question

pytestmark = pytest.mark.service
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _json(world, code: str) -> dict:
    return world.http.get(f"{world.url}/v/{code}", headers={"accept": "application/json"}).json()


def test_the_upper_case_address_of_the_qr_code_works(world, genuine) -> None:
    code = genuine[1]["code"]
    lower, upper = (world.http.get(f"{world.url}/{letter}/{code}") for letter in "vV")
    assert (lower.status_code, upper.status_code) == (200, 200)
    for name in ("content-security-policy", "x-content-type-options", "cache-control", "referrer-policy"):
        assert upper.headers[name] == lower.headers[name]


def test_a_program_is_told_by_json_with_the_headers_of_every_answer(world, genuine) -> None:
    code = genuine[1]["code"]
    program = {"accept": "application/json"}
    found, headed = (
        world.http.request(method, f"{world.url}/v/{code}", headers=program) for method in ("GET", "HEAD")
    )
    assert (found.status_code, headed.status_code, headed.content) == (200, 200, b"")
    assert found.headers["content-length"] == headed.headers["content-length"]
    # a cache in between never gives a person what a program was told
    assert {found.headers["vary"], headed.headers["vary"]} == {"accept"}
    unknown = world.http.get(f"{world.url}/v/{code[::-1]}", headers=program)
    assert world.refused(unknown, 404, "not-found")
    for answer in (found, headed, unknown):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert {"date", "referrer-policy"} <= set(answer.headers)


def test_connections_for_look_ups_have_the_role_of_the_public_and_reach_no_table(world) -> None:
    async def role_and_reach() -> tuple[object, bool]:
        async with public_pool(world.platform.conninfo("plumb_gateway")) as pool, pool.connection() as conn:
            await conn.execute("DISCARD ALL")  # what a connection is reset with leaves the role as it is
            role = await (await conn.execute("SELECT current_user AS role")).fetchone()
            try:
                await conn.execute("SELECT 1 FROM ops.personal")
            except psycopg.errors.InsufficientPrivilege:
                return role, False
            return role, True

    assert asyncio.run(role_and_reach()) == ({"role": "plumb_public"}, False)


def test_a_held_line_answers_as_the_gateway_does_and_is_replaced_when_it_breaks(world, genuine) -> None:
    code = genuine[1]["code"]
    login = world.platform.conninfo("plumb_gateway")
    asked_of_web = world.http.get(f"{world.url}/v/{code}", headers={"accept": "application/json"}).content
    sessions = "SELECT pid FROM pg_stat_activity WHERE usename = current_user AND application_name = 'line'"

    async def story() -> None:
        async with public_pool(f"{login} application_name=line") as pool:
            briefly, pages = AskedCodes(pool, BRIEFLY), AskedCodes(pool, WHOLE_ROW)
            broken = AskedCodes(
                pool,
                Question(
                    b"broken", b"SELECT 1 FROM ops.personal WHERE subject = ANY($1)", pages._question.maker
                ),
            )
            try:
                known, unknown = await asyncio.gather(briefly.find(code), briefly.find(code[::-1]))
                assert (known, unknown) == (asked_of_web, None)
                row = await pages.find(code)
                assert row is not None and row["number"] == json.loads(asked_of_web)["number"]
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await broken.find(code)
                async with await psycopg.AsyncConnection.connect(login, autocommit=True) as other:
                    await other.execute(f"SELECT pg_terminate_backend(pid, 20000) FROM ({sessions}) held")
                # the pool may hold connections that it does not know to be gone: one asker each is told so
                for _ in range(2 * AT_ONCE + 1):
                    with contextlib.suppress(psycopg.OperationalError):
                        assert await briefly.find(code) == asked_of_web
                        break
                else:
                    pytest.fail("no line was to be had again")
            finally:
                for each in (briefly, pages, broken):
                    await each.stop()

    asyncio.run(asyncio.wait_for(story(), 120))


@pytest.mark.parametrize(
    "write", [str.lower, lambda c: " ".join((c[:4], c[4:7], c[7:])), lambda c: c.replace("0", "O")]
)
def test_a_code_typed_loosely_is_the_same_code(world, genuine, write) -> None:
    from urllib.parse import quote

    assert _json(world, quote(write(genuine[1]["code"])))["state"] == "genuine_demo"


def test_a_code_with_one_character_changed_is_not_found_and_the_group_is_named(world, genuine) -> None:
    code = genuine[1]["code"]
    for place in range(len(code)):
        other = _LETTERS[(_LETTERS.index(code[place]) + 1) % 32]
        answer = world.http.get(f"{world.url}/v/{code[:place]}{other}{code[place + 1 :]}")
        assert answer.status_code == 404, place
        assert "genuine" not in answer.text


def test_the_page_of_a_mistyped_code_names_what_is_wrong(world, genuine) -> None:
    code = genuine[1]["code"]
    last = _LETTERS[(_LETTERS.index(code[-1]) + 1) % 32]
    assert "组" in world.http.get(f"{world.url}/v/{code[:-1]}{last}").text


def test_random_codes_are_not_found(world) -> None:
    from datetime import date

    for _ in range(5):
        typed = "".join(secrets.choice(_LETTERS) for _ in range(21))
        assert world.http.get(f"{world.url}/v/{typed}").status_code == 404
        formed = new_code(date(2026, 11, 21), "HC0", secrets.randbits)
        assert world.http.get(f"{world.url}/v/{formed}").status_code == 404


@pytest.mark.parametrize(
    "typed",
    ["'; DROP TABLE fact.code--", "<script>alert(1)</script>", "%00", "..%2f..%2f", "码" * 30, "A" * 3000],
)
def test_a_hostile_code_is_not_found_and_not_echoed_as_markup(world, typed) -> None:
    answer = world.http.get(f"{world.url}/v/{typed}")
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.headers["content-type"].startswith("text/html"):
        assert "<script>alert" not in answer.text


def test_forged_claims_do_not_hold(world, genuine) -> None:
    text = genuine[1]["claims"]
    line = next(
        x for x in (world.platform.data_dir / "trust.txt").read_text().splitlines() if x.startswith("code ")
    )
    key = base64.b64decode(line.split()[-1])
    held = claims_hold(text, "ed25519", key)
    assert held is not None
    assert held.code == genuine[1]["code"]
    assert held.report_number == genuine[0].number
    for place in range(0, len(text), 7):
        other = "B" if text[place] != "B" else "C"
        assert claims_hold(text[:place] + other + text[place + 1 :], "ed25519", key) is None
    mine = sign_claims(held, world.new_signer("forger"))
    assert claims_hold(mine, "ed25519", key) is None


@pytest.mark.clause("GX 八(五)")
def test_the_page_shows_the_registered_facts_with_strict_headers(world, genuine) -> None:
    case, decision, _ = genuine
    answer = world.http.get(f"{world.url}/v/{decision['code']}")
    assert "default-src" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert case.number in answer.text
    for key in ("sampler", "witness"):
        assert world.cast.people[key].name not in answer.text


@pytest.mark.clause("CECS 2.0.11")
def test_who_signed_the_report_is_found_and_shown(world, genuine) -> None:
    case, decision, _ = genuine
    row = world.rows(
        "SELECT signer, accepted, root_kind FROM fact.registration WHERE id = %s", [case.ids["registration"]]
    )[0]
    institution = world.cast.organisations["institution"].name
    assert (institution in row["signer"], row["accepted"], row["root_kind"]) == (True, True, "demo")
    assert institution in world.http.get(f"{world.url}/v/{decision['code']}").text


def test_the_hash_of_a_file_is_judged_against_the_registered_one(world, genuine) -> None:
    _, decision, pdf = genuine
    url = f"{world.url}/v/{decision['code']}/check"
    digest = hashlib.sha256(pdf).hexdigest()
    good = world.http.get(url, params={"sha256": digest}).json()
    changed = world.http.get(url, params={"sha256": hashlib.sha256(pdf + b" ").hexdigest()}).json()
    assert good != changed
    for bad in ("", "xyz", digest + "0", "Z" * 64):
        world.refused(world.http.get(url, params={"sha256": bad}), 422, "schema")


def test_the_registered_document_itself_is_shown(world, genuine) -> None:
    _, decision, pdf = genuine
    answer = world.http.get(f"{world.url}/v/{decision['code']}/document")
    assert answer.content == pdf
    assert answer.headers["content-security-policy"] == "sandbox"
    assert re.fullmatch(r'inline; filename="[0-9A-Za-z._-]+\.pdf"', answer.headers["content-disposition"])
    world.refused(world.http.get(f"{world.url}/v/2611HC0AAAAAAAAAAAAAA/document"), 404, "not-found")


def test_a_document_that_was_changed_on_the_disk_is_not_shown_as_the_registered_one(world, genuine) -> None:
    """Not by one bit: what stands in its place there must not speak for it."""
    _, decision, pdf = genuine
    address = f"{world.url}/v/{decision['code']}/document"
    path = (
        world.platform.folder("files") / hashlib.sha256(pdf).hexdigest()[:2] / hashlib.sha256(pdf).hexdigest()
    )
    try:
        path.write_bytes(pdf[:-1] + bytes([pdf[-1] ^ 1]))
        answer = world.http.get(address)
        told = world.refused(answer, 503, "unavailable")
        assert "与登记的摘要不符" in told["detail"] and answer.headers["retry-after"] == "600"
        page = world.http.get(address, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["retry-after"]) == (503, "600")
        path.unlink()
        world.refused(world.http.get(address), 503, "unavailable")
        path.mkdir()  # a disk that does not let it be read
        world.refused(world.http.get(address), 503, "unavailable")
        path.rmdir()
        assert "原件现在不能给出" in page.text and f'href="/v/{decision["code"]}"' in page.text
    finally:
        path.write_bytes(pdf)
    assert world.http.get(address).content == pdf


def test_a_complaint_becomes_an_entry_with_a_number_and_a_finding(world, genuine) -> None:
    code = genuine[1]["code"]
    answer = world.http.post(
        f"{world.url}/v/{code}/complaints",
        data={
            "item": ["grade", "part"],
            "note": "纸面写 C35\r\n第二行 e\u0301",
        },  # as a browser sends two lines
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 201
    assert answer.json()["number"].startswith("J-")
    assert world.http.get(world.url + answer.json()["receipt_url"]).status_code == 200
    world.settle()
    found = world.rows(
        "SELECT facts FROM fact.finding WHERE code = 'reporting.paper_differs' AND subject = %s", [code]
    )
    assert any("structural_part" in row["facts"]["differs"] for row in found)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"&".join(b"a%d=1" % i for i in range(50)), 422),
        (b"note=\xff\xfe", 422),
        ("note=打我电话 13912345678".encode(), 422),
        (b"note=" + b"x" * 30_000, 413),
        (b"note=" + b"x" * 3_000, 422),
        (b"note=%00", 422),
        (b"item=<script>&paper_value=" + "长".encode() * 300, 422),
    ],
)
def test_a_hostile_complaint_is_refused_never_an_error(world, genuine, content, status) -> None:
    answer = world.http.post(
        f"{world.url}/v/{genuine[1]['code']}/complaints",
        content=content,
        headers={"Content-Type": "application/x-www-form-urlencoded", "accept": "application/json"},
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["remedy"]
    assert "13912345678" not in answer.text


def test_a_complaint_without_words_is_stored_and_the_sixth_in_an_hour_is_not(world) -> None:
    code = world.case().until_tested().apply()["code"]
    send = {"url": f"{world.url}/v/{code}/complaints", "headers": {"accept": "application/json"}}
    contents = [{"file_sha256": "Z" * 64}, {}, {"item": "date"}, {"item": "nothing"}, {"paper_value": "C35"}]
    assert [world.http.post(data=each, **send).status_code for each in contents] == [201] * 5
    slowed = world.http.post(data={}, **send)
    world.refused(slowed, 429, "rate-limited")
    assert int(slowed.headers["retry-after"]) > 0


def test_a_complaint_about_nothing_is_not_found(world) -> None:
    world.refused(
        world.http.post(f"{world.url}/v/2611HC0AAAAAAAAAAAAAA/complaints", data={"note": "x"}),
        404,
        "not-found",
    )


@pytest.mark.clause("GX 八(一)", "JJ 四(六)")
def test_manual_and_interface_are_open_without_login(world) -> None:
    assert "签名" in world.http.get(f"{world.url}/x/manual").text
    assert world.http.get(f"{world.url}/x/manual.pdf").content.startswith(b"%PDF")
    assert world.http.get(f"{world.url}/x/openapi.json").json()["openapi"].startswith("3.1")
    assert world.http.get(f"{world.url}/x/schemas/run.recorded.json").json()
    assert world.http.get(f"{world.url}/x/problems/uid-conflict").json()["status"] == 409
