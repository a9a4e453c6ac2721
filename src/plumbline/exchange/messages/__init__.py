"""Message types of the exchange, version 1 (数据交换消息): one Struct a kind, who may send it, what it claims, what it touches.

`KINDS` is the only list; the gateway, the projector, the handbook, the JSON Schema and the tests are generated from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plumbline.exchange.messages import custody, platform, project, registry, reports, testing
from plumbline.exchange.messages.header import Message

STATION = frozenset({"station", "authority", "platform"})
INSTITUTION = frozenset({"institution"})
SITE = frozenset({"owner", "contractor", "resident_engineer_firm"})
PLATFORM = frozenset({"platform"})
ANYONE = STATION | INSTITUTION | SITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the handbook's message table.

    `senders` are the party roles that may send it; `claims` names the values that only one entry may hold; `page` says where users
    see it, or that a page follows later.
    """

    type: type[Message]
    title: str
    senders: frozenset[str]
    page: str
    weighty: bool = False
    claims: Callable[[Message], list[tuple[str, str]]] = lambda message: []

    @property
    def tag(self) -> str:
        """The wire name, `subject.past_participle`."""
        return str(self.type.__struct_config__.tag)


def _report_number(message: Message) -> list[tuple[str, str]]:
    assert isinstance(message, reports.NumberTaken)
    series = f"{message.sender}/{message.document_kind}/{message.prefix}/{message.site}/{message.year}"
    return [
        (f"number.{message.document_kind}", f"{message.sender}/{message.number}"),
        ("serial", f"{series}/{message.serial}"),
    ]


def _code(message: Message) -> list[tuple[str, str]]:
    assert isinstance(message, reports.ReportRegistered)
    # by sender and application, so that nobody burns another institution's code; the projector lets only one registration stand
    return [("code.registered", f"{message.sender}/{message.application}/{message.code}")]


_LATER = "页面随后提供"
_TRACE = "追溯页"


def _cosigner_rows() -> list[Kind]:
    accepted, retired, page = registry.CosignerAccepted, registry.CosignerRetired, "运行状态页"
    return [
        Kind(type=accepted, title="接受联署方", senders=PLATFORM, page=page, weighty=True),
        Kind(type=retired, title="停用联署方", senders=PLATFORM, page=page, weighty=True),
    ]


def _registry_rows() -> list[Kind]:
    return [
        Kind(type=registry.LogOpened, title="日志创世", senders=PLATFORM, page="存证状态页", weighty=True),
        Kind(type=registry.PartyRegistered, title="单位登记", senders=STATION, page=_TRACE),
        Kind(type=registry.PartySuspended, title="单位停用", senders=STATION, page="参与单位", weighty=True),
        Kind(type=registry.PartyReinstated, title="单位恢复", senders=STATION, page="参与单位", weighty=True),
        Kind(
            type=registry.KeyEnrolled,
            title="密钥登记",
            senders=STATION,
            page="检测数据上传指导手册·密钥",
            weighty=True,
        ),
        Kind(
            type=registry.KeyRevoked,
            title="密钥停用",
            senders=STATION,
            page="检测数据上传指导手册·密钥",
            weighty=True,
        ),
        *_cosigner_rows(),
        Kind(type=registry.PersonRegistered, title="人员登记", senders=STATION | INSTITUTION, page=_TRACE),
        Kind(type=registry.SiteRegistered, title="检测场所登记", senders=STATION, page=_TRACE),
        Kind(type=registry.CapabilityApproved, title="检测能力核定", senders=STATION, page=_LATER),
        Kind(type=registry.FilingRecorded, title="跨省备案", senders=STATION, page=_LATER),
        Kind(
            type=registry.InstrumentRegistered,
            title="仪器设备登记",
            senders=STATION | INSTITUTION,
            page=_TRACE,
        ),
        Kind(type=registry.RoleGranted, title="角色授予", senders=PLATFORM, page="账号管理", weighty=True),
        Kind(type=registry.RoleEnded, title="角色终止", senders=PLATFORM, page="账号管理", weighty=True),
        Kind(type=registry.ChargeAssigned, title="项目分工", senders=STATION, page="监督分工"),
        Kind(type=registry.ChargeEnded, title="项目分工终止", senders=STATION, page="监督分工"),
        Kind(
            type=registry.ParameterPublished,
            title="参数发布",
            senders=frozenset({"authority", "platform"}),
            page=_LATER,
        ),
        Kind(
            type=registry.SchemaPublished,
            title="项目字段规范发布",
            senders=frozenset({"authority", "platform"}),
            page=_LATER,
        ),
        Kind(type=registry.SubjectDestroyed, title="个人信息销毁", senders=PLATFORM, page=_LATER),
        Kind(type=registry.EntryWithdrawn, title="撤回", senders=ANYONE, page=_TRACE),
    ]


def _project_rows() -> list[Kind]:
    return [
        Kind(type=project.ProjectRegistered, title="工程项目登记", senders=STATION, page=_TRACE),
        Kind(
            type=project.ContractSigned,
            title="检测合同",
            senders=INSTITUTION | frozenset({"owner"}),
            page=_TRACE,
        ),
        Kind(type=project.CustodiansConfirmed, title="取样见证人员核验", senders=STATION, page=_TRACE),
        Kind(type=project.ScheduleSubmitted, title="检测计划", senders=SITE, page=_LATER),
        Kind(type=project.ScheduleApproved, title="检测计划审批", senders=SITE, page=_LATER),
        Kind(
            type=project.TagIssued, title="标识领用", senders=STATION | frozenset({"contractor"}), page=_TRACE
        ),
        Kind(type=project.PourRecorded, title="浇筑记录", senders=SITE | frozenset({"plant"}), page=_LATER),
        Kind(type=project.ArrivalRecorded, title="进场记录", senders=SITE, page=_LATER),
        Kind(
            type=project.InsituItemRegistered,
            title="实体检测项目登记",
            senders=INSTITUTION | STATION,
            page=_LATER,
        ),
        Kind(type=project.DutyAppointed, title="到岗预约", senders=ANYONE, page=_LATER),
        Kind(type=project.CheckInRecorded, title="签到", senders=ANYONE, page=_LATER),
        Kind(type=project.EnvironmentRecorded, title="温湿度记录", senders=INSTITUTION | SITE, page=_LATER),
    ]


def _custody_rows() -> list[Kind]:
    return [
        Kind(type=custody.SamplingRecorded, title="取样制样", senders=SITE, page=_TRACE),
        Kind(type=custody.WitnessingRecorded, title="见证与封志", senders=SITE, page=_TRACE),
        Kind(type=custody.CuringRecorded, title="养护", senders=SITE | INSTITUTION, page=_LATER),
        Kind(type=custody.CommissionPlaced, title="委托单", senders=SITE | INSTITUTION, page=_TRACE),
        Kind(type=custody.ReceiptRecorded, title="收样", senders=INSTITUTION, page=_TRACE),
        Kind(type=custody.SampleTransferred, title="样品流转", senders=INSTITUTION, page=_LATER),
        Kind(type=custody.RetainedDisposed, title="留样处置", senders=INSTITUTION, page=_LATER),
    ]


def _testing_rows() -> list[Kind]:
    return [
        Kind(type=testing.RunRecorded, title="试验", senders=INSTITUTION, page=_TRACE, weighty=True),
        Kind(type=testing.ValueCorrected, title="人工更正", senders=INSTITUTION, page=_TRACE, weighty=True),
        Kind(type=testing.OnSiteRecorded, title="现场检测", senders=INSTITUTION, page=_LATER),
        Kind(type=testing.ReviewRecorded, title="审核与批准", senders=INSTITUTION, page=_TRACE, weighty=True),
        Kind(type=testing.NonconformityNotified, title="不合格告知", senders=INSTITUTION, page=_LATER),
        Kind(type=testing.NonconformityDisposed, title="不合格处置", senders=ANYONE, page=_LATER),
        Kind(type=testing.InstrumentChecked, title="期间核查", senders=INSTITUTION, page=_LATER),
    ]


def _report_rows() -> list[Kind]:
    return [
        Kind(
            type=reports.NumberTaken,
            title="取号",
            senders=INSTITUTION,
            page="编号连续性",
            claims=_report_number,
        ),
        Kind(type=reports.NumberVoided, title="号码作废", senders=INSTITUTION, page="编号连续性"),
        Kind(type=reports.ReportApplied, title="申请监管码", senders=INSTITUTION, page=_TRACE, weighty=True),
        Kind(type=reports.CodeReserved, title="监管码预留", senders=PLATFORM, page="验证页", weighty=True),
        Kind(
            type=reports.CodeWithheld, title="监管码暂不发放", senders=PLATFORM, page="验证页", weighty=True
        ),
        Kind(type=reports.CodeReleased, title="监管码人工放行", senders=STATION, page=_LATER, weighty=True),
        Kind(
            type=reports.ReportRegistered,
            title="登记终稿",
            senders=INSTITUTION,
            page="验证页",
            weighty=True,
            claims=_code,
        ),
        Kind(type=reports.ReportExamined, title="终稿查验", senders=PLATFORM, page="验证页"),
        Kind(
            type=reports.ReportWithdrawn, title="报告撤回", senders=INSTITUTION, page="验证页", weighty=True
        ),
        Kind(type=reports.ReportDelivered, title="报告发放", senders=INSTITUTION, page=_LATER),
        Kind(type=reports.AuthenticityConfirmed, title="收方确认真伪", senders=SITE, page=_LATER),
        Kind(type=reports.ComplaintFiled, title="纸面不一致举报", senders=PLATFORM, page="验证页"),
        Kind(type=reports.DossierArchived, title="归档", senders=INSTITUTION, page=_LATER),
        Kind(type=reports.CompletionChecked, title="竣工核查", senders=STATION, page=_LATER),
    ]


def _platform_rows() -> list[Kind]:
    return [
        Kind(type=platform.BlobStored, title="文件落盘", senders=PLATFORM, page=_TRACE),
        Kind(type=platform.DeadlinePassed, title="期限已过", senders=PLATFORM, page=_TRACE),
        Kind(type=platform.ClockCorrected, title="时钟更正", senders=PLATFORM, page=_LATER, weighty=True),
        Kind(type=platform.TrailSealed, title="审计记录封存", senders=PLATFORM, page="审计记录"),
        Kind(type=platform.EvaluationComputed, title="平台复算", senders=PLATFORM, page=_TRACE),
        Kind(type=platform.RulesReevaluated, title="规则重评", senders=PLATFORM, page=_LATER),
        Kind(type=platform.RetransmitRequested, title="请求补传", senders=PLATFORM, page="变更通知"),
        Kind(type=platform.RetransmitAnswered, title="补传答复", senders=ANYONE, page="变更通知"),
    ]


KINDS: dict[str, Kind] = {
    row.tag: row
    for rows in (
        _registry_rows(),
        _project_rows(),
        _custody_rows(),
        _testing_rows(),
        _report_rows(),
        _platform_rows(),
    )
    for row in rows
}


def kind_of(message: Message) -> Kind:
    """The table row of a decoded message."""
    return KINDS[str(message.__struct_config__.tag)]
