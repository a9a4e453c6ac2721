"""What of the outside each package may import: an allow-list; anything else is a decision."""

from __future__ import annotations

from pathlib import Path

import house_rules as rules
import pytest

PDF = frozenset({"pyhanko", "pyhanko_certvalidator", "asn1crypto"})
SERVER = frozenset(
    {
        "django",
        "psycopg",
        "psycopg_pool",
        "starlette",
        "granian",
        "jinja2",
        "msgspec",
        "cryptography",
        "httpx",
        "httpcore",
        "allauth",
        "axes",
    }
    | {"pcodec", "numpy", "zxingcpp", "typst"}
)

#: Package → modules from outside that it may import at module level.
ALLOWED: dict[str, frozenset[str]] = {
    "__init__": frozenset(),
    "embedded": frozenset(),
    "standards": frozenset(),
    "domain": frozenset(),
    "evidence": frozenset({"cryptography"}),
    "exchange": frozenset({"msgspec", "cryptography"}),
    "sdk": frozenset({"httpx", "msgspec", "cryptography"}),
    "acquisition": frozenset({"serial", "numpy"}),
    "cosign": frozenset({"cryptography"}),
    "timestamp": frozenset({"cryptography", "asn1crypto"}),
    "web": frozenset({"django", "jinja2", "markupsafe", "allauth", "cryptography"}),
    "lab": frozenset({"django", "typst", "zxingcpp", "cryptography", "PIL", "msgspec", "numpy", "httpx"})
    | PDF,
    "supervision": SERVER,
    "bench": SERVER,
    "drill": SERVER | PDF,
    "demo": SERVER | PDF,  # the institution's side of the demonstration
    "cli": frozenset(),
}
#: Also allowed, inside a function only: the base install works without them.
LAZY: dict[str, frozenset[str]] = {
    "sdk": PDF,
    "acquisition": frozenset({"pcodec"}),
    "cli": SERVER,
    # PIL in the process of one picture alone; the rest for chains that an operator has registered.
    "supervision": frozenset({"web3", "eth_account", "PIL"}),
    "drill": frozenset({"mfusepy", "PIL", "schemathesis", "hypothesis", "jsonschema", "referencing"}),
    "bench": frozenset({"ninja", "fastapi", "sqlalchemy"}),  # peers, each in a process of its own
}


def allowed(relative: str, *, top: bool) -> frozenset[str]:
    """What the module at `src/plumbline/…` may import from outside."""
    parts = Path(relative).with_suffix("").parts
    package = parts[2]
    names = ALLOWED.get(package, frozenset())
    if not top:
        names |= LAZY.get(package, frozenset())
    if package == "domain" and ("curve" in parts[-1] or "integrity" in parts):
        names |= {"numpy"}  # raw waveforms are arrays; what is reported stays decimal
    if parts[2:4] == ("supervision", "gateway"):
        names -= {"django"}
    return names


def imports_not_allowed(root: Path) -> list[str]:
    return [
        f"{source.relative}:{line} {module}"
        for source in rules.sources(root, "src/plumbline")
        if not source.is_test
        for line, module, top in rules.external_imports(source)
        if module not in allowed(source.relative, top=top)
    ]


def test_every_package_keeps_to_its_list() -> None:
    found = imports_not_allowed(rules.ROOT)
    assert not found, "\n" + "\n".join(found)


def test_every_top_level_package_has_a_list() -> None:
    found = {
        path.stem
        for path in rules.PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert found <= set(ALLOWED)


PLANTED = [
    ("domain/basics/rounding.py", "import numpy", ["numpy"]),
    ("domain/methods/rebar/curve.py", "import numpy", []),
    ("evidence/leaf.py", "import msgspec", ["msgspec"]),
    ("embedded/postgres.py", "import psycopg", ["psycopg"]),
    ("sdk/pdf.py", "import pyhanko", ["pyhanko"]),
    ("sdk/pdf.py", "def examine():\n    import pyhanko", []),
    ("acquisition/press.py", "import django", ["django"]),
    ("supervision/gateway/app.py", "from django.db import connection", ["django"]),
    ("supervision/settings.py", "import django", []),
    ("exchange/wire.py", "import json, pydantic", ["pydantic"]),
    ("utils/misc.py", "import httpx", ["httpx"]),
]


@pytest.mark.parametrize(("name", "text", "expected"), PLANTED)
def test_a_planted_import_is_judged(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    path = tmp_path / "src" / "plumbline" / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    assert [line.rpartition(" ")[2] for line in imports_not_allowed(tmp_path)] == expected
