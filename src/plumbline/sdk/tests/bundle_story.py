"""A report's chain in a log in memory, with real keys and signatures, whose every message a test may change (报告包测试用的故事)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.evidence.leaf import us_from_instant
from plumbline.evidence.testing import InMemoryLog, Submission
from plumbline.exchange.claims import CodeClaims, sign_claims
from plumbline.exchange.encode import encode_message
from plumbline.exchange.handbook.example_cast import PARTY, USCC, at, entry, uid
from plumbline.exchange.handbook.examples import examples
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import RootKey
from plumbline.exchange.origin import sign_batch, sign_origin
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.signatures import Ed25519Signer, HmacSigner, Signer, digest_header, signature_base
from plumbline.exchange.submission import Envelope, encode_envelope
from plumbline.lab.keys import public_bytes
from plumbline.sdk.bundle.check import BundleCheck
from plumbline.sdk.bundle.format import BundleContent, BundleEntry, BundlePicture, write_bundle
from plumbline.sdk.bundle.verify import pictures_of, verify_bundle
from plumbline.sdk.pdf.roots import TrustRoot

ORIGIN = "demo.log.test"
NAMES = {
    "institution": "衡川诚测检测有限公司",
    "owner": "甲",
    "contractor": "乙",
    "resident_engineer_firm": "丙",
}
#: What the chain consists of, in the order of the log, with the party that sends it.
CHAIN = (
    ("project.registered", "platform"), ("contract.signed", "institution"), ("sampling.recorded", "contractor"),
    ("witnessing.recorded", "resident_engineer_firm"), ("commission.placed", "contractor"), ("receipt.recorded", "institution"),
    ("number.taken", "institution"), ("run.recorded", "institution"), ("review.recorded", "institution"),
    ("report.applied", "institution"), ("code.reserved", "platform"), ("report.registered", "institution"),
    ("report.examined", "platform"),
)  # fmt: skip


def key(name: str) -> Ed25519Signer:
    """A key that is the same in every run; key ids have no underscore."""
    name = name.replace("_", "-")
    secret = hashlib.sha256(f"bundle story {name}".encode()).digest()
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(secret))


def public(signer: Ed25519Signer) -> str:
    return base64.b64encode(public_bytes(signer.key)).decode()


@dataclass
class Told:
    """One message on its way into the log; tests change it before it is sealed."""

    name: str
    message: Message
    channel: str = "internal"
    transport: Signer | None = None
    origin: list[Signer] = field(default_factory=list)
    batched: bool = False
    #: it came in one request with another message
    together: bool = False
    #: what the transport signature covers, if not the message
    carried: bytes | None = None

    def change(self, **fields: Any) -> None:
        self.message = msgspec.structs.replace(self.message, **fields)

    def envelope(self, data: bytes) -> bytes:
        signatures = [
            sign_batch(s, [data, b"{}"])[0] if self.batched else sign_origin(s, data) for s in self.origin
        ]
        base, signed, place = "", "", msgspec.UNSET
        if self.transport is not None:
            alg = {"hmac-sha256": "hmac-sha256", "ed25519": "ed25519"}[self.transport.algorithm]
            params = f'("@method");created=1;keyid="{self.transport.key_id}";alg="{alg}"'
            root, places = places_of([data, b"{}"])
            place = places[0] if self.together else msgspec.UNSET
            digest = digest_header(self.carried or (request_bytes(root, 2) if self.together else data))
            base = signature_base("POST", "https://x.example/x/v1/entries", digest, digest, params).decode()
            signed = self.transport.sign(base.encode()).hex()
        who = self.transport or self.origin[0]
        return encode_envelope(
            Envelope(v=1, channel=self.channel, key_id=who.key_id, signature_base=base, signature=signed, origin=signatures,
                     personal=[], batch=place)
        )  # fmt: skip


class Story:
    """The messages in order; `told[name]` is one of them. `seal` logs them and packs the bundle."""

    def __init__(self, pdf: bytes) -> None:
        self.pdf = pdf
        self.told: dict[str, Told] = {}
        self.cosigners: list[Any] = []
        self._open()
        for role in NAMES:
            self._register(role)
        self._enrol("contractor", "contractor.origin", "origin")
        for role in NAMES:
            if role != "owner":
                self._enrol(role, f"{role}.transport", "transport")
        self._enrol("institution", "institution.origin", "origin")
        for kind, role in CHAIN:
            self._tell(kind, role)
        self._issue()

    def add(self, name: str, message: Message, role: str = "platform") -> Told:
        """Append a message of a party with the signatures that this party makes."""
        told = Told(name, message, origin=[key("web.key")])
        if role != "platform":
            told.channel, told.transport = "http", key(f"{role}.transport")
            told.origin = [key(f"{role}.origin")] if role in ("institution", "contractor") else []
        self.told[name] = told
        return told

    def make(self, kind: str, name: str, when: datetime, role: str = "platform", /, **fields: Any) -> Told:
        """A new message of `kind`."""
        made = KINDS[kind].type(v=1, uid=uid(name, when), sender=PARTY[role], occurred_at=when, **fields)
        return self.add(name, made, role)

    def entry(self, name: str) -> str:
        """Entry id of a message of the story."""
        message = self.told[name].message
        return entry(message.sender, message.uid)

    def _open(self) -> None:
        opened = examples()["log.opened"]
        keys = [
            RootKey(key_id=f"{use}.key", algorithm="ed25519", use=use, public_key=public(key(f"{use}.key")))
            for use in ("log", "web", "code")
        ]
        self.add("log.opened", msgspec.structs.replace(opened, keys=keys))

    def _register(self, role: str) -> None:
        fields = {"uscc": USCC[role], "name": NAMES[role], "roles": [role], "division": "610300"}
        self.make("party.registered", f"party/{role}", at(1), party=PARTY[role], **fields)

    def _enrol(self, role: str, name: str, use: str) -> None:
        self.make(
            "key.enrolled", f"key/{name}", at(2), party=PARTY[role], key_id=key(name).key_id, algorithm="ed25519", use=use,
            public_key=public(key(name)), valid_from=at(0), valid_until=at(days=700),
        )  # fmt: skip

    def _tell(self, kind: str, role: str) -> None:
        message = examples()[kind]
        if role == "platform":  # the operator of this log is the station too
            message = msgspec.structs.replace(message, sender=PARTY["platform"])
        self.add(kind, message, role)

    def _issue(self) -> None:
        """What names other things by digest: claims, and the registered file."""
        project = self.entry("project.registered")
        for name in ("contract.signed", "sampling.recorded"):
            self.told[name].change(project=project)
        self.told["report.registered"].change(
            pdf_sha256=hashlib.sha256(self.pdf).hexdigest(), pdf_bytes=len(self.pdf)
        )
        self.issue()

    def issue(self, **claimed: Any) -> None:
        """Sign the claims of the code anew, as the platform does at reservation; `claimed` overrides."""
        applied, reserved = self.told["report.applied"].message, self.told["code.reserved"]
        fields = {
            "key_number": 1, "code": reserved.message.code, "issued_on": at().date(), "institution": bytes.fromhex(applied.sender)[:8],
            "verdict": applied.conclusion, "report_digest": hashlib.sha256(encode_message(applied)).digest()[:16],
            "report_number": applied.number,
        }  # fmt: skip
        reserved.change(claims=sign_claims(CodeClaims(**fields | claimed), key("code.key")))

    def content(self) -> BundleContent:
        """Log every message in order and collect what the bundle holds."""
        now = [us_from_instant(at(3))]
        log = InMemoryLog(f"{ORIGIN}/1", clock_us=lambda: now[0])
        log.cosigners = self.cosigners
        kept = []
        for told in self.told.values():
            data = encode_message(told.message)
            now[0] = max(now[0], us_from_instant(told.message.occurred_at))
            made = Submission(
                sender_id=bytes.fromhex(told.message.sender),
                uid=told.message.uid,
                message=data,
                envelope=told.envelope(data),
            )
            log.append([made])
            kept.append((told, made))
        entries = tuple(
            BundleEntry(
                role=str(told.message.__struct_config__.tag), sender=told.message.sender, uid=made.uid, epoch=1, index=index,
                message=made.message, envelope=made.envelope, receipt=log.receipt(index).encode(),
            )
            for index, (told, made) in enumerate(kept)
        )  # fmt: skip
        pictures = tuple(
            BundlePicture(entry=each.entry, picture=kind, sha256=digest)
            for each, (told, _) in zip(entries, kept, strict=True)
            for kind, digest in pictures_of(told.message)
        )
        applied = self.told["report.applied"]
        return BundleContent(
            origin=ORIGIN, size=len(entries), application=self.entry("report.applied"), code=self.told["code.reserved"].message.code,
            number=applied.message.number, entries=entries, pdf=self.pdf, pictures=pictures,
        )  # fmt: skip

    def seal(self) -> bytes:
        """The bundle with the platform's statement."""
        return write_bundle(self.content(), key("web.key"))


def log_key(seed: int = 1) -> str:
    """The vkey of the story's log."""
    return InMemoryLog(f"{ORIGIN}/1", seed=seed).signer.verifier_key()


CODE_KEYS = [("code.key", "ed25519", public(key("code.key")))]
SIGNED_AT = at(68, days=28) - timedelta(minutes=1)


@dataclass(frozen=True)
class Verifier:
    """Somebody who checks with trust of their own."""

    roots: list[TrustRoot]

    def check(self, data: bytes, **trust: Any) -> BundleCheck:
        given = {"log_keys": [log_key()], "roots": self.roots, "code_keys": CODE_KEYS}
        return verify_bundle(data, **given | trust)

    def faults(self, story: Story, change: Callable[[Story], None] = lambda story: None) -> list[str]:
        change(story)
        return [step.sentence_zh for step in self.check(story.seal()).steps if not step.ok]


__all__ = ["CODE_KEYS", "HmacSigner", "Story", "Told", "Verifier", "key", "log_key", "public"]
