"""A signed report and its verifier, made once (测试用的签章报告)."""

from __future__ import annotations

from datetime import datetime

import pytest

from plumbline.exchange.handbook.example_cast import USCC
from plumbline.lab.keys import DemoAuthority, InstitutionKeys
from plumbline.lab.reporting.render import render_report
from plumbline.lab.reporting.samples import sample_document
from plumbline.lab.reporting.sign import sign_report
from plumbline.sdk.tests.bundle_story import NAMES, SIGNED_AT, Story, Verifier


@pytest.fixture(scope="session")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> DemoAuthority:
    return DemoAuthority.create(tmp_path_factory.mktemp("bundle-root") / "root")


@pytest.fixture(scope="session")
def signed_by(_authority: DemoAuthority, tmp_path_factory: pytest.TempPathFactory):
    """Role of a party, instant → a report signed by it then, under the one root."""
    made: dict[tuple[str, datetime], bytes] = {}

    def sign(role: str, signed_at: datetime = SIGNED_AT) -> bytes:
        if (role, signed_at) not in made:
            folder = tmp_path_factory.mktemp("bundle-keys") / "keys"
            keys = InstitutionKeys.create_demo(folder, NAMES[role], USCC[role], authority=_authority)
            printed = render_report(sample_document())
            made[role, signed_at] = sign_report(printed, keys, signed_at=signed_at)
        return made[role, signed_at]

    return sign


@pytest.fixture
def story(signed_by) -> Story:
    return Story(signed_by("institution"))


@pytest.fixture(scope="session")
def verifier(_authority: DemoAuthority) -> Verifier:
    return Verifier([_authority.as_trust_root()])
