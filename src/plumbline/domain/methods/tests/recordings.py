"""Real recordings and known answers that lie beside the repository, and worked cases that lie within it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.domain.methods.curve import Series, series_of
from plumbline.domain.methods.rebar_tension.curve import TensionCurve

SHARED = Path(__file__).resolve().parents[6] / "shared"
CONCRETE = SHARED / "data" / "bam_lebedigital_concrete"
KSI_MPa = 6.894757293168


def known_answers(name: str) -> Any:
    """Known answers by file name; skips where the folder beside the repository is absent."""
    path = SHARED / "methods" / "known" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"known answers {name} are not beside this checkout (../shared/methods)")
    return json.loads(path.read_text(encoding="utf-8"))


def recorded(folder: str) -> Path:
    """A folder of recordings; skips where it is absent."""
    path = SHARED / "data" / folder
    if not path.exists():
        pytest.skip(f"recordings {folder} are not beside this checkout (../shared/data)")
    return path


def concrete_curves(prefix: str) -> Iterator[tuple[str, Series]]:
    """Concrete recordings whose name starts with ``prefix``: name, force in kN over seconds."""
    for path in sorted((recorded("bam_lebedigital_concrete") / "curves").glob(f"{prefix}*.csv")):
        columns = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        yield path.stem, series_of(columns[:, 0], columns[:, 1])


def tension_curves() -> dict[str, TensionCurve]:
    """Every steel recording by its name in the known answers."""
    curves = {}
    for path in sorted(recorded("ufmg_steel").glob("*.tsv")):
        rows = [
            line.replace(",", ".").split("\t") for line in path.read_text().splitlines()[1:] if line.strip()
        ]
        columns = np.array(rows, dtype=np.float64)
        curves[f"ufmg/{path.stem}"] = TensionCurve(stress_MPa=columns[:, 1], strain=columns[:, 0])
    for path in sorted(recorded("lucas_steel").glob("*.csv")):
        time_s, extension_m, force_N = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
        curves[f"lucas/{path.stem}"] = TensionCurve(
            stress_MPa=force_N / (np.pi * 25),
            strain=extension_m / 0.075,
            time_s=time_s,
            extensometer="machine" not in path.stem,
        )
    for path in sorted(recorded("matcal_304L_ASTME8").glob("*.dat")):
        columns = np.loadtxt(path, delimiter=",", skiprows=1)
        curves[f"304L_E8/{path.stem.removeprefix('cleaned_')}"] = TensionCurve(
            stress_MPa=columns[:, 4] * KSI_MPa, strain=columns[:, 3], time_s=columns[:, 0]
        )
    return curves


def worked_cases(method: str) -> list[Any]:
    """The cases of a method's ``cases.toml``, each a pytest parameter named by what it shows."""
    text = (files(f"plumbline.domain.methods.{method}") / "cases.toml").read_text(encoding="utf-8")
    return [pytest.param(case, id=case["shows"]) for case in tomllib.loads(text)["case"]]
