"""Who takes part in the demonstration (演示角色): one invented city, its station, one institution complete.

Every name is invented; codes have valid check characters, so that the same checks run as for real parties.
The city carries the division code 610300, so that the thirty-minute rules of DB6103 apply to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from plumbline.domain.basics.identifiers import party_id, uscc_check_character

CITY: Final = "衡川市"
DIVISION: Final = "610300"
#: The operator of the demo log; the platform registers it itself when the log is opened.
STATION_USCC: Final = "12610300MB2960001Y"
PRESS: Final = "YE-2000-06"
TENSION_MACHINE: Final = "WE-600-02"
SITE: Final = "HC-01"
#: Project under which recordings of other places are replayed; the city's own reports never use it.
REPLAY_PROJECT: Final = "replay"

PartyKey = Literal["institution", "contractor", "owner", "resident_engineer_firm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A party of the demonstration."""

    key: PartyKey
    name: str
    short_name: str
    uscc: str
    role: str
    address: str
    division: str = DIVISION

    @property
    def party(self) -> str:
        """Party id on the wire, 32 hex."""
        return party_id(self.uscc).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented person; the name travels to the platform as a personal record only."""

    key: str
    #: Person id on the wire, 32 hex.
    ref: str
    name: str
    employer: PartyKey
    roles: tuple[str, ...]
    certificate_number: str | None = None
    scope: tuple[str, ...] = ()
    #: Invented, with a valid check character; travels in the personal part only.
    resident_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A machine of the institution and its calibration."""

    code: str
    name: str
    model: str
    serial_number: str
    range_kN: str | None
    accuracy_class: str | None
    certificate: str
    calibrated_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityLine:
    """A category that the institution may test, with its parameters and standards."""

    category: str
    parameters: tuple[str, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """A construction project with the parts of it that are sampled."""

    key: str
    code: str
    name: str
    permit_number: str
    longitude: str
    latitude: str
    unit_works: tuple[str, ...]
    division: str = DIVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The whole city of one seed."""

    seed: int
    organisations: dict[PartyKey, Organisation]
    people: dict[str, Person]
    instruments: dict[str, Instrument]
    capability: tuple[CapabilityLine, ...]
    projects: dict[str, Works]
    qualification_number: str = "（衡）建检字第 2303017 号"
    site: str = SITE
    site_name: str = "衡川诚测检测有限公司（高新区检测场所）"
    site_address: str = "衡川市高新区校量路 18 号 2 幢"
    #: Capability and certificates of people hold between these days.
    valid_from: date = date(2023, 3, 1)
    valid_until: date = date(2029, 2, 28)
    #: What the institution's numbers and tags begin with.
    prefix: str = "HC"
    #: Category → the machine that the institution tests it on; each machine signs with a key of its own.
    machines: Mapping[str, str] = field(
        default_factory=lambda: {"concrete_cube": PRESS, "rebar_tension": TENSION_MACHINE}
    )

    def party(self, key: PartyKey) -> str:
        """Party id of an organisation, 32 hex."""
        return self.organisations[key].party

    def person(self, key: str) -> str:
        """Person id, 32 hex."""
        return self.people[key].ref


def station_party() -> str:
    """Party id of the supervision station, 32 hex."""
    return party_id(STATION_USCC).hex()


def build_cast(seed: int, today: date) -> Cast:
    """The city of `seed`; the year of `today` decides until when instruments are calibrated."""
    return Cast(
        seed=seed,
        organisations={each.key: each for each in _organisations()},
        people={each.key: each for each in _people(seed)},
        instruments={each.code: each for each in _instruments(date(today.year + 1, 6, 30))},
        capability=_CAPABILITY,
        projects={each.key: each for each in _PROJECTS},
    )


def _uscc(body: str) -> str:
    return body + uscc_check_character(body)


def _organisations() -> list[Organisation]:
    rows: list[tuple[PartyKey, str, str, str, str]] = [
        ("institution", "衡川诚测检测有限公司", "诚测检测", "91610300MA6XCT017", "衡川市高新区校量路 18 号"),
        (
            "owner",
            "衡川市滨江新区置业有限公司",
            "滨江置业",
            "91610300MA6XBJ203",
            "衡川市滨江新区望川大道 1 号",
        ),
        (
            "contractor",
            "衡川建工第三工程有限公司",
            "衡川三建",
            "91610300MA6XJG305",
            "衡川市金台区工农路 66 号",
        ),
        (
            "resident_engineer_firm",
            "衡川正平工程监理有限公司",
            "正平监理",
            "91610300MA6XJL407",
            "衡川市渭滨区法桐路 9 号",
        ),
    ]
    return [
        Organisation(key=key, name=name, short_name=short, uscc=_uscc(body), role=key, address=address)
        for key, name, short, body, address in rows
    ]


#: key, name, employer, roles, certificate number, categories that the person may sign
_PEOPLE: Final[tuple[tuple[str, str, PartyKey, tuple[str, ...], str | None, tuple[str, ...]], ...]] = (
    ("sampler", "许砚秋", "contractor", ("sampler",), "HC-QY-2023-0117", ()),
    ("witness", "顾明岫", "resident_engineer_firm", ("witness",), "HC-JZ-2023-0086", ()),
    ("receiver", "程小满", "institution", ("receiver",), "HC-SY-2023-0031", ()),
    (
        "technician",
        "罗亦舟",
        "institution",
        ("technician",),
        "HC-JC-2023-0402",
        ("concrete_cube", "rebar_tension"),
    ),
    (
        "technician_2",
        "卞知行",
        "institution",
        ("technician",),
        "HC-JC-2023-0409",
        ("concrete_cube", "rebar_tension"),
    ),
    (
        "reviewer",
        "沈未央",
        "institution",
        ("reviewer",),
        "HC-SH-2023-0012",
        ("concrete_cube", "rebar_tension"),
    ),
    (
        "approver",
        "陆廷昉",
        "institution",
        ("approver", "technical_manager"),
        "HC-PZ-2023-0003",
        ("concrete_cube", "rebar_tension"),
    ),
    ("client", "岑望舒", "owner", ("submitter",), None, ()),
)


def _people(seed: int) -> list[Person]:
    return [
        Person(
            key=key,
            ref=hashlib.sha256(f"plumb-demo-person\0{seed}\0{key}".encode()).hexdigest()[:32],
            name=name,
            employer=employer,
            roles=roles,
            certificate_number=certificate,
            scope=scope,
        )
        for key, name, employer, roles, certificate, scope in _PEOPLE
    ]


def _instruments(calibrated_until: date) -> list[Instrument]:
    issued = f"{calibrated_until.year - 1}"
    return [
        Instrument(
            code=PRESS,
            name="微机控制压力试验机 2000 kN",
            model="YE-2000",
            serial_number="P2000-2206",
            range_kN="2000",
            accuracy_class="1",
            certificate=f"HCJL-{issued}-L0608",
            calibrated_until=calibrated_until,
        ),
        Instrument(
            code=TENSION_MACHINE,
            name="微机控制万能试验机 600 kN",
            model="WE-600",
            serial_number="T600-1902",
            range_kN="600",
            accuracy_class="0.5",
            certificate=f"HCJL-{issued}-L0211",
            calibrated_until=calibrated_until,
        ),
        Instrument(
            code="YK-200-11",
            name="游标卡尺 0–200 mm",
            model="YK-200",
            serial_number="K200-2311",
            range_kN=None,
            accuracy_class=None,
            certificate=f"HCJL-{issued}-C1102",
            calibrated_until=calibrated_until,
        ),
    ]


_CAPABILITY: Final = (
    CapabilityLine(
        category="concrete_cube",
        parameters=("concrete_cube.compressive",),
        methods=("concrete_cube", "GB/T 50081-2019"),
    ),
    CapabilityLine(
        category="rebar_tension",
        parameters=("rebar.ReL", "rebar.ReH", "rebar.Rp02", "rebar.Rm", "rebar.A", "rebar.Agt"),
        methods=("rebar_tension", "GB/T 1499.2-2018", "GB 1499.2-2024"),
    ),
)
_PROJECTS: Final = (
    Works(
        key="riverside",
        code="610300-2026-0031",
        name="衡川市滨江新区安居工程一期",
        permit_number="6103002026-0031",
        longitude="107.2374",
        latitude="34.3631",
        unit_works=("1# 楼", "2# 楼", "3# 楼", "地下车库"),
    ),
    Works(
        key="school",
        code="610300-2026-0044",
        name="衡川市第七中学扩建工程",
        permit_number="6103002026-0044",
        longitude="107.1458",
        latitude="34.3782",
        unit_works=("教学楼", "风雨操场"),
    ),
    Works(
        key=REPLAY_PROJECT,
        code="610300-2024-0007",
        name="既有试验记录回放（演示）",
        permit_number="6103002024-0007",
        longitude="107.1702",
        latitude="34.3540",
        unit_works=("既有试验记录",),
    ),
)
