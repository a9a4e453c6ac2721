"""What outsiders say of the time (外部证据的时间): they keep their own clocks, so that a correction to a time before theirs is a false one.

Cosigners, time-stamp authorities and chains state when they were given a checkpoint, and so when its entries were there at the latest.
An operator who puts all clocks of his own back cannot put back theirs. Who of them is no outsider the operator's lists say; one that is
no longer on a list counts as an outsider.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from plumbline.domain.basics.calendar import local_text
from plumbline.supervision.journal.clock import CORRECTED_WITHIN, MAX_STEP_BACK
from plumbline.supervision.journal.cosigners import known_cosigners
from plumbline.supervision.journal.stamping import SOURCES

#: So long after a correction a cosigner may still sign what stood before it; what comes later than that is named.
_LATE = CORRECTED_WITHIN + MAX_STEP_BACK
#: A cosigner is asked every second: so long behind it is not, but where all that would have shown it the correction stood still.
_TOO_LATE = timedelta(hours=1)
#: A stamp waits for cosigners, an anchor for a block, and both for their turn, which may be days: theirs is never more than named.
_LATER = timedelta(hours=2)
_WORDS = {"cosignature": "联署", "stamp": "时间戳", "anchor": "上链"}
#: Evidence of checkpoints of this log; `epoch` is null for the closing of one.
_EVIDENCE = """
SELECT kind, name, by, size, at, CASE WHEN place ~ '^[0-9]{1,9}$' THEN place::int END AS epoch
  FROM (SELECT 'cosignature' AS kind, name, key_id AS by, size, cosigned_at AS at, origin FROM journal.cosignature
        UNION ALL SELECT 'stamp', name, '', size, stamped_at, origin FROM journal.stamp
        UNION ALL SELECT 'anchor', name, '', size, anchored_at, origin FROM journal.anchor) every,
       LATERAL (SELECT substr(origin, length(%(log)s) + 2) AS place) p
 WHERE starts_with(origin, %(log)s || '/') AND kind || ' ' || name <> ALL (%(inside)s)
"""
#: A chain may be run by hosts whose clocks went wrong together with ours, and no list says so: nobody is held up by it.
_LAST = f"SELECT kind, name, size, at FROM ({_EVIDENCE}) e WHERE kind <> 'anchor' ORDER BY at DESC LIMIT 1"
_COVERS = "(e.epoch > %(epoch)s OR e.epoch = %(epoch)s AND e.size > %(index)s)"
_FIRST = f"SELECT kind, name, size, at FROM ({_EVIDENCE}) e WHERE {_COVERS} ORDER BY at LIMIT 1"
#: What was said of older entries, later than it should have been. Who had seen the correction before speaks of older ones late, and does
#: not object; nobody else's word takes an objection back, for a word of an unknown name costs nothing.
_AGAINST = f"""
SELECT kind, name, size, at FROM ({_EVIDENCE}) e
 WHERE (e.epoch < %(epoch)s OR e.epoch = %(epoch)s AND e.size <= %(index)s)
   AND e.at > CASE WHEN kind = 'cosignature' THEN %(late)s::timestamptz ELSE %(later)s::timestamptz END
   AND NOT EXISTS (SELECT 1 FROM ({_EVIDENCE}) c WHERE (c.kind, c.name, c.by) = (e.kind, e.name, e.by) AND c.at <= e.at
                      AND (c.epoch > %(epoch)s OR c.epoch = %(epoch)s AND c.size > %(index)s))
 ORDER BY at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """Who said at what time that so many entries were there."""

    kind: str
    name: str
    size: int
    at: datetime

    def __str__(self) -> str:
        """For people."""
        return f"{_WORDS[self.kind]} {self.name} 对 {self.size} 条（{local_text(self.at)}）"


def inside(marks: Path) -> frozenset[tuple[str, str]]:
    """Kind and name of those on the operator's lists that he runs himself."""
    own = {("cosignature", each.name) for each in known_cosigners(marks)[0] if not each.external}
    return frozenset(own | {("stamp", each.name) for each in SOURCES.known(marks)[0] if not each.external})


class Outside:
    """What outsiders say of one log."""

    def __init__(self, conn: psycopg.Connection, log: str, own: frozenset[tuple[str, str]]) -> None:
        self._conn = conn
        self._asked = {"log": log, "inside": [f"{kind} {name}" for kind, name in own]}

    def last(self) -> Witnessed | None:
        """The latest that any of them said."""
        return self._one(_LAST)

    def for_(self, place: tuple[int, int]) -> str:
        """Who bears out that the correction at (epoch, index) was there, in one sentence."""
        covered = self._covered(place)
        if covered is None:
            return "没有外部证据说明更正时的时间，单凭日志看不出更正得对不对"
        return f"最早的外部证据是{covered}"

    def against(self, place: tuple[int, int], corrected_to: datetime) -> str:
        """Why the time of the correction at (epoch, index) cannot be right: a cosigner had seen the log without it long after. Empty where
        none says so."""
        asked = {"late": corrected_to + _TOO_LATE, "later": None}
        found = self._one(_AGAINST, place, **asked)
        return f"更正到的时间早于外部证据：{found}那时还没有更正" if found else ""

    def doubt(self, place: tuple[int, int], corrected_to: datetime) -> str:
        """What somebody should look into, though it may be a late word of an honest one; empty where there is nothing."""
        asked = {"late": corrected_to + _LATE, "later": corrected_to + _LATER}
        found = self._one(_AGAINST, place, **asked)
        return f"，但{found}那时还没有更正，请查明是证据来得晚，还是更正到的时间太早" if found else ""

    def _covered(self, place: tuple[int, int]) -> Witnessed | None:
        return self._one(_FIRST, place)

    def _one(self, asked: str, place: tuple[int, int] = (0, 0), **more: datetime | None) -> Witnessed | None:
        told = self._asked | {"epoch": place[0], "index": place[1]} | more
        row = self._conn.execute(asked.encode(), told).fetchone()
        return Witnessed(*row) if row else None
