"""What the exchange monitor shows (监控的查询): keyset lists by party and time, reasons of refusal by party and key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import KINDS as PROBLEMS
from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.reading.database import Row, row, rows
from plumbline.web.formats import SHANGHAI

PAGE, PORTION, MOST_EXPORTED = 50, 2_000, 20_000
OUTCOMES = {"refused": "拒收", "accepted": "收下", "duplicate": "重复", "sandbox": "沙箱"}
#: How far back the reasons are summed up without a day.
REASONS_OF = timedelta(days=7)
_TONES = {"refused": "bad", "accepted": "ok", "duplicate": "off", "sandbox": "warn"}
_COLUMNS = (
    "q.id, q.at, q.holder, q.is_known, q.is_proved, q.key_id, q.kind, q.uid, q.bytes, q.outcome, q.status, q.slug, q.number, "
    "q.pointer, q.reason, q.remedy, q.detail, q.entry, q.ms"
)
#: One look into the index for each party, then the newest of all: no party's rows are passed over to find another's.
_LIST = (
    "SELECT {columns} FROM unnest(%s::text[]) h(holder) CROSS JOIN LATERAL (SELECT {columns} FROM ops.exchange_request q "
    "WHERE q.holder = h.holder{conditions} ORDER BY q.id DESC LIMIT %s) q ORDER BY q.id DESC LIMIT %s"
)
#: A key is of one party: its own index finds its rows at once.
_LIST_OF_KEY = (
    "SELECT {columns} FROM ops.exchange_request q WHERE q.holder = ANY(%s::text[]){conditions} "
    "ORDER BY q.key_id, q.id DESC LIMIT least(%s, %s)"
)
_REASONS = (
    "SELECT q.holder, q.key_id, q.is_known, q.slug, q.pointer, count(*) AS times, max(q.at) AS last, "
    "(array_agg(q.id ORDER BY q.id DESC))[1] AS example, (array_agg(q.reason ORDER BY q.id DESC))[1] AS reason "
    "FROM ops.exchange_request q WHERE q.holder = ANY(%s::text[]) "
    "AND q.outcome = 'refused'{conditions} GROUP BY 1, 2, 3, 4, 5 ORDER BY times DESC, last DESC LIMIT 200"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the address asks for; empty fields ask for everything."""

    holder: str = ""
    key: str = ""
    kind: str = ""
    outcome: str = ""
    slug: str = ""
    day: str = ""
    before: str = ""

    def address(self, **changes: str) -> str:
        """The same list with other conditions, as the part behind the question mark."""
        asked = {name: getattr(self, name) for name in self.__slots__ if name != "before"} | changes
        return urlencode({name: value for name, value in asked.items() if value})

    @property
    def bounds(self) -> tuple[uuid.UUID, uuid.UUID] | None:
        """First uid of the day and of the next, Shanghai time; None without a day."""
        try:
            day = date.fromisoformat(self.day)
            start = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
            return _first_of(start), _first_of(start + timedelta(days=1))
        except (ValueError, OverflowError):  # the last day of the calendar has no next
            return None


def _first_of(at: datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A party whose requests the reader sees."""

    id: str
    name: str


def holders(principal: Principal) -> dict[str, Holder]:
    """The parties whose requests the principal may see: an institution itself, an officer those of the region."""
    if principal.role is Role.INSTITUTION:
        return (
            {principal.party: Holder(id=principal.party, name=principal.organisation)}
            if principal.party
            else {}
        )
    if principal.role is not Role.OFFICER:
        return {}
    found = rows(
        "SELECT p.id, p.name FROM fact.party p WHERE p.id = ANY (ops.region_parties()) ORDER BY p.name", []
    )
    return {each["id"]: Holder(id=each["id"], name=each["name"]) for each in found}


def _conditions(query: Query) -> tuple[str, list[object]]:
    parts, values = "", list[object]()
    outcome = query.outcome or ("refused" if query.slug else "")
    if outcome in OUTCOMES:
        parts += (
            f" AND q.outcome = '{outcome}'"  # one of our own words: the partial index wants it written out
        )
    for name, column in (("key", "key_id"), ("kind", "kind"), ("slug", "slug")):
        if value := getattr(query, name):
            parts += f" AND q.{column} = %s"
            values.append(value)
    if query.day:
        low, high = query.bounds or (_first_of(datetime.max.replace(year=9000, tzinfo=UTC)),) * 2
        parts += " AND q.id >= %s AND q.id < %s"
        values += [low, high]
    return parts, values


def _asked(query: Query, seen: dict[str, Holder]) -> list[str]:
    return [query.holder] if query.holder in seen else [] if query.holder else list(seen)


def requests(query: Query, seen: dict[str, Holder], *, limit: int = PAGE + 1) -> list[Row]:
    """The newest requests before `query.before`."""
    parts, values = _conditions(query)
    if query.before:
        parts += " AND q.id < %s"
        values.append(query.before)
    form = _LIST_OF_KEY if query.key else _LIST
    statement = form.format(columns=_COLUMNS, conditions=parts)
    return [dressed(each, seen) for each in rows(statement, [_asked(query, seen), *values, limit, limit])]


def exported(query: Query, seen: dict[str, Holder]) -> Iterator[Row]:
    """Every request of the filter, newest first, at most `MOST_EXPORTED`."""
    before, left = "", MOST_EXPORTED
    while left > 0:
        asked = Query(**{name: getattr(query, name) for name in query.__slots__} | {"before": before})
        found = requests(asked, seen, limit=min(PORTION, left))
        yield from found
        if len(found) < min(PORTION, left):
            return
        left, before = left - len(found), str(found[-1]["id"])


def reasons(query: Query, seen: dict[str, Holder], now: datetime) -> list[Row]:
    """Why requests were refused, most often first: by party, key, reason and field."""
    parts, values = _conditions(query)
    if not query.day:
        parts += " AND q.id >= %s"
        values.append(_first_of(now - REASONS_OF))
    found = rows(_REASONS.format(conditions=parts), [_asked(query, seen), *values])
    return [dressed(each, seen) for each in found]


def request_of(wanted: str, seen: dict[str, Holder]) -> Row | None:
    """One request that the reader may see, with its lines."""
    try:
        key = uuid.UUID(wanted)
    except ValueError:
        return None
    found = row(f"SELECT {_COLUMNS}, q.lines FROM ops.exchange_request q WHERE q.id = %s", [key])  # noqa: S608 - own names
    return dressed(found, seen) if found and found["holder"] in seen else None


def body_of(request: Row) -> Row | None:
    """What of a refused request's message is still kept."""
    return row("SELECT body, masked FROM ops.exchange_body WHERE request = %s", [request["id"]])


def last_accepted(request: Row) -> Row | None:
    """The last message of the same kind that the same sender got through."""
    if not request["kind"] or not request["is_known"]:
        return None
    return row(
        "SELECT request, at, body FROM ops.exchange_last WHERE holder = %s AND kind = %s",
        [request["holder"], request["kind"]],
    )


def key_standing(request: Row, principal: Principal) -> Row | None:
    """The key as it stands now; None when no such key is on record."""
    source = "ops.region_keys()" if principal.role is Role.OFFICER else "ops.own_keys()"
    return row(f"SELECT * FROM {source} k WHERE k.id = %s", [request["key_id"]])  # noqa: S608 - own names


def roles_of(party: str) -> frozenset[str]:
    """What a party is."""
    found = row("SELECT roles FROM fact.party WHERE id = %s", [party])
    return frozenset(found["roles"]) if found else frozenset()


def dressed(found: Row, seen: dict[str, Holder]) -> Row:
    """A row with its words."""
    known = seen.get(found["holder"])
    kind, slug = found.get("kind", ""), found["slug"]
    return found | {
        "holder_name": (known.name if known else found["holder"][:8])
        if found["is_known"]
        else "密钥没有登记",
        "kind_title": kind_title(kind),
        "word": OUTCOMES.get(found.get("outcome", ""), ""),
        "tone": _TONES.get(found.get("outcome", ""), "off"),
        "problem": PROBLEMS[slug].title.removeprefix("没有收下：") if slug in PROBLEMS else "",
    }


def quarantined(seen: dict[str, Holder]) -> list[Row]:
    """Files of the parties in view that the virus scan found infected, newest first: their senders are told here."""
    found = rows("SELECT * FROM ops.quarantined()", []) if seen else []
    known = {each.id: each.name for each in seen.values()}
    return [each | {"holder_name": known.get(each["holder"], "")} for each in found]


def kind_title(kind: str) -> str:
    """A kind of message as readers know it."""
    if kind == "file":
        return "文件"
    return KINDS[kind].title if kind in KINDS else kind or "读不出"
