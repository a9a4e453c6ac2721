"""Invented view models for previews and template tests, one of each page (示例，人名机构均为虚构).

Nothing here reaches a running platform: the pages get their models from the page source.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plumbline.supervision.pages.sample_curves import AREA_MM2, cube_record
from plumbline.supervision.pages.sample_lists import sample_rows
from plumbline.supervision.pages.view_models import (
    AcceptedPage,
    Agreement,
    Answer,
    Change,
    Chip,
    CosignerKeyRow,
    CurveFact,
    CurvePanel,
    EntryPlace,
    EvidenceBlock,
    FindingCard,
    FindingsPanel,
    History,
    HistoryEntry,
    HomePage,
    Interval,
    KeyPicture,
    LiveCurvePage,
    LiveSpecimen,
    LiveTest,
    MenuItem,
    ProcessRow,
    ProofChip,
    ReportHead,
    RoleCard,
    Shell,
    SpecimenCurve,
    StatusPage,
    StepState,
    TracePage,
    TraceStep,
    VerdictBlock,
    VersionInfo,
    cube_facts,
)
from plumbline.supervision.pages.wording import PictureKind, ProofState, StepKind, Tone
from plumbline.web.formats import SHANGHAI

ROOT = "9f3c7a10b2d4e6f8011223344556677889900aabbccddeeff0011223e4d8b27e"
CODE = "2611-HCA-K7QM-4X9W-TRH3-PD"
NUMBER = "HC-TYJ-2026-004187"


def _at(text: str) -> datetime:
    """Read ``2026-11-19 14:02`` as Shanghai time."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def _logged(source: str, at: str, index: int) -> ProofChip:
    return ProofChip(
        state=ProofState.LOGGED,
        source=source,
        logged_at=_at(at) + timedelta(seconds=3),
        signer="密钥 7c21…9e",
        receipt_url=f"/receipts/{index}",
        log_index=index,
    )


def _picture(kind: PictureKind, caption: str, at: str, digit: str) -> KeyPicture:
    return KeyPicture(
        kind=kind, caption=caption, sha256=digit * 64, captured_at=_at(at), url=f"pictures/{kind.value}.svg"
    )


def sample_shell(*, is_demo: bool = True) -> Shell:
    """Return the shell of a city officer."""

    def item(label: str, icon: str, url: str, badge: int | None = None, is_urgent: bool = False) -> MenuItem:
        return MenuItem(label=label, icon=icon, url=url, badge=badge, is_urgent=is_urgent)

    return Shell(
        menu=(
            ("", (item("工作台", "home", "/"),)),
            (
                "监管业务",
                (item("检测报告", "file-certificate", "/reports/"), item("真伪验证", "scan", "/v/")),
            ),
            ("系统", (item("运行状态", "activity", "/status/"),)),
        ),
        person="周启明",
        capacity="市质监站 · 监督员",
        division="衡川市",
        is_demo=is_demo,
    )


def _steps() -> tuple[TraceStep, ...]:
    return (
        TraceStep(
            kind=StepKind.CONTRACT,
            state=StepState.OK,
            when=_at("2026-08-14 10:32"),
            who="刘建军（建设单位）",
            what="合同 HC-HT-2026-0311，签订后第 2 个工作日备案",
            source="网页 · 个人签名",
            proof=_logged("网页 · 个人签名", "2026-08-14 10:32", 802_114),
        ),
        TraceStep(
            kind=StepKind.COMMISSION,
            state=StepState.OK,
            when=_at("2026-10-21 16:05"),
            who="王海涛（施工单位）",
            what="委托 HC-WT-2026-03862，C35，标准养护 28 d",
            source="机构 LIMS · 机构密钥",
            proof=_logged("机构 LIMS · 机构密钥", "2026-10-21 16:05", 1_180_022),
        ),
        TraceStep(
            kind=StepKind.SAMPLING,
            state=StepState.WARN,
            when=_at("2026-10-22 09:48"),
            who="王海涛 · 取样员证 QY-20418",
            what="5#楼 12 层剪力墙 ⑦/C，距工地 18 m",
            source="手机 · 设备密钥",
            proof=_logged("手机 · 设备密钥", "2026-10-22 09:48", 1_182_530),
            interval_before=Interval(
                text="成型后 34 分钟", breach="成型到登记 34 分钟，限 30 分钟，超 4 分钟"
            ),
            pictures=(
                _picture(PictureKind.PLACARD, "举牌", "2026-10-22 09:46", "a"),
                _picture(PictureKind.SAMPLER, "取样人员", "2026-10-22 09:47", "b"),
            ),
        ),
        TraceStep(
            kind=StepKind.WITNESSING,
            state=StepState.OK,
            when=_at("2026-10-22 09:52"),
            who="陈立国 · 见证员证 JZ-11075",
            what="电子封志 S8KF-20 已加封，3 块，人脸核验通过",
            source="手机 · 设备密钥",
            proof=_logged("手机 · 设备密钥", "2026-10-22 09:52", 1_182_541),
            interval_before=Interval(text="取样后 4 分钟"),
            pictures=(
                _picture(PictureKind.SEALED_SAMPLE, "加封的样品", "2026-10-22 09:51", "c"),
                KeyPicture(
                    kind=PictureKind.WITNESS,
                    caption="见证人员",
                    missing_reason="手机没有交照片，人脸核验记录在。",
                ),
            ),
        ),
        *_later_steps(),
    )


def _later_steps() -> tuple[TraceStep, ...]:
    return (
        TraceStep(
            kind=StepKind.RECEIPT,
            state=StepState.OK,
            when=_at("2026-10-23 15:20"),
            who="孙梅 · 收样员",
            what="力学收样室，封志比对一致，外观完好",
            source="扫码枪 · 机构密钥",
            proof=_logged("扫码枪 · 机构密钥", "2026-10-23 15:20", 1_190_877),
            interval_before=Interval(text="29 小时 28 分"),
        ),
        TraceStep(
            kind=StepKind.TEST,
            state=StepState.OK,
            when=_at("2026-11-19 14:02"),
            who="高远 · 工号 0417",
            what="压力机 YE-2000 #06，校准至 2027-03-18",
            source="采集程序 · 机器密钥",
            proof=_logged("采集程序 · 机器密钥", "2026-11-19 14:02", 1_283_990),
            interval_before=Interval(text="龄期 28 d，要求 28 d ± 8 h"),
            pictures=(
                _picture(PictureKind.PRESS_START, "试验开始", "2026-11-19 14:02", "e"),
                _picture(PictureKind.BREAK, "试件破坏", "2026-11-19 14:04", "f"),
            ),
        ),
        TraceStep(
            kind=StepKind.REPORT,
            state=StepState.OK,
            when=_at("2026-11-20 10:16"),
            who="审核 何静 · 批准 唐正平",
            what="三级审核人员各不相同，平台复算一致",
            source="机构 LIMS · 电子签章",
            proof=_logged("机构 LIMS · 电子签章", "2026-11-20 10:16", 1_284_619),
            interval_before=Interval(text="试验后 20 小时 14 分"),
        ),
        TraceStep(
            kind=StepKind.EVIDENCE,
            state=StepState.OK,
            when=_at("2026-11-20 10:16") + timedelta(seconds=9),
            who="日志序号 1 284 619",
            what="检查点由省厅、临渠市、诚测检测联署",
            source="本平台 · 日志密钥",
            proof=_logged("本平台 · 日志密钥", "2026-11-20 10:16", 1_284_619),
            interval_before=Interval(text="登记后 3 秒"),
        ),
    )


def sample_panel() -> CurvePanel:
    """Return three cubes of one group; the curve addresses are relative to the trace page."""
    specimens = []
    for number in (1, 2, 3):
        record = cube_record(number)
        peak, strength, rate, duration = record.summary
        specimens.append(
            SpecimenCurve(
                label=f"试件 {number}",
                tag=f"S8KF-20-{number}",
                data_url=f"curves/{number}.json",
                facts=cube_facts(
                    peak_kN=peak,
                    strength_MPa=strength,
                    rate_MPa_per_s=rate,
                    permitted="0.50–0.80",
                    duration_s=duration,
                ),
                cells=("150×150", peak, strength, rate),
                institution_value_agrees=Agreement.AGREE,
                sampling_note="50 Hz 原始值",
            )
        )
    return CurvePanel(
        title="力值–时间曲线",
        columns=("承压面 mm", "荷载 kN", "强度 MPa", "速度 MPa/s"),
        specimens=tuple(specimens),
        selected=1,
        decisive_column=2,
        force_axis_max_kN=1000,
    )


def _findings() -> FindingsPanel:
    kept = (
        ("收样时封志完好，编号一致。", "T/CECS 4.3.5"),
        ("试验由自动采集上传，曲线无缺口。", "DB6103 6.2.3"),
        ("审核、批准由不同的人完成。", "T/CECS 4.3.6"),
    )
    card = FindingCard(
        code="custody.late_registration",
        tone=Tone.WARN,
        level="提醒",
        title="取样登记晚了 4 分钟",
        sentence="试件 09:14 成型，09:48 登记，用了 34 分钟；应在 30 分钟内。",
        clause="DB6103 7.1.2",
        clause_url="/clauses/DB6103-7.1.2/",
        clock="说明还剩 1 天 6 时",
        clock_tone=Tone.WARN,
    )
    return FindingsPanel(judged=4, cards=(card,), satisfied=kept)


def sample_trace() -> TracePage:
    """Return the trace of a report with one reminder and one missing picture."""
    return TracePage(
        head=ReportHead(
            title="混凝土立方体抗压强度",
            number=NUMBER,
            code=CODE,
            project="锦绣花园二期 5#楼",
            part="主体 12 层剪力墙 ①–⑭/Ⓐ–Ⓕ",
            institution="衡川诚测检测有限公司",
            chips=(
                Chip(tone=Tone.OK, text="报告真实", icon="circle-check"),
                Chip(tone=Tone.WARN, text="过程提醒 1", icon="alert-triangle"),
            ),
            document_url="/documents/4187.pdf",
            dossier_url="/dossiers/4187.zip",
        ),
        steps=_steps(),
        panels=(sample_panel(),),
        verdict=VerdictBlock(
            authenticity=Answer(tone=Tone.OK, headline="报告真实", detail="由衡川诚测签发，登记后一字未改。"),
            result=Answer(
                tone=Tone.OK,
                headline="39.3 MPa，为 C35 的 112 %",
                detail="平台用原始荷载复算，与机构一致。本组是否合格由检验批按 GB/T 50107 评定。",
            ),
            process=Answer(tone=Tone.WARN, headline="1 项提醒，不影响真伪"),
        ),
        findings=_findings(),
        evidence=EvidenceBlock(
            proof=_logged("机构 LIMS · 机构密钥", "2026-11-20 10:16", 1_284_619),
            origin="demo.hengchuan.example/log",
            log_index=1_284_619,
            checkpoint_size=1_284_702,
            checkpoint_at=_at("2026-11-20 10:20"),
            root=ROOT,
            cosigners=(("省厅", "上级平台"), ("临渠市", "同级平台"), ("诚测检测", "检测机构")),
            external_cosigners=3,
            verify_command="plumbline verify 4187.plumb --roots roots.txt",
            receipt_url="/receipts/1284619",
            bundle_url="/bundles/4187.plumb",
        ),
        version=VersionInfo(number=1, standing="未更正、未撤回", dossier="21 个文件，6.4 MB"),
    )


def sample_trace_with_gaps() -> TracePage:
    """Return a trace in which steps, a curve and pictures are missing, each with its reason."""
    steps = []
    for step in _steps():
        if step.kind is StepKind.WITNESSING:
            step = TraceStep(
                kind=step.kind,
                state=StepState.MISSING,
                reason_if_missing="这组样品没有上传见证记录，委托类别是见证取样，应当有。",
                pictures=tuple(replace(picture, url=None) for picture in step.pictures),
            )
        steps.append(step)
    base = sample_trace()
    return TracePage(
        head=base.head,
        steps=tuple(steps),
        panels=(),
        verdict=VerdictBlock(
            authenticity=Answer(tone=Tone.BAD, headline="文件被改过", detail="与登记的原件不同。"),
            result=Answer(tone=Tone.OFF, headline="不作判定"),
            process=Answer(tone=Tone.BAD, headline="见证没有记录"),
        ),
        findings=FindingsPanel(judged=4),
        evidence=EvidenceBlock(
            proof=ProofChip(state=ProofState.AWAITING_CHECKPOINT), origin="demo.example/log"
        ),
        version=VersionInfo(number=2, standing="更正过", tone=Tone.WARN, newer_url="/reports/x/"),
        history=History(
            entries=(
                HistoryEntry(
                    title="第 2 版",
                    at=_at("2026-11-20 15:00"),
                    who="何静",
                    reason="抄写错误",
                    changes=(
                        Change(field_name="龄期", before="27 d", after="28 d"),
                        Change(field_name="备注", before="", after="同条件养护"),
                    ),
                    proof=ProofChip(state=ProofState.UNSIGNED),
                ),
            ),
        ),
        curves_missing_reason="试验机没有上传曲线，机构只报了结果。",
        pending_note="这份报告有 1 条记录正在核对，页面上可能还缺一步。",
    )


def sample_home() -> HomePage:
    """Return the demo's front page."""

    def card(key: str, title: str, icon: str, sentence: str) -> RoleCard:
        return RoleCard(key=key, title=title, icon=icon, sentence=sentence, url="/enter/")

    return HomePage(
        role_cards=(
            card("officer", "市站监督员", "building-bank", "看报告的全过程，核对曲线和存证。"),
            card("institution", "检测机构", "flask", "收样、试验、出报告，压力机在画曲线。"),
            RoleCard(
                key="public",
                title="公众",
                icon="qrcode",
                sentence="扫报告上的码，一句话说清真伪。",
                url="/v/",
                needs_sign_in=False,
            ),
        ),
        live_tests=(_live_test(),),
        newest=sample_rows()[:6],
        figures=(
            CurveFact(label="登记的报告", value="1\u2009284", unit="份"),
            CurveFact(label="今天的试验", value="46", unit="组"),
            CurveFact(label="日志条数", value="1\u2009284\u2009702", unit="条"),
        ),
    )


def _live_test() -> LiveTest:
    return LiveTest(
        title="混凝土抗压 C35",
        institution="衡川诚测检测有限公司",
        machine="YE-2000 #06",
        url="/live-tests/t1/",
        started_at=_at("2026-11-19 14:03"),
    )


def sample_live() -> LiveCurvePage:
    """Return a running test of the second of three cubes."""
    return LiveCurvePage(
        title="混凝土抗压 C35，28 d",
        commission="HC-WT-2026-03862",
        institution="衡川诚测检测有限公司",
        machine="压力机 YE-2000 #06",
        technician="高远 · 工号 0417",
        calibration="校准有效至 2027-03-18",
        stream_url="stream",
        area_mm2=str(AREA_MM2),
        specimens=(
            LiveSpecimen(
                label="试件 1",
                tag="S8KF-20-1",
                state="done",
                peak_kN="868.5",
                strength_MPa="38.6",
                data_url="curves/1.json",
            ),
            LiveSpecimen(label="试件 2", tag="S8KF-20-2", state="running"),
            LiveSpecimen(label="试件 3", tag="S8KF-20-3", state="waiting"),
        ),
        band_low="0.50",
        band_high="0.80",
        band_text="允许 0.50–0.80",
        load_control="automatic",
        design_force_kN="787.5",
        design_label="C35",
    )


def sample_status() -> StatusPage:
    """Return the status of a healthy demo with one stand-by projector."""
    beat = _at("2026-11-20 10:20")
    return StatusPage(
        headline=Answer(tone=Tone.OK, headline="一切正常", detail="入账延迟 0.4 s，4 个进程都有心跳。"),
        origin="demo.hengchuan.example/log",
        log_size=1_284_702,
        projected_size=1_284_700,
        lag_seconds=0.4,
        parked=0,
        checkpoint_size=1_284_702,
        checkpoint_at=beat,
        processes=tuple(
            ProcessRow(
                kind=kind, name=f"{kind}-1", tone=tone, standing=word, started_at=beat, heartbeat_at=beat
            )
            for kind, tone, word in (
                ("gateway", Tone.OK, "在跑"),
                ("web", Tone.OK, "在跑"),
                ("projector", Tone.OK, "在跑"),
                ("worker", Tone.WARN, "心跳晚了 40 s"),
            )
        ),
        cosigners=(("st.example/1", "某省厅，联署到 1 284 702 条，2 秒前"),),
        external_cosigners=1,
        cosigner_keys=_sample_cosigner_keys(),
        cosigner_key_count=3,
        details=(("数据库", "PostgreSQL 18，内嵌"), ("版本", "0.1.0")),
    )


def _sample_cosigner_keys() -> tuple[CosignerKeyRow, ...]:
    """One key that is in use, one that does not sign with it, one that is retired."""
    rows = (
        ("Ed25519", "a9c1f27e", Tone.OK, "在用", 1_284_702),
        ("SM2", "03d5b8c4", Tone.WARN, "这一把没有签", 1_284_650),
        ("SM2", "77e012ab", Tone.OFF, "已停用", 902_118),
    )
    return tuple(
        CosignerKeyRow(
            name="st.example/1",
            trust_domain="某省厅",
            is_external=True,
            algorithm=algorithm,
            key_id=key_id,
            tone=tone,
            standing=standing,
            accepted=EntryPlace(index=12 + place, at=_at("2026-03-02 09:10"), url="/receipts/12"),
            retired=EntryPlace(index=902_117, at=_at("2026-07-01 16:40"), url="/receipts/902117")
            if tone is Tone.OFF
            else None,
            signed_size=size,
            signed_at=_at("2026-07-01 16:40" if tone is Tone.OFF else "2026-11-20 10:20"),
        )
        for place, (algorithm, key_id, tone, standing, size) in enumerate(rows)
    )


def sample_accepted() -> AcceptedPage:
    """Return a waiting page."""
    return AcceptedPage(
        subject="处置意见",
        log_index=1_284_703,
        logged_at=_at("2026-11-20 10:21"),
        receipt_url="/receipts/1284703",
        target_url="/reports/",
    )
