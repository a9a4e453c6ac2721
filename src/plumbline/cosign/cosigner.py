"""The cosigner itself (联署): which logs it follows, what it answers, when it refuses. Time and disk are the caller's."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from plumbline.cosign.keys import KEY_FILES, CosignerKeys, CosignerProblem
from plumbline.cosign.state import Cosigned, StateFolder, StateLost, require_line, sync_folder, write_durably
from plumbline.evidence.checkpoint import Checkpoint, open_checkpoint, parse_note, parse_verifier
from plumbline.evidence.note import NoteError, NoteVerifier, add_signatures
from plumbline.evidence.paths import verify_consistency
from plumbline.evidence.tree import EMPTY_ROOT
from plumbline.evidence.witnessing import SIZE_TYPE, AddCheckpoint, parse_request

SETTINGS = "cosigner.json"
#: Requests that a log signed and that contradict what was cosigned: proof against the log, kept up to this many.
MAX_CONTRADICTIONS = 100
#: A clock that stepped back by more than this many seconds stops cosigning.
CLOCK_BACK_S = 60


class Refused(Exception):
    """A request is not cosigned; the status is the one that C2SP tlog-witness asks for."""

    def __init__(self, status: int, text: str, media_type: str = "text/plain; charset=utf-8") -> None:
        super().__init__(text)
        self.status, self.media_type = status, media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``cosigner.json``: who this cosigner is, and the keys of each log that it follows, by origin."""

    name: str
    trust_domain: str
    logs: dict[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Settings of a folder; raises :class:`CosignerProblem`."""
        try:
            told = json.loads((folder / SETTINGS).read_text("utf-8"))
            name, domain, logs = told["name"], told["trust_domain"], told["logs"]
            if not (_are_texts([name, domain, *logs]) and all(_are_texts(each) for each in logs.values())):
                raise TypeError("names and keys are texts")
            return cls(name=name, trust_domain=domain, logs=logs)
        except FileNotFoundError as error:
            raise CosignerProblem(f"{folder} 里没有联署方，请先执行 plumbline cosign init") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CosignerProblem(f"{folder / SETTINGS} 读不懂：请从备份恢复这个文件") from error

    def write(self, folder: Path) -> None:
        """Durably."""
        told = {"name": self.name, "trust_domain": self.trust_domain, "logs": self.logs}
        write_durably(folder / SETTINGS, (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())


def _are_texts(told: object) -> bool:
    return isinstance(told, list) and all(isinstance(each, str) for each in told)


def initialise(
    folder: Path,
    *,
    name: str,
    trust_domain: str,
    log_keys: Iterable[str],
    algorithms: Sequence[str] = ("ed25519",),
    new_key: bool = False,
) -> None:
    """Make a cosigner, or with ``new_key`` give one whose memory is lost another key; the old key is kept aside and never used again.

    ``algorithms``: one key for each, of ``KEY_FILES``. One memory speaks of all keys, and every cosignature is made with all of them.
    """
    settings = Settings(
        name=name, trust_domain=require_line(trust_domain, "信任域"), logs=_by_origin(log_keys)
    )
    if (folder / SETTINGS).exists() and not new_key:
        raise CosignerProblem(
            "这里已经有联署方：加日志用 plumbline cosign trust；联署记录丢失时用 init --new-key 换密钥"
        )
    if settings.name in settings.logs:
        raise CosignerProblem(f"名称 {name} 是日志的名称：联署方要有自己的名称，如 witness.example/1")
    keys = CosignerKeys.generate(algorithms)
    vkeys = keys.verifier_keys(settings.name)  # the name must be able to stand in a signature line
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if new_key:
        _retire(folder)
    states = StateFolder(folder / "state", key=_as_one(vkeys))
    for origin in settings.logs:
        states.create(origin)
    keys.write(folder)
    settings.write(folder)


def _as_one(vkeys: Iterable[str]) -> str:
    """The keys of which a memory speaks; a vkey holds no space."""
    return " ".join(vkeys)


def _retire(folder: Path) -> None:
    """Move key and memory aside: what the old key signed stays with it."""
    number = next(n for n in range(1, 10_000) if not (folder / f"retired-{n}").exists())
    aside = folder / f"retired-{number}"
    aside.mkdir(mode=0o700)
    states = folder / "state"
    with StateFolder(states).locked() if states.is_dir() else contextlib.nullcontext():
        for name in (*KEY_FILES.values(), "state", SETTINGS):
            if (folder / name).exists():
                os.rename(folder / name, aside / name)
        sync_folder(folder)


def trust(folder: Path, log_keys: Iterable[str]) -> list[str]:
    """Follow further logs, or accept a further key of one; returns the origins that are new. A new epoch of a log is a log of its own."""
    settings, added = Settings.read(folder), []
    states = StateFolder(
        folder / "state", key=_as_one(CosignerKeys.read(folder).verifier_keys(settings.name))
    )
    logs = dict(settings.logs)
    for origin, keys in _by_origin(log_keys).items():
        if origin not in logs:
            added.append(origin)
            if not states.path(origin).exists():
                states.create(origin)
        logs[origin] = list(dict.fromkeys([*logs.get(origin, []), *keys]))
    Settings(name=settings.name, trust_domain=settings.trust_domain, logs=logs).write(folder)
    return added


def _by_origin(log_keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in log_keys:
        verifier = parse_verifier(each)
        if verifier.is_cosigner:
            raise NoteError("这是联署方的公钥，不是日志的公钥")
        found.setdefault(verifier.name, []).append(each.strip())
    return found


def _verifiers_of(settings: Settings) -> dict[str, list[NoteVerifier]]:
    return {origin: [parse_verifier(each) for each in keys] for origin, keys in settings.logs.items()}


class Cosigner:
    """A cosigner that is ready to answer. Any number of threads and processes may share the folder."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        failpoint: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Raises :class:`CosignerProblem` when the folder is none, or when a memory is lost."""
        self.folder, self.settings = folder, Settings.read(folder)
        self._clock, self._keys = clock, CosignerKeys.read(folder)
        self._states = StateFolder(folder / "state", key=_as_one(self.verifier_keys), failpoint=failpoint)
        self._verifiers = _verifiers_of(self.settings)
        try:
            self.heads()
        except StateLost as lost:
            raise CosignerProblem(
                f"{lost}：没有人知道这把密钥签过什么，不能再用。请执行 plumbline cosign init --new-key 换一把新密钥，"
                "并把新公钥告诉各个平台和核验的人"
            ) from lost

    @property
    def verifier_keys(self) -> tuple[str, ...]:
        """The vkeys that platforms and verifiers put on their lists, one for each algorithm."""
        return self._keys.verifier_keys(self.settings.name)

    def heads(self) -> list[Cosigned]:
        """What was cosigned last and cannot be forgotten any more, of every log; raises :class:`StateLost`."""
        return [self._states.read_durable(origin) for origin in self.settings.logs]

    def head(self, origin: str) -> Cosigned | None:
        """What was cosigned last of one log; None for a log that is not followed."""
        return self._states.read_durable(origin) if origin in self.settings.logs else None

    def reload(self) -> None:
        """Take up what `plumbline cosign trust` added meanwhile."""
        settings = Settings.read(self.folder)
        if settings.logs != self.settings.logs:
            self._verifiers = _verifiers_of(settings)
            self.settings = settings

    def add(self, body: bytes) -> str:
        """The cosignature lines of a request that holds, one for each key.

        Raises :class:`Refused`, or OSError when the disk does not keep the memory.
        """
        try:
            request = parse_request(body)
            stated = Checkpoint.parse(parse_note(request.note).text)
        except NoteError as error:
            raise Refused(400, f"malformed request: {error}\n") from error
        try:
            self.reload()
        except CosignerProblem as problem:
            raise Refused(503, f"{problem}\n") from problem
        if stated.origin not in self._verifiers:
            raise Refused(404, "this log is not followed here\n")
        try:
            checkpoint = open_checkpoint(request.note, self._verifiers[stated.origin]).checkpoint
        except NoteError as error:
            raise Refused(403, f"no trusted signature: {error}\n") from error
        if request.old > checkpoint.size:
            raise Refused(400, "the old size is larger than the checkpoint\n")
        with self._states.locked():
            try:
                last = self._states.read(checkpoint.origin)
            except StateLost as lost:
                raise Refused(503, f"{lost}\n") from lost
            self._require_consistent(request, checkpoint, last)
            return self._cosign(request.note, checkpoint, last)

    def _require_consistent(self, request: AddCheckpoint, checkpoint: Checkpoint, last: Cosigned) -> None:
        forked = checkpoint.size == last.size and checkpoint.root != last.root
        if forked:
            self._keep_contradiction("fork", request, checkpoint, last)
        if forked or request.old != last.size:
            raise Refused(409, f"{last.size}\n", SIZE_TYPE)
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise Refused(422, "the empty tree has another root\n")
        if not verify_consistency(last.size, checkpoint.size, request.path, last.root, checkpoint.root):
            self._keep_contradiction("unproven", request, checkpoint, last)
            raise Refused(422, "the consistency proof does not hold\n")

    def _cosign(self, note: str, checkpoint: Checkpoint, last: Cosigned) -> str:
        seconds = int(self._clock())
        if seconds < last.at - CLOCK_BACK_S:
            raise Refused(503, "the clock of this cosigner has stepped back\n")
        seconds = max(seconds, last.at)
        shown = _of_the_log(note)
        signed = add_signatures(shown, self._keys.signers(self.settings.name, lambda: seconds))
        # Durable first: a cosignature that has left the process cannot be taken back.
        self._states.write(
            Cosigned(checkpoint.origin, checkpoint.size, checkpoint.root, seconds, signed, last.key)
        )
        return signed.removeprefix(shown)

    def _keep_contradiction(
        self, kind: str, request: AddCheckpoint, checkpoint: Checkpoint, last: Cosigned
    ) -> None:
        """Both checkpoints, signed by the log. `fork`, two roots of one size, proves that the log does not only grow.

        `unproven` is a proof that does not hold: anybody may send one with a checkpoint that the log has published, so that these are
        counted apart and leave room for the others. Each checkpoint is kept once.
        """
        kept = self.folder / "contradictions"
        kept.mkdir(mode=0o700, exist_ok=True)
        place = kept / f"{kind}-{checkpoint.size}-{checkpoint.root.hex()[:16]}.json"
        if not place.exists() and len(list(kept.glob(f"{kind}-*.json"))) < MAX_CONTRADICTIONS:
            told = {"old": request.old, "path": [each.hex() for each in request.path], "shown": request.note}
            text = json.dumps(told | {"cosigned": last.note}, ensure_ascii=False, indent=1)
            write_durably(place, text.encode())


def _of_the_log(note: str) -> str:
    """The note with at most the signatures that one checkpoint needs: strangers' lines are not ours to keep."""
    body, _, tail = note.rpartition("\n\n")
    origin = body.partition("\n")[0]
    lines = [line for line in tail.splitlines() if line.startswith(f"— {origin} ")]
    return f"{body}\n\n" + "".join(f"{line}\n" for line in lines)
