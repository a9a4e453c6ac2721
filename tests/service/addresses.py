"""Every address that the product answers (全部地址): those of web from its URLconf, those of the gateway from its routes, and which of
them can change something.

Tests that hold for every address are made from these lists, so that a new one without a declaration fails by its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from plumbline.supervision.gateway.app import ROUTES
from plumbline.supervision.pages import preview

preview.configure()  # settings first
_urls = import_module("plumbline.supervision.urls")
URLS = _urls.urlpatterns
#: Of the gateway: "POST /x/v1/entries".
OPERATIONS = [f"{verb} {path}" for path, _, verbs in ROUTES for verb in verbs]
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Address whose last part says what is done → the product's own table of what that can be.
ACTS: dict[str, Mapping[str, object]] = {
    "account-act": _urls.administration._ACTS,
    "organisation-act": _urls.organisation_views._SAID,
    "key-application-act": _urls.enrolment._ACTS,
    "key-act": _urls.enrolment._KEY_ACTS,
}


def unsafe_methods(view: Callable[..., Any]) -> frozenset[str]:
    """The unsafe methods that a view of Django answers; one that says nothing of methods answers all of them."""
    made_of = getattr(view, "view_class", None)
    if made_of is not None:
        return frozenset(
            each
            for each in UNSAFE
            if each.lower() in made_of.http_method_names and hasattr(made_of, each.lower())
        )
    layer: Any = view
    while layer is not None:
        if named := inspect.getclosurevars(layer).nonlocals.get("request_method_list"):
            return UNSAFE & frozenset(named)
        layer = getattr(layer, "__wrapped__", None)
    return UNSAFE


def unsafe_pages(patterns: Iterable[Any]) -> Iterator[str]:
    """Names of the pages that can change something: "account-new"; where the address says what is done, each act: "account-act/link"."""
    for pattern in patterns:
        if not unsafe_methods(pattern.callback):
            continue
        if "act" in pattern.pattern.converters:
            yield from (f"{pattern.name}/{act}" for act in ACTS.get(pattern.name, {"?": None}))
        else:
            yield pattern.name


def unsafe_operations(operations: Iterable[str]) -> Iterator[str]:
    """Those of the gateway that can change something."""
    return (each for each in operations if each.partition(" ")[0] in UNSAFE)


def undeclared(names: Iterable[str], declared: Mapping[str, object]) -> list[str]:
    """The names for which nothing is declared."""
    return sorted({name for name in names if name not in declared})
