"""Formats: thin spaces, Shanghai time, masked names, shortened digests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plumbline.web import formats


def test_an_instant_is_written_in_shanghai_time() -> None:
    instant = datetime(2026, 11, 19, 16, 30, 5, tzinfo=UTC)
    assert formats.local_time(instant) == "2026-11-20 00:30"
    assert formats.local_time(instant, "second") == "2026-11-20 00:30:05"
    assert formats.local_time(instant, "day") == "2026-11-20"
    assert formats.local_time(instant, "short") == "11-20 00:30"
    assert formats.local_time(None) == ""


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="时区"):
        formats.local_time(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1\u2009000"),
        (1284619, "1\u2009284\u2009619"),
        (-1000, "\u22121\u2009000"),
    ],
)
def test_a_number_is_grouped_by_thin_spaces(number: int, text: str) -> None:
    assert formats.grouped_number(number) == text


def test_a_digest_is_shortened_only_when_long() -> None:
    assert formats.short_hash("9F3C7A10" + "0" * 48 + "e4d8b27e") == "9f3c 7a10 … e4d8 b27e"
    assert formats.short_hash("abcd") == "abcd"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KB"), (1048575, "1024 KB"), (1048576, "1.0 MB")],
)
def test_a_file_size_is_written_with_its_unit(size: int, text: str) -> None:
    assert formats.file_size(size) == text


def test_a_unit_stays_with_its_number() -> None:
    assert formats.rule_spacing("39.3 MPa，为 C35 的 112 %") == "39.3\u00a0MPa，为 C35 的 112\u00a0%"
