"""What must hold in the drill of recovery (恢复演练的判据): pure comparisons, each breach one Chinese sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def set_breaches(what: str, wanted: Iterable[str], found: Iterable[str]) -> list[str]:
    """Both ways: what was not named, and what was named and is not so."""
    want, have = set(wanted), list(found)
    missing, extra = sorted(want - set(have)), sorted(set(have) - want)
    breaches = []
    if missing:
        breaches.append(f"{what}：漏了 {len(missing)} 条，如 {missing[0]}")
    if extra:
        breaches.append(f"{what}：多了 {len(extra)} 条，如 {extra[0]}")
    if len(have) != len(set(have)):
        breaches.append(f"{what}：同一条说了两次")
    return breaches


def present_once(
    wanted: Mapping[tuple[str, str], bytes], stored: Iterable[tuple[str, str, bytes]]
) -> list[str]:
    """Every acknowledged message ((sender, uid) → bytes) stands in the journal with a leaf, once, with the same bytes; and no bytes of
    it stand there under another uid."""
    found: dict[tuple[str, str], list[bytes]] = {}
    by_bytes: dict[bytes, int] = {}
    for sender, uid, message in stored:
        found.setdefault((sender, uid), []).append(message)
        by_bytes[message] = by_bytes.get(message, 0) + 1
    breaches = []
    for name, message in wanted.items():
        there = found.get(name, [])
        if not there:
            breaches.append(f"答复过的 {name[1]} 不在")
        elif len(there) > 1 or by_bytes.get(message, 0) > 1:
            breaches.append(f"答复过的 {name[1]} 有 {max(len(there), by_bytes.get(message, 0))} 条")
        elif there[0] != message:
            breaches.append(f"答复过的 {name[1]} 内容不同")
    return breaches[:5] + ([f"……共 {len(breaches)} 处"] if len(breaches) > 5 else [])


def resent_anew(acknowledged: Iterable[str], journaled: Iterable[str]) -> list[str]:
    """Messages of a sender in the journal that it was never acknowledged and did not mean to send: sent again under a new uid."""
    known = set(acknowledged)
    strange = [each for each in journaled if each not in known]
    return [f"总账里有 {len(strange)} 条报送方没有报过的，如 {strange[0]}"] if strange else []


def in_order(places: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Of each pair (named, naming) the named entry stands before the one that names it."""
    wrong = [
        (first, second)
        for first, second in pairs
        if first in places and second in places and places[first] > places[second]
    ]
    return [f"{wrong[0][1]} 引用的 {wrong[0][0]} 补在它后面，共 {len(wrong)} 处"] if wrong else []
