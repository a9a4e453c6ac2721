"""Words of the audit trail (审计记录的用语): what is missing here is shown as it is written down."""

from __future__ import annotations

from plumbline.supervision.access.grants import ROLE_WORDS

#: Action → how readers say it; what is missing here is shown as it is.
WORDS = {
    "account.made": "建立账号",
    "account.link_made": "给了设置密码的链接",
    "account.password_set": "设置了密码",
    "account.suspended": "停用账号",
    "account.reactivated": "恢复账号",
    "account.unlocked": "解锁",
    "account.link_released": "放行改密码的链接",
    "account.password_changed": "改了密码",
    "second_factor.added": "开启第二因素",
    "second_factor.removed": "关闭第二因素",
    "second_factor.refused": "第二因素不对",
    "account.second_factor_reset": "清除第二因素",
    "role.granted": "授予角色",
    "role.ended": "终止角色",
    "session.begun": "登录",
    "session.ended": "退出",
    "session.ended_elsewhere": "结束了别处的登录",
    "session.ended_by_limit": "同时登录太多，最早的已结束",
    "access.refused": "看无权看的页面，被拒绝",
    "access.too_fast": "打开网页太快，像程序，被限速",
    "session.address_refused": "来源地址不在管理员名单里",
    "security.changed": "改了账号安全参数或管理员地址名单",
    "session.refused": "登录失败",
    "session.acts_as": "选择角色",
    "organisation.suspension_proposed": "提出停用单位",
    "organisation.reinstatement_proposed": "提出恢复单位",
    "organisation.proposal_declined": "没有同意停用或恢复单位",
    "organisation.suspended": "停用单位",
    "organisation.reinstated": "恢复单位",
    "charge.assigned": "分工",
    "charge.ended": "终止分工",
    "list.export_ordered": "提出后台导出名录",
    "view_as.begun": "开始以他人身份查看",
    "view_as.ended": "结束以他人身份查看",
    "audit.exported": "导出审计记录",
    "exchange.exported": "导出报送记录",
    "exchange.replayed": "重放一次报送",
    "file.quarantined": "隔离了带毒的文件",
    "key.applied": "申请密钥",
    "key.sandbox": "放进沙箱试报",
    "key.refused": "退回密钥申请",
    "key.production": "正式启用密钥",
    "key.contact_seen": "查看联系人",
    "key.rotated": "轮换密钥",
    "key.revoked": "停用密钥",
    "list.exported": "导出名录",
    "log.resume": "日志另开一期",
    "log.clock_confirm": "确认时钟",
}


#: Outcome → how readers say it.
OUTCOMES = {"done": "已办", "refused": "没有办成", "intended": "打算办"}

#: What stands beside an event → how readers say it.
DETAILS = {
    "address": "来源地址",
    "after": "之后",
    "because": "原因",
    "before": "原角色",
    "by_party": "由单位",
    "code": "规则",
    "division": "辖区",
    "ends": "旧密钥停用于",
    "failures": "输错次数",
    "for": "代表",
    "found": "查出",
    "from": "从",
    "keys": "密钥",
    "kind": "种类",
    "label": "岗位",
    "list": "名录",
    "new": "新密钥",
    "organisation": "单位",
    "part": "分工",
    "project": "工程",
    "proposed_by": "提出人",
    "q": "查询词",
    "reason": "原因",
    "removed": "清除个数",
    "role": "角色",
    "until": "到",
    "uscc": "统一社会信用代码",
    "view": "视图",
}
#: The same for values that are codes.
VALUES = {
    "role": ROLE_WORDS,
    "part": {"lead": "主办", "deputy": "代办"},
    "kind": {
        "totp": "验证器",
        "recovery_codes": "恢复码",
        "suspend": "停用",
        "lift": "恢复",
    },
    "list": {
        "institutions": "检测机构",
        "projects": "工程项目",
        "samples": "样品与见证",
        "tests": "试验",
        "reports": "检测报告",
        "findings": "发现",
        "people": "人员",
        "instruments": "仪器设备",
    },
}
