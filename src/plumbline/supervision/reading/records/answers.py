"""The three answers about one sample or test (样品、试验的三个回答): who vouches for the record, the result, the way it came about."""

from __future__ import annotations

from plumbline.supervision.pages.view_models import Answer, VerdictBlock
from plumbline.supervision.pages.wording import ProofState, Tone
from plumbline.supervision.reading import verdicts
from plumbline.supervision.reading.database import Row
from plumbline.supervision.reading.records.desk import Desk


def answers(
    desk: Desk, record: Row, found: list[Row], said: verdicts.Reported | None, *, why: str = ""
) -> VerdictBlock:
    """``said``: what a report says of it; without one there is no result yet, whatever was measured."""
    result = (
        verdicts.result_answer(said, why)
        if said
        else Answer(tone=Tone.OFF, headline="还没有报告", detail=why or "登记了报告以后，结果在这里。")
    )
    unique = {(each["code"], each["sentence"]): each["severity"] for each in found}
    return VerdictBlock(
        authenticity=_authenticity(desk, record),
        result=result,
        process=verdicts.process_answer(
            list(unique.values()), is_visible=desk.principal.sees_unconfirmed_findings
        ),
    )


def _authenticity(desk: Desk, record: Row) -> Answer:
    """真伪 of a record: whose signature it carries, and whether it is in the log."""
    state = desk.proof(record).state
    who = desk.party(record["sender"])
    if state is ProofState.UNSIGNED:
        return Answer(
            tone=Tone.WARN, headline="人工录入，没有机器签名", detail=f"由{who}报送，证明不了出自哪台设备。"
        )
    if state is ProofState.SYMMETRIC:
        return Answer(tone=Tone.WARN, headline="对称签名，不能向第三方证明", detail=f"由{who}报送。")
    signed = {
        "origin": "源头签名",
        "transport": "传输签名",
        "session": "平台代录",
        "internal": "平台签名",
    }.get(record["attestation"], "签名")
    if state is ProofState.LOGGED:
        return Answer(tone=Tone.OK, headline="记录已存证", detail=f"{who}{signed}，入账后没有改动。")
    return Answer(tone=Tone.TODO, headline="等检查点覆盖", detail=f"{who}{signed}，通常不到 1 分钟。")
