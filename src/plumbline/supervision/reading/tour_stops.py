"""The stops of the ten-minute tour (导览各站): whose eyes, what to do, which clause, and how the real record is found.

Nothing here knows an id: each record is chosen from what the role of the stop may see, the oldest that fits, so that the
stop shows the same record while the city grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plumbline.supervision.reading.database import row
from plumbline.supervision.reading.live import STREAM_PREFIX, streams

_REPORTS = "SELECT a.id FROM fact.application a WHERE"
_OLDEST = {
    "finding": "SELECT id FROM fact.finding ORDER BY idx LIMIT 1",
    "sample": "SELECT id FROM fact.sample ORDER BY idx LIMIT 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop as it is declared."""

    key: str
    #: Key of the role card that it opens with; empty: the public's pages, which need none.
    card: str
    title: str
    todo: str
    sees: str
    clause: str
    #: Address of the real record, in the role of the card; gives None while there is none. None: the session's code.
    find: Callable[[], str | None] | None = None
    #: Page of web that must exist for the stop to be listed; empty where the gateway answers.
    page: str = ""
    file: tuple[str, str] | None = None


def _report(condition: str) -> Callable[[], str | None]:
    """Trace of the oldest report in scope for which the condition over `a` holds."""

    def find() -> str | None:
        found = row(f"{_REPORTS} {condition} ORDER BY a.idx LIMIT 1", [])
        return f"/reports/{found['id']}/" if found else None

    return find


def _with_finding(code: str) -> Callable[[], str | None]:
    """Trace of the oldest report with this finding about its sample."""

    def find() -> str | None:
        found = row(
            "SELECT a.id FROM fact.finding f JOIN fact.application a ON a.body->'samples' @> to_jsonb(f.subject) "
            "WHERE f.code = %s ORDER BY f.idx, a.idx LIMIT 1",
            [code],
        )
        return f"/reports/{found['id']}/" if found else None

    return find


def _page(address: str) -> Callable[[], str | None]:
    return lambda: address


def _oldest(table: str, address: str) -> Callable[[], str | None]:
    """Page of the oldest record of a table in scope."""

    def find() -> str | None:
        found = row(_OLDEST[table], [])
        return f"{address}{str(found['id']).replace('-', '')}/" if found else None

    return find


def _live() -> str | None:
    name = next((name for name, _ in streams() if name.startswith(STREAM_PREFIX)), None)
    return f"/live-tests/{name}/" if name else None


STOPS: tuple[Stop, ...] = (
    Stop(
        key="verify",
        card="",
        title="公众扫一个码",
        todo="点开，就像用手机扫了报告上的二维码。",
        sees="一句话：这份报告是真的，没有改动，也没有撤回；下面是最常被改的几项。",
        clause="BJ 4.2.2.1",
    ),
    Stop(
        key="changed",
        card="",
        title="改一个字节，变红",
        todo="先下载这份报告改过一个字节的 PDF，再打开查验页，把文件拖进去。",
        sees="红色：这份文件被改过，请不要采用；并说明凭什么这样说。换成原件就不红。",
        clause="CECS 4.1.2-c",
        file=("下载改过一个字节的 PDF", "/tour/changed.pdf"),
    ),
    Stop(
        key="live",
        card="officer",
        title="压力机正在试验",
        todo="看曲线边做边长；试件破坏后，平台按标准重算一遍。",
        sees="力值曲线、加荷速度和允许范围。城市补齐以后才开机，每半分钟压一组。",
        clause="BJ 6.2.1.3",
        find=_live,
        page="/live-tests/press/",
    ),
    Stop(
        key="trace",
        card="officer",
        title="一份报告的来龙去脉",
        todo="从委托一步步看到报告，点试验那一步看曲线。",
        sees="每步有谁、何时、何地、凭什么；机构的结果旁边是平台的复算。",
        clause="BJ 4.1.5",
        find=_report("a.state = 'registered' AND a.conclusion <> 'FAIL'"),
        page="/reports/x/",
    ),
    Stop(
        key="late",
        card="officer",
        title="取样登记晚了",
        todo="看“取样”一步前面的间隔。",
        sees="琥珀色写着晚了几分钟、限值多少、依据哪条。报告仍然是真的：过程和真伪分开回答。",
        clause="BJ 7.1.2-b",
        find=_with_finding("custody.late_registration"),
        page="/reports/x/",
    ),
    Stop(
        key="withheld",
        card="officer",
        title="没有见证，不给码",
        todo="看报告一步：申请了监管码，平台没有给。",
        sees="逐条写明为什么、依据哪条、怎样补正；没有码的报告公众查不到。",
        clause="BJ 4.2.2.2-c",
        find=_report("a.state = 'withheld'"),
        page="/reports/x/",
    ),
    Stop(
        key="failed",
        card="officer",
        title="不合格的闭环",
        todo="看这份不合格报告之后的几步。",
        sees="不合格一样给码，一样能查；当天告知，其后有处置和销项。",
        clause="BJ 5.3.5",
        find=_report("a.conclusion = 'FAIL' AND a.state = 'registered'"),
        page="/reports/x/",
    ),
    Stop(
        key="finding",
        card="officer",
        title="疑点，尚未认定",
        todo="看待查的疑点，打开一条看证据。",
        sees="量到的值和限值写在一句话里；没有人认定之前，公众看不到。",
        clause="BJ 4.1.10-a",
        find=_oldest("finding", "/findings/"),
        page=f"/findings/{'0' * 32}/",
    ),
    Stop(
        key="exchange",
        card="officer",
        title="谁传了什么，为什么没收",
        todo="看数据交换监控，打开一条被退回的请求。",
        sees="哪家、哪把密钥、哪个字段、怎样改；可以重放，可以和上次成功的比。",
        clause="CECS 6.0.4",
        find=_page("/exchange/"),
        page="/exchange/",
    ),
    Stop(
        key="numbers",
        card="institution",
        title="机构的编号连不连",
        todo="看本机构四类材料的编号。",
        sees="每个系列从几号到几号，缺哪几个、作废的说明；别家机构的这里看不到。",
        clause="BJ 9.1.2-a",
        find=_page("/numbers/"),
        page="/numbers/",
    ),
    Stop(
        key="sample",
        card="resident-engineer",
        title="监理看自己见证的样品",
        todo="打开一件样品，看取样、见证和标识。",
        sees="谁在哪里见证、什么时候、照片在不在；别的工程的样品查不到。",
        clause="BJ 5.3.2.1",
        find=_oldest("sample", "/samples/"),
        page=f"/samples/{'0' * 32}/",
    ),
    Stop(
        key="own",
        card="contractor",
        title="施工单位只看自己的工程",
        todo="在列表里找一份别的工程的报告试试。",
        sees="自己的工程一份不少，别人的一份没有，搜编号也没有。",
        clause="BJ 5.1.1-a",
        find=_page("/reports/"),
        page="/reports/",
    ),
    Stop(
        key="export",
        card="province",
        title="全省范围，同样的条件导出",
        todo="以省厅的身份看列表，筛选后点导出。",
        sees="两个市的报告在一张表里；导出的就是筛出来的。",
        clause="BJ 4.1.9",
        find=_page("/reports/"),
        page="/reports/",
    ),
    Stop(
        key="bundle",
        card="officer",
        title="离线核验",
        todo="在这份报告的页面下载案卷包，再运行 ./plumb verify 案卷包.zip --trust data/trust.txt --trust data/roots。",
        sees="不连平台，凭日志公钥和机构的根证书，逐项写出对得上、对不上、要联网才知道。",
        clause="BJ 4.1.7-a",
        find=_report("a.state = 'registered'"),
        page="/reports/x/",
    ),
)
