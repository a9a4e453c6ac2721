"""What every record page is put together with (详情页的公用部分): names, proof, findings, history, related lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.record_models import Cell, Fact, FactGroup, RelatedList
from plumbline.supervision.pages.view_models import (
    Chip,
    EvidenceBlock,
    FindingsPanel,
    History,
    ProofChip,
    VersionInfo,
)
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading import history as histories
from plumbline.supervision.reading import judged
from plumbline.supervision.reading.database import Row, by_id, row, rows
from plumbline.supervision.reading.people import Names
from plumbline.supervision.reading.proofs import (
    CheckpointFacts,
    chip,
    cosigned_by,
    newest_checkpoint,
    proof_state,
)
from plumbline.supervision.reading.report_facts import event_of
from plumbline.web.formats import grouped_number

#: Related records that stand on a page; the list has the others.
SHOWN = 6
#: Counting stops here: exact counts of a large scope cost seconds.
MOST = 1000
_PARTIES = "SELECT id, name, roles, division FROM fact.party WHERE id = ANY(%s::text[])"
_FINDINGS = "SELECT * FROM fact.finding WHERE subject = ANY(%s::text[]) ORDER BY idx DESC LIMIT 50"


@dataclass(slots=True)
class Desk:
    """One reader at one page: everything is fetched in a fixed number of queries."""

    principal: Principal
    checkpoint: CheckpointFacts | None = field(default_factory=newest_checkpoint)
    names: Names = field(default_factory=Names)
    parties: dict[str, Row] = field(default_factory=dict)
    #: Those parties whose page the reader may open.
    open_parties: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Names as this reader may see them."""
        self.names = Names(self.principal.role)

    @property
    def covered(self) -> int:
        """Position below which a checkpoint covers every entry."""
        return self.checkpoint.covered if self.checkpoint else 0

    def know(self, parties: Iterable[str | None], people: Iterable[str | None] = ()) -> None:
        """Fetch names of parties and people for this page, once."""
        self.parties = by_id(_PARTIES, parties)
        self.open_parties = open_to(self.principal, self.parties)
        self.names.load(people)

    def party(self, party: str | None) -> str:
        """Name of a party."""
        found = self.parties.get(party or "")
        return found["name"] if found else "没有登记的单位" if party else ""

    def party_fact(self, label: str, party: str | None) -> Fact:
        """A party as a fact with the way to its page."""
        return Fact(label=label, value=self.party(party) or "没有写", url=self.party_url(party))

    def party_url(self, party: str | None) -> str:
        """The page of a party, where this reader may open it."""
        return f"/institutions/{party}/" if party in self.open_parties else ""

    def party_cell(self, party: str | None) -> Cell:
        """A party in a related list."""
        return Cell(text=self.party(party), url=self.party_url(party))

    def person_fact(self, label: str, person: str | None) -> Fact:
        """A person as a fact; those whom the reader may not see are not linked."""
        url = f"/people/{person}/" if self.names.row(person) else ""
        return Fact(label=label, value=self.names.name(person) or "没有写", url=url)

    def known(self) -> dict[str, str]:
        """Names of parties and people by id."""
        return {key: each["name"] for key, each in self.parties.items()} | self.names.known()

    def proof(self, record: Row, *, is_machine: bool = False) -> ProofChip:
        """The proof of a record by the entry that made it."""
        roles = (self.parties.get(record["sender"]) or {}).get("roles") or []
        is_keyed = record.get("data_origin") == "keyed"
        found = chip(
            event_of(record), covered=self.covered, roles=roles, is_machine=is_machine, is_keyed=is_keyed
        )
        assert found is not None
        return found

    def evidence(self, record: Row, *, is_machine: bool = False) -> EvidenceBlock:
        """Where the record stands in the log."""
        proof = self.proof(record, is_machine=is_machine)
        return self.logged(proof, record["idx"])

    def logged(self, proof: ProofChip, idx: int) -> EvidenceBlock:
        """The block of an entry whose proof is known."""
        found = self.checkpoint
        cosigned = cosigned_by(settings.PLUMBLINE_PLATFORM.origin, idx)
        return EvidenceBlock(
            cosigners=cosigned.names,
            external_cosigners=cosigned.external,
            proof=proof,
            origin=found.origin if found else settings.PLUMBLINE_PLATFORM.origin,
            log_index=idx,
            checkpoint_size=found.size if found else None,
            checkpoint_at=found.at if found else None,
            root=found.root if found else "",
            receipt_url=proof.receipt_url,
        )

    def flat(self, record: Row) -> Cell:
        """The proof of a related record as a cell."""
        state = proof_state(
            record["attestation"], record["idx"], self.covered, is_keyed=record.get("data_origin") == "keyed"
        )
        return Cell(proof=ProofChip(state=state, log_index=record["idx"]))

    def findings(self, subjects: Iterable[str | None]) -> list[Row]:
        """What was found about these objects, as this reader may see it: unconfirmed ones are not for everybody."""
        wanted = sorted({each for each in subjects if each})
        return rows(_FINDINGS, [wanted]) if self.principal.sees_unconfirmed_findings else []

    def panel(self, found: list[Row]) -> FindingsPanel | None:
        """The findings as cards; none for readers whom they are not for."""
        return judged.panel(found, ()) if self.principal.sees_unconfirmed_findings else None

    def history(self, record: Row, versions: list[Row]) -> History:
        """The change history of the page's record."""
        return histories.history(record, versions, self.known(), self.covered)


def open_to(principal: Principal, parties: Iterable[str]) -> frozenset[str]:
    """Those parties whose page a reader may open: officers those who work in their region, the others whom they worked with."""
    table = "fact.presence" if principal.role is Role.OFFICER else "fact.partner"
    wanted = sorted(parties)
    if not wanted:
        return frozenset()
    found = rows(" ".join(("SELECT DISTINCT party FROM", table, "WHERE party = ANY(%s::text[])")), [wanted])
    return frozenset(each["party"] for each in found)


def version_of(record: Row) -> VersionInfo:
    """Which version the record stands at."""
    number = int(record["version"])
    return VersionInfo(number=number, standing="没有改过" if number == 1 else "以前的版本见修改记录")


def one(statement: str, key: str | None) -> Row | None:
    """A row by its key; no key, no query."""
    return row(statement, [key]) if key else None


def counted(**conditions: tuple[str, tuple[object, ...]]) -> dict[str, int]:
    """How many rows each condition has, up to one more than :data:`MOST`, in one query.

    A condition is ``("fact.sample WHERE project = %s", (key,))``.
    """
    parts = [
        f"(SELECT count(*) FROM (SELECT 1 FROM {said} LIMIT {MOST + 1}) x) AS {name}"  # noqa: S608 - own texts
        for name, (said, _) in conditions.items()
    ]
    found = row("SELECT " + ", ".join(parts), [each for _, given in conditions.values() for each in given])
    return {name: int(value) for name, value in (found or {}).items()}


def total_words(number: int, unit: str = "条") -> str:
    """共 37 条; beyond what is counted 多于 1 000 条; nothing for none."""
    if number > MOST:
        return f"多于 {grouped_number(MOST)} {unit}"
    return f"共 {grouped_number(number)} {unit}" if number else ""


def group(title: str, *facts: Fact | None) -> FactGroup:
    """A group of facts without those that are not there."""
    return FactGroup(title=title, facts=tuple(each for each in facts if each and (each.value or each.chip)))


def related(
    key: str,
    title: str,
    icon: str,
    columns: tuple[str, ...],
    lines: Iterable[tuple[Cell, ...]],
    *,
    count: int | None = None,
    limit: int | None = None,
    more_url: str = "",
    empty: str = "没有记录。",
) -> RelatedList:
    """A related list; the way to all of them stands where there are more than are shown.

    ``limit``: how many were fetched at most, where nobody counted them.
    """
    found = tuple(lines)
    number = len(found) if count is None else count
    said = f"最近 {number} 条" if limit is not None and number >= limit else total_words(number)
    return RelatedList(
        key=key,
        title=title,
        icon=icon,
        columns=columns,
        rows=found,
        total=said,
        more_url=more_url if number > len(found) or said.startswith("最近") else "",
        empty=empty,
    )


def day(value: object) -> str:
    """A day as it is written; empty for none."""
    return value.isoformat() if value is not None and hasattr(value, "isoformat") else ""


def count_chip(found: list[Row]) -> tuple[Chip, ...]:
    """过程提醒 3 beside a title, for warnings and what is heavier."""
    weighty = {
        (each["code"], each["sentence"])
        for each in found
        if each["severity"] in ("warning", "severe", "block")
    }
    return (Chip(tone=Tone.WARN, text=f"提醒 {len(weighty)}", icon="alert-triangle"),) if weighty else ()
