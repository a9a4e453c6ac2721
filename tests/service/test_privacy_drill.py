"""A slice of the privacy drill on the running platform (个人信息演练): people in by every door, a search, leaks that have to be found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.drill.privacy.course import Course
from plumbline.embedded.postgres import Cluster

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.mark.skipif(
    bool(os.environ.get("DATABASE_URL")), reason="the files of an external server are not ours to read"
)
def test_nothing_of_a_person_stands_anywhere_in_clear_and_planted_leaks_are_found(
    running_platform, tmp_path: Path
) -> None:
    platform = running_platform.platform
    running = Cluster(platform.data_dir).running()
    assert running is not None
    course = Course(
        platform=platform, url=running_platform.url, administrator=running.dsn(), seed=1, people=3, pages=6
    )
    course.run(tmp_path / "disk")
    assert course.broken == []
    assert course.counts["数据库报错"] == 240
    assert course.counts["找到的泄漏"] == course.counts["种下的泄漏"] == 6
    assert int(course.counts["姓名显示给有权的人"]) > 0 and int(course.counts["进来的门"]) >= 19
