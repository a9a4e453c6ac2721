"""What the tour shows (导览页的视图模型): a card for each role with its first task, then the stops in order."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.supervision.pages.view_models import RoleCard


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStop:
    """One stop: what to do, what one will see, and the clause that it answers (一站)."""

    number: int
    key: str
    title: str
    #: what to click
    todo: str
    #: what comes of it
    sees: str
    clause: str
    clause_text: str
    #: in whose role it opens; empty for the public
    role: str
    is_visited: bool = False
    #: a file that belongs to the stop: label and address
    file: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TourPage:
    """The whole tour for one visitor (十分钟导览)."""

    cards: tuple[RoleCard, ...]
    stops: tuple[TourStop, ...]
    #: said in place of a record that is not there yet
    missing: str = ""
    is_dismissed: bool = False

    @property
    def visited(self) -> int:
        """How many stops were opened in this session."""
        return sum(stop.is_visited for stop in self.stops)

    @property
    def next_key(self) -> str:
        """The first stop that was not opened yet; empty when all were."""
        return next((stop.key for stop in self.stops if not stop.is_visited), "")
