"""What applicants, officers and institutions do with keys (密钥登记的用例): one function a use case, each with its audit event."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.identifiers import division_problem, party_id, uscc_problem
from plumbline.domain.basics.personal_text import personal_spans
from plumbline.exchange.messages import KINDS
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.registry import KeyEnrolled, KeyRevoked, PartyRegistered
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.exchange.uids import new_uid
from plumbline.supervision.access.grants import stopped
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.administration.queries import AUTHORITIES
from plumbline.supervision.administration.services import taken_over
from plumbline.supervision.administration.submission import operator_party, submit
from plumbline.supervision.administration.trail import attempt, record
from plumbline.supervision.enrolment import applications
from plumbline.supervision.enrolment.applications import Application, AppliedKey
from plumbline.supervision.enrolment.public_keys import (
    KeyRefused,
    PublicKey,
    gives_way,
    parse_public_key,
    proves,
)
from plumbline.supervision.reading.people import vault
from plumbline.supervision.rules import parameters
from plumbline.web.formats import local_time

CHALLENGE_LASTS = timedelta(minutes=30)
KEY_LASTS = timedelta(days=730)
LONGEST_OVERLAP_DAYS = 30
USES = {
    "transport": "传输密钥（签请求）",
    "origin": "机构密钥（签消息，也能签请求）",
    "device": "设备密钥（签采集的数据）",
    "person": "个人密钥（签个人的确认）",
}
PARTY_ROLES = {
    "institution": "检测机构",
    "contractor": "施工单位",
    "owner": "建设单位",
    "resident_engineer_firm": "监理单位",
    "plant": "生产厂",
}
#: How a message writes a code: what does not fit could not be entered when the key goes into production.
_DEVICE = re.compile(
    r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._/:#()（）+-]*( [0-9A-Za-z._/-]+)*", re.ASCII
)
_CHALLENGES = signing.TimestampSigner(salt="plumb.key-enrolment")


class FormRefused(ValueError):
    """What is wrong with a form: field → reason and remedy."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("；".join(errors.values()))
        self.errors = errors


def new_challenge() -> str:
    """A text that an applicant signs within half an hour, to prove that the private key is at hand."""
    return _CHALLENGES.sign(secrets.token_urlsafe(18))


def _challenge_problem(challenge: str) -> str:
    try:
        _CHALLENGES.unsign(challenge, max_age=CHALLENGE_LASTS)
    except signing.SignatureExpired:
        return "质询已过期（半小时有效）：页面上换了一个新的，请重新签名"
    except signing.BadSignature:
        return "质询不是平台给的：请用页面上现在显示的这一个重新签名"
    return (
        "这个质询已经用过：请用页面上新的这一个重新签名" if applications.is_challenge_used(challenge) else ""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyField:
    """One key of a form: names of its fields and what was typed."""

    number: int
    pem: str
    use: str
    proof: str
    device: str = ""


def _checked_key(typed: KeyField, challenge: str, party: str, errors: dict[str, str]) -> AppliedKey | None:
    """A key that its applicant holds and nobody else has; what is wrong goes into `errors`."""
    n = typed.number
    if typed.use not in USES:
        errors[f"use{n}"] = "请选一种用途"
        return None
    if typed.use == "device" and not typed.device.strip():
        errors[f"device{n}"] = "设备密钥要写设备编号"
    if typed.device and (len(typed.device) > 60 or personal_spans(typed.device)):
        errors[f"device{n}"] = "设备编号最多 60 个字符，不能写证件号或电话"
    elif typed.device.strip() and not _DEVICE.fullmatch(typed.device.strip()):
        errors[f"device{n}"] = "设备编号只用汉字、字母、数字和 . _ - / : # ( ) +，以汉字、字母或数字开头"
    try:
        key = parse_public_key(typed.pem)
    except KeyRefused as refused:
        errors[f"key{n}"] = str(refused)
        return None
    if problem := _taken(key, typed.use, party):
        errors[f"key{n}"] = problem
    if not proves(key, challenge, typed.proof):
        errors[f"proof{n}"] = "签名验不过：请用这把公钥对应的私钥，按下面的命令签页面上的质询，贴 base64"
    return AppliedKey(
        key_id=key.key_id(typed.use),
        use=typed.use,
        algorithm=key.algorithm,
        public_key=key.material,
        device=typed.device.strip(),
    )


def _taken(key: PublicKey, use: str, party: str) -> str:
    """Why the key cannot be had: on record, or asked for already."""
    known = applications.known_keys(key.key_id(use), key.encodings())
    if any(each["party"] != party for each in known):
        return "这把密钥已由别的单位登记。一把密钥只能属于一个单位：请重新生成一对"
    if known:
        return "贵单位已经登记过这把密钥。要换新，请生成新的一对，在“密钥”页轮换"
    if applications.applied_elsewhere(key.key_id(use), key.encodings()):
        return "这把密钥已在另一份申请里。请等那一份办完，或重新生成一对"
    return ""


def apply_for_keys(request: HttpRequest, actor: str, typed: dict[str, str]) -> str:
    """Store an application and return the token of its link; raises :class:`FormRefused` with everything that is wrong."""
    errors: dict[str, str] = {}
    _check_organisation(typed, errors)
    party = party_id(typed["uscc"]).hex() if "uscc" not in errors else ""
    _check_against_record(party, typed, errors)
    if problem := _challenge_problem(typed["challenge"]):
        errors["challenge"] = problem
    fields = [_key_field(typed, n) for n in (1, 2)]
    keys = [
        _checked_key(each, typed["challenge"], party, errors)
        for each in fields
        if each.number == 1 or each.pem.strip() or each.proof.strip()
    ]
    applied = [key for key in keys if key is not None]
    if len({key.public_key for key in applied}) < len(applied):
        errors["key2"] = "两把公钥是同一把：每种用途各用一把"
    if errors:
        raise FormRefused(errors)
    _check_pace(typed["uscc"])
    return _stored(request, actor, typed, party, applied)


def _stored(
    request: HttpRequest, actor: str, typed: dict[str, str], party: str, applied: list[AppliedKey]
) -> str:
    key = secrets.token_hex(16)
    contact = PersonalFields(name=typed["contact"].strip(), phone=typed["phone"].strip())
    values: dict[str, object] = {
        "id": key,
        "challenge": typed["challenge"],
        "organisation": typed["organisation"].strip(),
        "uscc": typed["uscc"],
        "party": party,
        "party_role": typed["party_role"],
        "division": typed["division"],
        "purpose": typed["purpose"].strip(),
    }
    sealed = vault().seal(make_record(key, contact))
    try:
        with transaction.atomic():
            token = applications.insert(values, applied, sealed)
    except IntegrityError:  # the same form a moment ago, or the same key in another one
        told = "这份申请（同一个质询或同一把密钥）刚才已经提交过：请用上一次提交以后的网页地址看进度，或换一个质询重新签名"
        raise FormRefused({"challenge": told}) from None
    record(request, actor, "key.applied", key, uscc=typed["uscc"], keys=" ".join(k.key_id for k in applied))
    return token


def _key_field(typed: dict[str, str], n: int) -> KeyField:
    return KeyField(
        number=n,
        pem=typed[f"key{n}"],
        use=typed[f"use{n}"],
        proof=typed[f"proof{n}"],
        device=typed[f"device{n}"],
    )


def _check_organisation(typed: dict[str, str], errors: dict[str, str]) -> None:
    if problem := uscc_problem(typed["uscc"]):
        errors["uscc"] = f"统一社会信用代码不对：{problem}"
    if problem := division_problem(typed["division"]):
        errors["division"] = f"行政区划代码不对：{problem}"
    if typed["party_role"] not in PARTY_ROLES:
        errors["party_role"] = "请选单位的类别"
    for name, word, most in (("organisation", "单位名称", 100), ("purpose", "用途", 500)):
        text = typed[name].strip()
        if not text or len(text) > most:
            errors[name] = f"请写{word}，最多 {most} 个字"
        elif personal_spans(text):
            errors[name] = f"{word}里不能写证件号或电话，请删去；联系方式写在联系人一栏"
    if not 2 <= len(typed["contact"].strip()) <= 40:
        errors["contact"] = "请写联系人姓名，2 到 40 个字"
    if not 7 <= sum(c.isdigit() for c in typed["phone"]) <= 15 or len(typed["phone"]) > 30:
        errors["phone"] = "请写能打通的电话，7 到 15 位数字"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """What the log says of a party already."""

    name: str
    division: str
    roles: frozenset[str]


def on_record(party: str) -> OnRecord | None:
    """The party as it is registered; None when it is not."""
    found = applications.fetched("SELECT name, division, roles FROM ops.party_of(%s)", [party])
    if not found:
        return None
    row = found[0]
    return OnRecord(name=row["name"] or "", division=row["division"] or "", roles=frozenset(row["roles"]))


def _check_against_record(party: str, typed: dict[str, str], errors: dict[str, str]) -> None:
    """Nobody asks in the name of a supervising body, or brings a registered party before another region's officers."""
    known = on_record(party) if party else None
    if known is not None:
        errors |= against_record(known, typed["division"], typed["party_role"])


def against_record(known: OnRecord, division: str, party_role: str) -> dict[str, str]:
    """What of an application is otherwise in the log: field → what to do."""
    if known.roles & set(AUTHORITIES):
        return {"uscc": "监督机构和平台的密钥不在这里申请，由平台运维人员登记"}
    if known.division and known.division != division:
        return {"division": f"这个单位登记的所在地是 {known.division}：请写这个代码，由那里的监督站审核"}
    if party_role not in known.roles:
        words = "、".join(PARTY_ROLES.get(role, role) for role in sorted(known.roles))
        return {"party_role": f"这个单位登记的类别是{words}：请选登记的类别，要加类别请先联系监督站"}
    return {}


def _check_pace(uscc: str) -> None:
    own, hour = applications.open_counts(uscc)
    if own >= applications.MOST_OPEN:
        raise FormRefused(
            {
                "uscc": f"这个单位已有 {own} 份申请没有办完，最多 {applications.MOST_OPEN} 份：请等办完，或联系监督站退回"
            }
        )
    if hour >= applications.MOST_AN_HOUR:
        raise FormRefused({"challenge": "现在申请的人太多，请过一小时再来，或直接联系监督站"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What has to have conformed on trial before production, and what is still missing."""

    messages: int
    kinds: tuple[str, ...]
    passed: int
    missing: tuple[str, ...]

    @property
    def is_reached(self) -> bool:
        """Whether the keys may go into production."""
        return self.passed >= self.messages and not self.missing

    @property
    def sentence(self) -> str:
        """How far it is, in words."""
        asked = f"至少 {self.messages} 条试报成功" + (
            f"，其中要有{'、'.join(_title(k) for k in self.kinds)}" if self.kinds else ""
        )
        left = [f"还差 {self.messages - self.passed} 条"] if self.passed < self.messages else []
        left += [f"还没有{_title(kind)}" for kind in self.missing]
        return f"{asked}；{'，'.join(left) or '已达到'}"


def _title(kind: str) -> str:
    return KINDS[kind].title if kind in KINDS else kind


def threshold(application: Application) -> Threshold:
    """The dated parameters for this application, and its count."""
    today = local_date(datetime.now(UTC))
    count = parameters().value("key_sandbox_messages", application.division, today).integer
    kinds = parameters().value("key_sandbox_kinds", application.division, today).texts
    wanted = kinds if application.party_role == "institution" else ()
    passed = application.passed or {}
    return Threshold(
        messages=count,
        kinds=wanted,
        passed=sum(passed.values()),
        missing=tuple(kind for kind in wanted if kind not in passed),
    )


def let_into_sandbox(request: HttpRequest, actor: str, application: Application) -> None:
    """The keys may be tried; nothing that they send is entered."""
    if application.state != "applied":
        raise FormRefused({"state": f"这份申请现在是“{application.word}”，不能再放进沙箱"})
    applications.decide(application.id, "sandbox", actor)
    record(request, actor, "key.sandbox", application.id, uscc=application.uscc)


def refuse(request: HttpRequest, actor: str, application: Application, because: str) -> None:
    """Send an application back with a reason, which the applicant reads."""
    if application.state not in ("applied", "sandbox"):
        raise FormRefused({"state": f"这份申请现在是“{application.word}”，不能退回；要停用密钥请到“密钥”页"})
    applications.decide(application.id, "refused", actor, _reason(because))
    record(
        request, actor, "key.refused", application.id, uscc=application.uscc, because=because.strip()[:200]
    )


def _reason(because: str) -> str:
    text = because.strip()
    if not text or len(text) > 200:
        raise FormRefused({"because": "请写明原因，最多 200 个字"})
    if personal_spans(text):
        raise FormRefused({"because": "原因要进日志，不能写证件号或电话，请删去"})
    return text


def put_into_production(request: HttpRequest, actor: str, application: Application) -> bool:
    """Enter the party (if it is not on record) and its keys in the log; False when accepted and not projected yet."""
    if application.state != "sandbox":
        raise FormRefused({"state": f"这份申请现在是“{application.word}”，先要在沙箱里试报"})
    reached = threshold(application)
    if not reached.is_reached:
        raise FormRefused({"state": f"还不能正式启用：{reached.sentence}"})
    messages = _production_messages(application)
    keys = " ".join(key.key_id for key in application.keys)
    is_projected = True
    with attempt(request, actor, "key.production", application.id, uscc=application.uscc, keys=keys):
        for message in messages:
            is_projected = taken_over(submit(message, request), "state")
        applications.decide(application.id, "production", actor)
    return is_projected


def _production_messages(application: Application) -> list[Message]:
    """What has to be entered; raises where the log has come to say otherwise since the application."""
    messages: list[Message] = []
    known_party = on_record(application.party)
    if known_party is None:
        messages.append(_party_message(application))
    elif wrong := against_record(known_party, application.division, application.party_role):
        raise FormRefused(
            {"state": f"与日志里的单位不符，不能启用，请退回让单位重新申请：{'；'.join(wrong.values())}"}
        )
    for key in application.keys:
        encodings = PublicKey(key.algorithm, key.public_key).encodings()
        known = applications.known_keys(key.key_id, encodings)
        if any(each["party"] != application.party for each in known):
            raise FormRefused(
                {"state": f"密钥 {key.key_id} 在试报期间已由别的单位登记，不能启用：请退回，让申请人换一把"}
            )
        if any(each["revoked_at"] is not None for each in known):
            raise FormRefused({"state": f"密钥 {key.key_id} 已经停用，不能启用：请退回，让申请人换一把"})
        if not known:  # an earlier attempt may have entered some of them
            messages.append(_key_message(application.party, key))
    return messages


def _party_message(application: Application) -> PartyRegistered:
    now = datetime.now(UTC)
    return PartyRegistered(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        party=application.party,
        uscc=application.uscc,
        name=application.organisation,
        roles=[application.party_role],  # type: ignore[list-item]
        division=application.division,
    )


def _key_message(party: str, key: AppliedKey, *, person: str = "") -> KeyEnrolled:
    now = datetime.now(UTC)
    return KeyEnrolled(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        party=party,
        key_id=key.key_id,
        algorithm=key.algorithm,  # type: ignore[arg-type]
        use=key.use,  # type: ignore[arg-type]
        public_key=base64.b64encode(key.public_key).decode(),
        person=person or None,
        device=key.device or None,
        valid_from=now - timedelta(minutes=1),
        valid_until=now + KEY_LASTS,
    )


def show_contact(request: HttpRequest, actor: str, application: Application) -> PersonalFields | None:
    """The contact in clear, for whoever has to call; that it was looked at is written down."""
    sealed = applications.sealed_contact(application.id)
    record(request, actor, "key.contact_seen", application.id)
    return vault().open(sealed) if sealed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKey:
    """A key on record that is to be ended or replaced."""

    id: str
    party: str
    algorithm: str
    use: str
    #: Empty for a shared secret, which can be ended here and not rotated.
    public_key: bytes
    device: str = ""
    person: str = ""


def revoke(request: HttpRequest, principal: Principal, actor: str, key: OwnKey, because: str) -> bool:
    """End a key: no gateway takes it any more within seconds (at most 60 s); what it signed before stays signed."""
    now = datetime.now(UTC)
    if key.use in ("web", "log", "code"):
        raise FormRefused({"because": "这是平台自己的密钥，不在这里停用，见 docs/keys.md"})
    message = KeyRevoked(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        key_id=key.id,
        because=_reason(because),
    )
    _hold(key)
    told = {"because": message.because, "by_party": principal.party}
    with attempt(request, actor, "key.revoked", key.id, **told):
        return taken_over(submit(message, request), "because")


def _hold(key: OwnKey) -> None:
    """One act on a key at a time, until the request's transaction ends; raises when it has been ended meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('key ' || %s, 0))", [key.id])
    if key_in_use(key.id) is None:
        raise FormRefused({"key1": "这把密钥刚刚停用了，没有办"})


def rotate(request: HttpRequest, actor: str, key: OwnKey, typed: dict[str, str]) -> tuple[str, datetime]:
    """Enrol a new key beside an old one, which ends after the overlap; returns the new key's id and that moment."""
    errors: dict[str, str] = {}
    if because := stopped(key.party):  # whoever has the old key asks without an account
        raise FormRefused({"key1": f"单位已停用，停用期间不能轮换密钥。原因：{because}"})
    _hold(key)
    if problem := _challenge_problem(typed["challenge"]):
        errors["challenge"] = problem
    field = KeyField(number=1, pem=typed["key1"], use=key.use, proof=typed["proof1"], device=key.device)
    days = typed["days"]
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= LONGEST_OVERLAP_DAYS):
        errors["days"] = f"新旧并用要写 1 到 {LONGEST_OVERLAP_DAYS} 天"
    if key.use not in USES or not key.public_key:
        errors["key1"] = "这种密钥不能在这里轮换"
    if applications.fetched("SELECT 1 AS one FROM ops.key_rotation WHERE old_key = %s", [key.id]):
        errors["key1"] = "这把密钥已经安排了轮换，请轮换新的那一把"
    new = None if "key1" in errors else _checked_key(field, typed["challenge"], key.party, errors)
    if errors or new is None:
        raise FormRefused(errors)
    ends = datetime.now(UTC) + timedelta(days=int(days))
    with attempt(request, actor, "key.rotated", key.id, new=new.key_id, ends=local_time(ends)):
        _enter_rotation(request, actor, key, new, ends)
    return new.key_id, ends


def _enter_rotation(request: HttpRequest, actor: str, key: OwnKey, new: AppliedKey, ends: datetime) -> None:
    """The end of the old key is put down before the new one is entered, and taken back when that is refused."""
    message = _key_message(key.party, new, person=key.person)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ops.key_rotation (old_key, new_key, party, asked_by, ends_at) VALUES (%s, %s, %s, %s, %s)",
                [key.id, new.key_id, key.party, actor, ends],
            )
        taken_over(submit(message, request), "key1")


def key_in_use(key_id: str) -> OwnKey | None:
    """A key on record that has not ended."""
    now = datetime.now(UTC)
    for each in applications.known_keys(key_id, []):
        if each["id"] == key_id and each["revoked_at"] is None and each["valid_until"] > now:
            return OwnKey(
                id=each["id"],
                party=each["party"],
                algorithm=each["algorithm"],
                use=each["use"],
                public_key=bytes(each["public_key"] or b""),
                device=each["device"] or "",
                person=each["person"] or "",
            )
    return None


def signed_by_old(key: OwnKey, typed: dict[str, str]) -> bool:
    """Whether the holder of the old key asks: its signature over the same challenge and the new key's signature."""
    if key.algorithm not in ("ed25519", "p256") or not key.public_key:
        return False  # of a shared secret nothing is known here that could be checked
    try:
        loaded = PublicKey(key.algorithm, key.public_key)
        return gives_way(loaded, typed["challenge"], typed["proof1"], typed["proof_old"])
    except ValueError:
        return False
