"""The rule that every view declares (访问规则): who may ask. What they then see is narrowed by `scopes`, and by the database role that
the view reads in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from plumbline.supervision.access.acting import acting_as
from plumbline.supervision.access.principals import Role
from plumbline.supervision.access.sessions import principal_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What whoever looks with another's eyes may still post: the way back, and out.
_LEAVES = frozenset({"/view-as/end/", "/account/logout/"})
View = Callable[..., HttpResponseBase]
#: Everybody, signed in or not.
EVERYBODY = tuple(Role)
#: Everybody who acts for an organisation.
SIGNED_IN = (Role.OFFICER, Role.INSTITUTION, Role.PARTY)


def allow(*roles: str) -> Callable[[View], View]:
    """Let only these roles reach the view; the others get the page that says so, with status 403."""
    allowed = frozenset(Role(role) for role in roles)

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            principal = principal_of(request)
            if principal.viewed_by and request.method not in _SAFE and request.path not in _LEAVES:
                raise PermissionDenied("以他人身份查看时不能改动，请先结束查看")
            with acting_as(principal):
                if principal.role in allowed:
                    return view(request, *arguments, **named)
                from plumbline.supervision.access.refusal import (
                    refused,
                )  # pages need settings; rules do not

                return refused(request, noted=True)

        guarded.allowed_roles = allowed  # type: ignore[attr-defined]
        return guarded

    return declare
