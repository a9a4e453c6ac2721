"""In whose role the database is read (以谁的身份读库): a principal is put on for a while, and every query runs in its database role.

The role and its scope are settings of the transaction (`SET LOCAL`): a connection that goes back to the pool takes nothing
along, and outside a transaction, where `SET LOCAL` does nothing, reading raises. Web's own login has no right to any fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import connection, transaction

from plumbline.supervision.access.principals import ADMINISTRATORS, Principal, Role, division_range

#: Kind of principal → the database role that it reads in (PROTOCOL §5).
DATABASE_ROLES = {
    Role.OFFICER: "plumb_officer",
    Role.INSTITUTION: "plumb_institution",
    Role.PARTY: "plumb_party",
    Role.PUBLIC: "plumb_public",
    # Administrators see no business data; their own pages read nothing of schema fact.
    **dict.fromkeys(ADMINISTRATORS, "plumb_public"),
}
_PUT_ON = (
    "SELECT set_config('role', %s, true), set_config('plumb.party', %s, true), "
    "set_config('plumb.division_low', %s, true), set_config('plumb.division_high', %s, true)"
)


class Unscoped(RuntimeError):
    """The database was to be read for nobody, or outside the transaction that holds the reader's role."""


@dataclass(slots=True)
class _Acting:
    principal: Principal
    is_put_on: bool = False


_acting: ContextVar[_Acting | None] = ContextVar("plumb_acting", default=None)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Read as this principal until the end of the block, in the transaction that is open then.

    Within a block of the same principal it changes nothing; within one of another it raises :class:`Unscoped`: nobody
    changes role in the middle of a transaction.
    """
    outer = _acting.get()
    if outer is not None:
        if outer.principal != principal:
            raise Unscoped("a reader is acting already")
        yield
        return
    token = _acting.set(_Acting(principal))
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def reading_as(principal: Principal) -> Iterator[None]:
    """The same, with a transaction of its own where none is open: for a stream, or the page of a missing address."""
    with acting_as(principal):
        if connection.in_atomic_block:
            yield
            return
        acting = _acting.get()
        assert acting is not None
        try:
            with transaction.atomic():
                yield
        finally:
            acting.is_put_on = False


def take_off() -> None:
    """Go back to web's own login, which has a right to no fact, so that a session can be written; the next read puts the role on again."""
    acting = _acting.get()
    if acting is not None and acting.is_put_on and connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('role', 'none', true)")
        acting.is_put_on = False


def require_role() -> None:
    """Put on the role of whoever acts, once a transaction. Raises :class:`Unscoped` where nobody does or no transaction is open."""
    acting = _acting.get()
    if acting is None:
        raise Unscoped("nobody acts: say for whom the database is read")
    if not connection.in_atomic_block:
        raise Unscoped("outside a transaction a role does not last")
    if not acting.is_put_on:
        low, high = division_range(acting.principal.division)
        role = DATABASE_ROLES[acting.principal.role]
        with connection.cursor() as cursor:
            cursor.execute(_PUT_ON, [role, acting.principal.party, low, high])
        acting.is_put_on = True
