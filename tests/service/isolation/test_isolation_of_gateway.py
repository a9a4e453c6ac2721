"""Every operation of the gateway × callers × neighbours whom they do not know: the declared status, and no foreign string (隔离矩阵：网关).

Made from the gateway's routes: one without an expectation fails.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable

import httpx
import msgspec
import pytest
from addresses import OPERATIONS

from plumbline.exchange.messages import custody
from plumbline.supervision.gateway.live import LiveHub

pytestmark = [pytest.mark.service, pytest.mark.slow]
#: Neighbour and party that asks; nobody has no key.
CALLERS = ["own institution", "own contractor", "beside institution", "abroad owner"]


class Caller:
    """One party of one neighbour, asking about another neighbour."""

    def __init__(self, street, name: str, target) -> None:
        self.home = street.homes[name.split()[0]]
        self.role = name.split()[1]
        self.street, self.target, self.world = street, target, self.home.world
        self.who = self.world.parties[self.role]

    def signed(self, method: str, path: str, body: bytes = b"", **options) -> httpx.Response:
        return self.world.request(method, path, self.who, body, **options)

    def plain(self, path: str, method: str = "GET", **options) -> httpx.Response:
        return self.world.http.request(method, self.world.url + path, **options)


def _post_entry(caller: Caller) -> httpx.Response:
    """A new version of the target's own sample: accepted as a fact, and of no effect; the answer says so and no more."""
    message = caller.world.message(
        caller.role,
        custody.WitnessingRecorded,
        supersedes=caller.target.ids["witnessing"],
        reason="冒改",
        sample=caller.target.ids["sample"],
        witness=caller.target.world.cast.person("witness"),
        witnessed_at=caller.target.case.plan.times.witnessed,
    )
    return caller.world.post(msgspec.json.encode(message), caller.who, headers={"prefer": "wait=15"})


def _post_batch(caller: Caller) -> httpx.Response:
    """The same in a request of several, beside a message in the target's name, which is refused and tells nothing of it."""
    message = caller.world.message(
        caller.role,
        custody.WitnessingRecorded,
        supersedes=caller.target.ids["witnessing"],
        reason="冒改",
        sample=caller.target.ids["sample"],
        witness=caller.target.world.cast.person("witness"),
        witnessed_at=caller.target.case.plan.times.witnessed,
    )
    foreign = msgspec.structs.replace(message, sender=caller.target.parties["institution"])
    return caller.world.post_many(
        [msgspec.json.encode(each) for each in (message, foreign)], caller.who, headers={"prefer": "wait=15"}
    )


def _dry_run(caller: Caller) -> httpx.Response:
    """An application in one's own name that names the target's commission, sample and run."""
    from plumbline.exchange.encode import encode_submission
    from plumbline.exchange.origin import sign_origin

    message = caller.target.case.application()
    own = msgspec.structs.replace(message, sender=caller.who.party)
    data = msgspec.json.encode(own)
    body = encode_submission(data, origin=[sign_origin(caller.who.origin, data)])
    return caller.world.request("POST", "/x/v1/dry-run", caller.who, body, data)


def _upload(caller: Caller) -> tuple[str, bytes]:
    """An upload that the target began: its address."""
    data = b"\x89PNG\r\n\x1a\n begun by " + caller.target.token.encode()
    digest = hashlib.sha256(data).hexdigest()
    note = f"sha256 {base64.b64encode(digest.encode()).decode()},media_type {base64.b64encode(b'image/png').decode()}"
    started = caller.target.world.request(
        "POST",
        "/x/v1/files",
        caller.target.world.parties["institution"],
        nonce=secrets.token_urlsafe(18),
        headers={"upload-length": str(len(data)), "upload-metadata": note, "tus-resumable": "1.0.0"},
    )
    assert started.status_code in (200, 201), started.text
    return httpx.URL(started.headers["location"]).path, data


def _offset(caller: Caller) -> httpx.Response:
    return caller.signed("HEAD", _upload(caller)[0], headers={"tus-resumable": "1.0.0"})


def _append(caller: Caller) -> httpx.Response:
    path, data = _upload(caller)
    headers = {
        "upload-offset": "0",
        "tus-resumable": "1.0.0",
        "content-type": "application/offset+octet-stream",
    }
    return caller.signed("PATCH", path, data, nonce=secrets.token_urlsafe(18), headers=headers)


def _create(caller: Caller) -> httpx.Response:
    """A file of a hash that the target has stored already."""
    note = f"sha256 {base64.b64encode(caller.target.picture.encode()).decode()},media_type {base64.b64encode(b'image/png').decode()}"
    headers = {"upload-length": "30", "upload-metadata": note, "tus-resumable": "1.0.0"}
    return caller.signed("POST", "/x/v1/files", nonce=secrets.token_urlsafe(18), headers=headers)


def _attachment(caller: Caller) -> httpx.Response:
    """The target's picture under an address that nobody gave."""
    return caller.plain(f"/a/9999999999/{'0' * 40}/{caller.target.picture}.png")


def _publish(caller: Caller) -> httpx.Response:
    body = b'{"event":"start","data":{}}'
    path = f"/live/publish/press-{caller.target.instrument}"
    return caller.signed("POST", path, body, nonce=secrets.token_urlsafe(18))


def _follow(caller: Caller) -> httpx.Response:
    """The target's stream with a token for one's own."""
    hub = LiveHub((caller.world.platform.folder("keys") / "kek.bin").read_bytes())
    token = hub.token(f"press-{caller.home.instrument}", "s", owner=caller.home.parties["institution"])
    path = f"/live/press-{caller.target.instrument}?token={token}"
    return caller.plain(path, headers={"cookie": "plumb_live=s"})


def _receipt(caller: Caller) -> httpx.Response:
    """Whoever knows sender and uid may have the receipt: hashes and a path, nothing of what was sent."""
    sent = caller.target.case.sent["sample"]
    path = httpx.URL(sent.body["receipt_url"]).path
    return caller.plain(path)


def _changes(caller: Caller) -> httpx.Response:
    return caller.signed("GET", "/x/v1/changes?after=-1")


def _entry(caller: Caller) -> httpx.Response:
    """Whoever has the id of an entry may know that it is here, and nothing of it."""
    return caller.signed("GET", f"/x/v1/entries/{caller.target.ids['sample']}")


def _at(path: str, **options) -> Callable[[Caller], httpx.Response]:
    return lambda caller: caller.plain(path, **options)


def _of_code(rest: str, area: str = "/v/", **options) -> Callable[[Caller], httpx.Response]:
    return lambda caller: caller.plain(f"{area}{caller.target.code}{rest}", **options)


def _checked(caller: Caller) -> httpx.Response:
    return caller.plain(f"/v/{caller.target.code}/check?sha256={'0' * 64}")


#: Operation → (how it is asked about the target, statuses that it may answer, is it what the public may read of a code).
EXPECTED: dict[str, tuple[Callable[[Caller], httpx.Response], set[int], bool]] = {
    "POST /x/v1/entries": (_post_entry, {201, 403}, False),
    "POST /x/v1/batches": (_post_batch, {200}, False),
    "GET /x/v1/entries/{entry}": (_entry, {200}, False),
    "POST /x/v1/dry-run": (_dry_run, {200, 403, 422}, False),
    "GET /x/v1/receipts/{sender}/{uid}": (_receipt, {200}, False),
    "GET /x/v1/checkpoint": (_at("/x/v1/checkpoint"), {200}, False),
    "GET /x/v1/log/key": (_at("/x/v1/log/key"), {200}, False),
    "GET /x/v1/log/trust.txt": (_at("/x/v1/log/trust.txt"), {200}, False),
    "GET /x/v1/log/mark": (_at("/x/v1/log/mark"), {200}, False),
    "GET /x/v1/log/{epoch:number}/consistency/{old:number}/{new:number}": (
        _at("/x/v1/log/1/consistency/1/2"),
        {200},
        False,
    ),
    "GET /x/v1/log/{epoch:number}/tile/{level:number}/{index:path}": (
        _at("/x/v1/log/1/tile/0/000"),
        {200, 404},
        False,
    ),
    "GET /x/v1/changes": (_changes, {200}, False),
    "GET /x/v1/time": (_at("/x/v1/time"), {200}, False),
    "POST /x/v1/files": (_create, {200, 201}, False),
    "HEAD /x/v1/files/{upload}": (_offset, {404}, False),
    "PATCH /x/v1/files/{upload}": (_append, {404}, False),
    "GET /x/manual": (_at("/x/manual"), {200}, False),
    "GET /x/manual.pdf": (_at("/x/manual.pdf"), {200}, False),
    "GET /x/openapi.json": (_at("/x/openapi.json"), {200}, False),
    "GET /x/schemas/{kind}.json": (_at("/x/schemas/run.recorded.json"), {200}, False),
    "GET /x/problems/{slug}": (_at("/x/problems/schema"), {200}, False),
    "GET /v/": (_at("/v/"), {200}, False),
    "GET /v/{code}": (_of_code(""), {200}, True),
    "GET /V/{code}": (_of_code("", "/V/"), {200}, True),
    "GET /v/{code}/check": (_checked, {200}, False),
    # The reports of this world are no signed files: once the worker has examined one, it is no longer given out.
    "GET /v/{code}/document": (_of_code("/document"), {200, 404}, True),
    "POST /v/{code}/complaints": (
        _of_code("/complaints", method="POST", data={"item": "other"}),
        {201, 429},
        False,
    ),
    "GET /a/{until}/{mac}/{name}": (_attachment, {404}, False),
    "POST /live/publish/{stream}": (_publish, {200, 403}, False),
    "GET /live/status/{stream}": (
        _at("/live/status/any", headers={"x-forwarded-for": "203.0.113.9"}),
        {200},
        False,
    ),
    "GET /live/{stream}": (_follow, {403}, False),
    "GET /healthz": (_at("/healthz"), {200}, False),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_an_expectation(operation: str) -> None:
    assert operation in EXPECTED


def _foreign(caller: Caller, answer: httpx.Response) -> list[str]:
    """Strings of the target in an answer, but for what was asked with."""
    asked = str(answer.request.url) + answer.request.content.decode("utf-8", "replace")
    told = answer.content.decode("utf-8", "replace") + str(sorted(answer.headers.items()))
    entry = caller.target.ids["sample"] if "/receipts/" in asked else ""  # follows from sender and uid
    return [
        canary
        for canary in caller.target.canaries()
        if canary in told and canary not in asked and canary != entry
    ]


@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_tells_of_a_stranger(street, operation: str, name: str) -> None:
    ask, statuses, is_public = EXPECTED[operation]
    for target in street.homes.values():
        if target.name == name.split()[0]:
            continue
        caller = Caller(street, name, target)
        answer = ask(caller)
        assert answer.status_code in statuses, (answer.status_code, answer.text[:400])
        found = _foreign(caller, answer)
        if is_public:  # the verification page says what is on the paper, people masked, and names no record
            shown = {target.ids["application"], target.ids["registration"]}
            hidden = {*target.ids.values(), *target.world.cast.people.values()} - shown
            assert f"{target.token}technician" not in answer.text
            found = [each for each in found if each in hidden]
        assert found == []


def test_a_forged_version_changed_nothing(street) -> None:
    for home in street.homes.values():
        row = street.world.rows(
            "SELECT version, sender FROM fact.witnessing WHERE id = %s", [home.ids["witnessing"]]
        )
        assert row == [{"version": 1, "sender": home.parties["resident_engineer_firm"]}]


def test_a_stream_of_the_same_name_is_not_the_neighbours(street) -> None:
    """Both publish under one name; who follows with a token of its own hears its own events only."""
    own, abroad = street.homes["own"], street.homes["abroad"]
    hub = LiveHub((own.world.platform.folder("keys") / "kek.bin").read_bytes())
    name = "press-shared"
    heard: list[str] = []

    def follow() -> None:
        address = (
            f"{own.world.url}/live/{name}?token={hub.token(name, 's', owner=own.parties['institution'])}"
        )
        with httpx.stream(
            "GET", address, headers={"cookie": "plumb_live=s"}, timeout=60, trust_env=False
        ) as answer:
            for line in answer.iter_lines():
                heard.append(line)
                if "finished" in line:
                    return

    listener = threading.Thread(target=follow)
    listener.start()

    def publish(home, said: str) -> None:
        body = msgspec.json.encode({"event": "samples", "data": {"said": said}})
        who = home.world.parties["institution"]
        sent = home.world.request("POST", f"/live/publish/{name}", who, body, nonce=secrets.token_urlsafe(18))
        assert sent.status_code == 200, sent.text

    def is_heard() -> bool:
        publish(own, own.token)
        return bool(heard)

    street.world.wait_for(is_heard)
    publish(abroad, abroad.token)
    publish(own, "finished")
    listener.join(60)
    told = "\n".join(heard)
    assert own.token in told
    assert abroad.token not in told


def test_the_keys_of_a_suspended_organisation_open_nothing(street, suspend) -> None:
    """Within five seconds; what the public may verify stays, and so does what it sent."""
    beside = street.homes["beside"]
    caller = Caller(street, "beside institution", beside)
    signed = [_post_entry, _dry_run, _changes, _create, _publish]
    with suspend(street, beside, "institution"):
        street.world.wait_for(lambda: _changes(caller).status_code == 403, 60)
        for ask in signed:
            answer = ask(caller)
            assert answer.status_code == 403, (ask, answer.text)
            assert answer.json()["type"].endswith("/party-suspended") and "停用一项" in answer.text
        assert _receipt(caller).status_code == 200
        assert caller.plain(f"/v/{beside.code}").status_code == 200
    street.world.wait_for(lambda: _changes(caller).status_code == 200, 60)
