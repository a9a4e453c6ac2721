"""What no file of the repository may hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import house_rules as rules
import pytest

TextRule = Callable[[Path, str], list[str]]


def breaches(rule: TextRule, *, suffix: str = "") -> list[str]:
    files = [path for path in rules.repository_files() if path.name.endswith(suffix)]
    return [line for path, text in rules.texts(files) for line in rule(path.relative_to(rules.ROOT), text)]


HELD: list[tuple[TextRule, str]] = [
    (rules.registry_addresses, ""),
    (rules.paths_of_one_machine, ""),
    (rules.inline_script_or_style, ".html"),
]


@pytest.mark.parametrize(("rule", "suffix"), HELD)
def test_no_file_breaks_the_rule(rule: TextRule, suffix: str) -> None:
    found = breaches(rule, suffix=suffix)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("rule", "text", "count"),
    [
        (rules.registry_addresses, f"index-url = https://{rules.REGISTRIES[0]}/simple", 1),
        (rules.registry_addresses, "index-url = https://packages.example/simple", 0),
        (rules.paths_of_one_machine, "see /" + "work/main/src", 1),
        (rules.paths_of_one_machine, "see docs/work/plan.md and ../shared/data", 0),
        (rules.inline_script_or_style, "<script>alert(1)</script>", 1),
        (rules.inline_script_or_style, '<p style="color:red" onclick="x()">', 2),
        (rules.inline_script_or_style, '<a href="javascript:x()">', 1),
        (rules.inline_script_or_style, "<style>p{}</style>", 1),
        (rules.inline_script_or_style, '<script src="/static/a.js" defer></script>', 0),
        (rules.inline_script_or_style, '<script type="application/json" id="d">{}</script>', 0),
    ],
)
def test_a_planted_text_is_judged(rule: TextRule, text: str, count: int) -> None:
    assert len(rule(Path("planted.html"), text)) == count
