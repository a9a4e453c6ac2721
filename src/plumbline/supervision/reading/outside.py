"""Time stamps and anchors on the status page (时间戳与上链): how far each outsider has come, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from plumbline.supervision.reading.database import Row, rows
from plumbline.web.formats import grouped_number

#: An outsider is late after so many of its intervals: one may be missed.
LATE_AFTER = 2
#: The worker has not looked for so long.
UNSEEN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideFacts:
    """What the page shows of one kind of outsider."""

    #: (name, sentence)
    told: tuple[tuple[str, str], ...] = ()
    #: names that are late or have a problem
    late: tuple[str, ...] = ()
    external: int = 0


def stamp_facts() -> OutsideFacts:
    """The time-stamp authorities of the operator's list."""
    found = rows(
        "SELECT name, trust_domain, is_external, every, size, stamped_at AS at, behind_since, looked_at, problem, list_problem, "
        "clock_timestamp() AS now FROM ops.stamp_authority ORDER BY name",
        [],
    )
    return OutsideFacts(
        told=tuple((each["name"], stamp_sentence(each)) for each in found),
        late=tuple(each["name"] for each in found if is_late(each)),
        external=sum(each["is_external"] for each in found),
    )


def anchor_facts() -> OutsideFacts:
    """The chains of the operator's list."""
    found = rows(
        "SELECT name, trust_domain, every, state, size, anchored_at AS at, sent_size, confirmations, behind_since, looked_at, problem, "
        "list_problem, clock_timestamp() AS now FROM ops.anchor_chain ORDER BY name",
        [],
    )
    return OutsideFacts(
        told=tuple((each["name"], anchor_sentence(each)) for each in found),
        late=tuple(each["name"] for each in found if is_late(each)),
        external=len(found),
    )


def anchor_sentence(chain: Row) -> str:
    """Trust domain, how far it came, what is under way, and what is wrong."""
    parts = [str(chain["trust_domain"])]
    if chain["at"]:
        parts.append(f"写到 {grouped_number(chain['size'])} 条，{age_text(chain['now'] - chain['at'])}前")
    else:
        parts.append("还没有写过")
    if chain["state"] == "sent":
        parts.append(f"{grouped_number(chain['sent_size'])} 条已发出，等确认（{chain['confirmations']} 块）")
    parts.append(f"每 {minutes_text(chain['every'])}一次")
    return "，".join([*parts, *_wrong(chain)])


def _wrong(outsider: Row) -> list[str]:
    told = [outsider["problem"]] if outsider["problem"] else []
    return told + (["名单读不出来，照上一份名单办"] if outsider["list_problem"] else [])


def is_late(outsider: Row) -> bool:
    """Whether entries have waited for longer than two intervals, something is wrong, or nobody looks."""
    waiting = outsider["behind_since"] and outsider["now"] - outsider["behind_since"]
    return bool(
        outsider["problem"]
        or outsider["list_problem"]
        or (waiting and waiting > LATE_AFTER * outsider["every"])
        or outsider["now"] - outsider["looked_at"] > UNSEEN
    )


def stamp_sentence(authority: Row) -> str:
    """Trust domain, how far it came, and what is wrong."""
    parts = [f"{authority['trust_domain']}{'' if authority['is_external'] else '（运营单位自己的）'}"]
    if authority["at"]:
        parts.append(
            f"盖到 {grouped_number(authority['size'])} 条，{age_text(authority['now'] - authority['at'])}前"
        )
    else:
        parts.append("还没有盖过")
    parts.append(f"每 {minutes_text(authority['every'])}一次")
    return "，".join([*parts, *_wrong(authority)])


def minutes_text(every: timedelta) -> str:
    """An interval in whole minutes or hours."""
    minutes = int(every.total_seconds() // 60)
    return f"{minutes // 60} 小时" if minutes % 60 == 0 else f"{minutes} 分钟"


def age_text(age: timedelta) -> str:
    """How long ago, in the largest unit that counts at least two."""
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("天", 86_400), ("小时", 3_600), ("分钟", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} 秒"
