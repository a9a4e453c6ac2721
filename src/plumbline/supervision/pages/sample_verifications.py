"""Invented public verification pages, one of every state (公众验证页示例)."""

from __future__ import annotations

from plumbline.exchange.masks import masked_name
from plumbline.supervision.pages.samples import CODE, NUMBER, ROOT, _at
from plumbline.supervision.pages.verification import (
    CodeEntryPage,
    ComplaintPage,
    Difference,
    PublicAction,
    PublicFact,
    TechnicalDetail,
    VerificationPage,
    VerificationState,
)

WITHOUT_FACTS = {VerificationState.UNKNOWN, VerificationState.UNREACHABLE}
WITHOUT_DOCUMENT = WITHOUT_FACTS | {
    VerificationState.RESERVED,
    VerificationState.UNSOUND,
    VerificationState.UNUSED_EXPIRED,
    VerificationState.WITHHELD,
}


def _facts() -> tuple[PublicFact, ...]:
    return (
        PublicFact(
            key="strength", label="检测结论", value="混凝土强度 39.3 MPa", note="达到设计等级 C35 的 112 %"
        ),
        PublicFact(key="grade", label="设计等级", value="C35", is_essential=False),
        PublicFact(key="project", label="工程", value="锦绣花园二期 5#楼"),
        PublicFact(key="part", label="部位", value="主体 12 层剪力墙"),
        PublicFact(key="date", label="签发日期", value="2026-11-20", is_essential=False),
        PublicFact(key="client", label="委托单位", value="衡川建工集团", is_essential=False),
        PublicFact(key="number", label="报告编号", value=NUMBER, is_code=False),
    )


def _technical(state: VerificationState) -> TechnicalDetail:
    demo = state is VerificationState.GENUINE_DEMO
    return TechnicalDetail(
        sha256="3b" * 32,
        document_bytes=182_044,
        signer="衡川诚测检测有限公司 检测专用章",
        root_kind="演示证书" if demo else "正式根证书",
        log_origin="demo.hengchuan.example/log",
        log_index=1_284_619,
        checkpoint_size=1_284_702,
        checkpoint_at=_at("2026-11-20 10:20"),
        root=ROOT,
        cosigners=("省厅", "临渠市"),
        receipt_url=f"/v/{CODE.replace('-', '')}/receipt",
        verify_command="plumbline verify report.plumb --roots roots.txt",
    )


def _actions(state: VerificationState) -> tuple[PublicAction, ...]:
    actions: list[PublicAction] = []
    if state is VerificationState.SUPERSEDED:
        actions.insert(0, PublicAction(label="看新版", icon="history", url="/v/NEW", is_primary=True))
    actions.append(
        PublicAction(label="看取样到报告的全过程", icon="package", url="/reports/x/", is_essential=False)
    )
    return tuple(actions)


def sample_verification(state: VerificationState, *, claims: str = "") -> VerificationPage:
    """Return the public page in the given state; ``claims`` is the registered fragment, if any."""
    has_facts, has_document = state not in WITHOUT_FACTS, state not in WITHOUT_DOCUMENT
    genuine = state is VerificationState.GENUINE
    return VerificationPage(
        state=state,
        code=CODE,
        judged_at=_at("2026-11-21 14:52"),
        detail="衡川诚测检测有限公司 2026 年 11 月 20 日签发。签发后内容没有改动，也没有撤回。"
        if genuine
        else "",
        facts=_facts() if has_facts else (),
        participants=f"取样 {masked_name('王海涛')}，见证 {masked_name('陈立国')}" if has_document else "",
        participants_note="3 块试件从工地到试验都有签名记录" if has_document else "",
        technical=_technical(state) if has_document else None,
        document_url="document.pdf" if has_document else "",
        actions=_actions(state) if has_document else (),
        differences=(
            (
                Difference(
                    label="达到 C40 的百分比", registered="34.8 MPa", presented="43.8 MPa", place="第 2 页"
                ),
            )
            if state is VerificationState.CHANGED
            else ()
        ),
        complaint_office="衡川市质监站",
        registered_claims=claims,
        claims_institution="衡川诚测检测有限公司",
        problem_number="V-2611-0482" if state is VerificationState.CHANGED else "",
        is_demo=state is VerificationState.GENUINE_DEMO,
    )


def sample_complaint() -> ComplaintPage:
    """Return the answer to a complaint."""
    return ComplaintPage(
        code=CODE,
        number="V-2611-0483",
        logged_at=_at("2026-11-21 14:55"),
        log_index=1_284_900,
        receipt_url="/receipts/1284900",
        office="衡川市质监站",
    )


def sample_code_entry(problem: str = "") -> CodeEntryPage:
    """Return the code entry page, with or without a problem."""
    return CodeEntryPage(typed="2611-HCA-K7QM" if problem else "", problem=problem)
