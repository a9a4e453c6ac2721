"""Who may import whom: the contracts of `.importlinter` hold, are complete, and are proved able to fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import house_rules as rules
import pytest

CONTRACTS = rules.ROOT / ".importlinter"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter on the package `plumbline` that stands in `root`."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    arguments = ["--config", str(CONTRACTS), "--no-cache", "--no-logo"]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def plant(root: Path, files: dict[str, str]) -> Path:
    """A small tree of the same shape, with the modules given as `name.of.module: text`."""
    for name, text in files.items():
        path = root.joinpath("plumbline", *name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for folder in {path.parent for path in root.rglob("*.py")} | {root / "plumbline"}:
        for parent in [folder, *folder.parents]:
            if root in parent.parents:
                (parent / "__init__.py").touch()
    return root


#: Every place that a contract names must exist in a planted tree.
CLEAN = {
    "cli": "import plumbline.supervision.projector",
    "supervision.projector": "import plumbline.exchange.wire",
    "supervision.gateway.app": "import plumbline.exchange.wire",
    "acquisition.press": "import plumbline.sdk.client",
    "lab.intake": "",
    "web.lists": "",
    "sdk.client": "import plumbline.exchange.wire",
    "exchange.wire": "import plumbline.domain.basics.words",
    "domain.basics.words": "",
    "domain.custody.tags": "import plumbline.domain.basics.words",
    "domain.reporting.code": "",
    "evidence.leaf": "",
    "standards.register": "",
    "embedded.ports": "",
}

BREACHES = [
    ({"domain.basics.words": "import plumbline.exchange.wire"}, "Products above"),
    ({"evidence.leaf": "import plumbline.domain.basics.words"}, "Products above"),
    ({"lab.intake": "import plumbline.supervision.projector"}, "Products above"),
    ({"embedded.ports": "import plumbline.standards.register"}, "Products above"),
    ({"helpers": ""}, "Products above"),
    ({"domain.custody.tags": "import plumbline.domain.reporting.code"}, "Inside the domain"),
    ({"domain.utils": ""}, "Inside the domain"),
    ({"supervision.gateway.app": "import django.http"}, "The gateway runs without Django"),
    (
        {
            "supervision.shared": "import django",
            "supervision.gateway.app": "from plumbline.supervision import shared",
        },
        "The gateway runs without Django",
    ),
    ({"acquisition.press": "import plumbline.web.lists"}, "The press-side program"),
    ({"acquisition.press": "import django"}, "The press-side program"),
    (
        {
            "supervision.journal.append": "import plumbline.supervision.projection.tables",
            "supervision.projection.tables": "import plumbline.supervision.journal.append",
        },
        "No cycles between the apps",
    ),
]


def test_the_contracts_hold() -> None:
    result = lint(rules.ROOT / "src")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_clean_planted_tree_keeps_the_contracts(tmp_path: Path) -> None:
    result = lint(plant(tmp_path, CLEAN))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("planted", "contract"), BREACHES)
def test_a_planted_import_breaks_its_contract(tmp_path: Path, planted: dict[str, str], contract: str) -> None:
    result = lint(plant(tmp_path, CLEAN | planted))
    assert result.returncode != 0, result.stdout
    assert re.search(rf"{contract}.*BROKEN", result.stdout), result.stdout + result.stderr


def django_reached_from(package: str, door: str) -> list[str]:
    """Modules of `door` from which Django is reached, on any way."""
    graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
    modules = [module for module in graph.modules if module == door or module.startswith(f"{door}.")]
    return sorted(module for module in modules if "django" in graph.find_upstream_modules(module))


def siblings_that_meet(package: str, parent: str) -> list[str]:
    """Pairs of sub-packages of `parent` of which one reaches the other, on any way."""
    graph = grimp.build_graph(package, cache_dir=None)
    if parent not in graph.modules:
        return []
    folders = sorted(module for module in graph.find_children(parent) if graph.find_children(module))
    return [
        f"{one} → {other}"
        for one in folders
        for other in folders
        if one != other and graph.find_shortest_chains(importer=one, imported=other, as_packages=True)
    ]


def test_the_gateway_never_reaches_django() -> None:
    assert django_reached_from("plumbline", "plumbline.supervision.gateway") == []


@pytest.mark.parametrize("parent", ["plumbline.domain.methods", "plumbline.domain.integrity"])
def test_methods_and_detectors_never_know_one_another(parent: str) -> None:
    assert siblings_that_meet("plumbline", parent) == []


def test_a_planted_way_to_django_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "planted_products"
    (package / "gateway").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "gateway" / "__init__.py").write_text("import planted_products.shared", encoding="utf-8")
    (package / "shared.py").write_text("from django.conf import settings", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert django_reached_from("planted_products", "planted_products.gateway") == ["planted_products.gateway"]


def test_planted_methods_that_meet_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cube", "tension"):
        (tmp_path / "planted_methods" / name).mkdir(parents=True)
        (tmp_path / "planted_methods" / name / "__init__.py").touch()
        (tmp_path / "planted_methods" / name / "evaluation.py").touch()
    (tmp_path / "planted_methods" / "__init__.py").touch()
    # By way of a shared module is a meeting too.
    (tmp_path / "planted_methods" / "shared.py").write_text("import planted_methods.tension.evaluation")
    (tmp_path / "planted_methods" / "cube" / "curve.py").write_text("import planted_methods.shared")
    monkeypatch.syspath_prepend(tmp_path)
    assert siblings_that_meet("planted_methods", "planted_methods") == [
        "planted_methods.cube → planted_methods.tension"
    ]
