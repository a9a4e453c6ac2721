"""Which code plants which pattern (植入登记), and the ground truth of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from plumbline.demo.chain import ChainResult
from plumbline.demo.living.drafts import Desk, generator
from plumbline.demo.living.frauds import curves, custody, institutions, records
from plumbline.demo.living.frauds.scenario import scenarios
from plumbline.demo.living.frauds.stage import Planted, Stage
from plumbline.demo.living.story import Story

PLANTERS: Final[Mapping[str, Callable[[Stage], None]]] = {
    "R01": records.no_record,
    "R02": curves.few_points,
    "R03": curves.copied_curve,
    "R04": curves.drawn_curve,
    "R05": records.altered_values,
    "R06": records.picked_results,
    "R07": custody.swapped_specimens,
    "R08": custody.reused_picture,
    "R09": records.early_break,
    "R10": records.signed_before,
    "R11": institutions.overlapping_tests,
    "R12": custody.two_places,
    "R13": custody.false_place,
    "R14": custody.entered_afterwards,
    "R15": custody.made_at_the_plant,
    "R16": custody.one_phone,
    "R17": custody.too_few_groups,
    "R18": records.uniform_strengths,
    "R19": records.copied_values,
    "R20": curves.hasty_loading,
    "R21": institutions.lapsed_machine,
    "R22": institutions.out_of_scope,
    "R24": institutions.unqualified_technician,
    "R26": institutions.third_institution,
    "R27": institutions.wrong_client,
    "R28": records.dropped_failure,
    "R29": records.untold_failure,
    "R34": institutions.sudden_uploads,
    "R35": records.typed_values,
    "R36": institutions.impossible_pace,
}


def with_frauds(
    desk: Desk, story: Story, patterns: Sequence[str] | None = None
) -> tuple[Story, list[Planted]]:
    """The story with every pattern planted once, or with those named; the honest reports stay as they were."""
    known = scenarios()
    planted: list[Planted] = []
    placed, sites = list(story.placed), list(story.records)
    for pattern in patterns if patterns is not None else PLANTERS:
        rng = generator(story.city.seed, "fraud", pattern)
        stage = Stage(desk, story, Planted(pattern, known[pattern].title), rng)
        PLANTERS[pattern](stage)
        placed += stage.placed
        sites += stage.records
        planted.append(stage.planted)
    return replace(story, placed=tuple(placed), records=tuple(sites)), planted


def planted_truth(planted: Sequence[Planted], results: Mapping[str, ChainResult]) -> list[dict[str, Any]]:
    """What a detector is judged by: pattern, actors, and the entries of every report that carries it out."""
    return [
        asdict(each)
        | {
            "entries": {
                key: dict(results[key].entries) | {"state": results[key].state}
                for key in each.keys
                if key in results
            }
        }
        for each in planted
    ]
