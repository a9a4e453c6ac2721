"""Entries of a bundle that a wrong clock has dated (走错的时钟): the correction in the bundle says which they are."""

from __future__ import annotations

from plumbline.evidence.position import place_text, position_of
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.sdk.bundle.check import Step, failed, note
from plumbline.sdk.bundle.records import Record, Records


def corrected_steps(records: Records, operator: str | None) -> list[Step]:
    """A remark for every correction that names entries of this bundle; a failing step for one that says what its receipt does not."""
    steps = []
    for record, told in records.of(ClockCorrected):
        place = position_of(*record.order)
        if (told.position, told.corrected_to, told.sender) != (place, record.receipt.logged_at, operator):
            zh = f"{record.label}：更正的位置或时间与它的回执不符，或不是平台作的。"
            en = f"{record.place}: the correction of the clock is not what its receipt proves, or not the platform's."
            steps.append(failed(f"entry:{record.place}", zh, en))
            continue
        dated = [each for each in records if told.wrong_from <= position_of(*each.order) < place]
        if dated:
            steps.append(_remark(record, dated, place))
    return steps


def _remark(record: Record, dated: list[Record], place: int) -> Step:
    labels = "、".join(each.label for each in dated[:5]) + ("等" if len(dated) > 5 else "")
    zh = (
        f"{labels} 共 {len(dated)} 条是按走错的时钟入账的，写的入账时间不可信；"
        f"日志第 {place_text(place)} 条由两个人更正到 {record.logged}。"
    )
    en = f"{len(dated)} entries were dated by a wrong clock, which entry {place_text(place)} of the log corrects."
    return note("clock", zh, en)
