"""What the documents name exists, and what must be written down is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import house_rules as rules
import pytest

DOCS = rules.ROOT / "docs"
LATER = "后续"


def numbering_gaps(folder: Path) -> list[str]:
    """Decision records are numbered 0001, 0002, … without gap or twin."""
    numbers = sorted(path.name[:4] for path in folder.glob("*.md"))
    expected = [f"{number:04}" for number in range(1, len(numbers) + 1)]
    return [
        f"{found} where {due} is due" for found, due in zip(numbers, expected, strict=True) if found != due
    ]


def glossary_rows(text: str) -> list[tuple[list[str], bool]]:
    """(identifiers, marked as later) of each row of the glossary's tables."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and "`" in cells[1]:
            rows.append((re.findall(r"`([^`]+)`", cells[1]), cells[3] == LATER))
    return rows


def words_of_the_source(root: Path) -> set[str]:
    """Identifiers, and the words of identifiers: `late_registration` holds `registration`."""
    found: set[str] = set()
    for source in rules.sources(root):
        if source.is_test:
            continue
        found.update(source.path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(source.tree):
            found.update(_names(node))
    return found | {part for name in found for part in _parts(name)}


def _names(node: ast.AST) -> list[str]:
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"\w{1,40}", node.value)
    ):
        return [node.value]
    return [
        value
        for field in ("id", "name", "attr", "arg")
        if isinstance(value := getattr(node, field, None), str)
    ]


def _parts(name: str) -> list[str]:
    """Runs of whole words within a snake_case or CamelCase name, each as it would be written alone."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    runs = [
        words[start:stop]
        for start in range(len(words))
        for stop in range(start + 1, min(start + 4, len(words)) + 1)
    ]
    return ["_".join(run).lower() for run in runs] + ["".join(run) for run in runs]


def identifiers_not_found(glossary: str, root: Path) -> list[str]:
    words = words_of_the_source(root)
    return [
        name for names, later in glossary_rows(glossary) if not later for name in names if name not in words
    ]


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of a Markdown file that lead nowhere."""
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    return [target for target in targets if "://" not in target and not (path.parent / target).exists()]


def declared_dependencies() -> set[str]:
    project = tomllib.loads((rules.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for group in project["optional-dependencies"].values() for line in group),
    ]
    return {re.split(r"[\[<>=~!; ]", line)[0].lower() for line in lines}


def test_decision_records_are_numbered_without_gap() -> None:
    assert numbering_gaps(DOCS / "decisions") == []


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_record_says_context_decision_and_what_was_rejected(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]} ")
    assert "Status: " in text
    assert "## Rejected" in text


def test_every_dependency_has_its_line() -> None:
    table = (DOCS / "decisions" / "0011-dependencies.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| ([\w-]+) \|", table, re.MULTILINE)) - {"package"}
    assert documented == declared_dependencies()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    paths = [*DOCS.rglob("*.md"), *rules.ROOT.glob("*.md")]
    found = {path.name: broken_links(path, path.read_text(encoding="utf-8")) for path in paths}
    assert {name: links for name, links in found.items() if links} == {}


@pytest.mark.clause("CECS 2.0.1", "CECS 2.0.3", "CECS 2.0.4", "BJ 3.1", "BJ 3.2")
def test_the_words_of_the_glossary_are_the_words_of_the_source() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    found = identifiers_not_found(glossary, rules.PACKAGE.parent)
    assert not found, f"not in the source: {found}"


def test_the_commands_of_the_documents_exist() -> None:
    cli = rules.PACKAGE / "cli.py"
    if not cli.is_file():
        pytest.skip("the command line is not part of this tree")
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    words = {
        node.value
        for node in ast.walk(ast.parse(cli.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert set(re.findall(r"`plumbline ([\w-]+)", text)) - words == set()


def test_the_tests_that_the_house_rules_name_exist() -> None:
    text = (DOCS / "reference" / "house-rules.md").read_text(encoding="utf-8")
    found = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert set(re.findall(r"test_\w+\.py", text)) == found


def test_the_commands_of_the_start_script_exist() -> None:
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    script = (rules.ROOT / "plumb").read_text(encoding="utf-8")
    assert [
        name for name in re.findall(r"`\./plumb (\w+)", text) if not re.search(rf"\b{name}\b", script)
    ] == []


def test_the_licence_is_the_one_that_the_project_declares() -> None:
    assert "Apache License" in (rules.ROOT / "LICENSE").read_text(encoding="utf-8")


def test_a_gap_in_the_records_is_found(tmp_path: Path) -> None:
    for name in ("0001-a.md", "0003-b.md"):
        (tmp_path / name).touch()
    assert numbering_gaps(tmp_path) == ["0003 where 0002 is due"]


def test_two_records_of_one_number_are_found(tmp_path: Path) -> None:
    for name in ("0001-a.md", "0001-b.md"):
        (tmp_path / name).touch()
    assert numbering_gaps(tmp_path) == ["0001 where 0002 is due"]


def test_a_word_that_the_source_does_not_use_is_found(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "class GroupResult: ...\ndef late_registration(): ...\n", encoding="utf-8"
    )
    glossary = (
        "| 组 | `GroupResult` | | |\n| 登记 | `registration` | | |\n"
        "| 封志 | `Seal` | | |\n| 锚定 | `Anchor` | | 后续 |\n"
    )
    assert identifiers_not_found(glossary, tmp_path) == ["Seal"]


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md) [b](gone.md) [c](https://example.org/x) [d](there.md#part)"
    assert broken_links(tmp_path / "page.md", text) == ["gone.md"]
