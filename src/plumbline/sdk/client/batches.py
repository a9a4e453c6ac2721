"""Several messages in one request (成批报送): what a sender has waiting goes together, and each message has its own answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from plumbline.exchange.encode import encode_batch, encode_submission
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.places import places_of, request_bytes
from plumbline.exchange.submission import MAX_SUBMISSIONS, OriginSignature
from plumbline.sdk.client.problems import Refused
from plumbline.sdk.client.transport import RETRIED, Call, Transport

PATH = "/x/v1/batches"
#: Messages of one request are together no larger than this; one that is larger goes alone.
MAX_REQUEST_BYTES = 4 * 1024 * 1024
#: A proxy before the platform may have a smaller bound of its own (413).
_CONTENTS = frozenset({"malformed-json", "duplicate-key", "too-deep", "too-large", "schema"})
_JSON = {"Content-Type": "application/json"}
S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that waits to be sent (待发消息): its bytes, and what goes with them."""

    data: bytes
    origin: Sequence[OriginSignature] = ()
    personal: Sequence[PersonalRecord] = ()
    #: Moves the clock of a demo log.
    stated_at: datetime | None = None

    def body(self) -> bytes:
        """What a request of this message alone would carry."""
        return encode_submission(self.data, origin=self.origin, personal=self.personal)


def send_waiting(
    transport: Transport,
    waiting: Sequence[Outgoing],
    read: Callable[[dict[str, Any], int, Outgoing], S],
    *,
    wait_s: float | None = None,
) -> list[S | Refused]:
    """What became of each message, in the order given: `read` of its answer, called as soon as it is there, or its refusal.

    Those that the platform asks to come again for are sent again, with bounded attempts as long as it takes none of them. A request
    that is refused because of what stands in it goes message by message. Raises :class:`Unreachable`, or
    :class:`Refused` when a request was refused as a whole; sending all of them again is harmless then.
    """
    found: dict[int, S | Refused] = {}
    parts = deque(_parts(waiting))
    while parts:
        left, attempt = parts.popleft(), 0
        while left:
            try:
                told = _request(transport, [waiting[i] for i in left], wait_s)
            except Refused as error:
                if not _is_about_contents(error):
                    raise
                if len(left) > 1:
                    parts.extendleft([i] for i in reversed(left))
                else:
                    found[left[0]] = error
                break
            again, longest = [], 0.0
            for i, answer in zip(left, told, strict=True):
                status = int(answer.get("status", 0))
                if _may_repeat(answer, status) and attempt < transport.retries:
                    again.append(i)
                    longest = max(longest, float(answer.get("retry_after_s") or 0))
                elif status < 400:
                    found[i] = read(answer, status, waiting[i])
                else:
                    found[i] = Refused(_problem(answer), status)
            if again:
                transport.rest(longest, attempt)
                attempt = 0 if len(again) < len(left) else attempt + 1
            left = again
    return [found[i] for i in range(len(waiting))]


def _is_about_contents(refusal: Refused) -> bool:
    """Whether a whole request was refused because of a message in it, or its size: the others may well be taken."""
    return refusal.slug in _CONTENTS or refusal.status == 413


def _may_repeat(answer: dict[str, Any], status: int) -> bool:
    """As of a message alone: later, or with a key that was enrolled a moment ago and for which the platform names a pause."""
    slug = str(_problem(answer).get("type", "")).rpartition("/")[2]
    return status in RETRIED or (slug == "key-unknown" and answer.get("retry_after_s") is not None)


def _parts(waiting: Sequence[Outgoing]) -> Iterator[list[int]]:
    """Places of the messages that go together."""
    part: list[int] = []
    size = 0
    for i, each in enumerate(waiting):
        own = len(each.data) + sum(len(str(record)) for record in each.personal)
        if part and (len(part) == MAX_SUBMISSIONS or size + own > MAX_REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(i)
        size += own
    if part:
        yield part


class _Answers(msgspec.Struct):
    answers: list[dict[str, Any]]


def _request(transport: Transport, part: Sequence[Outgoing], wait_s: float | None) -> list[dict[str, Any]]:
    root, places = places_of([each.data for each in part])
    headers = dict(_JSON)
    if wait_s is not None:
        headers["Prefer"] = f"wait={max(1, round(wait_s))}"
    times = [each.stated_at for each in part if each.stated_at is not None]
    if times and len(times) != len(part):
        raise ValueError("a time is stated for every message of a request, or for none")
    if times:
        headers["Plumb-Demo-Time"] = ",".join(rfc3339(at) for at in times)
    call = Call(
        method="POST",
        path=PATH,
        body=encode_batch([each.body() for each in part]),
        message=request_bytes(root, len(places)),
        headers=headers,
        extra_s=wait_s or 0.0,
    )
    answer = transport.call(call)
    try:
        told = msgspec.json.decode(answer.content, type=_Answers).answers
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = []
    if len(told) != len(part):
        raise Refused({"title": "平台的答复缺少内容", "remedy": "核对平台地址和版本"}, answer.status_code)
    return told


def _problem(answer: dict[str, Any]) -> dict[str, Any]:
    problem = answer.get("problem")
    return problem if isinstance(problem, dict) else {"title": f"平台答复 {answer.get('status')}"}


def rfc3339(instant: datetime) -> str:
    """An instant as it goes over the wire; ValueError without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its time zone")
    return instant.isoformat(timespec="microseconds")
