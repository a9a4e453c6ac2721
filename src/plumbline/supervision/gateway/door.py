"""The door (收件): what a signed upload must satisfy before it may wait for its place in the log.

Refused here are broken or stale signatures, unknown or revoked keys, another party's keys, bad schema and personal data in free text.
Everything else is a fact and comes in; what is wrong with it becomes a finding later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool

from plumbline.evidence.leaf import sha256, sm3
from plumbline.exchange.decode import (
    MAX_BODY_BYTES,
    outer_batch,
    outer_submission,
    read_message,
)
from plumbline.exchange.messages import PLATFORM, kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.origin import KnownPlace, KnownRoots, verify_origin
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.places import places_of_digests, request_bytes
from plumbline.exchange.problems import FieldProblem, Problem, field_problem
from plumbline.exchange.signatures import (
    NATIONAL,
    SignedRequest,
    Target,
    check_age,
    check_digests,
    read_signature,
    verify,
)
from plumbline.exchange.submission import (
    BatchPlace,
    Envelope,
    OriginSignature,
    Submission,
    encode_envelope,
)
from plumbline.exchange.uids import uid_time_problem
from plumbline.supervision.gateway.directory import Directory, KnownKey
from plumbline.supervision.journal.model import Pending, canonical_claim
from plumbline.supervision.journal.vault import SealedRecord, SubjectDestroyedError, Vault, record_problem

#: From this size on a body is parsed in a thread.
LARGE_BODY_BYTES = 64 * 1024
#: So long the messages of one request keep the event loop: about as long as a signature or two take.
LONGEST_TURN_S = 0.0003
_log = logging.getLogger("plumbline.gateway")
ORIGIN_USES = frozenset({"origin", "device", "person", "web"})
#: A request is signed with a key that its party enrolled for that; a device's or a person's key opens no door.
TRANSPORT_USES = frozenset({"transport", "origin"})


@dataclass(slots=True)
class Seen:
    """What the door has come to know of a request when it answers or refuses (已知来者)."""

    key: KnownKey | None = None
    #: Its headers are signed with that key; whether the body is what they say may not be known yet.
    is_identified: bool = False
    #: Signed with that key, and by its contents unchanged.
    is_proved: bool = False


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it arrived. `headers` have lower-case names; `stated_at` only from a demo generator."""

    target: Target
    headers: Mapping[str, str]
    body: bytes
    arrived_at: datetime
    stated_at: datetime | None = None
    seen: Seen = msgspec.field(default_factory=Seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """One message that may wait for its place in the log; `pending` is None for a message on trial."""

    received: Received
    pending: Pending | None
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One message of several that is refused, the others being none the worse for it."""

    received: Received
    problem: Problem


class Proof(NamedTuple):
    """What is known of a message whose request is proved (已验的请求)."""

    signed: SignedRequest
    key: KnownKey
    #: SHA-256 of the message part.
    digest: bytes
    #: Its place among the messages of the request, None for one that came alone.
    at: KnownPlace | None = None
    #: SM3 of the message part, where it was taken already.
    sm3: bytes = b""


def _apart(
    body: bytes, max_bytes: int
) -> tuple[list[tuple[bytes, bytes]], list[bytes], bytes, list[BatchPlace]]:
    """Submissions with their message parts, the SHA-256 of these, the root over them, and the place of each."""
    items = outer_batch(body, max_bytes=max_bytes)
    digests = [sha256(message) for _, message in items]
    return items, digests, *places_of_digests(digests)


def _read_each(items: Sequence[tuple[bytes, bytes]]) -> list[tuple[Submission, Message, bytes] | Problem]:
    """Every submission with its message and the SM3 of that, or why it cannot be read; each by itself. Whoever appends them has one thread
    for all, and here others can go on meanwhile."""
    found: list[tuple[Submission, Message, bytes] | Problem] = []
    for item, message in items:
        try:
            found.append((outer_submission(item), read_message(item, message), sm3(message)))
        except Problem as problem:
            found.append(problem)
        except Exception:  # one that nobody foresaw holds up none of the others
            _log.exception("a message of several could not be read")
            found.append(Problem(slug="internal"))
    return found


class Door:
    """Turns a received request into a pending submission, or raises :class:`Problem`."""

    def __init__(
        self,
        directory: Directory,
        vault: Vault,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_national: bool = False,
    ) -> None:
        """`is_national`: the platform runs in the suite `gm` and takes SM2 signatures too."""
        self._is_national = is_national
        self._directory = directory
        self._vault = vault
        self._max_bytes = max_bytes

    async def authenticate(
        self, received: Received, message: bytes, *, is_trial: bool = False
    ) -> tuple[SignedRequest, KnownKey, bytes]:
        """Signature, age, digests and key of a request whose message part is `message`; last the SHA-256 of that part.

        A sandbox key is known where a trial is asked for (`is_trial`), and nowhere else.
        """
        signed, key = await self.identify(received, is_trial=is_trial)
        digest = check_digests(received.headers, received.body, message)
        received.seen.is_proved = True
        return signed, key, digest

    async def identify(self, received: Received, *, is_trial: bool = False) -> tuple[SignedRequest, KnownKey]:
        """Whose request it is, by its headers alone: they hold the digests that the signature covers, and a body need not be there yet."""
        try:
            signed = read_signature(received.headers, received.target)
        except ValueError:  # digits of another script, or a header that is not ASCII
            raise Problem(slug="signature-invalid", detail="签名头只用半角字符") from None
        self._check_suite(signed.algorithm)
        now = datetime.now(UTC)
        check_age(signed.created, now.timestamp())
        key = received.seen.key = await self._directory.key(signed.key_id)
        if key is None or key.algorithm != signed.algorithm:
            raise Problem(slug="key-unknown", detail=f"不认识密钥 {signed.key_id}", retry_after_s=5)
        if key.sandbox and not is_trial:
            detail = f"密钥 {signed.key_id} 是沙箱密钥，只能试报消息（POST /x/v1/entries），批准正式使用后才能用在这里"
            raise Problem(slug="key-unknown", detail=detail)
        if key.use not in TRANSPORT_USES:
            raise Problem(
                slug="key-unknown", detail=f"密钥 {signed.key_id} 登记的用途是 {key.use}，不能用来签请求"
            )
        await self._require_valid(key, now, received.stated_at)
        if not verify(key.algorithm, key.material, signed.base, signed.signature):
            raise Problem(slug="signature-invalid", detail=f"用密钥 {signed.key_id} 验不过")
        received.seen.is_identified = True
        return signed, key

    async def open(self, received: Received, *, is_trial: bool = False) -> tuple[Submission, Proof, Message]:
        """Who sends, then what: a stranger's body is not parsed beyond its outermost braces."""
        submission = outer_submission(received.body, max_bytes=self._max_bytes)
        data = bytes(submission.message)
        proof = Proof(*await self.authenticate(received, data, is_trial=is_trial))
        if len(received.body) > LARGE_BODY_BYTES:  # the event loop answers others meanwhile
            message = await run_in_threadpool(read_message, received.body, data)
        else:
            message = read_message(received.body, data)
        return submission, proof, message

    async def admit(self, received: Received) -> tuple[Pending | None, Message, KnownKey]:
        """Everything that can be checked outside a transaction (PROTOCOL §2.1). Of a sandbox key there is nothing to append."""
        submission, proof, message = await self.open(received, is_trial=True)
        return await self._admit(received, submission, message, proof), message, proof.key

    async def admit_batch(
        self, received: Received, stated: Sequence[datetime] = ()
    ) -> tuple[list[Admitted | Turned], KnownKey]:
        """Every message of a request of several, in its order (成批报送). What is wrong with the request refuses them all; what is wrong
        with a message refuses that one. `stated` are the times that a demo generator states for them, one each, or none."""
        is_large = len(received.body) > LARGE_BODY_BYTES  # the event loop answers others meanwhile
        if is_large:
            apart = await run_in_threadpool(_apart, received.body, self._max_bytes)
        else:
            apart = _apart(received.body, self._max_bytes)
        items, digests, root, places = apart
        if stated and len(stated) != len(items):
            reason = f"Plumb-Demo-Time 有 {len(stated)} 个，消息有 {len(items)} 条"
            raise field_problem("/header/Plumb-Demo-Time", reason, "每条消息一个时刻，用逗号分开")
        whole = msgspec.structs.replace(received, stated_at=max(stated, default=None))
        signed, key, _ = await self.authenticate(whole, request_bytes(root, len(items)), is_trial=True)
        if is_large:
            read = await run_in_threadpool(_read_each, items)
        else:
            read = _read_each(items)
        found: list[Admitted | Turned] = []
        known: KnownRoots = {}
        turn = 0.0
        for number, each in enumerate(read):
            at = stated[number] if stated else None
            own = Received(
                target=received.target,
                headers=received.headers,
                body=items[number][0],
                arrived_at=received.arrived_at,
                stated_at=at,
                seen=received.seen,
            )
            if time.monotonic() > turn:
                await asyncio.sleep(0)  # others are answered in between
                turn = time.monotonic() + LONGEST_TURN_S
            try:
                if at is not None and (problem := key.problem(at)):
                    raise problem
                if isinstance(each, Problem):
                    raise each
                submission, message, in_sm3 = each
                proof = Proof(signed, key, digests[number], (places[number], root), in_sm3)
                pending = await self._admit(own, submission, message, proof, known)
                found.append(Admitted(received=own, pending=pending, message=each[1]))
            except Problem as problem:
                found.append(Turned(received=own, problem=problem))
        return found, key

    async def _admit(
        self,
        received: Received,
        submission: Submission,
        message: Message,
        proof: Proof,
        known: KnownRoots | None = None,
    ) -> Pending | None:
        """One message of a request whose signature holds; `known` is what has been found of origin signatures over several messages of the
        request."""
        key, data = proof.key, bytes(submission.message)
        self._check_sender(message, key)
        if problem := uid_time_problem(message.uid, received.stated_at or received.arrived_at):
            if received.stated_at is None:
                await self._directory.require_right_clock()
            raise Problem(
                slug="uid-time",
                detail=problem,
                errors=(
                    FieldProblem(pointer="/message/uid", reason=problem, remedy="用当前时间生成新的 UUIDv7"),
                ),
            )
        for number, origin in enumerate(submission.origin):
            await self._check_origin(origin, data, proof, (number, known))
        if key.sandbox:
            _check_personal(submission, data)
            return None
        if submission.personal:
            return await run_in_threadpool(self._pending, received, submission, message, (proof, data))
        return self._pending(received, submission, message, (proof, data))

    async def _require_valid(self, key: KnownKey, now: datetime, stated_at: datetime | None = None) -> None:
        """The key may be used now; that its time has not come or is over is said by a right clock only."""
        if problem := key.problem(stated_at or now):
            if stated_at is None and not key.is_stopped:
                await self._directory.require_right_clock()
            raise problem

    def _check_suite(self, algorithm: str, pointer: str = "") -> None:
        if algorithm in NATIONAL and not self._is_national:
            reason = "本平台没有启用国密套件，不收 SM2 签名和 HMAC-SM3"
            remedy = "请用 Ed25519 或 P-256 的密钥签名，或请平台管理员启用国密套件"
            raise Problem(
                slug="signature-invalid",
                detail=f"{reason}；{remedy}",
                errors=(FieldProblem(pointer=pointer, reason=reason, remedy=remedy),) if pointer else (),
            )

    def _check_sender(self, message: Message, key: KnownKey) -> None:
        if message.sender != key.party:
            raise Problem(
                slug="sender-mismatch", detail=f"sender 是 {message.sender[:8]}…，密钥属于 {key.party_name}"
            )
        row = kind_of(message)
        if row.senders == PLATFORM:
            # Whoever holds a key of the operator's office does not speak for the platform itself.
            raise Problem(
                slug="kind-not-allowed",
                detail=f"{row.title}（{row.tag}）只由平台自己入账，不从接口报送",
            )
        if not row.senders & key.roles:
            raise Problem(
                slug="kind-not-allowed",
                detail=f"{row.title}（{row.tag}）由 {'、'.join(sorted(row.senders))} 发送",
            )

    async def _check_origin(
        self,
        origin: OriginSignature,
        message: bytes,
        proof: Proof,
        place: tuple[int, KnownRoots | None],
    ) -> None:
        (number, known), transport = place, proof.key
        pointer = f"/origin/{number}"
        self._check_suite(origin.algorithm, pointer)
        key = await self._directory.key(origin.key_id)
        is_on_trial = key is not None and bool(key.sandbox) and not transport.sandbox
        if key is None or is_on_trial or key.algorithm != origin.algorithm or key.use not in ORIGIN_USES:
            raise Problem(
                slug="key-unknown",
                detail=f"源头签名的密钥 {origin.key_id} 没有登记为机构、设备或个人密钥",
                retry_after_s=5,
            )
        if key.party != transport.party:
            raise Problem(
                slug="sender-mismatch",
                detail=f"源头签名的密钥 {origin.key_id} 属于 {key.party_name}，不是发送单位",
            )
        await self._require_valid(key, datetime.now(UTC))
        if not verify_origin(origin, key.material, message, known, proof.at, digest=proof.digest):
            raise Problem(
                slug="signature-invalid",
                detail=f"{pointer}：源头签名验不过",
                errors=(
                    FieldProblem(
                        pointer=pointer,
                        reason="源头签名验不过",
                        remedy="对消息部分的原始字节签名，见手册“源头签名”",
                    ),
                ),
            )

    def _sealed(self, record: PersonalRecord, number: int) -> SealedRecord:
        try:
            return self._vault.seal(record)
        except SubjectDestroyedError:
            raise _destroyed(number) from None

    def _pending(
        self,
        received: Received,
        submission: Submission,
        message: Message,
        proven: tuple[Proof, bytes],
    ) -> Pending:
        """`proven`: what is known of the message, and its bytes."""
        (signed, _, digest, at, in_sm3), data = proven
        _check_named(submission, data)
        sealed = [self._sealed(record, number) for number, record in enumerate(submission.personal)]
        envelope = Envelope(
            v=1,
            channel="http",
            key_id=signed.key_id,
            signature_base=signed.base.decode(),
            signature=signed.signature.hex(),
            origin=submission.origin,
            personal=[record.digest.hex() for record in sealed],
            batch=msgspec.UNSET if at is None else at[0],
        )
        pending = Pending(
            sender_id=bytes.fromhex(message.sender),
            uid=message.uid,
            key_id=signed.key_id,
            envelope=encode_envelope(envelope),
            message=data,
            arrived_at=received.arrived_at,
            claims=[canonical_claim(kind, value) for kind, value in kind_of(message).claims(message)],
            personal=sealed,
            stated_at=received.stated_at,
        )
        return pending.know(digest, in_sm3)


def _destroyed(number: int) -> Problem:
    reason = "这个人的信息已经销毁，不能再报送"
    remedy = "去掉这一份个人信息部分，消息本身照常报送"
    told = FieldProblem(pointer=f"/personal/{number}", reason=reason, remedy=remedy)
    return Problem(slug="personal-data", detail=reason, errors=(told,))


def _check_named(submission: Submission, data: bytes) -> None:
    """Every personal record is one that the message, `data`, names."""
    if unnamed := [record.ref for record in submission.personal if record.ref.encode() not in data]:
        reason = f"消息里没有引用 {unnamed[0][:16]}…"
        raise Problem(
            slug="personal-mismatch",
            detail=reason,
            errors=(FieldProblem(pointer="/personal", reason=reason, remedy="在消息里写上摘要"),),
        )


def _check_personal(submission: Submission, data: bytes) -> None:
    """Personal records as the vault would check them; nothing is sealed, no key is made."""
    _check_named(submission, data)
    for record in submission.personal:
        if problem := record_problem(record):
            raise problem
