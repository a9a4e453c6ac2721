"""The correction of a wrong clock (时钟更正的投影): which entries it dated, for whoever reads their times."""

from __future__ import annotations

from typing import cast

from plumbline.exchange.messages import platform as messages
from plumbline.supervision.projection.arrival import NotTakenOver, Projection
from plumbline.supervision.projection.handlers.standing import is_platform, refused


def correct(p: Projection) -> str:
    """A correction of the platform at the place that it speaks of; whether all of it holds is for the audit of the log."""
    m = cast(messages.ClockCorrected, p.arrival.message)
    place = (p.arrival.idx, p.arrival.logged_at)
    if not is_platform(p) or (m.position, m.corrected_to) != place or not 1 <= m.wrong_from < m.position:
        sentence = "时钟更正不是平台在它所说的那一条作的，没有采用"
        found = refused(
            "registry.misplaced_correction", "CECS 6.0.4", sentence, "查明是谁用平台密钥报送了这一条"
        )
        raise NotTakenOver(found, "party", p.arrival.sender)
    told = {"wrong_from": m.wrong_from, "last_wrong": m.last_wrong, "because": m.because}
    return p.put_object("clock_correction", told)


HANDLERS = {"clock.corrected": correct}
