"""A log whose clock went five years ahead is put right by two persons, and by nobody alone (更正时钟)."""

from __future__ import annotations

import argparse
import io
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import errors

from plumbline.domain.basics.identifiers import party_id
from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.position import position_of
from plumbline.evidence.receipt import verify_receipt
from plumbline.exchange.messages.platform import ClockCorrected
from plumbline.exchange.messages.registry import KeyRevoked, PartyRegistered, RoleEnded, RoleGranted
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Ed25519Signer, Signer
from plumbline.exchange.uids import new_uid
from plumbline.supervision import clock_commands, commands
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.dossier import collect
from plumbline.supervision.journal import correcting
from plumbline.supervision.journal.audit import audit_log
from plumbline.supervision.journal.clock import NEWEST_CONFIRMED
from plumbline.supervision.journal.correcting import CorrectionRefused, plan_correction
from plumbline.supervision.journal.correction_checks import objections
from plumbline.supervision.journal.heads import SigningStopped, log_origin, read_head
from plumbline.supervision.journal.lookup import Lookups
from plumbline.supervision.journal.model import Accepted, Pending
from plumbline.supervision.journal.outside_times import Outside
from plumbline.supervision.journal.submit import encode_message, pending_from
from plumbline.supervision.projection.projector import Projector
from plumbline.supervision.projection.rebuild import audit_projection
from plumbline.supervision.worker.publishing import Publisher

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
    _employ(platform, "first", "second", "gone")
    _project(platform)


def _employ(platform, *logins: str) -> list[Accepted]:
    """Give these people a role at the operator."""
    made = platform.journal().append([_pending(platform, person=PEOPLE[login]) for login in logins])
    assert all(isinstance(each, Accepted) for each in made)
    return made


def _correct(platform, told: ClockCorrected, signer: Signer | None = None) -> Accepted:
    """Enter a correction past everything that asks before."""
    pending = pending_from(told, signer or platform.keys.signer("web"), channel="internal")
    entered = platform.journal().append([pending], correction=told)[0]
    assert isinstance(entered, Accepted)
    return entered


def _seen(platform, size: int, at: datetime, name: str = "witness.example") -> None:
    """A cosigner's word on so many entries; its signature is no matter here."""
    with psycopg.connect(platform.platform.conninfo("plumb_gateway")) as conn:
        conn.execute(
            "INSERT INTO journal.cosignature VALUES (%s, %s, %s, '\\x00000000', 'x', %s)",
            [log_origin(platform.platform.origin, 1), size, name, at],
        )


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


def _is_held(platform, publisher: Publisher) -> bool:
    """Whether the worker publishes nothing because it does not trust the clock."""
    with psycopg.connect(platform.platform.conninfo("plumb_gateway"), autocommit=True) as conn:
        return publisher.is_held(conn)


def _checkpoints(platform) -> list[tuple]:
    """What is published."""
    return _rows(platform, "SELECT origin, size FROM journal.checkpoint")


def _rows(platform, statement: str):
    with psycopg.connect(platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        return conn.execute(statement.encode()).fetchall()


def _plan(platform, since: int | None = None):
    with psycopg.connect(platform.platform.conninfo("plumb_migrate"), autocommit=True) as conn:
        conn.execute("SET ROLE plumb_owner")
        return plan_correction(conn, platform.platform.folder("marks"), since=since)


#: How the event was recorded whose result this one is.
_RESULT_OF = "(SELECT i.outcome FROM ops.audit_event i WHERE i.id::text = e.detail->>'intent')"


@pytest.fixture
def wrong(quiet_platform, monkeypatch):
    """A platform whose last entry lies years ahead, with the people who may correct it; commands find it."""
    monkeypatch.setattr(commands, "opened", lambda _folder: nullcontext(quiet_platform.platform))
    _accounts(quiet_platform)
    quiet_platform.journal().append([_pending(quiet_platform, ahead=AHEAD)])
    _project(quiet_platform)
    return quiet_platform


@pytest.fixture(autouse=True)
def proofs(monkeypatch) -> list[str]:
    """Whoever is asked proves it; who was asked, in order. How one proves it: tests/service/test_proof_at_the_machine.py."""
    asked: list[str] = []
    monkeypatch.setattr(clock_commands, "prove_at_the_machine", lambda _platform, login: asked.append(login))
    return asked


def test_nothing_is_corrected_before_both_have_proved_who_they_are(wrong, monkeypatch, capsys) -> None:
    before = _rows(wrong, "SELECT size FROM journal.head")
    for stranger in ("first", "second"):
        answers = {stranger: "密码不对。"}
        monkeypatch.setattr(
            clock_commands, "prove_at_the_machine", lambda _, login, told=answers: told.get(login)
        )
        assert commands.run_log(_arguments()) == 1
        assert f"没有更正：没有证明是 {stranger} 本人：密码不对。" in capsys.readouterr().err
    assert _rows(wrong, "SELECT size FROM journal.head") == before
    assert _rows(wrong, "SELECT count(*) FROM ops.audit_event WHERE action = 'log.clock_correct'") == [(0,)]


def test_where_nothing_is_typed_it_is_said_what_was_to_come(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("密 码\r\n"))
    assert clock_commands._typed("first 的密码：") == "密 码"
    with pytest.raises(CorrectionRefused, match="没有读到second 的密码：请在终端上执行"):
        clock_commands._typed("second 的密码：")


def _arguments(**told: object) -> argparse.Namespace:
    plain = {"by": "first", "second": "second", "because": "时间源错了", "since": "", "yes": True}
    return argparse.Namespace(**{"what": "clock-correct", "data_dir": "x"} | plain | told)


def test_two_persons_lift_a_wrong_step_and_the_log_goes_on(
    quiet_platform, monkeypatch, capsys, proofs
) -> None:
    monkeypatch.setattr(commands, "opened", lambda _folder: nullcontext(quiet_platform.platform))
    _accounts(quiet_platform)
    running = quiet_platform.journal()
    gateway = quiet_platform.platform.conninfo("plumb_gateway")
    publisher = Publisher(gateway, quiet_platform.signer, quiet_platform.platform.folder("tiles"))
    assert not _is_held(quiet_platform, publisher)
    assert commands.run_log(_arguments()) == 1
    assert "没有走错" in capsys.readouterr().err
    wrong = [_pending(quiet_platform, ahead=AHEAD + timedelta(seconds=n)) for n in range(4)]
    dated = running.append(wrong)
    first = dated[0].index
    refused = running.append([_pending(quiet_platform)])[0]
    assert isinstance(refused, Problem) and refused.slug == "clock-off" and "clock-correct" in str(refused)
    monkeypatch.setattr(clock_commands, "PROJECTED_WITHIN_S", 0.0)
    assert commands.run_log(_arguments()) == 1
    assert "还差 4 条" in capsys.readouterr().err  # among them might be a role that ended
    _project(quiet_platform)
    assert _is_held(quiet_platform, publisher)
    stored, lookups = _checkpoints(quiet_platform), Lookups(gateway, quiet_platform.signer)
    lookups.start()
    assert f"\n{first + 4}\n" in lookups.checkpoint()  # whoever asks is told, but nobody is sent it to attest
    lookups.stop()
    assert _checkpoints(quiet_platform) == stored

    assert commands.run_log(_arguments(yes=False)) == 2
    told = capsys.readouterr().out
    assert f"第 {first} 条" in told and "共 4 条" in told and "外部证据：没有" in told
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

    proofs.clear()
    assert commands.run_log(_arguments()) == 0
    assert "已更正" in capsys.readouterr().out
    assert proofs == ["first", "second"]
    assert not _is_held(quiet_platform, publisher)
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
    assert "没有外部证据" in notes[0]
    key = parse_verifier(platform.signer.verifier_key(log_origin(platform.platform.origin, 1)))
    assert all(verify_receipt(each.receipt, [key]).ok for each in (dated, after))
    _project(platform)
    assert _rows(platform, "SELECT wrong_from, idx FROM fact.clock_correction") == [(first, first + 4)]
    assert audit_projection(platform.conninfo()) == []
    for place, kinds in ((first, [("clock.corrected",)]), (first - 1, []), (first + 4, [])):
        asked = collect._CORRECTED.replace("v.*", "v.kind").replace("%s", f"ARRAY[{place}]")
        assert _rows(platform, asked) == kinds  # a bundle takes it along with what it speaks of
    told = _rows(
        platform, f"SELECT actor, outcome, detail->>'second', {_RESULT_OF} FROM ops.audit_event e ORDER BY id"
    )
    assert told[-2:] == [("first", "intended", "second", None), ("first", "done", "second", "intended")]
    assert _rows(platform, "SELECT by_whom, since_boot > 0 FROM ops.clock_confirmed") == [("first", True)]


def _forged(platform, **changed: object) -> ClockCorrected:
    plan = _plan(platform)
    told = {
        **_said(),
        "position": plan.position,
        "wrong_from": plan.wrong_from,
        "last_wrong": plan.head.last_time,
        "corrected_to": plan.present,
    }
    return ClockCorrected(**_head(plan.present), **(told | changed))  # type: ignore[arg-type]


def test_a_revoked_web_key_is_asked_about_before_it_corrects_anything(quiet_platform) -> None:
    """An entry is never taken back: what the audit will object to is known before."""
    journal, signer = quiet_platform.journal(), quiet_platform.keys.signer("web")
    _employ(quiet_platform, "first", "second")
    revoked = KeyRevoked(**_head(datetime.now(UTC)), key_id=signer.key_id, because="更换")  # type: ignore[arg-type]
    journal.append([pending_from(revoked, signer, channel="internal")])
    journal.append([_pending(quiet_platform, ahead=AHEAD)])
    told = _forged(quiet_platform)
    _project(quiet_platform)
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        asked = objections(conn, told, pending_from(told, signer, channel="internal"))
    assert "不是平台用自己的密钥签的" in asked[0]
    entered = _correct(quiet_platform, told)
    problems, _ = _audit(quiet_platform)
    assert any(f"第 {entered.index} 条" in each and asked[0] in each for each in problems)


def test_a_step_back_that_no_true_correction_tells_is_found(quiet_platform) -> None:
    journal = quiet_platform.journal()
    web, stranger = quiet_platform.keys.signer("web"), Ed25519Signer("web:0", Ed25519PrivateKey.generate())
    _employ(quiet_platform, "first", "second")
    for signer, changed, words in (
        (stranger, {}, "不是平台用自己的密钥签的"),
        (web, {"second_person": "9f" * 16}, "复核的人（9f9f9f9f…）当时在运营单位没有角色"),
        (web, {"second_person": PEOPLE["first"]}, "同一个人"),
        (web, {"wrong_from": 3}, "早于没有走错的一条"),
    ):
        wrong = [_pending(quiet_platform, ahead=AHEAD) for _ in range(2)]
        at = journal.append(wrong)[0].index
        told = _forged(quiet_platform, **({"wrong_from": at + 1} if "wrong_from" in changed else changed))
        pending = pending_from(told, signer, channel="internal")
        with psycopg.connect(quiet_platform.platform.conninfo("plumb_migrate")) as conn:
            conn.execute("SET ROLE plumb_owner")
            _project(quiet_platform)
            asked = objections(conn, told, pending)
        entered = _correct(quiet_platform, told, signer)
        problems, _ = _audit(quiet_platform)
        assert any(f"第 {entered.index} 条" in each and words in each for each in problems), problems
        if changed.keys() <= {"second_person"} and changed != {"second_person": PEOPLE["first"]}:
            assert asked == [words]  # known before it is entered, too
        else:
            assert asked == []


def test_who_had_no_role_any_more_corrects_nothing(quiet_platform) -> None:
    """A role that the log ended before; a correction at which time does not step back changes nothing, and is a note."""
    journal = quiet_platform.journal()
    granted = _employ(quiet_platform, "first", "second")
    assert isinstance(_correct_wrong(quiet_platform), Accepted)
    assert _audit(quiet_platform)[0] == []
    ended = RoleEnded(
        **_head(datetime.now(UTC)),  # type: ignore[arg-type]
        grant=granted[1].entry.hex(),
        person=PEOPLE["second"],
        because="调离",
    )
    journal.append([pending_from(ended, quiet_platform.keys.signer("web"), channel="internal")])
    idle = ClockCorrected(
        **_head(datetime.now(UTC)),  # type: ignore[arg-type]
        **_said(),
        position=3,
        wrong_from=2,
        last_wrong=datetime.now(UTC) + AHEAD,
        corrected_to=datetime.now(UTC),
    )
    journal.append([pending_from(idle, quiet_platform.keys.signer("web"), channel="internal")])
    problems, notes = _audit(quiet_platform)
    assert problems == []
    assert len(notes) == 2 and "不作数" in notes[1]
    _correct_wrong(quiet_platform)
    assert any("复核的人（2b2b2b2b…）当时在运营单位没有角色" in each for each in _audit(quiet_platform)[0])


def _said() -> dict[str, str]:
    return {
        "first_person": PEOPLE["first"],
        "second_person": PEOPLE["second"],
        "because": "没有人办过",
    }


def _correct_wrong(platform) -> Accepted:
    """Two entries in a wrong time, and their correction."""
    platform.journal().append([_pending(platform, ahead=AHEAD) for _ in range(2)])
    return _correct(platform, _forged(platform))


def test_who_puts_all_clocks_back_is_told_by_others(quiet_platform) -> None:
    """Entries that were right become wrong by a clock that was set back; a cosigner of somebody else had seen them in time."""
    _employ(quiet_platform, "first", "second")
    journal, now = quiet_platform.journal(), datetime.now(UTC)
    at = journal.append([_pending(quiet_platform, ahead=timedelta(days=3)) for _ in range(2)])[-1].index
    told = _forged(quiet_platform)
    _seen(quiet_platform, at + 1, now + timedelta(days=3))
    with pytest.raises(CorrectionRefused, match="比外部证据慢：联署 witness"):
        _plan(quiet_platform)
    entered = _correct(quiet_platform, told)
    assert any("早于外部证据：联署 witness.example" in each for each in _audit(quiet_platform)[0])
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
        place, log = (1, entered.index), quiet_platform.platform.origin
        everybody = Outside(conn, log, frozenset())
        own = Outside(conn, log, frozenset({("cosignature", "witness.example")}))
        seen, moment = now + timedelta(days=3), timedelta(microseconds=1)
        slack, late = timedelta(seconds=65), timedelta(hours=1)
        assert everybody.against(place, seen - late - moment) and not everybody.against(place, seen - late)
        assert everybody.doubt(place, seen - slack - moment) and not everybody.doubt(place, seen - slack)
        assert not own.against(place, told.corrected_to) and own.last() is None
        assert "没有外部证据" in everybody.for_(place)
        # Somebody else's word, which costs nothing, takes no objection back.
        _seen(quiet_platform, entered.index + 1, now, "second.example")
    assert any("早于外部证据：联署 witness.example" in each for each in _audit(quiet_platform)[0])
    # Who had seen the correction before speaks of older entries late.
    _seen(quiet_platform, entered.index + 1, now, "witness.example")
    with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
        again = Outside(conn, log, frozenset())
        assert not again.against(place, told.corrected_to) and not again.doubt(place, told.corrected_to)


def test_the_trigger_asks_of_every_word(quiet_platform) -> None:
    """As the gateway's login, past all that the append asks: entry, leaf and head; one word wrong, and the head does not move."""
    quiet_platform.journal().append([_pending(quiet_platform, ahead=AHEAD)])
    told = _forged(quiet_platform)
    second = timedelta(seconds=1)
    for changed, kind, moves in (
        ({}, "clock.deadline_passed", False),
        ({"position": told.position + 1}, "", False),
        ({"last_wrong": told.last_wrong + second}, "", False),
        ({"corrected_to": told.corrected_to - second}, "", False),
        ({}, "", True),
    ):
        with psycopg.connect(quiet_platform.platform.conninfo("plumb_gateway")) as conn:
            data = encode_message(msgspec.structs.replace(told, **changed))
            data = data.replace(b"clock.corrected", kind.encode()) if kind else data
            _enter(conn, told, data)
            move = "UPDATE journal.head SET size = size + 1, last_time = %s"
            if moves:
                conn.execute(move, [told.corrected_to])
            else:
                with pytest.raises(errors.InsufficientPrivilege, match="goes back"):
                    conn.execute(move, [told.corrected_to])
            conn.rollback()


def _enter(conn: psycopg.Connection, told: ClockCorrected, data: bytes) -> None:
    sender = bytes.fromhex(told.sender)
    conn.execute(b"INSERT INTO journal.entry VALUES (%s, %s, 'web', '', %s, now())", [told.uid, sender, data])
    conn.execute(
        "INSERT INTO journal.leaf SELECT epoch, size, %s, %s, %s, %s FROM journal.head",
        [told.uid, sender, told.corrected_to, bytes(32)],
    )


def test_one_of_which_nobody_knows_says_so_and_a_confirmation_of_one_host_displaces_no_other(
    wrong, monkeypatch, capsys
) -> None:
    def committed_and_stopped(*_batch: object, **_more: object) -> None:
        raise SigningStopped("日志头不是本机上次所见的后继")

    with monkeypatch.context() as broken:
        broken.setattr(correcting.Journal, "append", committed_and_stopped)
        assert commands.run_log(_arguments()) == 1
    told = capsys.readouterr().err
    assert "不知道有没有入账" in told and "没有更正" not in told
    outcomes = _rows(wrong, f"SELECT outcome, {_RESULT_OF} FROM ops.audit_event e ORDER BY id DESC LIMIT 2")
    assert outcomes == [("unknown", "intended"), ("intended", None)]
    assert _rows(wrong, "SELECT count(*) FROM ops.clock_confirmed") == [(0,)]
    with psycopg.connect(wrong.platform.conninfo("plumb_migrate")) as conn:
        conn.execute("SET ROLE plumb_owner")
        for boot in ("one", "two", "one", "two"):
            conn.execute(
                "INSERT INTO ops.clock_confirmed (by_whom, boot, since_boot, at) "
                "SELECT 'x', %s, count(*), now() - count(*) * '1 h'::interval FROM ops.clock_confirmed",
                [boot],
            )
        found = {
            boot: conn.execute(NEWEST_CONFIRMED.encode(), {"boot": boot}).fetchone()
            for boot in ("one", "two", "three")
        }
    assert [found[boot][1:3] for boot in found] == [("one", 2.0), ("two", 3.0), ("two", 3.0)]
    assert [found[boot][3] for boot in found] == [found["two"][0], found["one"][0], found["two"][0]]


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
