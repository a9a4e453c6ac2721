"""Names of people for a page (人员姓名): from the vault, masked where the reader may not see them whole.

A person whose key was destroyed is 已销毁: the record is noise, the log still verifies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings

from plumbline.exchange.masks import name_for
from plumbline.supervision.journal.vault import SealedRecord, SubjectDestroyedError, Vault
from plumbline.supervision.reading.database import Row, by_id, rows

DESTROYED = "已销毁"
_MOST_SEALED = 500
_PEOPLE = "SELECT id, party, roles, certificate_number, personal FROM fact.person WHERE id = ANY(%s::text[])"
#: Sealed records are had by their digest only, which stands in the rows of people that the reader sees.
_SEALED = "SELECT digest, subject, nonce, ciphertext FROM ops.sealed(%s::bytea[])"


@lru_cache(maxsize=1)
def vault() -> Vault:
    """The vault of this platform."""
    return Vault(settings.PLUMBLINE_PLATFORM.folder("subjects"))


@dataclass(slots=True)
class Names:
    """Names by person id, fetched in one query, as the reader may see them (``exchange.masks``); by default as the public does."""

    reader: str = "public"
    _rows: dict[str, Row] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def load(self, people: Iterable[str | None]) -> None:
        """Fetch what is not there yet."""
        wanted = {person for person in people if person} - self._rows.keys()
        people = by_id(_PEOPLE, wanted)
        digests = [bytes.fromhex(each["personal"]) for each in people.values() if each["personal"]]
        sealed = {
            bytes(each["digest"]).hex(): each
            for start in range(0, len(digests), _MOST_SEALED)
            for each in rows(_SEALED, [digests[start : start + _MOST_SEALED]])
        }
        for person, found in people.items():
            self._rows[person] = found
            self._names[person] = self._opened(sealed.get(found["personal"] or ""))

    def _opened(self, found: Row | None) -> str:
        if found is None:
            return "姓名没有登记"
        sealed = SealedRecord(
            digest=bytes(found["digest"]),
            subject=found["subject"],
            nonce=bytes(found["nonce"]),
            ciphertext=bytes(found["ciphertext"]),
        )
        try:
            name = vault().open(sealed).name or "姓名没有登记"
        except SubjectDestroyedError:
            return DESTROYED
        return name_for(self.reader, name)

    def known(self) -> dict[str, str]:
        """Names by person id, of everybody who was found."""
        return dict(self._names)

    def row(self, person: str | None) -> Row | None:
        """The person's row, where it was fetched and may be seen."""
        return self._rows.get(person or "")

    def name(self, person: str | None) -> str:
        """The name; a person that is not on record shows as its number."""
        if not person:
            return ""
        return self._names.get(person, f"没有登记的人员 {person[:8]}…")

    def with_certificate(self, person: str | None, word: str) -> str:
        """王海涛 · 取样员证 QY-20418; without a certificate the name and the capacity."""
        found = self._rows.get(person or "")
        number = found["certificate_number"] if found else None
        return f"{self.name(person)} · {word}证 {number}" if number else f"{self.name(person)} · {word}"
