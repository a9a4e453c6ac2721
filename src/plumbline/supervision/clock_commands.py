"""`plumbline log clock-confirm` and `clock-correct` (确认时钟、更正时钟): a step that is right, and one that was wrong."""

from __future__ import annotations

import argparse
import os
import re
import sys
from getpass import getpass

import psycopg

from plumbline.domain.basics.calendar import local_text
from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.position import place_text, position_of
from plumbline.exchange.problems import Problem
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import ROLES, Platform
from plumbline.supervision.journal.clock import confirm
from plumbline.supervision.journal.correcting import (
    CorrectionPlan,
    CorrectionRefused,
    CorrectionUnknown,
    Signatory,
    Signed,
    correct,
    plan_correction,
)
from plumbline.supervision.journal.correction_checks import (
    PROJECTED_WITHIN_S,
    NotProjected,
    require_projected,
)
from plumbline.supervision.journal.heads import CheckpointSigner, SigningStopped
from plumbline.supervision.journal.keys import PlatformKeys

#: An account that may act for the operator: it is not suspended, and has a role there that has not ended.
_ACCOUNT = """
SELECT a.username, a.person, a.suspended_at IS NOT NULL,
       EXISTS (SELECT 1 FROM fact.role_grant g WHERE g.person = a.person AND g.party = %s AND g.ended_idx IS NULL)
  FROM web.accounts_account a WHERE a.username = %s OR a.person = %s ORDER BY a.username = %s DESC LIMIT 1
"""
_PLACE = re.compile(r"(?:([0-9]{1,4})-)?([0-9]{1,12})")


def run_clock_confirm(platform: Platform, by: str) -> int:
    """A person held the clock against another one: it is right."""
    if not by:
        print("请用 --by 写明是谁核对的时钟。", file=sys.stderr)
        return 2
    with psycopg.connect(platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        confirm(conn, by)
        conn.execute(
            "INSERT INTO ops.audit_event (actor, action, subject, outcome, request) "
            "VALUES (%s, 'log.clock_confirm', 'clock', 'done', 'cli')",
            [by],
        )
    print("已记录：本机的各进程都从现在量起；别的签名主机十分钟内有效，过后要入账请在那台主机上再执行一次。")
    return 0


def prove_at_the_machine(platform: Platform, login: str) -> str | None:
    """What is wrong with the proof that whoever sits at the machine is this account's owner, or None: password and second factor are asked
    for, unseen at a terminal, else line by line from the standard input."""
    os.environ |= platform.environment() | {"DJANGO_SETTINGS_MODULE": "plumbline.supervision.settings"}
    from plumbline.supervision.administration.at_the_machine import NotAnswered, prove

    try:
        return prove(login, "log clock-correct", _typed)
    except NotAnswered as error:
        raise CorrectionRefused(
            f"数据库没有答复（{error}），不能核对 {login} 是不是本人，请再执行一次"
        ) from error


def _typed(question: str) -> str:
    try:
        if sys.stdin.isatty():
            return getpass(question)
        print(question, file=sys.stderr)
        if line := sys.stdin.readline():
            line.encode()  # what is no text is no password
            return line.rstrip("\r\n")
    except (EOFError, UnicodeError):
        pass
    raise CorrectionRefused(
        f"没有读到{question.rstrip('：')}：请在终端上执行，或从标准输入逐行给出两个人的密码和第二因素"
    )


def run_clock_correct(platform: Platform, signer: CheckpointSigner, arguments: argparse.Namespace) -> int:
    """Say what a correction would do; with `--yes`, a reason and two persons, who prove one after the other who they are, enter it.
    2 while nothing is to be changed yet."""
    try:
        with psycopg.connect(platform.conninfo("plumb_migrate"), autocommit=True) as conn:
            conn.execute("SET ROLE plumb_owner")
            marks, since = platform.folder("marks"), _since(arguments.since)
            waited_for = plan_correction(conn, marks, since=since).head
            require_projected(conn, waited_for, wait_s=PROJECTED_WITHIN_S)
            plan = plan_correction(conn, marks, since=since)
            _print_plan(plan)
            if not (arguments.yes and arguments.by and arguments.second and arguments.because.strip()):
                print(
                    "还没有改动。确认请加 --yes，用 --by 和 --second 写明办理和复核的两个人（登录名或人员编号），"
                    "--because 写明原因（原因写进日志，人人看得到）。两个人要先后输入各自的密码和第二因素。",
                    file=sys.stderr,
                )
                return 2
            signed = _signed(conn, platform, arguments)
        for each in (signed.first, signed.second):
            if problem := prove_at_the_machine(platform, each.login):
                raise CorrectionRefused(f"没有证明是 {each.login} 本人：{problem}")
        accepted = correct(
            {role: platform.conninfo(role) for role in ROLES},
            plan,
            signer,
            PlatformKeys.load(platform.folder("keys")),
            operator=operator_of(platform),
            signed=signed,
        )
    except (CorrectionRefused, NotProjected, Problem) as refusal:
        print(f"没有更正：{refusal}", file=sys.stderr)
        return 1
    except (CorrectionUnknown, SigningStopped, psycopg.Error) as error:
        # Whoever asks again is told, and nothing is corrected twice.
        why = f"数据库没有答复（{type(error).__name__}）" if isinstance(error, psycopg.Error) else str(error)
        print(f"不知道有没有入账（{why}），请再执行一次：已经更正的会说不用更正。", file=sys.stderr)
        return 1
    print(
        f"已更正，第 {place_text(accepted.position)} 条 {local_text(accepted.logged_at)} 入账，日志从现在接着记。"
    )
    print(
        "走错的那一段照原样留着；其间由时间引起的入账（到期、作废）不会撤回，请逐条复核，见操作说明《时钟走错以后》。"
    )
    return 0


def _print_plan(plan: CorrectionPlan) -> None:
    print(f"日志最后一条：{local_text(plan.head.last_time)}（第 {place_text(plan.position - 1)} 条）")
    print(f"现在的时间：{local_text(plan.present)}，本机与数据库一致")
    print(
        f"走错的一段：第 {place_text(plan.wrong_from)} 条（记作 {local_text(plan.wrong_at)}）到第 {place_text(plan.position - 1)} 条，"
        f"共 {plan.count} 条；它前面一条 {local_text(plan.right_at)} 入账"
    )
    print(
        f"外部证据：最近是{plan.outside}，与现在不矛盾"
        if plan.outside
        else "外部证据：没有。现在的时间只凭本机和数据库，两个人务必用别的时钟核对"
    )
    print("时钟在更早的一条就走错了的，用 --since 写明从第几条起。")
    print(f"将要写入第 {place_text(plan.position)} 条“时钟更正”，日志从现在接着记；以前各条一个字也不改。")


def _since(text: str) -> int | None:
    if not text:
        return None
    found = _PLACE.fullmatch(text.strip())
    try:
        if found is not None:
            return position_of(int(found[1] or 1), int(found[2]))
    except ValueError:
        pass
    raise CorrectionRefused(
        f"--since “{text[:40]}”读不懂：写第几条，如 4698；以后各期写期号和第几条，如 2-15"
    )


def _signed(conn: psycopg.Connection, platform: Platform, arguments: argparse.Namespace) -> Signed:
    party = party_id(operator_of(platform).uscc).hex()
    first = _signatory(conn, party, "--by", arguments.by)
    second = _signatory(conn, party, "--second", arguments.second)
    if first.person == second.person:
        raise CorrectionRefused("--by 和 --second 是同一个人：更正要两个人，请另一位复核")
    return Signed(first=first, second=second, because=arguments.because.strip())


def _signatory(conn: psycopg.Connection, party: str, option: str, name: str) -> Signatory:
    asked = name.strip().lower()
    row = conn.execute(_ACCOUNT, [party, asked, asked, asked]).fetchone()
    if row is None:
        raise CorrectionRefused(
            f"{option}：没有登录名或人员编号是“{name[:40]}”的账号，请写运营单位的一个账号"
        )
    if row[2]:
        raise CorrectionRefused(f"{option}：账号 {row[0]} 已停用，请换一个人")
    if not row[3]:
        raise CorrectionRefused(f"{option}：账号 {row[0]} 在运营单位没有角色，请换一个人")
    return Signatory(login=row[0], person=row[1])
