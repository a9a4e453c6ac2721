"""From a masked row to the public page (验证页的组成): state, facts, detail. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.words import normalised
from plumbline.domain.reporting.code import format_code
from plumbline.supervision.config import Platform
from plumbline.supervision.pages.verification import (
    PublicAction,
    PublicFact,
    TechnicalDetail,
    VerificationPage,
    VerificationState,
    file_answer,
)

_STATES = {
    "reserved": VerificationState.RESERVED,
    "expired": VerificationState.UNUSED_EXPIRED,
    "withdrawn": VerificationState.WITHDRAWN,
    "superseded": VerificationState.SUPERSEDED,
}
_ROOT_WORDS = {"licensed": "正式根证书", "demo": "演示证书", "none": "不受信任"}
_VERDICT_NOTES = {"PASS": "合格", "FAIL": "不合格", "NOT_JUDGED": "不作判定", "VOID": "无效"}


def state_of(row: Mapping[str, Any]) -> VerificationState:
    """What the public is told of a code.

    Registered but not examined yet, examined and unsound, or sent with a shared secret alone, is never 真.
    """
    if row["state"] != "registered":
        return _STATES.get(row["state"], VerificationState.UNKNOWN)
    if not row["examined"]:
        return VerificationState.RESERVED
    if not row["accepted"]:
        return VerificationState.UNSOUND
    # With a shared secret the platform could have written it itself (PROTOCOL §3): no proof of the institution.
    if "hmac" in (row["application_attestation"], row["registration_attestation"]):
        return VerificationState.REGISTERED_ONLY
    return VerificationState.GENUINE_DEMO if row["root_kind"] == "demo" else VerificationState.GENUINE


def offers_document(row: dict[str, Any]) -> bool:
    """Whether the public may open the registered file: only one that passed its examination; any other may hold scripts."""
    return bool(row["pdf_sha256"]) and bool(row["examined"]) and bool(row["accepted"])


def typed_text(text: str) -> str:
    """What somebody typed into a form, as an entry holds it: browsers end lines with two characters, an entry with one."""
    return normalised(text.replace("\r\n", "\n"))


def unknown_page(typed: str, now: datetime, problem: str, platform: Platform) -> VerificationPage:
    """A code that nobody issued, or that was typed wrong; `problem` names the group that looks wrong."""
    detail = f"{problem}。或看看是不是别省的报告。" if problem else ""
    return VerificationPage(
        state=VerificationState.UNKNOWN, code=typed, judged_at=now, detail=detail, is_demo=platform.demo
    )


def page_of(
    row: dict[str, Any], names: dict[str, str], now: datetime, platform: Platform, *, withheld: str = ""
) -> VerificationPage:
    """The page of a known code; `withheld` says why the virus scan keeps its file from everybody."""
    state = state_of(row)
    shown = state not in (
        VerificationState.RESERVED,
        VerificationState.UNUSED_EXPIRED,
        VerificationState.UNKNOWN,
    )
    words = {"sampler": "取样", "witness": "见证"}
    return VerificationPage(
        state=state,
        code=format_code(row["code"]),
        judged_at=now,
        detail=_detail(row, state) + (f"原件不提供：{withheld}" if withheld and shown else ""),
        facts=_facts(row) if shown else (),
        participants="，".join(f"{words[role]} {name}" for role, name in names.items()) if shown else "",
        technical=_technical(row, platform) if shown else None,
        document_url=f"/v/{row['code']}/document" if shown and offers_document(row) and not withheld else "",
        actions=_actions(row, state),
        registered_claims=row["claims"] or "",
        claims_institution=row["institution_name"],
        complaint_office="衡川市质监站" if platform.demo else "",
        is_demo=platform.demo,
    )


def _detail(row: dict[str, Any], state: VerificationState) -> str:
    issued = (row["report"] or {}).get("issued_on") or ""
    day = (
        "{} 年 {} 月 {} 日".format(*(int(part) for part in issued.split("-")))
        if issued.count("-") == 2
        else ""
    )
    who = f"{row['institution_name']} {day}签发。"
    if state in (VerificationState.GENUINE, VerificationState.GENUINE_DEMO):
        demo = (
            "签章用的是演示证书，只供演示，不能用于工程。" if state is VerificationState.GENUINE_DEMO else ""
        )
        return f"{who}签发后内容没有改动，也没有撤回。{demo}"
    if state is VerificationState.WITHDRAWN:
        on = local_date(row["withdrawn_at"]).isoformat() if row["withdrawn_at"] else ""
        return f"{who}{on} 已撤回，原因：{row['withdrawn_because']}。"
    if state is VerificationState.UNSOUND:
        found = row["examination"] or [{"sentence": "签章没有通过查验"}]
        return f"机构登记的文件不能采用：{found[0]['sentence'].rstrip('。')}。请向监督机构反映。"
    if state is VerificationState.RESERVED and row["registration"]:
        return "报告已经登记，签章正在查验，通常不到一分钟。请稍后再看。"
    return ""


def _facts(row: dict[str, Any]) -> tuple[PublicFact, ...]:
    sample, report = row["sample"] or {}, row["report"] or {}
    facts = [
        PublicFact(
            key="strength",
            label="检测结论",
            value=_headline_value(report) or report.get("conclusion_text", ""),
            note=f"{_VERDICT_NOTES.get(row['conclusion'], '')}。{report.get('conclusion_text', '')}",
        )
    ]
    if sample.get("grade"):
        facts.append(PublicFact(key="grade", label="设计等级", value=sample["grade"]))
    facts += [
        PublicFact(
            key="structural_part",
            label="工程部位",
            value=sample.get("structural_part") or "—",
            note=row["project_name"] or "",
        ),
        PublicFact(key="tested_on", label="签发日期", value=report.get("issued_on") or "—"),
        PublicFact(key="client", label="委托单位", value=row["client_name"] or "—"),
        PublicFact(key="number", label="报告编号", value=row["number"]),
    ]
    return tuple(facts)


def _headline_value(report: dict[str, Any]) -> str:
    for parameter in report.get("parameters") or []:
        values = [v for v in parameter["values"] if v.get("value") is not None]
        chosen = next((v for v in values if v["symbol"] == "value"), None)
        if chosen:
            return f"{chosen['name']} {chosen['value']} {chosen.get('unit') or ''}".strip()
        if values:
            return "，".join(f"{v['name']} {v['value']} {v.get('unit') or ''}".strip() for v in values[:3])
    return ""


def _technical(row: dict[str, Any], platform: Platform) -> TechnicalDetail:
    receipt = (
        f"/x/v1/receipts/{row['institution']}/{row['registration_uid']}" if row["registration_uid"] else None
    )
    return TechnicalDetail(
        sha256=row["pdf_sha256"] or "",
        document_bytes=row["pdf_bytes"],
        signer=row["signer"] or "",
        root_kind=_ROOT_WORDS.get(row["root_kind"] or "none", ""),
        log_origin=platform.origin,
        log_index=row["registration_idx"],
        receipt_url=receipt,
        verify_command=f"plumbline verify {row['number']}.zip" if receipt else "",
    )


def _actions(row: dict[str, Any], state: VerificationState) -> tuple[PublicAction, ...]:
    actions = []
    if row["pdf_sha256"] and state is not VerificationState.RESERVED:
        actions.append(
            PublicAction(
                label="看取样到报告的全过程",
                icon="package-import",
                url=f"/reports/{row['application']}/",
                is_essential=False,
            )
        )
    if state is VerificationState.SUPERSEDED and row["replaced_by"]:
        actions.insert(
            0, PublicAction(label="看新版", icon="history", url=f"/v/{row['replaced_by']}", is_primary=True)
        )
    return tuple(actions)


def check_answer(row: dict[str, Any] | None, sha256: str) -> dict[str, object]:
    """The JSON for a file's hash held against a code: registered bytes and in force, other bytes, or the state of the report."""
    if row is None:
        return file_answer(VerificationState.UNKNOWN)
    state = state_of(row)
    if not row["pdf_sha256"] or state in (VerificationState.RESERVED, VerificationState.UNSOUND):
        return file_answer(state, detail=_detail(row, state))
    if row["pdf_sha256"] != sha256:
        return file_answer(VerificationState.CHANGED)
    return file_answer(state, detail=_detail(row, state))
