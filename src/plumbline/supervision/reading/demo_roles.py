"""The roles of the demo's front page (演示角色): read from the parties on record, never from a list in the
code."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.view_models import RoleCard
from plumbline.supervision.reading.database import row, rows


@dataclass(frozen=True, slots=True)
class _Kind:
    party_role: str
    role: Role
    title: str
    sentence: str
    icon: str


#: Key of the card → what it enters as; the order is the order of the cards.
_KINDS = {
    "officer": _Kind(
        "station",
        Role.OFFICER,
        "市质监站监督员",
        "看辖区内每份报告的全过程，核对曲线和存证。",
        "building-bank",
    ),
    "institution": _Kind(
        "institution", Role.INSTITUTION, "检测机构", "收样、试验、出报告，看本机构的提醒和说明。", "flask"
    ),
    "owner": _Kind(
        "owner", Role.PARTY, "建设单位", "看自己工程的检测做到哪一步，结果怎样。", "building-community"
    ),
    "contractor": _Kind("contractor", Role.PARTY, "施工单位", "看自己工程的取样、送检和报告。", "building"),
    "resident-engineer": _Kind(
        "resident_engineer_firm", Role.PARTY, "监理单位", "看自己工程的见证记录和报告。", "eye-check"
    ),
}
#: Person whose name stands on the page, by the first of these roles that the party has.
_FACES = ["officer", "approver", "submitter", "witness", "sampler"]


def principal_for(key: str) -> Principal | None:
    """The principal that a card enters as; None for an unknown card or a party that is not on record."""
    kind = _KINDS.get(key)
    if kind is None:
        return None
    party = row(
        "SELECT id, name, division FROM fact.party WHERE %s = ANY(roles) ORDER BY idx LIMIT 1",
        [kind.party_role],
    )
    if party is None:
        return None
    person = row(
        "SELECT id FROM fact.person WHERE party = %s AND roles && %s::text[] ORDER BY idx LIMIT 1",
        [party["id"], _FACES],
    )
    return Principal(
        role=kind.role,
        party=party["id"],
        person=person["id"] if person else "",
        organisation=party["name"],
        division=party["division"] or "",
        capacity=kind.title.removeprefix("市质监站"),
    )


def role_cards() -> tuple[RoleCard, ...]:
    """One card for each role whose party is on record, and the public's card with a code to try."""
    present = {name for each in rows("SELECT roles FROM fact.party", []) for name in each["roles"]}
    cards = [
        RoleCard(
            key=key, title=kind.title, sentence=kind.sentence, icon=kind.icon, url=f"/demo/sign-in/{key}/"
        )
        for key, kind in _KINDS.items()
        if kind.party_role in present
    ]
    sample = row(
        "SELECT code FROM fact.registration WHERE state = 'registered' AND accepted ORDER BY idx DESC LIMIT 1",
        [],
    )
    address = f"/v/{sample['code']}" if sample else "/v/"
    return (
        *cards,
        RoleCard(
            key="public",
            title="公众",
            sentence="扫报告上的码，一句话说清真伪。",
            icon="qrcode",
            url=address,
            needs_sign_in=False,
        ),
    )
