"""Who may change what (谁有权改动): facts of everybody come in, but only those concerned change an object."""

from __future__ import annotations

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.supervision.projection.arrival import Projection
from plumbline.supervision.projection.table import Row

AUTHORITIES = frozenset({"platform", "authority", "station"})
_SITE = ("owner", "contractor", "resident_engineer_firm")


def roles_of(p: Projection, party: str | None) -> frozenset[str]:
    """Roles of a party as of this entry; none for an unknown one."""
    row = p.state.get("party", party)
    return frozenset(row["roles"]) if row else frozenset()


def is_platform(p: Projection) -> bool:
    """Whether the platform's own party speaks: the operator named by entry 0, which alone holds this role."""
    return "platform" in roles_of(p, p.arrival.sender)


def is_authority(p: Projection) -> bool:
    """Whether a station, an authority or the platform speaks."""
    return bool(AUTHORITIES & roles_of(p, p.arrival.sender))


def lies_in(division: str | None, region: str | None) -> bool:
    """Whether a division lies in a region: codes nest by pairs of digits, trailing zeros mean the whole."""
    if not division or not region:
        return False
    while region.endswith("00"):
        region = region[:-2]
    return division.startswith(region)


def may_speak_for(p: Projection, party: str) -> bool:
    """A party speaks for itself; the authority speaks for all."""
    return party == p.arrival.sender or is_authority(p)


def project_parties(p: Projection, project: str | None) -> dict[str, str]:
    """Role → party of those who build a project; empty for an unknown one."""
    row = p.state.get("project", project)
    return {role: row[role] for role in _SITE if row[role]} if row else {}


def works_on(p: Projection, project: str | None, *others: str | None) -> None:
    """The sender did its part of the work on a project: the parties of the project, the institutions and senders named
    in `others`, and the officers of the place see the sender's people and instruments from here on."""
    sender, row = p.arrival.sender, p.state.get("project", project)
    p.make_known(sender, *project_parties(p, project).values(), *others)
    p.works_in(sender, row["division"] if row else None)


def foreign_sender(what: str, remedy: str) -> Finding:
    """A step on somebody else's sample, run or project: kept, and of no effect."""
    return Finding(
        code="custody.foreign_sender",
        clause="CECS 3.0.3",
        sentence=f"{what}的报送单位与这个工程或这份委托无关，记录照存，不起作用",
        severity=Severity.SEVERE,
        facts={"what": what},
        remedy=remedy,
    )


def unknown_object(what: str, key: str, step: str = "这一条") -> Finding:
    """A step names what is not on record: it came too early, or there is no such thing. Nobody is said to meddle."""
    return Finding(
        code="custody.unknown_object",
        clause="CECS 3.0.3",
        sentence=f"所引用的{what} {key[:8]}… 没有记录",
        severity=Severity.WARNING,
        facts={"reference": key},
        remedy=f"先报送{what}，再报送{step}",
    )


def carries_commission(p: Projection, commission: str, sample: Row) -> bool:
    """Whether the sender is the institution to which a commission that counts gave this sample.

    A commission that nobody of the project stands behind has no project (see `place_commission`).
    """
    row = p.state.get("commission", commission)
    return (
        row is not None
        and row["institution"] == p.arrival.sender
        and sample["id"] in row["samples"]
        and row["project"] is not None
        and row["project"] == sample["project"]
    )


def refused(code: str, clause: str, sentence: str, remedy: str, **facts: str) -> Finding:
    """A finding for what was kept and not taken over."""
    return Finding(
        code=code, clause=clause, sentence=sentence, severity=Severity.SEVERE, facts=facts, remedy=remedy
    )
