"""Every way in that takes or may be given personal data (个人信息的门): the right is accepted, the wrong refused."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline.domain.basics.identifiers import party_id, uscc_check_character
from plumbline.drill.privacy.canaries import Canary
from plumbline.exchange.encode import encode_message, encode_submission
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import KeyEnrolled, PartyRegistered, PersonRegistered
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.signatures import Ed25519Signer, Target, sign_request
from plumbline.sdk.client.stamp import stamp
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.supervision.enrolment.public_keys import PROOF_PREFIX
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.destruction import destroy_subject
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys, public_bytes
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault

#: Of loopback, and nobody else's.
_OWN_ADDRESS = "127.0.0.77"


@dataclass(frozen=True, slots=True)
class Sender:
    """A party with its keys."""

    party: str
    transport: Ed25519Signer
    origin: Ed25519Signer


@dataclass(kw_only=True)
class Doors:
    """The ways in of one running platform; `answers` keeps every answer for the search."""

    platform: Platform
    url: str
    rng: random.Random
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))
    #: Name of the way in → how often it was used.
    used: dict[str, int] = field(default_factory=dict)
    #: Name of the way in, head lines and content of the answer.
    answers: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    #: Ways in that answered otherwise than they should.
    unexpected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The station's own desk, which enrols."""
        keys = PlatformKeys.load(self.platform.folder("keys"))
        signer = CheckpointSigner(keys.log, self.platform.folder("marks"), sm2=keys.log_sm2)
        self._journal = Journal(self.platform.conninfo("plumb_gateway"), signer)
        self._desk = PlatformSender(self._journal, keys.signer("web"))
        self.vault = Vault(self.platform.folder("subjects"))
        self.operator = party_id(operator_of(self.platform)[0]).hex()

    def close(self) -> None:
        """Drop the connections."""
        self._journal.close()
        self.http.close()

    # --- the station's desk ---

    def enrol(self, role: str, division: str = "610300") -> Sender:
        """A party with keys of its own."""
        body = f"91610300MA6X{self.rng.randrange(10**5):05d}"
        uscc = body + uscc_check_character(body)
        sender = Sender(party_id(uscc).hex(), _signer("transport"), _signer("origin"))
        told: dict[str, Any] = {
            "uscc": uscc,
            "name": f"演练单位 {body[-5:]}",
            "roles": [role],
            "division": division,
        }
        now = datetime.now(UTC)
        span: dict[str, Any] = {
            "valid_from": now - timedelta(days=1),
            "valid_until": now + timedelta(days=30),
        }
        self.by_desk(PartyRegistered, party=sender.party, **told)
        for use, key in (("transport", sender.transport), ("origin", sender.origin)):
            told = span | {"key_id": key.key_id, "algorithm": "ed25519", "use": use}
            told["public_key"] = base64.b64encode(public_bytes(key.key)).decode()
            self.by_desk(KeyEnrolled, party=sender.party, **told)
        return sender

    def by_desk(self, kind: type, records: Sequence[PersonalRecord] = (), /, **fields: Any) -> None:
        """A message of the station in process."""
        message: Message = stamp(kind, sender=self.operator, at=datetime.now(UTC), **fields)
        self._desk.submit(message, personal=[self.vault.seal(each) for each in records])

    def register_at_desk(self, canary: Canary, party: str) -> None:
        """A person registered by the station itself."""
        self._use("监督站登记人员")
        self.by_desk(PersonRegistered, [canary.record], **_person_fields(canary, party))

    def destroy(self, canary: Canary) -> None:
        """Destroy a person's records as the command does."""
        told = {"operator": self.operator, "subject": canary.subject, "because": "演练"}
        destroy_subject(self.vault, self._desk, **told)

    # --- the exchange ---

    def register(self, who: Sender, canary: Canary, expected: int = 201) -> None:
        """A person registered by its employer, sent twice."""
        data = encode_message(self.message(who, canary))
        self.post("报送人员", who, data, [canary.record], expected=expected)
        if expected == 201:
            self.post("重复报送人员", who, data, [canary.record], expected=200)

    def message(self, who: Sender, canary: Canary) -> Any:
        """The registration of a person."""
        at = datetime.now(UTC)
        return stamp(PersonRegistered, sender=who.party, at=at, **_person_fields(canary, who.party))

    def misuse(self, who: Sender, canary: Canary) -> None:
        """Personal data where it does not belong, and records that are wrong: each is refused."""
        fields, right = canary.fields, encode_message(self.message(who, canary))
        loud = f"{fields.name} {fields.resident_id} {fields.phone}"
        for name, old, new in (
            ("正文里写证件号和电话", b'"receiver"', msgspec.json.encode(loud)),
            ("用转义写电话", b'"receiver"', _escaped(f"call {fields.phone}")),
            ("用电话作字段名", b'"roles"', msgspec.json.encode(fields.phone)),
            ("证件号当日期", b'"2026-01-01"', msgspec.json.encode(fields.resident_id)),
            ("种类处写电话", b'"person.registered"', msgspec.json.encode(fields.phone)),
            ("单位编号处写电话", f'"{who.party}"'.encode(), msgspec.json.encode(fields.phone)),
        ):
            self.post(name, who, right.replace(old, new), [canary.record], expected=422)
        for name, changes in (
            ("个人部分摘要对不上", {"salt": base64.b64encode(bytes(16)).decode()}),
            ("个人部分没有被引用", {"ref": "0" * 64}),
            ("盐不是 base64", {"salt": fields.phone}),
        ):
            wrong = msgspec.structs.replace(canary.record, **changes)
            self.post(name, who, right, [wrong], expected=422)
        strange = replace(who, transport=replace(who.transport, key_id=fields.phone or ""))
        self.post("密钥编号处写电话", strange, right, [canary.record], expected=401)
        body = encode_submission(right, personal=[canary.record])
        for name, old, new in (
            ("个人部分有多余字段", b'"phone":', b'"mobile":'),
            ("个人部分过长", b'"name":"', b'"name":"' + (fields.phone or "").encode() * 20),
            ("报送体不是 JSON", b'"personal":', loud.encode()),
        ):
            self.post(name, who, right, body=body.replace(old, new), expected=422)

    def in_addresses(self, canary: Canary) -> None:
        """Addresses, head lines and cookies that hold a number: they must not be kept in any log."""
        fields = canary.fields
        for path in (
            f"/v/{fields.phone}",
            f"/x/v1/receipts/{fields.resident_id}/{fields.phone}",
            f"/search/?q={fields.name}+{fields.phone}",
            f"/people/{fields.resident_id}/",
            f"/reports/{fields.name}/",
            f"/x/v1/changes?after={fields.phone}",
            f"/{fields.phone}/{fields.resident_id}",
        ):
            head = {"User-Agent": f"app/{fields.phone}", "Cookie": f"seen={fields.resident_id}"}
            self._use("网址与请求头里的号码")
            self.http.get(self.url + path, headers=head | {"Referer": f"{self.url}/?p={fields.phone}"})

    def upload(self, who: Sender, canary: Canary) -> None:
        """A file whose description holds a number."""
        told = {
            "sha256": "0" * 64,
            "media_type": f"image/{canary.fields.phone}",
            "filename": canary.fields.name or "",
        }
        pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in told.items())
        head = {"Upload-Length": "4", "Upload-Metadata": ",".join(pairs), "Tus-Resumable": "1.0.0"}
        self.post("文件说明里写电话", who, b"", body=b"", path="/x/v1/files", head=head, expected=422)

    # --- the web ---

    def sign_in(self, canary: Canary) -> None:
        """Somebody types an identity number as a login name, and as a password."""
        with httpx.Client(timeout=60, trust_env=False, base_url=self.url) as http:
            page = http.get("/account/login/")
            typed = {"login": canary.fields.resident_id or "", "password": canary.fields.phone or ""}
            self._use("登录框里输证件号")
            answer = http.post("/account/login/", data=_form(http, page) | typed, headers=_from(page))
        if answer.status_code >= 500:
            self.unexpected.append(f"登录框里输证件号：{answer.status_code}")

    def apply_for_key(self, canary: Canary) -> None:
        """An institution applies for a key and names whom to call; then once with the number in the wrong box."""
        key = ed25519.Ed25519PrivateKey.generate()
        # public forms are paced by address, and whoever else is at this host may have used up its turns
        own = httpx.HTTPTransport(local_address=_OWN_ADDRESS)
        with httpx.Client(timeout=60, transport=own, base_url=self.url, follow_redirects=True) as http:
            page = http.get("/keys/apply/")
            found = re.search(r'name="challenge" value="([^"]+)"', page.text)
            assert found is not None
            proof = key.sign((PROOF_PREFIX + found[1]).encode())
            body = f"91610300MA6Y{self.rng.randrange(10**5):05d}"
            typed: dict[str, str] = {
                "organisation": "演练申请单位",
                "uscc": body + uscc_check_character(body),
                "party_role": "institution",
                "division": "610300",
                "purpose": "演练",
                "contact": canary.fields.name or "",
                "phone": canary.fields.phone or "",
                "challenge": found[1],
                "key1": _pem(key),
                "use1": "transport",
                "proof1": base64.b64encode(proof).decode(),
            }
            for name, changes in (
                ("号码写进用途", {"purpose": f"找 {canary.fields.phone}"}),
                ("申请密钥", {}),
            ):
                self._use(name)
                answer = http.post(
                    "/keys/apply/", data=_form(http, page) | typed | changes, headers=_from(page)
                )
                wanted = 422 if changes else 200
                if answer.status_code != wanted or (not changes and "/keys/status/" not in str(answer.url)):
                    self.unexpected.append(f"{name}：{answer.status_code}")

    # --- one request ---

    def post(
        self,
        name: str,
        who: Sender,
        message: bytes,
        personal: Sequence[PersonalRecord] = (),
        *,
        body: bytes | None = None,
        path: str = "/x/v1/entries",
        head: dict[str, str] | None = None,
        expected: int,
    ) -> None:
        """One signed POST; its answer is kept for the search. 422 stands for any refusal."""
        if body is None:
            body = encode_submission(message, origin=[sign_origin(who.origin, message)], personal=personal)
        target = Target(method="POST", uri=self.url + path)
        signed = sign_request(who.transport, target, body, message, created=int(time.time()))
        lines = {"Content-Type": "application/json", **(head or {}), **signed}
        answer = self.http.post(self.url + path, content=body, headers=lines)
        self._use(name)
        told = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
        self.answers.append((name, told.encode(), answer.content))
        refused = answer.status_code in (400, 409, 413, 415, 422)
        if not (answer.status_code == expected or (refused and expected == 422)):
            self.unexpected.append(f"{name}：{answer.status_code}，应为 {expected}")

    def _use(self, name: str) -> None:
        self.used[name] = self.used.get(name, 0) + 1


def _person_fields(canary: Canary, party: str) -> dict[str, Any]:
    return {
        "person": canary.subject,
        "party": party,
        "roles": ["receiver"],
        "valid_from": "2026-01-01",
        "personal": canary.record.ref,
    }


def _escaped(text: str) -> bytes:
    return b'"' + "".join(f"\\u{ord(c):04x}" for c in text).encode() + b'"'


def _pem(key: ed25519.Ed25519PrivateKey) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def _signer(use: str) -> Ed25519Signer:
    key = ed25519.Ed25519PrivateKey.generate()
    return Ed25519Signer(f"drill.{use}.{public_bytes(key).hex()[:10]}", key)


def _form(http: httpx.Client, page: httpx.Response) -> dict[str, str]:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    return {"csrfmiddlewaretoken": found[1] if found else http.cookies.get("plumb_csrf") or ""}


def _from(page: httpx.Response) -> dict[str, str]:
    return {"Referer": str(page.url)}
