"""What a check of a volume says (合订案卷包核验的话): a line for each report, then what concerns the whole, in Chinese or English."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from plumbline.domain.reporting.code import format_code
from plumbline.sdk.bundle.check import algorithm_words
from plumbline.sdk.bundle.standing import STANDINGS
from plumbline.sdk.bundle.volume_format import WHY_ABSENT, ReportLine, Scope
from plumbline.sdk.bundle.volume_verify import ReportFinding, VolumeCheck

_UNCHECKED = {
    "code_claims": ("发码没有核验", "issue of the code not checked"),
    "report_signature": ("签章没有核验", "signature not checked"),
    "report_file": ("PDF 没有随包", "PDF not in the volume"),
}
_GAPS = {f"absent.{why}": words for why, words in WHY_ABSENT.items()} | {
    "unfinished": ("依据不齐，没有发码", "its chain is not whole, no code was given")
}


def name_of(line: ReportLine) -> str:
    """How a report is named: its number, and its code if it has one."""
    return f"{line.number}（{format_code(line.code)}）" if line.code else line.number


def report_line(finding: ReportFinding, total: int, lang: str) -> str:
    """One line: which report, how it stands, whether it holds, and what could not be checked."""
    at = f"[{min(finding.ordinal, total):>{len(str(total))}}/{total}]"
    zh_state, en_state = STANDINGS.get(finding.line.standing, (finding.line.standing,) * 2)
    name = name_of(finding.line)
    if (fault := finding.failure) is not None:
        others = sum(not step.ok for step in finding.steps) - 1
        if lang == "zh":
            return f"✗ {at} {name} {fault.sentence_zh}{f'（另有 {others} 处）' if others else ''}"
        return f"✗ {at} {name} {fault.sentence_en}{f' ({others} more)' if others else ''}"
    noted = dict.fromkeys(step.name for step in finding.steps if step.is_note)
    gaps = [_GAPS[name] for name in noted if name in _GAPS]
    gaps += [_UNCHECKED[each] for each in finding.unchecked]
    if lang == "zh":
        told = "".join(f"，{zh}" for zh, _ in gaps)
        return f"✓ {at} {name} {zh_state}{told}"
    return f"✓ {at} {name} {en_state}{''.join(f', {en}' for _, en in gaps)}"


def scope_words(check: VolumeCheck) -> tuple[str, str]:
    """What the volume is of."""
    scope = check.volume.scope if check.volume else Scope(kind="?")
    zh, en = [], []
    if scope.project is not None:
        zh.append(f"工程《{check.title or scope.project}》")
        en.append(f"project {check.title or scope.project}")
    if scope.year is not None:
        zh.append(f"{scope.year} 年")
        en.append(f"year {scope.year}")
    if scope.institution is not None:
        zh.append(f"机构 {scope.institution[:8]}…")
        en.append(f"institution {scope.institution[:8]}…")
    if scope.division is not None:
        zh.append(f"辖区 {scope.division}")
        en.append(f"region {scope.division}")
    return "，".join(zh) or "范围不明", ", ".join(en) or "unknown scope"


def cosigner_lines(check: VolumeCheck, domain_of: Callable[[str], str], lang: str) -> Iterator[str]:
    """Who cosigned how many entries, of those whom the caller trusts, and in which trust domain."""
    for name, count in sorted(check.cosigned.items()):
        # An algorithm is named when all that this cosigner signed has such a signature.
        zh_by, en_by = algorithm_words(
            each for (who, each), times in check.cosigned_with.items() if (who, times) == (name, count)
        )
        domain = domain_of(name)
        all_zh, all_en = ("全部", "all") if count == check.entries else (f"{count} 条", str(count))
        if lang == "zh":
            yield f"联署：{name}{zh_by}，信任域：{domain or '您没有写明'}，{check.entries} 条中的{all_zh}"
        else:
            yield f"Cosigned by {name}{en_by}, trust domain: {domain or 'not named by you'}, {all_en} of {check.entries} entries"
    for name, count in sorted(check.cosigned_late.items()):
        yield (
            f"{name} 有联署签于公钥停用以后，不算：{check.entries} 条中的 {count} 条"
            if lang == "zh"
            else f"Not counted, for the key had been retired: {name}, {count} of {check.entries} entries"
        )
    if not check.cosigned:
        zh = "没有您信任的联署方联署：日志有没有分叉，只有平台自己担保。"
        yield (
            zh
            if lang == "zh"
            else "No cosigner that you trust: that the log has no fork rests on its own word."
        )


def verdict(check: VolumeCheck, only: str, lang: str) -> str:
    """The last line: whether all holds, how the reports stand, the first fault by name, and what nobody can know offline."""
    return _verdict_zh(check, only) if lang == "zh" else _verdict_en(check, only)


def _verdict_zh(check: VolumeCheck, only: str) -> str:
    demo = "【演示数据】" if check.is_demo else ""
    if (failure := check.failure) is not None:
        where = (
            f"报告 {name_of(check.failed[0][0])}：" if check.failed and failure is check.failed[0][1] else ""
        )
        more = f"；共有 {len(check.failed)} 份报告不成立" if len(check.failed) > 1 else ""
        return f"{demo}核验没有通过：{where}{failure.sentence_zh.rstrip('。')}{more}。"
    states = "、".join(
        f"{zh} {check.standings[word]} 份" for word, (zh, _) in STANDINGS.items() if check.standings[word]
    )
    what = f"报告 {only} " if only else f"{scope_words(check)[0]}：{check.checked} 份报告"
    rest = "别的报告没有核验；" if only else ""
    if check.left_out and not only:
        rest += f"另有 {check.left_out} 份列在清单里，没有随包，没有核验；"
    if check.is_incomplete:
        rest += "没有平台的齐全声明，少没少看不出来；"
    return f"{demo}{what}全部成立（{states}）；{rest}此后有没有撤回或换版、纸面是否一致，须联网或核对。"


def _verdict_en(check: VolumeCheck, only: str) -> str:
    demo = "[demonstration data] " if check.is_demo else ""
    if (failure := check.failure) is not None:
        where = (
            f"report {name_of(check.failed[0][0])}: "
            if check.failed and failure is check.failed[0][1]
            else ""
        )
        more = f"; {len(check.failed)} reports do not hold" if len(check.failed) > 1 else ""
        return f"{demo}Verification failed: {where}{failure.sentence_en.rstrip('.')}{more}."
    states = ", ".join(
        f"{check.standings[word]} {en}" for word, (_, en) in STANDINGS.items() if check.standings[word]
    )
    what = f"report {only}" if only else f"{scope_words(check)[1]}: {check.checked} reports"
    rest = "the other reports were not checked; " if only else ""
    if check.left_out and not only:
        rest += f"{check.left_out} more are listed, not in the volume and not checked; "
    if check.is_incomplete:
        rest += "no statement of completeness, so a missing report would not be noticed; "
    return f"{demo}{what} hold ({states}); {rest}later withdrawals or versions, and whether paper agrees, must be asked online or compared."
