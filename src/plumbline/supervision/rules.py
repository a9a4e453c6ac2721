"""The parameters in force (规则参数): the TOML files beside the rules, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from plumbline.domain.basics.parameters import ParameterSet


@cache
def parameters() -> ParameterSet:
    """All dated, per-jurisdiction parameters that ship with the rules."""
    domain = files("plumbline.domain")
    return ParameterSet.load(
        domain / "custody" / "parameters.toml",
        domain / "reporting" / "parameters.toml",
        files("plumbline.supervision.access") / "security_profiles.toml",
        files("plumbline.supervision.enrolment") / "parameters.toml",
        files("plumbline.supervision.journal") / "parameters.toml",
    )
