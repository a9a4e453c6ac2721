"""Forms about keys (密钥的表单): what applicants, institutions and officers with role cards fill in, and trial messages of an applicant."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.sdk.client.stamp import stamp
from plumbline.supervision.enrolment.public_keys import PROOF_PREFIX, ROTATION_PREFIX, parse_public_key

_serial = itertools.count(1)


def pem(key, *, private: bool = False) -> str:
    if private:
        kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, kind, none).decode()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def proof(key, challenge: str, prefix: str = PROOF_PREFIX) -> str:
    data = (prefix + challenge).encode()
    raw = (
        key.sign(data)
        if isinstance(key, ed25519.Ed25519PrivateKey)
        else key.sign(data, ec.ECDSA(hashes.SHA256()))
    )
    return base64.b64encode(raw).decode()


def way_given(key, challenge: str, new) -> str:
    """The old key's signature for the new one."""
    return proof(key, f"{challenge}\n{proof(new, challenge)}", ROTATION_PREFIX)


@dataclass
class Visitor:
    """Somebody with a browser, with a role card or none."""

    http: httpx.Client

    def post(self, path: str, **fields: str) -> httpx.Response:
        token = {"csrfmiddlewaretoken": self.http.cookies.get("plumb_csrf", "")}
        return self.http.post(path, data=token | fields, headers={"Referer": str(self.http.base_url) + path})

    def challenge(self, path: str) -> str:
        found = re.search(r'name="challenge" value="([^"]+)"', self.http.get(path).text)
        assert found
        return found[1]


def open_visitors(url: str) -> dict[str, Visitor]:
    """One without a card, an officer's and an institution's."""
    made = {}
    for card in ("public", "officer", "institution"):
        client = httpx.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=30)
        made[card] = Visitor(client)
        client.get("/account/login/")
        if card != "public":
            made[card].post(f"/demo/sign-in/{card}/")
    return made


def form(challenge: str, key, **changes: str) -> dict[str, str]:
    """A form that is right, for a contractor that nobody knows."""
    body = f"91610300MA{next(_serial):07d}"
    return {
        "organisation": f"试报建设公司 {body[-4:]}",
        "uscc": body + uscc_check_character(body),
        "party_role": "contractor",
        "division": "610300",
        "purpose": "报送浇筑记录",
        "contact": "周联系",
        "phone": "13912345678",
        "challenge": challenge,
        "use1": "origin",
        "key1": pem(key),
        "proof1": proof(key, challenge),
    } | changes


@dataclass
class Applicant:
    """An application with its key, its link and its number at the officer's desk."""

    key: ed25519.Ed25519PrivateKey
    uscc: str
    link: str
    desk: str
    signer: Ed25519Signer

    @property
    def party(self) -> str:
        return party_id(self.uscc).hex()


def applied(visitors) -> Applicant:
    key, challenge = ed25519.Ed25519PrivateKey.generate(), visitors["public"].challenge("/keys/apply/")
    fields = form(challenge, key)
    done = visitors["public"].post("/keys/apply/", **fields)
    assert done.url.path.startswith("/keys/status/"), done.text
    listed = visitors["officer"].http.get("/keys/applications/").text
    desk = re.search(rf'/keys/applications/(\w+)/">{fields["organisation"]}<', listed)
    assert desk
    signer = Ed25519Signer(parse_public_key(pem(key)).key_id("origin"), key)
    return Applicant(key, fields["uscc"], done.url.path, f"/keys/applications/{desk[1]}/", signer)


def sent(world, who: Applicant, **changes) -> httpx.Response:
    now = datetime.now(UTC)
    message = stamp(
        PourRecorded,
        sender=who.party,
        at=now,
        project=world.project(),
        structural_part="三层柱",
        grade="C30",
        volume_m3="12.5",
        started_at=now,
    )
    data = json.dumps(msgspec.to_builtins(message) | changes).encode()
    return world.post(
        data, world.parties["contractor"], signer=who.signer, origin=[sign_origin(who.signer, data)]
    )


def answered(world, who: Applicant, status: int) -> httpx.Response:
    """The answer once the gateway has forgotten what it knew of the key (5 s at most)."""
    until = time.monotonic() + 60
    while (got := sent(world, who)).status_code != status:
        assert time.monotonic() < until, got.text
        time.sleep(0.4)
    return got
