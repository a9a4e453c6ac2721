"""What is due (到期工作): queries over the tables say it, entries settle it; a worker that dies leaves nothing half done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row

from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.reporting.gate_facts import GateDecision
from plumbline.exchange.claims import MAX_NUMBER_BYTES, ClaimsProblem
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import DeadlinePassed, EvaluationComputed
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.exchange.problems import Problem
from plumbline.exchange.signatures import Signer
from plumbline.exchange.uids import derived_uid
from plumbline.sdk.pdf.roots import TrustRoot
from plumbline.supervision.codes.facts import decide
from plumbline.supervision.codes.issue import reservation, withholding
from plumbline.supervision.codes.shown import awaiting_codes, may_still_come, shown_claims
from plumbline.supervision.journal.append import MAX_BATCH
from plumbline.supervision.journal.demo_clock import DemoClock, read_demo_clock
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.files import DOUBTED, FileDigestMismatch, FileStore
from plumbline.supervision.journal.model import Outcome, Pending
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.memory import clear_up
from plumbline.supervision.worker.evaluations import (
    evaluation_message,
    reported_differences,
    unreadable_message,
)
from plumbline.supervision.worker.examining import report_examined, report_unsound
from plumbline.supervision.worker.masking import masked

BATCH = 50
RETRY_S = 60.0
#: When one that was held back is looked at again: at the soonest, more for each of them that is held back, at the latest. A look takes some
#: ten milliseconds, so that all of them together take a fifth of the time, and those behind them are reached.
LOOK_AGAIN_S, EACH_S, LATEST_S = 1.0, 0.05, 600.0
#: How long a round looks at applications that are held back before it goes on with other work.
MOMENT_S = 1.0
_log = logging.getLogger("plumbline.worker")
#: How long an entry of ours may take to be projected before its work is done again, which would change nothing.
PROJECTED_S = 3.0
#: A demo log whose story is older than this follows the story's own time.
STORY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class _Made:
    """An entry that settles something: the object's id, what it asked for, the entry."""

    id: str
    key: str
    pending: Pending


@dataclass(slots=True, kw_only=True)
class Worker:
    """One worker process: decisions first, because an institution waits for them."""

    conninfo: str
    sender: PlatformSender
    issuer: Signer
    operator: str
    files: FileStore
    roots: Sequence[TrustRoot]
    demo: bool
    #: Object id → when (monotonic) it may be tried again: one that fails never holds up the others.
    failed: dict[str, float] = field(default_factory=dict)
    #: Application → when (monotonic) it is looked at again: it would be withheld for want of what may still be sent again after a loss.
    held_back: dict[str, float] = field(default_factory=dict)
    #: Files that an examination found not to be whole.
    doubted: list[str] = field(default_factory=list)
    #: A demo's clock, read anew for each round.
    clock: DemoClock = field(default_factory=DemoClock)
    #: What was entered a moment ago → until when (monotonic) the projection is waited for, before it is looked at again.
    entered: dict[str, float] = field(default_factory=dict)
    #: When (monotonic) deadlines were looked for.
    _looked: float = 0.0

    def connect(self) -> psycopg.Connection[DictRow]:
        """A connection to work on."""
        return psycopg.connect(self.conninfo, row_factory=dict_row, autocommit=True)

    def round(self, conn: psycopg.Connection[DictRow] | None = None) -> int:
        """Do what is due now, on `conn` or a connection of its own; returns how many entries were made."""
        if conn is None:
            with self.connect() as own:
                return self.round(own)
        if self.demo:
            self.clock = read_demo_clock(conn)
        done = self.decisions(conn)
        # Nobody waits for these as for a decision: what came of both is entered together.
        done += self._enter_all(
            [*self.examinations(conn), *self.evaluations(conn)], "examination or evaluation"
        )
        # Deadlines are days long: where there is other work, a second is soon enough.
        if not done or time.monotonic() - self._looked > 1:
            self._looked = time.monotonic()
            done += self.deadlines(conn)
        return done

    def _waiting(self) -> list[str]:
        """Ids that failed a moment ago, or were held back, and are left alone for now."""
        now = time.monotonic()
        self.failed = {key: until for key, until in self.failed.items() if until > now}
        # One that is not looked at again is decided elsewhere.
        self.held_back = {key: until for key, until in self.held_back.items() if until > now - RETRY_S}
        return [*self.failed, *(key for key, until in self.held_back.items() if until > now)]

    def _fresh(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows without those that were settled a moment ago and only wait for the projection."""
        now = time.monotonic()
        self.entered = {key: until for key, until in self.entered.items() if until > now}
        return [row for row in rows if _key(row) not in self.entered][:BATCH]

    def _each(
        self, rows: Sequence[dict[str, Any]], work: Callable[[dict[str, Any]], list[_Made]], what: str
    ) -> int:
        """Do the work for every row and enter what came of it together."""
        return self._enter_all(self._work(rows, work, what), what)

    def _work(
        self, rows: Sequence[dict[str, Any]], work: Callable[[dict[str, Any]], list[_Made]], what: str
    ) -> list[_Made]:
        """What comes of every row, not entered yet; a row that fails is logged and tried again later."""
        made: list[_Made] = []
        for row in rows:
            try:
                made += work(row)
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
                raise
            except Problem as problem:
                self._refused(row["id"], problem, what)
            except Exception:
                _log.exception("%s of %s failed", what, row["id"])
                self.failed[row["id"]] = time.monotonic() + RETRY_S
        return made

    def _enter_all(self, made: Sequence[_Made], what: str) -> int:
        """Append what was made; returns how many entries there are of it."""
        # Stated times and the clock's own do not go into one batch: its entries have one kind of time.
        told = [each for each in made if each.pending.stated_at is not None]
        return self._enter(told, what) + self._enter([e for e in made if e.pending.stated_at is None], what)

    def _enter(self, made: Sequence[_Made], what: str) -> int:
        """The same of entries of one kind of time."""
        done = 0
        for start in range(0, len(made), MAX_BATCH):
            part = made[start : start + MAX_BATCH]
            for each, outcome in zip(part, self._outcomes(part, what), strict=True):
                if not isinstance(outcome, Problem):
                    done += 1
                elif outcome.slug != "uid-conflict":  # another worker was first: its entry stands
                    self._refused(each.id, outcome, what)
                    continue
                self.entered[each.key] = time.monotonic() + PROJECTED_S
        return done

    def _outcomes(self, part: Sequence[_Made], what: str) -> Sequence[Outcome]:
        """What became of each entry; where one of them breaks the journal in a way that nobody foresaw, the others go alone."""
        try:
            hit("register.before_append")
            outcomes = self.sender.append([each.pending for each in part])
            hit("register.after_append")
            return outcomes
        except (psycopg.Error, OSError, Problem):
            raise
        except Exception:
            _log.exception("%s of %s failed", what, ", ".join(each.id for each in part))
            if len(part) == 1:
                return [Problem(slug="internal")]
        return [outcome for each in part for outcome in self._outcomes([each], what)]

    def _refused(self, about: str, problem: Problem, what: str) -> None:
        if problem.kind.status >= 500 and problem.slug != "internal":
            raise problem  # the journal is not to be had at the moment: nothing is wrong with this row
        _log.error("%s of %s is refused: %s", what, about, problem)
        self.failed[about] = time.monotonic() + RETRY_S

    def _moment(self, row: dict[str, Any]) -> tuple[datetime, datetime | None]:
        """(when the effect happens, the time to state to the log): a demo's story time, else now."""
        now = self.clock.now()
        if self.clock.story is not None:
            return row["logged_at"], row["logged_at"]
        if self.demo and not self.clock.is_set and now - row["logged_at"] > STORY:
            return row["logged_at"], row["logged_at"]
        return now, None

    def _made(self, row: dict[str, Any], message: Message, stated_at: datetime | None) -> _Made:
        """A message about a row, ready to be entered; it has passed the decoding that a stranger's would have to pass."""
        return _Made(row["id"], _key(row), self.sender.pending(masked(message), stated_at=stated_at))

    def decisions(self, conn: psycopg.Connection[DictRow]) -> int:
        """Reserve or withhold for every application that waits.

        Where all of a batch is held back, those behind it are looked at in the same round, for a moment at most and each of them once.
        """
        looked, until = list[str](), time.monotonic() + MOMENT_S
        while True:
            rows = conn.execute(
                "SELECT * FROM fact.application WHERE state IN ('applied', 'released') AND id <> ALL(%s) "
                "ORDER BY idx LIMIT %s",
                [[*self._waiting(), *looked, *awaiting_codes(conn)], BATCH + len(self.entered)],
            ).fetchall()
            fresh = self._fresh(rows)
            done = self._each(fresh, lambda row: self._decide(conn, row), "decision")
            held = [row["id"] for row in fresh if row["id"] in self.held_back]
            if done or len(fresh) < BATCH or len(held) < len(fresh) or time.monotonic() > until:
                return done
            looked += held

    def _hold_back(self, application: str) -> None:
        """Leave an application alone for a while: the more of them there are, the longer."""
        pause_s = min(LATEST_S, max(LOOK_AGAIN_S, EACH_S * len(self.held_back)))
        self.held_back[application] = time.monotonic() + pause_s

    def _decide(self, conn: psycopg.Connection[DictRow], row: dict[str, Any]) -> list[_Made]:
        data = _message_bytes(conn, row["entry"])
        message = parse_message(data)
        assert isinstance(message, ReportApplied)
        decision = decide(conn, message, row["logged_at"])
        if not decision.reserved and row["state"] != "released" and may_still_come(conn, message):
            self._hold_back(row["id"])
            return []
        self.held_back.pop(row["id"], None)
        known, made = self._evaluations_of(conn, message)
        told = reported_differences(message, known)
        decision = replace(decision, notes=(*decision.notes, *told))
        at, stated = self._moment(row)
        shown = shown_claims(conn, row, message, data)
        return [*made, self._made(row, self._decided(row, message, data, decision, at, shown), stated)]

    def _decided(  # noqa: PLR0917 - what a decision rests on
        self,
        row: dict[str, Any],
        message: ReportApplied,
        data: bytes,
        decision: GateDecision,
        at: datetime,
        shown: str | None,
    ) -> Message:
        """The reservation, or the withholding with every reason."""
        cause = (row["state"], row["logged_at"])
        if decision.reserved or row["state"] == "released":
            try:
                return reservation(
                    row["id"],
                    message,
                    data,
                    decision,
                    at=at,
                    cause=cause,
                    operator=self.operator,
                    issuer=self.issuer,
                    division=row["division"] or "CN",
                    shown=shown,
                )
            except ClaimsProblem:  # the claims of a QR code hold 40 bytes of number
                decision = replace(
                    decision, reserved=False, reasons=(*decision.reasons, _long_number(message))
                )
        return withholding(row["id"], message, decision, at=at, cause=cause, operator=self.operator)

    def _evaluations_of(
        self, conn: psycopg.Connection[DictRow], message: ReportApplied
    ) -> tuple[dict[str, dict[str, Any]], list[_Made]]:
        """Recomputations of a report's runs, and those of them that are entered with the decision because nobody had made them:
        differences are told with it."""
        runs = [run for parameter in message.parameters for run in parameter.runs]
        stored = conn.execute(
            "SELECT id, outcome, body FROM fact.evaluation WHERE id = ANY(%s)", [runs]
        ).fetchall()
        known, entries = {row["id"]: row for row in stored}, []
        for row in conn.execute(
            "SELECT * FROM fact.run WHERE id = ANY(%s) AND NOT evaluated", [runs]
        ).fetchall():
            made, entry = self._evaluated(conn, row)
            known[row["id"]] = {"outcome": made.outcome, "body": msgspec.to_builtins(made)}
            entries.append(entry)
        return known, entries

    def evaluations(self, conn: psycopg.Connection[DictRow]) -> list[_Made]:
        """Recompute runs that nobody has recomputed."""
        rows = conn.execute(
            "SELECT * FROM fact.run WHERE NOT evaluated AND id <> ALL(%s) ORDER BY idx LIMIT %s",
            [self._waiting(), BATCH + len(self.entered)],
        ).fetchall()
        return self._work(self._fresh(rows), lambda row: [self._evaluated(conn, row)[1]], "evaluation")

    def _evaluated(
        self, conn: psycopg.Connection[DictRow], row: dict[str, Any]
    ) -> tuple[EvaluationComputed, _Made]:
        """Recompute; what cannot be computed, or cannot be told in a message, is entered as such."""
        try:
            made = self._evaluation(conn, row)
            return made, self._made(row, made, self._moment(row)[1])
        except (ArithmeticError, LookupError, TypeError, ValueError, Problem) as error:
            if isinstance(error, Problem) and error.kind.status >= 500:
                raise
            _log.error("run %s cannot be recomputed: %s", row["id"], type(error).__name__)
            made = unreadable_message(row, operator=self.operator, at=row["logged_at"])
            return made, self._made(row, made, self._moment(row)[1])

    def _evaluation(self, conn: psycopg.Connection[DictRow], row: dict[str, Any]) -> EvaluationComputed:
        curves = conn.execute("SELECT * FROM fact.curve WHERE run = %s", [row["id"]]).fetchall()
        # the entry's uid must not depend on the moment of work, so that two workers make one entry
        return evaluation_message(row, curves, operator=self.operator, at=row["logged_at"])

    def examinations(self, conn: psycopg.Connection[DictRow]) -> list[_Made]:
        """Examine registered PDFs whose file has arrived: strict PAdES, one revision, signer under an accepted root."""
        rows = conn.execute(
            # only those whose file has arrived: registrations without one may be many and must not fill the batch
            "SELECT r.*, p.uscc, p.name AS institution_name FROM fact.registration r JOIN fact.party p ON p.id = r.institution "
            "JOIN ops.file f ON f.sha256 = decode(r.pdf_sha256, 'hex') AND f.state IN ('stored', 'verified') "
            "WHERE NOT r.examined AND r.id <> ALL(%s) ORDER BY r.idx LIMIT %s",
            [self._waiting(), BATCH + len(self.entered)],
        ).fetchall()
        made = self._work(self._fresh(rows), self._examine, "examination")
        if self.doubted:
            conn.execute(DOUBTED, [[bytes.fromhex(each) for each in self.doubted]])
            self.doubted.clear()
        return made

    def _examine(self, row: dict[str, Any]) -> list[_Made]:
        try:
            data = self.files.read(row["pdf_sha256"])
        except (FileDigestMismatch, OSError) as error:
            # Our disk is at fault, not the report, and nothing is wrong with the others: it waits until its bytes are put back.
            _log.error("the file of registration %s is not whole: %s", row["id"], type(error).__name__)
            self.failed[row["id"]] = time.monotonic() + RETRY_S
            self.doubted.append(row["pdf_sha256"])
            return []
        stated = self._moment(row)[1]
        try:
            return [
                self._made(row, report_examined(row, data, roots=self.roots, operator=self.operator), stated)
            ]
        except (psycopg.Error, OSError):
            raise
        except MemoryError:  # says nothing of the file: what is read of it is bounded
            _log.error("no memory to examine registration %s; later", row["id"])
            self.failed[row["id"]] = time.monotonic() + RETRY_S
            return []
        except Exception as error:
            if isinstance(error, Problem) and error.kind.status >= 500:
                raise
            # a hostile file may break any reader; it is examined all the same, and unsound
            _log.error("registration %s cannot be examined: %s", row["id"], type(error).__name__)
            return [self._made(row, report_unsound(row, operator=self.operator), stated)]
        finally:
            clear_up(len(data))

    def _story_now(self, conn: psycopg.Connection[DictRow]) -> tuple[datetime, datetime | None]:
        """(the present, the time to state to the log): in a demo whose story is being told, the time of its newest entry."""
        row = conn.execute("SELECT logged_at FROM fact.event ORDER BY idx DESC LIMIT 1").fetchone()
        if row is None:
            return self.clock.now(), None
        return self._moment(row)

    def deadlines(self, conn: psycopg.Connection[DictRow]) -> int:
        """Reserved codes that nobody used in time die (`clock.deadline_passed`)."""
        now, stated = self._story_now(conn)
        rows = conn.execute(
            "SELECT id, application, dies_at FROM fact.code WHERE state = 'reserved' AND dies_at < %s "
            "AND id <> ALL(%s) LIMIT %s",
            [now, self._waiting(), BATCH + len(self.entered)],
        ).fetchall()
        return self._each(
            self._fresh(rows), lambda row: [self._made(row, self._passed(row), stated)], "deadline"
        )

    def _passed(self, row: dict[str, Any]) -> DeadlinePassed:
        return DeadlinePassed(
            v=1,
            uid=derived_uid("clock.deadline_passed", "code.unused", row["application"], row["dies_at"]),
            sender=self.operator,
            occurred_at=row["dies_at"],
            rule="code.unused",
            subject=row["application"],
            due_at=row["dies_at"],
        )


def _key(row: dict[str, Any]) -> str:
    """What a row asks for now: an application that was released, or replaced by a new version, asks again."""
    return f"{row['id']}/{row.get('state') or ''}/{row.get('logged_at') or ''}"


def _long_number(message: ReportApplied) -> Finding:
    return Finding(
        code="reporting.long_number",
        clause="平台约定",
        severity=Severity.BLOCK,
        facts={"number": message.number},
        sentence=f"报告编号过长：{message.number} 超过 {MAX_NUMBER_BYTES} 字节，二维码放不下",
        remedy="缩短编号后以新编号申请",
    )


def _message_bytes(conn: psycopg.Connection[DictRow], entry: str) -> bytes:
    event = conn.execute("SELECT uid, sender FROM fact.event WHERE id = %s", [entry]).fetchone()
    assert event is not None
    row = conn.execute(
        "SELECT message FROM journal.entry WHERE uid = %s AND sender_id = %s",
        [event["uid"], bytes.fromhex(event["sender"])],
    ).fetchone()
    assert row is not None
    return bytes(row["message"])
