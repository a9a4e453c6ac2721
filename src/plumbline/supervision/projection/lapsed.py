"""Entries signed by a key that was no longer good (失效密钥): the door remembers keys for a few seconds, the log does not."""

from __future__ import annotations

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.supervision.projection.arrival import Arrival, Projection
from plumbline.supervision.projection.table import Row


def find_lapsed_keys(p: Projection) -> None:
    """A finding for every key of the entry that was revoked before its place in the log, or out of its validity at its time."""
    arrival = p.arrival
    for key_id in dict.fromkeys((arrival.key_id, *arrival.origin_keys)):
        key = p.state.get("key", key_id)
        if key is None or not (why := _lapse(key, arrival)):
            continue
        finding = Finding(
            code="registry.lapsed_key",
            clause="CECS 6.0.5-b",
            sentence=f"签名所用的密钥 {key_id} {why}",
            severity=Severity.SEVERE,
            facts={"key_id": key_id, "tag": key_id},
            remedy="换用有效的密钥重新报送，并查明这把密钥由谁在用",
        )
        p.find(finding, arrival.kind, arrival.entry, arrival.sender)


def _lapse(key: Row, arrival: Arrival) -> str | None:
    if key["revoked_idx"] is not None and key["revoked_idx"] < arrival.idx:
        return f"在第 {key['revoked_idx']} 条入账时已经停用"
    if arrival.logged_at < key["valid_from"]:
        return f"到 {key['valid_from']:%Y-%m-%d} 才生效"
    if arrival.logged_at >= key["valid_until"]:
        return f"的有效期到 {key['valid_until']:%Y-%m-%d} 为止"
    return None
