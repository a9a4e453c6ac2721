"""What the projection writes may have changed (投影的版次): whoever touches what decides it says whether rows on record become others."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import tokenize
from pathlib import Path

from plumbline.supervision.projection import ddl

SOURCE = Path(__file__).parents[2] / "src"
KEPT = Path(__file__).with_name("projection_edition.txt")
#: What decides a row beside the projection itself: rules of the domain, and the parameters by date and region.
DECIDES = ("plumbline.domain.", "plumbline.supervision.projection", "plumbline.supervision.rules")
PARAMETERS = SOURCE / "plumbline" / "supervision" / "journal" / "parameters.toml"
REMEDY = (
    "What the projection rests on has changed. If an entry that is on record now gives other rows, raise EDITION in "
    "supervision/projection/ddl.py, so that tables are made anew at the next start; an audit would else call them changed by somebody. "
    "Then, or if no row becomes another, write the new fingerprint: "
    "PLUMB_WRITE_EDITION=1 ./plumb test tests/architecture/test_projection_edition.py"
)


def _file(module: str) -> Path | None:
    plain = SOURCE.joinpath(*module.split("."))
    return next((each for each in (plain.with_suffix(".py"), plain / "__init__.py") if each.exists()), None)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return {each for each in names if each.startswith("plumbline.")}


def _deciding() -> set[Path]:
    """The projection and what it imports of that which decides a row, to the end."""
    begun = [
        each
        for each in (SOURCE / "plumbline/supervision/projection").rglob("*.py")
        if "tests" not in each.parts
    ]
    found, left = set(begun), list(begun)
    while left:
        for module in _imported(left.pop()):
            path = _file(module)
            if path is not None and path not in found and module.startswith(DECIDES):
                found.add(path)
                left.append(path)
    return found


def _said(path: Path) -> str:
    """A source without its comments and blank lines."""
    lines = path.read_text("utf-8").splitlines()
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(each.rstrip() for each in lines if each.strip())


def _fingerprint(paths: set[Path]) -> str:
    made = hashlib.sha256()
    for path in sorted(paths):
        made.update(f"{path.relative_to(SOURCE).as_posix()}\0{_said(path)}\0".encode())
    made.update(PARAMETERS.read_bytes())
    return made.hexdigest()


def test_whoever_changes_what_rows_say_raises_the_edition() -> None:
    now = f"{ddl.EDITION} {_fingerprint(_deciding())}\n"
    if os.environ.get("PLUMB_WRITE_EDITION"):
        KEPT.write_text(now, "utf-8")
    assert KEPT.read_text("utf-8") == now, REMEDY


def test_rules_that_handlers_call_are_looked_at_and_comments_are_not(tmp_path: Path) -> None:
    paths = _deciding()
    names = {each.relative_to(SOURCE).as_posix() for each in paths}
    assert "plumbline/supervision/projection/handlers/custody.py" in names
    assert any(each.startswith("plumbline/domain/custody") for each in names)
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text('a = "#1"  # why\n\nb = 2\n', "utf-8")
    other.write_text('# since\na = "#1"\nb = 2\n', "utf-8")
    assert _said(one) == _said(other) == 'a = "#1"\nb = 2'


def test_another_edition_means_that_tables_are_made_anew(monkeypatch) -> None:
    before = ddl.declaration_hash()
    monkeypatch.setattr(ddl, "EDITION", ddl.EDITION + 1)
    assert ddl.declaration_hash() != before
