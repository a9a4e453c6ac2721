"""`plumbline verify` (离线核验): receipts, bundles, PDFs, against roots that the caller names, never the file's own.

Each kind of file imports what it needs when it is met: a receipt verifies with the base install alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from plumbline.evidence.attachments import ANCHOR_TYPE, attachments
from plumbline.evidence.checkpoint import Checkpoint, parse_note, trusted_verifiers
from plumbline.evidence.note import NoteError
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.receipt import Step as ReceiptStep
from plumbline.evidence.receipt import verify_receipt
from plumbline.sdk.anchor.findings import AnchorFinding, anchor_findings
from plumbline.sdk.anchor.node import TIMEOUT_S as NODE_TIMEOUT_S
from plumbline.sdk.anchor.node import Node, NodeProblem
from plumbline.sdk.bundle.check import Step as BundleStep
from plumbline.sdk.bundle.check import algorithm_words
from plumbline.sdk.bundle.trust import Trust, read_trust
from plumbline.sdk.timestamp.findings import StampFinding, stamp_findings
from plumbline.sdk.unread import told_unread

#: Exit status: everything holds; something does not; it could not be checked, or not all of it.
HOLDS, FAILS, UNCHECKED = 0, 1, 2
_ROOT_WORDS = {"licensed": "正式证书", "demo": "演示证书，不作任何用途"}
_CLOCK_TOLERANCE = timedelta(minutes=5)


def run_verify(arguments: argparse.Namespace) -> int:
    """0 when everything holds, 1 when something does not, 2 when it, or a part of it, could not be checked."""
    anchor = getattr(arguments, "anchor", None) or ""
    only = getattr(arguments, "report", None) or ""
    try:
        path = Path(arguments.file)
        trust = read_trust(arguments.trust, [*arguments.log_key, *getattr(arguments, "cosigner_key", [])])
        if _begins_as_volume(path):
            return _volume(path, trust, arguments.lang, anchor, only)
        if only:
            print("--report 只用于合订案卷包（一个工程或一年的）；这个文件不是。", file=sys.stderr)
            return UNCHECKED
        data = path.read_bytes()
        # Readers open a file of this name as a PDF, whatever else it may be, and a PDF behind other bytes too. Archives hold PDFs.
        called_pdf = arguments.file.lower().endswith(".pdf")
        if called_pdf or (b"%PDF-" in data[:1024] and data[:2] != b"PK"):
            return _pdf(data, trust)
        if not _has_log_keys(trust):
            return UNCHECKED
        if data[:2] == b"PK":
            return _bundle(data, trust, arguments.lang, anchor)
        message = Path(arguments.message).read_bytes() if arguments.message else None
        return _receipt(data, trust, message, arguments.lang, anchor)
    except NodeProblem as problem:
        print(problem, file=sys.stderr)
    except NoteError as error:
        print(f"日志公钥不对：{error}", file=sys.stderr)
    except MemoryError:
        print("内存不够，没有查完。", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(told_unread(error), file=sys.stderr)
    return UNCHECKED


def _has_log_keys(trust: Trust) -> bool:
    if not trust.log_keys:
        print("请用 --log-key 或 --trust 给出您信任的日志公钥；不能从要核验的文件里取。", file=sys.stderr)
    return bool(trust.log_keys)


def _begins_as_volume(path: Path) -> bool:
    """A volume may be of gigabytes: it is told by its first bytes, and never read whole."""
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            return False
    from plumbline.sdk.bundle.volume_read import is_volume

    return is_volume(path)


def _print_steps(steps: Iterable[ReceiptStep | BundleStep], lang: str) -> None:
    for step in steps:
        sign = "· " if getattr(step, "is_note", False) else "✓ " if step.ok else "✗ "
        print(sign + (step.sentence_zh if lang == "zh" else step.sentence_en))


def _print_cosigners(names: Iterable[str], keys: Sequence[tuple[str, str]], trust: Trust, lang: str) -> None:
    """Who cosigned, of those whom the caller trusts, by which algorithm, and in which trust domain."""
    told = False
    for name in dict.fromkeys(names):
        told, domain = True, trust.domain_of(name)
        by_zh, by_en = algorithm_words(algorithm for who, algorithm in keys if who == name)
        zh = f"联署：{name}{by_zh}，信任域：{domain or '您没有写明'}"
        en = f"Cosigned by {name}{by_en}, trust domain: {domain or 'not named by you'}"
        print(zh if lang == "zh" else en)
    if not told:
        zh = "没有您信任的联署方联署：日志有没有分叉，只有平台自己担保。"
        print(
            zh
            if lang == "zh"
            else "No cosigner that you trust: that the log has no fork rests on its own word."
        )


def _print_findings(stamps: Iterable[StampFinding | AnchorFinding], lang: str) -> bool:
    """What time stamps and anchors say; False when one of an outsider that the caller trusts does not hold."""
    holds, signs = True, {"holds": "✓ ", "fails": "✗ ", "unchecked": "· "}
    for each in stamps:
        print(signs[each.standing] + (each.zh if lang == "zh" else each.en))
        holds = holds and each.standing != "fails"
    return holds


def _anchors(note: str, trust: Trust, anchor: str) -> tuple[AnchorFinding, ...]:
    """What the chain says of a checkpoint, asked of the node that the caller named, if any."""
    with httpx.Client(timeout=NODE_TIMEOUT_S, trust_env=False, follow_redirects=False) as http:
        return anchor_findings(note, trust.contracts, Node(anchor, http) if anchor else None)


def _anchors_of_bundle(data: bytes, trust: Trust, anchor: str) -> tuple[AnchorFinding, ...]:
    """Of the anchored checkpoint that proves the most entries of a bundle that holds; each finding says how many those are."""
    from plumbline.sdk.bundle.archive import read_bundle

    entries = read_bundle(data).content.entries
    return _anchors_of_notes(
        Counter(parse_proof(each.receipt.decode()).checkpoint_note for each in entries), trust, anchor
    )


def _anchors_of_notes(notes: Counter[str], trust: Trust, anchor: str) -> tuple[AnchorFinding, ...]:
    """Of the anchored checkpoint that proves the most entries; each finding says how many those are."""
    anchored = [note for note in notes if attachments(parse_note(note), ANCHOR_TYPE)]
    if not anchored:
        return ()
    best = max(anchored, key=lambda note: (notes[note], Checkpoint.parse(parse_note(note).text).size))
    zh, en = (
        f"上链（{notes.total()} 条中的 {notes[best]} 条）：",
        f"Anchor ({notes[best]} of {notes.total()} entries): ",
    )
    return tuple(replace(each, zh=zh + each.zh, en=en + each.en) for each in _anchors(best, trust, anchor))


def _print_anchors(found: Sequence[AnchorFinding], anchor: str, lang: str) -> int:
    """Print what the chain says; who named a node and heard of no anchor that holds is not told that all holds."""
    if not _print_findings(found, lang):
        return FAILS
    if not anchor or any(each.standing == "holds" for each in found):
        return HOLDS
    if not found:
        zh = "· 上链没有核对：文件里没有上链凭据，您也没有为它登记合同（trust.txt 里的 anchor 一行）。"
        print(
            zh if lang == "zh" else "· Anchors were not checked: none in the file, no contract on your list."
        )
    return UNCHECKED


def _receipt(data: bytes, trust: Trust, message: bytes | None, lang: str, anchor: str = "") -> int:
    keys = trusted_verifiers([*trust.log_keys, *trust.cosigners], trust.ended)
    check = verify_receipt(data, keys, message)
    _print_steps(check.steps, lang)
    _print_cosigners(check.cosigned_by, check.cosigned_with, trust, lang)
    stamps_hold, anchors = True, HOLDS
    if check.ok:
        note = parse_proof(data.decode()).checkpoint_note
        stamps_hold = _print_findings(stamp_findings(note, trust.authorities), lang)
        anchors = _print_anchors(_anchors(note, trust, anchor), anchor, lang)
    if check.is_demo:
        print("演示数据" if lang == "zh" else "demonstration data")
    if check.ok and check.logged_at:
        local = check.logged_at.astimezone().isoformat(timespec="seconds")
        zh = f"回执成立：第 {check.index} 条，{local} 入账。"
        print(zh if lang == "zh" else f"The receipt holds: entry {check.index}, logged {local}.")
        if message is None:
            zh = "没有给出消息原文（--message），只核验了回执本身。"
            print(zh if lang == "zh" else "No message given: only the receipt itself was checked.")
    return anchors if check.ok and stamps_hold else FAILS


def _bundle(data: bytes, trust: Trust, lang: str, anchor: str = "") -> int:
    from plumbline.sdk.bundle.verify import verify_bundle

    keys = [*trust.log_keys, *trust.cosigners]
    check = verify_bundle(
        data,
        log_keys=keys,
        roots=trust.roots,
        code_keys=trust.code_keys,
        authorities=trust.authorities,
        ended=trust.ended,
    )
    _print_steps(check.steps, lang)
    for name in check.cosigned_by:
        _print_cosigners([name], check.cosigned_with, trust, lang)
    anchors = _print_anchors(_anchors_of_bundle(data, trust, anchor), anchor, lang) if check.ok else HOLDS
    print(check.verdict_zh if lang == "zh" else check.verdict_en)
    if not check.ok or anchors == FAILS:
        return FAILS
    return UNCHECKED if check.unchecked else anchors


def _volume(path: Path, trust: Trust, lang: str, anchor: str, only: str) -> int:
    """Reports one by one as they are checked; with `only` every step of that one."""
    from plumbline.sdk.bundle.volume_told import cosigner_lines, report_line, verdict
    from plumbline.sdk.bundle.volume_verify import ReportFinding, VolumeTrust, verify_volume

    if not _has_log_keys(trust):
        return UNCHECKED

    def told(finding: ReportFinding, total: int) -> None:
        if only:
            _print_steps(finding.steps, lang)
        print(report_line(finding, total, lang), flush=True)

    trusted = VolumeTrust(
        log_keys=[*trust.log_keys, *trust.cosigners],
        roots=trust.roots,
        code_keys=trust.code_keys,
        authorities=trust.authorities,
        ended=trust.ended,
    )
    check = verify_volume(path, trusted, only=only, told=told)
    _print_steps(check.steps, lang)
    anchors = HOLDS
    if check.ok:
        for line in cosigner_lines(check, trust.domain_of, lang):
            print(line)
        anchors = _print_anchors(_anchors_of_notes(check.notes, trust, anchor), anchor, lang)
    print(verdict(check, only, lang))
    if not check.ok or anchors == FAILS:
        return FAILS
    is_open = check.unchecked or check.is_incomplete or (check.left_out and not only)
    return UNCHECKED if is_open else anchors


def _pdf(data: bytes, trust: Trust) -> int:
    from plumbline.sdk.bundle.outcome import can_read_pdf
    from plumbline.sdk.pdf.examine import examine_pdf

    if not trust.roots:
        print("请用 --trust 给出您信任的根证书（PEM）。", file=sys.stderr)
        return UNCHECKED
    if not can_read_pdf():
        print("本机没有安装 PDF 查验部件，请安装 plumbline[server]。", file=sys.stderr)
        return UNCHECKED
    found = examine_pdf(data, roots=trust.roots, at=datetime.now(UTC) + _CLOCK_TOLERANCE)
    for problem in found.problems:
        print(f"✗ {problem.sentence_zh}")
    if found.ok:
        print(f"✓ 签章完好，签章人：{found.signer_name}（{_ROOT_WORDS[found.root_kind or 'demo']}）")
        print("这只说明文件签章以后没有改动；是不是登记的那一份、有没有撤回，须联网查监管码。")
    return HOLDS if found.ok else FAILS
