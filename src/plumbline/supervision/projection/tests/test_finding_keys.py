"""Keys of findings (发现的键): the standard's own, so that a rebuild by any version gives the same."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from plumbline.supervision.projection.arrival import uuid5_text


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_key_is_the_uuid5_of_the_standard_library(namespace: uuid.UUID, name: str) -> None:
    assert uuid5_text(namespace, name) == str(uuid.uuid5(namespace, name))
