"""The compiled contract (上链合同): committed as data, made by `contract/compile.js` from `contract/CheckpointAnchor.sol`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """What compiling gave, and from what."""

    compiler: str
    source_sha256: str
    abi: list[dict[str, Any]]
    #: hexadecimal, without 0x
    bytecode: str
    deployed: str
    #: signature → selector, 4 bytes in hexadecimal
    methods: dict[str, str]
    #: topic of the event, hexadecimal
    event: str


@cache
def artefact() -> Artefact:
    """The artefact that this version ships."""
    told = json.loads(resources.files(__package__).joinpath("contract/CheckpointAnchor.json").read_text())
    return Artefact(**{name: told[name] for name in Artefact.__dataclass_fields__})
