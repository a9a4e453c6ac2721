"""What an entry changes without naming it (连带改动的对象): parked along with it, so that nothing overtakes it."""

from __future__ import annotations

from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import DeadlinePassed
from plumbline.exchange.messages.reports import ReportRegistered, ReportWithdrawn
from plumbline.supervision.projection.facts import FactState
from plumbline.supervision.projection.table import Row, body_of

#: Tables whose next version may name another sample than the one before.
_MOVABLE = ("witnessing", "run", "receipt")


def follow_ups(state: FactState, message: Message) -> list[str]:
    """Keys of objects that follow from the rows as they stand: the report behind a withdrawal, the one that a
    registration replaces, the code that a deadline ends, the object behind a new version."""
    keys: dict[str, None] = {}
    if isinstance(message, ReportWithdrawn):
        keys |= _report(state.get("registration", message.registration))
    elif isinstance(message, ReportRegistered):
        application = state.get("application", message.application)
        replaced = body_of(application).get("replaces_code") if application else None
        keys |= _report(_registration_of(state, replaced))
    elif isinstance(message, DeadlinePassed):
        application = state.get("application", message.subject)
        if application and application["code"]:
            keys[f"code:{application['code']}"] = None
    earlier = state.get("event", message.supersedes)
    if earlier and earlier["subject"]:
        keys[earlier["subject"]] = None
        for table in _MOVABLE:
            row = state.get(table, earlier["subject"])
            if row and row["sample"]:
                keys[row["sample"]] = None
    return list(keys)


def _registration_of(state: FactState, code: str | None) -> Row | None:
    row = state.get("code", code)
    return state.get("registration", row["registration"]) if row else None


def _report(registration: Row | None) -> dict[str, None]:
    if registration is None:
        return {}
    return {f"code:{registration['code']}": None, registration["application"]: None, registration["id"]: None}
