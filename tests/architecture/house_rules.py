"""The house rules as functions: each takes sources and returns one line per breach, empty when all is well.

They take any tree, so that every rule is proved able to fail on a planted breach.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "plumbline"

FILE_LIMIT, TEST_FILE_LIMIT, FUNCTION_LIMIT = 600, 800, 60


@dataclass(frozen=True)
class Source:
    """One Python file of a tree."""

    root: Path
    path: Path

    @property
    def relative(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def is_test(self) -> bool:
        return "tests" in self.path.relative_to(self.root).parts or self.path.name == "conftest.py"

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def has_code(self) -> bool:
        body = self.tree.body[1:] if ast.get_docstring(self.tree) else self.tree.body
        return bool(body)


def sources(root: Path, *folders: str) -> list[Source]:
    """The Python files below the folders of a tree, in a stable order."""
    found = [path for folder in folders or (".",) for path in (root / folder).rglob("*.py")]
    return [Source(root=root, path=path) for path in sorted(found) if "__pycache__" not in path.parts]


def repository_files(root: Path = ROOT) -> list[Path]:
    """Files that are tracked, or would be by `git add`; every file of the tree where there is no git."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode != 0:
        return sorted(path for path in root.rglob("*") if path.is_file())
    paths = (root / name.decode() for name in listed.stdout.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file())


def texts(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The text files among the paths; fonts, pictures and other binaries are passed over."""
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8", errors="replace")


# --- names, sizes, docstrings ---


def names_that_pytest_collects(source: Source) -> list[str]:
    """`Test…` classes and `test_…` functions outside tests: pytest collects them on import."""
    if source.is_test:
        return []
    return [
        f"{source.relative}:{node.lineno} {node.name}"
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.ClassDef) and node.name.startswith("Test"))
        or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"))
    ]


def long_files(source: Source) -> list[str]:
    limit = TEST_FILE_LIMIT if source.is_test else FILE_LIMIT
    count = len(source.text.splitlines())
    return [f"{source.relative}: {count} lines, limit {limit}"] if count > limit else []


def long_functions(source: Source) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LIMIT:
                found.append(
                    f"{source.relative}:{node.lineno} {node.name}: {count} lines, limit {FUNCTION_LIMIT}"
                )
    return found


def missing_docstring(source: Source) -> list[str]:
    """A module says in one sentence, with the Chinese word, what it is (not an empty `__init__`)."""
    if source.is_test or not source.text.strip():
        return []
    docstring = ast.get_docstring(source.tree) or ""
    if not docstring:
        return [f"{source.relative}: no module docstring"]
    return [] if re.search(r"[\u4e00-\u9fff]", docstring) else [f"{source.relative}: docstring without 中文"]


def missing_future_annotations(source: Source) -> list[str]:
    if not source.has_code or re.search(r"^from __future__ import annotations$", source.text, re.MULTILINE):
        return []
    return [f"{source.relative}: no `from __future__ import annotations`"]


def packages_out_of_sight(package: Path) -> list[str]:
    """Folders with modules but no `__init__.py`: the import contracts do not see them."""
    folders = {
        path.parent for path in package.rglob("*.py") if "tests" not in path.relative_to(package).parts
    }
    return sorted(
        str(folder.relative_to(package)) for folder in folders if not (folder / "__init__.py").is_file()
    )


# --- pure domain ---

_CLOCKS = frozenset(
    {
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.time_ns",
        "time.monotonic",
    }
)
_CHANCE = frozenset({"uuid.uuid4", "uuid4", "os.urandom", "secrets", "random"})
_OUTSIDE = frozenset({"open", "print", "input"})


def dotted(node: ast.expr) -> str:
    """`datetime.now` of `datetime.now(…)` and of `dt.datetime.now(…)`: the last two names."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value).rpartition(".")[2]
        return f"{owner}.{node.attr}" if owner else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def calls(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def clock_or_chance_in_rules(source: Source) -> list[str]:
    """A rule takes `now` and random bits as arguments, so that history stays computable."""
    if source.is_test:
        return []
    return [
        f"{source.relative}:{line} {name}()"
        for line, name in calls(source)
        if name in _CLOCKS | _CHANCE | _OUTSIDE or name.split(".")[0] in {"random", "secrets"}
    ]


def floats_on_decimal_paths(source: Source) -> list[str]:
    """A measured value stays a decimal as written; floats belong to curve modules alone."""
    if source.is_test or "curve" in source.path.stem or "/integrity/" in f"/{source.relative}":
        return []
    return [f"{source.relative}:{line} float()" for line, name in calls(source) if name == "float"]


# --- imports ---


def external_imports(source: Source) -> Iterator[tuple[int, str, bool]]:
    """(line, distribution module, at module level) for what is neither of the standard library nor ours."""
    for node, top in _import_nodes(source.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        if isinstance(node, ast.ImportFrom) and node.level:
            continue
        for name in names:
            first = name.split(".")[0]
            if first not in sys.stdlib_module_names and first != "plumbline":
                yield node.lineno, first, top


def _import_nodes(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    type_checking = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING")
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, id(node) not in inside | type_checking


# --- texts ---


class _InlineParts(HTMLParser):
    """Collects what a strict content security policy would block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        line = self.getpos()[0]
        if tag == "style":
            self.found.append(f"{line} <style>")
        if (
            tag == "script"
            and "src" not in values
            and values.get("type") not in {"application/json", "importmap"}
        ):
            self.found.append(f"{line} inline <script>")
        for name, value in values.items():
            if name == "style" or name.startswith("on") or value.strip().lower().startswith("javascript:"):
                self.found.append(f"{line} {name}=")


def inline_script_or_style(path: Path, text: str) -> list[str]:
    parser = _InlineParts()
    parser.feed(text)
    return [f"{path}:{found}" for found in parser.found]


#: Written in two halves, so that this file does not break its own rule.
REGISTRIES = tuple(
    "".join(halves)
    for halves in (
        ("py", "pi.org"),
        ("python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("npm", "mirror.com"),
        ("registry.yarn", "pkg.com"),
        ("proxy.golang", ".org"),
        ("static.crates", ".io"),
        ("mirrors.ali", "yun.com"),
        ("tuna.tsing", "hua.edu"),
    )
)


def registry_addresses(path: Path, text: str) -> list[str]:
    return [f"{path}: {address}" for address in REGISTRIES if address in text]


def paths_of_one_machine(path: Path, text: str) -> list[str]:
    """A path that exists on one machine only."""
    return [f"{path}: {found}" for found in re.findall(r"(?<![\w.~])/(?:work|Users|home/\w+)/[\w.]+", text)]


def breaches(rule: Callable[[Source], list[str]], files: Iterable[Source]) -> list[str]:
    return [line for source in files for line in rule(source)]
