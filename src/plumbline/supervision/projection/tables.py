"""The tables of schema `fact` (事实表与派生表): one declaration from which DDL, grants, indexes and the projector's writes are made.

F and D tables hold nothing that the journal does not: when this declaration changes, they are rebuilt, not migrated
(docs/decisions/0005). Every F row carries where it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

#: Where a row came from: entry, place in the log, sender, key, kind of proof, the three times, version, and the message.
PROVENANCE = {
    "entry": "text NOT NULL",
    "idx": "bigint NOT NULL",
    "sender": "text NOT NULL",
    "key_id": "text NOT NULL",
    "attestation": "text NOT NULL",
    "occurred_at": "timestamptz NOT NULL",
    "arrived_at": "timestamptz NOT NULL",
    "logged_at": "timestamptz NOT NULL",
    "version": "int NOT NULL",
    "body": "jsonb NOT NULL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what one row means, its own columns, and the queries that its indexes serve."""

    name: str
    meaning: str
    columns: dict[str, str]
    provenance: bool = True
    indexes: dict[str, str] = field(default_factory=dict)
    key_type: str = "text"
    monthly_codes: bool = False

    @property
    def all_columns(self) -> dict[str, str]:
        """Column name → type, key first."""
        return {"id": self.key_type} | (PROVENANCE if self.provenance else {}) | self.columns


_T, _TS, _A, _D, _J = "text", "timestamptz", "text[]", "date", "jsonb"

_TABLES = [
    Table(
        name="event",
        meaning="每一条入账：种类、发送单位、涉及的对象",
        provenance=False,
        columns={
            "idx": "bigint NOT NULL",
            "kind": "text NOT NULL",
            "sender": "text NOT NULL",
            "uid": "uuid NOT NULL",
            "key_id": "text NOT NULL",
            "attestation": "text NOT NULL",
            "occurred_at": "timestamptz NOT NULL",
            "arrived_at": "timestamptz NOT NULL",
            "logged_at": "timestamptz NOT NULL",
            "subject": _T,
        },
        indexes={"event_by_idx": "(idx)", "event_of_subject": "(subject, idx)"},
    ),
    Table(
        name="epoch",
        meaning="日志各期；第一期是创世，以后各期说明接着什么、缺了什么",
        columns={
            "epoch": "int NOT NULL",
            "kept_epoch": "int",
            "kept_size": "bigint",
            "lost": "bigint",
            "because": _T,
        },
    ),
    Table(name="party", meaning="参与单位", columns={"uscc": _T, "name": _T, "roles": _A, "division": _T}),
    Table(
        name="key",
        meaning="密钥；idx 起生效，revoked_idx 起停用",
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
        name="person",
        meaning="人员在一个单位的角色；姓名在个人信息保险箱里",
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
        provenance=False,
        columns={"roles": "text[] NOT NULL"},
    ),
    Table(name="site", meaning="检测场所", columns={"institution": _T, "site": _T, "name": _T}),
    Table(
        name="capability",
        meaning="检测能力附表的一行",
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
        columns={"institution": _T, "division": _T, "valid_from": _D, "valid_until": _D},
    ),
    Table(
        name="instrument",
        meaning="仪器设备",
        columns={"institution": _T, "instrument": _T, "name": _T, "calibrated_until": _D},
    ),
    Table(
        name="project",
        meaning="工程项目",
        columns={
            "code": _T,
            "name": _T,
            "division": _T,
            "owner": _T,
            "contractor": _T,
            "resident_engineer_firm": _T,
        },
        indexes={"project_by_division": "(division)"},
    ),
    Table(
        name="contract",
        meaning="检测合同",
        columns={"project": _T, "number": _T, "client": _T, "client_role": _T, "institution": _T},
        indexes={"contract_of_project": "(project)"},
    ),
    Table(
        name="custodians",
        meaning="一个工程核验过的取样、见证人员；键为工程",
        columns={"samplers": _A, "witnesses": _A},
    ),
    Table(
        name="tag",
        meaning="标识；键为标识码",
        columns={"project": _T, "issued_to": _T, "sample": _T, "ordinal": "int"},
    ),
    Table(
        name="sample",
        meaning="样品（一组）",
        columns={
            "project": _T,
            "sample_kind": _T,
            "grade": _T,
            "structural_part": _T,
            "made_at": _TS,
            "sampler": _T,
            "curing": _T,
            "required_age_d": "int",
            "tags": _A,
            "witnessing": _T,
            "receipts": _A,
            "commission": _T,
            "runs": _A,
        },
        indexes={"sample_of_project": "(project)"},
    ),
    Table(
        name="witnessing",
        meaning="见证与封志",
        columns={"sample": _T, "witness": _T, "witnessed_at": _TS, "seal": _T},
        indexes={"witnessing_of_sample": "(sample)"},
    ),
    Table(
        name="commission",
        meaning="委托单",
        columns={
            "contract": _T,
            "project": _T,
            "institution": _T,
            "number": _T,
            "test_category": _T,
            "samples": _A,
        },
        indexes={"commission_of_contract": "(contract)"},
    ),
    Table(
        name="receipt",
        meaning="收样",
        columns={"commission": _T, "sample": _T, "institution": _T, "site": _T, "accepted": "boolean"},
        indexes={"receipt_of_sample": "(sample)"},
    ),
    Table(
        name="run",
        meaning="试验；曲线另存",
        columns={
            "commission": _T,
            "sample": _T,
            "project": _T,
            "institution": _T,
            "site": _T,
            "category": _T,
            "parameters": _A,
            "method": _T,
            "edition": _T,
            "instrument": _T,
            "technician": _T,
            "data_origin": _T,
            "started_at": _TS,
            "finished_at": _TS,
            "discarded": "boolean",
            "curves": "int",
            "points": "int",
            "evaluated": "boolean",
        },
        indexes={
            "run_of_sample": "(sample)",
            "run_of_commission": "(commission)",
            "run_waiting_for_evaluation": "(idx) WHERE NOT evaluated",
        },
    ),
    Table(
        name="curve",
        meaning="一个试件一个通道的曲线：按分辨率缩放的整数，pcodec 压缩",
        provenance=False,
        columns={
            "run": "text NOT NULL",
            "ordinal": "int NOT NULL",
            "channel": "text NOT NULL",
            "unit": "text NOT NULL",
            "scale": "text NOT NULL",
            "points": "int NOT NULL",
            "times_us": "bytea NOT NULL",
            "values": "bytea NOT NULL",
            "digest": "text NOT NULL",
        },
        indexes={"curve_of_run": "(run, ordinal)", "curve_by_digest": "(digest)"},
    ),
    Table(
        name="correction",
        meaning="人工更正：曲线不变，值有前后",
        columns={"run": _T, "ordinal": "int", "symbol": _T},
        indexes={"correction_of_run": "(run)"},
    ),
    Table(
        name="review",
        meaning="审核、批准",
        columns={"run": _T, "step": _T, "person": _T, "decision": _T},
        indexes={"review_of_run": "(run)"},
    ),
    Table(
        name="evaluation",
        meaning="平台复算；键为试验",
        columns={"verdict": _T, "outcome": _T, "method": _T, "edition": _T},
    ),
    Table(
        name="number",
        meaning="连续编号中取走的一个号",
        columns={
            "institution": _T,
            "document_kind": _T,
            "prefix": _T,
            "site": _T,
            "year": "int",
            "serial": "int",
            "number": _T,
            "commission": _T,
            "voided": _T,
            "report": _T,
        },
        indexes={"number_in_series": "(institution, document_kind, prefix, site, year, serial)"},
    ),
    Table(
        name="application",
        meaning="监管码申请（结构化报告）",
        columns={
            "commission": _T,
            "institution": _T,
            "number": _T,
            "category": _T,
            "title": _T,
            "conclusion": _T,
            "project": _T,
            "division": _T,
            "state": "text NOT NULL",
            "code": _T,
            "reasons": _J,
            "decided_idx": "bigint",
        },
        indexes={
            "application_of_commission": "(commission)",
            "application_waiting": "(idx) WHERE state = 'applied'",
            "application_by_state": "(state, idx DESC)",
            "application_of_institution": "(institution, idx DESC)",
            "application_of_project": "(project, idx DESC)",
            "application_by_number": "(number)",
        },
    ),
    Table(
        name="code",
        meaning="监管码；键为码，按月份前缀分区",
        key_type='text COLLATE "C"',
        monthly_codes=True,
        columns={
            "application": "text NOT NULL",
            "institution": "text NOT NULL",
            "state": "text NOT NULL",
            "claims": _T,
            "dies_at": _TS,
            "registration": _T,
            "pdf_sha256": _T,
            "replaced_by": _T,
        },
    ),
    Table(
        name="registration",
        meaning="登记的终稿",
        columns={
            "application": _T,
            "code": _T,
            "institution": _T,
            "pdf_sha256": _T,
            "state": "text NOT NULL",
            "examined": "boolean",
            "accepted": "boolean",
            "root_kind": _T,
            "signer": _T,
            "examination": _J,
            "withdrawn_because": _T,
            "withdrawn_at": _TS,
        },
        indexes={
            "registration_by_code": "(code)",
            "registration_by_hash": "(pdf_sha256)",
            "registration_waiting": "(idx) WHERE NOT examined",
        },
    ),
    Table(
        name="complaint",
        meaning="纸面不一致举报",
        columns={"code": _T, "differs": _A},
        indexes={"complaint_of_code": "(code)"},
    ),
    Table(name="blob", meaning="已落盘的文件；键为 SHA-256", columns={"bytes": "bigint", "media_type": _T}),
    Table(
        name="record",
        meaning="暂时没有专页的消息：事实照收，页面随后",
        columns={"kind": "text NOT NULL", "subject": _T},
        indexes={"record_of_subject": "(subject)"},
    ),
    Table(
        name="version",
        meaning="一个对象的一个旧版本：谁、何时、改前、改后、原因",
        provenance=False,
        columns={
            "object": "text NOT NULL",
            "object_kind": "text NOT NULL",
            "version": "int NOT NULL",
            "entry": "text NOT NULL",
            "idx": "bigint NOT NULL",
            "reason": _T,
            "before": _J,
            "after": _J,
        },
        indexes={"version_of_object": "(object, version)"},
    ),
    Table(
        name="finding",
        meaning="发现：规则、条款、一句话；未认定前只给监督人员和机构看",
        provenance=False,
        key_type="uuid",
        columns={
            "idx": "bigint NOT NULL",
            "entry": "text NOT NULL",
            "code": "text NOT NULL",
            "clause": "text NOT NULL",
            "severity": "text NOT NULL",
            "subject_kind": "text NOT NULL",
            "subject": "text NOT NULL",
            "institution": _T,
            "sentence": "text NOT NULL",
            "remedy": _T,
            "facts": _J,
            "logged_at": "timestamptz NOT NULL",
        },
        indexes={"finding_of_subject": "(subject)", "finding_by_time": "(idx DESC)"},
    ),
    Table(
        name="institution_day",
        meaning="机构每日汇总：试验、曲线、申请、登记、发现",
        provenance=False,
        columns={
            "institution": "text NOT NULL",
            "day": "date NOT NULL",
            "runs": "int NOT NULL",
            "curves": "int NOT NULL",
            "applications": "int NOT NULL",
            "registrations": "int NOT NULL",
            "findings": "int NOT NULL",
        },
    ),
    Table(
        name="parked",
        meaning="投影失败而停放的入账",
        provenance=False,
        columns={"idx": "bigint NOT NULL", "keys": "text[] NOT NULL", "error": "text NOT NULL"},
        indexes={"parked_by_idx": "(idx)"},
    ),
    Table(name="parked_key", meaning="被停放的对象", provenance=False, columns={"idx": "bigint NOT NULL"}),
    Table(
        name="position",
        meaning="投影到日志的哪一条",
        provenance=False,
        columns={"epoch": "int NOT NULL", "pos": "bigint NOT NULL"},
    ),
]

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}

#: The gateway reads these to know keys, parties and the state of codes; nothing else of schema fact.
GATEWAY_READS = (
    "key",
    "party",
    "position",
    "application",
    "registration",
    "event",
    "code",
    "run",
    "curve",
    "parked",
    "finding",
)


def ddl(schema: str, months: list[str]) -> str:
    """SQL that makes the schema: tables, comments, indexes, grants. `months` are code prefixes YYMM to make partitions for."""
    lines = [
        f'CREATE SCHEMA "{schema}";',
        f'GRANT USAGE ON SCHEMA "{schema}" TO plumb_projector, plumb_gateway, plumb_web, plumb_worker, plumb_definer;',
    ]
    for table in TABLES.values():
        lines += _table_ddl(schema, table, months)
    for name in GATEWAY_READS:
        lines.append(f'GRANT SELECT ON "{schema}"."{name}" TO plumb_gateway;')
    return "\n".join(lines)


def _table_ddl(schema: str, table: Table, months: list[str]) -> list[str]:
    full = f'"{schema}"."{table.name}"'
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.all_columns.items())
    suffix = " PARTITION BY RANGE (id)" if table.monthly_codes else ""
    lines = [
        f"CREATE TABLE {full} ({columns}, PRIMARY KEY (id)){suffix};",
        f"COMMENT ON TABLE {full} IS '{table.meaning}';",
    ]
    if table.monthly_codes:
        lines += [code_partition(schema, table.name, month) for month in months]
    for name, target in table.indexes.items():
        lines.append(f'CREATE INDEX "{name}" ON {full} {target};')
    lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {full} TO plumb_projector;")
    lines.append(f"GRANT SELECT ON {full} TO plumb_web, plumb_worker;")
    if table.name in (
        "code",
        "registration",
        "application",
        "party",
        "project",
        "commission",
        "contract",
        "sample",
        "witnessing",
        "person",
    ):
        lines.append(f"GRANT SELECT ON {full} TO plumb_definer;")
    return lines


def code_partition(schema: str, name: str, month: str) -> str:
    """SQL that makes the partition of one month (prefix YYMM) unless it is there."""
    year, number = int(month[:2]), int(month[2:])
    following = f"{year + number // 12:02d}{number % 12 + 1:02d}"
    return (
        f'CREATE TABLE IF NOT EXISTS "{schema}"."{name}_{month}" PARTITION OF "{schema}"."{name}" '
        f"FOR VALUES FROM ('{month}') TO ('{following}');"
    )


def declaration_hash() -> str:
    """Changes when a table changes; another hash means that the tables are rebuilt."""
    return hashlib.sha256(ddl("fact", []).encode()).hexdigest()[:32]
