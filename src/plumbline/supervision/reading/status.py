"""How the platform itself is (运行状态): log, projection, checkpoint, heartbeats. Read by everybody, so it names no report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from plumbline import __version__
from plumbline.domain.basics.calendar import local_date
from plumbline.evidence.position import place_of
from plumbline.supervision.journal.corrections import wrong_range
from plumbline.supervision.journal.heads import log_origin
from plumbline.supervision.journal.staleness import Followed, Limits, backlog
from plumbline.supervision.pages.view_models import Answer, ProcessRow, StatusPage
from plumbline.supervision.pages.wording import Tone
from plumbline.supervision.reading.cosigner_keys import key_rows
from plumbline.supervision.reading.database import Row, count, row, rows
from plumbline.supervision.reading.outside import age_text, anchor_facts, stamp_facts
from plumbline.supervision.reading.proofs import newest_checkpoint
from plumbline.supervision.rules import parameters
from plumbline.supervision.scanner import Policy, scan_policy
from plumbline.web.formats import grouped_number, local_time

KINDS = {"gateway": "网关", "web": "网页", "projector": "入账", "worker": "后台"}
LATE = timedelta(seconds=15)
LOST = timedelta(seconds=60)
ALARM_LAG_S = 5.0
#: The largest file is read in half a minute; a disk that holds up a read longer than this does not answer.
SILENT_PATROL = timedelta(minutes=10)
#: A demo log may tell an older story: its entries are then timed by the log's own clock.
STORY = timedelta(minutes=10)


#: Entries of the ended epochs before one.
_KEPT = "SELECT COALESCE(sum(kept_size), 0) FROM (SELECT DISTINCT kept_epoch, kept_size FROM journal.epoch WHERE kept_epoch < %s) k"


def status_page() -> StatusPage:
    """The page as of now."""
    head = row("SELECT origin, epoch, size, last_time FROM journal.head", []) or {
        "origin": "",
        "epoch": 1,
        "size": 0,
        "last_time": None,
    }
    projected = count("SELECT pos FROM fact.position WHERE id = 'projector'", [])
    parked = count("SELECT parked FROM ops.figures(%s)", [local_date(datetime.now(UTC))])
    checkpoint = newest_checkpoint()
    beats = rows(
        "SELECT name, kind, started_at, beat_at, detail, now() AS now FROM ops.process ORDER BY kind, name",
        [],
    )
    processes = tuple(process_row(each) for each in beats)
    lag = _lag(head, projected)
    cosigners, waiting, is_stopped = _cosigners()
    stamps, anchors = stamp_facts(), anchor_facts()
    keys, key_count = key_rows({each["name"]: each for each in cosigners})
    return StatusPage(
        headline=headline(
            lag,
            parked,
            processes,
            waiting=waiting,
            codes_stopped=is_stopped,
            list_unreadable=any(each["list_problem"] for each in cosigners),
            unstamped=stamps.late,
            unanchored=anchors.late,
            damaged=damaged_files(beats),
        ),
        origin=log_origin(head["origin"], head["epoch"]),
        log_size=count(_KEPT, [head["epoch"]]) + head["size"],
        projected_size=entries_below(projected),
        lag_seconds=lag,
        parked=parked,
        checkpoint_size=checkpoint.size if checkpoint else None,
        checkpoint_at=checkpoint.at if checkpoint else None,
        processes=processes,
        cosigners=tuple((each["name"], _cosigner_sentence(each)) for each in cosigners),
        external_cosigners=sum(each["is_external"] for each in cosigners),
        cosigner_keys=keys,
        cosigner_key_count=key_count,
        stamps=stamps.told,
        anchors=anchors.told,
        epochs=_epochs(),
        scanning=scanning_sentence(beats, waiting=_unscanned()),
        patrol=patrol_sentence(beats),
        details=_details(),
    )


_UNSCANNED = (
    "SELECT count(*) FROM (SELECT 1 FROM ops.file WHERE scan IS NULL AND state <> 'announced' LIMIT 1000) f"
)


def _unscanned() -> int:
    """Files that the virus scanner has not seen, counted to a thousand; not counted where nobody scans."""
    return 0 if scan_policy() is Policy.OFF else count(_UNSCANNED, [])


def scanning_sentence(beats: Sequence[Row], *, waiting: int) -> tuple[Tone, str]:
    """How the virus scan is: what the workers tell of it with their heartbeats, and how many files wait."""
    told = [each["detail"]["scanner"] for each in beats if "scanner" in (each["detail"] or {})]
    if not told or all(each["policy"] == Policy.OFF for each in told):
        return Tone.WARN, "没有接病毒扫描"
    words = {Policy.ASK: "已接，没有查的照常提供", Policy.REQUIRE: "已接，查过才提供"}
    parts = [words.get(told[0]["policy"], ""), *sorted({each["version"] for each in told if each["version"]})]
    problems = sorted({each["problem"] for each in told if each["problem"]})
    if waiting:
        parts.append(f"{'1000 个以上' if waiting >= 1000 else f'{waiting} 个'}文件尚未查验")
    return (Tone.WARN if problems else Tone.OK), "；".join([*parts, *problems])


def _patrols(beats: Sequence[Row]) -> list[dict[str, Any]]:
    """What the workers that are there tell of their patrols, the newest first; of one that is gone its last word does not count."""
    there = [each for each in beats if each["now"] - each["beat_at"] < LOST]
    told = [each["detail"]["patrol"] for each in there if "patrol" in (each["detail"] or {})]
    return sorted(told, key=lambda each: str(each["told_at"]), reverse=True)


def damaged_files(beats: Sequence[Row]) -> int:
    """How many stored files are not what the log names, as the workers found them."""
    return max((each["damaged"] for each in _patrols(beats)), default=0)


def patrol_sentence(beats: Sequence[Row]) -> tuple[Tone, str]:
    """How the patrol of stored files is: what the workers tell of it with their heartbeats."""
    told = _patrols(beats)
    if not told:
        return Tone.WARN, "还没有巡检"
    newest = told[0]
    late = _stopped(newest, datetime.now(UTC))
    parts = [f"每 {newest['days']} 天逐个核对一遍"]
    if newest["unseen"]:
        many = "1000 个以上" if newest["unseen"] >= 1000 else f"{newest['unseen']} 个"
        parts.append(f"{many}文件还没有核对过")
    elif newest["since"]:
        since = datetime.fromisoformat(newest["since"])
        parts.append(f"{local_time(since, 'short')} 以来全部核对过")
    damaged = damaged_files(beats)
    if damaged:
        parts.append(f"{damaged} 个文件与登记不符，见审计记录“文件损坏”")
    if late:
        parts.append(late)
    return (Tone.BAD if damaged else Tone.WARN if late else Tone.OK), "；".join(parts)


def _stopped(told: dict[str, Any], now: datetime) -> str:
    """Why the patrol cannot be believed to walk, empty when it can: it says nothing any more, or files wait twice as long as they may."""
    told_at = datetime.fromisoformat(told["told_at"])
    if now - told_at > SILENT_PATROL:
        return f"{local_time(told_at, 'short')} 以后没有动静，请看后台日志"
    if told["since"] and now - datetime.fromisoformat(told["since"]) > 2 * timedelta(days=told["days"]):
        return "跟不上：有文件超过两个周期没有核对，请查磁盘或放长周期（PLUMB_PATROL_DAYS）"
    return ""


def _lag(head: Row, projected: int) -> float:
    """Seconds since the first entry that is not projected was logged; 0 when there is none."""
    waiting = row(
        "SELECT logged_at FROM journal.leaf WHERE (epoch = %s AND idx >= %s) OR epoch > %s ORDER BY epoch, idx LIMIT 1",
        [*place_of(projected), place_of(projected)[0]],
    )
    if waiting is None:
        return 0.0
    now = datetime.now(UTC)
    if settings.PLUMBLINE_PLATFORM.demo and head["last_time"] and now - head["last_time"] > STORY:
        now = head["last_time"]
    return max(0.0, (now - waiting["logged_at"]).total_seconds())


def _cosigners() -> tuple[list[Row], timedelta | None, bool]:
    """Each cosigner, how long entries have waited for them when that is late, and whether codes are stopped for it."""
    told = rows(
        "SELECT name, trust_domain, is_external, size, cosigned_at, behind_since, looked_at, problem, list_problem, "
        "clock_timestamp() AS now FROM ops.cosigner ORDER BY name",
        [],
    )
    fields = ("name", "is_external", "behind_since", "looked_at")
    waiting = backlog(
        [Followed(**{name: each[name] for name in fields}) for each in told],
        told[0]["now"] if told else datetime.now(UTC),
    )
    # The limits of the region that this platform is for; a code is stopped by those of its own project's region.
    limits = Limits.of(parameters(), "CN", local_date(datetime.now(UTC)))
    level = limits.level(waiting)
    return told, None if level == "fresh" else waiting, level == "stopped"


def _cosigner_sentence(cosigner: Row) -> str:
    """Trust domain, how far it came, and what is wrong."""
    parts = [f"{cosigner['trust_domain']}{'' if cosigner['is_external'] else '（运营单位自己的）'}"]
    if cosigner["cosigned_at"]:
        age = cosigner["now"] - cosigner["cosigned_at"]
        parts.append(f"联署到 {grouped_number(cosigner['size'])} 条，{age_text(age)}前")
    else:
        parts.append("还没有联署过")
    if cosigner["problem"]:
        parts.append(cosigner["problem"])
    if cosigner["list_problem"]:
        parts.append("联署方名单读不出来，照上一份名单送联署")
    return "，".join(parts)


def entries_below(position: int) -> int:
    """How many entries of the log lie below a position."""
    epoch, index = place_of(position)
    return count(_KEPT, [epoch]) + index


def _epochs() -> tuple[tuple[str, str], ...]:
    """Each later epoch: when it was opened, what it continues, what was lost and why; and each range that a wrong clock dated."""
    told = rows(
        "SELECT epoch, kept_epoch, kept_size, lost, because, logged_at FROM fact.epoch WHERE epoch > 1 ORDER BY epoch",
        [],
    )
    corrected = rows(
        "SELECT idx, wrong_from, last_wrong, because, logged_at FROM fact.clock_correction ORDER BY idx", []
    )
    return (
        *((f"日志第 {each['epoch']} 期", epoch_sentence(each)) for each in told),
        *(("时钟更正", correction_sentence(each)) for each in corrected),
    )


def correction_sentence(correction: Row) -> str:
    """One plain sentence about a row of `fact.clock_correction`."""
    place = (correction["wrong_from"], correction["idx"], correction["last_wrong"], correction["logged_at"])
    return f"{wrong_range(*place)}。原因：{correction['because']}"


def epoch_sentence(epoch: Row) -> str:
    """One plain sentence about a row of `fact.epoch`."""
    kept = f"接着第 {epoch['kept_epoch']} 期的 {grouped_number(epoch['kept_size'])} 条"
    lost = f"缺 {grouped_number(epoch['lost'])} 条签过的" if epoch["lost"] else "没有发现缺少"
    return f"{local_date(epoch['logged_at']).isoformat()} 另开，{kept}，{lost}。原因：{epoch['because']}"


def process_row(beat: Row) -> ProcessRow:
    """One process; `now` is the database's clock, as is the heartbeat."""
    silent = beat["now"] - beat["beat_at"]
    tone, standing = Tone.OK, "在跑"
    if silent > LATE:
        tone, standing = (
            (Tone.BAD, "没有心跳")
            if silent > LOST
            else (Tone.WARN, f"心跳晚了 {int(silent.total_seconds())} s")
        )
    return ProcessRow(
        kind=KINDS.get(beat["kind"]) or str(beat["kind"]),
        name=beat["name"],
        tone=tone,
        standing=standing,
        started_at=beat["started_at"],
        heartbeat_at=beat["beat_at"],
    )


def headline(
    lag_seconds: float,
    parked: int,
    processes: tuple[ProcessRow, ...],
    *,
    waiting: timedelta | None = None,
    codes_stopped: bool = False,
    list_unreadable: bool = False,
    unstamped: Sequence[str] = (),
    unanchored: Sequence[str] = (),
    damaged: int = 0,
) -> Answer:
    """The worst that is true, in one sentence. `waiting`: how long entries have waited for a cosigner, when that is late."""
    silent = [each.kind for each in processes if each.tone is not Tone.OK]
    present = {each.kind for each in processes}
    missing = [KINDS[kind] for kind in ("gateway", "projector", "worker") if KINDS[kind] not in present]
    if missing:
        return Answer(
            tone=Tone.BAD,
            headline=f"{'、'.join(missing)}进程没有报到",
            detail="报送仍会存进日志，页面上的结果会晚。",
        )
    if lag_seconds >= ALARM_LAG_S:
        return Answer(
            tone=Tone.BAD, headline=f"入账晚了 {lag_seconds:.0f} s", detail="报送没有丢，页面上的结果会晚。"
        )
    if damaged:
        detail = (
            "请从备份放回，或用 plumbline retransmit ask --damaged 请上传的单位再传，十分钟以内自动复核；"
            "是哪些、怎样不符，见审计记录“文件损坏”。"
        )
        return Answer(tone=Tone.BAD, headline=f"{damaged} 个文件与登记不符", detail=detail)
    if waiting is not None:
        told = age_text(waiting)
        if codes_stopped:
            detail = "报送照常接收；监管码暂停发放，联署恢复以后再申请。"
            return Answer(tone=Tone.BAD, headline=f"日志已有 {told}没有联署，暂停发码", detail=detail)
        detail = "报送照常接收，监管码照常发放；请联系联署方。"
        return Answer(tone=Tone.WARN, headline=f"日志已有 {told}没有联署", detail=detail)
    if list_unreadable:
        detail = "报送照常接收，照上一份名单送联署；请改好 cosigners.toml。"
        return Answer(tone=Tone.WARN, headline="联署方名单读不出来", detail=detail)
    if unstamped or unanchored:
        kinds = (("的时间戳", unstamped), ("的上链", unanchored))
        told = "，".join(f"{'、'.join(names)} {kind}晚了" for kind, names in kinds if names)
        detail = "报送、发码照常；晚了的检查点由下一个一并证明，原因见下。"
        return Answer(tone=Tone.WARN, headline=told, detail=detail)
    if parked:
        return Answer(tone=Tone.WARN, headline=f"{parked} 条记录搁置", detail="有关的报告页面上会说明。")
    if silent:
        return Answer(
            tone=Tone.WARN, headline=f"{'、'.join(silent)}进程心跳晚了", detail="别的进程在接着做。"
        )
    return Answer(
        tone=Tone.OK,
        headline="一切正常",
        detail=f"入账延迟 {lag_seconds:.1f} s，{len(processes)} 个进程都有心跳。",
    )


def _details() -> tuple[tuple[str, str], ...]:
    platform = settings.PLUMBLINE_PLATFORM
    server = row("SHOW server_version", []) or {"server_version": ""}
    place = "内嵌" if platform.database.host.startswith("/") else "外部"
    files = (
        row(
            "SELECT count(*) AS files, COALESCE(sum(bytes), 0) AS bytes FROM ops.file WHERE state <> 'announced'",
            [],
        )
        or {}
    )
    megabytes = int(files.get("bytes", 0)) / 1_000_000
    return (
        ("数据库", f"PostgreSQL {server['server_version'].split()[0]}，{place}"),
        ("文件", f"{grouped_number(int(files.get('files', 0)))} 个，{megabytes:.1f} MB"),
        ("版本", __version__),
    )
