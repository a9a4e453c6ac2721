"""Positions order the entries of all epochs and are never given twice (日志位置)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.evidence.position import EPOCH_SPAN, MAX_EPOCH, place_of, place_text, position_of

_PLACES = st.tuples(st.integers(1, MAX_EPOCH), st.integers(0, EPOCH_SPAN - 1))


@given(_PLACES, _PLACES)
def test_positions_order_as_epoch_and_index_do(one, other) -> None:
    assert (position_of(*one) < position_of(*other)) == (one < other)
    assert place_of(position_of(*one)) == one
    assert position_of(*one) < 2**53


def test_in_the_first_epoch_a_position_is_the_index() -> None:
    assert [position_of(1, n) for n in (0, 7, 12345)] == [0, 7, 12345]
    assert (place_text(7), place_text(position_of(2, 7))) == ("7", "2-7")


@pytest.mark.parametrize("place", [(0, 0), (1, -1), (1, EPOCH_SPAN), (MAX_EPOCH + 1, 0)])
def test_what_is_no_place_has_no_position(place) -> None:
    with pytest.raises(ValueError, match="no position"):
        position_of(*place)
