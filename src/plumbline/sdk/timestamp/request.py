"""Asking an authority for a time stamp (申请时间戳; RFC 3161 §2.4, §3.4), and checking its answer before it is kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx

from plumbline.sdk.timestamp.authority import StampAuthority
from plumbline.sdk.timestamp.token import Stamp, StampProblem, verify_token

QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
#: Bytes that are read of an answer: a token and a little more.
MAX_ANSWER = 20 * 1024
#: An authority whose time is further from ours than this has a wrong clock, or we have.
TOLERANCE = timedelta(minutes=5)
_GRANTED = {"granted", "granted_with_mods"}


@dataclass(frozen=True, slots=True)
class Query:
    """A request and what its answer must repeat."""

    body: bytes
    imprint: bytes
    nonce: int
    policy: str = ""


@cache
def response_type() -> Any:
    """TimeStampResp as RFC 3161 has it: a refusal carries no token, which the library's own class does not know."""
    from asn1crypto import cms, core, tsp  # type: ignore[import-untyped]

    class Response(core.Sequence):  # type: ignore[misc]
        _fields = [
            ("status", tsp.PKIStatusInfo),
            ("time_stamp_token", cms.ContentInfo, {"optional": True}),
        ]

    return Response


def make_query(imprint: bytes, policy: str = "") -> Query:
    """A request for a SHA-256 imprint with a fresh nonce, asking for the certificate."""
    from asn1crypto import algos, tsp

    nonce = secrets.randbits(63) | 1
    told: dict[str, Any] = {
        "version": 1,
        "message_imprint": {
            "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "hashed_message": imprint,
        },
        "nonce": nonce,
        "cert_req": True,
    }
    if policy:
        told["req_policy"] = policy
    return Query(tsp.TimeStampReq(told).dump(), imprint, nonce, policy)


def read_answer(
    data: bytes, query: Query, authorities: Sequence[StampAuthority], now: datetime
) -> tuple[bytes, Stamp]:
    """(token, what it says) of an answer that fits the query; :class:`StampProblem` for one that does not."""
    token = _token_of(data)
    stamp = verify_token(token, query.imprint, authorities)
    if stamp.nonce != query.nonce:
        raise StampProblem(
            "answer.nonce", "答复的随机数与请求不符：可能是重放的旧答复", "the answer repeats another nonce"
        )
    if query.policy and stamp.policy != query.policy:
        raise StampProblem(
            "answer.policy",
            f"答复用的策略 {stamp.policy} 不是要求的 {query.policy}",
            f"the answer is under policy {stamp.policy}",
        )
    if abs(stamp.at - now) > TOLERANCE + stamp.accuracy:
        raise StampProblem(
            "answer.clock",
            "时间戳机构的时间与本机相差超过 5 分钟，请核对两边的时钟",
            "the authority's clock and ours differ by more than 5 minutes",
        )
    return token, stamp


def _token_of(data: bytes) -> bytes:
    if len(data) > MAX_ANSWER:
        raise StampProblem("answer.size", "答复太长", "the answer is too long")
    try:
        answer = response_type().load(data, strict=True)
        status = answer["status"]["status"].native
        failure = answer["status"]["fail_info"].native
        token: bytes = answer["time_stamp_token"].dump() if status in _GRANTED else b""
    except Exception as error:  # whatever the decoder says about garbage
        raise StampProblem(
            "answer.unreadable",
            "答复读不懂，不是 RFC 3161 的答复",
            f"the answer is not readable ({type(error).__name__})",
        ) from error
    if not token:
        why = "、".join(sorted(failure)) if failure else str(status)
        raise StampProblem(
            "answer.refused", f"时间戳机构拒绝了请求（{why}）", f"the authority refused ({why})"
        )
    return token


def ask(
    http: httpx.Client,
    url: str,
    query: Query,
    authorities: Sequence[StampAuthority],
    *,
    within_s: float = 10.0,
) -> tuple[bytes, Stamp]:
    """Ask an authority; raises :class:`StampProblem`, or httpx.HTTPError for one that is out of reach. It has `within_s` in all."""
    until = time.monotonic() + within_s
    headers = {"Content-Type": QUERY_TYPE, "Accept-Encoding": "identity"}
    body = bytearray()
    with http.stream("POST", url, content=query.body, headers=headers) as answer:
        if answer.status_code != 200:
            raise StampProblem(
                "answer.status",
                f"时间戳机构答复 {answer.status_code}",
                f"the authority answered {answer.status_code}",
            )
        for part in answer.iter_raw():
            body += part
            if len(body) > MAX_ANSWER:
                raise StampProblem("answer.size", "答复太长", "the answer is too long")
            if time.monotonic() > until:
                raise StampProblem("answer.slow", "答复太慢", "the answer is too slow")
    return read_answer(bytes(body), query, authorities, datetime.now(UTC))
