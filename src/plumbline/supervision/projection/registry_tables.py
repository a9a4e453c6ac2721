"""Tables of what is on record (登记类表): parties, keys, people and their roles, sites, capabilities, filings, instruments."""

from __future__ import annotations

from plumbline.supervision.projection.sights import (
    SIGNED_IN,
    Open,
    OutOfReach,
    Scoped,
    own,
    partnered,
    present,
)
from plumbline.supervision.projection.table import PROVENANCE, Table

_T, _TS, _A, _D, _J = "text", "timestamptz", "text[]", "date", "jsonb"
#: What an institution is and has: the officers of the places where it works, itself, and those who work with it.
_DIRECTORY = Scoped(
    officer=present("institution"), institution=own("institution"), party=partnered("institution")
)

REGISTRY = [
    Table(
        name="party",
        meaning="参与单位；suspension 是停用那一条，恢复后为空",
        sight=Open(
            columns=("id", "uscc", "name", "roles", "division", "suspended_at", *PROVENANCE),
            roles=SIGNED_IN,
            reason="单位名录：名称、信用代码、辖区是公开的登记信息",
        ),
        columns={
            "uscc": _T,
            "name": _T,
            "roles": _A,
            "division": _T,
            "suspension": _T,
            "suspended_at": _TS,
            "suspended_because": _T,
        },
    ),
    Table(
        name="key",
        meaning="密钥；idx 起生效，revoked_idx 起停用",
        sight=Scoped(officer=present("party"), institution=own("party"), party=own("party")),
        columns={
            "party": _T,
            "algorithm": _T,
            "use": _T,
            "public_key": "bytea",
            "secret_sha256": _T,
            "person": _T,
            "device": _T,
            "valid_from": _TS,
            "valid_until": _TS,
            "revoked_idx": "bigint",
            "revoked_at": _TS,
        },
        indexes={"key_of_party": "(party)"},
    ),
    Table(
        name="cosigner",
        meaning="接受过的联署方公钥，一次接受一行；idx 起接受，retired_idx 起停用",
        sight=Open(
            columns=(
                "id",
                "name",
                "key",
                "algorithm",
                "trust_domain",
                "is_external",
                "valid_from",
                "idx",
                "logged_at",
                "retired_idx",
                "retired_at",
            ),
            reason="谁给日志联署、用哪把公钥，人人可知",
        ),
        columns={
            "name": _T,
            "key": _T,
            "algorithm": _T,
            "trust_domain": _T,
            "is_external": "boolean",
            "valid_from": _TS,
            "because": _T,
            "retired_idx": "bigint",
            "retired_at": _TS,
            "retired_because": _T,
        },
        indexes={"cosigner_by_name": "(name)"},
    ),
    Table(
        name="person",
        meaning="人员在一个单位的角色；姓名在个人信息保险箱里",
        sight=Scoped(officer=present("party"), institution=partnered("party"), party=partnered("party")),
        columns={
            "party": _T,
            "roles": _A,
            "certificate_number": _T,
            "scope": _A,
            "sites": _A,
            "valid_from": _D,
            "valid_until": _D,
            "personal": _T,
        },
        indexes={"person_of_party": "(party)"},
    ),
    Table(
        name="role_grant",
        meaning="谁可以代表哪个单位在平台上办事；ended_idx 起不再可以",
        sight=OutOfReach(reason="登录时由 ops.grants_of 按人取；页面不读"),
        columns={
            "person": _T,
            "role": _T,
            "party": _T,
            "division": _T,
            "capacity": _T,
            "ended_idx": "bigint",
            "ended_because": _T,
        },
        indexes={"role_grant_of_person": "(person)", "role_grant_by_division": "(division)"},
    ),
    Table(
        name="role_holder",
        meaning="一个人现有的角色，三员只能有其一",
        sight=OutOfReach(reason="只供投影核对三员不兼任"),
        provenance=False,
        columns={"roles": "text[] NOT NULL"},
    ),
    Table(
        name="site",
        meaning="检测场所",
        sight=_DIRECTORY,
        columns={"institution": _T, "site": _T, "name": _T},
    ),
    Table(
        name="capability",
        meaning="检测能力附表的一行",
        sight=_DIRECTORY,
        columns={
            "institution": _T,
            "site": _T,
            "category": _T,
            "parameters": _A,
            "valid_from": _D,
            "valid_until": _D,
        },
        indexes={"capability_of_institution": "(institution, category)"},
    ),
    Table(
        name="filing",
        meaning="跨省备案",
        sight=_DIRECTORY,
        columns={"institution": _T, "division": _T, "valid_from": _D, "valid_until": _D},
    ),
    Table(
        name="instrument",
        meaning="仪器设备",
        sight=_DIRECTORY,
        # `ref` is the entry that registered it first: its address, which stays when it is calibrated anew.
        columns={"institution": _T, "instrument": _T, "name": _T, "calibrated_until": _D, "ref": _T},
        indexes={
            "instrument_by_ref": "(ref)",
            "instrument_by_entry": "(entry)",
        },
    ),
]
