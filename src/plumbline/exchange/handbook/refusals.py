"""What each operation may refuse, by status (接口的拒绝): named in the OpenAPI document one by one, so that an answer which is not
named there is a fault of the platform, not a surprise for the sender."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from plumbline.exchange.problems import KINDS, TYPE_BASE

#: Public look-ups: limited by address, and the database may be away.
LOOKUP = ("rate-limited", "unavailable")
#: Every signed request: who asks, with which key, and when.
SIGNED = (
    "signature-missing",
    "signature-invalid",
    "signature-stale",
    "digest-mismatch",
    "key-unknown",
    "key-revoked",
    "party-suspended",
    "plain-http",
    "too-large",
    "too-slow",
    "schema",
    *LOOKUP,
)
#: A body of JSON, before anybody asks what it means.
JSON = ("media-type", "malformed-json", "duplicate-key", "too-deep")
#: A message whose fields are looked at.
MESSAGE = (*JSON, "curve-too-long", "personal-data", "sender-mismatch")
#: A message that is to be entered in the log.
ENTRY = (
    *MESSAGE,
    "kind-not-allowed",
    "personal-mismatch",
    "uid-time",
    "uid-conflict",
    "claim-lost",
    "queue-full",
    "clock-off",
)
#: A file on its way.
UPLOAD = ("file-digest-mismatch", "file-type-mismatch", "queue-full", "clock-off")


def refusal_answers(slugs: Iterable[str]) -> dict[str, Any]:
    """Status → answer of an OpenAPI operation: problem details whose `type` is one of the named."""
    named = sorted({KINDS[slug] for slug in slugs}, key=lambda each: (each.status, each.slug))
    made = {}
    for status, kinds in groupby(named, key=lambda each: each.status):
        found = list(kinds)
        types = {"type": {"enum": [TYPE_BASE + each.slug for each in found]}, "status": {"const": status}}
        schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": types}]}
        answer: dict[str, Any] = {
            "description": "；".join(each.title for each in found),
            "content": {"application/problem+json": {"schema": schema}},
        }
        if status in (429, 503):
            answer["headers"] = {
                "Retry-After": {"description": "多少秒以后再来", "schema": {"type": "integer"}}
            }
        made[str(status)] = answer
    return made
