"""Whether the entries of a bundle belong to one report (条目之间的联系): from the application back to the contract.

A missing link fails when the report cannot stand without it. What a chain may lack (a reception, a review sent as an entry of its
own) is told as a remark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from plumbline.domain.basics.identifiers import party_id
from plumbline.exchange.messages.custody import (
    CommissionPlaced,
    ReceiptRecorded,
    SamplingRecorded,
    WitnessingRecorded,
)
from plumbline.exchange.messages.project import ContractSigned, ProjectRegistered
from plumbline.exchange.messages.registry import PartyRegistered
from plumbline.exchange.messages.reports import (
    CodeReleased,
    CodeReserved,
    NumberTaken,
    ReportApplied,
    ReportExamined,
    ReportRegistered,
)
from plumbline.exchange.messages.testing import ReviewRecorded, RunRecorded, ValueCorrected
from plumbline.sdk.bundle.check import Step, failed, held, note
from plumbline.sdk.bundle.format import BundleContent
from plumbline.sdk.bundle.keybook import KeyBook
from plumbline.sdk.bundle.records import Record, Records

#: Test categories whose samples were witnessed (见证取样), as the gate for codes asks.
WITNESSED = frozenset({"witnessed", "doubled_retest", "parallel"})


@dataclass(slots=True)
class Chain:
    """What the links have found: the entries that make up the report."""

    content: BundleContent
    records: Records
    keys: KeyBook
    application: tuple[Record, ReportApplied] | None = None
    reserved: tuple[Record, CodeReserved] | None = None
    registration: tuple[Record, ReportRegistered] | None = None
    institution: PartyRegistered | None = None
    steps: list[Step] = field(default_factory=list)

    def same(self, one: str, other: str) -> bool:
        """Whether two references name one object, in whatever version."""
        return self.records.root(one) == self.records.root(other)


#: One fault: Chinese, English.
_Faults = Iterator[tuple[str, str]]


def follow(content: BundleContent, records: Records, keys: KeyBook) -> Chain:
    """The chain of the bundle's application with one step for each link."""
    chain = Chain(content, records, keys)
    _find(chain)
    if chain.application is None:
        zh = f"缺少报告申请 {content.application}：不知道这个包说的是哪份报告。"
        chain.steps.append(
            failed("link.application", zh, f"The application {content.application} is missing.")
        )
        return chain
    for name, title, check in _LINKS:
        faults = list(check(chain, chain.application[1]))
        chain.steps += [failed(f"link.{name}", f"{zh}。", f"{en}.") for zh, en in faults]
        if not faults:
            chain.steps.append(held(f"link.{name}", f"{title[0]}。", f"{title[1]}."))
    chain.steps += _remarks(chain, chain.application[1])
    return chain


def _find(chain: Chain) -> None:
    records, content = chain.records, chain.content
    for record, message in records.of(CodeReserved):
        if message.code == content.code and message.sender == chain.keys.operator:
            chain.reserved = (record, message)
    # Versions that came after the code do not count: the code was given for what stood then.
    until = chain.reserved[0].order if chain.reserved else None
    chain.application = records.newest(content.application, ReportApplied, before=until)
    for registered in records.of(ReportRegistered):
        if registered[1].code == content.code and registered[1].supersedes is None:
            chain.registration = registered
    if chain.application:
        chain.institution = _party(chain, chain.application[1].sender)


def _party(chain: Chain, party: str) -> PartyRegistered | None:
    """The registration in force of a party: by an authority, with the code from which the party id follows."""
    found = None
    for _, message in chain.records.of(PartyRegistered):
        if message.party == party and message.sender in chain.keys.authorities and _derived(message):
            found = message
    return found


def _derived(message: PartyRegistered) -> bool:
    try:
        return party_id(message.uscc).hex() == message.party
    except ValueError:
        return False


def _application(chain: Chain, m: ReportApplied) -> _Faults:
    content = chain.content
    if chain.records.root(content.application) != content.application:
        yield (
            "清单里的申请编号不是第一版的编号",
            "the manifest does not name the first version of the application",
        )
    if m.number != content.number:
        yield (
            f"清单写的报告编号 {content.number}，申请里是 {m.number}",
            "the manifest names another report number",
        )
    found = chain.records.newest(m.number_entry, NumberTaken)
    if found is None:
        yield f"缺少报告编号 {m.number} 的取号", "the entry that took the report number is missing"
    elif (found[1].number, found[1].sender, found[1].document_kind) != (m.number, m.sender, "report"):
        yield f"报告编号 {m.number} 不是这家机构取的号", "the report number was taken by somebody else"


def _parties(chain: Chain, m: ReportApplied) -> _Faults:
    if chain.institution is None:
        yield "缺少出报告机构的单位登记", "the registration of the issuing institution is missing"
    known = {each.party for _, each in chain.records.of(PartyRegistered)} | {chain.keys.operator}
    missing = {
        record.message.sender: record for record in chain.records if record.message.sender not in known
    }
    for record in missing.values():
        zh = f"缺少 {record.label} 的发送单位的单位登记"
        yield zh, f"the registration of the sender of {record.place} is missing"
    for record, message in chain.records.of(PartyRegistered):
        if not _derived(message) or message.sender not in chain.keys.authorities:
            yield (
                f"{record.label}：单位编号或登记者不对",
                f"{record.place}: wrong party id, or no authority sent it",
            )


def _runs(chain: Chain, m: ReportApplied) -> _Faults:
    for ref in sorted({ref for parameter in m.parameters for ref in parameter.runs}):
        found = chain.records.newest(ref, RunRecorded)
        if found is None:
            yield f"缺少报告所依据的试验 {ref}", f"run {ref}, on which the report rests, is missing"
            continue
        record, run = found
        if run.sender != m.sender:
            yield (
                f"{record.label}：不是出报告的机构做的",
                f"{record.place}: not a test of the issuing institution",
            )
        if not any(chain.same(run.sample, sample) for sample in m.samples):
            yield (
                f"{record.label}：试的不是报告里的样品",
                f"{record.place}: of a sample that is not in the report",
            )
        if not chain.same(run.commission, m.commission):
            yield f"{record.label}：属于另一份委托", f"{record.place}: of another commission"


def _samples(chain: Chain, m: ReportApplied) -> _Faults:
    commission = chain.records.newest(m.commission, CommissionPlaced)
    if commission is None:
        yield "缺少委托单", "the commission is missing"
    for ref in m.samples:
        found = chain.records.newest(ref, SamplingRecorded)
        if found is None:
            yield f"缺少样品 {ref} 的取样记录", f"the sampling of sample {ref} is missing"
            continue
        if commission and not any(chain.same(ref, each) for each in commission[1].samples):
            yield (
                f"{found[0].label}：不在委托单的样品里",
                f"{found[0].place}: not among the commission's samples",
            )
        seen = [
            record for record, each in chain.records.of(WitnessingRecorded) if chain.same(each.sample, ref)
        ]
        required = commission is not None and commission[1].test_category in WITNESSED
        if required and not seen and not _releases(chain):
            yield (
                f"{found[0].label}：见证取样，却缺少见证记录",
                f"{found[0].place}: its witnessing is missing",
            )


def _releases(chain: Chain) -> list[tuple[Record, CodeReleased]]:
    """Releases of the withheld code by an officer: what the gate asks for was then decided by people."""
    return [
        (record, message)
        for record, message in chain.records.of(CodeReleased)
        if message.sender in chain.keys.authorities
        and chain.same(message.application, chain.content.application)
    ]


def _contract(chain: Chain, m: ReportApplied) -> _Faults:
    commission = chain.records.newest(m.commission, CommissionPlaced)
    if commission is None:
        return  # told with the samples
    if commission[1].institution != m.sender:
        yield f"{commission[0].label}：委托的不是出报告的机构", "the commission is of another institution"
    found = chain.records.newest(commission[1].contract, ContractSigned)
    if found is None:
        yield "缺少检测合同", "the contract is missing"
        return
    record, contract = found
    if contract.institution != m.sender:
        yield f"{record.label}：不是出报告机构的合同", f"{record.place}: a contract of another institution"
    if chain.records.newest(contract.project, ProjectRegistered) is None:
        yield "缺少工程登记", "the registration of the project is missing"
    for ref in m.samples:
        sampling = chain.records.newest(ref, SamplingRecorded)
        if sampling and not chain.same(sampling[1].project, contract.project):
            yield f"{sampling[0].label}：属于另一个工程", f"{sampling[0].place}: of another project"


def _code(chain: Chain, m: ReportApplied) -> _Faults:
    content, reserved = chain.content, chain.reserved
    if content.code is None:
        return
    if reserved is None:
        yield f"缺少监管码 {content.code} 的预留", f"the reservation of code {content.code} is missing"
        return
    if not chain.same(reserved[1].application, content.application) or reserved[1].institution != m.sender:
        yield (
            f"{reserved[0].label}：监管码是给另一份报告的",
            f"{reserved[0].place}: the code is another report's",
        )


def _registration(chain: Chain, m: ReportApplied) -> _Faults:
    if chain.registration is None:
        if chain.content.pdf is not None:
            yield "缺少终稿登记，PDF 没有出处", "the registration is missing: nothing vouches for the PDF"
        return
    record, registered = chain.registration
    if not chain.same(registered.application, chain.content.application) or registered.sender != m.sender:
        yield f"{record.label}：登记的是另一份报告", f"{record.place}: registers another report"
    if chain.reserved and record.order < chain.reserved[0].order:
        yield f"{record.label}：登记在发码之前", f"{record.place}: registered before the code was given"


_Check = Callable[[Chain, ReportApplied], _Faults]
_LINKS: tuple[tuple[str, tuple[str, str], _Check], ...] = (
    ("application", ("报告申请与报告编号相符", "The application and the report number agree"), _application),
    ("party", ("各发送单位都有登记", "Every sender is a registered party"), _parties),
    ("run", ("试验、样品、委托相符", "Tests, samples and commission agree"), _runs),
    (
        "sample",
        ("样品有取样记录，要见证的有见证", "Samples were recorded, and witnessed where required"),
        _samples,
    ),
    ("contract", ("委托、合同、工程相符", "Commission, contract and project agree"), _contract),
    ("code", ("监管码是给这份申请的", "The code was given for this application"), _code),
    ("registration", ("登记的是这份申请的终稿", "The registration is of this application"), _registration),
)


def _remarks(chain: Chain, m: ReportApplied) -> list[Step]:
    found = []
    receipts = [each.sample for _, each in chain.records.of(ReceiptRecorded) if each.accepted]
    if not all(any(chain.same(ref, received) for received in receipts) for ref in m.samples):
        found.append(
            note("link.receipt", "包里没有全部样品的收样记录。", "Not every sample has a reception here.")
        )
    done = {
        (each.step, each.person)
        for _, each in chain.records.of(ReviewRecorded)
        if each.decision == "accepted"
    }
    if not {("review", m.reviewer), ("approval", m.approver)} <= done:
        zh = "包里没有报告上的审核人、批准人各自的记录。"
        found.append(
            note("link.review", zh, "No records of the reviewer and the approver whom the report names.")
        )
    for record, released in _releases(chain):
        zh = f"{record.label}：监管码曾暂不发放，由监督人员放行，原因：{released.because}。"
        found.append(
            note(f"release:{record.place}", zh, "The code was withheld and then released by an officer.")
        )
    for record, run in chain.records.of(RunRecorded):
        if run.discarded:
            zh = f"{record.label}：这次试验机构已作废，原因：{run.discarded_because or '没有写明'}。"
            found.append(note(f"discarded:{record.place}", zh, "The institution discarded this test."))
    for record, each in chain.records.of(ValueCorrected):
        zh = f"{record.label}：{each.symbol} 由 {each.before} 更正为 {each.after}，曲线不变。"
        found.append(
            note(f"correction:{record.place}", zh, f"{each.symbol} corrected: {each.before} → {each.after}.")
        )
    if chain.content.code is None:
        found.append(note("link.code", "这份申请还没有监管码。", "This application has no code yet."))
    elif chain.registration is None:
        zh = "监管码只是预留，终稿没有登记，不能采用。"
        found.append(note("link.registration", zh, "The code is only reserved; no report is registered."))
    elif not chain.records.of(ReportExamined):
        found.append(
            note("link.examined", "包里没有平台对终稿的查验。", "The platform's examination is not here.")
        )
    return found
