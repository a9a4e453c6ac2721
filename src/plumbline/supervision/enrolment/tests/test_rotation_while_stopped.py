"""Whoever still holds a key of a suspended organisation gets no new one with it (停用期间不轮换)."""

from __future__ import annotations

import pytest

from plumbline.supervision.pages import preview

preview.configure()
from plumbline.supervision.enrolment import services  # noqa: E402 (settings first)


def test_a_key_of_a_suspended_organisation_is_not_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "stopped", lambda party: "整改期间" if party == "p" else "")
    key = services.OwnKey(id="k", party="p", algorithm="ed25519", use="transport", public_key=b"")
    with pytest.raises(services.FormRefused, match="整改期间"):
        services.rotate(None, "密钥 k", key, {})  # type: ignore[arg-type]
