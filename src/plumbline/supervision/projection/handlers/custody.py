"""Tags, sampling, witnessing, commission, receipt (样品保管链投影): facts come in, what is wrong with them becomes findings."""

from __future__ import annotations

from typing import cast

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.custody.tags import (
    ScannedTag,
    TagUse,
    foreign_sample,
    second_use,
    unissued_tag,
    wrong_tags,
)
from plumbline.domain.custody.timing import late_registration, late_witnessing
from plumbline.exchange.messages import custody as messages
from plumbline.exchange.messages import project as project_messages
from plumbline.supervision.projection.arrival import Projection
from plumbline.supervision.projection.handlers.standing import (
    carries_commission,
    foreign_sender,
    is_authority,
    project_parties,
    refused,
    unknown_object,
    works_on,
)
from plumbline.supervision.projection.table import Row
from plumbline.supervision.rules import parameters


def issue_tags(p: Projection) -> str:
    """Tags handed out for a project, by a station or by the project's contractor."""
    m = cast(project_messages.TagIssued, p.arrival.message)
    if not is_authority(p) and project_parties(p, m.project).get("contractor") != p.arrival.sender:
        finding = foreign_sender("标识领用", "由监督站或本工程的施工单位领用标识")
        p.find(finding, p.arrival.kind, p.arrival.entry, p.arrival.sender)
        return p.arrival.entry
    for tag in m.tags:
        if p.state.get("tag", tag) is None:
            p.state.put(
                "tag", tag, p.arrival.provenance(body={}) | {"project": m.project, "issued_to": m.issued_to}
            )
        else:
            p.find(
                Finding(
                    code="custody.reissued_tag",
                    clause="CECS 4.3.4-1a",
                    sentence=f"标识 {tag} 已经发过，不能再发",
                    severity=Severity.WARNING,
                    facts={"tag": tag},
                    remedy="换用新标识",
                ),
                "tag",
                tag,
            )
    return m.project


def _division(p: Projection, project: str | None) -> str:
    row = p.state.get("project", project)
    return str(row["division"]) if row else "CN"


def _missing(p: Projection, table: str, key: str, what: str, subject: tuple[str, str]) -> bool:
    if p.state.get(table, key) is not None:
        return False
    p.find(unknown_object(what, key), *subject)
    return True


def record_sampling(p: Projection) -> str:
    """A group was made and tagged; tags that were used or not issued, and late registration, are findings."""
    m = cast(messages.SamplingRecorded, p.arrival.message)
    tags = [specimen.tag for specimen in m.specimens]
    sample = p.put_object(
        "sample",
        {
            "project": m.project,
            "sample_kind": m.sample_kind,
            "grade": m.grade,
            "structural_part": m.structural_part,
            "made_at": m.made_at,
            "sampler": m.sampler,
            "curing": m.curing,
            "required_age_d": m.required_age_d,
            "tags": tags,
            "jurisdiction": p.jurisdiction(m.project, p.arrival.sender),
        },
        initial={"receipts": [], "runs": []},
    )
    _missing(p, "project", m.project, "工程", ("sample", sample))
    if p.arrival.sender not in project_parties(p, m.project).values():
        p.find(
            foreign_sender("取样", "由本工程的施工、监理或建设单位报送取样"),
            "sample",
            sample,
            p.arrival.sender,
        )
    else:
        works_on(p, m.project)
    for specimen in m.specimens:
        _use_tag(p, sample, m.project, specimen.tag, specimen.ordinal)
    for finding in late_registration(
        m.made_at, p.arrival.message.occurred_at, parameters(), _division(p, m.project)
    ):
        p.find(finding, "sample", sample)
    custodians = p.state.get("custodians", m.project)
    if custodians is not None and m.sampler not in custodians["samplers"]:
        p.find(
            Finding(
                code="custody.unconfirmed_sampler",
                clause="BJ 7.1.1",
                sentence="取样人员没有经监督机构核验",
                severity=Severity.WARNING,
                facts={"person": m.sampler},
                remedy="先办理取样人员备案核验",
            ),
            "sample",
            sample,
        )
    return sample


def _use_tag(p: Projection, sample: str, project: str, tag: str, ordinal: int) -> None:
    row = p.state.get("tag", tag)
    for finding in unissued_tag(tag, project, row["project"] if row else None):
        p.find(finding, "sample", sample)
    if row and row["sample"] and row["sample"] != sample:
        used = TagUse(tag=tag, sample=row["sample"], used_at=row["occurred_at"])
        for finding in second_use(tag, sample, p.arrival.message.occurred_at, [used]):
            p.find(finding, "sample", sample)
        return
    if row is not None and row["project"] not in (None, project):
        return  # another project's: the tag stays free for whom it was issued to
    if p.arrival.sender not in project_parties(p, project).values():
        return
    values = {"sample": sample, "ordinal": ordinal, "occurred_at": p.arrival.message.occurred_at}
    if row is None:
        values = p.arrival.provenance(body={}) | {"project": None, "issued_to": None} | values
    p.state.put("tag", tag, values)


def record_witnessing(p: Projection) -> str:
    """The witness's record; late witnessing is a finding, the sampler's entry being the start of the window.

    It counts for the sample when it is independent of who made the sample; the first that counts stays, and is
    replaced by a new version of itself alone.
    """
    m = cast(messages.WitnessingRecorded, p.arrival.message)
    before = p.superseded("witnessing")
    key = p.put_object(
        "witnessing",
        {"sample": m.sample, "witness": m.witness, "witnessed_at": m.witnessed_at, "seal": m.seal},
    )
    if before is not None:
        _unbind_witnessing(p, before["sample"], key)
    if _missing(p, "sample", m.sample, "样品", ("witnessing", key)):
        return key
    sample = p.state.get("sample", m.sample)
    assert sample is not None
    if finding := _doubt_of_witnessing(p, m, sample):
        p.find(finding, "witnessing", key)
        return key
    p.state.put("sample", m.sample, {"witnessing": key})
    commission = p.state.get("commission", sample["commission"])
    works_on(p, sample["project"], commission["institution"] if commission else None)
    for finding in late_witnessing(
        sample["occurred_at"], m.witnessed_at, parameters(), _division(p, sample["project"])
    ):
        p.find(finding, "sample", m.sample)
    custodians = p.state.get("custodians", sample["project"])
    if custodians is not None and m.witness not in custodians["witnesses"]:
        p.find(
            Finding(
                code="custody.unconfirmed_witness",
                clause="BJ 7.1.1",
                sentence="见证人员没有经监督机构核验",
                severity=Severity.WARNING,
                facts={"person": m.witness},
                remedy="先办理见证人员备案核验",
            ),
            "sample",
            m.sample,
        )
    return key


def _unbind_witnessing(p: Projection, sample: str, key: str) -> None:
    """A new version of a witnessing is judged anew, and may name another sample."""
    row = p.state.get("sample", sample)
    if row is not None and row["witnessing"] == key:
        p.state.put("sample", sample, {"witnessing": None})


def _doubt_of_witnessing(p: Projection, m: messages.WitnessingRecorded, sample: Row) -> Finding | None:
    """Why a witnessing does not count for its sample, or None: sender and witness are of the resident engineer or the owner."""
    parties, person = project_parties(p, sample["project"]), p.state.get("person", m.witness)
    makers = {sample["sender"], parties.get("contractor")}
    witnesses = {parties.get("resident_engineer_firm"), parties.get("owner")} - makers - {None}
    if p.arrival.sender in makers or (person is not None and person["party"] in makers):
        return refused(
            "custody.self_witnessed",
            "CECS-E 4.3.4-2",
            "取样单位给自己的样品作见证，不算见证",
            "由监理或建设单位的见证人员见证；没有见证的，重新取样",
            sample=m.sample,
        )
    if p.arrival.sender not in witnesses:
        return foreign_sender("见证", "由本工程的监理或建设单位报送见证")
    if person is None or person["party"] not in witnesses or "witness" not in person["roles"]:
        return refused(
            "custody.unlisted_witness",
            "CECS-E 4.3.4-2",
            "见证人不是本工程监理或建设单位登记的见证人员，不算见证",
            "先登记见证人员，由登记过的人见证",
            person=m.witness,
        )
    if sample["witnessing"] not in (None, p.arrival.entry):
        return refused(
            "custody.second_witnessing",
            "CECS-E 4.3.4-2",
            "这组样品已有见证记录，后来的一条没有采用",
            "要更正见证记录的，以新版本（supersedes）报送",
            sample=m.sample,
        )
    return None


def place_commission(p: Projection) -> str:
    """A commission; samples of another project are findings.

    One that nobody of the project stands behind is kept without project: it gives no institution any sample.
    """
    m = cast(messages.CommissionPlaced, p.arrival.message)
    contract = p.state.get("contract", m.contract)
    concerned = _may_commission(p, m, contract)
    project = contract["project"] if contract and concerned else None
    key = p.put_object(
        "commission",
        {
            "contract": m.contract,
            "project": project,
            "institution": m.institution,
            "number": m.number,
            "test_category": m.test_category,
            "samples": m.samples,
            "jurisdiction": p.jurisdiction(project, m.institution),
        },
    )
    if project:
        _commissioned(p, m, contract)
    if not _missing(p, "contract", m.contract, "合同", ("commission", key)) and not concerned:
        finding = foreign_sender("委托", "由本工程的参建单位委托合同上的检测机构，或由参建单位签订合同")
        p.find(finding, "commission", key, m.institution)
    for ref in m.samples:
        sample = p.state.get("sample", ref)
        if sample is None:
            _missing(p, "sample", ref, "样品", ("commission", key))
            continue
        if project:
            for finding in foreign_sample(ref, sample["project"], project):
                p.find(finding, "commission", key, m.institution)
        if project and sample["project"] == project and _may_replace_commission(p, sample, key):
            p.state.put("sample", ref, {"commission": key, "institution": m.institution})
            _bring_sample(p, sample, m.institution)
    return key


def _commissioned(p: Projection, m: messages.CommissionPlaced, contract: Row | None) -> None:
    """The institution sees the project that it was given work of, and the people of those who gave it."""
    assert contract is not None
    p.bring_before(contract["project"], m.institution)
    works_on(p, contract["project"], m.institution)
    if contract["sender"] in project_parties(p, contract["project"]).values():
        p.make_known(contract["sender"], m.institution)


def _bring_sample(p: Projection, sample: Row, institution: str) -> None:
    """The institution sees a sample that it was given, and the people who took and witnessed it."""
    p.bring_before(sample["id"], institution)
    if sample["sender"] in project_parties(p, sample["project"]).values():
        p.make_known(sample["sender"], institution)
    witnessing = p.state.get("witnessing", sample["witnessing"])
    if witnessing is not None:
        p.make_known(witnessing["sender"], institution)


def _may_commission(p: Projection, m: messages.CommissionPlaced, contract: Row | None) -> bool:
    """Whether somebody of the project stands behind a commission: they place it, or they signed the contract that it keeps to."""
    if contract is None or contract["institution"] != m.institution:
        return False
    parties = project_parties(p, contract["project"]).values()
    return p.arrival.sender in parties or (
        p.arrival.sender == m.institution and contract["sender"] in parties
    )


def _may_replace_commission(p: Projection, sample: Row, key: str) -> bool:
    """Those who build the project may commission a sample again; an institution only takes what nobody has commissioned."""
    if sample["commission"] in (None, key):
        return True
    return p.arrival.sender in project_parties(p, sample["project"]).values()


def foreign_commission(p: Projection, commission: str) -> list[Finding]:
    """Work done on a commission that was given to another institution."""
    row = p.state.get("commission", commission)
    if row is None or row["institution"] == p.arrival.sender:
        return []
    return [
        Finding(
            code="custody.foreign_commission",
            clause="CECS 3.0.3",
            sentence="所引用的委托单是委托给别的机构的",
            severity=Severity.SEVERE,
            facts={"commission": commission},
            remedy="核对委托单编号；确属转委托的，由委托方重新委托",
        )
    ]


def record_receipt(p: Projection) -> str:
    """Reception: wrong or broken tags, an absent witness, and a second reception are findings."""
    m = cast(messages.ReceiptRecorded, p.arrival.message)
    institution, before = p.arrival.sender, p.superseded("receipt")
    sample = p.state.get("sample", m.sample)
    project = sample["project"] if sample else None
    key = p.put_object(
        "receipt",
        {
            "commission": m.commission,
            "sample": m.sample,
            "institution": institution,
            "site": m.site,
            "accepted": m.accepted,
            "project": project,
            "jurisdiction": p.jurisdiction(project, institution),
        },
    )
    if before is not None and before["sample"] != m.sample:
        _forget_receipt(p, before["sample"], key)
        sample = p.state.get("sample", m.sample)
    for finding in foreign_commission(p, m.commission):
        p.find(finding, "receipt", key, institution)
    if sample is None:
        _missing(p, "sample", m.sample, "样品", ("receipt", key))
        return key
    if p.state.get("commission", m.commission) is None and sample["institution"] in (None, institution):
        # too early, or there is none; of a sample that was given to somebody else an invented number is no excuse
        p.find(unknown_object("委托", m.commission), "receipt", key, institution)
        return key
    if not carries_commission(p, m.commission, sample):
        p.find(foreign_sender("收样", "先由委托方把这组样品委托给本机构"), "receipt", key, institution)
        return key
    works_on(p, project)
    received = [ref for ref in sample["receipts"] if ref != key]
    for finding in _receipt_findings(m, sample, received):
        p.find(finding, "sample", m.sample, institution)
    if m.accepted:
        p.state.put("sample", m.sample, {"receipts": [*received, key]})
    else:
        _forget_receipt(p, m.sample, key)
    return key


def _receipt_findings(m: messages.ReceiptRecorded, sample: Row, received: list[str]) -> list[Finding]:
    """Wrong or broken tags, an absent witness, and a reception after `received` earlier ones."""
    scanned = [ScannedTag(tag=scan.tag, seal_intact=scan.seal_intact) for scan in m.scanned]
    found = list(wrong_tags(m.sample, sample["tags"], scanned))
    if m.accepted and not m.witness_present:
        found.append(
            Finding(
                code="custody.absent_witness",
                clause="JJ 一(六)",
                sentence="收样时见证人员不在场",
                severity=Severity.WARNING,
                facts={"sample": m.sample},
                remedy="见证人员应陪同送检",
            )
        )
    if m.accepted and received:
        sentence = "这组样品已经收过一次，又被收了一次"
        found.append(
            refused(
                "custody.second_receipt", "CECS 3.0.3", sentence, "核对实物与标识，说明原因", sample=m.sample
            )
        )
    return found


def _forget_receipt(p: Projection, sample: str, key: str) -> None:
    """A new version of a reception refuses the sample, or names another one."""
    row = p.state.get("sample", sample)
    if row is not None and key in row["receipts"]:
        p.state.put("sample", sample, {"receipts": [ref for ref in row["receipts"] if ref != key]})


HANDLERS = {
    "tag.issued": issue_tags,
    "sampling.recorded": record_sampling,
    "witnessing.recorded": record_witnessing,
    "commission.placed": place_commission,
    "receipt.recorded": record_receipt,
}
