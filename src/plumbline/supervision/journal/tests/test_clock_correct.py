"""A log whose clock went five years ahead is put right by two persons, and by nobody alone (更正时钟)."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import errors

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.position import position_of
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import PartyRegistered, RoleGranted
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer
from plumbline.exchange.uids import new_uid
from plumbline.supervision import commands
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.dossier import collect
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.correcting import CorrectionRefused, plan_correction
from plumbline.supervision.journal.heads import log_origin, read_head
from plumbline.supervision.journal.model import Accepted, Pending
from plumbline.supervision.journal.submit import pending_from
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.projection.rebuild import audit_projection

pytestmark = pytest.mark.service
OPERATOR = party_id(DEMO_OPERATOR.uscc).hex()
AHEAD = timedelta(days=5 * 365)
PEOPLE = {"first": "1a" * 16, "second": "2b" * 16, "gone": "3c" * 16, "guest": "4d" * 16}


def _head(now: datetime) -> dict[str, object]:
    return {"v": 1, "uid": new_uid(now), "sender": OPERATOR, "occurred_at": now}


def _pending(platform, *, ahead: timedelta | None = None, person: str = "") -> Pending:
    """An entry of the operator; with `ahead` it is logged so far in the future."""
    now = datetime.now(UTC)
    if person:
        granted = {"role": "officer", "division": DEMO_OPERATOR.division, "capacity": "值班员"}
        message = RoleGranted(**_head(now), person=person, party=OPERATOR, **granted)  # type: ignore[arg-type]
    else:
        known = {"party": "0" * 32, "uscc": "12610300MB2960001Y", "name": "某站", "division": "610300"}
        message = PartyRegistered(**_head(now), **known, roles=["station"])  # type: ignore[arg-type]
    stated = None if ahead is None else now + ahead
    return pending_from(message, platform.keys.signer("web"), channel="internal", stated_at=stated)


def _accounts(platform) -> None:
    """Four accounts: two that act for the operator, one that is suspended, one without a role."""
    with psycopg.connect(platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for login, person in PEOPLE.items():
            conn.execute(
                "INSERT INTO web.accounts_account (password, username, person, label, division, created_at, created_by, "
                "suspended_at, suspended_because, former_passwords) VALUES ('!', %s, %s, '值班', '610300', now(), 'cli', %s, '', '[]')",
                [login, person, datetime.now(UTC) if login == "gone" else None],
            )
    granted = [_pending(platform, person=PEOPLE[login]) for login in ("first", "second", "gone")]
    assert all(isinstance(each, Accepted) for each in platform.journal().append(granted))
    _project(platform)


def _project(platform) -> None:
    projector = Projector(platform.platform.conninfo("plumb_projector"))
    try:
        projector.catch_up()
    finally:
        projector.close()


def _audit(platform) -> tuple[list[str], list[str]]:
    """(problems, notes)."""
    notes: list[str] = []
    place = (platform.platform.conninfo("plumb_gateway"), platform.platform.folder("marks"))
    return audit_log(*place, notes=notes), notes


def _rows(platform, statement: str):
    with psycopg.connect(platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        return conn.execute(statement.encode()).fetchall()


def _plan(platform, since: int | None = None):
    with psycopg.connect(platform.platform.conninfo("plumb_migrate"), autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        return plan_correction(conn, since=since)


def _arguments(**told: object) -> argparse.Namespace:
    plain = {"by": "first", "second": "second", "because": "时间源错了", "since": "", "yes": True}
    return argparse.Namespace(**{"what": "clock-correct", "data_dir": "x"} | plain | told)


def test_two_persons_lift_a_wrong_step_and_the_log_goes_on(quiet_platform, monkeypatch, capsys) -> None:
    monkeypatch.setattr(commands, "opened", lambda _folder: nullcontext(quiet_platform.platform))
    _accounts(quiet_platform)
    running = quiet_platform.journal()
    assert commands.run_log(_arguments()) == 1
    assert "没有走错" in capsys.readouterr().err
    wrong = [_pending(quiet_platform, ahead=AHEAD + timedelta(seconds=n)) for n in range(4)]
    dated = running.append(wrong)
    first = dated[0].index
    refused = running.append([_pending(quiet_platform)])[0]
    assert isinstance(refused, Problem) and refused.slug == "clock-off" and "clock-correct" in str(refused)

    assert commands.run_log(_arguments(yes=False)) == 2
    told = capsys.readouterr().out
    assert f"第 {first} 条" in told and "共 4 条" in told
    for changed, words in (
        ({"second": "first"}, "同一个人"),
        ({"second": PEOPLE["first"]}, "同一个人"),
        ({"second": "nobody"}, "--second：没有登录名"),
        ({"second": "gone"}, "已停用"),
        ({"second": "guest"}, "没有角色"),
        ({"since": str(first + 1)}, "--since"),
        ({"since": "x"}, "读不懂"),
        ({"because": "请打 13912345678"}, "没有更正"),
    ):
        assert commands.run_log(_arguments(**changed)) == 1, changed
        assert words in capsys.readouterr().err
    assert _rows(quiet_platform, "SELECT size FROM journal.head") == [(first + 4,)]

    assert commands.run_log(_arguments()) == 0
    assert "已更正" in capsys.readouterr().out
    # A process that ran all the while learns of it from the log, and from the newest confirmation.
    after = running.append([_pending(quiet_platform)])[0]
    assert isinstance(after, Accepted) and after.index == first + 5
    assert after.logged_at < dated[0].logged_at
    assert commands.run_log(_arguments()) == 1
    assert "没有走错" in capsys.readouterr().err
    _proven(quiet_platform, dated[0], after, first)


def _proven(platform, dated: Accepted, after: Accepted, first: int) -> None:
    """The log alone says what was wrong; what was recorded stands as it was; pages and records say it too."""
    problems, notes = _audit(platform)
    assert problems == []
    assert len(notes) == 1 and f"第 {first} 条到第 {first + 3} 条" in notes[0]
    key = parse_verifier(platform.signer.verifier_key(log_origin(platform.platform.origin, 1)))
    assert all(verify_receipt(each.receipt, [key]).ok for each in (dated, after))
    _project(platform)
    assert _rows(platform, "SELECT wrong_from, idx FROM fact.clock_correction") == [(first, first + 4)]
    assert audit_projection(platform.conninfo()) == []
    for place, kinds in ((first, [("clock.corrected",)]), (first - 1, []), (first + 4, [])):
        asked = collect._CORRECTED.replace("v.*", "v.kind").replace("%s", f"ARRAY[{place}]")
        assert _rows(platform, asked) == kinds  # a bundle takes it along with what it speaks of
    told = _rows(platform, "SELECT actor, outcome, detail->>'second' FROM ops.audit_event ORDER BY id")
    assert told[-2:] == [("first", "intended", "second"), ("first", "done", "second")]
    assert _rows(platform, "SELECT by_whom, since_boot > 0 FROM ops.clock_confirmed") == [("first", True)]


def _forged(platform, **changed: object) -> ClockCorrected:
    plan = _plan(platform)
    told = {
        "first_person": PEOPLE["first"],
        "second_person": PEOPLE["second"],
        "because": "没有人办过",
        "position": plan.position,
        "wrong_from": plan.wrong_from,
        "last_wrong": plan.head.last_time,
        "corrected_to": plan.present,
    }
    return ClockCorrected(**_head(plan.present), **(told | changed))  # type: ignore[arg-type]


def test_a_step_back_that_no_true_correction_tells_is_found(quiet_platform) -> None:
    journal = quiet_platform.journal()
    web, stranger = quiet_platform.keys.signer("web"), Ed25519Signer("web:0", Ed25519PrivateKey.generate())
    journal.append([_pending(quiet_platform)])
    for signer, changed, words in (
        (stranger, {}, "不是平台用自己的密钥签的"),
        (web, {"second_person": PEOPLE["first"]}, "同一个人"),
        (web, {"wrong_from": 3}, "早于没有走错的一条"),
    ):
        wrong = [_pending(quiet_platform, ahead=AHEAD) for _ in range(2)]
        at = journal.append(wrong)[0].index
        told = _forged(quiet_platform, **({"wrong_from": at + 1} if "wrong_from" in changed else changed))
        entered = journal.append([pending_from(told, signer, channel="internal")], correction=told)[0]
        assert isinstance(entered, Accepted)
        problems, _ = _audit(quiet_platform)
        assert any(f"第 {entered.index} 条" in each and words in each for each in problems), problems


def test_time_steps_back_nowhere_else(quiet_platform) -> None:
    """Neither the gateway's login nor a message without its place can move the head's time back; moved all the same, it is named."""
    journal = quiet_platform.journal()
    last = journal.append([_pending(quiet_platform, ahead=AHEAD) for _ in range(3)])[-1]
    with (
        psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn,
        pytest.raises(errors.InsufficientPrivilege, match="goes back"),
    ):
        conn.execute("UPDATE journal.head SET size = size + 1, last_time = now()")
    told = _forged(quiet_platform)
    for changed in (
        {"position": told.position + 1},
        {"last_wrong": told.last_wrong + timedelta(seconds=1)},
        {"corrected_to": told.corrected_to - timedelta(hours=1)},
    ):
        odd = _forged(quiet_platform, **changed)
        outcome = journal.append(
            [pending_from(odd, quiet_platform.keys.signer("web"), channel="internal")], correction=odd
        )
        assert isinstance(outcome[0], Problem) and outcome[0].slug == "unavailable"
    with pytest.raises(CorrectionRefused, match="--since"):
        _plan(quiet_platform, since=last.index)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        assert position_of(1, read_head(conn).size) == last.index + 1
        conn.execute("ALTER TABLE journal.leaf DISABLE TRIGGER ALL")
        conn.execute("UPDATE journal.leaf SET logged_at = now() WHERE idx = %s", [last.index])
    problems, _ = _audit(quiet_platform)
    assert any("早于前一条" in each and f"第 {last.index} 条" in each for each in problems)


def test_an_epoch_that_continues_a_wrong_time_is_opened_in_it(quiet_platform) -> None:
    """Of a log that is no demo; nothing else is entered there, so that the correction can be the second entry."""
    journal, now = quiet_platform.journal(), datetime.now(UTC)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        head = replace(read_head(conn), origin="log.test", last_time=now + AHEAD)
        pending = _pending(quiet_platform)
        with pytest.raises(Problem, match="慢"):
            journal._times(conn, head, [pending])
        journal._opening = True
        assert journal._times(conn, head, [pending]) == [head.last_time]
        assert journal._times(conn, replace(head, last_time=now), [pending])[0] > now
