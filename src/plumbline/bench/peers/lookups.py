"""What a peer does for a look-up that is no plumbing (对照的查验): address and rate, the code's check, what the public is told of a row.

By our own functions, so that none of that is compared; HTTP, framework, mapper and JSON are the peer's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from plumbline.domain.reporting.code import CodeProblem, parse_code
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.briefly import COLUMNS
from plumbline.supervision.gateway.headers import ALWAYS
from plumbline.supervision.gateway.limits import RateLimit
from plumbline.supervision.gateway.public_page import state_of
from plumbline.supervision.gateway.settings import GatewaySettings

PATH = "/v/"
_TOLD = 5
_STATE = COLUMNS[_TOLD:]
#: Of every answer, as the gateway's are.
HEADERS = {"Cache-Control": "max-age=5", "Vary": "accept", **ALWAYS}
#: JSON without blanks and as UTF-8, as the gateway writes it.
COMPACT: Mapping[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


@lru_cache(maxsize=256)
def _state(*values: object) -> str:
    return state_of(dict(zip(_STATE, values, strict=True))).value


class Desk:
    """Before and after the database is asked; one instance a process."""

    def __init__(self) -> None:
        limits = GatewaySettings.from_env()
        self._limit = RateLimit(limits.lookup_rate, max(1, int(limits.lookup_rate * 4)))

    def code(self, address: str, typed: str) -> str:
        """The code that was typed. Raises :class:`Problem`."""
        self._limit.take(address)
        parsed = parse_code(typed)
        if isinstance(parsed, CodeProblem):
            raise Problem(slug="not-found", detail=str(parsed))
        return parsed.text

    def answer(self, row: Sequence[Any] | None) -> dict[str, str]:
        """What is told of a row, its columns as in `briefly.COLUMNS`. Raises :class:`Problem` where there is none."""
        if row is None:
            raise Problem(slug="not-found", detail="没有登记这个监管码")
        code, number, institution, pdf_sha256, claims, *rest = row
        return {
            "code": code,
            "state": _state(*rest),
            "number": number,
            "institution": institution,
            "pdf_sha256": pdf_sha256 or "",
            "claims": claims or "",
        }


def refusal(problem: Problem) -> tuple[bytes, int]:
    """(body, status) of a refusal; it is not numbered and not audited."""
    return json.dumps(problem.body("-"), **COMPACT).encode(), problem.kind.status
