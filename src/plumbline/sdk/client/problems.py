"""What a call may end with other than an answer (失败): a refusal that says what to do, or a platform out of
reach."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec


class Refused(Exception):
    """The platform refused a request for good; the text is its title, what was seen, and the remedy
    (平台拒收)."""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        self.problem = problem
        self.status = status
        parts = [str(problem.get(name, "")) for name in ("title", "detail", "remedy")]
        super().__init__("。".join(part.rstrip("。") for part in parts if part))

    @property
    def slug(self) -> str:
        """The last part of the problem's type, as in the published error table; empty for an answer of
        another kind."""
        return str(self.problem.get("type", "")).rpartition("/")[2]

    def __reduce__(self) -> tuple[type[Refused], tuple[dict[str, Any], int]]:
        return type(self), (self.problem, self.status)


class Unreachable(Exception):
    """The platform gave no answer after every attempt; it is safe to send the same uid again later
    (平台联系不上)."""


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The RFC 9457 members of an answer; one is made up for a body of another kind, such as a proxy's error
    page."""
    try:
        body = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        body = None
    if isinstance(body, dict) and "title" in body:
        return body
    return {"type": "about:blank", "status": answer.status_code, "title": f"平台答复 {answer.status_code}"}
