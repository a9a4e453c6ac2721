"""A sender finds what the platform lost, changed or wrote anew, from its own receipts (回执对账)."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from plumbline.cli import main
from plumbline.evidence.checkpoint import Checkpoint, parse_verifier, sign_checkpoint
from plumbline.evidence.leaf import entry_id
from plumbline.evidence.note import encode_base64
from plumbline.evidence.proof import parse_proof
from plumbline.evidence.testing import InMemoryLog, make_cosigner, make_signer
from plumbline.sdk import receipts_command
from plumbline.sdk.client.receipt_check import Log, PlatformSilent, check_receipts
from plumbline.sdk.client.receipts import ReceiptBook, ReceiptStore, open_receipts

ORIGIN = "demo.log.test/1"
_CONSISTENCY = re.compile(r"/x/v1/log/1/consistency/(\d+)/(\d+)")


class Platform:
    """What the gateway answers, over an in-memory log; `hidden` entries are gone."""

    def __init__(self, log: InMemoryLog) -> None:
        self.log, self.hidden, self.busy = log, set[str](), 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.busy:
            self.busy -= 1
            return httpx.Response(429, headers={"Retry-After": "1"})
        if path == "/x/v1/checkpoint":
            return httpx.Response(200, text=self.log.checkpoint())
        if found := _CONSISTENCY.fullmatch(path):
            old, new = int(found[1]), int(found[2])
            if new > self.log.frontier.size:
                return httpx.Response(404)
            return httpx.Response(
                200, text="".join(f"{encode_base64(h)}\n" for h in self.log.consistency(old, new))
            )
        uid = path.rpartition("/")[2]
        index = next((n for n, leaf in enumerate(self.log.leaves) if str(leaf.uid) == uid), None)
        if index is None or uid in self.hidden:
            return httpx.Response(404)
        return httpx.Response(200, text=self.log.receipt(index))


def _kept(log: InMemoryLog, receipts: list[str]) -> list[tuple[str, str]]:
    found = []
    for text in receipts:
        leaf = log.leaves[parse_proof(text).index]
        found.append((entry_id(leaf.sender_id, leaf.uid).hex(), text))
    return found


def _check(platform: Platform, kept: list[tuple[str, str]], **options):
    http = httpx.Client(transport=httpx.MockTransport(platform.answer))
    log = Log("http://127.0.0.1", http, platform.log.verifiers, pause=lambda seconds: None)
    return check_receipts(kept, log, **options)


@pytest.fixture
def story() -> tuple[Platform, list[tuple[str, str]]]:
    """Five batches with receipts of four different heads, and entries after them."""
    log = InMemoryLog(ORIGIN)
    receipts = [text for count in (3, 1, 4, 2) for text in log.grow(count)]
    kept = _kept(log, receipts)
    log.grow(7)
    return Platform(log), kept


def test_everything_is_there(story) -> None:
    platform, kept = story
    platform.busy = 2
    report = _check(platform, kept)
    assert (report.faults, report.asked, report.heads) == ([], 10, 5)  # four of ours, and the one of today


def test_a_deleted_entry_is_named(story) -> None:
    platform, kept = story
    platform.hidden.add(str(platform.log.leaves[4].uid))
    (fault,) = _check(platform, kept).faults
    assert (fault.kind, fault.entry) == ("missing", kept[4][0])
    assert str(platform.log.leaves[4].uid) in fault.sentence


def _rebuilt() -> InMemoryLog:
    """The same key, another history from the fourth entry to the eighth, consistent in itself."""
    log = InMemoryLog(ORIGIN)
    log.grow(4)
    log.grow(4, "y")
    log.grow(9)
    return log


def test_a_history_rebuilt_with_the_same_key_is_found_by_whoever_holds_a_receipt(story) -> None:
    platform, kept = story
    platform.log = _rebuilt()
    report = _check(platform, kept)
    assert {fault.kind for fault in report.faults} == {"changed", "fork"}
    assert {each for each, _ in kept[4:8]} <= {fault.entry for fault in report.faults}
    # one that only ever sent the untouched entries still sees that the history behind them is another
    own = [pair for pair in kept if parse_proof(pair[1]).index == 8]
    (fault,) = _check(platform, own).faults
    assert fault.kind == "fork"
    assert "历史被改写" in fault.sentence


def test_a_log_that_went_back_is_found_even_where_our_entries_are_still_there(story) -> None:
    platform, kept = story
    early = [
        (entry, platform.log.receipt(0)) for entry, _ in kept[:1]
    ]  # a newer receipt of entry 0: 17 entries
    short = InMemoryLog(ORIGIN)
    for count in (3, 1, 4, 2):
        short.grow(count)
    platform.log = short
    (fault,) = _check(platform, early).faults
    assert fault.kind == "shorter"
    assert {each.kind for each in _check(platform, [*kept, *early]).faults} == {"shorter"}


def test_an_answer_of_another_fork_than_everybody_sees_is_found(story) -> None:
    platform, kept = story
    forked = _rebuilt()
    real, platform.log = platform.log, forked

    def two_faces(request: httpx.Request) -> httpx.Response:
        platform.log = real if request.url.path.startswith("/x/v1/receipts") else forked
        return Platform.answer(platform, request)

    http = httpx.Client(transport=httpx.MockTransport(two_faces))
    report = check_receipts(kept, Log("http://127.0.0.1", http, forked.verifiers))
    assert "fork" in {fault.kind for fault in report.faults}


def test_two_receipts_that_contradict_each_other_are_a_fork_that_needs_no_platform(story) -> None:
    platform, kept = story
    forked = _rebuilt()  # as large as ours is today
    report = _check(
        platform, [*kept, *_kept(forked, [forked.receipt(0)]), (kept[0][0], platform.log.receipt(0))]
    )
    assert "fork" in {fault.kind for fault in report.faults}


def test_a_spoilt_receipt_is_named_and_the_others_are_asked_all_the_same(story) -> None:
    platform, kept = story
    spoilt = kept[2][1].replace("index 2", "index 1")
    report = _check(platform, [*kept[:2], (kept[2][0], spoilt), *kept[3:]])
    assert [(fault.kind, fault.entry) for fault in report.faults] == [("receipt", kept[2][0])]
    assert report.asked == 9


def test_since_leaves_out_what_is_older_and_cosigned_receipts_are_counted(story) -> None:
    platform, kept = story
    platform.log.cosigners.append(make_cosigner("w/1", 7))
    at = platform.log.leaves[8].logged_at
    assert _check(platform, kept, since=at).asked == 2


@pytest.mark.parametrize("status", [500, 404])
def test_a_platform_that_does_not_answer_proves_nothing(story, status: int) -> None:
    platform, kept = story
    http = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(status)))
    with pytest.raises(PlatformSilent):
        check_receipts(kept, Log("http://127.0.0.1", http, platform.log.verifiers))


def test_another_key_proves_nothing(story) -> None:
    platform, kept = story
    http = httpx.Client(transport=httpx.MockTransport(platform.answer))
    with pytest.raises(PlatformSilent, match="没有您信任的日志密钥"):
        check_receipts(kept, Log("http://127.0.0.1", http, InMemoryLog(ORIGIN, seed=5).verifiers))


def test_an_epoch_that_ended_openly_tells_what_was_lost(story) -> None:
    """The platform says itself that it kept 4: what lies beyond is missing by name, the rest holds against the closing checkpoint."""
    platform, kept = story
    log, closing = platform.log, "demo.log.test/1-2"
    signer = make_signer(closing, 1)
    ended = InMemoryLog(ORIGIN)
    ended.grow(3)
    ended.grow(1)
    opened = InMemoryLog("demo.log.test/2")
    opened.grow(3)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/x/v1/checkpoint":
            return httpx.Response(200, text=opened.checkpoint())
        platform.log = ended
        got = Platform.answer(platform, request)
        if "/receipts/" in request.url.path and got.status_code == 200:
            note = sign_checkpoint(Checkpoint(closing, 4, ended.frontier.root()), [signer])
            return httpx.Response(200, text=got.text.partition("\n\n")[0] + "\n\n" + note)
        return got

    http = httpx.Client(transport=httpx.MockTransport(answer))
    verifiers = [*log.verifiers, *opened.verifiers, parse_verifier(signer.verifier_key())]
    report = check_receipts(kept, Log("http://127.0.0.1", http, verifiers))
    assert [fault.kind for fault in report.faults] == ["missing"] * 6
    assert any("只留下 4 条" in told for told in report.notes)


def _grown(*counts: int) -> InMemoryLog:
    log = InMemoryLog(ORIGIN)
    for count in counts:
        log.grow(count)
    return log


def test_an_ended_epoch_that_is_shown_at_a_smaller_cosigned_size_is_no_alarm(story) -> None:
    """After a new epoch the newest cosigned checkpoint of the former one may be older than what our receipts saw."""
    platform, kept = story
    cosigned, opened = _grown(3, 1, 4), InMemoryLog("demo.log.test/2")
    opened.grow(3)
    whole = platform.log

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/x/v1/checkpoint":
            return httpx.Response(200, text=opened.checkpoint())
        platform.log = whole if "/consistency/" in request.url.path else cosigned
        return Platform.answer(platform, request)

    log = Log(
        "http://127.0.0.1",
        httpx.Client(transport=httpx.MockTransport(answer)),
        [*whole.verifiers, *opened.verifiers],
    )
    early = [*kept[:3], (kept[0][0], whole.receipt(0))]  # seen at 3 and at 17 entries, shown at 8
    assert check_receipts(early, log).faults == []
    whole = _grown(3, 1, 4)
    report = check_receipts(early, log)
    assert report.faults == []
    assert any("没有留下您的回执见过的 17 条" in told for told in report.notes)
    early = [*kept[:3], (kept[0][0], _grown(3, 1, 4, 9).receipt(0))]
    whole = _grown(3, 1, 4, 2, 7)  # a proof of what it has now leads nowhere near what it signed for us
    assert [each.kind for each in check_receipts(early, log).faults] == ["fork"]


@pytest.mark.parametrize("make", [ReceiptStore, lambda path: ReceiptBook(path / "receipts.db")])
def test_what_is_kept_is_read_back_and_replaced_by_a_later_receipt(tmp_path: Path, make) -> None:
    store = make(tmp_path)
    first, second = "0" * 31 + "1", "0" * 31 + "2"
    store.keep(second, "b", b"m")
    store.keep(first, "a")
    store.keep(first, "newer")
    assert store.contradicted(first) == ["a"]  # neither can be read, so that neither says what the other says
    with pytest.raises(ValueError, match="not an entry id"):
        store.keep("../x", "a")
    if isinstance(store, ReceiptBook):
        store.close()
    again = open_receipts(tmp_path)
    assert list(again) == [first, second]
    assert (again.receipt(first), again.message(second), again.receipt("f" * 32)) == ("newer", b"m", None)
    if isinstance(again, ReceiptBook):
        again.close()


@pytest.mark.parametrize("make", [ReceiptStore, lambda path: ReceiptBook(path / "receipts.db")])
def test_a_receipt_that_contradicts_an_earlier_one_stands_beside_it_and_the_check_names_it(
    tmp_path: Path, story, make
) -> None:
    """The platform's key signed both: whoever has the two proves that the history was written anew."""
    platform, kept = story
    entry, first = kept[5]
    other = _rewritten(5)
    store = make(tmp_path)
    for text in (
        first,
        platform.log.receipt(5),
        other,
        other,
    ):  # a newer one that agrees leaves nothing behind
        store.keep(entry, text)
    assert (store.receipt(entry), store.contradicted(entry)) == (other, [platform.log.receipt(5)])
    report = _check(platform, list(store.kept()))
    assert "contradiction" in [each.kind for each in report.faults]
    assert any("两张矛盾的回执" in each.sentence and entry in each.sentence for each in report.faults)
    assert (
        len(report.faults) >= 2
    )  # and what the platform shows today is another history than the newer receipt's
    if isinstance(store, ReceiptBook):
        store.close()


def _rewritten(place: int) -> str:
    """What the same key signs for the same entry in another history."""
    other = InMemoryLog(ORIGIN)
    return other.grow(12, "another history")[place]


def test_an_entry_that_a_later_epoch_acknowledged_anew_is_a_note_and_no_alarm(story) -> None:
    platform, kept = story
    later = InMemoryLog("demo.log.test/2")
    anew = later.grow(6)[5]
    http = httpx.Client(transport=httpx.MockTransport(Platform(later).answer))
    log = Log("http://127.0.0.1", http, [*platform.log.verifiers, *later.verifiers])
    report = check_receipts([(kept[5][0], anew), kept[5]], log)
    assert report.faults == []
    assert any("后来在 demo.log.test/2 里重新确认" in told for told in report.notes)


def test_the_command_names_what_is_missing_and_ends_with_one(
    story, tmp_path: Path, monkeypatch, capsys
) -> None:
    platform, kept = story
    for entry, text in kept:
        ReceiptStore(tmp_path / "r").keep(entry, text)
    monkeypatch.setattr(
        receipts_command,
        "open_http",
        lambda url, ca: httpx.Client(transport=httpx.MockTransport(platform.answer)),
    )
    told = ["receipts", "check", str(tmp_path / "r"), "--url", "http://127.0.0.1"]
    key = ["--log-key", platform.log.signer.verifier_key()]
    assert main([*told, *key]) == 0
    assert "原位原样" in capsys.readouterr().out
    platform.hidden.add(str(platform.log.leaves[0].uid))
    assert main([*told, *key]) == 1
    assert kept[0][0] in capsys.readouterr().out
    assert main(told) == 2
    assert main(["receipts", "check", str(tmp_path / "nothing"), "--url", "http://127.0.0.1", *key]) == 2


@pytest.mark.parametrize(("synced", "level"), [(True, 2), (False, 1)])
def test_a_receipt_is_on_the_disk_before_it_counts_unless_it_can_be_had_again(
    tmp_path: Path, synced: bool, level: int
) -> None:
    book = ReceiptBook(tmp_path / "receipts.db", synced=synced)
    assert book._db.execute("PRAGMA synchronous").fetchone() == (level,)
    book.close()
