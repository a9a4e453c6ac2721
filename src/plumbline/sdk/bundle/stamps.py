"""Time stamps in a bundle (报告包的时间戳): how many entries existed before when, and who attests it."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.evidence.proof import parse_proof
from plumbline.sdk.bundle.check import Step, failed, held, note
from plumbline.sdk.bundle.records import Record
from plumbline.sdk.timestamp.authority import StampAuthority
from plumbline.sdk.timestamp.findings import StampFinding, stamp_findings


def stamp_steps(proven: Sequence[Record], authorities: Sequence[StampAuthority]) -> list[Step]:
    """One step an authority; nothing when no checkpoint of the bundle was stamped."""
    known: dict[str, tuple[StampFinding, ...]] = {}
    found: dict[str, list[StampFinding]] = {}
    for record in proven:
        checkpoint = parse_proof(record.part.receipt.decode()).checkpoint_note
        if checkpoint not in known:
            known[checkpoint] = stamp_findings(checkpoint, authorities)
        for each in known[checkpoint]:
            found.setdefault(each.name, []).append(each)
    return [_step(name, stamps, len(proven)) for name, stamps in sorted(found.items())]


def _step(name: str, stamps: Sequence[StampFinding], entries: int) -> Step:
    wrong = next((each for each in stamps if each.standing != "holds"), None)
    if wrong is not None:
        make = failed if wrong.standing == "fails" else note
        return make(f"stamp.{name}", wrong.zh, wrong.en)
    last = max(stamps, key=lambda each: each.at.timestamp() if each.at else 0.0)
    if len(stamps) == entries:
        return held(f"stamp.{name}", f"时间戳：全部条目{last.zh}", f"Time stamp, all entries: {last.en}")
    rest = entries - len(stamps)
    zh = f"时间戳：{len(stamps)} 条{last.zh}其余 {rest} 条没有这家的时间戳。"
    return held(f"stamp.{name}", zh, f"Time stamp, {len(stamps)} entries: {last.en} {rest} have none of it.")
