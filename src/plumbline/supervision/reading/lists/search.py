"""One box for every code (按任意编号查): what the whole text names is opened, what it is a part of is listed by kind.

Everything is looked up in the reader's own role, so that a stranger's code gives the same answer as one that nobody has.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode
from uuid import UUID

from plumbline.domain.reporting.code import ParsedCode, parse_code
from plumbline.supervision.access.principals import Principal
from plumbline.supervision.pages.list_models import Hit, HitGroup, SearchPage
from plumbline.supervision.reading import words
from plumbline.supervision.reading.database import Row, rows
from plumbline.supervision.reading.lists import named, ways
from plumbline.supervision.reading.lists.declare import ListKind
from plumbline.supervision.reading.lists.listing import KINDS
from plumbline.supervision.reading.lists.register import PERSON_ROLES
from plumbline.supervision.reading.people import Names

#: Hits of one kind that are shown; the list shows the rest.
SHOWN = 6
SHORTEST = 2
_ENTRY = re.compile(r"[0-9a-f]{32}\Z")
#: Kind → what a hit is called, and the words beside it.
_HITS = {
    "reports": "SELECT t.id, t.number AS label, t.title AS about, p.name AS place FROM fact.application t "
    "LEFT JOIN fact.project p ON p.id = t.project WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
    "samples": "SELECT t.id, t.tags[1] AS label, t.structural_part AS about, p.name AS place FROM fact.sample t "
    "LEFT JOIN fact.project p ON p.id = t.project WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
    "tests": "SELECT t.id, m.number AS label, t.category AS about, p.name AS place FROM fact.run t "
    "LEFT JOIN fact.commission m ON m.id = t.commission LEFT JOIN fact.project p ON p.id = t.project "
    "WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
    "projects": "SELECT t.id, t.name AS label, t.code AS about, t.division AS place FROM fact.project t "
    "WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
    "institutions": "SELECT t.id, t.name AS label, t.uscc AS about, t.division AS place FROM fact.party t "
    "WHERE t.id = ANY(%s::text[]) AND 'institution' = ANY(t.roles) AND {scope} ORDER BY t.idx DESC",
    "instruments": "SELECT t.id, t.ref, t.instrument AS label, t.name AS about, i.name AS place FROM fact.instrument t "
    "LEFT JOIN fact.party i ON i.id = t.institution WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
    "people": "SELECT t.id, t.certificate_number AS about, t.roles, i.name AS place FROM fact.person t "
    "LEFT JOIN fact.party i ON i.id = t.party WHERE t.id = ANY(%s::text[]) ORDER BY t.idx DESC",
}
_INSTRUMENTS = (
    "SELECT id FROM fact.instrument WHERE instrument ILIKE %s OR name ILIKE %s ORDER BY idx DESC LIMIT 50"
)
_ENTRY_NAMED = "SELECT entry, subject FROM ops.entry_named(%s::uuid, %s::bigint)"
_OF_ENTRY = "SELECT id FROM fact.{table} WHERE id = ANY(%s::text[] || ARRAY(SELECT {column} FROM fact.{below} WHERE id = ANY(%s::text[])))"


class Search:
    """One text in one reader's role."""

    def __init__(self, principal: Principal, text: str) -> None:
        self.principal = principal
        self.text = text.strip()
        #: Kind → ids that the whole text names, and ids that it is a part of.
        self.exact: dict[str, list[str]] = {}
        self.partly: dict[str, list[str]] = {}

    def page(self) -> SearchPage:
        """What there is: one record named by the whole text is opened, several are listed by kind."""
        if len(self.text) < SHORTEST:
            return SearchPage(text=self.text, problem=f"至少写 {SHORTEST} 个字再查。")
        self._look()
        groups, addresses = [], []
        for key in _HITS:
            exact = self._hits(key, self.exact.get(key, []))
            partly = self._hits(
                key, [each for each in self.partly.get(key, []) if each not in self.exact.get(key, [])]
            )
            addresses += [hit.url for hit in exact]
            if found := (*exact, *partly):
                groups.append(self._group(KINDS[key], found))
        opens = addresses[0] if len(addresses) == 1 else ""
        if not addresses and sum(len(group.hits) for group in groups) == 1:
            opens = groups[0].hits[0].url
        return SearchPage(text=self.text, groups=tuple(groups), opens=opens)

    def _look(self) -> None:
        code = parse_code(self.text)
        if isinstance(code, ParsedCode):
            self.exact["reports"] = list(named.numbered(self.text).ids)
            return
        self._by_number()
        self._by_name()
        if _ENTRY.match(self.text.lower()):
            self._by_entry([self.text.lower()])
        if found := self._entry():
            self._by_entry(found)

    def _by_number(self) -> None:
        """Numbers of reports, commissions, samples, instruments, certificates."""
        reports = named.numbered(self.text).ids
        whole = rows(
            "SELECT id, institution FROM fact.application WHERE number = %s ORDER BY (state = 'registered') DESC, idx DESC LIMIT 20",
            [self.text],
        )
        # A number of one institution names its newest report in force; older versions are in the list.
        self.exact["reports"] = (
            [each["id"] for each in whole[:1]] if _are_of_one(whole) else [e["id"] for e in whole]
        )
        self.partly["reports"] = list(reports)
        self.exact["samples"] = named.tagged(self.text)
        given = named.commissions(self.text)
        for key in ("reports", "tests") if given else ():
            found = [each["id"] for each in rows(_OF_COMMISSION[key], [given])]
            self.partly[key] = [*self.partly.get(key, []), *found]
        like = named.like(self.text)
        machines = rows(_INSTRUMENTS, [like, like])
        numbers = [each["id"] for each in machines]
        self.exact["instruments"] = [each for each in numbers if each.split("/", 1)[1] == self.text]
        self.partly["instruments"] = numbers
        certified = rows("SELECT id FROM fact.person WHERE certificate_number = %s LIMIT 20", [self.text])
        self.exact["people"] = [each["id"] for each in certified]

    def _by_name(self) -> None:
        """Names of projects, institutions and people."""
        self.partly["projects"] = list(named.projects(self.text).ids)
        self.partly["institutions"] = list(named.parties(self.text).ids)
        if not self.text.isascii():
            self.partly["people"] = list(named.people(self.text).ids)

    def _entry(self) -> list[str]:
        """Entry and object of a receipt: by its uid, or by its place in the log."""
        try:
            asked: list[object] = [str(UUID(self.text)), None]
        except ValueError:
            digits = re.sub(r"[\s\u2009]", "", self.text)
            if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
                return []
            asked = [None, int(digits)]
        return [
            str(each)
            for found in rows(_ENTRY_NAMED, asked)
            for each in (found["subject"], found["entry"])
            if each
        ]

    def _by_entry(self, ids: list[str]) -> None:
        """Records by the entries that made them, or by what stands below them."""
        below = {
            "reports": ("application", "application", "registration"),
            "samples": ("sample", "sample", "receipt"),
        }
        for key, (table, column, lower) in below.items():
            found = rows(_OF_ENTRY.format(table=table, column=column, below=lower), [ids, ids])
            self.exact[key] = [*self.exact.get(key, []), *(each["id"] for each in found)]
        for key in ("tests", "projects", "people", "institutions", "instruments"):
            # An instrument is calibrated anew: its first and its newest entry both name it.
            columns = ("ref", "entry") if key == "instruments" else ("id",)
            named = " OR ".join(f"{column} = ANY(%s::text[])" for column in columns)
            found = rows(f"SELECT id FROM fact.{KINDS[key].table} WHERE {named}", [ids] * len(columns))
            self.exact[key] = [*self.exact.get(key, []), *(each["id"] for each in found)]

    def _hits(self, key: str, ids: list[str]) -> tuple[Hit, ...]:
        if not ids:
            return ()
        statement = _HITS[key]
        parameters: list[object] = [list(dict.fromkeys(ids))]
        if "{scope}" in statement:
            scope = ways.scope_of_parties("id")(self.principal)
            statement, parameters = statement.replace("{scope}", scope.sql), [*parameters, *scope.parameters]
        found = rows(statement + f" LIMIT {SHOWN}", parameters)
        names = Names(self.principal.role)
        if key == "people":
            names.load(each["id"] for each in found)
        return tuple(self._hit(key, each, names) for each in found)

    def _hit(self, key: str, found: Row, names: Names) -> Hit:
        label = names.name(found["id"]) if key == "people" else found["label"] or "没有编号"
        about = found["about"] or ""
        if key == "people":
            about = "、".join(PERSON_ROLES.get(role, role) for role in found["roles"] or []) + (
                f" {about}" if about else ""
            )
        about = words.CATEGORIES.get(about, about)
        detail = " · ".join(part for part in (about, found["place"] or "") if part)
        return Hit(label=str(label), detail=detail, url=KINDS[key].url(found))

    def _group(self, kind: ListKind, hits: tuple[Hit, ...]) -> HitGroup:
        more = f"/{kind.key}/?{urlencode({'q': self.text})}"
        return HitGroup(
            title=kind.title, icon=kind.icon, hits=hits[:SHOWN], more_url=more if len(hits) >= SHOWN else ""
        )


_OF_COMMISSION = {
    "reports": "SELECT id FROM fact.application WHERE commission = ANY(%s::text[]) ORDER BY idx DESC LIMIT 50",
    "tests": "SELECT id FROM fact.run WHERE commission = ANY(%s::text[]) ORDER BY idx DESC LIMIT 50",
}


def _are_of_one(found: list[Row]) -> bool:
    """Whether the reports of one number are of one institution."""
    return len({each["institution"] for each in found}) == 1


def search_page(principal: Principal, text: str) -> SearchPage:
    """What one text finds."""
    return Search(principal, text).page()
