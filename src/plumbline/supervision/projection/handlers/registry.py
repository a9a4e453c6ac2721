"""Parties, keys, people, places, instruments, projects, contracts (登记类投影)."""

from __future__ import annotations

import base64
from datetime import date
from typing import cast

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.basics.identifiers import party_id, uscc_problem
from plumbline.evidence.position import place_of
from plumbline.exchange.messages import project as project_messages
from plumbline.exchange.messages import registry as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import (
    AUTHORITIES,
    is_authority,
    is_platform,
    may_speak_for,
    refused,
    roles_of,
)

#: Keys that speak for the platform itself; nobody else has any use for them.
_PLATFORM_USES = frozenset({"web", "log", "code"})
#: Roles whose holders decide; an institution cannot give them to its own people.
_APPROVED_ROLES = frozenset({"reviewer", "approver", "officer"})
#: What was uploaded is neither changed nor lost.
LOST_CLAUSE = "BJ 4.1.7-a"
#: Fields of a continuation that are columns of table `epoch`.
_CONTINUED = ("kept_epoch", "kept_size", "lost", "because")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def open_log(p: Projection) -> str:
    """Entry 0: the operator becomes a party, the root keys become keys. The first entry of a later epoch says what it continues."""
    m = cast(messages.LogOpened, p.arrival.message)
    if p.arrival.idx == 0:
        _found_platform(p, m)
    elif place_of(p.arrival.idx)[1] or m.continues is None or not is_platform(p):
        sentence = "日志创世或另开一期的声明不在一期日志的第 0 条"
        finding = refused(
            "registry.misplaced_opening", LOST_CLAUSE, sentence, "查明是谁用平台密钥报送了这一条"
        )
        raise NotTakenOver(finding, "party", p.arrival.sender)
    known = p.arrival.provenance() | dict.fromkeys(_CONTINUED)
    if m.continues is not None:
        known |= {name: getattr(m.continues, name) for name in _CONTINUED}
        _tell_lost(p, m.continues)
    p.state.put("epoch", str(m.epoch), known | {"epoch": m.epoch})
    return m.sender


def _tell_lost(p: Projection, told: messages.Continuation) -> None:
    """A finding on the platform itself, when what was signed for is no longer there."""
    if not told.lost:
        return
    finding = Finding(
        code="registry.entries_lost",
        clause=LOST_CLAUSE,
        sentence=f"日志另开一期：数据库里只有到第 {told.kept_epoch} 期第 {told.kept_size} 条为止的，缺 {told.lost} 条签过的",
        severity=Severity.SEVERE,
        facts={"kept_epoch": str(told.kept_epoch), "kept_size": str(told.kept_size), "lost": str(told.lost)},
        remedy="凭回执查对缺少的各条，请报送单位用原编号重新报送",
    )
    p.find(finding, "party", p.arrival.sender)


def _found_platform(p: Projection, m: messages.LogOpened) -> None:
    p.state.put(
        "party",
        m.sender,
        p.arrival.provenance()
        | {
            "uscc": m.operator_uscc,
            "name": m.operator_name,
            "roles": ["platform", "station"],
            "division": m.operator_division,
        },
    )
    _begin_sight(p, m.sender, m.operator_division)
    for key in m.keys:
        p.state.put(
            "key",
            key.key_id,
            p.arrival.provenance()
            | {
                "party": m.sender,
                "algorithm": key.algorithm,
                "use": key.use,
                "public_key": base64.b64decode(key.public_key),
                "valid_from": m.occurred_at,
                "valid_until": m.occurred_at.replace(year=m.occurred_at.year + 10),
            },
        )


def register_party(p: Projection) -> str:
    """A party; its id must be the one derived from its code, and nobody gives itself authority."""
    m = cast(messages.PartyRegistered, p.arrival.message)
    if problem := uscc_problem(m.uscc):
        sentence = f"统一社会信用代码不对：{problem}"
        finding = refused("registry.wrong_uscc", "", sentence, "核对营业执照后重新登记", uscc=m.uscc)
        raise NotTakenOver(finding, "party")
    if party_id(m.uscc).hex() != m.party:
        sentence = "单位编号不是由统一社会信用代码算出的"
        finding = refused("registry.wrong_party", "", sentence, "按手册重新计算单位编号", uscc=m.uscc)
        raise NotTakenOver(finding, "party")
    known = p.state.get("party", m.party)
    if not is_platform(p):
        if known is not None and known["sender"] != p.arrival.sender:
            raise _foreign(p, "party", "单位")
        if AUTHORITIES & set(m.roles):
            raise _foreign(p, "party", "主管部门或监督站")
    # The platform's own role comes with entry 0 and stays with that party: nobody is given it, nobody loses it.
    roles: list[str] = [role for role in m.roles if role != "platform"]
    if "platform" in roles_of(p, m.party):
        roles = ["platform", *roles]
    elif "platform" in m.roles:
        raise _foreign(p, "party", "平台运营单位")
    p.put_object(
        "party", {"uscc": m.uscc, "name": m.name, "roles": roles, "division": m.division}, key=m.party
    )
    _begin_sight(p, m.party, m.division)
    return m.party


def _begin_sight(p: Projection, party: str, division: str) -> None:
    """A party sees itself, and the officers of its place see it."""
    p.bring_before(party, party)
    p.make_known(party, party)
    p.works_in(party, division)


def _may_keep_keys_of(p: Projection, party: str, use: str) -> bool:
    """The platform keeps every key; a station keeps those of the parties that it serves, and its own."""
    if is_platform(p):
        return True
    if use in _PLATFORM_USES or "platform" in roles_of(p, party):
        return False
    return party == p.arrival.sender or not AUTHORITIES & roles_of(p, party)


def enrol_key(p: Projection) -> str:
    """A key that the authority accepted for a party. What stands under a key id never changes."""
    m = cast(messages.KeyEnrolled, p.arrival.message)
    if m.supersedes is not None:
        sentence = f"密钥 {m.key_id} 登记后不能改，这次修改没有采用"
        finding = refused(
            "registry.changed_key", "CECS 6.0.5-a", sentence, "停用旧密钥，另登记新密钥", key_id=m.key_id
        )
        raise NotTakenOver(finding, "key", p.arrival.sender)
    if not _may_keep_keys_of(p, m.party, m.use):
        raise _foreign(p, "key", "密钥")
    if p.state.get("key", m.key_id) is not None:
        p.find(
            Finding(
                code="registry.repeated_key",
                clause="CECS 6.0.7",
                sentence=f"密钥编号 {m.key_id} 已经登记过，这次没有采用",
                severity=Severity.WARNING,
                facts={"key_id": m.key_id},
                remedy="换一个密钥编号",
            ),
            "key",
            m.key_id,
        )
        return m.key_id
    p.put_object(
        "key",
        {
            "party": m.party,
            "algorithm": m.algorithm,
            "use": m.use,
            "public_key": base64.b64decode(m.public_key) if m.public_key else None,
            "secret_sha256": m.secret_sha256,
            "person": m.person,
            "device": m.device,
            "valid_from": m.valid_from,
            "valid_until": m.valid_until,
        },
        key=m.key_id,
    )
    return m.key_id


def revoke_key(p: Projection) -> str:
    """From this entry on the key is of no use; what it signed before stays signed."""
    m = cast(messages.KeyRevoked, p.arrival.message)
    key = p.state.get("key", m.key_id)
    if key is not None and not _may_keep_keys_of(p, key["party"], key["use"]):
        raise _foreign(p, "key", "密钥")
    if key is not None and key["revoked_idx"] is None:
        p.state.put("key", m.key_id, {"revoked_idx": p.arrival.idx, "revoked_at": p.arrival.logged_at})
    return m.key_id


def _foreign(p: Projection, kind: str, what: str) -> NotTakenOver:
    """A registration in another party's name: stored as an entry, told as a finding, and not taken over."""
    sentence = f"登记的{what}不归报送单位管，没有采用"
    finding = refused("registry.foreign_registration", "CECS 6.0.7", sentence, "由所属单位或监督站登记")
    return NotTakenOver(finding, kind, p.arrival.sender)


def register_person(p: Projection) -> str:
    """A person in a role; a person of another party stays with that party until the authority says otherwise."""
    m = cast(messages.PersonRegistered, p.arrival.message)
    known = p.state.get("person", m.person)
    if not may_speak_for(p, m.party) or (known is not None and not _may_change_person(p, known["sender"])):
        raise _foreign(p, "person", "人员")
    kept = [role for role in m.roles if is_authority(p) or role not in _APPROVED_ROLES]
    if len(kept) < len(m.roles):
        sentence = "审核人、批准人和监督人员由监督站登记，机构登记的这些角色没有采用"
        finding = refused("registry.unapproved_role", "CECS 4.1.1-7", sentence, "向监督站办理人员登记")
        p.find(finding, "person", m.person, p.arrival.sender)
    p.put_object(
        "person",
        {
            "party": m.party,
            "roles": kept,
            "certificate_number": m.certificate_number,
            "scope": m.scope,
            "sites": m.sites,
            "valid_from": _day(m.valid_from),
            "valid_until": _day(m.valid_until),
            "personal": m.personal,
        },
        key=m.person,
    )
    return m.person


def _may_change_person(p: Projection, registered_by: str) -> bool:
    """Whoever registered a person may do so again; the authority always may."""
    return registered_by == p.arrival.sender or is_authority(p)


def register_site(p: Projection) -> str:
    """A place of work."""
    m = cast(messages.SiteRegistered, p.arrival.message)
    key = f"{m.institution}/{m.site}"
    p.put_object("site", {"institution": m.institution, "site": m.site, "name": m.name}, key=key)
    return key


def approve_capability(p: Projection) -> str:
    """A line of the capability schedule."""
    m = cast(messages.CapabilityApproved, p.arrival.message)
    return p.put_object(
        "capability",
        {
            "institution": m.institution,
            "site": m.site,
            "category": m.category,
            "parameters": m.parameters,
            "valid_from": _day(m.valid_from),
            "valid_until": _day(m.valid_until),
        },
    )


def record_filing(p: Projection) -> str:
    """Filing of an institution from another province."""
    m = cast(messages.FilingRecorded, p.arrival.message)
    return p.put_object(
        "filing",
        {
            "institution": m.institution,
            "division": m.division,
            "valid_from": _day(m.valid_from),
            "valid_until": _day(m.valid_until),
        },
    )


def register_instrument(p: Projection) -> str:
    """An instrument with its calibration."""
    m = cast(messages.InstrumentRegistered, p.arrival.message)
    key = f"{m.institution}/{m.instrument}"
    if not may_speak_for(p, m.institution):
        raise _foreign(p, "instrument", "仪器设备")
    p.put_object(
        "instrument",
        {
            "institution": m.institution,
            "instrument": m.instrument,
            "name": m.name,
            "calibrated_until": _day(m.calibrated_until),
        },
        key=key,
        initial={"ref": p.arrival.entry},
    )
    return key


def register_project(p: Projection) -> str:
    """A construction project; those who build it see its records from here on, as its newest version names them."""
    m = cast(project_messages.ProjectRegistered, p.arrival.message)
    builders = {
        "owner": m.owner,
        "contractor": m.contractor,
        "resident_engineer_firm": m.resident_engineer_firm,
    }
    project = p.put_object("project", {"code": m.code, "name": m.name, "division": m.division, **builders})
    for role, party in builders.items():
        p.state.put("project_party", f"{project}/{role}", {"project": project, "role": role, "party": party})
    return project


def sign_contract(p: Projection) -> str:
    """A testing contract."""
    m = cast(project_messages.ContractSigned, p.arrival.message)
    return p.put_object(
        "contract",
        {
            "project": m.project,
            "number": m.number,
            "client": m.client,
            "client_role": m.client_role,
            "institution": m.institution,
            "jurisdiction": p.jurisdiction(m.project, m.institution),
        },
    )


def confirm_custodians(p: Projection) -> str:
    """Samplers and witnesses of a project; the newest list holds."""
    m = cast(project_messages.CustodiansConfirmed, p.arrival.message)
    p.state.put(
        "custodians", m.project, p.arrival.provenance() | {"samplers": m.samplers, "witnesses": m.witnesses}
    )
    return m.project


HANDLERS = {
    "log.opened": open_log,
    "party.registered": register_party,
    "key.enrolled": enrol_key,
    "key.revoked": revoke_key,
    "person.registered": register_person,
    "site.registered": register_site,
    "capability.approved": approve_capability,
    "filing.recorded": record_filing,
    "instrument.registered": register_instrument,
    "project.registered": register_project,
    "contract.signed": sign_contract,
    "custodians.confirmed": confirm_custodians,
}
