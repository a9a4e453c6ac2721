"""Ways of writing that are refused in the sources, where ruff has no rule of its own: each a question to one syntax node or line."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

#: Rule → files that may, each for the reason that stands beside it.
MAY = {
    # built by icon_markup, whose parts are escaped; a test feeds it hostile names
    "mark-safe": {"src/plumbline/web/templatetags/plumbline_web.py", "src/plumbline/web/jinja.py"},
    # the drill of privacy walks the pages as a browser does, on its own platform
    "follows-redirects": {"src/plumbline/drill/privacy/doors.py"},
    # each formats a text of its own module's tables, never one that came in
    "format-from-outside": {
        "src/plumbline/drill/privacy/database.py",
        "src/plumbline/drill/scan_story.py",
        "src/plumbline/drill/tampering/values.py",
        "src/plumbline/exchange/decode.py",
        "src/plumbline/sdk/pdf/problems.py",
        "src/plumbline/supervision/monitor/queries.py",
        "src/plumbline/supervision/projection/compare.py",
        "src/plumbline/supervision/reading/lists/statement.py",
        "src/plumbline/supervision/reading/tour.py",
    },
    # how the page looks, and nothing of what it shows
    "browser-storage": {"src/plumbline/web/static/js/theme.js", "src/plumbline/web/static/js/large-print.js"},
}
_FROM_OUTSIDE = re.compile(r"request\.(GET|POST|META|headers|COOKIES|body)|query_params")
_SECRET_NAME = re.compile(r"passw|secret|token|private_key", re.I)


def _name(node: ast.AST) -> str:
    """The last part of what is called: `x.y.raw` → raw."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _keywords(node: ast.Call) -> dict[str, ast.expr]:
    return {each.arg: each.value for each in node.keywords if each.arg}


def _is(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _literal(node: ast.Call) -> bool:
    return bool(node.args) and isinstance(node.args[0], ast.Constant)


def mark_safe(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) in ("mark_safe", "Markup") and not _literal(node)


def raw_query(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    asked = isinstance(node.func, ast.Attribute) and node.func.attr in ("raw", "extra")
    return _name(node.func) == "RawSQL" or (asked and "objects" in ast.unparse(node.func))


def open_redirect(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and re.search(r"[Rr]edirect|SeeOther", _name(node.func))
    return bool(named) and any(_FROM_OUTSIDE.search(ast.unparse(each)) for each in node.args)  # type: ignore[attr-defined]


def bare_cookie(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and _name(node.func) == "set_cookie"):
        return False
    given = _keywords(node)
    return not {"secure", "httponly", "samesite"} <= set(given) or any(
        _is(given[k], False) for k in ("secure", "httponly")
    )


def debug_on(node: ast.AST) -> bool:
    is_set = isinstance(node, ast.Assign) and any(_name(each) == "DEBUG" for each in node.targets)
    return is_set and _is(node.value, True)  # type: ignore[attr-defined]


def csrf_exempt(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and _name(node) == "csrf_exempt"


def ecb_mode(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "ECB"


def waits_for_ever(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or "timeout" not in _keywords(node):
        return False
    return ast.unparse(node.func).startswith(("httpx.", "requests.", "urllib")) and _is(
        _keywords(node)["timeout"], None
    )


def context_unverified(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign) and any(_name(each) == "check_hostname" for each in node.targets):
        return _is(node.value, False)
    return isinstance(node, ast.Attribute) and node.attr in ("CERT_NONE", "_create_unverified_context")


def follows_redirects(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _is(_keywords(node).get("follow_redirects"), True)


def template_from_text(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and _name(node.func) in ("Template", "from_string")
    return named and not _literal(node)  # type: ignore[arg-type]


def any_origin(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in ("Access-Control-Allow-Origin", "allow_origins")


def secret_in_log(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    logs = node.func.attr in ("debug", "info", "warning", "error", "exception") and "log" in ast.unparse(
        node.func.value
    )
    return logs and any(_SECRET_NAME.search(_name(each)) for each in node.args)


def zip_extractall(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "extractall"


def format_from_outside(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if not called or node.func.attr not in ("format", "format_map"):  # type: ignore[attr-defined]
        return False
    text = node.func.value  # type: ignore[attr-defined]
    return not isinstance(text, ast.Constant | ast.Call) and not ast.unparse(text).isupper()


#: Rule → question to a node of Python.
TREE: dict[str, Callable[[ast.AST], bool]] = {
    "mark-safe": mark_safe,
    "raw-query": raw_query,
    "open-redirect": open_redirect,
    "bare-cookie": bare_cookie,
    "debug-on": debug_on,
    "csrf-exempt": csrf_exempt,
    "ecb-mode": ecb_mode,
    "waits-for-ever": waits_for_ever,
    "context-unverified": context_unverified,
    "follows-redirects": follows_redirects,
    "template-from-text": template_from_text,
    "any-origin": any_origin,
    "secret-in-log": secret_in_log,
    "zip-extractall": zip_extractall,
    "format-from-outside": format_from_outside,
}
#: Rule → what is refused in a line of a template.
HTML = {
    "safe-filter": re.compile(r"\|\s*safe(seq)?\b"),
    "autoescape-off": re.compile(r"autoescape\s+(off|false)"),
    "foreign-asset": re.compile(
        r"<(script|link|img|iframe|source)\b[^>]*\b(src|href)=[\"'](https?:)?//", re.I
    ),
}
#: Rule → what is refused in a line of our own scripts.
SCRIPT = {
    "inner-html": re.compile(r"\.(innerHTML|outerHTML)\b|insertAdjacentHTML|document\.write"),
    "js-eval": re.compile(r"\beval\s*\(|new Function\b|setTimeout\s*\(\s*[\"'`]"),
    "browser-storage": re.compile(r"\b(local|session)Storage\b|indexedDB|document\.cookie"),
    "prototype": re.compile(
        r"__proto__|Object\.assign\(|\.prototype(\.\w+|\[\w+\])\s*=[^=]|\[[a-z]\w*\.(key|name)\]\s*=[^=]"
    ),
    "no-paste": re.compile(r"[\"']paste[\"']|onpaste"),
    "any-message": re.compile(
        r"postMessage\([^)]*[\"']\*[\"']|addEventListener\(\s*[\"']message[\"']|\.onmessage"
    ),
}


#: A text without any of these has no breach: most files need not be parsed.
_TRIGGERS = re.compile(
    r"mark_safe|Markup|RawSQL|\.raw\(|\.extra\(|edirect|SeeOther|set_cookie|DEBUG|csrf_exempt|\.ECB|timeout=None|check_hostname"
    r"|CERT_NONE|unverified_context|Template|from_string|Access-Control|allow_origins|extractall|\.format|logger|\blog\."
)


def found_in_python(text: str, relative: str = "") -> Iterator[tuple[str, int]]:
    """(rule, line) of every breach in a Python text."""
    if not _TRIGGERS.search(text):
        return
    for node in ast.walk(ast.parse(text)):
        for rule, is_breach in TREE.items():
            if is_breach(node) and relative not in MAY.get(rule, ()):
                yield rule, getattr(node, "lineno", 0)


def found_in_lines(text: str, rules: dict[str, re.Pattern[str]]) -> Iterator[tuple[str, int]]:
    """(rule, line) of every breach in a template or script."""
    for number, line in enumerate(text.splitlines(), start=1):
        yield from ((rule, number) for rule, pattern in rules.items() if pattern.search(line))
