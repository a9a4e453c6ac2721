"""Problem details (RFC 9457, 问题详情): every refusal says field, reason, remedy and, where there is one, the clause."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_BASE = "/x/problems/"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field that is wrong: JSON pointer, why, and what to send instead."""

    pointer: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemKind:
    """An entry of the published error table (错误表)."""

    slug: str
    status: int
    title: str
    remedy: str
    #: What whoever only looked something up is told instead: nothing was sent that could have been taken.
    lookup_title: str = ""


#: The remedy of a look-up that could not be answered now.
_LOOK_AGAIN = "查询不改动任何记录，请稍后再查"


_KINDS = [
    ProblemKind(
        slug="signature-missing",
        status=401,
        title="没有收下：请求没有签名",
        remedy="按手册“签名”一节加上 Signature-Input 和 Signature",
    ),
    ProblemKind(
        slug="signature-invalid",
        status=401,
        title="没有收下：签名对不上",
        remedy="检查私钥与密钥编号是否一致，以及签名后内容有没有再改",
    ),
    ProblemKind(
        slug="signature-stale",
        status=401,
        title="没有收下：签名时间与平台相差超过 300 秒",
        remedy="按答复里的 Date 校准本机时钟后重新签名",
    ),
    ProblemKind(
        slug="digest-mismatch",
        status=400,
        title="没有收下：内容与摘要不一致",
        remedy="对实际发送的字节重新计算 Content-Digest 和 Plumb-Message-Digest",
    ),
    ProblemKind(
        slug="key-unknown",
        status=401,
        title="没有收下：不认识这个密钥",
        remedy="确认密钥编号；刚登记的密钥 5 秒内生效，请稍后重发",
    ),
    ProblemKind(
        slug="key-revoked",
        status=401,
        title="没有收下：这个密钥已经停用",
        remedy="换用有效的密钥重发；没有新密钥请向监督站申请",
    ),
    ProblemKind(
        slug="party-suspended",
        status=403,
        title="没有收下：贵单位已被停用",
        remedy="已入账的记录不受影响；请与所在地的监督机构联系，恢复后用原 uid 重发",
    ),
    ProblemKind(
        slug="sender-mismatch",
        status=403,
        title="没有收下：消息的发送单位不是密钥的主人",
        remedy="sender 必须是密钥所属单位的编号",
    ),
    ProblemKind(
        slug="kind-not-allowed",
        status=403,
        title="没有收下：贵单位的身份不能发送这类消息",
        remedy="这类消息由手册“谁可以发”一栏列出的单位发送",
    ),
    ProblemKind(
        slug="media-type",
        status=415,
        title="没有收下：请求体的类型不对",
        remedy="Content-Type 写手册里这个接口的类型，或者不写",
    ),
    ProblemKind(
        slug="malformed-json", status=400, title="没有收下：不是正确的 JSON", remedy="按位置提示改正后重发"
    ),
    ProblemKind(
        slug="duplicate-key", status=400, title="没有收下：同一对象里有重复的字段名", remedy="删去重复的字段"
    ),
    ProblemKind(slug="too-deep", status=400, title="没有收下：JSON 嵌套超过 32 层", remedy="减少嵌套"),
    ProblemKind(
        slug="too-large",
        status=413,
        title="没有收下：内容超过大小限制",
        remedy="曲线用 dzv 编码；文件走续传接口",
    ),
    ProblemKind(
        slug="too-slow",
        status=408,
        title="没有收下：内容来得太慢",
        remedy="检查网络，用原来的 uid 重发；大的文件走续传接口，断了从断处接着传",
    ),
    ProblemKind(
        slug="curve-too-long",
        status=413,
        title="没有收下：一条曲线超过 1 000 000 点",
        remedy="按采样频率分段，或降低预加载段的采样",
    ),
    ProblemKind(
        slug="schema", status=422, title="没有收下：字段不符合规定", remedy="按 errors 中每个字段的提示改正"
    ),
    ProblemKind(
        slug="uid-time",
        status=422,
        title="没有收下：uid 里的时间不在允许范围",
        remedy="用当前时间生成新的 UUIDv7；历史数据的发生时间写在 occurred_at",
    ),
    ProblemKind(
        slug="personal-data",
        status=422,
        title="没有收下：文字里有身份证号或手机号",
        remedy="个人信息放进 personal 部分，文字里删去号码",
    ),
    ProblemKind(
        slug="personal-mismatch",
        status=422,
        title="没有收下：个人信息与消息里的摘要对不上",
        remedy="按手册“个人信息”一节重新计算摘要",
    ),
    ProblemKind(
        slug="uid-conflict",
        status=409,
        title="没有收下：同一个 uid 已经用于另一份内容",
        remedy="内容变了就要换新的 uid，用 supersedes 指明替代哪一条",
    ),
    ProblemKind(
        slug="claim-lost",
        status=409,
        title="没有收下：这个号码已经被占用",
        remedy="换一个号码，或查询原来那一条",
    ),
    ProblemKind(
        slug="rate-limited",
        status=429,
        title="暂时没有收下：发送太快",
        remedy="按 Retry-After 等待后重发，uid 不变",
        lookup_title="现在查不了：查得太快",
    ),
    ProblemKind(
        slug="queue-full",
        status=429,
        title="暂时没有收下：平台正在排队",
        remedy="按 Retry-After 等待后重发，uid 不变",
        lookup_title="现在查不了：平台正在排队",
    ),
    ProblemKind(
        slug="unavailable",
        status=503,
        title="暂时没有收下：平台正在恢复",
        remedy="保持 uid 不变，稍后重发；不会重复入账",
        lookup_title="现在查不了：平台正在恢复",
    ),
    ProblemKind(
        slug="clock-off",
        status=503,
        title="暂时没有收下：平台时钟需要核对",
        remedy="保持 uid 不变，稍后重发；平台人员会处理",
        lookup_title="现在查不了：平台时钟需要核对",
    ),
    ProblemKind(slug="not-found", status=404, title="查不到", remedy="核对编号"),
    ProblemKind(slug="forbidden", status=403, title="不能看", remedy="换用有权限的身份登录"),
    ProblemKind(
        slug="offset-mismatch",
        status=409,
        title="续传位置不对",
        remedy="用 HEAD 查询已收到的字节数，从那里继续",
    ),
    ProblemKind(
        slug="file-digest-mismatch", status=422, title="文件与声明的摘要不一致", remedy="核对文件后重新上传"
    ),
    ProblemKind(
        slug="file-type-mismatch",
        status=422,
        title="没有收下：文件内容与声明的类型不一致",
        remedy="按文件的实际内容写 media_type",
    ),
    ProblemKind(
        slug="plain-http", status=403, title="没有收下：不能用不加密的连接", remedy="改用 https 地址"
    ),
    ProblemKind(
        slug="method-not-allowed", status=405, title="这个地址不支持这种请求", remedy="见手册的接口表"
    ),
    ProblemKind(
        slug="internal",
        status=500,
        title="平台出错了，没有收下",
        remedy="保持 uid 不变稍后重发，并把编号告诉平台",
        lookup_title="平台出错了，没有查到",
    ),
]

KINDS: dict[str, ProblemKind] = {kind.slug: kind for kind in _KINDS}


@dataclass(slots=True, kw_only=True)
class Problem(Exception):
    """A refusal. The docstring of its kind is the published error table; `detail` says what was seen this time."""

    slug: str
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()
    retry_after_s: int | None = None
    extra: dict[str, str] = field(default_factory=dict)
    #: Whether it is the answer to a look-up.
    is_lookup: bool = False

    @property
    def kind(self) -> ProblemKind:
        """The published row for this slug."""
        return KINDS[self.slug]

    def __str__(self) -> str:
        return f"{self.title}。{self.detail}"

    @property
    def title(self) -> str:
        """What did not happen: a message was not taken, or nothing could be looked up."""
        return (self.is_lookup and self.kind.lookup_title) or self.kind.title

    @property
    def remedy(self) -> str:
        """What to do; of a look-up, when to come again."""
        if not (self.is_lookup and self.kind.lookup_title):
            return self.kind.remedy
        if self.retry_after_s is None:
            return _LOOK_AGAIN
        return f"{_LOOK_AGAIN}：{self.retry_after_s} 秒以后"

    def body(self, instance: str = "") -> dict[str, object]:
        """The `application/problem+json` members; `instance` is the number to quote to the platform."""
        kind = self.kind
        result: dict[str, object] = {
            "type": TYPE_BASE + kind.slug,
            "title": self.title,
            "status": kind.status,
            "detail": self.detail or self.title,
            "remedy": self.remedy,
        }
        if instance:
            result["instance"] = instance
        if self.errors:
            result["errors"] = [
                {"pointer": e.pointer, "reason": e.reason, "remedy": e.remedy} for e in self.errors
            ]
        return result | dict(self.extra)


def field_problem(pointer: str, reason: str, remedy: str, *, slug: str = "schema") -> Problem:
    """A refusal for one field, header or parameter (`/header/Upload-Length`, `/query/after`)."""
    told = FieldProblem(pointer=pointer, reason=reason, remedy=remedy)
    return Problem(slug=slug, detail=reason, errors=(told,))
