"""Every address of web × every reader × every neighbour: the declared status, and not one foreign string (隔离矩阵：网页).

Made from the list of addresses: one without an expectation fails.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import psycopg
import pytest
from addresses import URLS

from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.bundle.volume_verify import VolumeTrust, verify_volume
from plumbline.supervision.access.principals import PUBLIC, Role
from plumbline.supervision.pages import pages

pytestmark = [pytest.mark.service, pytest.mark.slow]
READERS = [
    *(f"{home} {role}" for home in ("own", "beside", "abroad") for role in ("institution", "owner", "contractor",
      "resident_engineer_firm")),
    "officer home", "officer abroad", "officer nowhere", "public",
]  # fmt: skip
#: A lot like an id of an entry, and none.
GUESSED = "0123456789abcdef" * 2


LISTS = ("institutions", "projects", "samples", "tests", "findings", "people", "instruments")


def _all(*addresses: str) -> Callable:
    return lambda home: list(addresses)


def _request_of(home) -> str:
    """A request of the neighbour's institution in the exchange monitor."""
    asked = "SELECT id FROM ops.exchange_request WHERE holder = %s AND outcome = 'accepted' LIMIT 1"
    with psycopg.connect(home.world.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        found = home.world.wait_for(lambda: conn.execute(asked, [home.parties["institution"]]).fetchone(), 30)
    return str(found[0])


#: Name of an address → the addresses to ask about a neighbour.
ADDRESSES: dict[str, Callable] = {
    "home": _all("/"),
    "healthz": _all("/healthz/"),
    "status": _all("/status/"),
    "demo-sign-in": _all("/demo/sign-in/officer/"),
    "demo-sign-out": _all("/demo/sign-out/"),
    "demo-city": _all("/demo/city/"),
    "tour": _all("/tour/"),
    "tour-changed": _all("/tour/changed.pdf"),
    "tour-dismiss": _all("/tour/dismiss/"),
    "tour-enter": _all("/tour/enter/trace/"),
    "tour-stop": lambda home: [f"/tour/stops/{key}/" for key in ("late", "own")],
    "reports": lambda home: [
        "/reports/",
        "/reports/?view=failed",
        "/reports/?view=reminded",
        "/reports/?view=mine",
        "/reports/?view=unproved",
        f"/reports/?q={home.case.number}",
        "/reports/?q=%25",
        "/reports/?after=kffffffffff",
    ],
    "search": lambda home: [
        f"/search/?all=1&q={text}"
        for text in (home.code, home.case.number, home.token, home.ids["sample"], home.instrument)
    ],
    **{
        key: lambda home, key=key: [
            f"/{key}/",
            f"/{key}/?q={home.token}",
            f"/{key}/?project={home.project}&institution={home.parties['institution']}&party={home.parties['owner']}",
        ]
        for key in LISTS
    },
    **{f"{key}-export": lambda home, key=key: [f"/{key}/export.csv"] for key in LISTS},
    "reports-export": lambda home: ["/reports/export.csv", f"/reports/export.csv?q={home.case.number}"],
    "trace": lambda home: [
        f"/reports/{home.ids['application']}/",
        f"/reports/{home.code}/",
        f"/reports/{home.case.number}/",
    ],
    "curve": lambda home: [f"/reports/{home.ids['application']}/curves/1.json"],
    "picture": lambda home: [f"/reports/{home.ids['application']}/pictures/{home.picture}"],
    "bundle": lambda home: [f"/reports/{home.ids['application']}/bundle.zip"],
    "numbers": lambda home: [
        "/numbers/",
        f"/numbers/?year=2026&institution={home.parties['institution']}",
    ],
    "institution": lambda home: [
        f"/institutions/{home.parties['institution']}/",
        f"/institutions/{home.parties['owner']}/",
    ],
    "project": lambda home: [f"/projects/{home.project}/"],
    "sample": lambda home: [f"/samples/{home.ids['sample']}/"],
    "sample-picture": lambda home: [f"/samples/{home.ids['sample']}/pictures/{home.picture}"],
    "test": lambda home: [f"/tests/{home.ids['run']}/", f"/tests/{home.ids['discarded']}/"],
    "test-curve": lambda home: [f"/tests/{home.ids['run']}/curves/1.json"],
    "test-picture": lambda home: [f"/tests/{home.ids['run']}/pictures/{home.picture}"],
    "finding": lambda home: [f"/findings/{home.ids['finding']}/"],
    "person": lambda home: [f"/people/{home.world.cast.people['technician']}/"],
    "instrument": lambda home: [f"/instruments/{home.ids['instrument']}/"],
    "live": lambda home: [f"/live-tests/press-{home.instrument}/"],
    "exports": _all("/exports/"),
    "export-file": _all(f"/exports/{GUESSED}.csv"),
    "volume-file": _all(f"/exports/{GUESSED}.zip"),
    "charges": _all("/charges/"),
    "charge-project": lambda home: [f"/charges/{home.project}/"],
    "charge-end": lambda home: [f"/charges/{home.project}/{GUESSED}/end/"],
    "organisations": _all("/organisations/"),
    "organisation-act": lambda home: [f"/organisations/{home.parties['owner']}/propose/"],
    "exchange": lambda home: [
        "/exchange/",
        "/exchange/?view=reasons",
        f"/exchange/?holder={home.parties['institution']}",
        f"/exchange/?view=reasons&holder={home.parties['institution']}",
    ],
    "exchange-export": lambda home: [
        "/exchange/export.csv",
        f"/exchange/export.csv?holder={home.parties['institution']}",
    ],
    "exchange-request": lambda home: [f"/exchange/{_request_of(home)}/"],
    "exchange-replay": lambda home: [f"/exchange/{_request_of(home)}/replay/"],
    "keys": _all("/keys/"),
    "key-apply": _all("/keys/apply/"),
    "key-status": _all("/keys/status/guessed/"),
    "key-rotate": _all("/keys/rotate/"),
    "key-applications": _all("/keys/applications/", "/keys/applications/?state=applied"),
    "key-application": _all(f"/keys/applications/{GUESSED}/"),
    "key-application-act": _all(f"/keys/applications/{GUESSED}/sandbox/"),
    "key": lambda home: [f"/keys/of/{home.world.parties['institution'].transport.key_id}/"],
    "key-act": lambda home: [f"/keys/of/{home.world.parties['institution'].transport.key_id}/revoke/"],
    "acting": _all("/acting/"),
    "view-as": _all("/view-as/"),
    "view-as-end": _all("/view-as/end/"),
    "accounts": _all("/accounts/"),
    "account-new": _all("/accounts/new/"),
    "account": _all("/accounts/somebody/"),
    "account-act": _all("/accounts/somebody/grant/"),
    "audit": _all("/audit/"),
    "audit-export": _all("/audit/export.csv"),
    "first-password": _all("/account/link/MQ/abc-def/"),
    "sign-ins": _all("/account/sign-ins/"),
    "account_login": _all("/account/login/"),
    "account_logout": _all("/account/logout/"),
    "account_inactive": _all("/account/inactive/"),
    "account_reauthenticate": _all("/account/reauthenticate/"),
    "account_change_password": _all("/account/password/change/"),
    "mfa_index": _all("/account/2fa/"),
    "mfa_authenticate": _all("/account/2fa/authenticate/"),
    "mfa_reauthenticate": _all("/account/2fa/reauthenticate/"),
    "mfa_activate_totp": _all("/account/2fa/totp/activate/"),
    "mfa_deactivate_totp": _all("/account/2fa/totp/deactivate/"),
    "mfa_view_recovery_codes": _all("/account/2fa/recovery-codes/"),
    "mfa_generate_recovery_codes": _all("/account/2fa/recovery-codes/generate/"),
    "mfa_download_recovery_codes": _all("/account/2fa/recovery-codes/download/"),
}
#: Pages of sign-in send a reader without an account to the sign-in page, or answer it; they hold nobody's business.
TO_SIGN_IN = {name for name in ADDRESSES if name.startswith(("account_", "mfa_"))} - {
    "account_login",
    "account_inactive",
}
#: Our own pages about an account send a reader without one to the sign-in page.
BY_OURSELVES = {"acting", "sign-ins"}
#: Addresses of one object: 200 for who sees it, 404 for who does not. The others answer everybody who may ask.
RECORDS = {
    "institution", "project", "sample", "sample-picture", "test", "test-curve", "test-picture", "finding", "person", "instrument",
}  # fmt: skip
OF_ONE = {"trace", "curve", "picture", "bundle", "live", "exchange-request", "key"} | RECORDS
PICTURES = {"picture", "sample-picture"}
BY_POST = {
    "demo-sign-in",
    "demo-sign-out",
    "view-as-end",
    "organisation-act",
    "charge-end",
    "tour-dismiss",
    "tour-enter",
    "exchange-replay",
    "key-application-act",
    "key-act",
}
#: What only an account does; the readers here hold role cards of the demo.
WITH_ACCOUNT = {"view-as", "organisations", "charges", "charge-project"}
#: Addresses whose object nobody has: a guessed link, a guessed number.
OF_NONE = {"key-status", "key-application"}


def expected(pattern, principal, sees: bool) -> int:
    """The status that the rule of a view and the scope of its reader give."""
    if principal.role not in pattern.callback.allowed_roles:
        return 403
    if pattern.name in BY_POST:
        return 405
    if pattern.name in OF_NONE:
        return 404
    if pattern.name in TO_SIGN_IN or pattern.name in BY_OURSELVES:
        return 302 if pattern.name not in BY_OURSELVES else 303
    if pattern.name in {"tour-stop", "tour-changed"}:
        return 303
    if pattern.name == "first-password":
        return 410
    if pattern.name in WITH_ACCOUNT or pattern.name in {"export-file", "volume-file", "test-picture"}:
        return 404  # the test has no picture: that of the sample is not had through it
    if pattern.name == "trace" and principal.role is Role.PUBLIC:
        return 404
    if pattern.name == "finding" and principal.role is Role.PARTY:
        return 404  # unconfirmed: for the officer and the institution only
    if pattern.name == "live" and principal.role is Role.OFFICER:
        return 200 if sees else 404
    if pattern.name in OF_ONE and not sees:
        return 404
    return 302 if pattern.name in PICTURES else 200  # to a path without cookies


def is_as(pattern, answer, wanted: int) -> bool:
    """Whether the status is the wanted one; the tour has its file as soon as some report can be verified by anybody."""
    return answer.status_code == wanted or (pattern.name == "tour-changed" and answer.status_code == 200)


def texts(answer) -> bytes:
    """The body; an archive is opened."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.content
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return b"\0".join(
            [*(each.encode() for each in archive.namelist()), *map(archive.read, archive.namelist())]
        )


def foreign(street, reader: str, address: str, body: bytes) -> list[str]:
    """Strings of strangers in a body; what the address itself says is only repeated.

    Whoever has the address of a report is shown its registered code, as it is printed on the paper: the public verifies by it.
    """
    return [
        f"{home.name}: {canary}"
        for home in street.strangers(reader)
        for canary in home.canaries()
        if canary.encode() in body
        and canary not in address
        and not (reader == "public" and canary == home.code)
    ]


@pytest.mark.parametrize("pattern", URLS, ids=lambda pattern: pattern.name)
def test_every_address_has_an_expectation(pattern) -> None:
    assert pattern.name in ADDRESSES


#: Readers of one kind whose sight is alike are asked once at the many pages of single records.
ALIKE = {
    "beside owner",
    *(each for each in READERS if each.endswith(("contractor", "resident_engineer_firm"))),
}
CASES = [
    pytest.param(pattern, reader, id=f"{pattern.name}-{reader}")
    for pattern in URLS
    for reader in READERS
    if not (pattern.name in RECORDS and reader in ALIKE)
]


@pytest.mark.parametrize(("pattern", "reader"), CASES)
def test_no_reader_gets_what_is_a_strangers(street, pattern, reader: str) -> None:
    asked = set()
    for home in street.homes.values():
        for address in ADDRESSES[pattern.name](home):
            if pattern.name not in OF_ONE and address in asked:
                continue  # it does not depend on the neighbour
            asked.add(address)
            answer = street.get(reader, address)
            wanted = expected(pattern, street.principals()[reader], street.sees(reader, home))
            assert is_as(pattern, answer, wanted), (address, answer.status_code, answer.text[:300])
            assert foreign(street, reader, address, texts(answer)) == [], address


@pytest.mark.parametrize("reader", READERS[:-2])
def test_each_reader_gets_its_own(street, reader: str) -> None:
    """Without this the matrix would hold for a platform that shows nobody anything."""
    for home in street.homes.values():
        if not street.sees(reader, home):
            continue
        theirs = set(LISTS) - (
            set() if reader.endswith("institution") or reader.startswith("officer") else {"findings"}
        )
        single = ("trace", "bundle", "institution", "project", "sample", "test", "person", "instrument")
        for name in (*single, "reports-export", *sorted(theirs - {"institutions"})):
            for address in ADDRESSES[name](home)[:1]:
                assert home.token.encode() in texts(street.get(reader, address)), address


@pytest.mark.parametrize("reader", READERS)
def test_a_guessed_or_missing_address_tells_nothing(street, reader: str) -> None:
    for address in (
        f"/reports/{GUESSED}/",
        f"/reports/{GUESSED}/bundle.zip",
        *(f"/{kind}/{GUESSED}/" for kind in pages.RECORDS),
        "/samples/1/",
        "/tests/%00/",
        "/nothing/here/",
        "/reports/%00/",
        "/reports/?q=%00",
    ):
        answer = street.get(reader, address)
        assert answer.status_code in (400, 403, 404), (address, answer.status_code)
        assert foreign(street, reader, address, answer.content) == [], address


def test_a_strangers_code_is_answered_as_one_that_nobody_has(street) -> None:
    own, abroad = street.homes["own"], street.homes["abroad"]
    for text in (
        abroad.code,
        abroad.case.number,
        abroad.ids["sample"],
        abroad.instrument,
        f"{abroad.token}-WT",
    ):
        unknown = "".join(reversed(text))
        told = [street.get("own institution", f"/search/?q={each}") for each in (text, unknown)]
        assert [answer.status_code for answer in told] == [200, 200]
        plain = [answer.text.replace(each, "?") for answer, each in zip(told, (text, unknown), strict=True)]
        assert plain[0].split("<main")[1] == plain[1].split("<main")[1]
    for text in (own.code, own.case.number, own.ids["application"]):
        answer = street.get("own institution", f"/search/?q={text}")
        assert answer.headers["location"].startswith(f"/reports/{own.ids['application']}/?found=")


def test_a_foreign_record_and_a_guessed_one_get_the_same_page(street) -> None:
    abroad = street.homes["abroad"]
    for name, kind in (
        ("institution", "institutions"),
        ("sample", "samples"),
        ("finding", "findings"),
        ("person", "people"),
    ):
        (foreign_one, *_) = ADDRESSES[name](abroad)
        answers = [street.get("own institution", each) for each in (foreign_one, f"/{kind}/{GUESSED}/")]
        assert [each.status_code for each in answers] == [404, 404]
        texts_ = [re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", each.text) for each in answers]
        assert texts_[0] == texts_[1]


def test_a_foreign_picture_or_curve_is_not_had_through_an_own_report(street) -> None:
    own, abroad = street.homes["own"], street.homes["abroad"]
    address = f"/reports/{own.ids['application']}/pictures/{abroad.picture}"
    assert street.get("own institution", address).status_code == 404


def test_a_picture_is_served_without_a_session_by_an_address_that_was_given_and_by_no_other(street) -> None:
    """Its pixels alone: what stands behind the end of the file that was sent is not among what is served."""
    own = street.homes["own"]
    (address,) = ADDRESSES["picture"](own)
    given = street.get("own institution", address).headers["location"]
    bare = own.world.http.get(own.world.url + given)
    assert (bare.status_code, bare.headers["content-type"]) == (200, "image/png")
    assert bare.content.startswith(b"\x89PNG") and b"<script>" not in bare.content
    assert bare.headers["content-disposition"].startswith("attachment;")
    assert bare.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in bare.headers["content-security-policy"]
    assert "set-cookie" not in bare.headers
    _, area, until, mac, name = given.split("/")
    forged = [
        f"/{area}/{until}/{'0' * 40}/{name}",
        f"/{area}/{int(until) + 300}/{mac}/{name}",
        f"/{area}/{until}/{mac}/{street.homes['abroad'].picture}.png",
        f"/{area}/1000000000/{mac}/{name}",
        f"/{area}/{until}/{mac}/..%2f{name}",
        f"/{area}/",
    ]
    assert {street.get("own institution", each).status_code for each in forged} == {404}
    assert street.get("own institution", given, method="POST").status_code == 405


def test_what_one_request_read_is_gone_for_the_next(street) -> None:
    """The pool has few connections: readers of all kinds take turns on them."""
    for _ in range(5):
        for reader in ("officer abroad", "own institution", "public", "beside owner", "officer nowhere"):
            answer = street.get(reader, "/reports/export.csv")
            assert foreign(street, reader, "", answer.content) == []
            assert foreign(street, reader, "", street.get(reader, "/").content) == []


@pytest.mark.parametrize("role", ["institution", "owner"])
def test_whoever_acts_for_a_suspended_organisation_gets_what_the_public_gets(
    street, suspend, role: str
) -> None:
    """The column of the suspended: every address, about its own records, its neighbour's and those of another city."""
    beside, reader, wrong = street.homes["beside"], f"beside {role}", []
    assert street.get(reader, "/reports/").status_code == 200
    with suspend(street, beside, role):
        for pattern in URLS:
            for address in {each for home in street.homes.values() for each in ADDRESSES[pattern.name](home)}:
                answer = street.get(reader, address)
                told = texts(answer).replace(f"{beside.token} {role}".encode(), b"")  # its own name
                if not is_as(pattern, answer, expected(pattern, PUBLIC, sees=False)):
                    wrong.append((address, answer.status_code))
                wrong += [(address, each) for each in foreign(street, "public", address, told)]
        assert "停用一项" in street.get(reader, "/reports/").text
        facts = street.get("officer home", ADDRESSES["trace"](beside)[0])
        others = street.get("beside contractor", "/reports/")
    assert wrong == []
    assert facts.status_code == 200 and beside.token in facts.text
    assert others.status_code == 200 and beside.token in others.text
    assert street.get(reader, "/reports/").status_code == 200


def test_a_job_is_done_for_whoever_ordered_it_and_for_nobody_else(street) -> None:
    """An export behind the page: its rows are its principal's, its file is its owner's, and without a principal nothing is done."""
    reader, world = "own institution", street.world
    page = street.get(reader, "/exports/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    cookies = f"plumb_session={street.sessions[reader]}; plumb_csrf={page.cookies['plumb_csrf']}"
    headers = {"cookie": cookies, "referer": world.url + "/exports/"}
    form = {"csrfmiddlewaretoken": token[1], "list": "reports", "view": "all"}
    ordered = world.http.post(world.url + "/exports/", data=form, headers=headers)
    assert ordered.status_code == 303, ordered.text
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        for name, stored in (
            ("nobody", "{}"),
            ("all-powerful", '{"role": "platform"}'),
            ("public", '{"role": "public"}'),
        ):
            conn.execute(
                "INSERT INTO ops.job (id, kind, owner, principal) VALUES (%s, 'list_export', %s, %s)",
                [f"{name}-{street.homes['own'].token}", name, stored],
            )
        conn.execute(  # as one looks whose process was killed: it is done again, not only told to have failed
            "INSERT INTO ops.job (id, kind, owner, principal, state, begun_at) "
            "VALUES (%s, 'list_export', 'left', '{}', 'running', now() - interval '1 minute')",
            [f"left-{street.homes['own'].token}"],
        )

    def found() -> list[str]:
        return re.findall(r"/exports/([0-9a-f]{32})\.csv", street.get(reader, "/exports/").text)

    world.wait_for(found, 60)
    address = f"/exports/{found()[0]}.csv"
    exported = street.get(reader, address)
    assert street.homes["own"].token in exported.text
    assert foreign(street, reader, address, exported.content) == []
    for other in ("beside institution", "own owner", "officer home"):
        assert street.get(other, address).status_code == 404

    def failed() -> list[str]:
        asked = "SELECT problem FROM ops.job WHERE id LIKE %s AND state = 'failed' AND result IS NULL"
        with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
            return [row[0] for row in conn.execute(asked, [f"%{street.homes['own'].token}"]).fetchall()]

    world.wait_for(lambda: len(failed()) == 4, 120)
    assert all("代谁" in problem for problem in failed())


def test_a_volume_is_made_in_the_scope_of_whoever_ordered_it(street, tmp_path) -> None:
    """All reports of a project in one file, behind the page: for its parties, checked offline; nobody else can order or have it."""
    world, home = street.world, street.homes["own"]

    def order(reader: str, **form: str):
        page = street.get(reader, f"/exports/?project={home.project}")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        cookies = f"plumb_session={street.sessions[reader]}; plumb_csrf={page.cookies['plumb_csrf']}"
        headers = {"cookie": cookies, "referer": world.url + "/exports/"}
        asked = {"csrfmiddlewaretoken": token[1], "volume": "project", "project": home.project} | form
        return page, world.http.post(world.url + "/exports/", data=asked, headers=headers)

    page, refused = order("beside owner")
    assert refused.status_code == 422 and "不在您的范围" in refused.text
    assert home.token not in page.text + refused.text
    assert "年度案卷包由监督机构和检测机构取" in order("own owner", volume="year", year="2026")[1].text
    page, ordered = order("own owner")
    assert "出具工程案卷包" in page.text and ordered.status_code == 303, ordered.text

    def found() -> list[str]:
        return re.findall(r"/exports/([0-9a-f]{32})\.zip", street.get("own owner", "/exports/").text)

    world.wait_for(found, 120)
    address = f"/exports/{found()[0]}.zip"
    taken = street.get("own owner", address)
    assert taken.headers["content-type"] == "application/zip" and taken.content[:2] == b"PK"
    for other in ("own institution", "beside owner", "officer home"):
        assert street.get(other, address).status_code == 404
    assert foreign(street, "own owner", address, taken.content) == []
    path = tmp_path / "volume.zip"
    path.write_bytes(taken.content)
    trust = read_trust([str(world.platform.data_dir / "trust.txt"), str(world.platform.folder("roots"))])
    asked = VolumeTrust(log_keys=trust.log_keys, roots=trust.roots, code_keys=trust.code_keys)
    check = verify_volume(path, asked)
    assert check.volume and check.volume.scope.project == home.project
    assert check.checked and home.case.number in {each.number for each in check.volume.reports}
    with psycopg.connect(world.platform.conninfo("plumb_web")) as conn:
        acts = [
            row[0]
            for row in conn.execute(
                "SELECT action FROM ops.audit_event WHERE subject = %s ORDER BY id", [found()[0]]
            )
        ]
    assert acts == ["volume.ordered", "volume.taken"]
