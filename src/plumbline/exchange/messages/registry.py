"""Parties, keys, people, places, instruments and capability (登记类消息): sent by the authority or by the platform itself."""

from __future__ import annotations

from typing import Literal

from plumbline.exchange.messages.header import Message, Part
from plumbline.exchange.wire import (
    Base64Text,
    BigCount,
    Code,
    Count,
    Day,
    Digest,
    Division,
    EntryRef,
    Instant,
    KeyId,
    Label,
    Measured,
    PartyRef,
    PersonRef,
    Prose,
    UsccText,
    VerifierKey,
)

PartyRole = Literal[
    "platform",
    "authority",
    "station",
    "institution",
    "auxiliary",
    "owner",
    "contractor",
    "resident_engineer_firm",
    "plant",
    "association",
    "public",
]
Algorithm = Literal["ed25519", "p256", "sm2", "hmac-sha256", "hmac-sm3"]
KeyUse = Literal["transport", "origin", "device", "person", "pades", "web", "log", "code"]
PersonRole = Literal[
    "sampler",
    "witness",
    "receiver",
    "technician",
    "reviewer",
    "approver",
    "officer",
    "submitter",
    "legal_representative",
    "technical_manager",
    "quality_manager",
]


#: 主办 and 代办: who is in charge of a project, and who stands in while that officer is away.
ChargePart = Literal["lead", "deputy"]
#: What an account may be: the three business roles, and the three administrators whom nobody may combine (三员).
ActingRole = Literal["officer", "institution", "party", "system_admin", "security_admin", "audit_admin"]


class RootKey(Part, frozen=True, kw_only=True):
    """A key that entry 0 makes known."""

    key_id: KeyId
    algorithm: Algorithm
    use: KeyUse
    public_key: Base64Text


class SignedHead(Part, frozen=True, kw_only=True):
    """A head of the log that is known to have been signed (签过的日志头)."""

    epoch: Count
    size: BigCount
    root: Digest
    #: SHA-256 of the checkpoint's text: origin, size and root as C2SP tlog-checkpoint writes them.
    checkpoint_sha256: Digest


class Continuation(Part, frozen=True, kw_only=True):
    """What a next epoch continues (另开一期): what of the log is still there, and the newest checkpoints known to have been signed.

    All are written out, so that anybody who holds such a checkpoint, or a receipt against it, can compare. `signed` has one line for
    each epoch from the kept one on. Entries beyond what is kept were signed for and are lost; their senders send them again.
    """

    kept_epoch: Count
    kept_size: BigCount
    kept_root: Digest
    signed: list[SignedHead]
    #: Entries that were signed for, as far as is known, and are gone.
    lost: BigCount
    because: Prose


class LogOpened(Message, tag="log.opened", frozen=True, kw_only=True):
    """The first entry of an epoch of a log (创世、另开一期): its origin, and in the first epoch the platform's root keys."""

    origin: Code
    epoch: Count
    operator_uscc: UsccText
    operator_name: Label
    operator_division: Division
    keys: list[RootKey]
    continues: Continuation | None = None


class PartyRegistered(Message, tag="party.registered", frozen=True, kw_only=True):
    """An organisation that takes part (参与单位). `party` is derived from the code and checked."""

    party: PartyRef
    uscc: UsccText
    name: Label
    short_name: Label | None = None
    roles: list[PartyRole]
    division: Division
    address: Label | None = None


class PartySuspended(Message, tag="party.suspended", frozen=True, kw_only=True):
    """An organisation may not work on the platform until further notice (单位停用): its keys and accounts stop, its facts stay.

    Decided by two persons of the authority, who are not the same.
    """

    party: PartyRef
    because: Prose
    decided_by: PersonRef
    seconded_by: PersonRef


class PartyReinstated(Message, tag="party.reinstated", frozen=True, kw_only=True):
    """A suspended organisation may work again (单位恢复); `suspension` is the entry that suspended it."""

    party: PartyRef
    suspension: EntryRef
    because: Prose
    decided_by: PersonRef
    seconded_by: PersonRef


class KeyEnrolled(Message, tag="key.enrolled", frozen=True, kw_only=True):
    """A public key, or the digest of a shared secret, that the authority accepted for a party (密钥登记)."""

    party: PartyRef
    key_id: KeyId
    algorithm: Algorithm
    use: KeyUse
    public_key: Base64Text | None = None
    secret_sha256: Digest | None = None
    certificate_sha256: Digest | None = None
    person: PersonRef | None = None
    device: Code | None = None
    valid_from: Instant
    valid_until: Instant


class KeyRevoked(Message, tag="key.revoked", frozen=True, kw_only=True):
    """A key that may no longer be used (密钥停用), effective within 60 s."""

    key_id: KeyId
    because: Prose


class CosignerAccepted(Message, tag="cosigner.accepted", frozen=True, kw_only=True):
    """A key of a cosigner that the operator accepts (接受联署方): from this entry on nobody can claim that another was accepted.

    One entry a key. `former` names the acceptance that this one replaces: another key, or another trust domain for the same.
    """

    name: Label
    key: VerifierKey
    trust_domain: Label
    #: Run by somebody else than the operator of this platform.
    external: bool
    valid_from: Instant
    because: Prose
    former: EntryRef | None = None


class CosignerRetired(Message, tag="cosigner.retired", frozen=True, kw_only=True):
    """A cosigner's key is accepted no longer (停用联署方); what it signed before stays. `acceptance` is the entry that accepted it."""

    acceptance: EntryRef
    name: Label
    key: VerifierKey
    because: Prose


class PersonRegistered(Message, tag="person.registered", frozen=True, kw_only=True):
    """A person in a role for a party (人员登记). Name and identity number are in the personal part named by `personal`."""

    person: PersonRef
    party: PartyRef
    roles: list[PersonRole]
    certificate_number: Code | None = None
    scope: list[Code] = []
    sites: list[Code] = []
    valid_from: Day
    valid_until: Day | None = None
    personal: Digest


class SiteRegistered(Message, tag="site.registered", frozen=True, kw_only=True):
    """A place of work of an institution (检测场所); capability is granted per site."""

    institution: PartyRef
    site: Code
    name: Label
    address: Label
    division: Division


class CapabilityApproved(Message, tag="capability.approved", frozen=True, kw_only=True):
    """A line of the capability schedule (检测能力附表): parameters of a category at a site, between two days."""

    institution: PartyRef
    site: Code
    category: Code
    parameters: list[Code]
    methods: list[Code] = []
    valid_from: Day
    valid_until: Day
    certificate_number: Code | None = None


class FilingRecorded(Message, tag="filing.recorded", frozen=True, kw_only=True):
    """An institution of another province that filed to work here (跨省备案)."""

    institution: PartyRef
    division: Division
    valid_from: Day
    valid_until: Day


class InstrumentRegistered(Message, tag="instrument.registered", frozen=True, kw_only=True):
    """An instrument and its calibration (仪器设备与检定校准)."""

    institution: PartyRef
    site: Code
    instrument: Code
    name: Label
    model: Code
    serial_number: Code
    range_kN: Measured | None = None
    accuracy_class: Code | None = None
    calibration_certificate: Code
    calibrated_until: Day


class RoleGranted(Message, tag="role.granted", frozen=True, kw_only=True):
    """A person may act on the platform for an organisation, within a division (角色授予)."""

    person: PersonRef
    role: ActingRole
    party: PartyRef
    division: Division
    #: What the person is there, for example 监督员: shown under the name.
    capacity: Label


class RoleEnded(Message, tag="role.ended", frozen=True, kw_only=True):
    """A granted role ends; `grant` is the entry that granted it, to `person` (角色终止)."""

    grant: EntryRef
    person: PersonRef
    because: Prose


class ChargeAssigned(Message, tag="charge.assigned", frozen=True, kw_only=True):
    """An officer looks after a project from a day to a day (项目分工), as the one in charge or as the deputy while that one is away."""

    project: EntryRef
    officer: PersonRef
    part: ChargePart
    valid_from: Day
    valid_until: Day | None = None


class ChargeEnded(Message, tag="charge.ended", frozen=True, kw_only=True):
    """An officer no longer looks after a project (项目分工终止); `charge` is the entry that assigned it."""

    charge: EntryRef
    because: Prose


class ParameterPublished(Message, tag="parameter.published", frozen=True, kw_only=True):
    """A dated parameter of a rule, published by an authority (参数发布)."""

    key: Code
    jurisdiction: Code
    value: Label
    unit: Label | None = None
    clause: Label
    in_force_from: Day
    until: Day | None = None
    source: Prose
    verified: bool


class SchemaPublished(Message, tag="schema.published", frozen=True, kw_only=True):
    """A version of a category's record schema (检测项目字段规范发布)."""

    category: Code
    version: Count
    schema_sha256: Digest
    in_force_from: Day


class SubjectDestroyed(Message, tag="subject.destroyed", frozen=True, kw_only=True):
    """The key of one person's records was destroyed (个人信息销毁); the log keeps verifying."""

    subject: PersonRef
    because: Prose


class EntryWithdrawn(Message, tag="entry.withdrawn", frozen=True, kw_only=True):
    """The sender takes back an earlier message of its own (撤回), with reason; it stays readable."""

    entry: EntryRef
    because: Prose
