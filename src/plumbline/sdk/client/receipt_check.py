"""Asking the platform for what it has acknowledged (回执对账): every kept receipt against the log as it is today.

Nobody but the sender can do this: a platform that deletes, moves or rewrites what it acknowledged, or that is restored and continues as
if nothing had happened, contradicts the receipts that the sender keeps, and its own signature under them proves it to anybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from plumbline.evidence.checkpoint import Checkpoint, NoteError, NoteVerifier, open_checkpoint
from plumbline.evidence.note import decode_base64
from plumbline.evidence.paths import verify_consistency
from plumbline.evidence.proof import ProofError, parse_proof
from plumbline.evidence.receipt import ReceiptCheck, verify_receipt
from plumbline.sdk.client.transport import retry_after_s

_TRIES = 8


class PlatformSilent(RuntimeError):
    """The platform does not answer, or not with what was asked for: nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One contradiction between what was acknowledged and what is there."""

    #: missing, moved, changed, fork, shorter, receipt, contradiction.
    kind: str
    #: Entry id of a kept receipt, empty for a fault of the whole log.
    entry: str
    sentence: str


@dataclass(slots=True)
class Report:
    """What a check found."""

    asked: int = 0
    heads: int = 0
    cosigned: int = 0
    #: Entry ids that an earlier epoch acknowledged, that were lost in a restore, and that stand in a later epoch now.
    resent: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Log:
    """The platform's public log over HTTP. No answer is believed but what a trusted key has signed or a proof shows."""

    def __init__(
        self,
        base_url: str,
        http: httpx.Client,
        verifiers: Sequence[NoteVerifier],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.verifiers = list(verifiers)
        self._url, self._http, self._pause = base_url.rstrip("/"), http, pause

    def newest(self) -> Checkpoint:
        """The newest checkpoint."""
        answer = self._get("/x/v1/checkpoint")
        try:
            return open_checkpoint(self._text(answer), self.verifiers).checkpoint
        except NoteError as error:
            raise PlatformSilent(f"平台的检查点没有您信任的日志密钥签名：{error}") from error

    def receipt(self, sender: bytes, uid: object) -> str | None:
        """The receipt of an entry as the platform gives it today; None when it says that it has none."""
        answer = self._get(f"/x/v1/receipts/{sender.hex()}/{uid}", {"Accept": "text/plain"})
        return None if answer.status_code == 404 else self._text(answer)

    def consistency(self, epoch: str, old: int, new: int) -> list[bytes] | None:
        """The proof between two sizes; None when the platform gives none."""
        if old == new:
            return []
        answer = self._get(f"/x/v1/log/{epoch}/consistency/{old}/{new}")
        if answer.status_code == 404:
            return None
        try:
            return [decode_base64(line) for line in self._text(answer).splitlines()]
        except NoteError:
            return None

    def _text(self, answer: httpx.Response) -> str:
        if answer.status_code != 200:
            raise PlatformSilent(f"平台答复 {answer.status_code}，没有查成")
        return answer.text

    def _get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        for attempt in range(_TRIES):
            try:
                answer = self._http.get(self._url + path, headers=headers)
            except httpx.HTTPError as error:
                raise PlatformSilent(f"平台没有答复（{type(error).__name__}）") from error
            if answer.status_code not in (429, 503) or attempt == _TRIES - 1:
                break
            self._pause(min(60.0, retry_after_s(answer) or 0.5))
        return answer


def check_receipts(kept: Iterable[tuple[str, str]], log: Log, *, since: datetime | None = None) -> Report:
    """Ask for every kept receipt (entry id, text), or for those logged since an instant; raises :class:`PlatformSilent`.

    A second receipt of the same entry, right behind the first, is compared with it; the platform is asked for the first.
    """
    report, newest = Report(), log.newest()
    points: dict[tuple[str, int], tuple[bytes, str]] = {}
    today: dict[str, Checkpoint] = {newest.origin: newest}
    before: tuple[str, ReceiptCheck] | None = None
    for entry, text in kept:
        ours = verify_receipt(text, log.verifiers)
        if not ours.ok or ours.leaf is None or ours.checkpoint is None or ours.index is None:
            said = ours.failure.sentence_zh if ours.failure else ""
            _fault(report, "receipt", entry, f"{entry}：留存的回执本身不成立，{said}")
            continue
        if since is not None and ours.leaf.logged_at < since:
            continue
        report.asked += 1
        report.cosigned += bool(ours.cosigned_by)
        _take_point(report, points, ours.checkpoint, entry)
        if before is not None and before[0] == entry:
            _compare_two(report, entry, before[1], ours)
            continue
        before = entry, ours
        theirs = _ask(report, log, entry, ours, today)
        if theirs is not None:
            # What it shows for this entry must be of the same history as what it shows to everybody.
            _take_point(report, points, theirs, entry)
    report.heads = len(points)
    for (origin, size), (root, entry) in sorted(points.items()):
        point = Checkpoint(origin, size, root)
        now = today.get(_log_of(origin))
        if now is not None and size > now.size and now.origin == _log_of(origin) != newest.origin:
            _compare_ended(report, log, point, entry, now)
        else:
            _compare(report, log, point, entry, today)
    return report


def _fault(report: Report, kind: str, entry: str, sentence: str) -> None:
    report.faults.append(Fault(kind=kind, entry=entry, sentence=sentence))


def _take_point(
    report: Report, points: dict[tuple[str, int], tuple[bytes, str]], point: Checkpoint, entry: str
) -> None:
    """The log's heads that our receipts hold: two roots of one size are a fork that needs no platform to be seen."""
    root, first = points.setdefault((point.origin, point.size), (point.root, entry))
    if root != point.root:
        sentence = (
            f"{first} 与 {entry} 的回执在 {point.size} 条处有两个根：日志分了叉，请保存这两份回执并举报"
        )
        _fault(report, "fork", entry, sentence)


def _compare_two(report: Report, entry: str, newer: ReceiptCheck, earlier: ReceiptCheck) -> None:
    """Two receipts of one entry. In one epoch it has one place and one time; a later epoch may have acknowledged it anew."""
    assert newer.leaf is not None
    assert earlier.leaf is not None
    if _log_of(_origin(newer)) != _log_of(_origin(earlier)):
        report.notes.append(
            f"{entry}：{_log_of(_origin(earlier))} 里确认过，后来在 {_log_of(_origin(newer))} 里重新确认；两张回执都留着"
        )
    elif (newer.leaf, newer.index) != (earlier.leaf, earlier.index):
        told = f"第 {earlier.index} 条（{earlier.leaf.logged_at.isoformat()}）与第 {newer.index} 条（{newer.leaf.logged_at.isoformat()}）"
        sentence = f"{entry} 有两张矛盾的回执：{told}，都有平台的签名：日志被重写过，请保存这两份回执并举报"
        _fault(report, "contradiction", entry, sentence)


def _ask(
    report: Report, log: Log, entry: str, ours: ReceiptCheck, today: dict[str, Checkpoint]
) -> Checkpoint | None:
    """The checkpoint with which the platform proves the entry today, None when it does not."""
    leaf = ours.leaf
    assert leaf is not None
    place = f"{entry}（uid {leaf.uid}，第 {ours.index} 条）"
    text = log.receipt(leaf.sender_id, leaf.uid)
    if text is None:
        _fault(report, "missing", entry, f"{place}：平台说没有这一条，而您手里有它签的回执")
        return None
    theirs = verify_receipt(text, log.verifiers, sender_id=leaf.sender_id, uid=leaf.uid)
    if not theirs.ok or theirs.checkpoint is None:
        said = theirs.failure.sentence_zh if theirs.failure else ""
        _fault(report, "changed", entry, f"{place}：平台现在给的回执不成立，{said}")
        return None
    if _is_resent(log, ours, theirs):
        report.resent.append(entry)
    elif _bytes_of(text) != leaf.encode():
        _fault(report, "changed", entry, f"{place}：平台现在的条目与回执里的不同，内容或时间被改过")
    elif theirs.index != ours.index or _log_of(theirs.checkpoint.origin) != _log_of(_origin(ours)):
        _fault(report, "moved", entry, f"{place}：现在在第 {theirs.index} 条，序号变了，日志被重新写过")
    known = today.get(_log_of(theirs.checkpoint.origin))
    if known is None or known.size < theirs.checkpoint.size:
        today[_log_of(theirs.checkpoint.origin)] = theirs.checkpoint
    return theirs.checkpoint


def _is_resent(log: Log, ours: ReceiptCheck, theirs: ReceiptCheck) -> bool:
    """Whether our receipt's epoch ended before the entry, and a later one holds the same message of the same sender. A platform that
    still proves the earlier epoch up to the entry has not lost it: then the entry stands twice, which is a fault."""
    assert ours.leaf is not None
    assert theirs.leaf is not None
    assert ours.index is not None
    was, now = epoch_of(_origin(ours)), epoch_of(_origin(theirs))
    same = ours.leaf.message_sha256 == theirs.leaf.message_sha256
    if not (was and now and was < now and same):
        return False
    return log.consistency(str(was), 1, ours.index + 1) is None if ours.index else _ended_empty(log, was)


def _ended_empty(log: Log, epoch: int) -> bool:
    return log.consistency(str(epoch), 1, 2) is None


def epoch_of(origin: str) -> int:
    """The epoch in an origin line, also of a closing; 0 where there is none."""
    text = _log_of(origin).rpartition("/")[2]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _compare(report: Report, log: Log, ours: Checkpoint, entry: str, today: dict[str, Checkpoint]) -> None:
    """Whether the log of today has grown out of a head that one of our receipts holds."""
    now = today.get(_log_of(ours.origin))
    if now is None:
        report.notes.append(
            f"{_log_of(ours.origin)} 的 {ours.size} 条：平台没有给出这一期的任何检查点，没有比对"
        )
        return
    epoch = _log_of(ours.origin).rpartition("/")[2]
    if ours.size > now.size:
        if now.origin != _log_of(ours.origin):
            told = f"{now.origin}：平台公开说这一期只留下 {now.size} 条，您的回执见过 {ours.size} 条；缺的已逐条列出，请原编号重报"
            report.notes.append(told)
            return
        sentence = (
            f"您的回执（{entry}）见过 {ours.size} 条，平台现在只有 {now.size} 条：日志变短了，被恢复到了以前"
        )
        _fault(report, "shorter", entry, sentence)
        return
    proof = log.consistency(epoch, ours.size, now.size)
    if proof is None or not verify_consistency(ours.size, now.size, proof, ours.root, now.root):
        sentence = f"您的回执（{entry}）里 {ours.size} 条的日志不是平台现在 {now.size} 条的开头：历史被改写，请保存回执并举报"
        _fault(report, "fork", entry, sentence)


def _compare_ended(report: Report, log: Log, ours: Checkpoint, entry: str, known: Checkpoint) -> None:
    """A head of an epoch that has ended: what the platform showed of it may be a cosigned checkpoint that is smaller than what was kept."""
    proof = log.consistency(_log_of(ours.origin).rpartition("/")[2], known.size, ours.size)
    if proof is None:
        told = f"{_log_of(ours.origin)}：这一期已经结束，平台没有留下您的回执见过的 {ours.size} 条；缺的已逐条列出，请原编号重报"
        if told not in report.notes:
            report.notes.append(told)
    elif not verify_consistency(known.size, ours.size, proof, known.root, ours.root):
        sentence = f"您的回执（{entry}）里 {ours.size} 条的日志不是从平台现在出示的 {known.size} 条长出来的：历史被改写，请保存回执并举报"
        _fault(report, "fork", entry, sentence)


def _origin(check: ReceiptCheck) -> str:
    assert check.checkpoint is not None
    return check.checkpoint.origin


def _log_of(origin: str) -> str:
    """The epoch's log of an origin line: `base/1` of both `base/1` and its closing `base/1-2`."""
    base, _, epoch = origin.rpartition("/")
    return f"{base}/{epoch.partition('-')[0]}" if base else origin


def _bytes_of(text: str) -> bytes:
    try:
        return parse_proof(text).extra
    except ProofError:
        return b""
