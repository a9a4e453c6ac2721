"""Tags that tell of a swap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.domain.basics.findings import Severity
from plumbline.domain.custody.tags import (
    ScannedTag,
    TagUse,
    foreign_sample,
    second_use,
    unissued_tag,
    wrong_tags,
)

T0 = datetime(2026, 3, 1, tzinfo=UTC)
EARLIER = [
    TagUse(tag="T1", sample="S2", used_at=T0 + timedelta(days=1)),
    TagUse(tag="T1", sample="S1", used_at=T0),
    TagUse(tag="T2", sample="S3", used_at=T0),
]


@pytest.mark.clause("CECS 4.3.4-1a")
def test_a_tag_on_a_second_sample_names_the_first():
    (finding,) = second_use("T1", "S9", T0 + timedelta(days=2), EARLIER)
    assert (finding.code, finding.severity) == ("custody.reused_tag", Severity.SEVERE)
    assert finding.facts["first_sample"] == "S1"


def test_reading_a_tag_again_for_its_own_sample_is_no_second_use():
    assert second_use("T2", "S3", T0, EARLIER) == ()
    assert second_use("T7", "S9", T0, EARLIER) == ()


def scanned(*tags: str, broken: str = "") -> list[ScannedTag]:
    return [ScannedTag(tag=tag, seal_intact=tag != broken) for tag in tags]


@pytest.mark.clause("BJ 7.1.2-g", "BJ 7.1.2-h")
@pytest.mark.parametrize(
    ("read", "codes"),
    [
        (scanned("A", "B", "C"), []),
        (scanned("C", "A", "B"), []),
        (scanned("A", "B"), ["custody.unscanned_tag"]),
        (scanned("A", "B", "C", "X"), ["custody.wrong_tag"]),
        (scanned("A", "B", "X"), ["custody.wrong_tag", "custody.unscanned_tag"]),
        (scanned("A", "B", "C", broken="B"), ["custody.broken_tag"]),
        ([], ["custody.unscanned_tag"]),
    ],
)
def test_every_tag_of_a_group_is_read_whole_and_right(read, codes):
    assert [finding.code for finding in wrong_tags("S1", ["A", "B", "C"], read)] == codes


def test_a_sample_of_another_project_is_told():
    assert foreign_sample("S1", "P1", "P1") == ()
    (finding,) = foreign_sample("S1", "P1", "P2")
    assert finding.code == "custody.foreign_sample"
    assert "P1" in finding.sentence
    assert "P2" in finding.sentence


@pytest.mark.parametrize(("issued_to", "words"), [(None, "没有领用记录"), ("P2", "领用于工程 P2")])
def test_a_tag_that_was_not_handed_out_to_the_project_is_told(issued_to, words):
    (finding,) = unissued_tag("T1", "P1", issued_to)
    assert words in finding.sentence


def test_a_tag_of_the_project_is_in_order():
    assert unissued_tag("T1", "P1", "P1") == ()
