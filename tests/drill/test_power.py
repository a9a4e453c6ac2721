"""A slice of `plumbline drill power` on a real file system that forgets, and the bugs that only such a one shows (断电演练)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.drill.kill.invariants import check
from plumbline.drill.kill.ledger import Ledger
from plumbline.drill.kill.moments import Moments
from plumbline.drill.kill.power import NoFuse, PowerCuts, lossy_folders
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import Load

pytestmark = [pytest.mark.service, pytest.mark.fuse]


@pytest.fixture
def site(quiet_platform) -> Iterator[Site]:
    made = Site(quiet_platform.platform)
    made.enrol()
    yield made
    made.stop()


@pytest.fixture
def mounted(site: Site) -> Iterator[Path]:
    """The platform's folders on a lossy file system."""
    try:
        with lossy_folders(site) as folder:
            yield folder
            site.stop()
    except NoFuse as absent:
        pytest.skip(f"no power cuts: {absent}")


def uploaded(
    site: Site, mounted: Path, uploads: int, cuts: PowerCuts | None = None
) -> tuple[Ledger, Moments]:
    """What was sent by four clients, and what a cut would have left all the while."""
    ledger = cuts.ledger if cuts else Ledger()
    moments = Moments.under(mounted, ledger)
    moments.start()
    load = Load(site, ledger, uploads, clients=4, files_each=2)
    load.start()
    if cuts:
        cuts.during(load, limit=2)
    while load.is_running:
        site.tend()
    moments.stop()
    return ledger, moments


@pytest.mark.clause("BJ 4.1.7-a")
def test_what_was_acknowledged_outlives_a_power_cut_at_any_moment(site: Site, mounted: Path) -> None:
    site.start()
    cuts = PowerCuts(site, mounted, random.Random(7), (0.1, 0.4), ledger=Ledger())
    cuts.after_each_step(["file.after_rename"])
    ledger, moments = uploaded(site, mounted, 80, cuts)
    site.wait_back()
    verdict = check(site, ledger, projection=False)
    assert cuts.broken + moments.broken + verdict.broken == []
    assert cuts.cuts >= 2 and moments.counted >= 15
    assert verdict.files >= 40


@pytest.mark.parametrize(
    ("bug", "told"),
    [
        ("no-fsync", "文件"),
        ("mark-name-not-synced", "水位"),
        ("subject-key-not-synced", "主体密钥"),
    ],
)
def test_a_moment_finds_what_was_not_made_durable(site: Site, mounted: Path, bug: str, told: str) -> None:
    site.bugs = {"gateway-0": bug}
    site.start(gateways=1)
    _, moments = uploaded(site, mounted, 24)
    assert any(told in each for each in moments.broken), moments.broken


def test_a_cut_finds_a_name_that_another_process_left_to_the_kernel(site: Site, mounted: Path) -> None:
    site.bugs = {"gateway-0": "name-not-synced"}
    site.start(gateways=1)
    cuts = PowerCuts(site, mounted, random.Random(7), ledger=Ledger())
    cuts.after_each_step(["file.after_rename"])
    assert "file.after_rename 被击杀、重发得到答复、断电之后" in "".join(cuts.broken)
