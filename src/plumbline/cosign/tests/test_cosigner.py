"""What a cosigner answers, refuses and never forgets (联署方)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plumbline.cosign.cosigner import Cosigner, Refused, initialise, trust
from plumbline.cosign.keys import KEY_FILES, CosignerProblem
from plumbline.cosign.state import FAILPOINTS, Cosigned, StateFolder
from plumbline.evidence.checkpoint import open_checkpoint, parse_verifier
from plumbline.evidence.gm.sm2 import Sm2PrivateKey
from plumbline.evidence.note import NoteError
from plumbline.evidence.testing import InMemoryLog, make_sm2_signer
from plumbline.evidence.witnessing import SIZE_TYPE, format_request, parse_request, parse_size

ORIGIN = "demo.log.test"
NOW = 1_767_225_700.0


def _log(seed: int = 1, text: str = "m") -> InMemoryLog:
    log = InMemoryLog(ORIGIN, seed=seed)
    log.grow(5, text)
    return log


def _request(log: InMemoryLog, old: int, path: list[bytes] | None = None) -> bytes:
    size = log.frontier.size
    found = log.consistency(old, size) if path is None and old <= size else path or []
    return format_request(old, found, log.checkpoint())


@pytest.fixture(params=[("ed25519",), ("sm2",), ("ed25519", "sm2")], ids="+".join)
def algorithms(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Whatever keys a cosigner has, it refuses and remembers the same."""
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def folder(tmp_path: Path, algorithms: tuple[str, ...]) -> Path:
    made = tmp_path / "cosigner"
    key = InMemoryLog(ORIGIN).signer.verifier_key()
    initialise(made, name="witness.example/1", trust_domain="某大学", log_keys=[key], algorithms=algorithms)
    return made


def _refused(cosigner: Cosigner, body: bytes) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        cosigner.add(body)
    return caught.value.status, str(caught.value)


def test_a_growing_log_is_cosigned_and_the_signature_is_kept_before_it_is_answered(
    folder: Path, algorithms: tuple[str, ...]
) -> None:
    log, cosigner = _log(), Cosigner(folder, clock=lambda: NOW)
    trusted = [*log.verifiers, *map(parse_verifier, cosigner.verifier_keys)]
    for old in (0, 5, 12):
        line = cosigner.add(_request(log, old))
        opened = open_checkpoint(log.checkpoint() + line, trusted)
        assert [(each.name, each.at.timestamp(), each.algorithm) for each in opened.cosigned_by] == [
            ("witness.example/1", NOW, algorithm) for algorithm in algorithms
        ]
        kept = Cosigner(folder).head(ORIGIN)
        assert kept is not None
        assert (kept.size, kept.root) == (log.frontier.size, log.frontier.root())
        assert open_checkpoint(kept.note, trusted).cosigned_by == opened.cosigned_by
        assert cosigner.add(_request(log, log.frontier.size))  # the same head again
        log.grow(7)


def test_every_refusal_has_the_status_of_the_protocol(folder: Path) -> None:
    log, cosigner = _log(), Cosigner(folder)
    cosigner.add(_request(log, 0))
    log.grow(3)
    other = InMemoryLog("demo.other")
    other.grow(3)
    assert _refused(cosigner, _request(other, 0))[0] == 404
    stranger = _log(seed=9)
    assert _refused(cosigner, _request(stranger, 5))[0] == 403
    spoilt = _request(log, 5).replace(b"\n8\n", b"\n9\n")
    assert _refused(cosigner, spoilt)[0] == 403
    assert _refused(cosigner, _request(log, 9))[0] == 400
    for body in (
        b"",
        b"old 05\n\nx",
        b"old 5\nAAAA\n\n" + log.checkpoint().encode(),
        b"old 5\n\nno note",
        b"\xff",
    ):
        assert _refused(cosigner, body)[0] == 400
    status, told = _refused(cosigner, _request(log, 0))
    assert (status, parse_size(told)) == (409, 5)
    assert _refused(cosigner, _request(log, 5, []))[0] == 422
    assert _refused(cosigner, _request(log, 5, [bytes(32)] * 4))[0] == 422
    assert _refused(cosigner, format_request(5, log.consistency(5, 8)[:-1], log.checkpoint()))[0] == 422
    assert cosigner.add(_request(log, 5))


def test_a_smaller_tree_or_another_history_is_never_cosigned_and_the_log_s_own_words_are_kept(
    folder: Path,
) -> None:
    log, forked, cosigner = _log(), _log(text="x"), Cosigner(folder)
    small = _request(log, 0)
    cosigner.add(small)
    log.grow(3)
    cosigner.add(_request(log, 5))
    assert _refused(cosigner, small) == (409, "8\n")
    assert _refused(cosigner, _request(forked, 5))[0] == 409
    forked.grow(3, "y")
    assert _refused(cosigner, _request(forked, 8)) == (409, "8\n")  # same size, another root
    forked.grow(1)
    assert _refused(cosigner, _request(forked, 8))[0] == 422
    kept = sorted((folder / "contradictions").iterdir())
    assert [path.name.partition("-")[0] for path in kept] == ["fork", "unproven"]
    told = [json.loads(path.read_text("utf-8")) for path in kept]
    assert [each["shown"].split("\n")[1] for each in told] == ["8", "9"]
    assert all(each["cosigned"].split("\n")[1] == "8" for each in told)


def test_a_lost_or_damaged_memory_stops_the_cosigner_until_it_has_a_new_key(folder: Path) -> None:
    log, cosigner = _log(), Cosigner(folder)
    cosigner.add(_request(log, 0))
    former, path = cosigner.verifier_keys, StateFolder(folder / "state").path(ORIGIN)
    whole = path.read_bytes()
    for spoilt in (None, whole[:-5], whole.replace(b'"size": 5', b'"size": 0'), b""):
        path.unlink() if spoilt is None else path.write_bytes(spoilt)
        with pytest.raises(CosignerProblem, match="--new-key"):
            Cosigner(folder)
        assert _refused(cosigner, _request(log, 0))[0] == 503
    key = log.signer.verifier_key()
    with pytest.raises(CosignerProblem, match="已经有联署方"):
        initialise(folder, name="witness.example/1", trust_domain="某大学", log_keys=[key])
    initialise(folder, name="witness.example/1", trust_domain="某大学", log_keys=[key], new_key=True)
    renewed = Cosigner(folder)
    assert not {*renewed.verifier_keys} & {*former}
    assert renewed.add(_request(log, 0))
    path.write_bytes(whole)
    shutil.rmtree(folder / "state")
    with pytest.raises(CosignerProblem, match="--new-key"):
        Cosigner(folder)


def test_a_process_that_still_runs_with_a_retired_key_signs_nothing_more(folder: Path) -> None:
    log, forked, running = _log(), _log(text="x"), Cosigner(folder)
    running.add(_request(log, 0))
    key = log.signer.verifier_key()
    initialise(folder, name="witness.example/1", trust_domain="某大学", log_keys=[key], new_key=True)
    assert _refused(running, _request(forked, 0))[0] == 503
    assert Cosigner(folder).add(_request(log, 0))


def test_nothing_is_shown_that_the_disk_may_still_forget(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, cosigner = _log(), Cosigner(folder, failpoint=_die_after_rename)
    with pytest.raises(_Crash):
        cosigner.add(_request(log, 0))
    with monkeypatch.context() as broken:
        broken.setattr("plumbline.cosign.state.os.fsync", _no_disk)
        with pytest.raises(OSError, match="disk"):
            cosigner.heads()
    assert cosigner.heads()[0].size == 5


def _die_after_rename(at: str) -> None:
    if at == "state.renamed":
        raise _Crash


def test_a_stranger_s_bad_proofs_leave_room_for_the_log_s_own_contradiction(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.cosign.cosigner.MAX_CONTRADICTIONS", 1)
    log, forked, cosigner = _log(), _log(text="x"), Cosigner(folder)
    cosigner.add(_request(log, 0))
    for _ in range(2):
        log.grow(1)
        assert _refused(cosigner, _request(log, 5, [bytes(32)]))[0] == 422
    assert (
        _refused(cosigner, _request(forked, 0))[0] == 409
    )  # the fork need not know the size to convict itself
    kept = sorted(path.name.partition("-")[0] for path in (folder / "contradictions").iterdir())
    assert kept == ["fork", "unproven"]


class _Crash(Exception):
    pass


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_crash_at_any_step_never_lets_two_histories_be_cosigned(folder: Path, name: str) -> None:
    """Sunlight's matrix: after each step, persisted or not, the next start knows at least what could have been answered."""

    def crash(at: str) -> None:
        if at == name:
            raise _Crash

    log, forked = _log(), _log(text="x")
    with pytest.raises(_Crash):
        Cosigner(folder, failpoint=crash).add(_request(log, 0))
    again = Cosigner(folder)
    kept = again.head(ORIGIN)
    assert kept is not None
    assert kept.size == (5 if name in ("state.renamed", "state.folder_synced") else 0)
    again.add(_request(log, kept.size))
    forked.grow(4)
    assert _refused(again, _request(forked, 5))[0] == 422


def test_the_answer_leaves_only_after_the_memory_is_durable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, cosigner = _log(), Cosigner(folder)
    monkeypatch.setattr("plumbline.cosign.state.os.fsync", _no_disk)
    with pytest.raises(OSError, match="disk"):
        cosigner.add(_request(log, 0))


def _no_disk(_descriptor: int) -> None:
    raise OSError("disk full")


def test_a_clock_that_stepped_back_stops_cosigning_and_a_small_step_keeps_the_time(folder: Path) -> None:
    log, now = _log(), [NOW]
    cosigner = Cosigner(folder, clock=lambda: now[0])
    cosigner.add(_request(log, 0))
    now[0] = NOW - 30
    cosigner.add(_request(log, 5))
    kept = cosigner.head(ORIGIN)
    assert kept is not None
    assert kept.at == NOW
    now[0] = NOW - 3600
    assert _refused(cosigner, _request(log, 5))[0] == 503


def test_a_new_epoch_is_followed_only_when_the_operator_says_so(folder: Path) -> None:
    second = InMemoryLog(f"{ORIGIN}/2")
    second.grow(2)
    running = Cosigner(folder)
    assert _refused(running, _request(second, 0))[0] == 404
    assert trust(folder, [second.signer.verifier_key()]) == [f"{ORIGIN}/2"]
    assert trust(folder, [make_sm2_signer(f"{ORIGIN}/2", 3).verifier_key()]) == []
    assert running.add(_request(second, 0))  # a process that runs takes it up
    with pytest.raises(NoteError):
        trust(folder, [Cosigner(folder).verifier_keys[0]])


def test_a_key_that_is_gone_added_or_damaged_stops_the_cosigner(tmp_path: Path) -> None:
    """One memory speaks of both keys: it is not taken for that of one of them."""
    folder, key = tmp_path / "both", InMemoryLog(ORIGIN).signer.verifier_key()
    told = {"name": "w/1", "trust_domain": "某大学", "log_keys": [key]}
    initialise(folder, **told, algorithms=("ed25519", "sm2"))  # type: ignore[arg-type]
    national = (folder / KEY_FILES["sm2"]).read_bytes()
    (folder / KEY_FILES["sm2"]).unlink()
    with pytest.raises(CosignerProblem, match="另一把密钥"):
        Cosigner(folder)
    (folder / KEY_FILES["sm2"]).write_bytes(Sm2PrivateKey.generate().to_pem().encode())
    with pytest.raises(CosignerProblem, match="另一把密钥"):
        Cosigner(folder)
    for spoilt in (national[:-40], (folder / KEY_FILES["ed25519"]).read_bytes(), b"\xff"):
        (folder / KEY_FILES["sm2"]).write_bytes(spoilt)
        with pytest.raises(CosignerProblem, match=r"key-sm2\.pem 不是 SM2 私钥"):
            Cosigner(folder)
    (folder / KEY_FILES["sm2"]).write_bytes(national)
    assert len(Cosigner(folder).verifier_keys) == 2
    initialise(folder, **told, algorithms=("sm2",), new_key=True)  # type: ignore[arg-type]
    assert not (folder / KEY_FILES["ed25519"]).exists()
    assert {each.name for each in (folder / "retired-1").glob("*.pem")} == {*KEY_FILES.values()}
    for wrong in ((), ("rsa",)):
        with pytest.raises(CosignerProblem, match="算法"):
            initialise(tmp_path / "x", **told, algorithms=wrong)  # type: ignore[arg-type]
    with pytest.raises(CosignerProblem, match="日志的名称"):
        initialise(tmp_path / "x", **told | {"name": ORIGIN})  # type: ignore[arg-type]


def test_requests_and_states_are_read_back_as_they_were_written() -> None:
    path = tuple(bytes([n]) * 32 for n in range(63))
    read = parse_request(format_request(7, path, "text\n\n— a AAAAAAA=\n"))
    assert (read.old, read.path, read.note) == (7, path, "text\n\n— a AAAAAAA=\n")
    with pytest.raises(ValueError, match="cannot stand"):
        format_request(7, [*path, bytes(32)], "")
    state = Cosigned("a/1", 3, bytes(32), 9, "note\n")
    assert Cosigned.decode(state.encode()) == state
    assert SIZE_TYPE == "text/x.tlog.size"
    for text in ("05\n", "5", "", "-1\n", "\uff19\n"):
        with pytest.raises(NoteError):
            parse_size(text)
