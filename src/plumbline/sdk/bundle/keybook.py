"""Keys that the bundle itself proves, and the signatures they check (密钥登记与签名核验).

A key counts when an entry of the log enrolled it: entry 0 for the platform's own, `key.enrolled` of an authority for
all others. What vouches for an enrolment is therefore the platform, and the sentences say so.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime

from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked, LogOpened, PartyRegistered
from plumbline.exchange.origin import verify_origin
from plumbline.exchange.places import signed_part
from plumbline.exchange.signatures import ALGORITHMS, digest_header, verify
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.bundle.check import Step, failed, note
from plumbline.sdk.bundle.records import Record, Records, proven_step

AUTHORITY_ROLES = frozenset({"platform", "authority", "station"})
ORIGIN_USES = frozenset({"origin", "device", "person", "web"})
_PARAMETERS = re.compile(
    r'^"@signature-params": \([^()\n]*\);created=[0-9]+;keyid="(?P<key>[^"\n]+)";alg="(?P<alg>[^"\n]+)"', re.M
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One enrolled key. `public` is None for a shared secret."""

    key_id: str
    party: str
    algorithm: str
    use: str
    public: bytes | None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    #: (epoch, index) of the revocation.
    revoked: tuple[int, int] | None = None

    def fault(self, record: Record) -> tuple[str, str] | None:
        """Why this key could not sign that entry, or None."""
        at = record.receipt.logged_at
        if self.party != record.message.sender:
            return "密钥属于另一家单位", "the key is another party's"
        if self.revoked is not None and self.revoked < record.order:
            return "密钥在此之前已经停用", "the key had been revoked before"
        if at and (
            (self.valid_from and at < self.valid_from) or (self.valid_until and at >= self.valid_until)
        ):
            return "不在密钥的有效期内", "outside of the key's validity"
        return None


class KeyBook:
    """Operator, authorities and keys of a bundle, and what could not be taken over."""

    def __init__(self, records: Records) -> None:
        self.operator: str | None = None
        self.operator_name = ""
        self.keys: dict[str, Key] = {}
        self.steps: list[Step] = []
        self._open(records)
        self.authorities = _authorities(records, self.operator)
        self._enrol(records)
        self._revoke(records)

    def _open(self, records: Records) -> None:
        opened = [message for record, message in records.of(LogOpened) if record.order == (1, 0)]
        if not opened:
            zh = "缺少日志的第 0 条（日志创世），平台密钥没有出处。"
            self.steps.append(
                failed("keys", zh, "Entry 0 of the log is missing: nothing proves the platform's keys.")
            )
            return
        message = opened[0]
        self.operator, self.operator_name = message.sender, message.operator_name
        for key in message.keys:
            self.keys[key.key_id] = Key(
                key_id=key.key_id,
                party=message.sender,
                algorithm=key.algorithm,
                use=key.use,
                public=_decoded(key.public_key),
            )

    def _enrol(self, records: Records) -> None:
        for record, message in records.of(KeyEnrolled):
            if message.sender not in self.authorities:
                zh = f"{record.label}：不是监督机构登记的，密钥 {message.key_id} 没有采用。"
                en = f"{record.place}: not enrolled by an authority; key {message.key_id} is not used."
                self.steps.append(failed(f"entry:{record.place}", zh, en))
                continue
            # The first enrolment stands, as on the platform: a key id never changes its meaning.
            self.keys.setdefault(
                message.key_id,
                Key(
                    key_id=message.key_id,
                    party=message.party,
                    algorithm=message.algorithm,
                    use=message.use,
                    public=_decoded(message.public_key),
                    valid_from=message.valid_from,
                    valid_until=message.valid_until,
                ),
            )

    def _revoke(self, records: Records) -> None:
        for record, message in records.of(KeyRevoked):
            key = self.keys.get(message.key_id)
            if key is None or message.sender not in self.authorities:
                continue
            values = {name: getattr(key, name) for name in Key.__dataclass_fields__}
            self.keys[key.key_id] = Key(**values | {"revoked": record.order})
            zh = f"{record.label}：密钥 {key.key_id} 从第 {record.index} 条起停用。"
            en = f"Key {key.key_id} is revoked from entry {record.index} on."
            self.steps.append(note(f"key:{key.key_id}", zh, en))

    def signature_step(self, record: Record) -> Step:
        """The one line of a proven entry: who can be proven to have sent it, or what is wrong."""
        envelope = record.envelope
        origins = [self._origin(record, each) for each in envelope.origin]
        if envelope.channel == "http":
            transport = self._transport(record)
        else:
            transport = self._attested(record)
        for each in (transport, *origins):
            if isinstance(each, Step):
                return each
        texts = [each for each in (*origins, transport) if not isinstance(each, Step)]
        if envelope.channel != "http":
            texts = texts[-1:]
        elif not origins:
            texts.append(("没有源头签名", "no origin signature"))
        return proven_step(record, "，".join(zh for zh, _ in texts), ", ".join(en for _, en in texts))

    def _attested(self, record: Record) -> tuple[str, str] | Step:
        """Entries that did not come over the interface: the platform signs, for itself or for whoever used its pages."""
        if not any(self._use(each.key_id) == "web" for each in record.envelope.origin):
            zh = "不是经接口报送的，却没有平台网页密钥的签名"
            return _bad(record, zh, "lacks the signature of the platform's web key")
        if record.message.sender == self.operator and record.envelope.channel == "internal":
            return "平台签名成立", "the platform's signature holds"
        return "平台代录，只能证明平台这样记录", "recorded by the platform, which alone vouches for it"

    def _use(self, key_id: str) -> str | None:
        key = self.keys.get(key_id)
        return key.use if key else None

    def _transport(self, record: Record) -> tuple[str, str] | Step:
        envelope, base = record.envelope, record.envelope.signature_base
        key = self.keys.get(envelope.key_id)
        if key is None:
            zh = f"传输密钥 {envelope.key_id} 没有登记条目"
            return _bad(record, zh, f"no enrolment of transport key {envelope.key_id}")
        if fault := key.fault(record):
            return _bad(record, f"传输签名：{fault[0]}", f"transport signature: {fault[1]}")
        covered = signed_part(record.part.message, envelope.place)
        if covered is None or f'"plumb-message-digest": {digest_header(covered)}' not in base.split("\n"):
            return _bad(record, "传输签名盖的不是这条消息", "the transport signature covers another message")
        stated = _PARAMETERS.search(base)
        if not stated or (stated["key"], stated["alg"]) != (key.key_id, ALGORITHMS[key.algorithm]):
            return _bad(record, "传输签名的参数与密钥不符", "the transport signature names another key")
        if key.public is None:
            return "对称签名，不能向第三方证明", "symmetric signature, which proves nothing to a third party"
        if not _hex_verified(key, base, envelope.signature):
            return _bad(record, "传输签名不成立", "the transport signature does not hold")
        return "传输签名成立", "transport signature holds"

    def _origin(self, record: Record, signature: OriginSignature) -> tuple[str, str] | Step:
        key = self.keys.get(signature.key_id)
        if (
            key is None
            or key.use not in ORIGIN_USES
            or key.algorithm != signature.algorithm
            or key.public is None
        ):
            zh = f"源头密钥 {signature.key_id} 没有登记条目"
            return _bad(record, zh, f"no enrolment of origin key {signature.key_id}")
        # The platform's own key speaks for whoever used its pages.
        if key.use != "web" and (fault := key.fault(record)):
            return _bad(record, f"源头签名：{fault[0]}", f"origin signature: {fault[1]}")
        if not verify_origin(signature, key.public, record.part.message):
            return _bad(record, "源头签名不成立", "the origin signature does not hold")
        batch = "（成批）" if signature.batch else ""
        return f"源头签名{batch}成立（{key.key_id}）", f"origin signature holds ({key.key_id})"


def _bad(record: Record, zh: str, en: str) -> Step:
    return failed(
        f"signature:{record.place}", f"{record.label}：{zh}。", f"{record.place} {record.part.role}: {en}."
    )


def _hex_verified(key: Key, base: str, signature: str) -> bool:
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        return False
    return key.public is not None and verify(key.algorithm, key.public, base.encode(), raw)


def _decoded(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if text else None
    except binascii.Error:
        return b""


def _authorities(records: Records, operator: str | None) -> frozenset[str]:
    """The operator, and every party that an authority registered as one."""
    known = {operator} if operator else set()
    for _, message in records.of(PartyRegistered):
        if message.sender in known and AUTHORITY_ROLES & set(message.roles):
            known.add(message.party)
    return frozenset(known)
