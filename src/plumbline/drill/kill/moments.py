"""Moments of a power cut (断电时刻): while uploads go on, again and again it is looked what a cut in that moment would leave on the disk.

A real cut stops everything for seconds, so that there are tens of them in a drill. What it would leave is known without one: it must
hold every file that was acknowledged before, the key of every person whose record was, and a mark of the head that answers have shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.drill.kill.invariants import signed
from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.lossy_files import Changes, OnDisk, look
from plumbline.evidence.mark import Head

_MARK = "/marks/local.mark"
_TOLD = 5


@dataclass(slots=True)
class Moments:
    """Looks at the disk under a mounted folder until it is stopped; breaches are sentences."""

    ledger: Ledger
    look: Callable[[], Changes]
    every_s: float = 0.01
    #: Moments before which something new had been acknowledged; the others prove nothing new and do not count.
    counted: int = 0
    #: Kind of breach → object → the sentence of the first moment that found it.
    _found: dict[str, dict[str, str]] = field(default_factory=dict)
    _disk: dict[str, OnDisk] = field(default_factory=dict)
    #: What has to be there: path → (SHA-256 or nothing, what it is).
    _owed: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Uploads without an answer when last looked at, and how many the ledger had.
    _open: list[Upload] = field(default_factory=list)
    _known: int = 0
    #: Largest head that an answer has shown.
    _shown: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @classmethod
    def under(cls, mounted: Path, ledger: Ledger) -> Moments:
        """Of a lossy file system."""
        return cls(ledger, lambda: look(mounted))

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="moments", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)
            if self._thread.is_alive():
                self._break("look", "", "断电时刻没有看完：文件系统三十秒没有答复")

    @property
    def broken(self) -> list[str]:
        """Of each kind the first few objects and how many there are."""
        told: list[str] = []
        for found in self._found.values():
            told += list(found.values())[:_TOLD]
            if len(found) > _TOLD:
                told.append(f"……同类共 {len(found)} 处")
        return told

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.every_s):
                self.moment()
        except Exception as error:
            self._break("look", "", f"断电时刻看不成：{type(error).__name__} {error}")

    def moment(self) -> None:
        """One: first what was acknowledged, then what the disk holds; never the other way round."""
        fresh = self._acknowledged()
        for upload in fresh:
            self._owe(upload)
        changes = self.look()
        self._disk |= changes.now
        for path in changes.gone:
            self._disk.pop(path, None)
        self.counted += bool(fresh)
        touched = {*changes.now, *changes.gone}
        # What was there and is unchanged stays there; looked for is what is new on either side.
        for path in (touched & self._owed.keys()).union(*map(_paths, fresh)):
            self._require(path)
        self._require_mark()

    def _acknowledged(self) -> list[Upload]:
        uploads = self.ledger.uploads
        self._open += uploads[self._known : (known := len(uploads))]
        self._known = known
        fresh, still = [], []
        for each in self._open:
            (fresh if each.is_acknowledged else still).append(
                each
            )  # asked once: the answer may come meanwhile
        self._open = still
        return fresh

    def _owe(self, upload: Upload) -> None:
        for path in _paths(upload):
            name = f"文件 {upload.sha256[:16]}…" if upload.what == "file" else f"消息 {upload.uid} 的主体密钥"
            self._owed[path] = (upload.sha256 if upload.what == "file" else "", name)
        if upload.answer and "receipt" in upload.answer:
            self._shown = max(self._shown, signed(str(upload.answer["receipt"]))[0])

    def _require(self, path: str) -> None:
        sha256, name = self._owed[path]
        kept = self._disk.get(path)
        if kept is None:
            left = "断电后不在"
        elif not kept.size or (sha256 and kept.sha256 != sha256):
            left = f"断电后只有 {kept.size} 字节，或不是原来的"
        else:
            return
        self._break("file" if sha256 else "key", path, f"{self._which}：{name} 答复过已收，{left}")

    def _require_mark(self) -> None:
        if not self._shown:
            return
        kept = self._disk.get(_MARK)
        try:
            size = Head.decode(kept.data).size if kept else 0
        except ValueError:
            self._break("mark", "", f"{self._which}：断电后水位读不出来")
            return
        if size < self._shown:
            told = f"{self._which}：断电后水位是 {size} 条，而答复过 {self._shown} 条的检查点"
            self._break("mark", str(self._shown), told)

    @property
    def _which(self) -> str:
        return f"第 {self.counted} 个断电时刻"

    def _break(self, kind: str, which: str, sentence: str) -> None:
        self._found.setdefault(kind, {}).setdefault(which, sentence)


def _paths(upload: Upload) -> list[str]:
    """Files that have to be durable before this upload is acknowledged."""
    if upload.what == "file":
        return [f"/files/{upload.sha256[:2]}/{upload.sha256}"]
    return [f"/subjects/{record.subject}.key" for record in upload.personal]
