"""Finds the clause marks in a source tree without importing it (条文标记的静态扫描).

Four kinds of mark are read: `@carries_out("…")` on rules, `@pytest.mark.clause("…")` on tests,
`CLAUSES = {…}` in the modules that make pages, and comments in templates and documents.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

#: Comment marks: `{# clause: … #}` in Django and Jinja2 templates, `<!-- clause: … -->` in HTML and Markdown,
#: `/* clause: … */` and `// clause: …` in scripts and typst.
_COMMENT = re.compile(r"(?:\{#|<!--|/\*|//)\s*clauses?:\s*(?P<ids>.+?)\s*(?:#\}|-->|\*/|$)", re.MULTILINE)
_SEPARATOR = re.compile(r"\s*[,，;；、]\s*")
_COMMENT_SUFFIXES = frozenset({".html", ".j2", ".js", ".typ", ".md"})
_SKIPPED_FOLDERS = frozenset({"__pycache__", "vendor", "node_modules", ".venv", ".git"})


class Kind(StrEnum):
    """What a mark stands on: a rule, a test, a page, or a document (规则、测试、页面、文档)."""

    RULE = "rule"
    TEST = "test"
    PAGE = "page"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """One place that names one clause (一处标记)."""

    clause: str
    kind: Kind
    #: Path relative to the tree's root, with forward slashes.
    path: str
    #: Function, class, route, or "" for a whole file.
    name: str = ""

    @property
    def place(self) -> str:
        """`path::name`, as pytest writes it."""
        return f"{self.path}::{self.name}" if self.name else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """The folders that are scanned, all below one root (被扫描的目录)."""

    root: Path
    folders: tuple[str, ...] = ("src", "tests", "docs")

    @classmethod
    def of_this_package(cls) -> SourceTree:
        """The checkout that holds this package, or the installed package alone when there is no checkout."""
        package = Path(__file__).resolve().parents[1]
        root = package.parents[1]
        if (root / "pyproject.toml").is_file():
            return cls(root=root)
        return cls(root=package.parent, folders=(package.name,))

    def files(self) -> Iterator[Path]:
        """Every file of the folders in a stable order; vendored code and caches left out."""
        for folder in self.folders:
            for path in sorted((self.root / folder).rglob("*")):
                parts = path.relative_to(self.root).parts
                if path.is_file() and not _SKIPPED_FOLDERS.intersection(parts):
                    yield path


def find_marks(tree: SourceTree) -> tuple[Mark, ...]:
    """All marks of the tree, sorted. A file that does not parse is left out: other checks name it."""
    found: set[Mark] = set()
    for path in tree.files():
        relative = path.relative_to(tree.root).as_posix()
        if path.suffix == ".py":
            found.update(_python_marks(path, relative))
        elif path.suffix in _COMMENT_SUFFIXES:
            kind = Kind.DOCUMENT if path.suffix == ".md" else Kind.PAGE
            text = path.read_text(encoding="utf-8", errors="replace")
            found.update(
                Mark(clause=clause, kind=kind, path=relative)
                for match in _COMMENT.finditer(text)
                for clause in _SEPARATOR.split(match["ids"])
                if clause
            )
    return tuple(sorted(found))


def _python_marks(path: Path, relative: str) -> Iterator[Mark]:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    is_test = path.name.startswith("test_") or path.name == "conftest.py" or "tests" in path.parts
    if is_test:
        # A rule made up inside a test, to try the decorator, carries out nothing.
        yield from _test_marks(module, relative)
        return
    yield from _rule_marks(module, relative)
    yield from _page_constants(module, relative)


def _test_marks(node: ast.AST, relative: str, owner: str = "") -> Iterator[Mark]:
    """Marks on functions and classes, in `pytestmark`, in `pytest.param(…, marks=…)`, by enclosing name."""
    for child in ast.iter_child_nodes(node):
        name = (
            child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else owner
        )
        if isinstance(child, ast.Call) and _is_clause_mark(child.func):
            for clause in _strings(child.args):
                yield Mark(clause=clause, kind=Kind.TEST, path=relative, name=owner)
        yield from _test_marks(child, relative, name)


def _rule_marks(module: ast.Module, relative: str) -> Iterator[Mark]:
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _last_name(decorator.func) == "carries_out":
                for clause in _strings(decorator.args):
                    yield Mark(clause=clause, kind=Kind.RULE, path=relative, name=node.name)


def _page_constants(module: ast.Module, relative: str) -> Iterator[Mark]:
    for statement in module.body:
        targets, value = _assignment(statement)
        if "CLAUSES" not in targets:
            continue
        if isinstance(value, ast.Call) and value.args:  # frozenset({...})
            value = value.args[0]
        if isinstance(value, ast.Dict):
            for key, route in zip(value.keys, value.values, strict=True):
                for clause in _strings([key] if key else []):
                    yield Mark(clause=clause, kind=Kind.PAGE, path=relative, name=" ".join(_strings([route])))
        elif isinstance(value, ast.Set | ast.List | ast.Tuple):
            for clause in _strings(value.elts):
                yield Mark(clause=clause, kind=Kind.PAGE, path=relative)


def _assignment(statement: ast.stmt) -> tuple[list[str], ast.expr | None]:
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)], statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id], statement.value
    return [], None


def _is_clause_mark(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "clause"
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "mark"
    )


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _strings(nodes: Iterable[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
