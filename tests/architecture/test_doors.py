"""One door for each dangerous thing (唯一出入口): exports go through one writer, outgoing requests through one module."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import house_rules as rules
import pytest

SERVER_SIDE = ("supervision", "web", "lab")
#: What is wanted → (modules that do it, places that may import them, and why).
DOORS: dict[str, tuple[frozenset[str], dict[str, str]]] = {
    "write an export": (
        frozenset({"csv", "openpyxl", "xlsxwriter", "pandas", "xlwt", "odf"}),
        {"web/spreadsheet.py": "the writer: no cell is a formula"},
    ),
    "ask somebody over a network": (
        frozenset(
            {
                "httpx",
                "httpcore",
                "http.client",
                "urllib.request",
                "requests",
                "aiohttp",
                "urllib3",
                "ftplib",
                "smtplib",
                "telnetlib",
                "xmlrpc",
                "websockets",
                "pycurl",
                "web3",
            }
        ),
        {
            "supervision/fetch.py": "the door: configured places, checked addresses, time and size",
            "supervision/worker/evm.py": "the chain's library, which asks through the door",
            "supervision/gateway/relay.py": "passes a visitor on to web on this machine, whose address the supervisor gave",
        },
    ),
    "open a socket": (
        frozenset({"socket", "asyncio.open_connection", "ssl.create_connection"}),
        {
            "supervision/fetch.py": "looks names up",
            "supervision/scanner.py": "clamd, at the configured address",
            "supervision/heartbeat.py": "this machine's name",
            "supervision/tls.py": "this machine's address in the local network; nothing is sent",
        },
    ),
}


@cache
def imports(root: Path) -> list[tuple[str, int, str]]:
    """(file, line, name) of every import on the server's side; the tree is read once for all doors."""
    return [
        (source.relative, node.lineno, name)
        for source in rules.sources(root, *(f"src/plumbline/{each}" for each in SERVER_SIDE))
        if not source.is_test
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(node)
    ]


def through_other_doors(root: Path, what: str) -> list[str]:
    modules, places = DOORS[what]
    return [
        f"{file}:{line} {name}"
        for file, line, name in imports(root)
        if file.removeprefix("src/plumbline/") not in places
        and any(name == each or name.startswith(f"{each}.") for each in modules)
    ]


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [] if node.level else [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]


@pytest.mark.parametrize("what", DOORS)
def test_there_is_one_door(what: str) -> None:
    assert through_other_doors(rules.ROOT, what) == []


@pytest.mark.parametrize("what", DOORS)
def test_every_place_of_a_door_is_there(what: str) -> None:
    assert all((rules.ROOT / "src/plumbline" / each).is_file() for each in DOORS[what][1])


def test_another_door_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "src/plumbline/supervision/sneaky.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def f():\n    from csv import writer\n    import openpyxl.utils\n")
    found = through_other_doors(tmp_path, "write an export")
    assert [each.split(":")[1] for each in found] == ["2 csv", "2 csv.writer", "3 openpyxl.utils"]
