"""All hostile files of a run (造文件), in rounds from a seed until there are enough; the same file is never counted twice."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from plumbline.drill.hostile_pdf import forgeries, noise, structures, updates
from plumbline.drill.hostile_pdf.case import Case
from plumbline.drill.hostile_pdf.workshop import Workshop

Builder = Callable[[Workshop, random.Random], list[Case]]

#: Other files in every round.
VARIED: tuple[Builder, ...] = (
    updates.incremental,
    updates.tails,
    updates.certification,
    updates.covering,
    updates.metadata,
    forgeries.ranges,
    forgeries.contents,
    forgeries.wrapping,
    forgeries.attributes,
    forgeries.signers,
    forgeries.lawful,
    noise.flips,
    noise.cuts,
    noise.polyglots,
)
#: Made once.
FIXED: tuple[Builder, ...] = (
    updates.shadow,
    forgeries.digests,
    structures.active,
    structures.encrypted,
    structures.statements,
    structures.lists,
    structures.loops,
    structures.bombs,
)


def hostile(shop: Workshop, count: int, seed: int, *, large: bool = True) -> Iterator[Case]:
    """`count` different files."""
    dice = random.Random(seed)  # noqa: S311 -- reproducible on purpose
    seen: set[bytes] = set()
    builders = [*FIXED, *((structures.large_bombs,) if large else ()), *VARIED]
    while True:
        for builder in builders:
            for case in builder(shop, dice):
                digest = hashlib.sha256(case.data).digest()
                if digest in seen:
                    continue
                seen.add(digest)
                yield case
                if len(seen) == count:
                    return
        builders = list(VARIED)


def by_class(shop: Workshop, seed: int) -> dict[str, list[Case]]:
    """One round of every class."""
    dice = random.Random(seed)  # noqa: S311 -- reproducible on purpose
    found: dict[str, list[Case]] = {}
    for builder in (*FIXED, *VARIED):
        for case in builder(shop, dice):
            found.setdefault(case.family, []).append(case)
    return found


def some_of_each(classes: Mapping[str, Sequence[Case]], seed: int, most: int = 3) -> list[Case]:
    """A small choice: up to `most` of every class, drawn by the seed."""
    dice = random.Random(seed)  # noqa: S311 -- reproducible on purpose
    return [case for cases in classes.values() for case in dice.sample(cases, min(len(cases), most))]
