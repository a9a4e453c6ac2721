"""What the tags of a sample tell: used twice, wrong, broken, of another project (样品标识)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from plumbline.domain.basics.calendar import local_text
from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUse:
    """One earlier use of a tag on a specimen."""

    tag: str
    sample: str
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedTag:
    """One tag read at the reception window, with its seal as the receiver saw it."""

    tag: str
    seal_intact: bool


@carries_out("CECS 4.3.4-1a", "BJ 7.1.2-a")
def second_use(tag: str, sample: str, used_at: datetime, earlier: Iterable[TagUse]) -> tuple[Finding, ...]:
    """A tag that stood on another sample before (标识重复使用); the same sample again is no use."""
    others = [use for use in earlier if use.tag == tag and use.sample != sample]
    if not others:
        return ()
    first = min(others, key=lambda use: use.used_at)
    return (
        Finding(
            code="custody.reused_tag",
            clause="CECS 4.3.4-1a",
            sentence=f"标识 {tag} 已于 {local_text(first.used_at)} 用于样品 {first.sample}，"
            f"又用于样品 {sample}",
            severity=Severity.SEVERE,
            facts={
                "tag": tag,
                "sample": sample,
                "used_at": local_text(used_at),
                "first_sample": first.sample,
                "first_used_at": local_text(first.used_at),
            },
            remedy="一个标识只用于一件样品：请核对实物，并为后一件样品更换新标识",
        ),
    )


@carries_out("BJ 7.1.2-g", "BJ 7.1.2-h", "CECS 4.3.4-1c")
def wrong_tags(
    sample: str, registered: Collection[str], scanned: Collection[ScannedTag]
) -> tuple[Finding, ...]:
    """Differences between the tags registered for a sample and those read at reception (逐个验样)."""
    read = [scan.tag for scan in scanned]
    cases = (
        ("custody.wrong_tag", [t for t in read if t not in registered], "收样扫到的标识不属于该样品"),
        ("custody.unscanned_tag", [t for t in registered if t not in read], "登记的标识收样时没有扫到"),
        ("custody.broken_tag", [s.tag for s in scanned if not s.seal_intact], "标识或封志破损"),
    )
    return tuple(
        Finding(
            code=code,
            clause="BJ 7.1.2-g" if code == "custody.unscanned_tag" else "BJ 7.1.2-h",
            sentence=f"样品 {sample} 登记 {len(registered)} 件、扫到 {len(read)} 件，"
            f"{what}：{'、'.join(tags)}",
            severity=Severity.SEVERE,
            facts={"sample": sample, "tags": "、".join(tags)},
            remedy="不予收样：请退回并通知见证人，核对实物与登记后重新送检",
        )
        for code, tags, what in cases
        if tags
    )


@carries_out("CECS 3.0.3")
def foreign_sample(sample: str, sample_project: str, commission_project: str) -> tuple[Finding, ...]:
    """A sample of one project handed in under the commission of another (串样)."""
    if sample_project == commission_project:
        return ()
    return (
        Finding(
            code="custody.foreign_sample",
            clause="BJ 7.1.2-h",
            sentence=f"样品 {sample} 属于工程 {sample_project}，却列在工程 {commission_project} 的委托单中",
            severity=Severity.SEVERE,
            facts={
                "sample": sample,
                "sample_project": sample_project,
                "commission_project": commission_project,
            },
            remedy="请核对样品标识与委托单，样品只能在其所属工程的委托下检测",
        ),
    )


@carries_out("CECS 4.3.4-1a")
def unissued_tag(tag: str, project: str, issued_to: str | None) -> tuple[Finding, ...]:
    """A tag that was handed out to another project, or to none (标识未领用)."""
    if issued_to == project:
        return ()
    told = f"领用于工程 {issued_to}" if issued_to else "没有领用记录"
    return (
        Finding(
            code="custody.unissued_tag",
            clause="CECS 4.3.4-1a",
            sentence=f"标识 {tag} {told}，却用在工程 {project} 的样品上",
            severity=Severity.WARNING,
            facts={"tag": tag, "project": project, "issued_to": issued_to or ""},
            remedy="请核对标识来源；确属本工程领用的，请补登记领用记录",
        ),
    )
