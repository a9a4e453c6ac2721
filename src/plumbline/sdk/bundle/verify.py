"""Verification of a report bundle (报告包核验): offline, against trust that the caller names and never the bundle."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from plumbline.evidence.checkpoint import trusted_verifiers
from plumbline.evidence.position import place_text
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.testing import RunRecorded
from plumbline.exchange.signatures import verify
from plumbline.sdk.bundle.archive import BundleProblem, ReadBundle, read_bundle
from plumbline.sdk.bundle.check import BundleCheck, Step, failed, held, note
from plumbline.sdk.bundle.corrected import corrected_steps
from plumbline.sdk.bundle.epochs import epoch_failures
from plumbline.sdk.bundle.format import BundleContent, Statement, statement_bytes
from plumbline.sdk.bundle.keybook import KeyBook
from plumbline.sdk.bundle.links import Chain, follow
from plumbline.sdk.bundle.outcome import CodeKey, claims_steps, force_steps, report_steps
from plumbline.sdk.bundle.records import Record, Records, prove
from plumbline.sdk.bundle.stamps import stamp_steps
from plumbline.sdk.pdf.roots import TrustRoot
from plumbline.sdk.timestamp.authority import StampAuthority

__all__ = ["BundleCheck", "Step", "verify_bundle"]

_VERDICTS = {"PASS": "合格", "FAIL": "不合格", "NOT_JUDGED": "不作判定", "VOID": "无效"}


def verify_bundle(
    data: bytes,
    *,
    log_keys: Sequence[str],
    roots: Sequence[TrustRoot],
    code_keys: Sequence[CodeKey],
    authorities: Sequence[StampAuthority] = (),
    ended: Mapping[str, datetime] | None = None,
) -> BundleCheck:
    """Check a bundle; never raises for anything that the file may hold, however it was made.

    `log_keys` are vkeys of the log and of cosigners; `roots` the accepted certificate roots; `code_keys`
    (id, algorithm, base64) of code issuers; `authorities` those whose time stamps are believed; `ended`, by vkey, when a cosigner
    was retired. NoteError for a vkey that is none.
    """
    verifiers = trusted_verifiers(log_keys, ended or {})
    try:
        bundle = read_bundle(data)
    except BundleProblem as problem:
        return _judged([failed(problem.name, problem.zh, problem.en)], None)
    proven, faults = prove(bundle.content, verifiers)
    faults = faults or epoch_failures(bundle.content, proven)
    if faults:
        # What the links would say of a chain with a hole is only an echo of the hole.
        rest = note(
            "link", "有条目不成立，其余关系没有再核对。", "Entries do not hold; nothing else was checked."
        )
        return _judged([*faults, rest], None, origin=_origin(proven))
    chain = chain_of(bundle.content, proven)
    steps = [
        held("archive", f"包完整，共 {len(proven)} 条。", f"The bundle is whole: {len(proven)} entries.")
    ]
    if not bundle.is_original:
        zh = "压缩包不是出具时的原样（重新打包过），里面的文件照常核验。"
        steps.append(note("archive", zh, "The zip was packed anew; what is in it is checked all the same."))
    steps += report_evidence(chain, code_keys, roots)
    steps += [_statement_step(bundle, chain.keys), *force_steps(chain)]
    cosigners = _cosigners(proven)
    steps += [_cosigner_step(proven, cosigners), *_late_steps(proven)]
    steps += stamp_steps(proven, authorities)
    return _judged(
        steps,
        chain,
        origin=_origin(proven),
        cosigned_by=cosigners,
        cosigned_with=_cosigned_with(proven, cosigners),
    )


def chain_of(content: BundleContent, proven: Sequence[Record]) -> Chain:
    """The chain of a report whose every entry was proven."""
    records = Records(proven)
    return follow(content, records, KeyBook(records))


def report_evidence(chain: Chain, code_keys: Sequence[CodeKey], roots: Sequence[TrustRoot]) -> list[Step]:
    """Everything that proves a report, but for its receipts and whether it is still in force."""
    steps = [chain.keys.signature_step(record) for record in chain.records] + chain.keys.steps + chain.steps
    return [
        *steps,
        *claims_steps(chain, code_keys),
        *report_steps(chain, roots),
        *corrected_steps(chain.records, chain.keys.operator),
        *_picture_steps(chain.content, chain.records),
    ]


def _origin(proven: Sequence[Record]) -> str | None:
    return proven[0].receipt.origin if proven else None


def _cosigners(proven: Sequence[Record]) -> tuple[str, ...]:
    """Who cosigned every checkpoint: one entry without them would stand on the log's word alone."""
    names = [set(record.receipt.cosigned_by) for record in proven]
    return tuple(sorted(set.intersection(*names))) if names else ()


def _cosigned_with(proven: Sequence[Record], cosigners: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The keys, by algorithm, with which those signed every checkpoint."""
    keys = [set(record.receipt.cosigned_with) for record in proven]
    common = set.intersection(*keys) if keys else set()
    return tuple(sorted(each for each in common if each[0] in cosigners))


def _late_steps(proven: Sequence[Record]) -> list[Step]:
    """Who cosigned with a key that had been retired by the time that the cosignature states."""
    late = sorted({name for record in proven for name in record.receipt.cosigned_late})
    if not late:
        return []
    zh = f"{'、'.join(late)} 有联署签于公钥停用以后，不算。"
    return [note("cosigners", zh, f"Not counted, for the key had been retired: {', '.join(late)}.")]


def _cosigner_step(proven: Sequence[Record], cosigners: tuple[str, ...]) -> Step:
    if cosigners:
        return held(
            "cosigners", f"外部联署：{'、'.join(cosigners)}。", f"Cosigned by {', '.join(cosigners)}."
        )
    some = {name for record in proven for name in record.receipt.cosigned_by}
    if some:
        alone = sum(not record.receipt.cosigned_by for record in proven)
        names = "、".join(sorted(some))
        zh = f"外部联署：{names}，但不是每一条都有；{alone} 条出具时还没有联署，只有平台自己的密钥签名。"
        return note(
            "cosigners", zh, f"Cosigned by {', '.join(sorted(some))}, but {alone} entries are not yet."
        )
    zh = "尚无外部联署：日志的检查点只有平台自己的密钥签名。"
    return note("cosigners", zh, "No external cosigner yet: only the platform's own key signs the log.")


def _picture_steps(content: BundleContent, records: Records) -> list[Step]:
    """The list of pictures is the one that the entries name, and the files are theirs."""
    told = sorted((each.entry, each.picture, each.sha256) for each in content.pictures)
    named = sorted(
        (record.entry, kind, digest) for record in records for kind, digest in pictures_of(record.message)
    )
    if told != named:
        return [
            failed(
                "pictures", "影像清单与消息里写的不符。", "The list of pictures is not what the entries name."
            )
        ]
    steps = [
        failed(
            "pictures", f"pictures/{each.sha256} 被换过：摘要不符。", f"pictures/{each.sha256} was changed."
        )
        for each in content.pictures
        if each.data is not None and hashlib.sha256(each.data).hexdigest() != each.sha256
    ]
    with_file = sum(each.data is not None for each in content.pictures)
    if told and not steps:
        zh = f"影像 {len(told)} 张，随包 {with_file} 张，与消息里的摘要一致；其余只列摘要。"
        steps = [held("pictures", zh, f"{len(told)} pictures are named, {with_file} are here and unchanged.")]
    return steps


def pictures_of(message: Message) -> list[tuple[str, str]]:
    """(kind, SHA-256) of the key pictures that a message names."""
    found = getattr(message, "pictures", None)
    return [(each.picture, each.sha256) for each in found] if isinstance(found, list) else []


def _statement_step(bundle: ReadBundle, keys: KeyBook) -> Step:
    """The platform's word that the bundle is complete; without it a missing entry goes unnoticed."""
    statement, size = bundle.statement, place_text(bundle.content.size)
    if statement is None:
        zh = "没有平台的齐全声明：如果缺了更正、撤回这类条目，离线看不出来。"
        return note("statement", zh, "No statement of completeness: a missing entry could not be noticed.")
    fault = statement_fault(statement, statement_bytes(bundle.manifest), keys)
    if fault == "key":
        zh = "齐全声明不是平台的网页密钥签的。"
        return failed("statement", zh, "The statement is not signed by the platform's web key.")
    if fault == "signature":
        zh = "manifest.json 或 manifest.sig 被改过：平台的齐全声明不成立，可能有条目被拿掉或换掉。"
        return failed(
            "statement", zh, "manifest.json or manifest.sig was changed: entries may have been taken out."
        )
    zh = f"平台声明：截至日志第 {size} 条，这份报告的条目都在这里。"
    return held("statement", zh, f"The platform states that nothing is missing as of log size {size}.")


def statement_fault(statement: Statement, signed: bytes, keys: KeyBook) -> str | None:
    """`key` when a statement is not by the platform's web key, `signature` when it does not hold over these bytes, else None."""
    key = keys.keys.get(statement.key_id)
    try:
        raw = base64.b64decode(statement.signature, validate=True)
    except binascii.Error:
        raw = b""
    if key is None or key.public is None or key.use != "web" or key.party != keys.operator:
        return "key"
    return None if verify(key.algorithm, key.public, signed, raw) else "signature"


def _judged(
    steps: list[Step],
    chain: Chain | None,
    *,
    origin: str | None = None,
    cosigned_by: tuple[str, ...] = (),
    cosigned_with: tuple[tuple[str, str], ...] = (),
) -> BundleCheck:
    ok = all(step.ok for step in steps)
    unchecked = tuple(
        name
        for name, step in (("code_claims", "claims"), ("report_signature", "report_signature"))
        if any(each.name == step and each.is_note for each in steps)
    )
    zh, en = _verdict(steps, chain, "code_claims" in unchecked)
    if origin is not None and origin.startswith("demo."):
        zh, en = f"【演示数据】{zh}", f"[demonstration data] {en}"
    return BundleCheck(
        ok=ok,
        steps=tuple(steps),
        verdict_zh=zh,
        verdict_en=en,
        unchecked=unchecked,
        origin=origin,
        cosigned_by=cosigned_by,
        cosigned_with=cosigned_with,
    )


def _verdict(steps: list[Step], chain: Chain | None, issue_unchecked: bool) -> tuple[str, str]:
    failure = next((step for step in steps if not step.ok), None)
    if failure is not None:
        others = sum(not step.ok for step in steps) - 1
        more = f"（另有 {others} 处）" if others else ""
        return f"核验没有通过：{failure.sentence_zh}{more}", f"Verification failed: {failure.sentence_en}"
    assert chain is not None
    content_zh, content_en = _content_words(chain)
    if chain.content.code is None or chain.registration is None:
        zh = f"这些条目都在日志里，没有改动，内容为{content_zh}；报告还没有登记，不能采用。"
        return (
            zh,
            f"The entries are logged and unchanged: {content_en}; no report is registered, so it is not valid.",
        )
    issuer = chain.keys.operator_name
    issued = "此码的签发没有核验" if issue_unchecked else f"此码由{issuer}签发"
    said = "the code's issue was not checked" if issue_unchecked else f"the code was issued by {issuer}"
    return (
        f"{issued}，内容为{content_zh}；是否作废、纸面是否一致须联网或核对。",
        f"{said}: {content_en}. Whether it is still in force, and whether paper agrees, must be asked online or compared.",
    )


def _content_words(chain: Chain) -> tuple[str, str]:
    assert chain.application is not None
    m = chain.application[1]
    institution = chain.institution.name if chain.institution else m.sender
    keyed = any(run.data_origin == "keyed" for _, run in chain.records.of(RunRecorded))
    told = "，数值有人工录入的" if keyed else ""
    zh = f"{institution} {m.number}《{m.title}》结论{_VERDICTS[m.conclusion]}{told}"
    return zh, f"{institution} {m.number}, conclusion {m.conclusion}"
