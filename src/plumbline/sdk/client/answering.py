"""Answering the platform's requests to send again (补传): after a restore it lacks what it acknowledged, and asks; the client sends it.

Everything goes with its own uid and bytes, in the order in which it was made, so that the platform takes as new what it lost and knows
again what it has. What others must send first is waited for. What cannot be sent again is told, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from plumbline.evidence.leaf import Leaf
from plumbline.evidence.position import position_of
from plumbline.evidence.proof import ProofError, parse_proof
from plumbline.exchange.decode import parse_message
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.platform import (
    LostRange,
    NoLongerHeld,
    RetransmitAnswered,
    ShownCode,
)
from plumbline.exchange.messages.reports import ReportApplied, ReportRegistered
from plumbline.exchange.named import named_entries, named_files
from plumbline.exchange.origin import sign_origin
from plumbline.exchange.personal import PersonalRecord
from plumbline.exchange.submission import OriginSignature
from plumbline.sdk.client.client import Client, Sent
from plumbline.sdk.client.problems import Refused
from plumbline.sdk.client.receipts import ReceiptBook, ReceiptStore, log_of
from plumbline.sdk.client.sent import SentBook, SentFile, Submission
from plumbline.sdk.client.stamp import stamp

#: How many codes, or entries that cannot be sent, go into one message.
CHUNK = 200
#: How long the platform may take for its decision on an application, seconds a question.
DECISION_S = 20.0
#: How long what others have to send is waited for before it is said.
SAY_WAITING_S = 5.0
_NOT_FOUND = 404
#: Answers that say nothing of a message, only that it cannot be taken at the moment.
_FOR_NOW = frozenset({408, 429, 502, 503, 504})
_KIND = "retransmit.requested"


@dataclass(slots=True)
class Answered:
    """How one request was answered."""

    request: str
    #: Entry ids that are new on the platform, and those that it had.
    resent: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    #: Entry id → why it could not be sent again.
    not_held: dict[str, str] = field(default_factory=dict)
    files: int = 0


@dataclass(slots=True)
class _Course:
    """How far a request is answered; one that is broken off is gone on with, and what was said is not said again."""

    told: Answered
    #: Files that the platform is known to have.
    files: set[str] = field(default_factory=set)
    #: Entries that are counted as resent or present.
    counted: set[str] = field(default_factory=set)
    has_shown: bool = False
    says_waiting: bool = False


class _Undecided(Exception):
    """The platform has not decided again on an application that had its code: what follows it has to wait."""


class Answerer:
    """Reads the change feed and answers what is asked there; for one thread.

    `book` holds what was sent, `receipts` what was acknowledged. `files` gives the bytes of a file that the book does not hold.
    `patience_s` bounds all waits of one request together, for entries that others have to send first and for decisions; it begins
    anew whenever something that was waited for has come, so that only those who send nothing at all are given up.
    """

    def __init__(
        self,
        client: Client,
        book: SentBook,
        receipts: ReceiptStore | ReceiptBook,
        *,
        files: Callable[[str], bytes | None] | None = None,
        patience_s: float = 300.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._book, self._receipts = client, book, receipts
        self._files = files or book.file_bytes
        self._patience_s, self._pause = patience_s, pause
        #: Entries of others that were waited for in vain: they are not waited for again.
        self._absent: set[str] = set()
        self._waits_until = 0.0
        #: How long an application's decision is waited for; little once one has not come.
        self._decision_s = DECISION_S
        #: Of requests that were broken off.
        self._courses: dict[str, _Course] = {}

    def answer(self) -> list[Answered]:
        """Look once, and answer every request that is new; the place in the feed is kept, so that a crash repeats at most one.

        Everything goes in order. Where a registration has to wait because the platform has not decided on its application yet, this look
        ends, and the next one goes on there, after a restart too; the platform decides within a day.

        Raises :class:`Unreachable` or :class:`Refused` when the platform cannot be asked; calling again goes on.
        """
        kept = self._book.place("changes")
        reached = after = self._start() if kept is None else kept
        done = []
        try:
            for item in self._client.changes(after):
                if item.get("kind") == _KIND and item.get("request"):
                    done.append(self._answer_one(str(item["entry"]), item["request"]))
                    self._book.note("changes", int(item["idx"]))
                reached = int(item["idx"])
        except _Undecided:
            pass
        finally:  # once for all that asked for nothing: years of them may come at the first look
            if reached != kept:
                self._book.note("changes", reached)
        return done

    def _start(self) -> int:
        """Where to begin in the feed: nothing is asked of a sender before its own first entry."""
        places = [place for each in self._receipts if (place := place_in(self._receipts.receipt(each)))]
        return position_of(*min(places)) - 1 if places else -1

    def _answer_one(self, request: str, asked: dict[str, Any]) -> Answered:
        course = self._courses.setdefault(request, _Course(Answered(request)))
        told, self._decision_s = course.told, DECISION_S
        told.not_held.clear()
        self._waits_until = time.monotonic() + self._patience_s
        lost = self._lost(asked)
        # Else no decision is lost either.
        has_lost = asked.get("entries") or asked.get("ranges") or asked.get("since")
        if has_lost and not course.has_shown:
            self._show_codes(request, set(lost))
            course.has_shown = True
        held = [each for entry in lost if (each := self._book.submission(entry)) is not None]
        for entry in set(lost) - {each.entry for each in held}:
            told.not_held[entry] = "本单位只留了回执，没有留内容"
        for file in self._files_of(held):
            if file.sha256 not in course.files:
                self._send_file(told, file)
                course.files.add(file.sha256)
        for digest in asked.get("files", []):
            self._send_named_file(told, str(digest))
        try:
            for each in sorted(held, key=lambda submission: submission.seq):
                self._send_again(course, each)
        except _Undecided:
            self._say_waiting(course)
            raise
        self._tell(told)
        del self._courses[request]
        return told

    # What is lost -------------------------------------------------------------------------------------

    def _lost(self, asked: dict[str, Any]) -> list[str]:
        """Our entries that the request is about: named, in its ranges, or found missing by asking for their receipts."""
        ranges = [msgspec.convert(each, LostRange) for each in asked.get("ranges", [])]
        since = datetime.fromisoformat(asked["since"]) if asked.get("since") else None
        found = {str(each): None for each in asked.get("entries", [])}
        for entry in self._receipts:
            text = self._receipts.receipt(entry)
            place = place_in(text)
            if place is None:
                continue
            if any(_holds(each, place) for each in ranges) or (
                since is not None and self._is_missing(text or "", since)
            ):
                found[entry] = None
        return list(found)

    def _is_missing(self, text: str, since: datetime) -> bool:
        leaf = Leaf.decode(parse_proof(text).extra)
        if leaf.logged_at < since:
            return False
        try:
            self._client.receipt(leaf.uid)
        except Refused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return True
        return False

    def _show_codes(self, request: str, lost: set[str]) -> None:
        """The codes that we were given and may not have registered on the platform as it is now, before anything is decided anew."""
        registered, applications = set(), []
        for entry in self._book.entries():
            submission = self._book.submission(entry)
            message = _parsed(submission)
            if isinstance(message, ReportRegistered) and entry not in lost and self._receipts.receipt(entry):
                registered.add(message.application)
            elif isinstance(message, ReportApplied) and submission is not None and submission.claims:
                applications.append(ShownCode(application=entry, claims=submission.claims))
        shown = [each for each in applications if each.application not in registered]
        for part in _chunks(shown) or [[]]:
            self._say(request, stage="begun", codes=part)

    def _files_of(self, lost: Sequence[Submission]) -> list[SentFile]:
        """The files that the lost messages name, and everything uploaded since the first of them was made."""
        if not lost:
            return []
        first = min(each.seq for each in lost)
        named = {digest for each in lost if (message := _parsed(each)) for digest in named_files(message)}
        files = {each.sha256: each for each in self._book.files(first)}
        files |= {digest: file for digest in named if (file := self._book.file(digest)) is not None}
        return sorted(files.values(), key=lambda file: file.seq)

    # Sending ------------------------------------------------------------------------------------------

    def _send_file(self, told: Answered, file: SentFile) -> None:
        """Announce a file; its bytes go only where the platform no longer has them. One of the days when nobody compared its type with
        its bytes goes as bytes: what was lost must come back."""
        try:
            self._send_file_as(told, file, file.media_type)
        except Refused as refusal:
            if refusal.slug != "file-type-mismatch":
                raise
            self._send_file_as(told, file, "application/octet-stream")

    def _send_named_file(self, told: Answered, sha256: str) -> None:
        """A file that is asked for by its hash: the platform's own copy is damaged."""
        file = self._book.file(sha256)
        if file is None and (data := self._files(sha256)) is not None:
            file = SentFile(sha256=sha256, seq=0, media_type="application/octet-stream", length=len(data))
        if file is not None:
            self._send_file(told, file)
        else:
            told.not_held[sha256[:32]] = f"文件 {sha256[:16]}… 本单位没有留存"

    def _send_file_as(self, told: Answered, file: SentFile, media_type: str) -> None:
        data = self._files(file.sha256)
        if data is None:
            if not self._client.announce(file.sha256, file.length, media_type):
                told.not_held[file.sha256[:32]] = f"文件 {file.sha256[:16]}… 本单位没有留存"
            return
        self._client.upload(data, media_type)
        told.files += 1

    def _send_again(self, course: _Course, submission: Submission) -> None:
        message, told = _parsed(submission), course.told
        if message is not None:
            self._await_others(message, course)
        try:
            if isinstance(message, ReportRegistered):
                self._await_code(message)
            if isinstance(message, ReportApplied):
                sent = self._decided(submission)
            else:
                sent = self._sent(submission)
        except Refused as refusal:
            if refusal.status in _FOR_NOW:  # says nothing of the message: the next look sends it
                raise
            told.not_held[submission.entry] = str(refusal)[:200] or "平台没有收下"
            return
        if submission.entry not in course.counted:
            course.counted.add(submission.entry)
            (told.present if sent.duplicate else told.resent).append(submission.entry)
        if course.says_waiting:  # others may count on what follows
            self._say(told.request, stage="begun", resent=len(told.resent), present=len(told.present))
            course.says_waiting = False

    def _sent(self, submission: Submission, *, wait_s: float | None = None) -> Sent:
        """The same bytes again. A key that has been replaced meanwhile signs anew, and a person whose records were destroyed stays so."""
        origin, personal = submission.origin, submission.personal
        while True:
            try:
                return self._client.send_bytes(
                    submission.message, origin=origin, personal=personal, wait_s=wait_s
                )
            except Refused as refusal:
                anew = self._signed_anew(submission.message)
                if refusal.slug in ("key-unknown", "key-revoked") and origin not in ([], anew):
                    origin = anew
                elif destroyed := _destroyed_in(refusal, personal):
                    for subject in {personal[number].subject for number in destroyed}:
                        self._book.forget_person(subject)
                    personal = [each for number, each in enumerate(personal) if number not in destroyed]
                else:
                    raise

    def _signed_anew(self, message: bytes) -> list[OriginSignature]:
        return [sign_origin(self._client.origin, message)] if self._client.origin else []

    def _await_others(self, message: Message, course: _Course) -> None:
        """Wait until what the message names and we did not send ourselves is on the platform. Who is waited for may wait for a decision
        that is not made while we seem to have something to send: so it is said that we wait."""
        for entry in named_entries(message):
            own = self._receipts.receipt(entry) is not None or self._book.submission(entry) is not None
            if own or entry in self._absent:
                continue
            asks_until = time.monotonic() + SAY_WAITING_S

            def is_there(name: str = entry, until: float = asks_until) -> bool:
                if self._client.has_entry(name):
                    return True
                if time.monotonic() > until:
                    self._say_waiting(course)
                return False

            if not self._until(is_there):
                self._absent.add(entry)

    def _decided(self, application: Submission) -> Sent:
        """An application again, with what the platform has decided on it by now."""
        sent = self._sent(application, wait_s=self._decision_s)
        if _is_undecided(sent):  # the platform waits for others: the following ones will not be faster
            self._decision_s = 1.0
        return sent

    def _await_code(self, message: ReportRegistered) -> None:
        """Wait until the application has its code again, which it had, or there would be no registration: one before that would be refused
        for ever. A withheld application may still be released, as it was before. Raises :class:`_Undecided`."""
        application = self._book.submission(message.application)
        if application is None:
            return
        held = application  # of this type in the function below

        def has_code() -> bool:
            sent = self._decided(held)
            if _is_undecided(sent):
                raise _Undecided
            return _has_code(sent)

        self._until(has_code)

    def _until(self, holds: Callable[[], bool]) -> bool:
        """Whether it held before the patience of this request was at its end; what came after a wait renews the patience."""
        pause_s, waited = 0.1, False
        while not holds():
            if time.monotonic() > self._waits_until:
                return False
            self._pause(pause_s)
            pause_s, waited = min(2.0, pause_s * 1.5), True
        if waited:
            self._waits_until = time.monotonic() + self._patience_s
        return True

    # Saying -------------------------------------------------------------------------------------------

    def _say_waiting(self, course: _Course) -> None:
        if not course.says_waiting:
            told = course.told
            self._say(told.request, stage="waiting", resent=len(told.resent), present=len(told.present))
            course.says_waiting = True

    def _tell(self, told: Answered) -> None:
        missing = [
            NoLongerHeld(entry=entry, because=why or "没有留存") for entry, why in told.not_held.items()
        ]
        parts = _chunks(missing) or [[]]
        for number, part in enumerate(parts):
            self._say(
                told.request,
                stage="done" if number == len(parts) - 1 else "begun",
                resent=len(told.resent),
                present=len(told.present),
                not_held=part,
            )

    def _say(self, request: str, **fields: Any) -> None:
        at = datetime.now(UTC)
        self._client.send(
            stamp(RetransmitAnswered, sender=self._client.sender, at=at, request=request, **fields)
        )


def _holds(lost: LostRange, place: tuple[int, int]) -> bool:
    return lost.epoch == place[0] and place[1] >= lost.first and (lost.end is None or place[1] < lost.end)


def place_in(receipt: str | None) -> tuple[int, int] | None:
    """(epoch, index) of a receipt; None for what is none."""
    if receipt is None:
        return None
    epoch = log_of(receipt).rpartition("/")[2]
    try:
        return (int(epoch), parse_proof(receipt).index) if epoch.isdigit() else None
    except ProofError:
        return None


def _has_code(sent: Sent) -> bool:
    """Whether the application has a code."""
    return bool(((sent.result or {}).get("decision") or {}).get("code"))


def _is_undecided(sent: Sent) -> bool:
    """Whether the platform has neither given nor withheld a code yet."""
    decision = (sent.result or {}).get("decision") or {}
    return not decision.get("code") and decision.get("state", "applied") in ("applied", "released")


def _parsed(submission: Submission | None) -> Message | None:
    try:
        return parse_message(submission.message) if submission else None
    except (msgspec.MsgspecError, ValueError):
        return None


def _destroyed_in(refusal: Refused, personal: Sequence[PersonalRecord]) -> set[int]:
    """Places of the records that the platform does not take any more, because the person's were destroyed."""
    pointers = [str(each.get("pointer", "")) for each in refusal.problem.get("errors") or []]
    places = {f"/personal/{number}": number for number in range(len(personal))}
    return {places[each] for each in pointers if refusal.slug == "personal-data" and each in places}


def _chunks(items: Sequence[Any]) -> list[list[Any]]:
    return [list(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
