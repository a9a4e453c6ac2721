"""Commands for operators (运维命令): serve, prepare, rebuild, audit, re-project, log. Each says what it did in plain Chinese."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from plumbline.domain.basics.identifiers import division_problem, party_id, uscc_problem
from plumbline.embedded.postgres import Cluster, Running
from plumbline.evidence.position import place_text
from plumbline.exchange.problems import Problem
from plumbline.sdk.unread import why_unread
from plumbline.supervision import clock_commands
from plumbline.supervision.boot import Settings, operator_of, prepare, reopen, write_trust_roots
from plumbline.supervision.config import ROLES, Operator, Platform, Security
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.audit_files import audit_files
from plumbline.supervision.journal.audit_trail import audit_trail
from plumbline.supervision.journal.destruction import destroy_subject
from plumbline.supervision.journal.epochs import ResumePlan, ResumeRefused, WaitsForHosts, plan_resume, resume
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.lookup import newest_checkpoint
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault
from plumbline.supervision.projection.projector import reproject
from plumbline.supervision.projection.rebuild import RebuildRefused, audit_projection, rebuild
from plumbline.supervision.retransmit_commands import lost_ranges_of, replay_own_acts, run_retransmit_of
from plumbline.supervision.run import run
from plumbline.supervision.tls import serving_of
from plumbline.supervision.web_tables import ensure_web_tables


@contextmanager
def opened(data_dir: Path) -> Iterator[Platform]:
    """The platform of a folder: its running database, or one started for the length of the command."""
    if os.environ.get("DATABASE_URL"):
        yield reopen(data_dir, None)
        return
    cluster = Cluster(data_dir)
    running: Running | None = cluster.running()
    if running is not None:
        yield reopen(data_dir, running)
        return
    started = cluster.start()
    try:
        yield reopen(data_dir, started)
    finally:
        cluster.stop()


def _conninfo(platform: Platform) -> dict[str, str]:
    return {role: platform.conninfo(role) for role in ROLES}


def run_rebuild(arguments: argparse.Namespace) -> int:
    """Rebuild F and D tables from the journal; non-zero when they differ from those that were live."""
    try:
        with opened(Path(arguments.data_dir)) as platform:
            total, found = rebuild(
                _conninfo(platform), lambda done: print(f"\r已投影 {done} 条", end="", file=sys.stderr)
            )
    except RebuildRefused as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    print(f"\n重建完成：{total} 条入账。")
    if found is None:
        print("表的声明变了（如升级之后），没有与以前的表比对。")
        return 0
    for item in found:
        print(f"与重建前不同：{item.sentence}")
    print("重建前后逐行相同。" if not found else "表已换成重建的结果；以前的表被人改过，请追查。")
    return 1 if found else 0


def _sm2_of(platform: Platform) -> bytes | None:
    """The point of the log's SM2 key; b"" where the platform has none, None where its keys are kept elsewhere."""
    try:
        key = PlatformKeys.load(platform.folder("keys")).log_sm2
    except FileNotFoundError:
        return None
    return key.public_key.point if key else b""


def _shown_checkpoints(arguments: argparse.Namespace) -> list[str] | None:
    """The checkpoints from elsewhere that were named; None when one cannot be read, which has been said."""
    shown = []
    for name in arguments.checkpoint:
        try:
            shown.append(Path(name).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            print(f"检查点 {name} 读不了：{_why_unread(error)}", file=sys.stderr)
            return None
    return shown


def _why_unread(error: OSError | UnicodeDecodeError) -> str:
    """Cause and remedy of a checkpoint that cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        return "不是文本文件；检查点是三行文字加签名行，请核对是不是这个文件"
    return why_unread(error)


def run_audit(arguments: argparse.Namespace) -> int:
    """Check journal against log, files and tables against journal; names what differs."""
    status = 0
    shown = _shown_checkpoints(arguments)
    if shown is None:
        return 2
    with opened(Path(arguments.data_dir)) as platform:
        if arguments.what in ("all", "log", "trail"):  # the trail rests on the log
            told: list[str] = []
            problems = audit_log(
                platform.conninfo("plumb_gateway"),
                platform.folder("marks"),
                shown,
                sm2=_sm2_of(platform),
                notes=told,
            )
            for sentence in (*problems, *told):
                print(f"日志：{sentence}")
            print("日志：每条入账恰有一片叶子，根哈希相符。" if not problems else "日志：对不上。")
            status |= bool(problems)
        if arguments.what in ("all", "files"):
            notes: list[str] = []
            problems = audit_files(
                platform.conninfo("plumb_gateway"),
                platform.folder("files"),
                platform.folder("tiles"),
                notes=notes,
            )
            for sentence in (*problems, *notes):
                print(f"文件：{sentence}")
            print("文件：与日志所记逐个相同。" if not problems else "文件：有人改过。")
            status |= bool(problems)
        if arguments.what in ("all", "trail"):
            status |= _audit_trail(platform)
        if arguments.what in ("all", "projection"):
            found = audit_projection(_conninfo(platform))
            for item in found:
                print(f"表：{item.sentence}")
            print("表：与总账逐行相同。" if not found else "表：有人改过。")
            status |= bool(found)
    return int(status)


def _audit_trail(platform: Platform) -> bool:
    """Whether an event of the trail is not as it was sealed."""
    notes: list[str] = []
    problems = audit_trail(platform.conninfo("plumb_gateway"), notes)
    for sentence in (*problems, *notes):
        print(f"审计记录：{sentence}")
    print("审计记录：与封存时逐条相同。" if not problems else "审计记录：有人改过。")
    return bool(problems)


def run_reproject(arguments: argparse.Namespace) -> int:
    """Replay parked entries in order."""
    with opened(Path(arguments.data_dir)) as platform:
        done, left = reproject(platform.conninfo("plumb_projector"))
    print(f"重新投影 {done} 条，还停放 {left} 条。")
    return 1 if left else 0


def run_log(arguments: argparse.Namespace) -> int:
    """Newest checkpoint, confirmation or correction of a clock step, or the next epoch after a restore."""
    with opened(Path(arguments.data_dir)) as platform:
        if arguments.what == "clock-confirm":
            return clock_commands.run_clock_confirm(platform, arguments.by)
        keys = PlatformKeys.load(platform.folder("keys"))
        signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
        if arguments.what == "resume":
            return _resume(platform, keys, signer, arguments)
        if arguments.what == "clock-correct":
            return clock_commands.run_clock_correct(platform, signer, arguments)
        try:
            print(newest_checkpoint(platform.conninfo("plumb_gateway"), signer), end="")
        except SigningStopped as stopped:
            print(f"已停止签名：{stopped}", file=sys.stderr)
            return 1
    return 0


def run_cosigners(arguments: argparse.Namespace) -> int:
    """Who cosigns the log: list, add, remove."""
    from plumbline.supervision import cosigner_commands

    with opened(Path(arguments.data_dir)) as platform:
        return cosigner_commands.run_cosigners(platform, arguments)


def run_timestamps(arguments: argparse.Namespace) -> int:
    """Who stamps checkpoints: list, add, remove."""
    from plumbline.supervision import stamp_commands

    with opened(Path(arguments.data_dir)) as platform:
        return stamp_commands.run_timestamps(platform, arguments)


def run_anchors(arguments: argparse.Namespace) -> int:
    """Which chains hold checkpoints: list, add, remove, check."""
    from plumbline.supervision import anchor_commands

    with opened(Path(arguments.data_dir)) as platform:
        return anchor_commands.run_anchors(platform, arguments)


def run_retransmit(arguments: argparse.Namespace) -> int:
    """After a restore: ask the senders to send again, enter the platform's own acts again, or tell how far they are."""
    with opened(Path(arguments.data_dir)) as platform:
        return run_retransmit_of(platform, arguments)


def _resume(
    platform: Platform, keys: PlatformKeys, signer: CheckpointSigner, arguments: argparse.Namespace
) -> int:
    """Say what was signed and what is left; with `--yes`, `--by` and `--because` open the next epoch."""
    shown = _shown_checkpoints(arguments)
    if shown is None:
        return 2
    try:
        with psycopg.connect(platform.conninfo("plumb_gateway"), autocommit=True) as conn:
            plan = plan_resume(
                conn, signer, shown, mark_lost=arguments.mark_lost, seen_epoch=_seen_epoch(platform)
            )
        _print_plan(plan)
        if not (arguments.yes and arguments.by and arguments.because.strip()):
            print(
                "还没有改动。确认请加 --yes，并用 --by 写明是谁、--because 写明原因（原因写进日志）。",
                file=sys.stderr,
            )
            return 2
        accepted = resume(
            _conninfo(platform),
            plan,
            signer,
            keys,
            operator=operator_of(platform),
            by=arguments.by,
            because=arguments.because.strip(),
        )
    except WaitsForHosts as waits:
        write_trust_roots(platform, keys)
        print(f"第 {plan.epoch} 期已开，第 0 条还没有写入：{waits}", file=sys.stderr)
        print("请在其余签名主机上各执行一次 plumbline log resume，最后一台会写入第 0 条。", file=sys.stderr)
        return 1
    except (ResumeRefused, SigningStopped, Problem) as refusal:
        write_trust_roots(platform, keys)
        print(f"没有另开：{refusal}", file=sys.stderr)
        return 1
    write_trust_roots(platform, keys)
    if accepted is None:
        print(f"本机已跟上第 {plan.epoch} 期，可以签名。")
    else:
        at = accepted.logged_at.isoformat(timespec="seconds")
        print(f"第 {plan.epoch} 期已开启，第 0 条 {at} 入账，可以签名。")
        print("trust.txt 已加上这一期的公钥，请重新分发。")
        if plan.lost or plan.step == "finish":
            replay_own_acts(platform, lost_ranges_of(platform))
            write_trust_roots(platform, keys)  # what was accepted in the lost entries is in the log again
            print("请各单位补传缺少的：plumbline retransmit ask。")
    return 0


def _seen_epoch(platform: Platform) -> int:
    """The largest epoch that this folder's tiles or trust.txt speak of: its number is never given again."""
    tiles = [int(each.name) for each in platform.folder("tiles").iterdir() if each.name.isdigit()]
    trust = platform.data_dir / "trust.txt"
    text = trust.read_text("utf-8") if trust.exists() else ""
    told = [
        int(each)
        for each in re.findall(rf"^{re.escape(platform.origin)}/([0-9]{{1,4}})\+", text, re.MULTILINE)
    ]
    return max([1, *tiles, *told])


def _print_plan(plan: ResumePlan) -> None:
    print(f"签名停着：{plan.cause}")
    for each in plan.signed:
        print(f"签过的：第 {each.head.epoch} 期 {each.head.size} 条（{each.source}）")
    print(f"现有的：第 {plan.kept.epoch} 期 {plan.kept.size} 条，其中前 {plan.proven} 条与签过的核对一致")
    if plan.step == "follow":
        print(f"另一台主机已开第 {plan.epoch} 期，本机将跟上。")
        return
    if plan.step == "open" and plan.proven < plan.kept.size:
        print(f"其后 {plan.kept.size - plan.proven} 条没有签过的检查点可以核对：请抽查报送单位手里的回执。")
    if plan.step == "open" and plan.lost:
        print(f"缺少：{plan.lost} 条签过而不在了，报送单位须用原编号重新报送。")
    print(
        f"将要{'写完' if plan.step == 'finish' else '另开'}第 {plan.epoch} 期：以前各期不再增加，它们的回执照旧可以核验。"
    )


def run_destroy(arguments: argparse.Namespace) -> int:
    """Destroy the personal records of one person (`subject`, 32 hex) for ever; needs `because` and `yes`."""
    subject = arguments.subject.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{32}", subject) or not arguments.because.strip():
        print("请给出人员编号（32 位十六进制），并用 --because 写明原因。", file=sys.stderr)
        return 2
    if not arguments.yes:
        print("销毁后任何人都不能恢复这个人的姓名、证件号和电话。确认请加 --yes。", file=sys.stderr)
        return 2
    with opened(Path(arguments.data_dir)) as platform:
        keys = PlatformKeys.load(platform.folder("keys"))
        signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
        journal = Journal(platform.conninfo("plumb_gateway"), signer)
        try:
            accepted = destroy_subject(
                Vault(platform.folder("subjects")),
                PlatformSender(journal, keys.signer("web")),
                operator=party_id(operator_of(platform)[0]).hex(),
                subject=subject,
                because=arguments.because.strip(),
            )
        except Problem as problem:
            print(f"密钥已销毁，但还没有入账：{problem} 请稍后再执行一次。", file=sys.stderr)
            return 1
        finally:
            journal.close()
    told = f"已入账，序号 {place_text(accepted.position)}" if accepted else "以前已经入账"
    print(f"已销毁 {subject} 的个人信息密钥，{told}。日志照常可核验。")
    return 0


def run_admins(arguments: argparse.Namespace) -> int:
    """Make the first three administrators and print the links by which each sets a password."""
    names = {
        f"{kind}_admin": getattr(arguments, kind).strip().lower() for kind in ("system", "security", "audit")
    }
    with opened(Path(arguments.data_dir)) as platform:
        ensure_web_tables(platform)
        os.environ |= platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
        from plumbline.supervision.administration.bootstrap import (
            CAPACITIES,
            BootstrapRefused,
            make_administrators,
        )

        try:
            made = make_administrators(platform, operator_of(platform), names)
        except (BootstrapRefused, Problem) as refusal:
            print(f"没有建立：{refusal}", file=sys.stderr)
            return 1
    for each in made:
        print(f"{CAPACITIES[each.role]} {each.username}：{each.link}")
    print("每个链接只能用一次，两天内有效。请分别交给三个人，各自设置密码和第二因素。")
    return 0


def run_supervision(arguments: argparse.Namespace) -> int:
    """Serve a production platform, or prepare its database."""
    data_dir = Path(arguments.data_dir)
    if arguments.what == "check":
        from plumbline.supervision.deploy_check import run_check

        return run_check(arguments)
    settings = _settings(arguments, data_dir)
    if settings is None:
        return 2
    if arguments.what == "prepare":
        return _prepare(data_dir, settings)
    serving = serving_of(arguments, data_dir)
    return run(
        data_dir,
        settings,
        serving,
        on_ready=lambda platform, supervisor: print(f"监管平台已启动：{platform.public_url}"),
    )


def _prepare(data_dir: Path, settings: Settings) -> int:
    """Bring database and folder up to this version, and end."""
    cluster = None if os.environ.get("DATABASE_URL") else Cluster(data_dir)
    running = cluster.start() if cluster else None
    try:
        platform = prepare(data_dir, running, settings, print)
    finally:
        if cluster:
            cluster.stop()
    print(f"准备好了：{platform.public_url}，账号安全参数 {platform.profile}。")
    return 0


def _settings(arguments: argparse.Namespace, data_dir: Path) -> Settings | None:
    security = _security(arguments)
    if security is None:
        return None
    if (data_dir / "platform.json").exists():
        kept = json.loads((data_dir / "platform.json").read_text("utf-8"))
        return Settings(
            origin=kept["origin"],
            public_url=arguments.public_url or kept["public_url"],
            demo=kept["demo"],
            operator=Operator(*kept["operator"]),
            security=security,
        )
    missing = [
        name
        for name in ("origin", "public_url", "operator_uscc", "operator_name", "operator_division")
        if not getattr(arguments, name)
    ]
    if missing:
        print(
            "第一次启动要给出：" + "、".join("--" + name.replace("_", "-") for name in missing),
            file=sys.stderr,
        )
        return None
    if problem := uscc_problem(arguments.operator_uscc):
        print(f"运营单位的统一社会信用代码不对：{problem}", file=sys.stderr)
        return None
    if problem := division_problem(arguments.operator_division):
        print(f"运营单位的行政区划代码不对：{problem}", file=sys.stderr)
        return None
    if arguments.origin.startswith("demo."):
        print("以 demo. 开头的来源只用于演示，请用 ./plumb demo。", file=sys.stderr)
        return None
    return Settings(
        origin=arguments.origin,
        public_url=arguments.public_url,
        demo=False,
        operator=Operator(arguments.operator_uscc, arguments.operator_name, arguments.operator_division),
        security=security,
    )


def _security(arguments: argparse.Namespace) -> Security | None:
    """What was chosen for accounts; None after a plain sentence when it cannot be."""
    from plumbline.supervision.access.profile import network_problem, profile_names

    if arguments.profile and arguments.profile not in profile_names():
        print(
            f"--profile 没有“{arguments.profile}”这一套，可选：{'、'.join(profile_names())}", file=sys.stderr
        )
        return None
    listed = [each for each in arguments.admin_address or () if each != "none"]
    for problem in filter(None, map(network_problem, listed)):
        print(f"--admin-address 不对：{problem}", file=sys.stderr)
        return None
    return Security(arguments.profile or None, tuple(listed) if arguments.admin_address else None)
