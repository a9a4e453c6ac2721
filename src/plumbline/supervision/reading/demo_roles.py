"""The roles of the demo's front page (演示角色): read from the parties on record, never from a list in the
code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plumbline.supervision.access.principals import Principal, Role
from plumbline.supervision.pages.view_models import RoleCard
from plumbline.supervision.reading.database import row


@dataclass(frozen=True, slots=True)
class _Kind:
    party_role: str
    role: Role
    title: str
    sentence: str
    icon: str
    #: What to do first, for the tour.
    task: str


#: Key of the card → what it enters as; the order is the order of the cards.
_KINDS = {
    "province": _Kind(
        "authority",
        Role.OFFICER,
        "省厅监督员",
        "看全省各市的检测，同样的条件一次看完。",
        "chart-bar",
        "打开检测报告，筛出不合格的，导出一张表。",
    ),
    "officer": _Kind(
        "station",
        Role.OFFICER,
        "市质监站监督员",
        "看辖区内每份报告的全过程，核对曲线和存证。",
        "building-bank",
        "找一份取样登记晚了的报告，看晚在哪一步。",
    ),
    "institution": _Kind(
        "institution",
        Role.INSTITUTION,
        "检测机构",
        "收样、试验、出报告，看本机构的提醒和说明。",
        "flask",
        "看本机构的编号连不连，缺号有没有说明。",
    ),
    "owner": _Kind(
        "owner",
        Role.PARTY,
        "建设单位",
        "看自己工程的检测做到哪一步，结果怎样。",
        "building-community",
        "看自己工程最近的报告，结果怎样。",
    ),
    "contractor": _Kind(
        "contractor",
        Role.PARTY,
        "施工单位（取样）",
        "看自己工程的取样、送检和报告。",
        "building",
        "打开一份报告，看取样和送检隔了多久。",
    ),
    "resident-engineer": _Kind(
        "resident_engineer_firm",
        Role.PARTY,
        "监理单位（见证）",
        "看自己工程的见证记录和报告。",
        "eye-check",
        "打开一份报告，看见证人在哪里、几点见证。",
    ),
}
_PUBLIC_TASK = "扫一个码，看这份报告是不是真的。"
#: Person whose name stands on the page, by the first of these roles that the party has.
_FACES = ["officer", "approver", "submitter", "witness", "sampler"]


def principal_for(key: str) -> Principal | None:
    """The principal that a card enters as; None for an unknown card or a party that is not on record."""
    kind = _KINDS.get(key)
    if kind is None:
        return None
    party = row("SELECT * FROM ops.first_party(%s, %s)", [kind.party_role, _FACES])
    if party is None:
        return None
    return Principal(
        role=kind.role,
        party=party["id"],
        person=party["person"] or "",
        organisation=party["name"],
        division=party["division"] or "",
        capacity=kind.title.removeprefix("市质监站").removeprefix("省厅").partition("（")[0],
    )


def title_of(key: str) -> str:
    """Name of the role behind a card; empty for the public's."""
    return _KINDS[key].title if key in _KINDS else ""


def task_cards() -> tuple[RoleCard, ...]:
    """The same cards, each with the first task of its role."""
    return tuple(
        replace(card, sentence=_KINDS[card.key].task if card.key in _KINDS else _PUBLIC_TASK)
        for card in role_cards()
    )


def role_cards() -> tuple[RoleCard, ...]:
    """One card for each role whose party is on record, and the public's card with a code to try."""
    told = row("SELECT roles, code FROM ops.cards()", []) or {"roles": [], "code": None}
    cards = [
        RoleCard(
            key=key, title=kind.title, sentence=kind.sentence, icon=kind.icon, url=f"/demo/sign-in/{key}/"
        )
        for key, kind in _KINDS.items()
        if kind.party_role in told["roles"]
    ]
    address = f"/v/{told['code']}" if told["code"] else "/v/"
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
